package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceIo;
import io.remap.api.DeviceTraits;
import io.remap.api.Environment;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.Settings;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.core.Fingerprint.Block;
import io.remap.core.disk.DiskParts;
import io.remap.core.disk.LedgerLimits;
import io.remap.core.disk.RecentWrites;
import io.remap.core.disk.TrackedDevice;
import io.remap.core.disk.VirtualDisk;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import io.remap.testkit.SimpleFaultPolicy;
import io.remap.testkit.TrackingBufferPool;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** What is seen of a main that was written without us: all of what is tracked, and nothing that is ours or unreadable. */
class FingerprintTest {
    private static final long SEED = Long.getLong("remap.seed", 1);
    private static final int SECTOR_BYTES = 512;
    private static final long UNITS = 16_384;
    private static final int MAIN_BYTES = (int) (UNITS * Place.UNIT_BYTES);
    private static final long BUDGET_MILLIS = 60_000;

    private final SplittableRandom random = new SplittableRandom(SEED);
    private final SimScheduler scheduler = new SimScheduler(new SplittableRandom(SEED));
    private final Environment environment = scheduler.environment(new SplittableRandom(SEED));
    private final MemoryDevice main = new MemoryDevice("main", MAIN_BYTES, SECTOR_BYTES);
    private final MemoryDevice spare = new MemoryDevice("spare", 1 << 20, SECTOR_BYTES);
    private final MemoryMetadata metadata = new MemoryMetadata();
    private final RecentWrites recent = new RecentWrites(MAIN_BYTES);
    private RemapTable table = RemapTable.empty();

    FingerprintTest() throws Exception {
        metadata.format(spare, new PairIdentity(new UUID(1, 2), MAIN_BYTES, SECTOR_BYTES, "main"), environment);
        ByteBuffer noise = ByteBuffer.allocate(MAIN_BYTES);
        while (noise.hasRemaining()) {
            noise.putLong(random.nextLong());
        }
        main.write(0, noise.flip());
    }

    private Fingerprint take(long generation) {
        return takeOf(main, generation);
    }

    private Fingerprint takeOf(BlockDevice device, long generation) {
        return new FingerprintTaker(
                        device,
                        SECTOR_BYTES,
                        recent,
                        unit -> VirtualDisk.sectorsOnMain(table, unit, SECTOR_BYTES, MAIN_BYTES),
                        scheduler)
                .take(5, generation, List.of(), SEED, BUDGET_MILLIS);
    }

    /** What an opening says, with this fingerprint on the spare. */
    private MainCheck check(Fingerprint print) throws Exception {
        metadata.putSaved(spare, Map.of(Fingerprint.SECTION, print.encode()));
        try (MetadataStore store = metadata.open(spare, true, environment, Settings.defaults())) {
            return MainCheck.atOpening(main, store, true, scheduler, BUDGET_MILLIS);
        }
    }

    private long generation() throws Exception {
        try (MetadataStore store = metadata.open(spare, true, environment, Settings.defaults())) {
            return store.generation();
        }
    }

    private void change(long unit, int sector) throws Exception {
        long at = unit * Place.UNIT_BYTES + (long) sector * SECTOR_BYTES;
        ByteBuffer bytes = ByteBuffer.allocate(SECTOR_BYTES);
        main.read(at, bytes);
        int place = random.nextInt(SECTOR_BYTES);
        bytes.put(place, (byte) (bytes.get(place) ^ (1 << random.nextInt(8))));
        main.write(at, bytes.flip());
    }

    /** Whether the opening, or what it leaves to the background, sees it. */
    private boolean isSeen(Fingerprint print) throws Exception {
        MainCheck check = check(print);
        MainBlocks reader = new MainBlocks(main, SECTOR_BYTES);
        boolean seen = check.difference().isPresent();
        for (Block block : check.rest()) {
            int onMain = VirtualDisk.sectorsOnMain(table, block.unit(), SECTOR_BYTES, MAIN_BYTES);
            seen |= MainCheck.compare(block, onMain, reader) == MainCheck.Verdict.DIFFERENT;
        }
        return seen;
    }

    private void writeThroughUs(TrackedDevice tracked, long unit) throws Exception {
        ByteBuffer bytes = ByteBuffer.allocate(Place.UNIT_BYTES);
        random.nextBytes(bytes.array());
        tracked.write(unit * Place.UNIT_BYTES, bytes);
    }

