package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DiskError;
import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk;
import io.remap.testkit.FaultyDevice;
import io.remap.testkit.FaultyDevice.Fault;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import io.remap.testkit.SimpleFaultPolicy;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What could not be read is known after a restart, costs one try at most, and binds nobody. */
class UnreadableUnitsTest {
    private static final int SECTOR = DiskRig.SECTOR;
    private static final long FIRST_HOLD_OFF_MILLIS = 60_000;

    private DiskRig rig;

    @AfterEach
    void stop() {
        rig.close();
    }

    private static byte[] old(int sectors) {
        byte[] bytes = new byte[sectors * SECTOR];
        Arrays.fill(bytes, DiskRig.OLD);
        return bytes;
    }

    /** Sectors 20, 80 and 81 are bad, and found so. */
    private void startSick() throws Exception {
        rig = new DiskRig(8);
        rig.main.fault(20, 1, Fault.BAD);
        rig.main.fault(80, 2, Fault.BAD);
        assertNull(rig.read(20 * SECTOR, SECTOR));
        assertNull(rig.read(80 * SECTOR, 2 * SECTOR));
    }

    private static UnreadableUnits known(DiskRig rig, boolean stoppedInOrder) {
        return new UnreadableUnits(rig.disk, () -> stoppedInOrder);
    }

    private byte[] stopAndSave() {
        assertTrue(rig.disk.close(0));
        byte[] saved = known(rig, true).save();
        rig.close();
        return saved;
    }

    private void startAgain(byte[] saved, boolean stoppedInOrder) throws Exception {
        rig = new DiskRig(8);
        known(rig, stoppedInOrder).restore(saved);
    }

    private void pass(long millis) {
        rig.scheduler.sleep(millis * 1_000_000);
    }

    private long tries() {
        return rig.main.hits(Fault.BAD);
    }

    @Test
    void isShownAsBeforeTheRestart() throws Exception {
        startSick();
        DiskSummary summary = rig.disk.summary();
        List<MapEntry> entries = rig.disk.map().entries(0, 100);
        List<WatchedDisk.Damage> damage = rig.disk.watched(new HealthMemory()).damage(0, 100);
        startAgain(stopAndSave(), true);
        assertEquals(3, rig.disk.summary().unreadableSectors());
        assertEquals(summary.unreadableSectors(), rig.disk.summary().unreadableSectors());
        assertEquals(entries, rig.disk.map().entries(0, 100));
        WatchedDisk watched = rig.disk.watched(new HealthMemory());
        assertEquals(damage, watched.damage(0, 100));
        assertEquals(3, watched.figures().unreadableSectors());
        assertEquals(
                97,
                watched.probeable(new SectorRange(0, 100)).ranges().stream()
                        .mapToLong(SectorRange::lengthSectors)
                        .sum(),
                "a scan does not ask for it again");
        assertEquals(0, rig.disk.counters.newUnreadableSectors.sum());
        assertEquals(0, rig.disk.events().newest(0, 10).size());
    }

    @Test
    void costsOneTryAndThenItsHoldOff() throws Exception {
        startSick();
        startAgain(stopAndSave(), true);
        rig.main.fault(20, 1, Fault.BAD);
        rig.main.fault(80, 2, Fault.BAD);
        assertNull(rig.read(20 * SECTOR, SECTOR));
        assertEquals(1, tries());
        assertNull(rig.read(78 * SECTOR, 6 * SECTOR));
        assertEquals(3, tries(), "one of each sector");
        assertArrayEquals(old(2), rig.read(78 * SECTOR, 2 * SECTOR), "their neighbours are served");
        assertNull(rig.read(20 * SECTOR, SECTOR));
        assertNull(rig.read(80 * SECTOR, 2 * SECTOR));
        assertEquals(3, tries(), "at once, without main");
        assertEquals(3, rig.disk.counters.stillUnreadableSectors.sum());
        assertEquals(0, rig.disk.counters.newUnreadableSectors.sum(), "that is no news");
        assertEquals(0, rig.disk.events().newest(0, 10).size());
        pass(FIRST_HOLD_OFF_MILLIS + 1);
        assertNull(rig.read(20 * SECTOR, SECTOR));
        assertEquals(3, tries(), "it has failed once before the restart: twice as long");
        pass(FIRST_HOLD_OFF_MILLIS);
        assertNull(rig.read(20 * SECTOR, SECTOR));
        assertTrue(tries() > 3, "and is tried again after it");
        assertEquals(3, rig.disk.summary().unreadableSectors());
    }

