package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.testkit.FaultyDevice.Fault;
import io.remap.testkit.SimpleFaultPolicy;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What stands on a spare is sealed, compared, opened, and given up when it is not what was written. */
class ChecksumsTest {
    private static final int IDLE_MILLIS = 1_000;
    private static final int UNIT = Place.UNIT_BYTES;

    private final DiskRig rig = new DiskRig(64, new SimpleFaultPolicy(), IDLE_MILLIS);

    ChecksumsTest() throws Refusal {
        assertEquals(DiskError.NONE, rig.move(true, 0, 32, false));
    }

    @AfterEach
    void close() {
        rig.close();
    }

    private long counter(String name) {
        return rig.disk.counters.attributes().stream()
                .filter(attribute -> attribute.name().equals("checksums." + name))
                .map(attribute -> (Long) attribute.get().get())
                .findFirst()
                .orElseThrow();
    }

    private List<Long> blocks() {
        List<Long> slots = new ArrayList<>();
        rig.store.seals((region, seal) -> slots.add(Seal.slot(seal)));
        return slots;
    }

    private void rot(long unit, int sector) {
        long slot = Place.slot(rig.store.table().placeOf(unit));
        byte[] other = new byte[DiskRig.SECTOR];
        Arrays.fill(other, (byte) 0x66);
        rig.spareMedium.poke(rig.store.slotOffsetBytes(slot) + (long) sector * DiskRig.SECTOR, other);
    }

