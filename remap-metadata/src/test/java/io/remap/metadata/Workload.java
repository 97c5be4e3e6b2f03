package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.SpareMember;
import io.remap.metadata.Bench.Opened;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A client of a store, as the virtual disk is one: takes free slots, writes data there, commits, and remembers what was
 * issued and what was acknowledged. Shares no code with the store but the vocabulary.
 */
final class Workload {
    /** What a workload is made of. */
    enum Step {
        /** A unit to a new slot. */
        MAP_ONE,
        /** Another unit, to two slots one after the other. */
        MAP_TWO,
        /** The first unit back to main: its slot becomes free. */
        UNMAP,
        /** The slot of the first unit is bad: another one, and a record of it. */
        REPLACE,
        /** Two calls at once, in one block. */
        GROUP,
        /** More records than a block holds. */
        LARGE,
        /** A clean stop and a start. */
        REOPEN
    }

    /** A state that the spare may have: a table, bad slots, and which writing each mapped unit must show. */
    record Version(Tables tables, Map<Long, Integer> data) {}

    private final LogMetadataProvider provider;
    private static final Tables NOTHING =
            new Tables(RemapTable.empty(), RemapTable.empty(), RemapTable.empty(), List.of(SpareMember.first(1 << 20)));

    private final BlockDevice spare;
    private final List<Version> issued = new ArrayList<>();
    private final List<Outcome> outcomes = new ArrayList<>();
    private Opened opened;
    private int acknowledged;
    private int writings;
    private Version uncertain;

    Workload(LogMetadataProvider provider, BlockDevice spare) {
        this.provider = provider;
        this.spare = spare;
        issued.add(new Version(NOTHING, Map.of()));
    }

    void open() throws Exception {
        opened = Bench.open(provider, spare, false, 11 + writings);
    }

    void run(Step step) throws Exception {
        switch (step) {
            case MAP_ONE -> commit(List.of(mapped(1, 1)));
            case MAP_TWO -> commit(List.of(mapped(5, 2)));
            case UNMAP -> commit(List.of(List.of(Bench.unmap(1))));
            case REPLACE -> {
                long old = committed().tables().map().placeOf(1);
                List<MapChange> changes = new ArrayList<>(mapped(1, 1));
                if (Place.hasSlot(old)) {
                    changes.add(MapChange.badSlot(0, Place.slot(old), 1));
                }
                commit(List.of(changes));
            }
            case GROUP -> commit(List.of(mapped(1, 1), List.of(MapChange.set(9, 1, Place.lost(3)))));
            case LARGE -> {
                List<MapChange> changes = new ArrayList<>();
                for (int i = 0; i < LogBlock.MAX_RECORDS + 1; i++) {
                    changes.add(MapChange.set(100 + 2 * i, 1, (writings & 1) == 0 ? Place.zero(0) : Place.lost(1)));
                }
                writings++;
                commit(List.of(changes));
            }
            case REOPEN -> {
                opened.close();
                open();
                adopt();
            }
        }
    }

    /** After a store that failed, the next opening decides whether the uncertain commit is in force. */
    private void adopt() {
        if (uncertain != null
                && Bench.text(store().table())
                        .equals(Bench.text(uncertain.tables().map()))) {
            issued.add(uncertain);
            acknowledged = issued.size() - 1;
        }
        uncertain = null;
    }

    /** The newest state that a commit was acknowledged for. */
    Version committed() {
        return issued.get(acknowledged);
    }

    /** All states that the spare may be in now: the committed one, and those of commits under way. */
    List<Version> allowed() {
        List<Version> allowed = new ArrayList<>(issued.subList(acknowledged, issued.size()));
        if (uncertain != null) {
            allowed.add(uncertain);
        }
        return allowed;
    }

    List<Outcome> outcomes() {
        return outcomes;
    }

    MetadataStore store() {
        return opened.store();
    }

    /** Writes data to free slots, and gives the change that maps the units there. */
    private List<MapChange> mapped(long unit, int units) throws DeviceException {
        long slot = freeSlots(units);
        writings++;
        for (int i = 0; i < units; i++) {
            spare.write(store().slotOffsetBytes(slot + i), pattern(unit + i, writings));
        }
        return List.of(MapChange.set(unit, units, Place.onSlot(0, slot, 0xff, 0)));
    }

    private long freeSlots(int count) {
        Tables tables = committed().tables();
        for (long slot = 0; ; slot++) {
            boolean free = true;
            for (int i = 0; i < count; i++) {
                // A slot that an uncertain record names is out of use until the next opening.
                free &= tables.bad().placeOf(slot + i) == Place.MAIN
                        && !isUsed(tables.map(), slot + i)
                        && (uncertain == null || !isUsed(uncertain.tables().map(), slot + i));
            }
            if (free) {
                return slot;
            }
        }
    }

    private static boolean isUsed(RemapTable map, long slot) {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(map, 0); found; found = cursor.next()) {
            long first = Place.slot(cursor.place());
            if (Place.hasSlot(cursor.place()) && slot >= first && slot < first + cursor.lengthUnits()) {
                return true;
            }
        }
        return false;
    }

    static ByteBuffer pattern(long unit, int writing) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(Place.UNIT_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.hasRemaining()) {
            bytes.putLong(unit << 32 | writing);
        }
        return bytes.flip();
    }

    private void commit(List<List<MapChange>> calls) {
        List<Version> group = new ArrayList<>();
        Version last = issued.get(issued.size() - 1);
        List<Outcome> answers = new ArrayList<>();
        for (List<MapChange> changes : calls) {
            last = after(last, changes);
            group.add(last);
            issued.add(last);
            store().commit(changes, (outcome, table) -> {
                answers.add(outcome);
                if (outcome == Outcome.DURABLE) {
                    acknowledged++;
                }
            });
        }
        opened.tasks().runAll();
        outcomes.addAll(answers);
        if (answers.size() != calls.size()) {
            throw new AssertionError(calls.size() + " calls and " + answers.size() + " answers");
        }
        // All calls of a group have one outcome; what is not in force is no basis for what follows.
        if (answers.get(0) != Outcome.DURABLE) {
            issued.subList(acknowledged + 1, issued.size()).clear();
            if (answers.get(0) == Outcome.STORE_FAILED && uncertain == null) {
                uncertain = group.get(group.size() - 1);
            }
        }
    }

    private Version after(Version before, List<MapChange> changes) {
        Tables tables = before.tables();
        Map<Long, Integer> data = new HashMap<>(before.data());
        for (MapChange change : changes) {
            tables = tables.with(change);
            if (change.kind() == MapChange.Kind.SET && change.firstUnit() < 100) {
                for (long i = 0; i < change.lengthUnits(); i++) {
                    if (Place.hasSlot(change.place())) {
                        data.put(change.firstUnit() + i, writings);
                    } else {
                        data.remove(change.firstUnit() + i);
                    }
                }
            }
        }
        return new Version(tables, data);
    }
}
