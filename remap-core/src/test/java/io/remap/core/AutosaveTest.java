package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Attribute;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.Settings;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.core.disk.Saved;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Saves in time and at the stop, what has changed, and gives it back at the next start. */
class AutosaveTest {
    private static final long PAUSE_MILLIS = 60_000;

    private final SimScheduler scheduler = new SimScheduler(new SplittableRandom(1));
    private final Environment environment = scheduler.environment(new SplittableRandom(2));
    private final MemoryMetadata metadata = new MemoryMetadata();
    private final MemoryDevice spare = new MemoryDevice("spare", 1 << 20, 512);
    private final Note note = new Note();
    private MetadataStore store;

    private static final class Note implements Saved {
        String text = "";
        boolean fails;

        @Override
        public String section() {
            return "note";
        }

        @Override
        public byte[] save() {
            return text.getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public void restore(byte[] saved) {
            if (fails) {
                throw new IllegalStateException("nonsense");
            }
            text = new String(saved, StandardCharsets.UTF_8);
        }
    }

    AutosaveTest() throws Exception {
        metadata.format(spare, new PairIdentity(new UUID(1, 2), 1 << 20, 512, "main"), environment);
    }

    private Autosave started(long pauseMillis, Saved... parts) throws Exception {
        store = metadata.open(spare, false, environment, Settings.defaults());
        Autosave autosave = new Autosave("disk", store, List.of(parts), environment, pauseMillis, Optional.empty());
        autosave.start();
        return autosave;
    }

    private String saved() {
        byte[] bytes = store.saved().get("note");
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    private void pass(long millis) {
        boolean[] over = {false};
        environment.scheduler().schedule(() -> over[0] = true, millis);
        scheduler.runUntil(() -> over[0]);
    }

    @Test
    void savesWhatHasChangedInTime() throws Exception {
        Autosave autosave = started(PAUSE_MILLIS, note);
        note.text = "one";
        pass(PAUSE_MILLIS - 1000);
        assertEquals(null, saved());
        assertEquals("nothing to save so far", autosave.status().detail());
        pass(2000);
        assertEquals("one", saved());
        note.text = "two";
        pass(PAUSE_MILLIS);
        assertEquals("two", saved());
        assertTrue(
                autosave.status().detail().matches("saved [0-9] s ago"),
                autosave.status().detail());
        pass(3 * PAUSE_MILLIS);
        assertTrue(autosave.status().detail().matches("saved 18[0-9] s ago"), "what has not changed is not saved");
    }

    @Test
    void savesAtTheStopAndGivesItBack() throws Exception {
        Autosave autosave = started(0, note);
        note.text = "one";
        pass(10 * PAUSE_MILLIS);
        assertEquals(null, saved());
        autosave.close();
        scheduler.runUntilIdle();
        assertEquals("one", saved());
        assertEquals(FeatureState.STOPPED, autosave.status().state());
        note.text = "";
        started(PAUSE_MILLIS, note).close();
        assertEquals("one", note.text);
        note.text = "two";
        note.fails = true;
        started(PAUSE_MILLIS, note).close();
        assertEquals("two", note.text, "what makes no sense is left out");
    }

    @Test
    void countersGoOn() throws Exception {
        long[] count = {5};
        List<Attribute> counters = List.of(Attribute.readOnly("io.reads", "count", "READs", () -> count[0]));
        started(PAUSE_MILLIS, new Lifetime(counters)).close();
        scheduler.runUntilIdle();
        count[0] = 3;
        Lifetime next = new Lifetime(counters);
        Autosave autosave = started(PAUSE_MILLIS, next);
        assertEquals("lifetime.io.reads", next.attributes().get(0).name());
        assertEquals(8L, next.attributes().get(0).get().get());
        autosave.close();
        scheduler.runUntilIdle();
        Lifetime last = new Lifetime(List.of());
        started(PAUSE_MILLIS, last).close();
        assertEquals("io.reads=8\n", new String(last.save(), StandardCharsets.UTF_8), "unknown ones are kept");
    }

    /** A save at each beat, changed or not; the lease ends after five that did not come, and says so. */
    @Test
    void heartbeatsHoldTheLease() throws Exception {
        int[] ends = {0};
        store = metadata.open(spare, false, environment, Settings.defaults());
        Lease lease = new Lease(environment.time(), 1000, () -> ends[0]++);
        Autosave autosave = new Autosave("disk", store, List.of(note), environment, PAUSE_MILLIS, Optional.of(lease));
        autosave.start();
        pass(500);
        assertEquals(1000, Lease.beatMillisOf(store.saved()).orElseThrow(), "there is one at once");
        pass(20_000);
        assertTrue(!lease.isOver() && ends[0] == 0, "it is renewed");
        assertTrue(
                autosave.status().detail().matches("saved [01] s ago"),
                autosave.status().detail());
        metadata.takeOver(store);
        pass(3_500);
        assertTrue(!lease.isOver(), "no sooner than after five beats");
        pass(3_000);
        assertTrue(ends[0] > 0, "also where nobody asks");
        assertTrue(lease.isOver());
        assertEquals(FeatureState.FAILED, autosave.status().state());
    }
}