    private static byte[] filled(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    @Test
    void whatWasQuietIsSealedAndReadsAsBefore() {
        assertEquals(1, counter("sealings"));
        assertEquals(1, blocks().size());
        assertArrayEquals(filled(4 * UNIT, DiskRig.OLD), rig.read(0, 4 * UNIT));
        assertArrayEquals(filled(DiskRig.SECTOR, DiskRig.OLD), rig.read(DiskRig.SECTOR, DiskRig.SECTOR));
        assertEquals(0, counter("mismatches"));
    }

    /** What is looked for because of data that was written does not find it before its mapping is committed. */
    @Test
    void whatTookLongToCommitIsSealed() throws Refusal {
        try (DiskRig slow = new DiskRig(64, new SimpleFaultPolicy(), IDLE_MILLIS)) {
            slow.metadata.decideOutcomes(() -> {
                slow.scheduler.sleep(TimeUnit.SECONDS.toNanos(10));
                return Outcome.DURABLE;
            });
            assertEquals(DiskError.NONE, slow.move(true, 0, 32, false));
            slow.scheduler.runUntilIdle();
            List<Long> sealed = new ArrayList<>();
            slow.store.seals((region, seal) -> sealed.add(region));
            assertEquals(List.of(0L), sealed);
        }
    }

    /** A check reads past the gate; the slots of neighbouring units may be in any region. */
    @Test
    void aCheckComparesEachSlotWithItsRegion() throws Exception {
        try (DiskRig two = new DiskRig(192, new SimpleFaultPolicy(), IDLE_MILLIS)) {
            // So the last of the units stands in the first slot of another region.
            two.spare.fault(two.slotSector(0, 0), 8, Fault.UNWRITABLE);
            assertEquals(DiskError.NONE, two.move(true, 0, 8 * DiskRig.UNITS, false));
            Map<Long, Long> blocks = new TreeMap<>();
            two.store.seals((region, seal) -> blocks.put(region, Seal.slot(seal)));
            assertEquals(Set.of(0L, 1L), blocks.keySet());
            byte[] other = filled(DiskRig.SECTOR, 0x66);
            two.spareMedium.poke(two.store.slotOffsetBytes(64), other);
            assertEquals(List.of(0, 1, 0, 1), rottenIn(two, 0));
            two.spareMedium.poke(two.store.slotOffsetBytes(blocks.get(0L)), other);
            assertEquals(List.of(0, 1, 0, 1), rottenIn(two, 1));
            two.spareMedium.poke(two.store.slotOffsetBytes(blocks.get(1L)), other);
            assertEquals(List.of(0, 0, 0, 0), rottenIn(two, 2));
        }
    }

    /** Of slots of two regions, by turns. */
    private static List<Integer> rottenIn(DiskRig rig, long unclaimedRegions) throws DeviceException {
        SealedSlots sealed = new SealedSlots(rig.store, rig.spare, 0, rig.store.slots());
        List<Integer> rotten = new ArrayList<>();
        for (long slot : new long[] {1, 64, 2, 64}) {
            ByteBuffer bytes = ByteBuffer.allocate(UNIT);
            rig.spare.read(rig.store.slotOffsetBytes(slot), bytes);
            rotten.add(sealed.rottenSectors(slot, 0xff, bytes, 0));
        }
        assertEquals(unclaimedRegions, sealed.unclaimedRegions());
        return rotten;
    }

    @Test
    void whatRottedIsAnErrorAndNeverData() {
        rot(1, 3);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(1, counter("lost-slots"));
        assertEquals(1 << 3, Place.lostMask(rig.store.table().placeOf(1)));
        assertEquals(0, rig.disk.summary().badSlots());
        assertNull(rig.read(UNIT + 3 * DiskRig.SECTOR, DiskRig.SECTOR));
        assertArrayEquals(filled(3 * DiskRig.SECTOR, DiskRig.OLD), rig.read(UNIT, 3 * DiskRig.SECTOR));
        assertArrayEquals(filled(UNIT, DiskRig.OLD), rig.read(0, UNIT));
        assertEquals(DiskError.NONE, rig.write(UNIT, UNIT, 7));
        assertArrayEquals(filled(UNIT, 7), rig.read(UNIT, UNIT));
        assertTrue(rig.disk.events().newest(0, 100).stream()
                .anyMatch(event -> event.kind() == DiskEvent.Kind.CHECKSUM_MISMATCH));
    }

    @Test
    void aSlotOfWhichNothingIsLeftIsBad() {
        for (int sector = 0; sector < 8; sector++) {
            rot(1, sector);
        }
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(0xff, Place.lostMask(rig.store.table().placeOf(1)));
        assertEquals(1, rig.disk.summary().badSlots());
    }

    @Test
    void aWriteOpensTheRegionOnceAndItIsSealedAnew() {
        List<Long> before = blocks();
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 5));
        assertEquals(1, counter("openings"));
        assertEquals(DiskError.NONE, rig.write(UNIT, DiskRig.SECTOR, 6));
        assertEquals(2, counter("openings"), "each write was sealed before the next");
        assertEquals(3, counter("sealings"));
        assertEquals(1, blocks().size());
        assertNotEquals(before, List.of());
        assertArrayEquals(filled(UNIT, 5), rig.read(0, UNIT));
        assertArrayEquals(filled(DiskRig.SECTOR, 6), rig.read(UNIT, DiskRig.SECTOR));
        assertArrayEquals(
                filled(UNIT - DiskRig.SECTOR, DiskRig.OLD), rig.read(UNIT + DiskRig.SECTOR, UNIT - DiskRig.SECTOR));
        assertEquals(0, counter("mismatches"));
    }

    @Test
    void whatRottedIsNotTakenOverWhenItsRegionIsOpened() {
        rot(1, 3);
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 5));
        assertEquals(1, counter("lost-slots"));
        assertNull(rig.read(UNIT, UNIT));
    }

    @Test
    void aPartialWriteToWhatRottedLeavesTheRestLost() {
        rot(1, 3);
        assertEquals(DiskError.NONE, rig.write(UNIT, DiskRig.SECTOR, 5));
        assertArrayEquals(filled(DiskRig.SECTOR, 5), rig.read(UNIT, DiskRig.SECTOR));
        assertArrayEquals(filled(DiskRig.SECTOR, DiskRig.OLD), rig.read(UNIT + DiskRig.SECTOR, DiskRig.SECTOR));
        assertNull(rig.read(UNIT + 3 * DiskRig.SECTOR, DiskRig.SECTOR));
    }

    @Test
    void damagedChecksumsClaimNothingAndAreMadeAnew() {
        long block = blocks().get(0);
        rig.disk.spares.require(0).gate.restore(0, sealOf());
        rig.spareMedium.poke(rig.store.slotOffsetBytes(block) + 100, new byte[] {1, 2, 3});
        // Not in memory any more: as after a start.
        reload();
        assertArrayEquals(filled(UNIT, DiskRig.OLD), rig.read(0, UNIT));
        assertEquals(1, blocks().size());
        assertEquals(2, counter("sealings"));
        assertTrue(rig.disk.events().newest(0, 100).stream()
                .anyMatch(event -> event.kind() == DiskEvent.Kind.CHECKSUMS_LOST));
    }

    private long sealOf() {
        return rig.disk.spares.require(0).gate.sealOf(0);
    }

    private void reload() {
        Spare spare = rig.disk.spares.require(0);
        rig.disk.checksums.attach(spare, rig.store);
    }

    @Test
    void checksumsAreFoundAgainAfterAStart() {
        reload();
        rot(2, 0);
        assertArrayEquals(filled(UNIT, DiskRig.OLD), rig.read(UNIT, UNIT));
        assertNull(rig.read(2 * UNIT, UNIT));
        assertEquals(1, counter("lost-slots"));
    }

    @Test
    void whatIsReadWellTheNextTimeIsNotGivenUp() {
        rot(1, 3);
        byte[] good = filled(DiskRig.SECTOR, DiskRig.OLD);
        long at = rig.store.slotOffsetBytes(Place.slot(rig.store.table().placeOf(1))) + 3L * DiskRig.SECTOR;
        // The first transfer of the request meets the other content, all later ones the right one.
        rig.executes = io -> {
            io.run();
            rig.spareMedium.poke(at, good);
        };
        assertArrayEquals(filled(UNIT, DiskRig.OLD), rig.read(UNIT, UNIT));
        assertEquals(0, counter("lost-slots"));
        assertEquals(0, rig.disk.summary().badSlots());
    }

    @Test
    void aSlotThatCannotBeReadIsAnErrorAndNotRotten() {
        long slot = Place.slot(rig.store.table().placeOf(1));
        rig.spare.fault(rig.slotSector(slot, 0), 8, Fault.UNREADABLE);
        assertNull(rig.read(UNIT, UNIT));
        assertEquals(0, counter("lost-slots"));
        assertEquals(0, Place.lostMask(rig.store.table().placeOf(1)));
    }

    @Test
    void unusedChecksumsGiveTheirSlotBack() {
        long free = rig.disk.summary().freeSlots();
        assertEquals(DiskError.NONE, rig.move(false, 0, 32, false));
        // The next pass comes with the next write to a slot; a moved sector is enough.
        assertEquals(DiskError.NONE, rig.move(true, 64, 8, false));
        assertEquals(1, blocks().size());
        assertEquals(free + 3, rig.disk.summary().freeSlots());
    }

    @Test
    void aSpareThatIsAwayIsWaitedForAsWhereNothingIsSealed() {
        rig.spare.vanish(Errno.ENODEV);
        rig.scheduler.schedule(rig.spare::comeBack, 2_000);
        rig.disk.holdWhileAway(10_000);
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 5));
        assertArrayEquals(filled(UNIT, 5), rig.read(0, UNIT));
    }

    @Test
    void anErrorOfTheHostWhileARegionIsComparedIsTriedAgain() {
        rig.spare.failTransfers(1, Errno.ENOMEM);
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 5));
        assertArrayEquals(filled(UNIT, 5), rig.read(0, UNIT));
    }

    @Test
    void anOpeningThatIsNotRecordedIsTriedAgain() {
        int[] commits = {0};
        rig.metadata.decideOutcomes(() -> commits[0]++ == 0 ? Outcome.NOT_COMMITTED : Outcome.DURABLE);
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 5));
        assertArrayEquals(filled(UNIT, 5), rig.read(0, UNIT));
    }

    @Test
    void whereNothingCanBeRecordedAnyMoreNobodyWaitsForIt() {
        rig.metadata.decideOutcomes(() -> Outcome.STORE_FAILED);
        for (int i = 0; i < 3; i++) {
            long began = rig.scheduler.nanoTime();
            assertEquals(DiskError.IO, rig.write(0, UNIT, 5));
            long tookMillis = (rig.scheduler.nanoTime() - began) / 1_000_000;
            assertTrue(tookMillis < 1_000, "write " + i + " took " + tookMillis + " ms");
        }
        assertArrayEquals(filled(UNIT, DiskRig.OLD), rig.read(0, UNIT));
    }

    /** The spare is asked whether it answers while checksums are read: what does not read must not ask itself. */
    @Test
    void checksumsThatCannotBeReadKeepNobodyWaiting() {
        long block = blocks().get(0);
        reload();
        rig.spare.fault(rig.slotSector(block, 0), 8, Fault.UNREADABLE);
        assertArrayEquals(filled(UNIT, DiskRig.OLD), rig.read(0, UNIT));
        assertTrue(rig.disk.events().newest(0, 100).stream()
                .anyMatch(event -> event.kind() == DiskEvent.Kind.CHECKSUMS_LOST));
        assertEquals(DiskError.NONE, rig.write(0, UNIT, 5));
    }
}
