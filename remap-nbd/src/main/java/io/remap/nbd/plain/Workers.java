package io.remap.nbd.plain;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

/**
 * The threads of one connection: one is started when it is woken for and none rests, until there are enough of them.
 * Where some hang at a device others may come in their place, of which a transport has a limited number.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>there are at most {@link #allowed} threads, and one more: it sends what other threads complete while all
 *       of these hang;
 *   <li>a worker that does not run is in {@link #idle}, and looks once more after it went there and before it parks;
 *   <li>while somebody was woken and has not looked yet nobody else is: he will see whatever was noted before he
 *       looks;
 *   <li>once the last one has left there is none any more, substitutes are given back, and the job is told.
 * </ul>
 *
 * <p>Thread-safe.
 */
final class Workers {
    /** What they work on. */
    interface Job {
        /** All that a worker does: one thing after the other, and a rest while there is nothing, until it is over. */
        void work(Worker self);

        /** Whether there is something that a further thread could do at this moment. Any thread; takes no lock. */
        boolean isSomethingToDo();

        /** A worker leaves, or could not be started as the only one: it is over for all. */
        void leave();

        /** The last one has left. */
        void allLeft();
    }

    private final PlainTransport transport;
    private final String threadName;
    private final int limit;
    private final Job job;

    /** Threads that do not run, the one that ran last on top; guards {@link #threads} too. */
    private final Deque<Worker> idle = new ArrayDeque<>();

    private int threads;

    /** Changed by the watch, and under the lock of {@link #idle}. */
    private volatile int allowed;

    private final AtomicBoolean waking = new AtomicBoolean();

    /** None yet; {@code limit} as long as none hangs. */
    Workers(PlainTransport transport, String threadName, int limit, Job job) {
        this.transport = transport;
        this.threadName = threadName;
        this.limit = limit;
        this.allowed = limit;
        this.job = job;
    }

    /** One thread of a connection. */
    final class Worker extends Thread {
        private volatile boolean parked;

        /** Work carried out since it last looked for replies. Its own. */
        int unsent;

        private Worker(int number) {
            super(threadName + number);
            setDaemon(true);
        }

        private Workers all() {
            return Workers.this;
        }

        @Override
        public void run() {
            waking.set(false);
            job.work(this);
            job.leave();
            leave();
        }
    }

    /** Starts the first one. */
    void begin() {
        Worker first;
        synchronized (idle) {
            first = new Worker(++threads);
        }
        launch(first);
    }

    /** How many may carry out work while none hangs. */
    int limit() {
        return limit;
    }

    /** How many may carry out work at this moment. */
    int allowed() {
        return allowed;
    }

    /** Whether there are more than its limit, in place of those that hang. */
    boolean hasSubstitutes() {
        return allowed > limit;
    }

    /** Whether the calling thread is one of them: it looks for what is to be done in any case. */
    boolean runHere() {
        return Thread.currentThread() instanceof Worker worker && worker.all() == this;
    }

    /** One more thread shall look, if there is one that does not. */
    void wake() {
        while (waking.compareAndSet(false, true)) {
            Worker worker;
            boolean isNew = false;
            synchronized (idle) {
                worker = idle.pollFirst();
                // None after the last one left.
                if (worker == null && threads > 0 && threads <= allowed) {
                    worker = new Worker(++threads);
                    isNew = true;
                }
            }
            if (worker != null) {
                if (isNew) {
                    launch(worker);
                } else {
                    unpark(worker);
                }
                return;
            }
            waking.set(false);
            // Who found the flag set meanwhile relied on us.
            synchronized (idle) {
                if (idle.isEmpty()) {
                    return;
                }
            }
            if (!job.isSomethingToDo()) {
                return;
            }
        }
    }

    private void launch(Worker worker) {
        try {
            transport.start(worker);
        } catch (OutOfMemoryError e) {
            // The limit of threads: the others go on; without any the connection is over.
            transport.warn("no further thread for a connection: " + e.getMessage());
            waking.set(false);
            boolean none;
            synchronized (idle) {
                none = --threads == 0;
            }
            if (none) {
                job.leave();
                end();
            }
        }
    }

    /** All that rest shall look. */
    void wakeAll() {
        while (true) {
            Worker worker;
            synchronized (idle) {
                worker = idle.pollFirst();
            }
            if (worker == null) {
                return;
            }
            unpark(worker);
        }
    }

    private static void unpark(Worker worker) {
        worker.parked = false;
        LockSupport.unpark(worker);
    }

    /** By the worker: waits until it is woken, unless there is something to do. */
    void rest(Worker self) {
        self.parked = true;
        synchronized (idle) {
            idle.addFirst(self);
        }
        if (job.isSomethingToDo()) {
            synchronized (idle) {
                if (idle.remove(self)) {
                    self.parked = false;
                }
            }
        }
        while (self.parked) {
            LockSupport.park(this);
        }
        waking.set(false);
    }

    private void leave() {
        boolean last;
        synchronized (idle) {
            last = --threads == 0;
        }
        if (last) {
            end();
        }
    }

    private void end() {
        dismissSubstitutes();
        job.allLeft();
    }

    /**
     * All hang, and there may be work that would not: as many more may look. What waits behind many that hang must
     * not wait for them to be found one by one; a thread begins only when there is something for it to do. Where
     * other connections have taken many, it is one at a time.
     */
    void allowSubstitutes() {
        synchronized (idle) {
            int more = transport.hasManySubstitutes() ? allowed : 1;
            while (more > 0 && threads > 0 && allowed < transport.hungLimit() && transport.takeSubstitute()) {
                allowed++;
                more--;
            }
        }
    }

    /** Those that hung are back. What threads there are stay, and rest. */
    void dismissSubstitutes() {
        synchronized (idle) {
            transport.giveBackSubstitutes(allowed - limit);
            allowed = limit;
        }
    }
}
