package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.SpareSlots;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A spare that has got larger: nothing on it moves, and a power cut leaves the former slots or the new ones. */
class GrowthTest {
    private static final int LOG_BLOCKS = 3;
    private static final UUID ID = new UUID(7, 8);
    /** By less than half, so that the places of superblocks in a spare of the new size are slots of the former one. */
    private static final long MORE_BYTES = Bench.SPARE_BYTES / 4;
    /** Subsets of unflushed sectors that are tried at each crash point. */
    private static final int SAMPLES = 24;

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    private final LogMetadataTools tools = new LogMetadataTools();
    private final CrashDevice first = new CrashDevice("first", Bench.SPARE_BYTES + MORE_BYTES, 512);
    private final CrashDevice further = new CrashDevice("further", Bench.SPARE_BYTES + MORE_BYTES, 512);
    private final Layout layout = Layout.tryPlan(Bench.SPARE_BYTES, Block.BYTES, LOG_BLOCKS);
    private final long before = layout.slots();
    private final long after = before + MORE_BYTES / Block.BYTES;

    @BeforeEach
    void format() throws Exception {
        Formatter.format(first, Bench.PAIR, layout, Bench.environment(new Bench.Tasks(), 1));
        Formatter.formatMember(further, Bench.PAIR, 3, ID, layout, Bench.environment(new Bench.Tasks(), 1));
        provider.stampMember(further, 11);
        try (Opened opened = Bench.open(provider, first, false, 2)) {
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(5, before - 2)));
        }
    }

    @Test
    void theFormerSlotsStayAndTheNewOnesLieBehindTheFormerEnd() throws Exception {
        assertEquals(new MetadataTools.Grown(before, after, layout.entryLimit()), tools.grow(first));
        assertEquals(
                Verdict.SOUND, tools.check(first, MetadataTools.Level.STANDARD).verdict());
        for (int start = 0; start < 2; start++) {
            try (Opened opened = Bench.open(provider, first, false, 3)) {
                SpareSlots slots = opened.store().slots();
                assertEquals(after, slots.count());
                assertEquals(after, opened.store().members().get(0).slots());
                for (long slot = 0; slot < before; slot++) {
                    assertEquals(layout.slotOffsetBytes(slot), slots.offsetBytes(slot));
                }
                assertEquals(Bench.SPARE_BYTES, slots.offsetBytes(before));
                assertEquals(Bench.SPARE_BYTES + MORE_BYTES - Block.BYTES, slots.offsetBytes(after - 1));
                assertThrows(IllegalArgumentException.class, () -> slots.offsetBytes(after));
                assertEquals(Outcome.DURABLE, opened.commit(Bench.map(6, after - 1)));
                assertThrows(IllegalArgumentException.class, () -> opened.commit(Bench.map(7, after)));
                assertTrue(Place.hasSlot(opened.store().table().placeOf(5)));
            }
        }
        assertEquals(new MetadataTools.Grown(after, after, layout.entryLimit()), tools.grow(first), "nothing is left");
    }

    /** What clients wrote to the slots there is not to be taken for superblocks of a spare of that size. */
    @Test
    void whatStandsWhereASpareOfTheNewSizeHasItsSuperblocksIsNobodysWord() throws Exception {
        CrashDevice another = new CrashDevice("another", Bench.SPARE_BYTES + MORE_BYTES, 512);
        provider.format(another, Bench.PAIR, Bench.environment(new Bench.Tasks(), 9));
        for (int place = 2; place < Identities.COUNT; place++) {
            ByteBuffer block = ByteBuffer.allocate(Block.BYTES);
            long offset = Layout.identityOffset(place, Bench.SPARE_BYTES + MORE_BYTES);
            another.read(offset, block);
            first.write(offset, block.flip());
        }
        first.flush();
        tools.grow(first);
        try (Opened opened = Bench.open(provider, first, false, 3)) {
            assertEquals(after, opened.store().slots().count());
        }
    }

    @Test
    void oneThatBecameSmallerAgainIsRefused() throws Exception {
        tools.grow(further);
        CrashDevice smaller = new CrashDevice("smaller", Bench.SPARE_BYTES, 512);
        ByteBuffer all = ByteBuffer.allocate((int) Bench.SPARE_BYTES);
        further.read(0, all);
        smaller.write(0, all.flip());
        Refusal refusal = assertThrows(Refusal.class, () -> provider.member(smaller));
        assertTrue(refusal.getMessage().contains("it was truncated"), refusal.getMessage());
    }

    @Test
    void aCrashWhileTheFirstSpareGrowsLeavesTheFormerOrTheNewSlots() throws Exception {
        Set<Long> seen = new HashSet<>();
        int[] states = {0};
        first.observe((operation, offset, length) -> {
            for (int sample = 0; sample < SAMPLES && operation != Operation.READ; sample++) {
                CrashDevice left = first.crash(states[0]++);
                seen.add(openedSlots(left));
                // A second growth ends what the first one began.
                assertEquals(after, grownSlots(left));
                assertEquals(after, openedSlots(left));
            }
        });
        tools.grow(first);
        first.observe(null);
        assertEquals(Set.of(before, after), seen, "in " + states[0] + " states");
        assertEquals(after, openedSlots(first.crash(1)));
    }

    /** Opens it for writing, uses its last slot, and gives how many it has: they must not become fewer any more. */
    private long openedSlots(CrashDevice left) {
        try {
            long slots;
            try (Opened opened = Bench.open(provider, left, false, 9)) {
                slots = opened.store().slots().count();
                assertTrue(Place.hasSlot(opened.store().table().placeOf(5)), "a mapping is lost");
                assertEquals(Outcome.DURABLE, opened.commit(Bench.map(6, slots - 1)));
            }
            MetadataReport report = tools.check(left, MetadataTools.Level.STANDARD);
            assertEquals(List.of(), report.findings());
            Identities.read(left)
                    .found()
                    .forEach(one ->
                            assertEquals(slots, one.superblock().layout().slots(), "a superblock was not completed"));
            return slots;
        } catch (Refusal | DeviceException | Damage e) {
            throw new AssertionError("cannot be opened after a crash", e);
        }
    }

    private long grownSlots(CrashDevice left) {
        try {
            return tools.grow(left).now();
        } catch (Refusal | DeviceException e) {
            throw new AssertionError("cannot be grown after a crash", e);
        }
    }

    @Test
    void aCrashWhileAFurtherSpareGrowsLeavesTheFormerOrTheNewSlots() throws Exception {
        Set<Long> seen = new HashSet<>();
        int[] states = {0};
        further.observe((operation, offset, length) -> {
            for (int sample = 0; sample < SAMPLES && operation != Operation.READ; sample++) {
                CrashDevice left = further.crash(states[0]++);
                try {
                    SpareIdentity found = provider.member(left).orElseThrow();
                    assertEquals(11, found.stamp());
                    seen.add(found.slots().count());
                    // As an opening of the disk does it: from then on the first spare may state so many.
                    provider.stampMember(left, 12);
                    Identities.read(left)
                            .found()
                            .forEach(one -> assertEquals(
                                    found.slots().count(),
                                    one.superblock().layout().slots()));
                    assertEquals(after, grownSlots(left));
                } catch (Refusal | DeviceException | Damage e) {
                    throw new AssertionError("cannot be read after a crash", e);
                }
            }
        });
        assertEquals(new MetadataTools.Grown(before, after, 0), tools.grow(further));
        further.observe(null);
        assertEquals(Set.of(before, after), seen, "in " + states[0] + " states");
    }

    @Test
    void whatIsNoSpareOrContradictsItselfIsRefused() throws Exception {
        CrashDevice blank = new CrashDevice("blank", Bench.SPARE_BYTES, 512);
        assertEquals(
                Refusal.Kind.WRONG_DEVICE,
                assertThrows(Refusal.class, () -> tools.grow(blank)).kind());
        tools.grow(further);
        assertFalse(new Superblock.Version(1, 1, 0, 0, 63).tooNew());
        assertTrue(new Superblock.Version(1, 1, 0, 0, 64).tooNew());
    }
}
