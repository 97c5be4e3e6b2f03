package io.remap.api;

import java.util.Optional;

/**
 * Ability of a device to carry a small note beside its bytes (an extended attribute of an image file): the witness that
 * a main belongs to a spare. Never part of the device's content.
 */
public interface WitnessTag {
    /** A note is at most this long. */
    int MAX_TAG_BYTES = 1024;

    /** The note, empty if there is none. */
    Optional<byte[]> readTag() throws DeviceException;

    /** Replaces the note and makes it durable before returning. */
    void writeTag(byte[] tag) throws DeviceException;

    /** Removes the note, if there is one, and makes that durable before returning. */
    void removeTag() throws DeviceException;
}
