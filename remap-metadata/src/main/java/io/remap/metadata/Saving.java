package io.remap.metadata;

import io.remap.api.DeviceException;
import io.remap.api.ErrorClass;
import io.remap.api.spi.MetadataStore.SaveListener;
import java.nio.ByteBuffer;
import java.util.function.BiConsumer;

/**
 * The save under way: what is kept beside the table is written to the {@link SavedArea} of the lead, then of the
 * copy, a piece in each turn, so that commits need not wait for all of it.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>One at a time; its listener is told once how it ended, in a turn.
 *   <li>A place that cannot be written ends the save, and is no failure of the store; a spare whose flush failed, or
 *       that another server has taken over, is one.
 *   <li>Nothing is written to a spare that has the table no more.
 * </ul>
 *
 * <p>{@link #offer} and the getters by any thread, {@link #writeOn} in a turn of the store.
 */
final class Saving {
    private final Holders holders;
    private final BiConsumer<Holder, DeviceException> whenFailed;
    /** Who is told of the save under way, {@code null} if there is none. Guarded by this, as what it saves. */
    private SaveListener listener;

    private ByteBuffer encoded;
    /** Where it is just now; {@code null} if it has not begun. Touched in a turn only. */
    private Holder to;

    /** @param whenFailed told in a turn that a spare must not be written any more */
    Saving(Holders holders, BiConsumer<Holder, DeviceException> whenFailed) {
        this.holders = holders;
        this.whenFailed = whenFailed;
    }

    /** Most bytes of a save, names included: both have room for that. */
    int capacityBytes() {
        Holder copy = holders.copy();
        int ofLead = holders.lead().saved().capacityBytes();
        return copy == null ? ofLead : Math.min(ofLead, copy.saved().capacityBytes());
    }

    /**
     * {@code false} if the one before is still under way.
     *
     * @param sections as {@link SavedArea#encode} has made them
     */
    synchronized boolean offer(ByteBuffer sections, SaveListener told) {
        if (listener != null) {
            return false;
        }
        encoded = sections;
        listener = told;
        return true;
    }

    synchronized boolean isUnderWay() {
        return listener != null;
    }

    /**
     * In a turn: writes a piece of the save under way, if there is one.
     *
     * @param failure of the store, which ends it; {@code null} if it has not failed
     */
    void writeOn(DeviceException failure) {
        ByteBuffer sections;
        SaveListener told;
        synchronized (this) {
            sections = encoded;
            told = listener;
        }
        if (told == null) {
            return;
        }
        String ended = failure != null ? failure.getMessage() : writePiece(sections);
        if (ended != null) {
            to = null;
            synchronized (this) {
                encoded = null;
                listener = null;
            }
            told.ended(ended);
        }
    }

    /** Gives {@code null} while there is more to do, else how it ended: empty if all is saved. */
    private String writePiece(ByteBuffer sections) {
        if (to == null) {
            begin(holders.lead(), sections);
        }
        Holder now = to;
        if (!holders.all().contains(now)) {
            // It may be closed by now. What it has stands where nobody looks.
            return "the spare that it was being written to was left behind";
        }
        try {
            if (!now.saved().writeOn(now.log())) {
                return null;
            }
        } catch (DeviceException e) {
            if (now.log().flushFailed() || e.errorClass() == ErrorClass.RESERVED) {
                whenFailed.accept(now, e);
            }
            return e.getMessage();
        }
        Holder copy = holders.copy();
        if (copy != null && now == holders.lead()) {
            begin(copy, sections);
            return null;
        }
        return "";
    }

    private void begin(Holder holder, ByteBuffer sections) {
        to = holder;
        holder.saved().begin(sections);
    }
}
