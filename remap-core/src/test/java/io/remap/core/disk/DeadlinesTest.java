package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.Scheduler;
import io.remap.api.SectorRange;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Requests are answered in time whatever hangs, and what hangs does no harm when it comes back. */
class DeadlinesTest {
    private static final int UNIT = Place.UNIT_BYTES;
    private static final long STUCK_SECONDS = 30;
    private static final long DEADLINE_SECONDS = TimeUnit.MILLISECONDS.toSeconds(Deadlines.USUAL_MILLIS);

    private DiskRig rig;
    private final List<DiskRequest> answered = new ArrayList<>();

    @BeforeEach
    void start() throws Exception {
        rig = new DiskRig(16);
        rig.main.stuckFor(TimeUnit.SECONDS.toNanos(STUCK_SECONDS));
        // As workers do it: who submits is not held up.
        rig.executes = io -> rig.scheduler.execute(io::run);
    }

    @AfterEach
    void stop() {
        rig.scheduler.runUntilIdle();
        rig.close();
    }

    /** Submits it, and gives its buffer back once it is answered, as a session does. */
    private DiskRequest submit(Operation operation, long offset, int length, int value) {
        DiskRequest request = new DiskRequest(ended -> {
            answered.add(ended);
            if (ended.buffer != null) {
                ended.buffer.release();
            }
        });
        request.operation = operation;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        if (operation == Operation.READ || operation == Operation.WRITE) {
            IoBuffer buffer = rig.buffers.acquire(length);
            byte[] bytes = new byte[length];
            Arrays.fill(bytes, (byte) value);
            buffer.data().clear().put(bytes);
            request.buffer = buffer;
        }
        rig.scheduler.execute(() -> rig.disk.submit(request));
        return request;
    }

    private void passUntil(long second) {
        rig.scheduler.runUntil(() -> rig.scheduler.nanoTime() >= TimeUnit.SECONDS.toNanos(second));
    }

    private void awaitAnswer(DiskRequest request) {
        rig.scheduler.runUntil(() -> answered.contains(request));
    }

    private double seconds() {
        return rig.scheduler.nanoTime() / 1e9;
    }

    private Object attribute(String name) {
        return rig.disk.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .findFirst()
                .orElseThrow()
                .get()
                .get();
    }

