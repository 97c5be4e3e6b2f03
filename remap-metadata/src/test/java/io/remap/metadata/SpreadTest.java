package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.FeatureState;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.TableCopy;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The table on two spares: the death of either, at any moment, leaves the other; an old one is never taken for it. */
class SpreadTest {
    private static final int ENODEV = 19;
    private static final int EIO = 5;
    /** Subsets of unflushed sectors that are tried at each crash point. */
    private static final int SAMPLES = 2;

    /** Counts what ran. */
    private int states;

    private int aloneFirst;
    private int aloneFurther;
    /** States in which each had to open by itself. */
    private int bothAlone;

    private int refused;

    private static SpreadPair spread() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        pair.spread();
        return pair;
    }

    @Test
    void eitherIsWholeByItself() throws Exception {
        SpreadPair pair = spread();
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        for (long unit = 0; unit < 12; unit++) {
            // More than a log holds.
            assertEquals(Outcome.DURABLE, pair.commit(unit));
        }
        pair.close();
        for (boolean withFirst : List.of(true, false)) {
            SpreadPair left = pair.left(withFirst ? pair.first.copy() : null, withFirst ? null : pair.further.copy());
            left.open();
            left.assertTable();
            assertTrue(left.opened.store().stoppedInOrder());
            assertEquals(List.of(withFirst ? 0 : SpreadPair.INDEX), left.holders());
            assertEquals(Outcome.DURABLE, left.commit(20));
            left.close();
        }
    }

    @Test
    void theDeathOfTheFirstOneLeavesTheOther() throws Exception {
        for (int errno : new int[] {ENODEV, EIO}) {
            SpreadPair pair = spread();
            pair.commit(1);
            pair.rememberWhenLeftBehind();
            pair.first.failFrom(pair.first.operations() + 3, errno);
            for (long unit = 2; unit < 12; unit++) {
                assertEquals(Outcome.DURABLE, pair.commit(unit));
            }
            assertEquals(List.of(SpreadPair.INDEX), pair.holders());
            assertEquals(FeatureState.STARTED, pair.opened.store().status().state());
            assertTrue(pair.opened.store().status().detail().contains("spare 0 was left behind"));
            pair.close();
            pair.first.heal();
            // By itself it is older than main remembers.
            SpreadPair alone = pair.left(pair.first.copy(), null);
            assertTrue(assertThrows(Refusal.class, alone::open).getMessage().contains("older"));
            // It comes back, and follows.
            pair.open();
            pair.assertTable();
            assertEquals(SpreadPair.INDEX, pair.opened.store().openedFrom());
            assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
            assertEquals(Outcome.DURABLE, pair.commit(30));
            pair.close();
            pair.open();
            assertEquals(0, pair.opened.store().openedFrom());
            pair.assertTable();
            pair.close();
        }
    }

    @Test
    void theDeathOfTheOtherLeavesTheFirst() throws Exception {
        SpreadPair pair = spread();
        pair.rememberWhenLeftBehind();
        pair.commit(1);
        pair.further.failFrom(pair.further.operations() + 2, ENODEV);
        assertEquals(Outcome.DURABLE, pair.commit(2));
        assertEquals(List.of(0), pair.holders());
        pair.close();
        pair.further.heal();
        assertTrue(assertThrows(
                        Refusal.class,
                        () -> pair.left(null, pair.further.copy()).open())
                .getMessage()
                .contains("older"));
        pair.open();
        pair.assertTable();
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        pair.close();
    }

    @Test
    void twoThatWentOnAloneAreAFork() throws Exception {
        SpreadPair pair = spread();
        pair.commit(1);
        pair.close();
        SpreadPair one = pair.left(pair.first, null);
        one.open();
        one.commit(2);
        one.close();
        SpreadPair other = pair.left(null, pair.further);
        other.open();
        other.commit(3);
        other.close();
        assertTrue(assertThrows(Refusal.class, pair::open).getMessage().contains("fork"));
    }

    @Test
    void anOlderFirstSpareIsToldByTheOther() throws Exception {
        SpreadPair pair = spread();
        pair.commit(1);
        pair.close();
        CrashDevice older = pair.first.copy();
        pair.open();
        pair.commit(2);
        pair.close();
        SpreadPair mixed = pair.left(older, pair.further.copy());
        // As where no witness could be left.
        mixed.witness = 0;
        assertTrue(assertThrows(Refusal.class, mixed::open).getMessage().contains("older"));
    }

    @Test
    void oneThatIsNotShownIsLeftBehindByTheNextCommit() throws Exception {
        SpreadPair pair = spread();
        pair.close();
        pair.opened = Bench.open(pair.provider, pair.first, false, 44);
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        assertEquals(Outcome.DURABLE, pair.commit(1));
        assertEquals(List.of(0), pair.holders());
        pair.close();
    }

    /** Runs something, with the power cut before each write and flush of either; what is left must open. */
    private void cutEverywhere(SpreadPair pair, ThrowingRunnable action, boolean spreadBefore) throws Exception {
        CrashDevice.Observer observer = (operation, offset, length) -> {
            if (operation != Operation.READ) {
                for (int sample = 0; sample < SAMPLES; sample++) {
                    states++;
                    check(pair, spreadBefore);
                }
            }
        };
        pair.first.observe(observer);
        pair.further.observe(observer);
        action.run();
        pair.first.observe(null);
        pair.further.observe(null);
        check(pair, spreadBefore);
    }

    private interface ThrowingRunnable {
        void run() throws Exception;
    }

    private void check(SpreadPair pair, boolean spreadBefore) {
        CrashDevice first = pair.first.crash(states);
        CrashDevice further = pair.further.crash(states + 1000L);
        try {
            SpreadPair both = pair.left(first.copy(), further.copy());
            both.open();
            both.assertTable();
            assertEquals(List.of(0, SpreadPair.INDEX), both.holders());
            assertEquals(Outcome.DURABLE, both.commit(50));
            both.close();
            both.open();
            both.assertTable();
            both.close();
            boolean firstOpens = opensAlone(pair.left(first, null));
            boolean furtherOpens = opensAlone(pair.left(null, further));
            aloneFirst += firstOpens ? 1 : 0;
            aloneFurther += furtherOpens ? 1 : 0;
            bothAlone += pair.bothWhole ? 1 : 0;
            assertTrue(
                    !pair.bothWhole || (firstOpens && furtherOpens), "one of two whole ones does not open by itself");
            assertTrue(firstOpens || furtherOpens || !spreadBefore, "neither opens by itself");
        } catch (Refusal | io.remap.api.DeviceException e) {
            throw new AssertionError("cannot be opened after a crash", e);
        }
    }

    /** Refused, or with all that was acknowledged. */
    private boolean opensAlone(SpreadPair left) throws io.remap.api.DeviceException {
        try {
            left.open();
        } catch (Refusal e) {
            refused++;
            return false;
        }
        left.assertTable();
        assertEquals(Outcome.DURABLE, left.commit(51));
        left.close();
        return true;
    }

    private void report(String what) {
        System.out.println("suite: SpreadTest: " + what + ": " + states + " states; alone the first opened "
                + aloneFirst + " times, the other " + aloneFurther + ", refused " + refused + "; both had to "
                + bothAlone
                + " times");
    }

    @Test
    void aCrashWhileTheTableIsSpreadAndWritten() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        cutEverywhere(
                pair,
                () -> {
                    pair.commit(1);
                    pair.spread();
                    for (long unit = 2; unit < 7; unit++) {
                        assertEquals(Outcome.DURABLE, pair.commit(unit));
                    }
                    pair.close();
                    pair.open();
                    pair.commit(8);
                },
                false);
        assertTrue(aloneFurther > states / 4 && aloneFirst > states / 2, "what opens alone is not tried");
        assertTrue(bothAlone > states / 2, "both are seldom whole");
        report("spread, commits and a restart");
    }

    @Test
    void aCrashWhileACopyIsTakenBack() throws Exception {
        SpreadPair pair = spread();
        pair.commit(1);
        pair.rememberWhenLeftBehind();
        List<io.remap.api.spi.SpareMember> members = pair.opened.store().members();
        int[] kept = {0};
        CrashDevice.Observer observer = (operation, offset, length) -> {
            if (operation != Operation.READ) {
                kept[0]++;
                SpreadPair alone = pair.left(pair.first.crash(kept[0]), null);
                try {
                    alone.open();
                } catch (Refusal | io.remap.api.DeviceException e) {
                    throw new AssertionError(e);
                }
                alone.assertTable();
                alone.close();
                try {
                    opensAlone(pair.left(null, pair.further.crash(kept[0])));
                } catch (io.remap.api.DeviceException e) {
                    throw new AssertionError(e);
                }
            }
        };
        pair.first.observe(observer);
        pair.further.observe(observer);
        pair.change(List.of(members.get(0)));
        pair.first.observe(null);
        pair.further.observe(null);
        assertEquals(List.of(0), pair.holders());
        assertFalse(opensAlone(pair.left(null, pair.further.copy())));
        assertTrue(kept[0] > 10);
        pair.close();
    }

    @Test
    void aCrashWhileOneTakesThePlaceOfTheOther() throws Exception {
        for (boolean firstDies : List.of(true, false)) {
            for (int after = 0; after < 12; after++) {
                SpreadPair pair = spread();
                pair.rememberWhenLeftBehind();
                pair.commit(1);
                CrashDevice dies = firstDies ? pair.first : pair.further;
                dies.failFrom(dies.operations() + after, ENODEV);
                cutEverywhere(
                        pair,
                        () -> {
                            for (long unit = 2; unit < 5; unit++) {
                                assertEquals(Outcome.DURABLE, pair.commit(unit));
                            }
                        },
                        true);
                assertEquals(List.of(firstDies ? SpreadPair.INDEX : 0), pair.holders());
                pair.close();
            }
        }
        assertTrue(refused > 0, "no old one was seen");
        report("one dies while commits are made");
    }

    @Test
    void aCrashWhileOneThatWasAwayComesBack() throws Exception {
        for (boolean firstDies : List.of(true, false)) {
            SpreadPair pair = spread();
            pair.rememberWhenLeftBehind();
            CrashDevice dies = firstDies ? pair.first : pair.further;
            dies.failFrom(dies.operations(), ENODEV);
            pair.commit(1);
            pair.close();
            dies.heal();
            cutEverywhere(
                    pair,
                    () -> {
                        pair.open();
                        pair.commit(2);
                        pair.close();
                        pair.open();
                        pair.commit(3);
                    },
                    true);
            pair.close();
        }
        report("one comes back");
    }

    @Test
    void whatIsSavedIsOnBoth() throws Exception {
        SpreadPair pair = spread();
        List<String> ended = new ArrayList<>();
        pair.opened.store().save(java.util.Map.of("stop", new byte[] {1, 2}), ended::add);
        pair.opened.tasks().runAll();
        assertEquals(List.of(""), ended);
        pair.close();
        for (boolean withFirst : List.of(true, false)) {
            SpreadPair left = pair.left(withFirst ? pair.first.copy() : null, withFirst ? null : pair.further.copy());
            left.open();
            assertEquals(2, left.opened.store().saved().get("stop").length);
            left.close();
        }
    }

    /** Each of the two counts its generations for itself: a bad block costs one of them a number more. */
    @Test
    void mainRemembersNoMoreThanBothHave() throws Exception {
        int apart = 0;
        long arena = Layout.tryPlan(Bench.SPARE_BYTES, 4096, 4).arenaOffsets().b0();
        for (int block = 0; block < 8; block++) {
            SpreadPair pair = SpreadPair.formatted();
            pair.spread();
            pair.first.makeUnwritable(arena + block * 4096L, 4096);
            for (long unit = 0; unit < 60; unit++) {
                pair.commit(unit);
            }
            long onAll = pair.opened.store().generationOnAll();
            long onFirst = pair.provider.table(pair.first).orElseThrow().generation();
            long onFurther = pair.provider.table(pair.further).orElseThrow().generation();
            assertEquals(Math.min(onFirst, onFurther), onAll, "block " + block);
            apart += onFirst != onFurther ? 1 : 0;
            pair.rememberAlways();
            // A power cut: either of them alone goes on.
            SpreadPair alone = pair.left(null, pair.further.crashKeeping(sector -> false));
            alone.open();
            alone.assertTable();
            alone = pair.left(pair.first.crashKeeping(sector -> false), null);
            alone.open();
            alone.assertTable();
        }
        assertTrue(apart > 0, "the two never differed");
    }

    /** A start that took the first spare would end with its doubt; the copy has all of it, and the first spare follows. */
    @Test
    void aFirstSpareThatIsInDoubtFollowsTheOther() throws Exception {
        SpreadPair pair = spread();
        pair.commit(1);
        pair.close();
        Superblock superblock = Identities.read(pair.first).first();
        TableRecovery.Found found =
                TableRecovery.recover(LogMetadataProvider.blockIo(pair.first, superblock), superblock);
        for (ArenaCopy copy : Formatter.arena(superblock.layout(), 1 - found.arena())) {
            pair.first.makeUnreadableUntilWritten(copy.headerOffset(0), Block.BYTES);
            pair.first.makeUnreadableUntilWritten(copy.offset(copy.logBody(0)), Block.BYTES);
        }
        assertThrows(Refusal.class, () -> Bench.open(pair.provider, pair.first, false, 4));
        TableCopy doubtful = pair.provider.table(pair.first).orElseThrow();
        TableCopy certain = pair.provider.table(pair.further).orElseThrow();
        assertFalse(doubtful.certain());
        assertTrue(certain.certain());
        assertTrue(certain.countsBefore(doubtful) && !doubtful.countsBefore(certain));
        assertEquals(
                doubtful.generation(),
                pair.provider.firstSpare(pair.first).orElseThrow().stamp());
        pair.open();
        assertEquals(SpreadPair.INDEX, pair.opened.store().openedFrom());
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        pair.assertTable();
        assertEquals(Outcome.DURABLE, pair.commit(2));
        pair.close();
        assertTrue(pair.provider.table(pair.first).orElseThrow().certain());
        pair.open();
        assertEquals(0, pair.opened.store().openedFrom());
        pair.assertTable();
        pair.close();
    }

    /** Its slots are where they were: which spare it is must be told without its table. */
    @Test
    void aFirstSpareThatLostItsTableIsOneStill() throws Exception {
        SpreadPair pair = spread();
        pair.commit(1);
        pair.close();
        Layout layout = Identities.read(pair.first).first().layout();
        for (int arena = 0; arena < 2; arena++) {
            for (ArenaCopy copy : Formatter.arena(layout, arena)) {
                pair.first.poke(copy.headerOffset(0), new byte[Block.BYTES]);
            }
        }
        assertTrue(pair.provider.table(pair.first).isEmpty());
        SpareIdentity identity = pair.provider.firstSpare(pair.first).orElseThrow();
        assertEquals(List.of(0L, -1L), List.of((long) identity.index(), identity.stamp()));
        assertEquals(layout.slots(), identity.slots().count());
        assertTrue(pair.provider.firstSpare(pair.further).isEmpty());
        pair.opened = Bench.open(pair.provider, pair.further, false, 5);
        pair.spread();
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        pair.close();
        assertTrue(pair.provider.table(pair.first).orElseThrow().certain());
    }
}
