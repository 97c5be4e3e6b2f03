package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.Scheduler;
import io.remap.api.Settings;
import io.remap.api.TimeSource;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.PairIdentity;
import io.remap.testkit.CrashDevice;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;

/** What the tests of this module share: a scheduler that runs when told, an environment by seed, short words for changes. */
final class Bench {
    static final long SPARE_BYTES = 4 << 20;
    static final long MAIN_BYTES = 1L << 30;
    static final PairIdentity PAIR =
            new PairIdentity(new UUID(0x1122334455667788L, 0x99aabbccddeeff00L), MAIN_BYTES, 512, "wwn:0x5000");

    private Bench() {}

    /** Runs tasks on the thread of the test, in their order, when the test says so. */
    static final class Tasks implements Scheduler {
        private final ArrayDeque<Runnable> waiting = new ArrayDeque<>();

        @Override
        public synchronized void execute(Runnable task) {
            waiting.add(task);
        }

        @Override
        public Cancellable schedule(Runnable task, long delayMillis) {
            throw new UnsupportedOperationException("no timers here");
        }

        synchronized Runnable poll() {
            return waiting.poll();
        }

        void runAll() {
            for (Runnable task = poll(); task != null; task = poll()) {
                task.run();
            }
        }
    }

    /** An environment whose randomness comes from a seed and whose clock stands still. */
    static Environment environment(Tasks tasks, long seed) {
        TimeSource time = new TimeSource() {
            @Override
            public long nanoTime() {
                return 0;
            }

            @Override
            public long wallMillis() {
                return 1_700_000_000_000L;
            }
        };
        return new Environment(time, tasks, new Random(seed));
    }

    /** A store with the tasks it runs on. */
    record Opened(MetadataStore store, Tasks tasks) implements AutoCloseable {
        /** Commits, runs what that needs, and gives the outcome. */
        Outcome commit(MapChange... changes) {
            return commit(List.of(changes));
        }

        Outcome commit(List<MapChange> changes) {
            List<Outcome> outcomes = new ArrayList<>();
            store.commit(changes, (outcome, table) -> outcomes.add(outcome));
            if (!outcomes.isEmpty()) {
                throw new AssertionError("the listener was called within commit");
            }
            tasks.runAll();
            if (outcomes.size() != 1) {
                throw new AssertionError("the listener was called " + outcomes.size() + " times");
            }
            return outcomes.get(0);
        }

        Object attribute(String name) {
            return store.attributes().stream()
                    .filter(attribute -> attribute.name().equals("metadata." + name))
                    .findAny()
                    .orElseThrow()
                    .get()
                    .get();
        }

        @Override
        public void close() {
            store.close();
        }
    }

    static Opened open(LogMetadataProvider provider, BlockDevice spare, boolean readOnly, long seed)
            throws Refusal, DeviceException {
        Tasks tasks = new Tasks();
        return new Opened(provider.open(spare, readOnly, environment(tasks, seed), Settings.defaults()), tasks);
    }

    static Opened open(BlockDevice spare) throws Refusal, DeviceException {
        return open(new LogMetadataProvider(), spare, false, 7);
    }

    static CrashDevice formatted(int logBlocks) throws Refusal, DeviceException {
        CrashDevice spare = new CrashDevice("spare", SPARE_BYTES, 512);
        new LogMetadataProvider(logBlocks).format(spare, PAIR, environment(new Tasks(), 1));
        return spare;
    }

    /** All sectors of a unit on a slot. */
    static MapChange map(long unit, long slot) {
        return MapChange.set(unit, 1, Place.onSlot(0, slot, 0xff, 0));
    }

    static MapChange unmap(long unit) {
        return MapChange.set(unit, 1, Place.MAIN);
    }

    /** A table as text, for comparing and for messages. */
    static String text(RemapTable table) {
        StringBuilder text = new StringBuilder();
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(table, 0); found; found = cursor.next()) {
            text.append(cursor.firstUnit())
                    .append('+')
                    .append(cursor.lengthUnits())
                    .append(" on ")
                    .append(Place.toString(cursor.place()))
                    .append("; ");
        }
        return text.toString();
    }

    static String badSlots(MetadataStore store) {
        StringBuilder text = new StringBuilder();
        store.badSlots((spare, first, length) ->
                text.append(first).append('+').append(length).append("; "));
        return text.toString();
    }
}
