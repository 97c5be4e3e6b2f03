package io.remap.metadata;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.spi.MetadataStore.SlotRunVisitor;

/**
 * What a generation states: the remap table and the bad slots. Immutable.
 *
 * @param map the remap table
 * @param bad bad slots of the one spare, kept as runs in a table whose "units" are slots
 */
record Tables(RemapTable map, RemapTable bad) {
    static final Tables EMPTY = new Tables(RemapTable.empty(), RemapTable.empty());
    /** Number of the only spare. */
    static final int SPARE = 0;

    private static final long BAD = Place.lost(1);

    Tables with(MapChange change) {
        return change.kind() == MapChange.Kind.SET
                ? new Tables(map.with(change), bad)
                : new Tables(map, bad.with(change.firstUnit(), change.lengthUnits(), BAD));
    }

    /** Entries on the spare. */
    long entries() {
        return map.extents() + bad.extents();
    }

    void visitBad(SlotRunVisitor visitor) {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(bad, 0); found; found = cursor.next()) {
            visitor.run(SPARE, cursor.firstUnit(), cursor.lengthUnits());
        }
    }

    /** Collects the entries of a stored table in their order. */
    static final class Loader {
        private final RemapTable.Builder map = new RemapTable.Builder();
        private final RemapTable.Builder bad = new RemapTable.Builder();
        private boolean inBad;

        void add(MapChange entry) throws Damage {
            boolean set = entry.kind() == MapChange.Kind.SET;
            if (set && (inBad || entry.place() == Place.MAIN)) {
                throw new Damage("the table has an entry that does not belong there: " + entry);
            }
            try {
                if (set) {
                    map.add(entry.firstUnit(), entry.lengthUnits(), entry.place());
                } else {
                    inBad = true;
                    bad.add(entry.firstUnit(), entry.lengthUnits(), BAD);
                }
            } catch (IllegalArgumentException e) {
                throw new Damage("the table is out of order: " + e.getMessage());
            }
        }

        Tables tables() {
            return new Tables(map.build(), bad.build());
        }
    }
}
