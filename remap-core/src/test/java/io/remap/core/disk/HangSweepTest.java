package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.testkit.FaultyDevice;
import io.remap.testkit.FaultyDevice.Fault;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import io.remap.testkit.SimpleFaultPolicy;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/**
 * Every operation of both devices hangs, alone or with all that come after it for a while: in the fast path, and in every
 * stage of every recovery. Each request is answered within its deadline, others do not wait, what was acknowledged is
 * found afterwards, whatever lands late, and no memory is used after it was given back (the pool checks that).
 */
class HangSweepTest {
    private static final int SECTOR = DiskRig.SECTOR;
    private static final int UNIT = Place.UNIT_BYTES;
    private static final int UNITS = 64;
    private static final int SLOTS = 32;
    private static final byte OLD = 0x11;
    private static final long HANG_SECONDS = 45;
    private static final int WRONG_SHOWN = 20;
    private static final double DEADLINE_SECONDS = Deadlines.USUAL_MILLIS / 1e3;

    /** The unit that everything is about, one beside it that is on the spare, and one that is on main. */
    private static final int THE_UNIT = 1;

    private static final int MAPPED = 20;
    private static final int HEALTHY = 40;

    /**
     * What is asked while something hangs.
     *
     * @param prepares on devices that do not hang
     * @param asks at the time 0
     */
    private record Scenario(String name, Consumer<Life> prepares, Consumer<Life> asks) {
        @Override
        public String toString() {
            return name;
        }
    }

    private static final List<Scenario> SCENARIOS = List.of(
            new Scenario("read", life -> {}, life -> life.read(THE_UNIT, 0, 8)),
            new Scenario("write", life -> {}, life -> life.write(THE_UNIT, 0, UNIT, 0x22)),
            new Scenario("part of a sector", life -> {}, life -> life.write(THE_UNIT, 100, 1000, 0x22)),
            new Scenario("FUA", life -> {}, life -> life.writeFua(THE_UNIT, 0x22)),
            new Scenario("zeros", life -> {}, life -> life.zero(THE_UNIT)),
            new Scenario(
                    "unreadable", life -> life.main.fault(10, 1, Fault.UNREADABLE), life -> life.read(THE_UNIT, 0, 8)),
            new Scenario(
                    "transient", life -> life.main.fault(10, 1, Fault.TRANSIENT), life -> life.read(THE_UNIT, 0, 8)),
            new Scenario(
                    "write of unreadable",
                    life -> {
                        life.main.fault(10, 1, Fault.BAD);
                        life.read(THE_UNIT, 0, 8);
                    },
                    life -> life.write(THE_UNIT, 0, UNIT, 0x22)),
            new Scenario(
                    "part of unreadable",
                    life -> life.main.fault(9, 1, Fault.UNREADABLE),
                    life -> life.write(THE_UNIT, 100, 300, 0x22)),
            new Scenario(
                    "refused",
                    life -> life.main.fault(10, 2, Fault.UNWRITABLE),
                    life -> life.write(THE_UNIT, 0, UNIT, 0x22)),
            new Scenario(
                    "refused FUA",
                    life -> life.main.fault(10, 2, Fault.UNWRITABLE),
                    life -> life.writeFua(THE_UNIT, 0x22)),
            new Scenario(
                    "refused twice",
                    life -> life.main.fault(10, 8, Fault.UNWRITABLE),
                    life -> life.write(THE_UNIT, 0, 2 * UNIT, 0x22)),
            new Scenario("mapped", life -> life.map(THE_UNIT), life -> {
                life.read(THE_UNIT, 0, 8);
                life.write(THE_UNIT, 0, UNIT, 0x22);
            }),
            new Scenario("part of mapped", life -> life.map(THE_UNIT), life -> life.write(THE_UNIT, 100, 1000, 0x22)),
            new Scenario(
                    "slot refuses",
                    life -> {
                        life.map(THE_UNIT);
                        life.spare.fault(life.slotSector(THE_UNIT), 2, Fault.UNWRITABLE);
                    },
                    life -> life.write(THE_UNIT, 0, SECTOR, 0x22)),
            new Scenario(
                    "slot does not read",
                    life -> {
                        life.map(THE_UNIT);
                        life.spare.fault(life.slotSector(THE_UNIT) + 2, 1, Fault.TRANSIENT);
                    },
                    life -> life.read(THE_UNIT, 0, 8)),
            new Scenario(
                    "flush",
                    life -> {
                        life.map(THE_UNIT);
                        life.write(HEALTHY, 0, UNIT, 0x22);
                    },
                    Life::flush),
            new Scenario("failed flush", life -> life.write(THE_UNIT, 0, UNIT, 0x22), life -> {
                life.main.failFlushes(1, Errno.EIO);
                life.flush();
                life.read(THE_UNIT, 0, 8);
            }));

