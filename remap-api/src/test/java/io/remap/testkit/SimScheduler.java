package io.remap.testkit;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import io.remap.api.TimeSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;

/**
 * Runs tasks one at a time, in an order that a seed decides, in virtual time. A task may stop in its middle
 * ({@link #pause}, {@link #sleep}), so that others run between any two operations of a device: tasks run on real threads
 * that hand a baton over, and only the holder of the baton runs. So blocking code is simulated as it stands.
 *
 * <p>The test's own thread drives: it starts tasks with {@link #execute}, and lets things happen with {@link #run}. While
 * it drives nothing else does anything. {@link #crash} is the end of the process: whatever was under way stops where it
 * stands and leaves no trace but on the devices.
 *
 * <p>Invariants: exactly one thread has the baton; {@code ready}, {@code timers} and {@code lockedOut} hold every task and
 * every stopped thread exactly once.
 */
public final class SimScheduler implements Scheduler, TimeSource, AutoCloseable {
    /** More steps than this without an end is a livelock. */
    public static final int MAX_STEPS = 5_000_000;

    /** A step takes up to so long in virtual time. */
    private static final int STEP_NANOS_MAX = 20_000;

    private static final long WALL_START_MILLIS = 1_700_000_000_000L;

    private final RandomGenerator random;
    private final List<Step> ready = new ArrayList<>();
    private final PriorityQueue<Timer> timers =
            new PriorityQueue<>(Comparator.comparingLong(Timer::dueNanos).thenComparingLong(Timer::order));
    private final Deque<Worker> idle = new ArrayDeque<>();
    private final List<Worker> workers = new ArrayList<>();
    private final Baton driver = new Baton();
    private long nowNanos = 1;

    private long timerOrder;
    private long steps;
    private long stopAtStep;
    private BooleanSupplier until = () -> false;
    private boolean crashing;
    private boolean closing;
    private Throwable failure;

    /** Threads that wait for a lock. */
    private final List<Worker> lockedOut = new ArrayList<>();

    /** Something that can go on: a task that has not started, or the thread of one that stopped. */
    private record Step(Runnable task, Worker stopped) {}

    private record Timer(long dueNanos, long order, Step step) {}

    /** Thrown out of a stopped task when the process it belongs to dies. */
    private static final class ProcessDied extends Error {
        private static final long serialVersionUID = 1L;

        ProcessDied() {
            super("the simulated process died", null, false, false);
        }
    }

    /** The right to run, as one thread waits for it. */
    private static class Baton {
        private volatile boolean given;
        private volatile Thread waiter;

        final void give() {
            given = true;
            LockSupport.unpark(waiter);
        }

        /** Only ever called by one and the same thread, or by one after the other. */
        final void await() {
            waiter = Thread.currentThread();
            while (!given) {
                LockSupport.park(this);
            }
            given = false;
        }
    }

    /** A thread for tasks. */
    private final class Worker extends Baton implements Runnable {
        private Runnable first;

        @Override
        public void run() {
            await();
            while (!closing) {
                Runnable task = first;
                first = null;
                if (task != null) {
                    perform(task);
                }
                Step next = stopWanted() ? null : pick();
                if (next != null && next.stopped == null) {
                    first = next.task;
                    continue;
                }
                idle.push(this);
                pass(next);
                await();
            }
        }

        private void perform(Runnable task) {
            try {
                task.run();
            } catch (ProcessDied e) {
                // As it should be.
            } catch (Throwable e) {
                fail(e);
            }
        }
    }

    /** @param random decides the order; use it for nothing else */
    public SimScheduler(RandomGenerator random) {
        this.random = random;
    }

    /** This as an environment, with randomness of its own. */
    public Environment environment(RandomGenerator randomness) {
        return new Environment(this, this, randomness);
    }

    @Override
    public void execute(Runnable task) {
        if (!crashing) {
            ready.add(new Step(task, null));
        }
    }

    @Override
    public Cancellable schedule(Runnable task, long delayMillis) {
        if (crashing) {
            return () -> {};
        }
        boolean[] cancelled = {false};
        Runnable unlessCancelled = () -> {
            if (!cancelled[0]) {
                task.run();
            }
        };
        addTimer(TimeUnit.MILLISECONDS.toNanos(delayMillis), new Step(unlessCancelled, null));
        return () -> cancelled[0] = true;
    }

    private void addTimer(long delayNanos, Step step) {
        timers.add(new Timer(nowNanos + Math.max(0, delayNanos), timerOrder++, step));
    }

    /** Lets others run. Does nothing on a thread that is not the scheduler's. */
    public void pause() {
        Worker self = self();
        if (self != null) {
            ready.add(new Step(null, self));
            passFrom(self);
        }
    }

    /** Lets time pass for this task. */
    public void sleep(long nanos) {
        Worker self = self();
        if (self == null) {
            nowNanos += nanos;
        } else {
            addTimer(nanos, new Step(null, self));
            passFrom(self);
        }
    }

    @Override
    public Lock newLock() {
        return new TaskLock();
    }