    private static byte[] bytes(int value) {
        byte[] bytes = new byte[UNIT];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    @Test
    void readThatHangsIsAnsweredAndKeepsItsMemory() {
        rig.main.fault(8, 1, Fault.STUCK);
        DiskRequest stuck = submit(Operation.READ, UNIT, UNIT, 0);
        DiskRequest beside = submit(Operation.READ, 2 * UNIT, UNIT, 0);
        awaitAnswer(beside);
        assertTrue(seconds() < 1, "a healthy sector waited");
        awaitAnswer(stuck);
        assertEquals(DiskError.IO, stuck.error);
        assertTrue(seconds() <= DEADLINE_SECONDS && seconds() > DEADLINE_SECONDS - 2, () -> "answered at " + seconds());
        assertEquals(UNIT, rig.buffers.bytesInUse(), "the read that hangs has its memory");
        assertEquals(1L, attribute("deadline.hanging"));
        rig.scheduler.runUntilIdle();
        assertTrue(seconds() >= STUCK_SECONDS);
        assertEquals(0, rig.buffers.bytesInUse());
        assertEquals(0L, attribute("deadline.hanging"));
        assertEquals(0, rig.disk.summary().mappedSectors(), "a late read maps nothing");
    }

    @Test
    void atTheEndWhoeverWaitsIsAnsweredAndWhatHangsKeepsItsMemory() {
        rig.main.fault(8, 1, Fault.STUCK);
        DiskRequest read = submit(Operation.READ, UNIT, UNIT, 0);
        passUntil(1);
        rig.scheduler.execute(rig.disk::endRequests);
        awaitAnswer(read);
        assertEquals(DiskError.SHUTDOWN, read.error);
        assertTrue(seconds() < 2, () -> "answered at " + seconds());
        assertEquals(UNIT, rig.buffers.bytesInUse(), "the read that hangs has its memory");
        assertFalse(rig.disk.close(0), "what hangs is under way");
        assertEquals(0, rig.disk.sectorsOnMain(1), "nobody knows whether it reads");
        assertEquals(0xff, rig.disk.sectorsOnMain(2));
        rig.scheduler.runUntilIdle();
        assertTrue(rig.disk.close(0), "it came back");
        assertEquals(0, rig.buffers.bytesInUse());
    }

    @Test
    void atTheEndWhatFailsIsNotTriedAgain() {
        rig.main.fault(8, 1, Fault.UNREADABLE);
        rig.atMainsNextStep = rig.disk::endRequests;
        DiskRequest read = submit(Operation.READ, UNIT, UNIT, 0);
        awaitAnswer(read);
        rig.scheduler.runUntilIdle();
        assertEquals(DiskError.SHUTDOWN, read.error);
        assertEquals(0, rig.disk.summary().unreadableSectors(), "one attempt makes no verdict");
    }

    @Test
    void writeThatHangsGoesToTheSpareAndComesHomeAfterIt() {
        rig.main.fault(8, 1, Fault.STUCK);
        DiskRequest write = submit(Operation.WRITE, UNIT, UNIT, 0x22);
        awaitAnswer(write);
        assertEquals(DiskError.NONE, write.error);
        assertTrue(seconds() < DEADLINE_SECONDS / 2.0, () -> "answered at " + seconds());
        DiskRequest newer = submit(Operation.WRITE, UNIT, UNIT, 0x33);
        awaitAnswer(newer);
        assertTrue(seconds() < DEADLINE_SECONDS / 2.0, "the slot serves");
        DiskError[] back = {null};
        rig.scheduler.execute(() -> rig.disk.map().remove(new SectorRange(8, 8), (error, at) -> back[0] = error));
        rig.scheduler.runUntil(() -> back[0] != null);
        assertEquals(DiskError.IO, back[0], "nothing is brought back to where the first write will land");
        passUntil(STUCK_SECONDS + 1);
        assertArrayEquals(bytes(0x22), onMain(), "the late write has landed");
        assertArrayEquals(bytes(0x33), rig.read(UNIT, UNIT));
        rig.scheduler.runUntilIdle();
        assertEquals(0, rig.disk.summary().mappedSectors(), "it went there for lack of time alone");
        assertArrayEquals(bytes(0x33), rig.read(UNIT, UNIT));
        assertArrayEquals(bytes(0x33), onMain());
    }

    @Test
    void writeThatHangsGoesToTheSpareWithTheShortestDeadlineToo() {
        rig.disk.answerWithin(Deadlines.MIN_MILLIS, 1 << 20);
        rig.main.fault(8, 1, Fault.STUCK);
        DiskRequest write = submit(Operation.WRITE, UNIT, UNIT, 0x22);
        awaitAnswer(write);
        assertEquals(DiskError.NONE, write.error);
        assertTrue(seconds() < Deadlines.MIN_MILLIS / 1e3, () -> "answered at " + seconds());
    }

    private byte[] onMain() {
        return rig.mainMedium.peek(UNIT, UNIT);
    }

    @Test
    void withoutASpareTheNextWriteWaitsForTheOneThatHangs() {
        rig.metadata.decideOutcomes(() -> Outcome.STORE_FAILED);
        rig.main.fault(400, 1, Fault.UNWRITABLE);
        assertEquals(DiskError.IO, rig.write(50 * UNIT, UNIT, 0x22));
        double begun = seconds();
        rig.main.fault(8, 1, Fault.STUCK);
        DiskRequest first = submit(Operation.WRITE, UNIT, UNIT, 0x22);
        awaitAnswer(first);
        assertEquals(DiskError.IO, first.error);
        DiskRequest second = submit(Operation.WRITE, UNIT, UNIT, 0x33);
        awaitAnswer(second);
        assertEquals(DiskError.NONE, second.error);
        assertTrue(
                seconds() >= begun + STUCK_SECONDS,
                () -> "written at " + seconds() + ", before the first one has landed");
        assertArrayEquals(bytes(0x33), rig.read(UNIT, UNIT));
    }

    @Test
    void anErrorInALookAtTheRequestsDoesNotEndTheLooks() {
        List<Runnable> looks = new ArrayList<>();
        Deadlines deadlines = new Deadlines(rig.disk, new Scheduler() {
            @Override
            public void execute(Runnable task) {
                task.run();
            }

            @Override
            public Cancellable schedule(Runnable task, long delayMillis) {
                looks.add(task);
                return () -> {};
            }
        });
        DiskRequest flush = new DiskRequest(ended -> {
            throw new OutOfMemoryError("for the test");
        });
        flush.operation = Operation.FLUSH;
        RequestContext request = new RequestContext(rig.disk, flush);
        request.open();
        deadlines.watch(request);
        deadlines.begun();
        looks.remove(0).run();
        rig.scheduler.sleep(TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS));
        assertThrows(OutOfMemoryError.class, () -> looks.remove(0).run());
        assertEquals(1, looks.size(), "the others have their deadlines");
        looks.remove(0).run();
        assertEquals(List.of(), looks, "nothing is open");
        rig.disk.deadlines.ended(request);
        rig.disk.leave();
    }

    @Test
    void onePlaceHoldsAFewReadsAndAShareOfThoseThatWait() {
        int refusedFrom = Deadlines.MOST_AT_ONE_PLACE + Deadlines.MOST_WAITING_OF_CLIENT;
        rig.main.stuckFor(TimeUnit.HOURS.toNanos(1));
        rig.main.transientFailures(1);
        for (int i = 0; i < Deadlines.MOST_AT_ONE_PLACE; i++) {
            rig.main.fault(8 + i, 1, Fault.STUCK);
            submit(Operation.READ, UNIT, UNIT, 0);
            passUntil(i + 1);
        }
        passUntil(Deadlines.MOST_AT_ONE_PLACE + 2);
        List<DiskRequest> more = new ArrayList<>();
        for (int i = Deadlines.MOST_AT_ONE_PLACE; i < refusedFrom + 3; i++) {
            more.add(submit(Operation.READ, UNIT, UNIT, 0));
        }
        passUntil(Deadlines.MOST_AT_ONE_PLACE + 3);
        assertEquals(3, answered.size(), "what exceeds the share is answered at once");
        assertEquals((long) Deadlines.MOST_WAITING_OF_CLIENT, attribute("deadline.waiting"));
        DiskRequest beside = submit(Operation.READ, 3 * UNIT, UNIT, 0);
        awaitAnswer(beside);
        assertEquals(DiskError.NONE, beside.error);
        assertTrue(seconds() < Deadlines.MOST_AT_ONE_PLACE + 4);
        more.forEach(this::awaitAnswer);
        assertTrue(seconds() < Deadlines.MOST_AT_ONE_PLACE + 4 + DEADLINE_SECONDS, "those that wait are in time too");
        assertEquals(0L, attribute("deadline.waiting"));
        assertFalse(rig.disk.close(0), "what hangs is under way");
    }
}