    /** A value that a sector may have. */
    private static final class Value {
        private final int value;
        private boolean ended;
        private boolean acknowledged;
        private long endedNanos;

        Value(int value) {
            this.value = value;
        }

        boolean endedBefore(long nanos) {
            return ended && endedNanos < nanos;
        }
    }

    /** One disk, its clients, and what they may read. */
    private static final class Life implements AutoCloseable {
        private final DiskRig rig;
        private final List<List<Value>> allowed = new ArrayList<>();
        private final List<String> unanswered = new ArrayList<>();
        private FaultyDevice main;
        private FaultyDevice spare;
        private HangingDevice mainDoor;
        private HangingDevice spareDoor;
        private int failed;
        private boolean neighboursMayWait;

        Life() throws IOException {
            long hangNanos = TimeUnit.SECONDS.toNanos(HANG_SECONDS);
            rig = new DiskRig(
                    new DiskRig.Devices() {
                        @Override
                        public BlockDevice main(SimScheduler scheduler) throws IOException {
                            MemoryDevice medium = new MemoryDevice("main", UNITS * UNIT, SECTOR);
                            byte[] old = new byte[UNITS * UNIT];
                            Arrays.fill(old, OLD);
                            medium.poke(0, old);
                            main = faulty(medium, scheduler);
                            mainDoor = new HangingDevice(main, scheduler, hangNanos);
                            return mainDoor;
                        }

                        @Override
                        public BlockDevice spare(SimScheduler scheduler) {
                            spare = faulty(
                                    new MemoryDevice("spare", MemoryMetadata.METADATA_BYTES + SLOTS * UNIT, SECTOR),
                                    scheduler);
                            spareDoor = new HangingDevice(spare, scheduler, hangNanos);
                            return spareDoor;
                        }
                    },
                    new SimpleFaultPolicy());
            rig.executes = io -> rig.scheduler.execute(io::run);
            for (int i = 0; i < UNITS * UNIT / SECTOR; i++) {
                Value old = new Value(OLD);
                old.ended = true;
                old.endedNanos = -1;
                allowed.add(new ArrayList<>(List.of(old)));
            }
        }

        private static FaultyDevice faulty(MemoryDevice medium, SimScheduler scheduler) {
            return new FaultyDevice(medium, new SplittableRandom(5), new FaultyDevice.Steps() {
                @Override
                public void pause() {
                    scheduler.pause();
                }

                @Override
                public void sleep(long nanos) {
                    scheduler.sleep(nanos);
                }
            });
        }

        // --- requests

        private IoBuffer buffer(int length, int value) {
            IoBuffer buffer = rig.buffers.acquire(length);
            byte[] bytes = new byte[length];
            Arrays.fill(bytes, (byte) value);
            buffer.data().clear().put(bytes);
            return buffer;
        }

        /** Gives the buffer back when it is answered, as a session does. */
        private void submit(
                Operation operation,
                long offset,
                int length,
                IoBuffer buffer,
                boolean fua,
                Consumer<DiskRequest> then) {
            long begun = rig.scheduler.nanoTime();
            String name = operation + " of " + length + " bytes at " + offset + ", begun at " + begun / 1e9;
            unanswered.add(name);
            DiskRequest request = new DiskRequest(ended -> {
                unanswered.remove(name);
                double seconds = (rig.scheduler.nanoTime() - begun) / 1e9;
                assertTrue(seconds <= DEADLINE_SECONDS, () -> name + " took " + seconds + " s");
                failed += ended.error == DiskError.NONE ? 0 : 1;
                then.accept(ended);
                if (buffer != null) {
                    buffer.release();
                }
            });
            request.operation = operation;
            request.offsetBytes = offset;
            request.lengthBytes = length;
            request.buffer = buffer;
            request.fua = fua;
            rig.scheduler.execute(() -> rig.disk.submit(request));
        }

