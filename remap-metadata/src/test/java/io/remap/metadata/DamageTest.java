package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

/**
 * Any one copy of anything damaged: recovered. Both copies: noticed, and never a wrong table. What cannot be read is never
 * taken as absent.
 */
class DamageTest {
    private static final long SEED = Long.getLong("remap.seed", 20240513L);
    private static final int BLOCK = Block.BYTES;

    private final LogMetadataProvider provider = new LogMetadataProvider(8);
    private final Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, BLOCK, 8);
    private final CrashDevice spare;
    private final String expected;

    /** A spare whose table has two blocks, and whose log three after BEGIN. */
    DamageTest() throws Exception {
        spare = Bench.formatted(8);
        Opened opened = Bench.open(provider, spare, false, 1);
        for (int i = 0; i < 200; i++) {
            opened.commit(Bench.map(2L * i, i));
        }
        opened.close();
        opened = Bench.open(provider, spare, false, 2);
        for (int i = 200; i < 203; i++) {
            opened.commit(Bench.map(2L * i, i));
        }
        expected = Bench.text(opened.store().table());
    }

    /** All blocks of the metadata that hold something. */
    private List<Long> writtenBlocks(long from, long to) {
        List<Long> blocks = new ArrayList<>();
        for (long at = from; at < to; at += BLOCK) {
            ByteBuffer block = ByteBuffer.wrap(spare.peek(at, BLOCK)).order(ByteOrder.LITTLE_ENDIAN);
            if (!Block.isZero(block, 0, BLOCK)) {
                blocks.add(at);
            }
        }
        return blocks;
    }

    private List<Long> allBlocks() {
        List<Long> blocks = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            blocks.add(Layout.identityOffset(i, Bench.SPARE_BYTES));
            long arena = layout.arenaOffsets().of(i / 2, i % 2);
            blocks.addAll(writtenBlocks(arena, arena + layout.arenaBytes()));
        }
        return blocks;
    }

    private static void zero(CrashDevice device, long at) {
        device.poke(at, new byte[BLOCK]);
    }

    private static void garbage(CrashDevice device, long at) {
        byte[] bytes = new byte[BLOCK];
        new Random(SEED + at).nextBytes(bytes);
        device.poke(at, bytes);
    }

    private static void misplaced(CrashDevice device, long at) {
        device.poke(at, device.peek(at + BLOCK, BLOCK));
    }

    @Test
    void anyOneBlockDamagedIsRecovered() throws Exception {
        List<BiConsumer<CrashDevice, Long>> damages = List.of(
                DamageTest::zero,
                DamageTest::garbage,
                DamageTest::misplaced,
                (device, at) -> device.makeUnreadable(at, BLOCK),
                (device, at) -> device.flipBit(at + Math.floorMod(at, 4093L), 3));
        int tried = 0;
        for (long at : allBlocks()) {
            for (BiConsumer<CrashDevice, Long> damage : damages) {
                CrashDevice damaged = spare.copy();
                damage.accept(damaged, at);
                assertEquals(expected, Bench.text(open(damaged, false)), "block at " + at);
                tried++;
            }
        }
        assertTrue(tried > 100, "only " + tried);
    }

    @Test
    void everyBitOfAHeaderAndALogBlockCounts() throws Exception {
        ArenaCopy copy = activeArena()[0];
        for (long at : new long[] {copy.headerOffset(0), copy.offset(copy.logBody(2))}) {
            for (int bit = 0; bit < BLOCK * 8; bit += 29) {
                CrashDevice damaged = spare.copy();
                damaged.flipBit(at + bit / 8, bit % 8);
                assertEquals(expected, Bench.text(open(damaged, true)), "bit " + bit + " of the block at " + at);
            }
        }
    }

    private static RemapTable open(CrashDevice device, boolean readOnly) throws Exception {
        return Bench.open(new LogMetadataProvider(8), device, readOnly, SEED)
                .store()
                .table();
    }

    private ArenaCopy[] activeArena() throws Exception {
        BlockIo io = new BlockIo(spare.copy(), BLOCK);
        Headers headers = Headers.read(io, layout, Bench.PAIR.pairUuid());
        return Formatter.arena(layout, headers.candidates().get(0).arena);
    }

    private void damageBoth(CrashDevice device, int body, BiConsumer<CrashDevice, Long> damage) throws Exception {
        for (ArenaCopy copy : activeArena()) {
            damage.accept(device, body < 0 ? copy.headerOffset(0) : copy.offset(body));
        }
    }

    private void assertRefused(CrashDevice device, String why) {
        Refusal refusal = assertThrows(Refusal.class, () -> open(device, false));
        assertEquals(Refusal.Kind.DAMAGED, refusal.kind());
        assertTrue(refusal.getMessage().startsWith("spare: "), refusal.getMessage());
        assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
        long writes = device.operations(CrashDevice.Operation.WRITE);
        assertEquals(0, writes, "a refusal writes nothing");
    }

    @Test
    void bothCopiesOfATableBlockDamagedIsRefused() throws Exception {
        for (BiConsumer<CrashDevice, Long> damage : List.<BiConsumer<CrashDevice, Long>>of(
                DamageTest::garbage, (device, at) -> device.makeUnreadable(at, BLOCK))) {
            CrashDevice damaged = spare.copy();
            damageBoth(damaged, 1, damage);
            assertRefused(damaged, "is damaged in both copies");
        }
    }

    @Test
    void unreadableHeadersAreNotAbsentOnes() throws Exception {
        CrashDevice damaged = spare.copy();
        damageBoth(damaged, -1, (device, at) -> device.makeUnreadable(at, BLOCK));
        // Its log tells that it was in force.
        assertRefusedAlsoForReading(damaged, "whose header is damaged in both copies");
        damageBoth(damaged, activeArena()[0].logBody(0), (device, at) -> device.makeUnreadable(at, BLOCK));
        assertRefused(damaged, "a newer state of the mappings may stand there");
        CrashDevice mixed = spare.copy();
        ArenaCopy[] arena = activeArena();
        mixed.makeUnreadable(arena[0].headerOffset(0), BLOCK);
        garbage(mixed, arena[1].headerOffset(0));
        assertRefusedAlsoForReading(mixed, "whose header is damaged in both copies");
    }

    /** One copy that says which generation began in an arena is enough, where two power cuts have made its headers unreadable. */
    @Test
    void headersThatCannotBeReadHideNothingWhereTheLogTellsSo() throws Exception {
        ArenaCopy[] other = Formatter.arena(layout, 1 - activeArena()[0].arena);
        CrashDevice torn = spare.copy();
        for (ArenaCopy copy : other) {
            torn.makeUnreadableUntilWritten(copy.headerOffset(0), BLOCK);
        }
        for (ArenaCopy copy : other) {
            CrashDevice half = torn.copy();
            half.makeUnreadableUntilWritten(copy.offset(copy.logBody(0)), BLOCK);
            assertEquals(expected, Bench.text(open(half, false)));
            assertEquals(expected, Bench.text(open(half, false)));
        }
        // The block that stands for BEGIN may be any of the reserve.
        CrashDevice unknown = torn.copy();
        unknown.makeUnreadableUntilWritten(other[0].reserveOffset(0), BLOCK);
        unknown.makeUnreadableUntilWritten(other[1].offset(other[1].logBody(0)), BLOCK);
        assertRefused(unknown, "a newer state of the mappings may stand there");
        // What is left of a BEGIN tells nothing.
        CrashDevice broken = torn.copy();
        open(spare, false);
        for (ArenaCopy copy : other) {
            long at = copy.offset(copy.logBody(0));
            broken.poke(at, spare.peek(at, BLOCK));
            broken.flipBit(at + 2000, 1);
        }
        assertRefused(broken, "a newer state of the mappings may stand there");
    }

    /** An older generation is whole in the other arena, and is not taken: its sectors would be the wrong ones. */
    @Test
    void bothHeadersOfTheGenerationInForceDamagedIsRefused() throws Exception {
        List<BiConsumer<CrashDevice, Long>> damages = List.of(
                DamageTest::zero,
                DamageTest::garbage,
                DamageTest::misplaced,
                (device, at) -> device.flipBit(at + 77, 3),
                (device, at) -> device.makeUnreadable(at, BLOCK));
        for (BiConsumer<CrashDevice, Long> first : damages) {
            for (BiConsumer<CrashDevice, Long> second : damages) {
                ArenaCopy[] arena = activeArena();
                CrashDevice damaged = spare.copy();
                first.accept(damaged, arena[0].headerOffset(0));
                second.accept(damaged, arena[1].headerOffset(0));
                assertRefusedAlsoForReading(damaged, "whose header is damaged in both copies");
                // One copy of BEGIN is enough.
                garbage(damaged, arena[1].offset(arena[1].logBody(0)));
                assertRefusedAlsoForReading(damaged, "whose header is damaged in both copies");
            }
        }
    }

    @Test
    void staleHeadersAreNotTakenForTheNewest() throws Exception {
        // Two openings later the same arena is in force again; then both copies of its header are what they were
        // before.
        CrashDevice later = spare.copy();
        open(later, false);
        open(later, false);
        CrashDevice damaged = later.copy();
        for (ArenaCopy copy : activeArena()) {
            damaged.poke(copy.headerOffset(0), spare.peek(copy.headerOffset(0), BLOCK));
        }
        assertRefusedAlsoForReading(damaged, "whose header is damaged in both copies");
    }

    @Test
    void aTableOfAGenerationWithoutChangesDamagedInBothCopiesIsRefused() throws Exception {
        CrashDevice opened = spare.copy();
        open(opened, false);
        CrashDevice damaged = opened.copy();
        for (ArenaCopy copy : Formatter.arena(layout, 1 - activeArena()[0].arena)) {
            garbage(damaged, copy.offset(0));
        }
        assertRefusedAlsoForReading(damaged, "is damaged in both copies");
    }

    @Test
    void aReplacedBeginIsFoundToo() throws Exception {
        CrashDevice device = spare.copy();
        ArenaCopy[] next = Formatter.arena(layout, 1 - activeArena()[0].arena);
        for (ArenaCopy copy : next) {
            device.makeUnwritable(copy.offset(copy.logBody(0)), BLOCK);
        }
        open(device, false);
        assertEquals(expected, Bench.text(open(device, true)));
        CrashDevice damaged = device.copy();
        for (ArenaCopy copy : next) {
            garbage(damaged, copy.headerOffset(0));
        }
        assertRefusedAlsoForReading(damaged, "whose header is damaged in both copies");
    }

    private void assertRefusedAlsoForReading(CrashDevice device, String why) {
        assertRefused(device, why);
        Refusal refusal = assertThrows(Refusal.class, () -> open(device, true));
        assertTrue(refusal.getMessage().contains(why), refusal.getMessage());
    }

    @Test
    void theEndOfTheLogIsNotGuessed() throws Exception {
        ArenaCopy[] arena = activeArena();
        int last = arena[0].logBody(3);
        // Unreadable in both copies: a committed block may have stood there.
        CrashDevice unreadable = spare.copy();
        damageBoth(unreadable, last, (device, at) -> device.makeUnreadable(at, BLOCK));
        assertRefused(unreadable, "log block 4 of generation");
        assertEquals(202, open(unreadable, true).extents());
        // Torn in one copy and unreadable in the other: as before.
        CrashDevice torn = spare.copy();
        torn.flipBit(arena[0].offset(last) + 2000, 1);
        torn.makeUnreadable(arena[1].offset(last), BLOCK);
        assertRefused(torn, "log block 4 of generation");
        // The first place that was never written may be unreadable in one copy.
        CrashDevice fresh = spare.copy();
        fresh.makeUnreadable(arena[1].offset(last + 1), BLOCK);
        assertEquals(expected, Bench.text(open(fresh, false)));
    }

    @Test
    void aHoleInTheLogIsCorruption() throws Exception {
        CrashDevice damaged = spare.copy();
        damageBoth(damaged, activeArena()[0].logBody(2), DamageTest::zero);
        assertRefused(damaged, "is damaged in both copies, and later ones are not");
        assertEquals(201, open(damaged, true).extents());
    }

    @Test
    void superblocksNeedAQuorumAndAreRepaired() throws Exception {
        for (int keep = 0; keep < 4; keep++) {
            for (int also = 0; also < 4; also++) {
                CrashDevice damaged = spare.copy();
                for (int i = 0; i < 4; i++) {
                    if (i != keep && i != also) {
                        garbage(damaged, Layout.identityOffset(i, Bench.SPARE_BYTES));
                    }
                }
                if (keep == also) {
                    assertRefused(
                            damaged, "only one superblock of four is whole; 'remap repair spare' makes the others");
                    assertEquals(expected, Bench.text(open(damaged, true)));
                } else {
                    open(damaged, false);
                    assertEquals(4, Identities.read(damaged).count(Identities.State.WHOLE));
                }
            }
        }
    }

    /** What a newer program with a compatible feature has written stays in the copies that this one makes. */
    @Test
    void aRepairedSuperblockKeepsWhatThisProgramDoesNotKnow() throws Exception {
        int unknownAt = 1000;
        CrashDevice newer = spare.copy();
        for (int i = 0; i < 4; i++) {
            long at = Layout.identityOffset(i, Bench.SPARE_BYTES);
            ByteBuffer block = ByteBuffer.wrap(newer.peek(at, BLOCK)).order(ByteOrder.LITTLE_ENDIAN);
            block.putInt(Superblock.COMPAT_AT, 1 << 30).putLong(unknownAt, 0x1234);
            Block.seal(block, at);
            newer.poke(at, block.array());
        }
        long lost = Layout.identityOffset(2, Bench.SPARE_BYTES);
        garbage(newer, lost);
        assertEquals(expected, Bench.text(open(newer, false)));
        ByteBuffer repaired = ByteBuffer.wrap(newer.peek(lost, BLOCK)).order(ByteOrder.LITTLE_ENDIAN);
        assertTrue(Block.isSealed(repaired, lost));
        assertEquals(0x1234, repaired.getLong(unknownAt));
        assertFalse(Identities.read(newer).disagree());
        // One that differs in what is not known is of another spare, as far as this program can tell.
        repaired.putLong(unknownAt, 0x1235);
        Block.seal(repaired, lost);
        newer.poke(lost, repaired.array());
        assertRefused(newer.copy(), "superblocks contradict each other");
    }

    @Test
    void mixedSparesAreRefused() throws Exception {
        CrashDevice mixed = spare.copy();
        CrashDevice other = new CrashDevice("other", Bench.SPARE_BYTES, 512);
        provider.format(
                other,
                new PairIdentity(new UUID(9, 9), Bench.MAIN_BYTES, 512, "y"),
                Bench.environment(new Bench.Tasks(), 5));
        mixed.poke(Layout.identityOffset(3, Bench.SPARE_BYTES), other.peek(Bench.SPARE_BYTES - 65536, BLOCK));
        assertRefused(mixed, "superblocks contradict each other");
        assertEquals(SpareContent.Kind.DAMAGED, provider.inspect(mixed).kind());
    }

    @Test
    void anUnknownFeatureIsRefusedOrReadOnly() throws Exception {
        for (int field :
                new int[] {Superblock.MAJOR_AT, Superblock.INCOMPAT_AT, Superblock.RO_COMPAT_AT, Superblock.COMPAT_AT
                }) {
            CrashDevice newer = spare.copy();
            for (int i = 0; i < 4; i++) {
                long at = Layout.identityOffset(i, Bench.SPARE_BYTES);
                ByteBuffer block = ByteBuffer.wrap(newer.peek(at, BLOCK)).order(ByteOrder.LITTLE_ENDIAN);
                block.put(field, (byte) 0x40);
                Block.seal(block, at);
                newer.poke(at, block.array());
            }
            boolean tooNew = field == Superblock.MAJOR_AT || field == Superblock.INCOMPAT_AT;
            assertEquals(
                    tooNew ? SpareContent.Kind.TOO_NEW : SpareContent.Kind.SPARE,
                    provider.inspect(newer).kind());
            if (tooNew) {
                assertRefused(newer, "this program knows format 1.1");
                assertThrows(Refusal.class, () -> open(newer, true));
            } else if (field == Superblock.RO_COMPAT_AT) {
                assertRefused(newer, "serve it with --read-only");
                assertEquals(expected, Bench.text(open(newer, true)));
            } else {
                assertEquals(expected, Bench.text(open(newer, false)));
            }
        }
    }

    @Test
    void aDeviceThatIsGoneIsAnErrorAndNotDamage() throws Exception {
        CrashDevice gone = spare.copy();
        gone.failFrom(0, Errno.ENODEV);
        assertThrows(DeviceException.class, () -> open(gone, false));
        assertThrows(DeviceException.class, () -> open(gone, true));
        assertThrows(DeviceException.class, () -> provider.inspect(gone));
        CrashDevice healthy = spare.copy();
        open(healthy, false);
        for (long operation = 1; operation < healthy.operations(); operation++) {
            CrashDevice later = spare.copy();
            later.failFrom(operation, Errno.ENODEV);
            assertThrows(DeviceException.class, () -> open(later, false), "gone at operation " + operation);
        }
    }

    /** The rule that an unreadable block is no empty one, broken by the device: the checks above must notice. */
    @Test
    void noticesADeviceThatGivesZerosForWhatItCannotRead() throws Exception {
        CrashDevice lying = spare.copy();
        damageBoth(lying, activeArena()[0].logBody(3), DamageTest::zero);
        assertEquals(202, open(lying, false).extents(), "a commit is lost without a word");
    }
}