    /** Who waits for it has given the baton away. The driver lets others run until it is free. */
    private final class TaskLock implements Lock {
        private final Deque<Worker> waiting = new ArrayDeque<>();
        private boolean held;

        @Override
        public void lock() {
            Worker self = self();
            while (held) {
                if (self == null) {
                    runUntil(() -> !held);
                } else {
                    waiting.add(self);
                    lockedOut.add(self);
                    passFrom(self);
                }
            }
            held = true;
        }

        @Override
        public void unlock() {
            held = false;
            Worker next = waiting.poll();
            // After a crash the next one has ended, too.
            if (lockedOut.remove(next)) {
                ready.add(new Step(null, next));
            }
        }

        @Override
        public void lockInterruptibly() {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean tryLock() {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean tryLock(long time, TimeUnit unit) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Condition newCondition() {
            throw new UnsupportedOperationException();
        }
    }

    private Worker self() {
        if (Thread.currentThread() instanceof WorkerThread thread && thread.owner == this) {
            if (crashing) {
                throw new ProcessDied();
            }
            return thread.worker;
        }
        return null;
    }

    private void passFrom(Worker self) {
        Step next = stopWanted() ? null : pick();
        if (next != null && next.stopped == self) {
            return;
        }
        pass(next);
        self.await();
        if (crashing) {
            throw new ProcessDied();
        }
    }

    /** Gives the baton to whoever does the step, or to the driver. */
    private void pass(Step next) {
        if (next == null) {
            driver.give();
        } else if (next.stopped != null) {
            next.stopped.give();
        } else {
            Worker worker = idle.isEmpty() ? newWorker() : idle.pop();
            worker.first = next.task;
            worker.give();
        }
    }

    private Worker newWorker() {
        Worker worker = new Worker();
        workers.add(worker);
        WorkerThread thread = new WorkerThread(this, worker);
        thread.setDaemon(true);
        thread.start();
        return worker;
    }

    private static final class WorkerThread extends Thread {
        private final SimScheduler owner;
        private final Worker worker;

        WorkerThread(SimScheduler owner, Worker worker) {
            super(worker, "simulation");
            this.owner = owner;
            this.worker = worker;
        }
    }

    private boolean stopWanted() {
        return crashing || closing || failure != null || steps >= stopAtStep || until.getAsBoolean();
    }

    /** The next step, or {@code null} if nothing can go on any more. */
    private Step pick() {
        steps++;
        nowNanos += 1 + random.nextInt(STEP_NANOS_MAX);
        if (ready.isEmpty() && !timers.isEmpty()) {
            nowNanos = Math.max(nowNanos, timers.peek().dueNanos);
        }
        while (!timers.isEmpty() && timers.peek().dueNanos <= nowNanos) {
            ready.add(timers.poll().step);
        }
        if (ready.isEmpty()) {
            return null;
        }
        int last = ready.size() - 1;
        int chosen = random.nextInt(last + 1);
        Step step = ready.set(chosen, ready.get(last));
        ready.remove(last);
        return step;
    }

    /** Fails the run that is under way; tasks use it for what they cannot throw. */
    public void fail(Throwable why) {
        if (failure == null) {
            failure = why;
        }
    }

    /** Runs until the condition holds, or nothing is left to do; throws what a task threw. */
    public void runUntil(BooleanSupplier condition) {
        until = condition;
        try {
            run(MAX_STEPS);
            if (steps >= stopAtStep) {
                throw new AssertionError("no end after " + MAX_STEPS + " steps: a livelock");
            }
        } finally {
            until = () -> false;
        }
    }

    /** Runs until nothing is left to do. */
    public void runUntilIdle() {
        runUntil(() -> false);
    }

    /** Runs at most so many steps; they stop wherever they are. */
    public void run(long count) {
        stopAtStep = steps + count;
        Step next = stopWanted() ? null : pick();
        if (next != null) {
            pass(next);
            driver.await();
        }
        if (failure != null) {
            throw new AssertionError("a task failed: " + failure, failure);
        }
    }

    /** The process dies. What was under way stops where it is; the scheduler is ready for the next process. */
    public void crash() {
        crashing = true;
        List<Worker> stopped = new ArrayList<>();
        ready.forEach(step -> stopped.add(step.stopped));
        timers.forEach(timer -> stopped.add(timer.step.stopped));
        stopped.addAll(lockedOut);
        lockedOut.clear();
        ready.clear();
        timers.clear();
        for (Worker worker : stopped) {
            if (worker != null) {
                worker.give();
                driver.await();
            }
        }
        crashing = false;
    }

    @Override
    public long nanoTime() {
        return nowNanos;
    }

    @Override
    public long wallMillis() {
        return WALL_START_MILLIS + TimeUnit.NANOSECONDS.toMillis(nowNanos);
    }

    /** Steps so far. */
    public long steps() {
        return steps;
    }

    /** Ends the threads. */
    @Override
    public void close() {
        crash();
        closing = true;
        workers.forEach(Baton::give);
    }
}
