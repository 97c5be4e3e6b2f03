package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Settings;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/**
 * Runs of a pair, step by step in the order that {@link LastStop} states, with what stands on spare and witness after each: a
 * crash there must never lead to a refusal, and copies of different moments must.
 */
class LastStopTest {
    private static final long SEED = Long.getLong("remap.seed", 1);
    private static final int RUNS = 6;

    /** Spare and witness at one moment of one run. */
    private record Moment(int run, String step, Object spare, Witness witness) {}

    private final SplittableRandom random = new SplittableRandom(SEED);
    private final SimScheduler scheduler = new SimScheduler(new SplittableRandom(SEED));
    private final MemoryMetadata metadata = new MemoryMetadata();
    private final MemoryDevice device = new MemoryDevice("spare", 1 << 20, 512);
    private final PairIdentity pair = new PairIdentity(new UUID(1, 2), 1 << 20, 512, "main");
    private final List<Moment> moments = new ArrayList<>();
    private Witness witness;
    private int run;

    private void at(String step) {
        moments.add(new Moment(run, step, metadata.copy(device), witness));
    }

    private MetadataStore look() throws Exception {
        return open(Optional.empty());
    }

    /** For writing, as an opening does it. */
    private MetadataStore open() throws Exception {
        UUID session = new UUID(random.nextLong(), random.nextLong());
        return open(Optional.of(witness.session()
                .map(remembered -> new Lineage(session, remembered))
                .orElse(Lineage.first(session))));
    }

    private MetadataStore open(Optional<Lineage> writing) throws Exception {
        return metadata.open(device, writing, scheduler.environment(new SplittableRandom(3)), Settings.defaults());
    }

    private Witness witnessOf(MetadataStore store) {
        return Witness.of(pair, store.generation(), store.table().mappedUnits(), "spare")
                .openedBy(store.lineage().session());
    }

    private Optional<String> difference(Witness remembered, Object spare) throws Exception {
        metadata.restore(device, spare);
        try (MetadataStore look = look()) {
            return LastStop.difference(remembered, look);
        }
    }

    private void map(MetadataStore store, long unit) {
        boolean[] done = {false};
        long place = Place.onSlot(0, random.nextInt(100), 1 + random.nextInt(0xff), 0);
        store.commit(List.of(MapChange.set(unit, 1, place)), (outcome, table) -> done[0] = true);
        scheduler.runUntilIdle();
        assertTrue(done[0]);
    }

    private void save(MetadataStore store, StopNote note) {
        boolean[] done = {false};
        store.save(Map.of(StopNote.SECTION, note.save()), failure -> done[0] = true);
        scheduler.runUntilIdle();
        assertTrue(done[0]);
    }

    /** One run; the witness is written unless it cannot be. */
    private void serve(boolean maps, boolean witnessed) throws Exception {
        run++;
        long unwitnessed = 0;
        if (witness != null && witness.stop().isPresent()) {
            if (witnessed) {
                witness = witness.withoutStop();
            } else {
                unwitnessed = witness.stop().get().id();
            }
        }
        at("the stop is taken back");
        MetadataStore store = open();
        at("a generation has begun");
        StopNote note = new StopNote(unwitnessed);
        if (unwitnessed != 0) {
            save(store, note);
        }
        at("open");
        if (witnessed) {
            witness = witnessOf(store);
        }
        at("the witness has its number");
        if (maps) {
            map(store, random.nextInt(200));
            at("mapped");
        }
        note.stopping(1 + random.nextLong(1L << 62), store.generation());
        save(store, note);
        at("saved");
        store.close();
        assertTrue(store.cleanStopRecorded());
        at("recorded");
        if (witnessed) {
            witness = witnessOf(store).stopped(new Witness.Stop(note.id(), TableDigest.of(store)));
        }
        at("stopped");
    }

    @Test
    void noCrashLeadsToARefusalAndEveryOtherMomentDoes() throws Exception {
        metadata.format(device, pair, null);
        witness = Witness.of(pair, 0, 0, "spare");
        for (int i = 0; i < RUNS; i++) {
            serve(i % 3 != 2, true);
        }
        int refused = 0;
        for (Moment here : moments) {
            assertEquals(Optional.empty(), difference(here.witness, here.spare), "seed " + SEED + ", " + here.step);
            if (here.witness.stop().isEmpty()) {
                continue;
            }
            for (Moment other : moments) {
                // The spare as it is after this very stop, before the next opening changes it.
                boolean stopped = other.step.equals("recorded") || other.step.equals("stopped");
                boolean notYetOpen = other.step.equals("the stop is taken back");
                boolean same = (other.run == here.run && stopped) || (other.run == here.run + 1 && notYetOpen);
                assertEquals(
                        !same,
                        difference(here.witness, other.spare).isPresent(),
                        "seed " + SEED + ", witness of run " + here.run + ", spare of run " + other.run + ", "
                                + other.step);
                refused += same ? 0 : 1;
            }
        }
        System.out.println("suite: G16 moments=" + moments.size() + " served-after-crash=" + moments.size()
                + " copies-of-other-moments-refused=" + refused + " seed=" + SEED);
    }

