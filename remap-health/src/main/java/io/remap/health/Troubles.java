package io.remap.health;

import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk.Trouble;
import io.remap.api.spi.WatchedDisk.TroubleListener;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes trouble from the threads that serve clients, and hands it over on another one. What comes while {@link #MOST} wait
 * is counted only. Thread-safe; the threads that bring trouble neither wait nor take a lock that others hold for long.
 */
final class Troubles implements TroubleListener {
    static final int MOST = 1024;
    private static final Logger LOG = LoggerFactory.getLogger(Troubles.class);

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
            try {
                for (Met next = waiting.poll(); next != null; next = waiting.poll()) {
                    handOver(next);
                }
            } finally {
                underWay.set(false);
            }
        } while (!waiting.isEmpty() && underWay.compareAndSet(false, true));
    }

    private void handOver(Met next) {
        try {
            receiver.met(next.trouble, next.sectors);
        } catch (RuntimeException e) {
            // The next is heard all the same.
            LOG.error("trouble {} at {} could not be taken", next.trouble, next.sectors, e);
        }
    }

    /** How much of it came while too much waited: it is in the events of the disk, and in no count of health. */
    long dropped() {
        return dropped.get();
    }
}
