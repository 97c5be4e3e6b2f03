package io.remap.metadata;

import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore.SealVisitor;
import io.remap.api.spi.MetadataStore.SlotRunVisitor;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareMember;
import java.util.List;
import java.util.function.Predicate;

/**
 * What a generation states: the remap table, the bad slots, the sealed regions, and the spares of the pair. Immutable.
 *
 * @param map the remap table
 * @param bad bad slots, kept as runs in a table whose "units" are slot ids, {@link Place#slotId}
 * @param seals sealed regions, in a table whose "units" are {@link #regionId}s and whose places are {@link Seal}s
 * @param members the spares by number, at least one
 */
record Tables(RemapTable map, RemapTable bad, RemapTable seals, List<SpareMember> members) {
    private static final long BAD = Place.lost(1);

    Tables {
        members = List.copyOf(members);
    }

    /** Nothing is mapped, and there is the first spare only. */
    static Tables empty(Layout layout) {
        return new Tables(
                RemapTable.empty(), RemapTable.empty(), RemapTable.empty(), List.of(SpareMember.first(layout.slots())));
    }

    /** The same, stated by somebody who sees the spares otherwise. */
    Tables stating(List<SpareMember> otherMembers) {
        return new Tables(map, bad, seals, otherMembers);
    }

    /** The spare in bits 26 and up, the region below, of which {@link Seal#MAX_REGION} is the highest. */
    static long regionId(int spare, long region) {
        return (long) spare << 26 | region;
    }

    static long regionOf(long regionId) {
        return regionId & Seal.MAX_REGION;
    }

    Tables with(MapChange change) {
        int spare = Place.spare(change.place());
        long first = change.firstUnit();
        long length = change.lengthUnits();
        return switch (change.kind()) {
            case SET -> new Tables(map.with(change), bad, seals, members);
            case BAD_SLOT -> new Tables(map, bad.with(Place.slotId(spare, first), length, BAD), seals, members);
            case SEAL -> new Tables(map, bad, seals.with(regionId(spare, first), 1, change.place()), members);
            case OPEN -> new Tables(map, bad, seals.with(regionId(spare, first), length, Place.MAIN), members);
        };
    }

    /** With other spares; bad slots and seals of those that are left out are forgotten. */
    Tables withMembers(List<SpareMember> newMembers) {
        RemapTable keptBad = keep(bad, cursor -> isMember(newMembers, Place.spareOfId(cursor.firstUnit())));
        RemapTable keptSeals = keep(seals, cursor -> isMember(newMembers, Seal.spare(cursor.place())));
        return new Tables(map, keptBad, keptSeals, newMembers);
    }

    private static boolean isMember(List<SpareMember> members, int spare) {
        return members.stream().anyMatch(member -> member.index() == spare);
    }