        void read(int unit, int sector, int count) {
            long offset = (long) unit * UNIT + (long) sector * SECTOR;
            IoBuffer buffer = buffer(count * SECTOR, 0x77);
            List<List<Value>> before = copy(offset, count);
            submit(Operation.READ, offset, count * SECTOR, buffer, false, ended -> {
                if (ended.error == DiskError.NONE) {
                    check(offset, buffer.data().clear(), before);
                }
            });
        }

        private List<List<Value>> copy(long offset, int sectors) {
            int first = (int) (offset / SECTOR);
            return allowed.subList(first, first + sectors).stream()
                    .<List<Value>>map(ArrayList::new)
                    .toList();
        }

        private void check(long offset, ByteBuffer data, List<List<Value>> before) {
            for (int i = 0; i < before.size(); i++) {
                List<Value> values = new ArrayList<>(before.get(i));
                values.addAll(allowed.get((int) (offset / SECTOR) + i));
                for (int at = 0; at < SECTOR; at++) {
                    int found = data.get(i * SECTOR + at);
                    int sector = (int) (offset / SECTOR) + i;
                    assertTrue(
                            values.stream().anyMatch(value -> value.value == found),
                            () -> "sector " + sector + " reads as " + found + ", and may be "
                                    + values.stream().map(value -> value.value).toList());
                }
            }
        }

        void write(int unit, int from, int length, int value) {
            change(Operation.WRITE, (long) unit * UNIT + from, length, value, false);
        }

        void writeFua(int unit, int value) {
            change(Operation.WRITE, (long) unit * UNIT, UNIT, value, true);
        }

        void zero(int unit) {
            change(Operation.WRITE_ZEROES, (long) unit * UNIT, UNIT, 0, false);
        }

        private void change(Operation operation, long offset, int length, int value, boolean fua) {
            long begun = rig.scheduler.nanoTime();
            Value written = new Value(value);
            int firstSector = (int) (offset / SECTOR);
            int endSector = (int) ((offset + length + SECTOR - 1) / SECTOR);
            boolean whole = offset % SECTOR == 0 && length % SECTOR == 0;
            allowed.subList(firstSector, endSector).forEach(values -> values.add(written));
            IoBuffer buffer = operation == Operation.WRITE ? buffer(length, value) : null;
            submit(operation, offset, length, buffer, fua, ended -> {
                written.ended = true;
                written.endedNanos = rig.scheduler.nanoTime();
                written.acknowledged = ended.error == DiskError.NONE;
                if (ended.error == DiskError.NONE && whole) {
                    allowed.subList(firstSector, endSector)
                            .forEach(values -> values.removeIf(other -> other != written && other.endedBefore(begun)));
                }
            });
        }

        void flush() {
            submit(Operation.FLUSH, 0, 0, null, false, ended -> {});
        }

        // --- what a scenario prepares

        void map(int unit) {
            boolean[] ended = {false};
            rig.scheduler.execute(() -> rig.disk.map().add(new SectorRange((long) unit * 8, 8), false, (error, at) -> {
                assertEquals(DiskError.NONE, error);
                ended[0] = true;
            }));
            rig.scheduler.runUntil(() -> ended[0]);
        }

        long slotSector(int unit) {
            return rig.slotSector(Place.slot(rig.store.table().placeOf(unit)), 0);
        }

        // --- the run

        private void at(double second, Runnable what) {
            rig.scheduler.schedule(what, (long) (second * 1000));
        }

        private void pass(double seconds) {
            boolean[] over = {false};
            at(seconds, () -> over[0] = true);
            rig.scheduler.runUntil(() -> over[0]);
        }

