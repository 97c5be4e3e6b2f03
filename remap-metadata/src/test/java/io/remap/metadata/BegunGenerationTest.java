package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.FeatureState;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.SpareMember;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A new generation that fails while it is begun, at each of its operations, and the power that goes at each operation of what
 * takes it back: there is always one that counts, with what was stated before or what was to be.
 */
class BegunGenerationTest {
    private static final int LOG_BLOCKS = 4;
    /** Two blocks of the table, so that a later attempt writes over one that was in force. */
    private static final int MAPPINGS = 200;

    private static final int SEEDS = 2;

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private final Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, Block.BYTES, LOG_BLOCKS);
    private final Map<String, Integer> ended = new HashMap<>();
    private int crashes;

    private CrashDevice spare;
    private Opened opened;

    private void open() throws Exception {
        spare = Bench.formatted(LOG_BLOCKS);
        opened = Bench.open(provider, spare, false, 1);
        for (int i = 0; i < MAPPINGS; i++) {
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(2L * i, i)));
        }
    }

    /** The first spare is to stand by: a new generation of the same table. */
    private Refusal change() {
        List<Refusal> told = new ArrayList<>();
        opened.store().changeMembers(List.of(opened.store().members().get(0).standby(true)), told::add);
        opened.tasks().runAll();
        assertEquals(1, told.size());
        return told.get(0);
    }

    private void assertOpens(CrashDevice left, String what) {
        try {
            Opened again = Bench.open(provider, left, false, 9);
            assertEquals(MAPPINGS, again.store().table().extents(), what);
            SpareMember first = again.store().members().get(0);
            assertEquals(1, again.store().members().size(), what + ": " + first);
        } catch (Refusal | DeviceException e) {
            throw new AssertionError(what + ": " + e.getMessage(), e);
        }
        crashes++;
    }

    /** What a power cut may leave just now. */
    private void cutThePower(CrashDevice device, String what) {
        assertOpens(device.crashKeeping(sector -> false), what + ", nothing kept");
        assertOpens(device.crashKeeping(sector -> true), what + ", all kept");
        for (int seed = 0; seed < SEEDS; seed++) {
            assertOpens(device.crash(seed), what + ", seed " + seed);
        }
    }

    private long operationsOfAChange() throws Exception {
        open();
        long before = spare.operations();
        assertEquals(null, change());
        return spare.operations() - before;
    }

    @ParameterizedTest
    @CsvSource({"110, false", "12, false", "5, false", "110, true", "19, true"})
    void oneThatFailsWhileItIsBegunIsTakenBack(int errno, boolean forever) throws Exception {
        long operations = operationsOfAChange();
        for (long fault = 0; fault < operations; fault++) {
            open();
            long at = spare.operations() + fault;
            if (forever) {
                spare.failFrom(at, errno);
            } else {
                spare.failOperation(at, errno);
            }
            assertHolds("errno " + errno + " at operation " + fault, at);
        }
        assertTrue(crashes > 100, "only " + crashes + " power cuts");
        if (!forever && errno != Errno.EIO) {
            assertTrue(ended.getOrDefault("refused STARTED", 0) > 5, ended.toString());
        }
    }

    /** The one block fails that says for good that it was in force, and then the device goes, a little later each time. */
    @ParameterizedTest
    @CsvSource({"110, 110", "110, 19", "110, 5", "5, 110"})
    void oneThatCannotBeTakenBackIsNotWrittenOver(int errno, int later) throws Exception {
        open();
        List<Long> begins = new ArrayList<>();
        long before = spare.operations();
        ArenaCopy[][] arenas = {Formatter.arena(layout, 0), Formatter.arena(layout, 1)};
        spare.observe((operation, offset, length) -> {
            for (ArenaCopy[] arena : arenas) {
                for (ArenaCopy copy : arena) {
                    if (offset == copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION))
                            && operation != Operation.FLUSH) {
                        begins.add(spare.operations() - before);
                    }
                }
            }
        });
        assertEquals(null, change());
        assertTrue(begins.size() >= 4, "written and read back in both copies: " + begins);
        for (long begin : begins) {
            for (int after = 1; after < 30; after += 2) {
                open();
                long at = spare.operations() + begin;
                spare.failOperation(at, errno);
                spare.failFrom(at + after, later);
                assertHolds("errno " + errno + " at operation " + begin + ", " + later + " from " + after + " on", at);
            }
        }
        assertTrue(ended.getOrDefault("refused FAILED", 0) > 3, ended.toString());
    }

    /** Does the change, and cuts the power before each operation from one on and at the end. */
    private void assertHolds(String what, long from) throws Exception {
        CrashDevice device = spare;
        device.observe((operation, offset, length) -> {
            // A read changes nothing.
            if (operation != Operation.READ && device.operations() >= from) {
                cutThePower(device, what + ", power cut before operation " + device.operations());
            }
        });
        Refusal refusal = change();
        device.observe(null);
        cutThePower(device, what + ", power cut at the end");
        FeatureState state = opened.store().status().state();
        ended.merge((refusal == null ? "done " : "refused ") + state, 1, Integer::sum);
        if (state == FeatureState.STARTED) {
            SpareMember now = opened.store().members().get(0);
            assertEquals(refusal == null, now.use().standby(), what);
            Opened again = Bench.open(provider, device.crashKeeping(sector -> false), true, 8);
            assertEquals(now, again.store().members().get(0), what + ": what was answered");
        }
    }

    /** A place that keeps BEGIN and takes no zeros: an attempt that comes after would be written over what is in force. */
    @Test
    void aBeginThatStandsForGoodEndsTheStore() throws Exception {
        open();
        List<Long> places = new ArrayList<>();
        for (int arena = 0; arena < 2; arena++) {
            ArenaCopy copy = Formatter.arena(layout, arena)[0];
            places.add(copy.offset(copy.logBody(Checkpoint.BEGIN_POSITION)));
        }
        boolean[] begun = new boolean[1];
        CrashDevice device = spare;
        device.observe((operation, offset, length) -> {
            if (operation == Operation.WRITE && places.contains(offset)) {
                if (begun[0]) {
                    device.makeUnwritable(offset, Block.BYTES);
                } else {
                    begun[0] = true;
                    // The other copy's, which comes next.
                    device.failOperation(device.operations() + 1, Errno.ETIMEDOUT);
                }
            }
        });
        Refusal refusal = change();
        assertTrue(begun[0] && refusal != null);
        assertEquals(FeatureState.FAILED, opened.store().status().state());
        device.observe(null);
        cutThePower(device, "BEGIN cannot be taken back");
    }
}
