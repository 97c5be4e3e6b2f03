package io.remap.nbd;

import io.remap.api.DiskRequest;
import io.remap.api.IoBuffer;
import io.remap.api.Session;

/**
 * One request from its header to its reply. Made once and reused by its session; owned in turn by the input side (until it
 * is started), by the disk, and by the output side.
 */
final class NbdRequest implements Session.Work {
    final DiskRequest diskRequest = new DiskRequest(this::completed);
    private final Transmission transmission;

    /** The client's name for it, echoed. */
    long cookie;
    /** {@code null} if it is one that we do not know. */
    Protocol.Command command;
    /** Error of the protocol, 0 if it succeeded. */
    int errno;
    /**
     * Payload; {@code null} if there is none (any more). Of a READ whose payload came as {@link DiskRequest#pages} it has the
     * header of the reply alone.
     */
    IoBuffer buffer;

    /** Next in a list of replies. */
    NbdRequest next;

    NbdRequest(Transmission transmission) {
        this.transmission = transmission;
        diskRequest.client = transmission == null ? null : transmission.client;
    }

    @Override
    public void start() {
        transmission.start(this);
    }

    @Override
    public void abandon() {
        transmission.abandon(this);
    }

    private void completed(DiskRequest ended) {
        transmission.completed(this);
    }

    /** Whether the reply carries {@link #buffer}, or the pages in its stead. */
    boolean answersWithPayload() {
        return buffer != null;
    }
}
