package io.remap.metadata;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.spi.MetadataStore.SlotRunVisitor;
import io.remap.api.spi.SpareMember;
import java.util.List;

/**
 * What a generation states: the remap table, the bad slots, and the spares of the pair. Immutable.
 *
 * @param map the remap table
 * @param bad bad slots, kept as runs in a table whose "units" are {@link #slotId}s
 * @param members the spares by number, the first one always
 */
record Tables(RemapTable map, RemapTable bad, List<SpareMember> members) {
    private static final long BAD = Place.lost(1);

    Tables {
        members = List.copyOf(members);
    }

    /** Nothing is mapped, and there is the first spare only. */
    static Tables empty(Layout layout) {
        return new Tables(RemapTable.empty(), RemapTable.empty(), List.of(SpareMember.first(layout.slots())));
    }

    /** The spare in bits 32 and up, the slot below: no run goes from one spare to the next. */
    static long slotId(int spare, long slot) {
        return (long) spare << 32 | slot;
    }

    static int spareOf(long slotId) {
        return (int) (slotId >>> 32);
    }

    static long slotOf(long slotId) {
        return slotId & 0xffff_ffffL;
    }

    Tables with(MapChange change) {
        if (change.kind() == MapChange.Kind.SET) {
            return new Tables(map.with(change), bad, members);
        }
        long first = slotId(Place.spare(change.place()), change.firstUnit());
        return new Tables(map, bad.with(first, change.lengthUnits(), BAD), members);
    }

    /** With other spares; the bad slots of those that are left out are forgotten. */
    Tables withMembers(List<SpareMember> newMembers) {
        RemapTable.Builder kept = new RemapTable.Builder();
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(bad, 0); found; found = cursor.next()) {
            int spare = spareOf(cursor.firstUnit());
            if (newMembers.stream().anyMatch(member -> member.index() == spare)) {
                kept.add(cursor.firstUnit(), cursor.lengthUnits(), BAD);
            }
        }
        return new Tables(map, kept.build(), newMembers);
    }

    /** Whether a sector stands in a slot of the spare. */
    boolean uses(int spare) {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(map, 0); found; found = cursor.next()) {
            if (Place.hasSlot(cursor.place()) && Place.spare(cursor.place()) == spare) {
                return true;
            }
        }
        return false;
    }

    /** Slots of the spare of this number, 0 if there is no such spare. */
    long slotsOf(int spare) {
        for (SpareMember member : members) {
            if (member.index() == spare) {
                return member.slots();
            }
        }
        return 0;
    }

    /** Entries on the spare. */
    long entries() {
        return map.extents() + bad.extents();
    }

    void visitBad(SlotRunVisitor visitor) {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(bad, 0); found; found = cursor.next()) {
            visitor.run(spareOf(cursor.firstUnit()), slotOf(cursor.firstUnit()), cursor.lengthUnits());
        }
    }

    /** Collects the entries of a stored table in their order. */
    static final class Loader {
        private final RemapTable.Builder map = new RemapTable.Builder();
        private final RemapTable.Builder bad = new RemapTable.Builder();
        private final List<SpareMember> members;
        private boolean inBad;

        /** @param members as the header has them */
        Loader(List<SpareMember> members) {
            this.members = members;
        }

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
                    bad.add(slotId(Place.spare(entry.place()), entry.firstUnit()), entry.lengthUnits(), BAD);
                }
            } catch (IllegalArgumentException e) {
                throw new Damage("the table is out of order: " + e.getMessage());
            }
        }

        Tables tables() {
            return new Tables(map.build(), bad.build(), members);
        }
    }
}
