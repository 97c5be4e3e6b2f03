package io.remap.core;

import io.remap.api.Attribute;
import io.remap.api.DeviceIo;
import io.remap.api.spi.IoEngine;
import java.util.List;

/**
 * An I/O engine that another one can take over while it runs: new transfers go to the newest engine, those under way end
 * where they began.
 *
 * <p>Invariant: every engine that it was given is closed with it, the newest first, exactly once.
 */
final class EngineSwitch implements IoEngine {
    private final IoEngine first;
    private volatile IoEngine current;
    private boolean closed;

    EngineSwitch(IoEngine first) {
        this.first = first;
        this.current = first;
    }

    /** Lets {@code next} take over; {@code false} if it is too late, then {@code next} stays the caller's. */
    synchronized boolean takeOver(IoEngine next) {
        if (closed || current != first) {
            return false;
        }
        current = next;
        return true;
    }

    @Override
    public void submit(DeviceIo io) {
        current.submit(io);
    }

    @Override
    public List<Attribute> attributes() {
        return current.attributes();
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        try {
            if (current != first) {
                current.close();
            }
        } finally {
            first.close();
        }
    }
}
