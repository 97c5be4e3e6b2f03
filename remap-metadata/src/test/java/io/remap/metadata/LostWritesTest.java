package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.FeatureState;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.function.LongPredicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A device that says that it has written and has not, or something else: a new generation counts only as it reads back. */
class LostWritesTest {
    private static final int LOG_BLOCKS = 4;

    private final Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, Block.BYTES, LOG_BLOCKS);
    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private CrashDevice spare;
    private Opened opened;

    @BeforeEach
    void open() throws Exception {
        spare = Bench.formatted(LOG_BLOCKS);
        opened = Bench.open(provider, spare, false, 1);
        assertEquals(Outcome.DURABLE, opened.commit(Bench.map(1, 1)));
    }

    /** Blocks that begin so, where these places are, are something else by the time that they are read back. */
    private void spoilWhatIsWritten(long magic, LongPredicate where, Consumer<ByteBuffer> spoil) {
        List<Long> written = new ArrayList<>();
        spare.observe((operation, offset, length) -> {
            if (operation == Operation.WRITE && where.test(offset)) {
                written.add(offset);
            }
            if (operation == Operation.FLUSH) {
                for (long at : written) {
                    ByteBuffer block = Forge.block(spare, at);
                    if (block.getLong(Block.MAGIC_AT) == magic) {
                        spoil.accept(block);
                        Forge.put(spare, at, block);
                    }
                }
                written.clear();
            }
        });
    }

    private static void zero(ByteBuffer block) {
        block.put(0, new byte[Block.BYTES]);
    }

    static Stream<Arguments> spoiled() {
        Consumer<ByteBuffer> zeros = LostWritesTest::zero;
        Consumer<ByteBuffer> older = block -> block.putLong(Block.GENERATION_AT, 1);
        Consumer<ByteBuffer> ofAnotherTable = block -> block.putInt(ArenaHeader.TABLE_CRC_AT, 4711);
        Consumer<ByteBuffer> ofAnotherServer = block -> Block.putUuid(block, ArenaHeader.SESSION_AT, new UUID(6, 6));
        return Stream.of(
                Arguments.of("a header is lost", ArenaHeader.MAGIC, zeros),
                Arguments.of("an older header is back", ArenaHeader.MAGIC, older),
                Arguments.of("a header of another table", ArenaHeader.MAGIC, ofAnotherTable),
                Arguments.of("a header of another server", ArenaHeader.MAGIC, ofAnotherServer),
                Arguments.of("a block of the table is lost", TableBlock.MAGIC, zeros),
                Arguments.of("an older block of the table is back", TableBlock.MAGIC, older),
                Arguments.of("the beginning of the log is lost", LogBlock.MAGIC, zeros),
                Arguments.of("an older beginning is back", LogBlock.MAGIC, older));
    }

    /** One place of each block keeps nothing: another one is taken, and no commit is lost by it. */
    @ParameterizedTest
    @MethodSource("spoiled")
    void aPlaceThatKeepsNothingIsReplaced(String what, long magic, Consumer<ByteBuffer> spoil) throws Exception {
        List<Long> places = new ArrayList<>();
        for (int arena = 0; arena < 2; arena++) {
            ArenaCopy copy = Formatter.arena(layout, arena)[1];
            places.addAll(List.of(
                    copy.headerOffset(0), copy.offset(0), copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION))));
        }
        spoilWhatIsWritten(magic, places::contains, spoil);
        for (int i = 2; i < 12; i++) {
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(2L * i, i)), what);
        }
        assertEquals(FeatureState.STARTED, opened.store().status().state());
        spare.observe(null);
        // The copy on the bad places is needed when the other one is gone.
        CrashDevice left = spare.crashKeeping(sector -> false);
        for (int arena = 0; arena < 2; arena++) {
            ArenaCopy copy = Formatter.arena(layout, arena)[0];
            left.poke(copy.headerOffset(0), new byte[(int) layout.arenaBytes()]);
        }
        assertEquals(11, Bench.open(provider, left, true, 3).store().table().extents(), what);
    }

    /** No place keeps anything: after a few attempts the store says so, and what was there stays in force. */
    @ParameterizedTest
    @MethodSource("spoiled")
    void aDeviceThatKeepsNothingFailsTheStore(String what, long magic, Consumer<ByteBuffer> spoil) throws Exception {
        // The log of an open generation is not read back: only what begins one is spoiled.
        spoilWhatIsWritten(magic, at -> magic != LogBlock.MAGIC || mayBeBegin(at), spoil);
        List<Outcome> outcomes = new ArrayList<>();
        for (int i = 2; i < 8; i++) {
            outcomes.add(opened.commit(Bench.map(2L * i, i)));
        }
        assertTrue(outcomes.contains(Outcome.STORE_FAILED), what + ": " + outcomes);
        assertEquals(FeatureState.FAILED, opened.store().status().state());
        String why = opened.store().status().text();
        assertTrue(why.contains("does not read back as it was written"), why);
        spare.observe(null);
        long durable = 1
                + outcomes.stream()
                        .filter(outcome -> outcome == Outcome.DURABLE)
                        .count();
        assertEquals(
                durable,
                Bench.open(provider, spare.crashKeeping(sector -> false), false, 3)
                        .store()
                        .table()
                        .extents(),
                what);
    }

    /** Whether a place is where a log begins, or one of the reserve that may stand for it. */
    private boolean mayBeBegin(long at) {
        for (int arena = 0; arena < 2; arena++) {
            for (ArenaCopy copy : Formatter.arena(layout, arena)) {
                boolean isPlace = at == copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION));
                boolean isReserve = at >= copy.reserveOffset(0) && at < copy.reserveOffset(layout.reserveBlocks());
                if (isPlace || isReserve) {
                    return true;
                }
            }
        }
        return false;
    }

    /** A sector that is bad, and a device that goes soon after: what a new generation has begun is not left half taken back. */
    @Test
    void aDeviceThatGoesAfterABadSectorLosesNothing() throws Exception {
        CrashDevice stopped = spare.crashKeeping(sector -> false);
        CrashDevice whole = stopped.copy();
        Bench.open(provider, whole, false, 5);
        int failed = 0;
        for (long bad = 0; bad < whole.operations(); bad++) {
            for (int later = 1; later < 6; later++) {
                CrashDevice device = stopped.copy();
                device.failOperation(bad, Errno.EIO);
                device.failFrom(bad + later, Errno.ENODEV);
                try {
                    Bench.open(provider, device, false, 5);
                } catch (DeviceException e) {
                    assertEquals("spare", e.device());
                    failed++;
                } catch (Refusal e) {
                    assertEquals(Refusal.Kind.DAMAGED, e.kind());
                    failed++;
                }
                String what = "bad at " + bad + ", gone " + later + " later";
                for (int seed = 0; seed < 3; seed++) {
                    CrashDevice after = device.crash(seed);
                    assertEquals(
                            1,
                            Bench.open(provider, after, false, 6)
                                    .store()
                                    .table()
                                    .extents(),
                            what);
                }
            }
        }
        assertTrue(failed > 100, "only " + failed);
    }

    /** The same error again, and the device is not asked: what it says after a failed flush is worth nothing. */
    @Test
    void aFailedFlushIsNotAskedForAgain() throws Exception {
        BlockIo io = new BlockIo(spare, Block.BYTES);
        spare.failFlushAfter(1);
        io.flush();
        assertFalse(io.flushFailed());
        DeviceException first = assertThrows(DeviceException.class, io::flush);
        assertTrue(io.flushFailed());
        long operations = spare.operations();
        assertSame(first, assertThrows(DeviceException.class, io::flush));
        assertEquals(operations, spare.operations());
    }
}
