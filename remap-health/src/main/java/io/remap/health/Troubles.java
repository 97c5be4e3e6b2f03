package io.remap.health;

import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk.Trouble;
import io.remap.api.spi.WatchedDisk.TroubleListener;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Takes trouble from the threads that serve clients, and hands it over on another one. What comes while {@link #MOST} wait
 * is counted only. Thread-safe; the threads that bring trouble neither wait nor take a lock that others hold for long.
 */
final class Troubles implements TroubleListener {
    private static final int MOST = 1024;

    private record Met(Trouble trouble, SectorRange sectors) {}

    private final BlockingQueue<Met> waiting = new ArrayBlockingQueue<>(MOST);
    private final AtomicBoolean underWay = new AtomicBoolean();
    private final AtomicLong dropped = new AtomicLong();
    private final Executor executor;
    private final TroubleListener receiver;

    Troubles(Executor executor, TroubleListener receiver) {
        this.executor = executor;
        this.receiver = receiver;
    }

    @Override
    public void met(Trouble trouble, SectorRange sectors) {
        if (!waiting.offer(new Met(trouble, sectors))) {
            dropped.incrementAndGet();
        }
        if (underWay.compareAndSet(false, true)) {
            executor.execute(this::handOver);
        }
    }

    private void handOver() {
        do {
            for (Met next = waiting.poll(); next != null; next = waiting.poll()) {
                receiver.met(next.trouble, next.sectors);
            }
            underWay.set(false);
        } while (!waiting.isEmpty() && underWay.compareAndSet(false, true));
    }

    /** How often there was too much of it. */
    long dropped() {
        return dropped.get();
    }
}