    @Test
    void whatReadsAgainIsServedAtOnce() throws Exception {
        startSick();
        startAgain(stopAndSave(), true);
        rig.main.fault(81, 1, Fault.BAD);
        assertArrayEquals(old(1), rig.read(20 * SECTOR, SECTOR));
        assertArrayEquals(old(1), rig.read(80 * SECTOR, SECTOR), "also beside one that does not");
        assertNull(rig.read(81 * SECTOR, SECTOR));
        assertEquals(1, rig.disk.summary().unreadableSectors());
        rig.main.heal(81, 1);
        pass(FIRST_HOLD_OFF_MILLIS * 2 + 1);
        assertArrayEquals(old(1), rig.read(81 * SECTOR, SECTOR), "no later than after the hold-off");
        assertEquals(0, rig.disk.summary().unreadableSectors());
    }

    @Test
    void mainThatIsAwayIsNoVerdict() throws Exception {
        startSick();
        startAgain(stopAndSave(), true);
        rig.main.fault(80, 1, Fault.BAD);
        assertNull(rig.read(80 * SECTOR, SECTOR));
        assertEquals(1, rig.disk.counters.stillUnreadableSectors.sum());
        assertTrue(rig.disk.mainSide.canary().alive(), "a moment before");
        rig.main.fault(0, DiskRig.UNITS * 8, Fault.BAD);
        assertNull(rig.read(20 * SECTOR, SECTOR));
        assertEquals(1, rig.disk.counters.stillUnreadableSectors.sum());
        rig.main.heal(0, DiskRig.UNITS * 8);
        assertArrayEquals(old(1), rig.read(20 * SECTOR, SECTOR));
    }

    /** It may have been written since the save, and then one error says nothing of it. */
    @Test
    void afterACrashAReadHasAllItsTries() throws Exception {
        startSick();
        byte[] running = known(rig, true).save();
        byte[] stopped = stopAndSave();
        for (boolean inOrder : new boolean[] {true, false}) {
            startAgain(inOrder ? running : stopped, inOrder);
            rig.main.transientFailures(1);
            rig.main.fault(20, 1, Fault.TRANSIENT);
            assertEquals(3, rig.disk.summary().unreadableSectors());
            assertArrayEquals(old(1), rig.read(20 * SECTOR, SECTOR));
            rig.close();
        }
        startAgain(stopped, false);
    }

    @Test
    void noneIsHeldOffForItsNeighbour() throws Exception {
        for (boolean stoppedInOrder : new boolean[] {true, false}) {
            startSick();
            // One of the two reads again, since it was written after what is known was saved, or since the cable was to
            // blame.
            startAgain(stopAndSave(), stoppedInOrder);
            rig.main.fault(81, 1, Fault.BAD);
            assertNull(rig.read(81 * SECTOR, SECTOR));
            assertArrayEquals(old(1), rig.read(80 * SECTOR, SECTOR), "in order: " + stoppedInOrder);
            assertEquals(1, rig.disk.summary().unreadableSectors() - 1, "20, which nobody has read, and 81");
            long before = tries();
            assertNull(rig.read(81 * SECTOR, SECTOR));
            assertTrue(tries() > before, "what reads beside it says that it is worth a try");
            before = tries();
            assertNull(rig.read(81 * SECTOR, SECTOR));
            assertEquals(before, tries(), "held off");
            rig.close();
        }
        startSick();
    }

    @Test
    void whatWasMappedLostOrWrittenMeanwhileIsLeftOut() throws Exception {
        startSick();
        byte[] saved = known(rig, true).save();
        assertEquals(DiskError.NONE, rig.write(20 * SECTOR, SECTOR, 0x22));
        assertEquals(DiskError.NONE, rig.move(true, 80, 1, true));
        known(rig, true).restore(saved);
        assertNotNull(rig.read(20 * SECTOR, SECTOR));
        assertEquals(1, rig.disk.summary().unreadableSectors(), "sector 81, as it was");
        assertEquals(1, rig.disk.summary().lostSectors());
        rig.write(81 * SECTOR, SECTOR, 0x33);
        assertEquals("", new String(known(rig, true).save(), StandardCharsets.UTF_8), "and is not saved any more");
    }

