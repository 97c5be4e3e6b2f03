package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.testkit.TaskQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class WorkerPoolTest {
    private final ThreadFactory threads = WorkerPool.daemons("test-");
    private volatile boolean noThread;
    /** How often the pool wanted to be told to try again. */
    private final AtomicInteger asked = new AtomicInteger();

    private static final class ThreadThatDoesNotStart extends Thread {
        @Override
        public synchronized void start() {
            throw new OutOfMemoryError("unable to create native thread");
        }
    }

    private WorkerPool pool(int maxThreads, long idleMillis) {
        return new WorkerPool(
                work -> noThread ? new ThreadThatDoesNotStart() : threads.newThread(work),
                maxThreads,
                idleMillis,
                new TaskQueue(),
                asked::incrementAndGet);
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(20, TimeUnit.SECONDS), "nothing came within 20 s");
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aTaskStartsAlthoughAllThreadsAreBlocked() {
        int limit = 8;
        WorkerPool pool = pool(limit, 60_000);
        CountDownLatch blocked = new CountDownLatch(limit);
        CountDownLatch answer = new CountDownLatch(1);
        Set<Thread> threads = ConcurrentHashMap.newKeySet();
        for (int i = 0; i < limit; i++) {
            pool.execute(() -> {
                threads.add(Thread.currentThread());
                blocked.countDown();
                await(answer);
            });
        }
        await(blocked);
        assertEquals(limit, threads.size());
        assertEquals(limit, pool.threads());
        assertTrue(threads.stream().allMatch(t -> t.isDaemon() && t.getName().startsWith("test-")));
        CountDownLatch beyond = new CountDownLatch(1);
        pool.execute(beyond::countDown);
        assertEquals(limit, pool.threads(), "the limit is the limit");
        assertEquals(1, beyond.getCount());
        answer.countDown();
        await(beyond);
        assertTrue(pool.close(20_000));
    }

    @Test
    void anIdleThreadIsUsedBeforeANewOneIsMade() throws Exception {
        WorkerPool pool = pool(8, 60_000);
        Semaphore done = new Semaphore(0);
        AtomicReference<Thread> last = new AtomicReference<>();
        for (int i = 0; i < 100; i++) {
            pool.execute(() -> {
                last.set(Thread.currentThread());
                done.release();
            });
            assertTrue(done.tryAcquire(20, TimeUnit.SECONDS));
            while (last.get().getState() != Thread.State.TIMED_WAITING) {
                Thread.onSpinWait();
            }
        }
        assertEquals(1, pool.threads());
        assertTrue(pool.close(20_000));
    }

    @Test
    void idleThreadsEndButForTheLastWhichServesWhereTheHostHasNoOther() {
        WorkerPool pool = pool(8, 20);
        CountDownLatch ran = new CountDownLatch(3);
        for (int i = 0; i < 3; i++) {
            pool.execute(ran::countDown);
        }
        await(ran);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (pool.threads() > 1 && System.nanoTime() - deadline < 0) {
            Thread.onSpinWait();
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
        assertEquals(1, pool.threads());
        noThread = true;
        CountDownLatch again = new CountDownLatch(3);
        for (int i = 0; i < 3; i++) {
            pool.execute(again::countDown);
        }
        await(again);
        assertTrue(pool.close(20_000));
    }

    @Test
    void whatWaitsBehindThreadsThatHangStartsOnceTheHostHasAThreadAgain() {
        WorkerPool pool = pool(3, 60_000);
        CountDownLatch hanging = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        pool.execute(() -> {
            hanging.countDown();
            await(answer);
        });
        await(hanging);
        noThread = true;
        CountDownLatch ran = new CountDownLatch(2);
        CountDownLatch both = new CountDownLatch(1);
        for (int i = 0; i < 2; i++) {
            pool.execute(() -> {
                ran.countDown();
                await(both);
            });
        }
        assertEquals(1, asked.get());
        pool.startMissing();
        assertEquals(2, asked.get(), "the host still has none");
        noThread = false;
        pool.startMissing();
        await(ran);
        assertEquals(2, asked.get());
        both.countDown();
        answer.countDown();
        assertTrue(pool.close(20_000));
    }

    @Test
    void whatIsRefusedForLackOfAnyThreadIsNotRunLater() {
        WorkerPool pool = pool(4, 60_000);
        noThread = true;
        AtomicInteger refused = new AtomicInteger();
        assertThrows(OutOfMemoryError.class, () -> pool.execute(refused::incrementAndGet));
        assertEquals(0, pool.threads());
        noThread = false;
        CountDownLatch ran = new CountDownLatch(1);
        pool.execute(ran::countDown);
        await(ran);
        assertTrue(pool.close(20_000));
        assertEquals(0, refused.get());
    }

    @Test
    void noTaskIsLeftBehindWhileThreadsComeAndGo() throws Exception {
        WorkerPool pool = pool(4, 1);
        AtomicInteger ran = new AtomicInteger();
        Semaphore done = new Semaphore(0);
        for (int i = 0; i < 20_000; i++) {
            pool.execute(() -> {
                ran.incrementAndGet();
                done.release();
            });
            if (i % 3 == 0) {
                assertTrue(done.tryAcquire(20, TimeUnit.SECONDS));
            }
        }
        assertTrue(done.tryAcquire(20_000 - 6667, 20, TimeUnit.SECONDS));
        assertEquals(20_000, ran.get());
        assertTrue(pool.close(20_000));
    }

    @Test
    void aTaskThatThrowsHarmsNobody() {
        WorkerPool pool = pool(1, 60_000);
        CountDownLatch ran = new CountDownLatch(1);
        pool.execute(() -> {
            throw new IllegalStateException("on purpose");
        });
        pool.execute(ran::countDown);
        await(ran);
        assertTrue(pool.close(20_000));
    }

    @Test
    void closeDropsWhatWaitsAndLetsEndWhatRuns() {
        WorkerPool pool = pool(1, 60_000);
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        AtomicInteger interrupted = new AtomicInteger();
        AtomicInteger dropped = new AtomicInteger();
        pool.execute(() -> {
            running.countDown();
            await(answer);
            interrupted.set(Thread.interrupted() ? 1 : 0);
        });
        pool.execute(dropped::incrementAndGet);
        await(running);
        assertFalse(pool.close(1));
        pool.execute(dropped::incrementAndGet);
        answer.countDown();
        assertTrue(pool.close(20_000));
        assertEquals(0, dropped.get());
        assertEquals(0, interrupted.get());
    }
}
