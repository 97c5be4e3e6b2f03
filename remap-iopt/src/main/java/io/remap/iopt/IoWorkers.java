package io.remap.iopt;

import io.remap.api.Counter;
import io.remap.api.DeviceIo;
import io.remap.api.Environment;
import io.remap.api.Pace;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that execute what event loops must not wait for. There are as few as serve: quick transfers (a write into the
 * page cache takes 2 microseconds, waking a thread 5 to 20) are left to one thread as long as it keeps up, each that takes
 * long has a thread of its own, up to a limit.
 *
 * <p>A worker is <em>available</em> while it looks for transfers or executes quick ones. What takes long is known in
 * advance where it surely waits for a device, by the average of the last ones otherwise ({@link Pace}), and found
 * by the {@link WorkerWatch} where both are wrong.
 *
 * <p>Invariants: while transfers wait, a worker is available, or {@link #limit} workers are away (or the host gives no
 * thread more). A worker that is about to rest can be found before it looks for the last time; who adds a transfer looks for
 * an available worker afterwards. Threads are never interrupted.
 */
final class IoWorkers implements LoopThread.Workers {
    /** How long a worker rests before it ends. */
    static final long IDLE_NANOS = 30_000_000_000L;

    /** Most transfers that wait for a worker; what exceeds it goes to the scheduler, at a higher price. */
    static final int MAX_WAITING = 1 << 14;

    /** From so many waiting transfers for each available worker on, a further one helps with quick transfers too. */
    private static final int WORTH_HELPING = 16;

    private static final int MAX_LOGGED_FAILURES = 100;
    private static final Logger LOG = LoggerFactory.getLogger(IoWorkers.class);

    /** What is done with a transfer. */
    interface Execution {
        /** How long such a transfer takes. */
        Pace paceOf(DeviceIo transfer);

        /** Executes and completes it; does not throw. */
        void carryOut(DeviceIo transfer);
    }

    final Counter batches = new Counter();
    final Counter handedOver = new Counter();
    final Counter overflows = new Counter();
    final Counter heldUp = new Counter();
    final Counter lostLoops = new Counter();
    private final AtomicInteger most = new AtomicInteger();

    private final Environment environment;
    private final int limit;
    private final Execution execution;
    private final TransferQueue queue = new TransferQueue(MAX_WAITING);
    private final IdleSet idle;
    private final AtomicReferenceArray<WorkerThread> threads;
    private final AtomicInteger threadCount = new AtomicInteger();
    private final AtomicInteger available = new AtomicInteger();
    private final AtomicInteger loggedFailures = new AtomicInteger();
    private final WorkerWatch watch = new WorkerWatch(this, task -> new Thread(task, "remap-io-watch"));
    private final int processors = Runtime.getRuntime().availableProcessors();

    private volatile boolean closed;

    /** Begins without a thread, and never has more than {@code limit}. */
    IoWorkers(Environment environment, int limit, Execution execution) {
        this.environment = environment;
        this.limit = limit;
        this.execution = execution;
        this.idle = new IdleSet(limit);
        this.threads = new AtomicReferenceArray<>(limit);
    }

    @Override
    public void take(DeviceIo[] transfers, int count) {
        batches.increment();
        handedOver.add(count);
        for (int i = 0; i < count; i++) {
            if (!queue.offer(transfers[i])) {
                overflow(transfers[i]);
            }
        }
        share();
        watch.begin();
    }

    private void overflow(DeviceIo transfer) {
        overflows.increment();
        environment.scheduler().execute(() -> carryOut(transfer));
    }

    /** Brings in one more worker if that helps. */
    private void share() {
        while (true) {
            int counted = available.get();
            int size = queue.size();
            if (size <= counted * WORTH_HELPING || (counted > 0 && counted >= processors)) {
                return;
            }
            if (available.compareAndSet(counted, counted + 1)) {
                if (!bringIn()) {
                    available.decrementAndGet();
                }
                return;
            }
        }
    }

    private boolean bringIn() {
        int number = idle.takeLowest();
        if (number >= 0) {
            threads.get(number).wake();
            return true;
        }
        for (int i = 0; i < limit && threadCount.get() < limit; i++) {
            if (threads.get(i) == null) {
                WorkerThread worker = new WorkerThread(this, i);
                if (threads.compareAndSet(i, null, worker)) {
                    return start(worker);
                }
            }
        }
        return false;
    }

    private boolean start(WorkerThread worker) {
        int now = threadCount.incrementAndGet();
        most.accumulateAndGet(now, Math::max);
        try {
            worker.start();
            return true;
        } catch (OutOfMemoryError e) {
            failed("no further thread", e);
            threads.set(worker.number(), null);
            if (threadCount.decrementAndGet() == 0) {
                environment.scheduler().execute(this::workHere);
            }
            return false;
        }
    }

    private void workHere() {
        for (DeviceIo transfer = queue.poll(); transfer != null; transfer = queue.poll()) {
            carryOut(transfer);
        }
    }

    // ---- for the workers

    DeviceIo next() {
        return queue.poll();
    }

    boolean hasWork() {
        return queue.size() > 0;
    }

    void carryOut(DeviceIo transfer) {
        execution.carryOut(transfer);
    }

    long nanoTime() {
        return environment.time().nanoTime();
    }

    Pace paceOf(DeviceIo transfer) {
        return execution.paceOf(transfer);
    }

    /** An available worker is away for long: another one may be needed. */
    void leftForLong() {
        available.decrementAndGet();
        share();
    }

    /** An available worker is away, and looks for transfers before it rests. */
    void leftToRest() {
        available.decrementAndGet();
    }

    void cameBack() {
        available.incrementAndGet();
    }

    IdleSet idle() {
        return idle;
    }

    boolean mayRest() {
        return !closed;
    }

    void ended(WorkerThread worker) {
        threads.set(worker.number(), null);
        threadCount.decrementAndGet();
        if (!closed) {
            share();
        }
    }

    void later(Runnable task, long delayMillis) {
        var unused = environment.scheduler().schedule(task, delayMillis);
    }

    /** An error in the program, which must not end a worker. */
    void failed(String where, Throwable error) {
        if (loggedFailures.getAndIncrement() < MAX_LOGGED_FAILURES) {
            LOG.error("workers: {}", where, error);
        }
    }

    // ---- for the watch and the engine

    /** Looks for workers that are held up, and lets others in; returns whether anybody is at work. */
    boolean check() {
        boolean busy = hasWork();
        if (busy) {
            // One that ended for want of work may have been counted on by who handed over.
            share();
        }
        for (int i = 0; i < limit; i++) {
            WorkerThread worker = threads.get(i);
            if (worker != null && !worker.isResting()) {
                busy = true;
                if (worker.checkHeldUp()) {
                    heldUp.increment();
                }
            }
        }
        return busy;
    }

    WorkerWatch watch() {
        return watch;
    }

    int threads() {
        return threadCount.get();
    }

    int mostThreads() {
        return most.get();
    }

    void resetMostThreads() {
        most.set(threadCount.get());
    }

    /** Ends the threads as soon as nothing waits; does not wait for them. */
    void close() {
        closed = true;
        for (int number = idle.takeLowest(); number >= 0; number = idle.takeLowest()) {
            available.incrementAndGet();
            threads.get(number).wake();
        }
        watch.close();
    }
}