    @Test
    void nothingIsTakenOfAnotherMain() throws Exception {
        startSick();
        String saved = new String(stopAndSave(), StandardCharsets.UTF_8);
        String header = "main 262144 512 stopped path:mem:main\n";
        assertTrue(saved.startsWith(header), saved);
        rig = new DiskRig(8);
        for (String other : List.of(
                "main 262144 512 stopped wwn:0x5000\n",
                "main 524288 512 stopped path:mem:main\n",
                "main 262144 4096 stopped path:mem:main\n")) {
            known(rig, true).restore(saved.replace(header, other).getBytes(StandardCharsets.UTF_8));
            assertEquals(0, rig.disk.summary().unreadableSectors(), other);
        }
        assertEquals(
                List.of("sectors 20+1", "sectors 80+2"),
                rig.disk.events().newest(0, 10).stream()
                        .map(event -> event.sectors().orElseThrow().toString())
                        .toList());
        String notice = rig.disk.noticeOfStart().orElseThrow();
        assertTrue(notice.startsWith("3 sectors (20+1 and others, see 'remap events') could not be read"), notice);
        assertTrue(notice.endsWith("remap avoid add NAME 20+1"), notice);
        known(rig, true).restore(saved.getBytes(StandardCharsets.UTF_8));
        assertEquals(3, rig.disk.summary().unreadableSectors());
    }

    @Test
    void damageTakesNothing() throws Exception {
        startSick();
        String saved = new String(stopAndSave(), StandardCharsets.UTF_8);
        rig = new DiskRig(8);
        String header = saved.substring(0, saved.indexOf('\n'));
        for (String nonsense : List.of(
                "nonsense",
                header + "\n2 1 16",
                header + "\n2 1 16 1\n2 1 16 1",
                header + "\n2 1 256 1",
                header + "\n2 1 0 1",
                header + "\n-1 1 16 1",
                header + "\n2 9223372036854775807 16 1",
                header + "\n64 1 16 1",
                header + "\n2 0 16 1",
                header + "\n2 1 16 -1",
                header + "\n2 1 16 x",
                header + "\n")) {
            assertThrows(
                    RuntimeException.class,
                    () -> known(rig, true).restore(nonsense.getBytes(StandardCharsets.UTF_8)),
                    nonsense);
            assertEquals(0, rig.disk.summary().unreadableSectors(), nonsense);
        }
        SplittableRandom random = new SplittableRandom(6);
        for (int i = 0; i < 2_000; i++) {
            byte[] flipped = saved.getBytes(StandardCharsets.UTF_8);
            flipped[random.nextInt(flipped.length)] ^= (byte) (1 << random.nextInt(8));
            try {
                known(rig, true).restore(flipped);
            } catch (IllegalArgumentException e) {
                // As Autosave expects it.
            }
        }
        assertArrayEquals(old(DiskRig.UNITS * 8), rig.read(0, DiskRig.UNITS * 8 * SECTOR), "whatever came of it");
        assertEquals(0, rig.disk.summary().unreadableSectors());
    }

    @Test
    void isBounded() throws Exception {
        int units = 3 * UnreadableUnits.MAX_RUNS;
        rig = new DiskRig(
                new DiskRig.Devices() {
                    @Override
                    public BlockDevice main(SimScheduler scheduler) {
                        return new FaultyDevice(
                                new MemoryDevice("main", units * 4096, SECTOR),
                                new SplittableRandom(1),
                                FaultyDevice.Steps.none());
                    }

                    @Override
                    public BlockDevice spare(SimScheduler scheduler) {
                        return new MemoryDevice("spare", MemoryMetadata.METADATA_BYTES + 8 * 4096, SECTOR);
                    }
                },
                new SimpleFaultPolicy());
        rig.disk.state.publish(s -> {
            MapSnapshot changed = s;
            for (long unit = 0; unit < units; unit += 2) {
                changed = changed.withUnreadable(unit, 0xff);
            }
            return changed;
        });
        byte[] saved = known(rig, true).save();
        assertTrue(saved.length < 16 << 10, saved.length + " bytes");
        rig.disk.state.publish(s -> {
            MapSnapshot changed = s;
            for (long unit = 0; unit < units; unit += 2) {
                changed = changed.withReadable(unit, 0xff);
            }
            return changed;
        });
        known(rig, true).restore(saved);
        assertEquals(8L * UnreadableUnits.MAX_RUNS, rig.disk.summary().unreadableSectors());
    }
}
