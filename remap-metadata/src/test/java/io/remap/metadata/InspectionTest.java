package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SpareContent.Kind;
import io.remap.api.spi.SparePlan;
import io.remap.testkit.CrashDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What may be formatted and what not, and how much a spare offers. */
class InspectionTest {
    private final LogMetadataProvider provider = new LogMetadataProvider();

    private static CrashDevice blank() {
        return new CrashDevice("spare", Bench.SPARE_BYTES, 512);
    }

    /** Puts text at an offset. */
    private static void put(CrashDevice device, long offset, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        long start = offset / 512 * 512;
        int length = (int) ((offset + bytes.length - start + 511) / 512 * 512);
        byte[] sectors = device.peek(start, length);
        System.arraycopy(bytes, 0, sectors, (int) (offset - start), bytes.length);
        device.poke(start, sectors);
    }

    @Test
    void zerosAreBlankAndAFormatMakesASpare() throws Exception {
        CrashDevice device = blank();
        assertEquals(Kind.BLANK, provider.inspect(device).kind());
        assertEquals(0, device.operations(CrashDevice.Operation.WRITE));
        provider.format(device, Bench.PAIR, Bench.environment(new Bench.Tasks(), 1));
        SpareContent content = provider.inspect(device);
        assertEquals(Kind.SPARE, content.kind());
        assertEquals(Bench.PAIR, content.pair().orElseThrow());
    }

    /** Asked of a main, which may be failing, and may be no spare at all. */
    @Test
    void knowsASpareByItsSuperblocksAlone() throws Exception {
        CrashDevice device = blank();
        assertEquals(Optional.empty(), provider.pairOnSpare(device));
        provider.format(device, Bench.PAIR, Bench.environment(new Bench.Tasks(), 1));
        assertEquals(Optional.of(Bench.PAIR), provider.pairOnSpare(device));
        device.makeUnreadable(0, Bench.SPARE_BYTES / 2);
        assertEquals(Optional.of(Bench.PAIR), provider.pairOnSpare(device));
        device.makeUnreadable(0, Bench.SPARE_BYTES);
        assertEquals(Optional.empty(), provider.pairOnSpare(device));
        device.failFrom(0, Errno.ENODEV);
        assertThrows(DeviceException.class, () -> provider.pairOnSpare(device));
        assertEquals(Optional.empty(), provider.pairOnSpare(new CrashDevice("tiny", 4096, 512)));
    }

