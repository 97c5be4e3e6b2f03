package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.Environment;
import io.remap.api.HostIdentity;
import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.TimeSource;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareOwner;
import io.remap.testkit.MemoryDevice;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Who may open a spare that another host has opened before. */
class OwnershipTest {
    private static final HostIdentity HERE = new HostIdentity(new UUID(1, 1), "here");
    private static final HostIdentity THERE = new HostIdentity(new UUID(2, 2), "there");
    private static final UUID SESSION = new UUID(3, 3);
    private static final long BEAT_MILLIS = 250;

    private final BlockDevice spare = new MemoryDevice("spare", 1 << 20, 512);
    private final Clock clock = new Clock();
    private final Queue<SpareOwner> answers = new ArrayDeque<>();
    /** Gives the answers one after the other; the last one stays. */
    private final MetadataProvider metadata = (MetadataProvider) Proxy.newProxyInstance(
            MetadataProvider.class.getClassLoader(),
            new Class<?>[] {MetadataProvider.class},
            (self, method, arguments) -> {
                assertEquals("owner", method.getName());
                return Optional.ofNullable(answers.size() > 1 ? answers.remove() : answers.peek());
            });

    /** Whoever waits on it finds that the time has passed. */
    private static final class Clock implements TimeSource, Scheduler {
        private long passedMillis;

        @Override
        public long nanoTime() {
            return passedMillis * 1_000_000;
        }

        @Override
        public long wallMillis() {
            return passedMillis;
        }

        @Override
        public void execute(Runnable task) {
            task.run();
        }

        @Override
        public Cancellable schedule(Runnable task, long delayMillis) {
            passedMillis += delayMillis;
            task.run();
            return () -> {};
        }
    }

    private static SpareOwner owner(HostIdentity host, boolean stopped, long saves, boolean beats) {
        Map<String, byte[]> saved =
                beats ? Map.of(Lease.SECTION, new Lease(new Clock(), BEAT_MILLIS, () -> {}).section()) : Map.of();
        return new SpareOwner(host, SESSION, stopped, List.of(SpareMember.first(1)), saves, saved);
    }

    private Optional<String> require(HostIdentity here, boolean takeOver) throws Exception {
        return Ownership.require(
                metadata, spare, new Environment(clock, clock, new SplittableRandom(1), here), takeOver);
    }

    private Refusal refusal(boolean takeOver) {
        Refusal refusal = assertThrows(Refusal.class, () -> require(HERE, takeOver));
        assertEquals(Refusal.Kind.BUSY, refusal.kind());
        return refusal;
    }

    @Test
    void whatNobodyElseHasIsTaken() throws Exception {
        assertTrue(require(HERE, false).isEmpty(), "no owner");
        for (SpareOwner owner : List.of(
                owner(THERE, true, 5, true),
                owner(HERE, false, 5, true),
                owner(HostIdentity.UNKNOWN, false, 5, true))) {
            answers.clear();
            answers.add(owner);
            assertTrue(require(HERE, false).isEmpty(), owner.toString());
        }
        answers.clear();
        answers.add(owner(THERE, false, 5, true));
        assertTrue(require(HostIdentity.UNKNOWN, false).isEmpty(), "who does not know itself knows no others");
        assertEquals(0, clock.passedMillis);
    }

    @Test
    void whatAnotherHostHasIsRefused() {
        answers.add(owner(THERE, false, 5, true));
        String message = refusal(false).getMessage();
        assertTrue(message.contains("host 'there'") && message.contains("--take-over"), message);
        assertEquals(0, clock.passedMillis, "it does not wait");
    }

    @Test
    void aSilentHostLosesIt() throws Exception {
        answers.add(owner(THERE, false, 5, true));
        assertTrue(require(HERE, true).orElseThrow().contains("missed 10 heartbeats"));
        assertEquals(Lease.SILENT_BEATS * BEAT_MILLIS, clock.passedMillis);
    }

    @Test
    void aHostWithoutHeartbeatsIsNotWaitedFor() throws Exception {
        answers.add(owner(THERE, false, 5, false));
        assertTrue(require(HERE, true).orElseThrow().contains("could not be told"));
        assertEquals(0, clock.passedMillis);
    }

    @Test
    void aSignOfLifeIsRespectedUpToTheLastMoment() {
        for (int silent = 1; silent <= Lease.SILENT_BEATS; silent++) {
            answers.clear();
            for (int i = 0; i < silent; i++) {
                answers.add(owner(THERE, false, 5, true));
            }
            answers.add(owner(THERE, false, 6, true));
            String message = refusal(true).getMessage();
            assertTrue(message.contains("is alive"), message);
        }
    }

    @Test
    void oneThatStopsMeanwhileLeavesIt() throws Exception {
        answers.add(owner(THERE, false, 5, true));
        answers.add(owner(THERE, false, 5, true));
        answers.add(owner(THERE, true, 6, true));
        assertTrue(require(HERE, true).orElseThrow().contains("has stopped in order"));
    }

    @Test
    void nonsenseIsNoHeartbeat() {
        for (String text : List.of(
                "",
                "heartbeat-millis=",
                "heartbeat-millis=0",
                "heartbeat-millis=-5",
                "x=5",
                "heartbeat-millis=999999999",
                "heartbeat-millis=99999999999999999999")) {
            assertTrue(
                    Lease.beatMillisOf(Map.of(Lease.SECTION, text.getBytes(StandardCharsets.UTF_8)))
                            .isEmpty(),
                    text);
        }
    }
}