        /** Somebody else's requests, which wait for nothing that hangs. */
        private void neighbour(int unit, boolean write) {
            long begun = rig.scheduler.nanoTime();
            Consumer<DiskRequest> inTime = ended -> {
                double seconds = (rig.scheduler.nanoTime() - begun) / 1e9;
                assertTrue(
                        neighboursMayWait || (seconds < 0.5 && ended.error == DiskError.NONE),
                        () -> "a neighbour's request of unit " + unit + " took " + seconds + " s, " + ended.error);
            };
            IoBuffer buffer = buffer(UNIT, OLD);
            submit(write ? Operation.WRITE : Operation.READ, (long) unit * UNIT, UNIT, buffer, false, inTime);
        }

        void run(Scenario scenario) {
            scenario.asks.accept(this);
            // As one that comes at once, one while it hangs, and one after it was answered; all before it comes back.
            at(0.3, () -> read(THE_UNIT, 0, 8));
            at(2, () -> write(THE_UNIT, 0, UNIT, 0x33));
            at(DEADLINE_SECONDS + 2, () -> write(THE_UNIT, 0, UNIT, 0x44));
            at(DEADLINE_SECONDS + 3, () -> read(THE_UNIT, 0, 8));
            for (int second = 0; second < DEADLINE_SECONDS + 5; second += 3) {
                at(second + 0.5, () -> neighbour(HEALTHY, false));
                at(second + 0.6, () -> neighbour(HEALTHY + 1, true));
                at(second + 0.7, () -> neighbour(MAPPED, false));
                at(second + 0.8, () -> neighbour(MAPPED, true));
            }
            rig.scheduler.runUntilIdle();
            assertEquals(List.of(), unanswered, "never answered");
            assertEquals(0, rig.buffers.bytesInUse(), "memory that nobody gave back");
            rig.disk.attributes().stream()
                    .filter(attribute -> attribute.name().matches("deadline\\.(hanging.*|waiting)"))
                    .forEach(attribute -> assertEquals(0L, attribute.get().get(), attribute.name()));
        }

        /** Everything is as the clients were told. */
        void checkAtTheEnd() {
            neighboursMayWait = false;
            for (int sector = 0; sector < UNITS * 8; sector++) {
                int before = failed;
                int unit = sector / 8;
                read(unit, sector % 8, 1);
                rig.scheduler.runUntilIdle();
                boolean mayFail =
                        main.isFaulty(sector) && allowed.get(sector).stream().noneMatch(value -> value.acknowledged);
                assertTrue(failed == before || mayFail, "sector " + sector + " does not read");
            }
        }

        @Override
        public void close() {
            rig.close();
        }
    }

    private final List<AssertionError> wrong = new ArrayList<>();
    private int runs;
    private int hung;
    private int failed;

    private long operations(Scenario scenario, boolean atMain) throws IOException {
        try (Life life = begun(scenario)) {
            life.mainDoor.hang(Long.MAX_VALUE, true);
            life.spareDoor.hang(Long.MAX_VALUE, true);
            // The operations of what is asked first; those of the others hang in its place at other numbers.
            scenario.asks.accept(life);
            life.rig.scheduler.runUntilIdle();
            return atMain ? life.mainDoor.operations() : life.spareDoor.operations();
        }
    }

    private static Life begun(Scenario scenario) throws IOException {
        Life life = new Life();
        life.rig.disk.main.flush();
        life.map(MAPPED);
        scenario.prepares.accept(life);
        life.rig.scheduler.runUntilIdle();
        return life;
    }

    private void sweep(Scenario scenario, boolean atMain, boolean alone) throws IOException {
        long operations = operations(scenario, atMain);
        for (long number = 0; number < operations; number++) {
            String where = scenario + ", operation " + number + " of " + (atMain ? "main" : "the spare")
                    + (alone ? " hangs" : " and all that follow hang");
            try (Life life = begun(scenario)) {
                life.neighboursMayWait = !alone;
                (atMain ? life.mainDoor : life.spareDoor).hang(number, alone);
                long mapped = life.rig.disk.summary().mappedSectors();
                life.run(scenario);
                runs++;
                hung += life.mainDoor.hung() + life.spareDoor.hung();
                failed += life.failed;
                if (atMain && !alone && life.rig.disk.summary().redirects()) {
                    // Beyond what main refused by then, as it does for good.
                    long most = mapped
                            + (scenario.name.startsWith("refused") || scenario.name.contains("unreadable") ? 24 : 0);
                    assertTrue(
                            life.rig.disk.summary().mappedSectors() <= most,
                            () -> "a main that hung as a whole cost slots: " + life.rig.disk.summary());
                }
                life.checkAtTheEnd();
            } catch (AssertionError | RuntimeException e) {
                wrong.add(new AssertionError(where + ": " + e.getMessage(), e));
            }
        }
    }