    /** Served as a main it would be damaged for good. */
    @Test
    void aSpareThatDescribesWhatCannotBeIsASpareAllTheSame() throws Exception {
        CrashDevice device = blank();
        provider.format(device, Bench.PAIR, Bench.environment(new Bench.Tasks(), 1));
        for (int i = 0; i < Identities.COUNT; i++) {
            long at = Layout.identityOffset(i, Bench.SPARE_BYTES);
            ByteBuffer block = ByteBuffer.wrap(device.peek(at, Block.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
            block.putInt(Superblock.MAIN_SECTOR_AT, 100);
            Block.seal(block, at);
            device.poke(at, block.array());
        }
        Refusal refusal = assertThrows(Refusal.class, () -> provider.pairOnSpare(device));
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0|XFSB|xfs",
                "65600|_BHRfS_M|btrfs",
                "3|NTFS    |ntfs",
                "82|FAT32   |vfat",
                "54|FAT16   |vfat",
                "4086|SWAPSPACE2|swap",
                "0|LUKS\u00ba\u00be|LUKS",
                "512|LABELONE|LVM physical volume",
                "4096|\u00fcN+\u00a9|md RAID member",
                "4128768|\u00fcN+\u00a9|md RAID member",
                "4186112|\u00fcN+\u00a9|md RAID member",
                "512|EFI PART|GPT partition table",
                "4193792|EFI PART|GPT partition table (second copy)",
                "510|U\u00aa|MBR partition table or boot sector",
                "135168|\u000c\u00b1\u00ba\u0000\u0000\u0000\u0000\u0000|zfs",
                "32769|CD001|iso9660",
                "0|QFI\u00fb|qcow2",
                "1080|S\u00ef|ext2",
                "100|hello|unknown content",
                "3000000|hello|unknown content",
                "4190000|hello|unknown content"
            },
            ignoreLeadingAndTrailingWhitespace = false)
    void whatSomebodyElseWroteIsForeign(long offset, String bytes, String name) throws Exception {
        CrashDevice device = blank();
        put(device, offset, bytes);
        SpareContent content = provider.inspect(device);
        assertEquals(Kind.FOREIGN, content.kind());
        assertEquals(name, content.detail());
        assertThrows(Refusal.class, () -> Bench.open(device));
    }

    @Test
    void tellsTheExtFamilyApart() throws Exception {
        CrashDevice device = blank();
        put(device, 1080, "S\u00ef");
        put(device, 1024 + 0x5c, "\u0004");
        assertEquals("ext3", provider.inspect(device).detail());
        put(device, 1024 + 0x60, "B");
        assertEquals("ext4", provider.inspect(device).detail());
    }

    @Test
    void whatCannotBeReadIsNotBlank() throws Exception {
        for (long at : new long[] {0, 1 << 20, Bench.SPARE_BYTES / 2, Bench.SPARE_BYTES - 512, 300_032}) {
            CrashDevice device = blank();
            device.makeUnreadable(at / 512 * 512, 512);
            SpareContent content = provider.inspect(device);
            assertEquals(Kind.UNREADABLE, content.kind(), "byte " + at);
            assertTrue(content.detail().contains("EIO"), content.detail());
        }
        CrashDevice gone = blank();
        gone.failFrom(0, Errno.ENODEV);
        assertThrows(DeviceException.class, () -> provider.inspect(gone));
    }

    @Test
    void anUnreadableSuperblockIsNoInterruptedFormat() throws Exception {
        // As a format leaves it when the power goes before the last two superblocks are written.
        CrashDevice device = Bench.formatted(0);
        BlockIo io = new BlockIo(device, 4096, 1);
        Identities.writeMarkers(io, Bench.PAIR.pairUuid(), Bench.SPARE_BYTES, 0, 1);
        assertEquals(Kind.SPARE, provider.inspect(device).kind());
        device.makeUnreadable(Layout.identityOffset(3, Bench.SPARE_BYTES), 4096);
        assertEquals(Kind.UNREADABLE, provider.inspect(device).kind());
        assertEquals(
                Refusal.Kind.DAMAGED,
                assertThrows(Refusal.class, () -> Bench.open(device)).kind());
    }

    @Test
    void damagedSuperblocksAreNotForeign() throws Exception {
        CrashDevice device = Bench.formatted(0);
        for (int i = 0; i < 4; i++) {
            device.flipBit(Layout.identityOffset(i, Bench.SPARE_BYTES) + 100, 1);
        }
        assertEquals(Kind.DAMAGED, provider.inspect(device).kind());
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096, 8192, 65536})
    void plansAnySize(int sectorBytes) throws Exception {
        int granule = Math.max(4096, sectorBytes);
        for (long size = 16L << 20; size <= 64L << 40; size = size * 3 + 512) {
            SparePlan plan = provider.plan(size, sectorBytes);
            Layout.plan(size, Layout.granule(sectorBytes)).check(size);
            long limit = Math.min(Layout.MAX_ENTRIES, plan.slots());
            assertTrue(plan.slots() > 0 && plan.mappingLimit() >= limit, size + ": " + plan);
            long unused = (size & -65536L) - plan.slots() * granule - plan.metadataBytes();
            assertTrue(unused >= 0 && (unused < 2L * granule || plan.slots() == Place.MAX_SLOT), size + ": " + plan);
            if (size >= 64L << 20 && sectorBytes <= 4096) {
                assertTrue(plan.metadataBytes() < size / 16, size + ": " + plan);
            }
        }
    }

    @Test
    void refusesTooSmallASpareAndSaysHowLargeItMustBe() throws Exception {
        Refusal refusal = assertThrows(Refusal.class, () -> provider.plan(1 << 20, 512));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertEquals("the spare is too small: it has 1 MiB, and needs at least 4 MiB", refusal.getMessage());
        assertTrue(provider.plan(4 << 20, 512).slots() >= 512);
        String needed =
                assertThrows(Refusal.class, () -> provider.plan(4 << 20, 65536)).getMessage();
        long enough = Long.parseLong(needed.replaceAll(".*at least (\\d+) MiB", "$1")) << 20;
        assertTrue(provider.plan(enough, 65536).slots() >= 64);
        assertThrows(Refusal.class, () -> provider.plan(enough - (1 << 20), 65536));
    }

