package io.remap.api;

import java.util.Optional;

/**
 * Ability of a device to carry a small note beside its bytes (an extended attribute of an image file): the witness that
 * a main belongs to a spare. Never part of the device's content.
 */
public interface WitnessTag {
    /** A note is at most this long. */
    int MAX_TAG_BYTES = 1024;

    /**
     * Whether the note is of this very device. If not, it is of the whole that the device is a part of: its bytes belong
     * to that spare too, but a pair of which the part is main must leave its witness elsewhere.
     */
    default boolean isOwn() {
        return true;
    }

    /** The note, empty if there is none. */
    Optional<byte[]> readTag() throws DeviceException;

    /** Replaces the note and makes it durable before returning; only of one that is {@link #isOwn own}. */
    void writeTag(byte[] tag) throws DeviceException;

    /** Removes the note, if there is one, and makes that durable before returning. */
    void removeTag() throws DeviceException;
}