    @Test
    void aWitnessThatCannotBeWrittenRefusesNothingThatIsNewer() throws Exception {
        metadata.format(device, pair, null);
        witness = Witness.of(pair, 0, 0, "spare");
        serve(true, true);
        Object older = moments.get(3).spare;
        int from = moments.size();
        serve(true, false);
        serve(true, false);
        for (Moment here : moments.subList(from, moments.size())) {
            // Between the two a crash is too early: nothing could be said yet.
            if (!here.step.equals("a generation has begun")) {
                assertEquals(Optional.empty(), difference(here.witness, here.spare), here.run + " " + here.step);
            }
        }
        assertTrue(difference(witness, older).isPresent(), "an older copy");
        metadata.restore(device, moments.get(moments.size() - 1).spare);
        serve(true, true);
        assertEquals(Optional.empty(), difference(witness, metadata.copy(device)));
    }

    /** Opens the pair, and is killed once main remembers it. */
    private void serveAndBeKilled() throws Exception {
        serveAndBeKilledEarly();
        try (MetadataStore look = look()) {
            witness = witnessOf(look);
        }
    }

    /** Opens the pair, and is killed before main remembers it. */
    private void serveAndBeKilledEarly() throws Exception {
        witness = witness.withoutStop();
        open();
    }

    private void assertRefused(String why) throws Exception {
        assertTrue(difference(witness, metadata.copy(device)).orElseThrow().contains("another session"), why);
    }

    @Test
    void anOlderCopyStaysOneHoweverOftenItIsRepaired() throws Exception {
        metadata.format(device, pair, null);
        witness = Witness.of(pair, 0, 0, "spare");
        serve(true, true);
        serveAndBeKilled();
        Object older = metadata.copy(device);
        serveAndBeKilled();
        Object newest = metadata.copy(device);
        metadata.addGenerations(device, 2);
        assertEquals(Optional.empty(), difference(witness, metadata.copy(device)), "the right one, repaired");
        metadata.restore(device, older);
        metadata.addGenerations(device, 2);
        assertRefused("an older one, repaired");
        metadata.restore(device, newest);
        serve(true, true);
        assertEquals(Optional.empty(), difference(witness, metadata.copy(device)));
    }

    @Test
    void killedOpeningsBetweenDoNotMatter() throws Exception {
        metadata.format(device, pair, null);
        witness = Witness.of(pair, 0, 0, "spare");
        for (int kills = 0; kills < 4; kills++) {
            for (int kill = 0; kill < kills; kill++) {
                serveAndBeKilledEarly();
                assertEquals(Optional.empty(), difference(witness, metadata.copy(device)), "kill " + kill);
            }
            serveAndBeKilled();
            assertEquals(Optional.empty(), difference(witness, metadata.copy(device)), kills + " kills");
        }
    }

    @Test
    void halvesOfClonesDoNotFitEachOtherAfterKills() throws Exception {
        metadata.format(device, pair, null);
        witness = Witness.of(pair, 0, 0, "spare");
        serve(true, true);
        Witness common = witness;
        Object start = metadata.copy(device);
        serveAndBeKilled();
        Witness one = witness;
        Object spareOfOne = metadata.copy(device);
        metadata.restore(device, start);
        witness = common;
        serveAndBeKilled();
        serveAndBeKilled();
        Object spareOfOther = metadata.copy(device);
        assertEquals(Optional.empty(), difference(witness, spareOfOther));
        assertTrue(difference(witness, spareOfOne).isPresent(), "it is older");
        metadata.restore(device, spareOfOther);
        witness = one;
        assertRefused("the one that was served more often");
        assertEquals(Optional.empty(), difference(witness, spareOfOne));
    }

