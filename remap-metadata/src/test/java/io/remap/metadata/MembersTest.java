package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Several spares of a pair: what the first one states of them, and what they say of themselves. */
class MembersTest {
    private static final UUID ID = new UUID(7, 8);
    private static final int LOG_BLOCKS = 3;
    private static final long SLOTS = 40;
    /** Subsets of unflushed sectors that are tried at each crash point where there are many. */
    private static final int SAMPLES = 12;

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private CrashDevice first;
    private Opened opened;

    @BeforeEach
    void format() throws Exception {
        first = Bench.formatted(LOG_BLOCKS);
        opened = Bench.open(provider, first, false, 3);
    }

    private SpareMember firstMember() {
        return opened.store().members().get(0);
    }

    private static SpareMember further() {
        return new SpareMember(3, ID, SpareMember.Use.PLAIN, SLOTS, 11);
    }

    /** Gives why not, {@code null} if it is durable. */
    private Refusal change(SpareMember... members) {
        List<Refusal> ended = new ArrayList<>();
        opened.store().changeMembers(List.of(members), ended::add);
        assertTrue(ended.isEmpty(), "told within the call");
        opened.tasks().runAll();
        assertEquals(1, ended.size());
        return ended.get(0);
    }

    private void reopen() throws Exception {
        opened.close();
        opened = Bench.open(provider, first, false, 4);
    }

    @Test
    void membersAndWhatStandsOnThemAreFoundAgain() throws Exception {
        assertEquals(1, opened.store().members().size());
        assertNull(change(firstMember(), further()));
        long place = Place.onSlot(3, 38, 0xff, 0);
        assertEquals(
                Outcome.DURABLE,
                opened.commit(
                        MapChange.set(100, 2, place),
                        MapChange.set(5, 1, Place.onSlot(0, 38, 0xff, 0)),
                        MapChange.badSlot(3, 7, 2),
                        MapChange.badSlot(0, 9, 1)));
        for (int i = 0; i < 2; i++) {
            reopen();
            assertEquals(List.of(firstMember(), further()), opened.store().members());
            assertEquals(Place.advance(place, 1), opened.store().table().placeOf(101));
            Set<String> bad = new HashSet<>();
            opened.store().badSlots((spare, slot, length) -> bad.add(spare + ":" + slot + "+" + length));
            assertEquals(Set.of("3:7+2", "0:9+1"), bad);
        }
    }

    @Test
    void whatASpareIsForIsFoundAgainAndIsNothingInAnOlderHeader() throws Exception {
        SpareMember first = firstMember().priority(7).standby(true);
        SpareMember second =
                further().priority(SpareMember.MAX_PRIORITY).leaving(true).standby(true);
        assertNull(change(first, second));
        reopen();
        assertEquals(List.of(first, second), opened.store().members());
        assertNull(change(first.priority(0).standby(false), second.standby(false)));
        reopen();
        assertEquals(SpareMember.Use.PLAIN, firstMember().use());
        assertEquals(
                new SpareMember.Use(true, false, 100),
                opened.store().members().get(1).use());
        assertThrows(IllegalArgumentException.class, () -> further().priority(101));
    }

    @Test
    void aMemberInUseStaysAndAnEmptyOneGoesWithItsBadSlots() throws Exception {
        assertNull(change(firstMember(), further()));
        opened.commit(MapChange.set(100, 1, Place.onSlot(3, 0, 0xff, 0)), MapChange.badSlot(3, 7, 2));
        assertEquals(Refusal.Kind.USAGE, change(firstMember()).kind());
        reopen();
        assertEquals(2, opened.store().members().size());
        opened.commit(Bench.unmap(100));
        assertNull(change(firstMember(), further().leaving(true)));
        reopen();
        assertTrue(opened.store().members().get(1).leaving());
        assertNull(change(firstMember()));
        opened.store().badSlots((spare, slot, length) -> assertEquals(0, spare));
        reopen();
        assertEquals(List.of(firstMember()), opened.store().members());
    }

    @Test
    void whatNoMemberHasIsAMistake() {
        MapChange onNobody = MapChange.set(1, 1, Place.onSlot(3, 0, 0xff, 0));
        assertEquals(Outcome.NOT_COMMITTED, opened.commit(onNobody));
        assertNull(change(firstMember(), further()));
        MapChange behindTheEnd = MapChange.set(1, 2, Place.onSlot(3, SLOTS - 1, 0xff, 0));
        assertThrows(IllegalArgumentException.class, () -> opened.commit(behindTheEnd));
        assertThrows(IllegalArgumentException.class, () -> change());
        assertEquals(Refusal.Kind.USAGE, change(further()).kind(), "the table is on the first one alone");
        assertThrows(IllegalArgumentException.class, () -> change(firstMember(), further(), further()));
    }

