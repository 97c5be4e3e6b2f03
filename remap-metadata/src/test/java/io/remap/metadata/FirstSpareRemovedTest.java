package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.TableCopy;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/**
 * The first spare is taken out of its pair: the others go on without it, and it is never taken for one of them again, wherever
 * the power is cut, and whatever fails meanwhile.
 */
class FirstSpareRemovedTest {
    private static final int ENODEV = 19;
    private static final int ETIMEDOUT = 110;
    private static final int EIO = 5;

    /** Counts what ran. */
    private int states;

    private int withFirst;
    private int takenOut;
    private int refused;
    private String lastRefusal = "";

    /** Three, the table on the first two, sectors on the other two: the first one was emptied. */
    private static SpreadPair evacuated() throws Exception {
        SpreadPair pair = SpreadPair.ofThree();
        pair.rememberAlways();
        for (long unit = 0; unit < 6; unit++) {
            assertEquals(Outcome.DURABLE, pair.commit(unit, unit % 2 == 0 ? SpreadPair.INDEX : SpreadPair.THIRD));
        }
        return pair;
    }

    private static boolean saysWithoutFirst(CrashDevice device) throws Damage, DeviceException {
        return Identities.read(device).first().version().has(Superblock.Version.WITHOUT_FIRST);
    }

    @Test
    void theOthersStartWithoutIt() throws Exception {
        SpreadPair pair = evacuated();
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        assertNull(pair.remove(0));
        assertEquals(List.of(SpreadPair.INDEX), pair.holders());
        assertEquals(SpreadPair.INDEX, pair.opened.store().openedFrom());
        assertEquals("", pair.opened.store().status().detail(), "nothing was lost by it");
        CrashDevice first = pair.first;
        pair.first = null;
        pair.spread();
        assertEquals(List.of(SpreadPair.INDEX, SpreadPair.THIRD), pair.holders());
        assertEquals(Outcome.DURABLE, pair.commit(10, SpreadPair.THIRD));
        assertEquals(Outcome.NOT_COMMITTED, pair.commit(11, 0), "it has no slots any more");
        pair.close();
        // A program that does not know of this refuses both.
        assertTrue(saysWithoutFirst(pair.further) && saysWithoutFirst(pair.third));
        for (int turn = 0; turn < 3; turn++) {
            pair.open();
            pair.assertTable();
            assertTrue(pair.opened.store().stoppedInOrder());
            assertEquals(List.of(), pair.missing());
            assertEquals(List.of(SpreadPair.INDEX, SpreadPair.THIRD), pair.holders());
            assertEquals(Outcome.DURABLE, pair.commit(20 + turn, SpreadPair.INDEX));
            pair.close();
        }
        // By itself it is older than main remembers; beside the others it is none of them.
        SpreadPair alone = pair.left(first.copy(), null, null);
        assertTrue(assertThrows(Refusal.class, alone::open).getMessage().contains("older"));
        SpreadPair beside = pair.left(first.copy(), pair.further.copy(), pair.third.copy());
        assertTrue(assertThrows(Refusal.class, beside::open).getMessage().contains("taken out"));
        // The death of either of the two leaves the other.
        for (boolean furtherIsThere : List.of(true, false)) {
            SpreadPair left = furtherIsThere
                    ? pair.left(null, pair.further.copy(), null)
                    : pair.left(null, null, pair.third.copy());
            left.open();
            left.assertTable();
            assertEquals(Outcome.DURABLE, left.commit(30, furtherIsThere ? SpreadPair.INDEX : SpreadPair.THIRD));
            left.close();
        }
    }

    @Test
    void oneThatDiedIsTakenOutOnceWhatStoodThereIsGivenUp() throws Exception {
        SpreadPair pair = evacuated();
        assertEquals(Outcome.DURABLE, pair.commit(8, 0));
        pair.first.failFrom(pair.first.operations(), ENODEV);
        assertEquals(Outcome.DURABLE, pair.commit(9, SpreadPair.THIRD));
        assertEquals(List.of(SpreadPair.INDEX), pair.holders());
        assertTrue(pair.remove(0).getMessage().contains("in use"));
        assertEquals(Outcome.DURABLE, pair.opened.commit(MapChange.set(8, 1, Place.lost(0xff))));
        pair.acknowledged.remove(8L);
        assertNull(pair.remove(0));
        CrashDevice first = pair.first;
        first.heal();
        pair.first = null;
        pair.spread();
        pair.close();
        pair.open();
        assertEquals(List.of(), pair.missing());
        assertEquals(0xff, Place.lostMask(pair.opened.store().table().placeOf(8)));
        pair.assertTable();
        pair.close();
        SpreadPair beside = pair.left(first, pair.further, pair.third);
        assertTrue(assertThrows(Refusal.class, beside::open).getMessage().contains("taken out"));
    }

