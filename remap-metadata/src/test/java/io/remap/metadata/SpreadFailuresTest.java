package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.FeatureState;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.SpareMember;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Each operation of what is done to two spares with the table fails in turn, on either of them: what was acknowledged is found
 * again, and the store says how it stands.
 */
class SpreadFailuresTest {
    private static final int MOST_OPERATIONS = 400;

    /** How it ended, by how often. */
    private final Map<String, Integer> ended = new HashMap<>();

    private interface Action {
        Refusal on(SpreadPair pair) throws Exception;
    }

    private interface Start {
        SpreadPair make() throws Exception;
    }

    /** Opens what is there: one failure of one device makes no fork. */
    private static void assertNothingLost(SpreadPair pair, String what) throws Exception {
        pair.first.heal();
        pair.further.heal();
        SpreadPair both = pair.left(pair.first.copy(), pair.further.copy(), pair.third);
        try {
            both.open();
        } catch (Refusal e) {
            throw new AssertionError(what + ": " + e.getMessage(), e);
        }
        both.assertTable();
        both.close();
    }

    private void sweep(Start start, Action action, boolean ofFirst, int errno, boolean forever) throws Exception {
        boolean reachedTheEnd = false;
        int fault = 0;
        for (; !reachedTheEnd; fault++) {
            assertTrue(fault < MOST_OPERATIONS, "it does not end");
            SpreadPair pair = start.make();
            pair.rememberAlways();
            CrashDevice failing = ofFirst ? pair.first : pair.further;
            long at = failing.operations() + fault;
            if (forever) {
                failing.failFrom(at, errno);
            } else {
                failing.failOperation(at, errno);
            }
            String what = "errno " + errno + " at operation " + fault + " of " + failing.name();
            Refusal refusal = action.on(pair);
            reachedTheEnd = failing.operations() <= at;
            FeatureState state = pair.opened.store().status().state();
            Outcome outcome = pair.commit(40, 0);
            if (refusal == null || state == FeatureState.STARTED) {
                assertEquals(Outcome.DURABLE, outcome, what + ": " + refusal);
            }
            pair.underWay = 40;
            ended.merge((refusal == null ? "done, " : "refused, ") + outcome + " " + pair.holders(), 1, Integer::sum);
            pair.close();
            assertNothingLost(pair, what);
        }
    }

    private static Refusal spread(SpreadPair pair) {
        List<Refusal> refusals = new ArrayList<>();
        pair.opened.store().spread(Map.of(SpreadPair.INDEX, pair.further), refusals::add);
        pair.opened.tasks().runAll();
        assertEquals(1, refusals.size());
        return refusals.get(0);
    }

