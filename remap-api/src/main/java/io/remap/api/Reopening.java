package io.remap.api;

import java.util.Optional;

/**
 * Ability of a {@link BlockDevice} to be found again after it went away for good under the name that it had: a disk that
 * was plugged in again is another device to the kernel, which may also call it otherwise. Thread-safe; blocks.
 */
public interface Reopening {
    /**
     * Looks for the device, where it was and under other names. If it is there, is the same by what it says of itself, is
     * not in use, and can be read, everything that has this object goes on with it: doors and abilities too. Transfers under
     * way end as the old one answers. What was in the cache of the device may be lost.
     *
     * @return where it is; empty if it was not found, then nothing has changed
     */
    Optional<String> reopen();
}
