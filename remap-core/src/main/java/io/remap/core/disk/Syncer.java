package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.spi.IoEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * Joins the flushes of clients into syncs of one device.
 *
 * <p>Invariants: a flush joins only a sync that begins after the flush was taken up; one sync at a time; everybody who
 * joined gets the same answer; a clean device is not synced at all.
 */
final class Syncer {
    private final TrackedDevice device;
    private final IoEngine engine;
    private final Executor executor;
    private final Sync sync = new Sync();

    /** Who joins the next sync; guarded by this. */
    private List<Consumer<DeviceException>> waiting = new ArrayList<>();

    private boolean running;

    Syncer(TrackedDevice device, IoEngine engine, Executor executor) {
        this.device = device;
        this.engine = engine;
        this.executor = executor;
    }

    /** Reports, on any thread, how a sync that begins after this call ended: {@code null} for success. */
    void flush(Consumer<DeviceException> then) {
        if (device.isClean()) {
            then.accept(null);
            return;
        }
        synchronized (this) {
            waiting.add(then);
            if (running) {
                return;
            }
            running = true;
        }
        sync.begin();
    }

    private final class Sync extends DeviceIo {
        private List<Consumer<DeviceException>> joined = List.of();

        void begin() {
            synchronized (Syncer.this) {
                joined = waiting;
                waiting = new ArrayList<>();
            }
            operation = Operation.FLUSH;
            device = Syncer.this.device;
            engine.submit(this);
        }

        @Override
        public void completed(DeviceException error) {
            List<Consumer<DeviceException>> answered = joined;
            joined = List.of();
            boolean again;
            synchronized (Syncer.this) {
                again = !waiting.isEmpty();
                running = again;
            }
            if (again) {
                // Elsewhere: this thread has its own answer to give, and a stream of flushes must not keep it for ever.
                executor.execute(this::begin);
            }
            for (Consumer<DeviceException> then : answered) {
                then.accept(error);
            }
        }
    }
}
