package io.remap.core.disk;

import io.remap.api.spi.WatchedDisk;

/**
 * What the health module wants kept over restarts. It gives its bytes when it likes, so that a save never calls into it;
 * and what an earlier one left stays, also where no module is there to make sense of it.
 *
 * <p>Thread-safe.
 */
public final class HealthMemory implements Saved {
    private volatile byte[] state = {};

    /** With nothing in it. */
    public HealthMemory() {}

    byte[] get() {
        return state.clone();
    }

    void set(byte[] newState) {
        if (newState.length > WatchedDisk.MAX_MEMORY_BYTES) {
            throw new IllegalArgumentException(
                    "health remembers " + newState.length + " bytes of at most " + WatchedDisk.MAX_MEMORY_BYTES);
        }
        state = newState.clone();
    }

    @Override
    public String section() {
        return "health";
    }

    @Override
    public byte[] save() {
        return state;
    }

    @Override
    public void restore(byte[] saved) {
        state = saved.clone();
    }
}