    private static RemapTable keep(RemapTable table, Predicate<RemapTable.Cursor> wanted) {
        RemapTable.Builder kept = new RemapTable.Builder();
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(table, 0); found; found = cursor.next()) {
            if (wanted.test(cursor)) {
                kept.add(cursor.firstUnit(), cursor.lengthUnits(), cursor.place());
            }
        }
        return kept.build();
    }

    /** The features of {@link Superblock.Version} that a spare needs which states this together with another one. */
    int features() {
        return featuresOf(members) | (seals.isEmpty() ? 0 : Superblock.Version.SEALED);
    }

    /** As {@link #features}, of these spares. */
    static int featuresOf(List<SpareMember> members) {
        return Superblock.Version.SPREAD | (hasFirst(members) ? 0 : Superblock.Version.WITHOUT_FIRST);
    }

    /** Whether the first spare is one of them: it may have been taken out. */
    static boolean hasFirst(List<SpareMember> members) {
        return members.get(0).index() == 0;
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

    /** A change that names what the pair cannot have is a mistake of whoever asks for it. */
    void check(MapChange change, PairIdentity pair) {
        long place = change.place();
        boolean set = change.kind() == MapChange.Kind.SET;
        long units = (pair.mainSizeBytes() + Place.UNIT_BYTES - 1) >> Place.UNIT_SHIFT;
        int sectors = Place.fullMask(pair.sectorBytes());
        boolean outside = set && change.firstUnit() + change.lengthUnits() > units;
        boolean noSuchSector = set && ((Place.onSlotMask(place) | Place.lostMask(place)) & ~sectors) != 0;
        long slots = slotsOf(Place.spare(place));
        if (outside || noSuchSector || (slots > 0 && endSlot(change) > slots)) {
            throw new IllegalArgumentException(
                    "no such change of this pair: " + change + " to " + Place.toString(place));
        }
    }

    /** One more than the last slot that it names, 0 if it names none. */
    private static long endSlot(MapChange change) {
        return switch (change.kind()) {
            case SET -> Place.hasSlot(change.place()) ? Place.slot(change.place()) + change.lengthUnits() : 0;
            case BAD_SLOT -> change.firstUnit() + change.lengthUnits();
            case SEAL -> Math.max(change.firstUnit() << Seal.REGION_SHIFT, Seal.slot(change.place())) + 1;
            case OPEN -> ((change.firstUnit() + change.lengthUnits() - 1) << Seal.REGION_SHIFT) + 1;
        };
    }

    /** Whether it names a spare that the pair does not have, or not any more: a race that its caller cannot avoid. */
    boolean hasNoPlaceFor(MapChange change) {
        boolean namesSlot = change.kind() != MapChange.Kind.SET || Place.hasSlot(change.place());
        return namesSlot && slotsOf(Place.spare(change.place())) == 0;
    }

    /** A list that no header can name is a mistake of the caller, too. */
    static void checkMembers(List<SpareMember> members) {
        int last = -1;
        for (SpareMember member : members) {
            if (member.index() <= last) {
                throw new IllegalArgumentException("spares out of order: " + members);
            }
            last = member.index();
        }
        if (members.isEmpty()) {
            throw new IllegalArgumentException("a pair without spares");
        }
    }

    /** Entries on the spare. */
    long entries() {
        return map.extents() + bad.extents() + seals.extents();
    }

    void visitBad(SlotRunVisitor visitor) {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(bad, 0); found; found = cursor.next()) {
            visitor.run(Place.spareOfId(cursor.firstUnit()), Place.slotOfId(cursor.firstUnit()), cursor.lengthUnits());
        }
    }

    void visitSeals(SealVisitor visitor) {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(seals, 0); found; found = cursor.next()) {
            visitor.region(regionOf(cursor.firstUnit()), cursor.place());
        }
    }

    /** Collects the entries of a stored table in their order. */
    static final class Loader {
        private final RemapTable.Builder map = new RemapTable.Builder();
        private final RemapTable.Builder bad = new RemapTable.Builder();
        private final RemapTable.Builder seals = new RemapTable.Builder();
        private final List<SpareMember> members;
        private MapChange.Kind part = MapChange.Kind.SET;

        /** @param members as the header has them */
        Loader(List<SpareMember> members) {
            this.members = members;
        }

        void add(MapChange entry) throws Damage {
            // The kinds follow each other in the order in which they are declared; an OPEN only changes what was
            // before.
            boolean belongs = entry.kind().compareTo(part) >= 0
                    && entry.kind() != MapChange.Kind.OPEN
                    && (entry.kind() != MapChange.Kind.SET || entry.place() != Place.MAIN);
            if (!belongs) {
                throw new Damage("the table has an entry that does not belong there: " + entry);
            }
            part = entry.kind();
            int spare = Place.spare(entry.place());
            try {
                switch (part) {
                    case SET -> map.add(entry.firstUnit(), entry.lengthUnits(), entry.place());
                    case BAD_SLOT -> bad.add(Place.slotId(spare, entry.firstUnit()), entry.lengthUnits(), BAD);
                    default -> seals.add(regionId(spare, entry.firstUnit()), 1, entry.place());
                }
            } catch (IllegalArgumentException e) {
                throw new Damage("the table is out of order: " + e.getMessage());
            }
        }

        Tables tables() {
            return new Tables(map.build(), bad.build(), seals.build(), members);
        }
    }
}