    @Test
    void largeSectorsKeepSlotsApart() throws Exception {
        CrashDevice device = new CrashDevice("spare", 64 << 20, 512, 16384);
        provider.format(device, Bench.PAIR, Bench.environment(new Bench.Tasks(), 1));
        try (Bench.Opened opened = Bench.open(device)) {
            assertEquals(
                    16384, opened.store().slotOffsetBytes(1) - opened.store().slotOffsetBytes(0));
            opened.commit(Bench.map(1, 1));
        }
        assertEquals(1, Bench.open(device).store().table().extents());
    }

    @Test
    void aGrownSpareIsFoundAndATruncatedOneRefused() throws Exception {
        CrashDevice device = Bench.formatted(0);
        Bench.open(device).commit(Bench.map(1, 1));
        byte[] content = device.peek(0, (int) Bench.SPARE_BYTES);
        CrashDevice grown = new CrashDevice("spare", Bench.SPARE_BYTES * 2, 512);
        grown.poke(0, content);
        assertEquals(Kind.SPARE, provider.inspect(grown).kind());
        assertEquals(1, Bench.open(grown).store().table().extents());
        CrashDevice truncated = new CrashDevice("spare", Bench.SPARE_BYTES - 65536 * 4, 512);
        truncated.poke(0, Arrays.copyOf(content, (int) Bench.SPARE_BYTES - 65536 * 4));
        assertTrue(assertThrows(Refusal.class, () -> Bench.open(truncated))
                .getMessage()
                .contains("it was truncated"));
    }

    @Test
    void tellsTheOthersOfTheExtFamilyToo() throws Exception {
        CrashDevice device = blank();
        put(device, 1080, "S\u00ef");
        put(device, 1024 + 0x60, "\b");
        assertEquals("ext journal", provider.inspect(device).detail());
        // The number of an uberblock in the other byte order.
        CrashDevice zfs = blank();
        put(zfs, 135168, "\u0000\u0000\u0000\u0000\u0000\u00ba\u00b1\u000c");
        assertEquals("zfs", provider.inspect(zfs).detail());
    }

    /** Smaller than what is looked at, and with an end that fills no block. */
    @ParameterizedTest
    @ValueSource(longs = {512, 1024, 4096, 4608, 65536, 131584, 1 << 20, (5 << 20) + 512, (12 << 20) + 1536})
    void aDeviceOfAnySizeIsLookedAtToItsEnd(long size) throws Exception {
        CrashDevice zeros = new CrashDevice("small", size, 512);
        assertEquals(Kind.BLANK, provider.inspect(zeros).kind());
        long last = size - 512;
        CrashDevice end = new CrashDevice("small", size, 512);
        put(end, last, "hello");
        // Where there is no whole block nothing could ever be put.
        boolean seen = size >= Block.BYTES;
        assertEquals(seen ? Kind.FOREIGN : Kind.BLANK, provider.inspect(end).kind(), "its last sector");
        CrashDevice boot = new CrashDevice("small", size, 512);
        put(boot, 510, "U\u00aa");
        assertEquals(
                "MBR partition table or boot sector", provider.inspect(boot).detail());
        if (size >= 8192) {
            CrashDevice swap = new CrashDevice("small", size, 512);
            put(swap, 4086, "SWAPSPACE2");
            assertEquals("swap", provider.inspect(swap).detail());
        }
    }

    @Test
    void aMiddleOrAnEndThatIsNotZeroIsForeign() throws Exception {
        long size = Inspection.ZERO_WHOLE_BYTES + (4 << 20);
        for (long at : new long[] {(130 << 20) + 8192, size - (2 << 20), size - 512}) {
            CrashDevice device = new CrashDevice("large", size, 512);
            put(device, at, "hello");
            SpareContent content = provider.inspect(device);
            assertEquals(Kind.FOREIGN, content.kind(), "byte " + at);
            assertEquals("unknown content", content.detail());
        }
        // Between what is looked at anything may stand that says nothing of itself.
        CrashDevice device = new CrashDevice("large", size, 512);
        put(device, 12 << 20, "hello");
        assertEquals(Kind.BLANK, provider.inspect(device).kind());
    }