    @Test
    void everyOperationMayHang() throws IOException {
        for (Scenario scenario : SCENARIOS) {
            for (boolean atMain : new boolean[] {true, false}) {
                sweep(scenario, atMain, true);
                sweep(scenario, atMain, false);
            }
        }
        System.out.println("suite: operations that hang: " + runs + " places in " + SCENARIOS.size() + " scenarios; "
                + hung + " operations hung, " + failed + " requests failed, none was late");
        if (!wrong.isEmpty()) {
            wrong.stream().limit(WRONG_SHOWN).forEach(each -> System.out.println(each.getMessage()));
            throw wrong.get(0);
        }
        assertTrue(hung >= runs && failed > 0, "nothing hung");
    }

    @Test
    void mainThatHangsAsAWholeCostsNoSlot() throws IOException {
        try (Life life = begun(new Scenario("main hangs", each -> {}, each -> {}))) {
            long mapped = life.rig.disk.summary().mappedSectors();
            life.mainDoor.hang(0, false);
            for (int unit = 0; unit < 8; unit++) {
                life.write(unit, 0, UNIT, 0x22);
            }
            life.read(HEALTHY, 0, 8);
            life.at(1, () -> life.neighbour(MAPPED, false));
            life.pass(DEADLINE_SECONDS + 1);
            assertEquals(List.of(), life.unanswered, "still unanswered");
            assertEquals(9, life.failed);
            assertEquals(mapped, life.rig.disk.summary().mappedSectors(), "mappings were made");
            life.rig.scheduler.runUntilIdle();
            assertEquals(mapped, life.rig.disk.summary().mappedSectors(), "mappings were made");
            life.write(0, 0, UNIT, 0x33);
            life.rig.scheduler.runUntilIdle();
            assertEquals(9, life.failed, "it has come back");
            life.checkAtTheEnd();
        }
    }

    @Test
    void noMoreWaitForASyncThatHangsThanTheLimitAndTheyHoldNoMemory() throws IOException {
        try (Life life = begun(new Scenario("sync hangs", each -> {}, each -> {}))) {
            life.write(HEALTHY, 0, UNIT, 0x22);
            life.rig.scheduler.runUntilIdle();
            life.mainDoor.hang(0, true);
            for (int i = 1; i < Deadlines.MOST_SYNCS; i++) {
                life.flush();
            }
            life.at(1, () -> life.writeFua(THE_UNIT, 0x22));
            life.pass(DEADLINE_SECONDS + 2);
            assertEquals(List.of(), life.unanswered, "still unanswered");
            assertEquals(Deadlines.MOST_SYNCS, life.failed);
            assertEquals(0, life.rig.buffers.bytesInUse(), "its write has ended");
            life.flush();
            life.writeFua(2, 0x22);
            life.write(THE_UNIT, 0, UNIT, 0x33);
            life.neighbour(HEALTHY + 1, true);
            life.pass(1);
            assertEquals(List.of(), life.unanswered, "they waited");
            assertEquals(Deadlines.MOST_SYNCS + 2, life.failed, "flush and FUA write are refused, and nothing else");
            life.rig.scheduler.runUntilIdle();
            assertTrue(life.rig.scheduler.nanoTime() > TimeUnit.SECONDS.toNanos(HANG_SECONDS), "nothing hung");
            life.flush();
            life.rig.scheduler.runUntilIdle();
            assertEquals(Deadlines.MOST_SYNCS + 2, life.failed, "it has come back");
            life.checkAtTheEnd();
        }
    }
}