    @Test
    void earlierProgramsAreUnderstood() throws Exception {
        metadata.format(device, pair, null);
        witness = Witness.of(pair, 0, 0, "spare");
        serveAndBeKilled();
        // Such a program writes no ancestor, and may be killed before it writes the witness, which then names none.
        open(Optional.of(new Lineage(new UUID(random.nextLong(), 7), Lineage.UNKNOWN)));
        assertEquals(Optional.empty(), difference(witness, metadata.copy(device)));
        try (MetadataStore look = look()) {
            witness = Witness.of(pair, look.generation(), 0, "spare");
        }
        assertEquals(Optional.empty(), difference(witness, metadata.copy(device)));
        serveAndBeKilledEarly();
        assertEquals(Optional.empty(), difference(witness, metadata.copy(device)));
    }

    @Test
    void withoutANoteTheTableDecides() throws Exception {
        metadata.format(device, pair, null);
        witness = Witness.of(pair, 0, 0, "spare");
        serve(true, true);
        Witness.Stop stop = witness.stop().orElseThrow();
        // Of no new session, as a repair.
        Lineage same;
        try (MetadataStore look = look()) {
            same = look.lineage();
        }
        try (MetadataStore store = open(Optional.of(same))) {
            boolean[] done = {false};
            store.save(Map.of(), failure -> done[0] = true);
            scheduler.runUntilIdle();
            assertTrue(done[0]);
        }
        assertEquals(Optional.empty(), difference(witness, metadata.copy(device)), "as after a repair");
        Witness other = witness.stopped(new Witness.Stop(stop.id(), ~stop.tableDigest()));
        assertTrue(difference(other, metadata.copy(device)).orElseThrow().contains("other mappings"));
    }

    @Test
    void theDigestKnowsNoExtentsAndEveryField() throws Exception {
        int[] digests = new int[5];
        for (int way = 0; way < digests.length; way++) {
            metadata.format(device, pair, null);
            try (MetadataStore store = open(Optional.of(Lineage.first(new UUID(5, way))))) {
                List<MapChange> changes = switch (way) {
                    case 0 -> List.of(MapChange.set(3, 4, Place.onSlot(0, 10, 0xff, 0)));
                    case 1 ->
                        List.of(
                                MapChange.set(5, 2, Place.onSlot(0, 12, 0xff, 0)),
                                MapChange.set(3, 2, Place.onSlot(0, 10, 0xff, 0)));
                    case 2 -> List.of(MapChange.set(3, 4, Place.onSlot(0, 10, 0x7f, 0x80)));
                    case 3 -> List.of(MapChange.set(3, 4, Place.onSlot(0, 11, 0xff, 0)));
                    default -> List.of(MapChange.set(3, 4, Place.onSlot(0, 10, 0xff, 0)), MapChange.badSlot(0, 20, 1));
                };
                boolean[] done = {false};
                store.commit(changes, (outcome, table) -> done[0] = true);
                scheduler.runUntilIdle();
                assertTrue(done[0]);
                digests[way] = TableDigest.of(store);
            }
        }
        assertEquals(digests[0], digests[1]);
        for (int way = 2; way < digests.length; way++) {
            assertNotEquals(digests[0], digests[way], "way " + way);
        }
    }

    @Test
    void aWitnessIsReadAsItWasWritten() {
        Witness plain = Witness.of(pair, 7, 3, "a b\n=c");
        assertEquals(Optional.empty(), Witness.decode(plain.encode()).stop());
        Witness stopped = plain.stopped(new Witness.Stop(-2, 5));
        assertEquals(stopped.stop(), Witness.decode(stopped.encode()).stop());
        assertEquals(Optional.empty(), Witness.decode(stopped.encode()).session());
        Witness opened = stopped.openedBy(new UUID(-5, 6));
        assertEquals(opened.session(), Witness.decode(opened.encode()).session());
        assertEquals(
                opened.session(), Witness.decode(opened.withoutStop().encode()).session());
        String cut = new String(stopped.encode(), StandardCharsets.UTF_8).replace("table-crc32c=", "x=");
        assertEquals(
                Witness.UNKNOWN_PAIR,
                Witness.decode(cut.getBytes(StandardCharsets.UTF_8)).pairUuid());
        Witness longest = Witness.of(
                        new PairIdentity(pair.pairUuid(), 1, 512, "\u20ac".repeat(2000)), 7, 3, "\u20ac".repeat(2000))
                .openedBy(new UUID(-1, -1))
                .stopped(new Witness.Stop(1, 1));
        assertTrue(longest.encode().length <= io.remap.api.WitnessTag.MAX_TAG_BYTES, "it fits into an attribute");
    }
}