    private static SpreadPair notYetSpread() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        assertEquals(Outcome.DURABLE, pair.commit(1));
        return pair;
    }

    @ParameterizedTest
    @CsvSource({
        "true, 5, false",
        "true, 19, true",
        "true, 110, false",
        "false, 5, false",
        "false, 5, true",
        "false, 19, true",
        "false, 110, false"
    })
    void aCopyThatCannotBeMade(boolean ofFirst, int errno, boolean forever) throws Exception {
        sweep(SpreadFailuresTest::notYetSpread, SpreadFailuresTest::spread, ofFirst, errno, forever);
        // One bad sector of either is no obstacle; without the lead there is no store, and without the other one no
        // copy.
        String how = errno == Errno.EIO && !forever
                ? "done, DURABLE [0, 3]"
                : ofFirst ? "refused, STORE_FAILED [0]" : "done, DURABLE [0]";
        assertTrue(ended.getOrDefault(how, 0) > 0, ended.toString());
    }

    private static SpreadPair spreadAlready() throws Exception {
        SpreadPair pair = notYetSpread();
        pair.spread();
        return pair;
    }

    private static Refusal standby(SpreadPair pair) {
        return pair.tryChange(pair.opened.store().members().stream()
                .map(member -> member.index() == SpreadPair.INDEX ? member.standby(true) : member)
                .toList());
    }

    @ParameterizedTest
    @CsvSource({"true, 110, false", "true, 19, true", "false, 110, false", "false, 19, true"})
    void membersThatCannotBeStated(boolean ofFirst, int errno, boolean forever) throws Exception {
        sweep(SpreadFailuresTest::spreadAlready, SpreadFailuresTest::standby, ofFirst, errno, forever);
        assertTrue(ended.keySet().stream().anyMatch(how -> how.startsWith("done, DURABLE")), ended.toString());
        boolean refused = ended.keySet().stream().anyMatch(how -> how.startsWith("refused, DURABLE"));
        // What the lead takes back is told; a copy that does not follow is left behind instead.
        assertEquals(ofFirst && !forever, refused, ended.toString());
    }

    /** The first spare died and came back: the other one leads, and it follows. */
    private static SpreadPair ledByTheOther() throws Exception {
        SpreadPair pair = spreadAlready();
        pair.rememberAlways();
        pair.first.failFrom(pair.first.operations(), Errno.ENODEV);
        assertEquals(Outcome.DURABLE, pair.commit(2));
        pair.close();
        pair.first.heal();
        pair.open();
        assertEquals(SpreadPair.INDEX, pair.opened.store().openedFrom());
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        return pair;
    }

    @ParameterizedTest
    @CsvSource({"true, 110, false", "true, 19, true", "false, 110, false", "false, 19, true"})
    void membersThatCannotBeStatedWhereTheOtherLeads(boolean ofFirst, int errno, boolean forever) throws Exception {
        sweep(SpreadFailuresTest::ledByTheOther, SpreadFailuresTest::standby, ofFirst, errno, forever);
        assertTrue(ended.keySet().stream().anyMatch(how -> how.startsWith("done, DURABLE")), ended.toString());
        if (!ofFirst && !forever) {
            assertTrue(ended.getOrDefault("refused, DURABLE [3]", 0) > 0, ended.toString());
        }
    }

    /** The lead dies, and the one that is to take its place cannot say so once. */
    @Test
    void aTakeOverThatFailsOnceFailsTheStoreAndLosesNothing() throws Exception {
        int failed = 0;
        for (int errno : new int[] {Errno.EIO, Errno.ETIMEDOUT}) {
            for (int fault = 0; fault < 30; fault++) {
                SpreadPair pair = spreadAlready();
                pair.rememberAlways();
                pair.first.failFrom(pair.first.operations(), Errno.ENODEV);
                pair.further.failOperation(pair.further.operations() + fault, errno);
                Outcome outcome = pair.commit(2);
                failed += outcome == Outcome.STORE_FAILED ? 1 : 0;
                // It may have taken the lead the second time that it was asked: then it goes on, and says so.
                boolean goesOn = pair.opened.store().status().state() == FeatureState.STARTED;
                Outcome next = pair.commit(2);
                assertEquals(goesOn ? Outcome.DURABLE : Outcome.STORE_FAILED, next);
                pair.underWay = 2;
                pair.close();
                assertNothingLost(pair, "errno " + errno + " at operation " + fault);
            }
        }
        assertTrue(failed > 3, "failed " + failed + " times");
    }

    @Test
    void whatIsToBeEmptiedGetsNoCopyAndWhatIsGoneStaysAsItWasKnown() throws Exception {
        SpreadPair pair = SpreadPair.ofThree();
        pair.rememberAlways();
        assertEquals("0, 3", pair.opened.attribute("spares"));
        pair.close();
        CrashDevice first = pair.first;
        pair.first = null;
        pair.open();
        assertEquals(List.of(SpreadPair.INDEX, SpreadPair.THIRD), pair.holders());
        SpareMember known = pair.opened.store().members().get(0);
        assertTrue(known.seen() > 0);
        pair.change(pair.opened.store().members().stream()
                .map(member -> member.priority(5))
                .toList());
        assertEquals(known.priority(5), pair.opened.store().members().get(0));
        pair.close();
        pair.first = first;
        SpreadPair leaving = SpreadPair.formatted();
        leaving.change(leaving.opened.store().members().stream()
                .map(member -> member.leaving(member.index() != 0))
                .toList());
        leaving.spread();
        assertEquals(List.of(0), leaving.holders());
        assertEquals("0", leaving.opened.attribute("spares"));
    }

    @Test
    void withoutBothOfThemNothingGoesOn() throws Exception {
        SpreadPair pair = SpreadPair.ofThree();
        Refusal refusal = pair.tryChange(pair.opened.store().members().stream()
                .filter(member -> member.index() == SpreadPair.THIRD)
                .toList());
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertTrue(refusal.getMessage().contains("no other spare that stays has a copy"), refusal.getMessage());
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
    }

    /** A copy on a smaller spare: it follows as long as the table fits. */
    @Test
    void aTableThatOutgrowsTheCopyGoesOnAlone() throws Exception {
        LogMetadataProvider provider = new LogMetadataProvider(4);
        CrashDevice large = new CrashDevice("large", 4 * Bench.SPARE_BYTES, 512);
        provider.format(large, Bench.PAIR, Bench.environment(new Bench.Tasks(), 1));
        CrashDevice small = new CrashDevice("small", Bench.SPARE_BYTES, 512);
        provider.formatMember(
                small, Bench.PAIR, SpreadPair.INDEX, SpreadPair.ID, Bench.environment(new Bench.Tasks(), 5));
        Opened opened = Bench.open(provider, large, false, 3);
        List<Refusal> refusals = new ArrayList<>();
        opened.store()
                .changeMembers(
                        List.of(
                                opened.store().members().get(0),
                                new SpareMember(SpreadPair.INDEX, SpreadPair.ID, SpareMember.Use.PLAIN, 100, -1)),
                        refusals::add);
        opened.store().spread(Map.of(SpreadPair.INDEX, small), refusals::add);
        opened.tasks().runAll();
        assertEquals(2, refusals.stream().filter(refusal -> refusal == null).count());
        assertEquals("0, 3", opened.attribute("spares"));
        long limit = Identities.read(small).first().layout().entryLimit();
        List<MapChange> changes = new ArrayList<>();
        for (long i = 0; i < limit; i++) {
            changes.add(MapChange.set(2 * i, 1, Place.lost(1)));
        }
        assertEquals(Outcome.DURABLE, opened.commit(changes));
        assertEquals("0, 3", opened.attribute("spares"));
        assertEquals(Outcome.DURABLE, opened.commit(MapChange.set(2 * limit, 1, Place.lost(1))));
        assertEquals("0", opened.attribute("spares"));
        assertTrue(opened.store().status().detail().contains("the table does not fit it any more"));
        opened.store().spread(Map.of(SpreadPair.INDEX, small), refusals::add);
        opened.tasks().runAll();
        assertEquals("0", opened.attribute("spares"), "it does not fit now either");
        opened.close();
        try (Opened again = Bench.open(provider, large, false, 9)) {
            assertEquals(limit + 1, again.store().table().extents());
        }
        assertTrue(extentsOn(provider, small) < limit + 1);
    }

    private static long extentsOn(LogMetadataProvider provider, CrashDevice small) throws Refusal, DeviceException {
        return provider.table(small).isEmpty()
                ? 0
                : Bench.open(provider, small, true, 9).store().table().extents();
    }
}