    /** It had a slot before the spare was taken out, and its commit comes behind that. */
    @Test
    void aCommitThatWaitedWhileItsMemberWentIsNotMade() throws Exception {
        assertNull(change(firstMember(), further()));
        List<Refusal> ended = new ArrayList<>();
        List<Outcome> outcomes = new ArrayList<>();
        first.observe((operation, offset, length) -> {
            // In the middle of the new generation.
            if (outcomes.isEmpty() && operation == Operation.WRITE) {
                outcomes.add(null);
                MapChange late = MapChange.set(1, 1, Place.onSlot(3, 0, 0xff, 0));
                opened.store().commit(List.of(late), (outcome, table) -> outcomes.add(outcome));
            }
        });
        opened.store().changeMembers(List.of(firstMember()), ended::add);
        opened.tasks().runAll();
        first.observe(null);
        assertNull(ended.get(0));
        assertEquals(Outcome.NOT_COMMITTED, outcomes.get(1));
        reopen();
        assertEquals(Place.MAIN, opened.store().table().placeOf(1));
    }

    /** Power cut at every boundary between two operations, with subsets of what was not flushed. */
    @Test
    void aCrashWhileMembersChangeLeavesTheOldOrTheNewOnes() throws Exception {
        opened.commit(MapChange.set(5, 1, Place.onSlot(0, 4, 0xff, 0)));
        List<SpareMember> before = opened.store().members();
        List<SpareMember> after = List.of(firstMember(), further());
        Set<List<SpareMember>> seen = new HashSet<>();
        int[] states = {0};
        long[] changes = {-1};
        first.observe((operation, offset, length) -> {
            long count = first.operations() - first.operations(Operation.READ);
            if (count != changes[0]) {
                changes[0] = count;
                for (int sample = 0; sample < SAMPLES; sample++) {
                    states[0]++;
                    seen.add(recovered(first.crash(states[0])));
                }
            }
        });
        assertNull(change(after.toArray(SpareMember[]::new)));
        first.observe(null);
        assertEquals(after, recovered(first.crash(1)));
        assertEquals(Set.of(before, after), seen, "in " + states[0] + " states");
    }

    private List<SpareMember> recovered(CrashDevice left) {
        try (Opened again = Bench.open(provider, left, false, 9)) {
            assertTrue(Place.hasSlot(again.store().table().placeOf(5)), "a mapping is lost");
            return again.store().members();
        } catch (Exception e) {
            throw new AssertionError("cannot be opened after a crash", e);
        }
    }

    private CrashDevice further(long stamp) throws Exception {
        CrashDevice device = new CrashDevice("further", Bench.SPARE_BYTES, 512);
        provider.formatMember(device, Bench.PAIR, 3, ID, Bench.environment(new Bench.Tasks(), 5));
        provider.stampMember(device, stamp);
        return device;
    }

    @Test
    void aFurtherSpareSaysWhichItIsAndHoldsNoTable() throws Exception {
        CrashDevice device = further(11);
        SpareIdentity identity = provider.member(device).orElseThrow();
        assertTrue(identity.is(further()));
        assertEquals(Bench.PAIR, identity.pair());
        assertEquals(11, identity.stamp());
        SpareSlots slots = identity.slots();
        assertTrue(slots.offsetBytes(slots.count() - 1) + Place.UNIT_BYTES <= Bench.SPARE_BYTES);
        assertEquals(Optional.empty(), provider.member(first), "the first one is none");
        Refusal refusal = assertThrows(Refusal.class, () -> Bench.open(provider, device, false, 1));
        assertEquals(Refusal.Kind.WRONG_DEVICE, refusal.kind());
        assertTrue(refusal.getMessage().contains("spare 3"), refusal.getMessage());
        provider.eraseMember(device, Bench.PAIR, 7);
        assertTrue(provider.member(device).isPresent(), "that is another one");
        provider.eraseMember(device, Bench.PAIR, 3);
        assertEquals(Optional.empty(), provider.member(device));
        Refusal removed = assertThrows(Refusal.class, () -> Bench.open(provider, device, false, 1));
        assertTrue(
                removed.getMessage().contains("it was taken out of the pair " + Bench.PAIR.pairUuid()),
                removed.getMessage());
        device.flipBit(Layout.SAVED_AT + MemberStamp.STAMP_AT, 1);
        removed = assertThrows(Refusal.class, () -> Bench.open(provider, device, false, 1));
        assertTrue(removed.getMessage().contains("it was never formatted"), removed.getMessage());
    }