    @Test
    void oneThatIsNotThereAtAStartIsTakenOut() throws Exception {
        SpreadPair pair = evacuated();
        pair.close();
        CrashDevice first = pair.first;
        pair.first = null;
        pair.open();
        assertEquals(List.of(0), pair.missing());
        assertEquals(List.of(SpreadPair.INDEX, SpreadPair.THIRD), pair.holders());
        assertNull(pair.remove(0));
        assertEquals(List.of(SpreadPair.INDEX, SpreadPair.THIRD), pair.holders());
        assertTrue(saysWithoutFirst(pair.further) && saysWithoutFirst(pair.third));
        pair.close();
        pair.open();
        assertEquals(List.of(), pair.missing());
        pair.close();
        SpreadPair beside = pair.left(first, pair.further, pair.third);
        assertTrue(assertThrows(Refusal.class, beside::open).getMessage().contains("taken out"));
    }

    @Test
    void theOnlyTableIsNotTakenOut() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        assertTrue(pair.remove(0).getMessage().contains("no other spare"));
        pair.spread();
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        assertNull(pair.remove(0));
        assertEquals(Outcome.DURABLE, pair.commit(1, SpreadPair.INDEX));
        pair.close();
    }

    @Test
    void itIsRemovedAfterwardsFromItself() throws Exception {
        SpreadPair pair = evacuated();
        assertNull(pair.remove(0));
        pair.provider.eraseMember(pair.first, Bench.PAIR, SpreadPair.INDEX);
        assertTrue(pair.provider.firstSpare(pair.first).isPresent(), "that is another one");
        pair.provider.eraseMember(pair.first, Bench.PAIR, 0);
        assertTrue(pair.provider.firstSpare(pair.first).isEmpty());
        assertTrue(pair.provider.pairOnSpare(pair.first).isEmpty());
        pair.close();
    }

    private interface ThrowingRunnable {
        void run() throws Exception;
    }

    /** Runs something, with the power cut before each write and flush of any; what is left must open. */
    private void cutEverywhere(SpreadPair pair, ThrowingRunnable action) throws Exception {
        CrashDevice.Observer observer = (operation, offset, length) -> {
            if (operation != Operation.READ) {
                states++;
                check(pair);
            }
        };
        List<CrashDevice> devices = List.of(pair.first, pair.further, pair.third);
        devices.forEach(device -> device.observe(observer));
        action.run();
        devices.forEach(device -> device.observe(null));
    }

    private void check(SpreadPair pair) {
        CrashDevice first = pair.first.crash(states);
        CrashDevice further = pair.further.crash(states + 1000L);
        CrashDevice third = pair.third.crash(states + 2000L);
        try {
            assertSaysWhatItLacks(pair, further);
            assertSaysWhatItLacks(pair, third);
            boolean all = opens(pair.left(first.copy(), further.copy(), third.copy()));
            assertTrue(all || !lastRefusal.contains("fork"), lastRefusal);
            boolean others = opens(pair.left(null, further.copy(), third.copy()));
            withFirst += all ? 1 : 0;
            assertTrue(others || all, "neither with the first one nor without it");
            assertTrue(opens(pair.left(null, further.copy(), null)) || all, "the one with the copy does not open");
            opens(pair.left(first, null, null));
        } catch (DeviceException e) {
            throw new AssertionError("cannot be opened after a crash", e);
        }
    }

    /** A table without a first spare is never where a program that needs one would open it. */
    private static void assertSaysWhatItLacks(SpreadPair pair, CrashDevice device) throws DeviceException {
        try {
            Optional<TableCopy> table = pair.provider.table(device);
            if (table.isPresent() && !Tables.hasFirst(table.get().members())) {
                assertTrue(saysWithoutFirst(device), device.name() + " names no first spare, and does not say so");
            }
        } catch (Refusal | Damage e) {
            throw new AssertionError(e);
        }
    }

    /** Refused, or with all that was acknowledged, now and after another start. */
    private boolean opens(SpreadPair left) throws DeviceException {
        try {
            left.open();
        } catch (Refusal e) {
            refused++;
            lastRefusal = e.getMessage();
            takenOut += lastRefusal.contains("taken out") ? 1 : 0;
            return false;
        }
        try {
            left.assertTable();
            int there = left.further != null ? SpreadPair.INDEX : 0;
            assertEquals(Outcome.DURABLE, left.commit(50, there));
            left.close();
            left.open();
            left.assertTable();
            left.close();
            return true;
        } catch (Refusal e) {
            throw new AssertionError("opened once, then refused", e);
        }
    }

    @Test
    void aCrashWhileItIsTakenOut() throws Exception {
        SpreadPair pair = evacuated();
        cutEverywhere(pair, () -> {
            assertNull(pair.remove(0));
            CrashDevice first = pair.first;
            pair.provider.eraseMember(first, Bench.PAIR, 0);
            assertEquals(Outcome.DURABLE, pair.commit(11, SpreadPair.INDEX));
        });
        assertTrue(withFirst > 5 && takenOut > 5, withFirst + " with the first one, " + takenOut + " without it");
        System.out.println("suite: FirstSpareRemovedTest: taken out: " + states + " states, with the first one opened "
                + withFirst + " times, refused as taken out " + takenOut + ", refused " + refused);
        pair.close();
    }

    @Test
    void aCrashWhileOneThatIsNotThereIsTakenOut() throws Exception {
        for (boolean dead : List.of(true, false)) {
            SpreadPair pair = evacuated();
            CrashDevice first = pair.first;
            if (dead) {
                first.failFrom(first.operations(), ENODEV);
                assertEquals(Outcome.DURABLE, pair.commit(12, SpreadPair.THIRD));
                assertEquals(List.of(SpreadPair.INDEX), pair.holders());
            } else {
                pair.close();
                pair.first = null;
                pair.open();
                pair.rememberAlways();
                assertEquals(List.of(SpreadPair.INDEX, SpreadPair.THIRD), pair.holders());
                pair.first = first;
            }
            cutEverywhere(pair, () -> {
                assertNull(pair.remove(0));
                assertEquals(Outcome.DURABLE, pair.commit(13, SpreadPair.INDEX));
            });
            pair.close();
        }
        System.out.println("suite: FirstSpareRemovedTest: taken out while not there: " + states + " states, refused "
                + refused + ", as taken out " + takenOut);
    }

    /** The spare that is to lead fails at any moment of it, for good or once: the first one goes on, or the other one does; never both. */
    @Test
    void theOtherFailsMeanwhile() throws Exception {
        int kept = 0;
        int gone = 0;
        for (int errno : new int[] {ENODEV, EIO, ETIMEDOUT}) {
            for (int after = 0; after < 60; after++) {
                SpreadPair pair = evacuated();
                if (errno == ETIMEDOUT) {
                    pair.further.failOperation(pair.further.operations() + after, errno);
                } else {
                    pair.further.failFrom(pair.further.operations() + after, errno);
                }
                Refusal refusal = pair.remove(0);
                if (refusal == null) {
                    gone++;
                    pair.further.heal();
                    pair.first = null;
                    pair.close();
                } else {
                    kept++;
                    assertTrue(pair.holders().contains(0), refusal.getMessage());
                    assertEquals(Outcome.DURABLE, pair.commit(14, SpreadPair.THIRD), refusal.getMessage());
                    pair.close();
                    pair.further.heal();
                    // By itself the first one has everything; the one that failed is refused, or follows.
                    SpreadPair alone = pair.left(pair.first.copy(), null, pair.third.copy());
                    alone.open();
                    alone.assertTable();
                    alone.close();
                    SpreadPair wrong = pair.left(null, pair.further.copy(), pair.third.copy());
                    if (pair.witnessKnows(pair.further)) {
                        assertThrows(Refusal.class, wrong::open);
                    }
                }
                SpreadPair both = pair.left(pair.first, pair.further, pair.third);
                try {
                    both.open();
                    both.assertTable();
                    both.close();
                } catch (Refusal e) {
                    assertTrue(e.getMessage().contains("fork"), e.getMessage());
                    refused++;
                }
            }
        }
        assertTrue(kept > 20 && gone > 20 && refused < kept, kept + " kept, " + gone + " taken out, " + refused);
        System.out.println("suite: FirstSpareRemovedTest: the other one failed at " + (kept + gone) + " moments: kept "
                + kept + ", taken out " + gone + ", refused as a fork " + refused);
    }
}