    @Test
    void everyTrackedBlockThatIsWrittenIsSeenAndOthersAtTheRateOfTheSample() throws Exception {
        TrackedDevice tracked = TrackedDevice.of(main);
        tracked.watch(recent);
        for (int i = 0; i < 600; i++) {
            writeThroughUs(tracked, random.nextLong(UNITS));
        }
        Fingerprint print = take(generation());
        assertFalse(isSeen(print), "nothing was changed; seed " + SEED);
        int hot = 0;
        for (long unit : recent.newestFirst()) {
            int sector = random.nextInt(8);
            change(unit, sector);
            assertTrue(isSeen(print), "unit " + unit + ", seed " + SEED);
            hot++;
            print = take(generation());
        }
        assertTrue(hot > 500, "tracked " + hot);
        int seen = 0;
        int tries = 200;
        for (int i = 0; i < tries; i++) {
            change(random.nextLong(UNITS), random.nextInt(8));
            seen += isSeen(print) ? 1 : 0;
            print = take(generation());
        }
        System.out.println("suite: G17 tracked-blocks=" + hot + " seen=" + hot + " random-single-writes=" + tries
                + " seen=" + seen + " sample=" + print.blocks().size() + "-of-" + UNITS + " seed=" + SEED);
    }

    /** As ext4 ends its superblock: CRC32C over such a block is the same whatever it holds. */
    @Test
    void aBlockThatEndsWithItsOwnChecksumIsNoBlindSpot() throws Exception {
        writeSealed(0);
        Fingerprint print = take(generation());
        writeSealed(0);
        assertTrue(isSeen(print));
    }

