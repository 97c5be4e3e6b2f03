package io.remap.core.disk;

import io.remap.api.spi.WatchedDisk;

/**
 * What the health module wants kept over restarts. It gives its bytes when it likes, so that no save calls into it but the
 * one that a person asks for; and what an earlier one left stays, also where no module is there to make sense of it.
 *
 * <p>Thread-safe.
 */
public final class HealthMemory implements Saved {
    private volatile byte[] state = {};
    private volatile Runnable giver = () -> {};

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

    void askBy(Runnable gives) {
        giver = gives;
    }

    /** Has the module give what it knows by now; as long as that takes. */
    public void ask() {
        giver.run();
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