    @ParameterizedTest
    @ValueSource(longs = {32 << 20, 12 << 20, Inspection.ZERO_WHOLE_BYTES})
    void aSmallDeviceIsReadToItsEnd(long size) throws Exception {
        for (long at = 4096; at < size; at += size / 13 + 4096) {
            CrashDevice device = new CrashDevice("small", size, 512);
            put(device, at, "hello");
            assertEquals(Kind.FOREIGN, provider.inspect(device).kind(), "byte " + at);
            CrashDevice bad = new CrashDevice("small", size, 512);
            bad.makeUnreadable(at / 512 * 512, 512);
            assertEquals(Kind.UNREADABLE, provider.inspect(bad).kind(), "byte " + at);
        }
    }

    /** On a large spare that is far from its ends and its middle. */
    @ParameterizedTest
    @ValueSource(longs = {64L << 20, 300L << 20, 3L << 30, 1L << 40})
    void whereAFormatAndTheFirstCommitsWriteOnlyZerosAreBlank(long size) throws Exception {
        CrashDevice device = new CrashDevice("large", size, 512);
        List<Long> written = new ArrayList<>();
        device.observe((operation, offset, length) -> {
            if (operation == CrashDevice.Operation.WRITE) {
                written.add(offset);
            }
        });
        provider.format(device, Bench.PAIR, Bench.environment(new Bench.Tasks(), 1));
        for (int opening = 0; opening < 3; opening++) {
            try (Bench.Opened opened = Bench.open(device)) {
                opened.commit(Bench.map(1 + opening, 1 + opening));
            }
        }
        assertTrue(written.size() > 20, written.toString());
        for (long at : Set.copyOf(written)) {
            CrashDevice other = new CrashDevice("large", size, 512);
            put(other, at + 600, "hello");
            assertEquals(Kind.FOREIGN, provider.inspect(other).kind(), "byte " + at);
            CrashDevice bad = new CrashDevice("large", size, 512);
            bad.makeUnreadable(at, 512);
            assertEquals(Kind.UNREADABLE, provider.inspect(bad).kind(), "byte " + at);
        }
    }

    /** A start that was wiped says nothing of the rest. */
    @Test
    void samplesFindWhatFillsASixtyFourthOfADevice() throws Exception {
        long size = 260 << 20;
        int share = (int) (size / Inspection.ZERO_SAMPLES);
        for (long at = 0; at + share <= size; at += 13 << 20) {
            CrashDevice device = new CrashDevice("large", size, 512);
            byte[] data = new byte[share];
            Arrays.fill(data, (byte) 1);
            device.poke(at, data);
            assertEquals(Kind.FOREIGN, provider.inspect(device).kind(), "from byte " + at);
        }
    }

    /** It is asked of each blank spare, and a failing disk answers slowly. */
    @Test
    void readsLittleOfALargeDevice() throws Exception {
        CrashDevice device = new CrashDevice("large", 1L << 40, 512);
        long[] read = new long[2];
        device.observe((operation, offset, length) -> {
            read[0]++;
            read[1] += length;
        });
        assertEquals(Kind.BLANK, provider.inspect(device).kind());
        assertTrue(read[0] < 250 && read[1] < 24 << 20, Arrays.toString(read));
    }

    @ParameterizedTest
    @CsvSource({"512, 4096", "4096, 4096", "16384, 16384", "65536, 65536", "131072, 4096", "520, 4096", "0, 4096"})
    void theGranuleIsASectorThatCanBeOne(int sectorBytes, int granuleBytes) {
        assertEquals(granuleBytes, Layout.granule(sectorBytes));
    }

    @Test
    void aMarkThatIsNotWholeIsNone() throws Exception {
        CrashDevice device = Bench.formatted(0);
        Identities.writeMarkers(new BlockIo(device, 4096, 1), Bench.PAIR.pairUuid(), Bench.SPARE_BYTES, 0, 1, 2, 3);
        assertEquals(Kind.BLANK, provider.inspect(device).kind());
        for (int i = 0; i < 4; i++) {
            device.flipBit(Layout.identityOffset(i, Bench.SPARE_BYTES) + 20, 1);
        }
        assertEquals(0, Identities.read(device).count(Identities.State.MARKER));
        assertEquals(Kind.FOREIGN, provider.inspect(device).kind());
        Refusal refusal = assertThrows(Refusal.class, () -> Bench.open(device));
        assertTrue(refusal.getMessage().contains("it was never formatted"), refusal.getMessage());
    }
}