    private void writeSealed(long unit) throws Exception {
        ByteBuffer block = ByteBuffer.allocate(Place.UNIT_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        random.nextBytes(block.array());
        CRC32C crc = new CRC32C();
        crc.update(block.array(), 0, Place.UNIT_BYTES - Integer.BYTES);
        block.putInt(Place.UNIT_BYTES - Integer.BYTES, (int) ~crc.getValue());
        crc.reset();
        crc.update(block.array());
        assertEquals(0xffff_ffffL, crc.getValue(), "the blind spot");
        main.write(unit * Place.UNIT_BYTES, block);
    }

    @Test
    void whatIsNotOnMainOrCannotBeReadIsUnknown() throws Exception {
        table = table.with(3, 1, Place.onSlot(0, 7, 0x0f, 0x10));
        table = table.with(4, 1, Place.zero(0));
        Fingerprint print = take(generation());
        for (int sector = 0; sector < 5; sector++) {
            change(3, sector);
        }
        change(4, 1);
        assertFalse(isSeen(print), "sectors of the spare, lost or zero");
        change(3, 6);
        assertTrue(isSeen(print), "a sector of the same unit on main");
    }

    @Test
    void aFingerprintOfAnotherMomentIsNotCompared() throws Exception {
        Fingerprint print = take(generation());
        change(0, 0);
        assertTrue(check(print).difference().isPresent());
        assertEquals(MainCheck.NONE, check(take(generation() - 1)));
        Fingerprint open = new Fingerprint(
                0, generation(), MAIN_BYTES, print.modifiedNanos(), 1, false, SECTOR_BYTES, print.blocks());
        assertEquals(MainCheck.NONE, check(open));
        Fingerprint changed = new Fingerprint(0, 0, 0, print.modifiedNanos(), 1, true, 0, List.of());
        assertTrue(check(changed).difference().orElseThrow().contains("served last"));
    }

    /** Main as a drive: what it gives for a discarded range may change by itself, if it takes discards at all. */
    private BlockDevice drive(BooleanSupplier discards) {
        DeviceTraits file = main.traits();
        DeviceTraits traits = new DeviceTraits(
                MAIN_BYTES, SECTOR_BYTES, Place.UNIT_BYTES, file.alignmentBytes(), true, false, false, false, true);
        return (BlockDevice) Proxy.newProxyInstance(
                BlockDevice.class.getClassLoader(),
                new Class<?>[] {BlockDevice.class},
                (proxy, method, arguments) -> switch (method.getName()) {
                    case "traits" -> traits;
                    case "discards" -> discards.getAsBoolean();
                    default -> method.invoke(main, arguments);
                });
    }

    /** As fstrim does: thousands of ranges, none of them in an edge. */
    private void discardEveryOtherUnit(TrackedDevice tracked) throws Exception {
        for (long unit = RecentWrites.EDGE_UNITS + 1; unit < UNITS - RecentWrites.EDGE_UNITS; unit += 2) {
            tracked.discard(unit * Place.UNIT_BYTES, Place.UNIT_BYTES);
        }
    }

    @Test
    void whatWasDiscardedIsLeftToTheDriveButNotWhatIsWrittenSince() throws Exception {
        TrackedDevice tracked = TrackedDevice.of(drive(() -> true));
        tracked.watch(recent);
        writeThroughUs(tracked, 2000);
        writeThroughUs(tracked, 4001);
        discardEveryOtherUnit(tracked);
        writeThroughUs(tracked, 3001);
        tracked.write(5001L * Place.UNIT_BYTES, ByteBuffer.allocate(SECTOR_BYTES));
        Fingerprint print = takeOf(tracked, generation());
        List<Long> units = print.blocks().stream().map(Block::unit).toList();
        assertFalse(units.contains(4001L), "discarded after it was written");
        assertFalse(units.contains(5001L), "the rest of it is as it was discarded");
        assertTrue(units.contains(2000L) && units.contains(3001L));
        for (long edge = 0; edge < RecentWrites.EDGE_UNITS; edge++) {
            assertTrue(units.contains(edge) && units.contains(UNITS - 1 - edge), "edge " + edge);
        }
        change(3001, 1);
        assertTrue(isSeen(print));
    }

    @Test
    void aDriveThatRefusesDiscardsChangesNothingByThem() throws Exception {
        boolean[] discards = {true};
        BlockDevice drive = drive(() -> discards[0]);
        TrackedDevice tracked = TrackedDevice.of(drive);
        tracked.watch(recent);
        writeThroughUs(tracked, 4001);
        discards[0] = false;
        discardEveryOtherUnit(tracked);
        assertEquals(List.of(4001L), recent.newestFirst());
        Fingerprint print = takeOf(tracked, generation());
        assertTrue(print.blocks().size() > 2 * RecentWrites.EDGE_UNITS + Fingerprint.RANDOM_BLOCKS * 9 / 10);
        change(4001, 1);
        assertTrue(isSeen(print));
    }

    @Test
    void aMainOfWhichNoBlockCouldBeComparedIsNotCalledUnchanged() throws Exception {
        Fingerprint print = take(generation());
        assertEquals("unchanged", stateAfterComparing(print, false));
        Fingerprint empty =
                new Fingerprint(5, 1, MAIN_BYTES, print.modifiedNanos(), SEED, false, SECTOR_BYTES, List.of());
        assertEquals("unknown", stateAfterComparing(empty, true));
    }

    private String stateAfterComparing(Fingerprint print, boolean isTold) throws Exception {
        VirtualDisk disk = VirtualDisk.open(
                new DiskParts(
                        "disk",
                        main,
                        List.of(),
                        Optional.empty(),
                        new SimpleFaultPolicy(),
                        new IoEngine() {
                            @Override
                            public void submit(DeviceIo io) {
                                io.run();
                            }

                            @Override
                            public void close() {}
                        },
                        new TrackingBufferPool(1 << 20),
                        environment,
                        true,
                        0,
                        LedgerLimits.USUAL),
                0);
        MainCheck before = new MainCheck(Optional.of(print), Optional.empty(), 0, print.blocks());
        MainComparison comparison = new MainComparison(disk, TrackedDevice.of(main), before, environment);
        comparison.start(() -> {});
        Supplier<Object> state = comparison.attributes().get(0).get();
        scheduler.runUntil(() -> !state.get().equals("comparing"));
        assertEquals(isTold, comparison.foundNow().isPresent());
        return state.get().toString();
    }

    @Test
    void whatIsWatchedIsKnownToBeWritten() {
        List<Long> watched = random.longs(2000, 0, 1L << 36).boxed().toList();
        recent.watch(watched);
        for (long unit : watched) {
            assertFalse(recent.wasWritten(unit));
        }
        TrackedDevice tracked = TrackedDevice.of(main);
        tracked.watch(recent);
        recent.watch(List.of(10L, 11L, 5000L));
        assertFalse(recent.wasWritten(11));
        assertTrue(recent.wasWritten(12), "nobody watched it");
        org.junit.jupiter.api.Assertions.assertDoesNotThrow(() -> writeThroughUs(tracked, 11));
        assertFalse(recent.wasWritten(10));
        assertTrue(recent.wasWritten(11));
        org.junit.jupiter.api.Assertions.assertDoesNotThrow(() -> tracked.discard(0, MAIN_BYTES));
        assertTrue(recent.wasWritten(10) && recent.wasWritten(5000));
    }

    @Test
    void whatWasRecentInAnEarlierRunIsOlder() throws Exception {
        recent.restore(List.of(100L, 200L, 300L));
        TrackedDevice tracked = TrackedDevice.of(main);
        tracked.watch(recent);
        writeThroughUs(tracked, 7);
        writeThroughUs(tracked, 200);
        assertEquals(List.of(200L, 7L, 100L, 300L), recent.newestFirst());
    }

    @Test
    void anythingElseInTheSectionIsNoFingerprint() throws Exception {
        Fingerprint print = take(1);
        assertEquals(Optional.of(print), Fingerprint.find(Map.of(Fingerprint.SECTION, print.encode())));
        byte[] bytes = print.encode();
        for (int cut = 0; cut < 100; cut++) {
            byte[] shorter = java.util.Arrays.copyOf(bytes, random.nextInt(bytes.length));
            assertEquals(Optional.empty(), Fingerprint.find(Map.of(Fingerprint.SECTION, shorter)));
        }
        for (int i = 0; i < 1000; i++) {
            byte[] noise = bytes.clone();
            noise[random.nextInt(56)] ^= (byte) (1 << random.nextInt(8));
            Fingerprint.find(Map.of(Fingerprint.SECTION, noise));
        }
    }
}