    @Test
    void theStampOutlivesTheLossOfOneCopyAndNeverGoesBack() throws Exception {
        CrashDevice device = further(11);
        Set<Long> seen = new HashSet<>();
        device.observe((operation, offset, length) -> {
            for (int sample = 0; sample < SAMPLES; sample++) {
                seen.add(stampOf(device.crash(sample)));
            }
        });
        provider.stampMember(device, 12);
        device.observe(null);
        assertEquals(Set.of(11L, 12L), seen);
        assertEquals(12, stampOf(device.crash(1)));
        device.write(Layout.SAVED_AT, ByteBuffer.allocate(Block.BYTES));
        assertEquals(12, stampOf(device));
        device.write(Layout.SAVED_AT + Block.BYTES, ByteBuffer.allocate(Block.BYTES));
        assertEquals(-1, stampOf(device));
    }

    private long stampOf(CrashDevice device) {
        try {
            return provider.member(device).orElseThrow().stamp();
        } catch (Refusal | io.remap.api.DeviceException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aFurtherSpareIsCheckedShownAndRepaired() throws Exception {
        LogMetadataTools tools = new LogMetadataTools();
        CrashDevice device = further(11);
        MetadataReport sound = tools.check(device, MetadataTools.Level.STANDARD);
        assertEquals(Verdict.SOUND, sound.verdict());
        assertEquals(Identities.COUNT + 2, sound.parts().size());
        assertTrue(sound.findings().stream().allMatch(finding -> finding.severity() == Severity.NOTE));
        device.write(0, ByteBuffer.allocate(Block.BYTES));
        device.write(Layout.SAVED_AT, ByteBuffer.allocate(Block.BYTES));
        MetadataReport damaged = tools.check(device, MetadataTools.Level.STANDARD);
        assertEquals(Verdict.REPAIRABLE, damaged.verdict());
        assertEquals(
                List.of("superblock 0", "stamp 0"),
                damaged.parts().stream().filter(Part::isBad).map(Part::name).toList());
        assertEquals(
                Verdict.SOUND,
                tools.repair(device, Bench.environment(new Bench.Tasks(), 5)).verdict());
        assertEquals(11, stampOf(device));
        Map<String, Map<String, Object>> shown = new HashMap<>();
        tools.dump(device, (kind, values) -> shown.put(kind, values));
        assertEquals(Set.of("superblocks", "members"), shown.keySet());
        assertEquals(11L, shown.get("members").get("stamp"));
        // Nothing tells how new it is: that is not mended.
        device.write(Layout.SAVED_AT, ByteBuffer.allocate(2 * Block.BYTES));
        assertEquals(
                Verdict.UNUSABLE,
                tools.check(device, MetadataTools.Level.STANDARD).verdict());
        assertThrows(Refusal.class, () -> tools.repair(device, Bench.environment(new Bench.Tasks(), 5)));
        assertEquals(-1, stampOf(device));
    }

    @Test
    void aCrashWhileAFurtherSpareIsFormattedLeavesNoneOrAWholeOne() throws Exception {
        CrashDevice device = new CrashDevice("further", Bench.SPARE_BYTES, 512);
        Set<Boolean> seen = new HashSet<>();
        device.observe((operation, offset, length) -> {
            for (int sample = 0; sample < SAMPLES; sample++) {
                CrashDevice left = device.crash(sample);
                try {
                    Optional<SpareIdentity> found = provider.member(left);
                    found.ifPresent(identity -> assertEquals(ID, identity.id()));
                    seen.add(found.isPresent());
                } catch (Refusal | io.remap.api.DeviceException e) {
                    throw new AssertionError(e);
                }
            }
        });
        provider.formatMember(device, Bench.PAIR, 3, ID, Bench.environment(new Bench.Tasks(), 5));
        device.observe(null);
        assertEquals(Set.of(true, false), seen);
        assertFalse(provider.member(device.crash(1)).isEmpty());
    }
}
