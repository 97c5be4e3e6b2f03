package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Syncs that many ask for at a time: one at a time at the device, and each caller's began after its call. */
@Timeout(60)
class SharedSyncTest {
    private final DeviceException lost =
            new DeviceException("disk", "flush", 0, 0, Errno.EIO, ErrorClass.UNKNOWN, "lost", null);

    /** What a sync at the device does: waits for its order. */
    private final BlockingQueue<Runnable> orders = new LinkedBlockingQueue<>();

    private final AtomicInteger atDevice = new AtomicInteger();
    private final AtomicInteger begun = new AtomicInteger();
    private final List<String> events = new CopyOnWriteArrayList<>();
    private final SharedSync sync = new SharedSync(device(this::obey));

    @FunctionalInterface
    private interface Flush {
        void run() throws DeviceException;
    }

    private static BlockDevice device(Flush flush) {
        return (BlockDevice) Proxy.newProxyInstance(
                SharedSyncTest.class.getClassLoader(),
                new Class<?>[] {BlockDevice.class},
                (proxy, method, arguments) -> {
                    if (!method.getName().equals("flush")) {
                        throw new AssertionError(method);
                    }
                    flush.run();
                    return null;
                });
    }

    private void obey() throws DeviceException {
        assertEquals(1, atDevice.incrementAndGet(), "syncs at the device at a time");
        begun.incrementAndGet();
        try {
            orders.take().run();
        } catch (Refusal e) {
            throw lost;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        } finally {
            atDevice.decrementAndGet();
        }
    }

    private static final class Refusal extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private CompletableFuture<DeviceException> ask() {
        CompletableFuture<DeviceException> answer = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            try {
                sync.sync(error -> events.add("told"));
                answer.complete(null);
            } catch (DeviceException e) {
                answer.complete(e);
            } catch (RuntimeException e) {
                answer.completeExceptionally(e);
            }
        });
        thread.setDaemon(true);
        thread.start();
        awaitState(thread);
        return answer;
    }

    /** Until it waits, at the device or for another one's sync. */
    private static void awaitState(Thread thread) {
        while (thread.getState() != Thread.State.WAITING && thread.getState() != Thread.State.TERMINATED) {
            Thread.onSpinWait();
        }
    }

    private void succeed() {
        orders.add(() -> {});
    }

    private void fail() {
        orders.add(() -> {
            throw new Refusal();
        });
    }

    @Test
    void whoAsksMeanwhileJoinsTheNext() throws Exception {
        CompletableFuture<DeviceException> first = ask();
        List<CompletableFuture<DeviceException>> joined = List.of(ask(), ask(), ask());
        succeed();
        assertNull(first.get());
        // Theirs has begun after their calls, and is still under way.
        for (CompletableFuture<DeviceException> each : joined) {
            assertFalse(each.isDone());
        }
        succeed();
        for (CompletableFuture<DeviceException> each : joined) {
            assertNull(each.get());
        }
        assertEquals(2, begun.get());
    }

    @Test
    void anotherLockKeepsThemApartAsWell() throws Exception {
        CompletableFuture<DeviceException> underWay = ask();
        CompletableFuture<DeviceException> waiting = ask();
        Thread change = new Thread(() -> sync.useLock(new ReentrantLock()));
        change.start();
        awaitState(change);
        assertTrue(change.isAlive(), "it waits for the sync that is under way");
        succeed();
        assertNull(underWay.get());
        // Whoever waited for the former lock, and whoever takes the new one at once; obey() finds two at the device.
        CompletableFuture<DeviceException> later = ask();
        succeed();
        succeed();
        assertNull(waiting.get());
        assertNull(later.get());
        change.join();
    }

    @Test
    void failureIsToldOnceAndAnswersAllWhoJoined() throws Exception {
        CompletableFuture<DeviceException> first = ask();
        List<CompletableFuture<DeviceException>> joined = List.of(ask(), ask());
        succeed();
        assertNull(first.get());
        fail();
        for (CompletableFuture<DeviceException> each : joined) {
            assertSame(lost, each.get());
        }
        assertEquals(List.of("told"), events);
        // A later one has an answer of its own.
        CompletableFuture<DeviceException> later = ask();
        succeed();
        assertNull(later.get());
        assertEquals(3, begun.get());
    }

    @Test
    void afterAProgrammingErrorOthersMakeTheirOwn() throws Exception {
        CompletableFuture<DeviceException> first = ask();
        CompletableFuture<DeviceException> second = ask();
        orders.add(() -> {
            throw new IllegalStateException("a programming error");
        });
        succeed();
        assertTrue(first.handle((ok, error) -> error instanceof IllegalStateException)
                .get());
        assertNull(second.get());
        assertEquals(2, begun.get());
    }

    @Test
    void eachOfManyIsAnsweredByASyncThatBeganAfterItsCall() throws Exception {
        AtomicLong clock = new AtomicLong();
        AtomicLong lastBegin = new AtomicLong();
        AtomicInteger together = new AtomicInteger();
        AtomicInteger syncs = new AtomicInteger();
        SharedSync shared = new SharedSync(device(() -> {
            assertEquals(1, together.incrementAndGet(), "syncs at the device at a time");
            lastBegin.set(clock.incrementAndGet());
            syncs.incrementAndGet();
            Thread.onSpinWait();
            together.decrementAndGet();
        }));
        int threads = 8;
        int calls = 2_000;
        var pool = Executors.newFixedThreadPool(threads);
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            all.add(CompletableFuture.runAsync(
                    () -> {
                        for (int call = 0; call < calls; call++) {
                            long called = clock.incrementAndGet();
                            try {
                                shared.sync(error -> {});
                            } catch (DeviceException e) {
                                throw new AssertionError(e);
                            }
                            assertTrue(lastBegin.get() > called, "answered by a sync that began before the call");
                        }
                    },
                    pool));
        }
        for (CompletableFuture<Void> each : all) {
            each.get(Duration.ofSeconds(50).toSeconds(), TimeUnit.SECONDS);
        }
        pool.shutdown();
        assertTrue(syncs.get() <= threads * calls, "never more than one sync for each call");
    }
}
