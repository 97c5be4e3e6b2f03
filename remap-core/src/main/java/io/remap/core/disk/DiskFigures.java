package io.remap.core.disk;

import io.remap.api.Attribute;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.spi.SpareMember;
import io.remap.core.disk.SpareSteering.SpareSummary;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongToIntFunction;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a virtual disk shows of itself to people: its state, its spares, and its attributes.
 *
 * <p>Invariants: it changes nothing and holds nothing; what is counted in the map is counted in one snapshot of it,
 * in a time that grows with the map.
 *
 * <p>Thread-safe.
 */
final class DiskFigures {
    private final VirtualDisk disk;

    DiskFigures(VirtualDisk disk) {
        this.disk = disk;
    }

    /** The spares that are there, and those that are named by a place and are not, by number. */
    List<SpareSummary> spares() {
        long[] used = new long[Place.MAX_SPARE + 1];
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(disk.state.current().table, 0); found; found = cursor.next()) {
            used[Place.spare(cursor.place())] += Place.hasSlot(cursor.place()) ? cursor.lengthUnits() : 0;
        }
        List<SpareSummary> result = new ArrayList<>();
        for (int index = 0; index < used.length; index++) {
            Spare spare = disk.spares.get(index);
            if (spare != null) {
                result.add(new SpareSummary(
                        index,
                        spare.device.name(),
                        spare.device.identity().stableId(),
                        true,
                        spare.use(),
                        spare.allocator.slots(),
                        spare.allocator.freeSlots(),
                        spare.allocator.badSlots(),
                        used[index],
                        spare.device.doubt().map(Throwable::getMessage)));
            } else if (used[index] > 0) {
                result.add(new SpareSummary(
                        index, "", "", false, SpareMember.Use.PLAIN, 0, 0, 0, used[index], Optional.empty()));
            }
        }
        return result;
    }

    /** The state in figures. */
    DiskSummary summary() {
        MapSnapshot snapshot = disk.state.current();
        int full = Place.fullMask(disk.traits().sectorBytes());
        return new DiskSummary(
                sectors(snapshot.table, Place::onSlotMask),
                sectors(snapshot.table, place -> Place.isZero(place) ? full & ~Place.lostMask(place) : 0),
                sectors(snapshot.hints, MapSnapshot.Hint::unreadableMask),
                sectors(snapshot.table, Place::lostMask),
                disk.avoided.sectors(),
                slots(),
                slots(SlotAllocator::freeSlots),
                slots(SlotAllocator::badSlots),
                describeLedgers(),
                away(),
                disk.canRedirect());
    }

    private List<String> away() {
        return Stream.concat(
                        Stream.of(disk.mainSide), disk.spares.all().stream().map(spare -> spare.side))
                .filter(side -> side.dropOff().isAway())
                .map(side -> side.device().name())
                .toList();
    }

    /** Slots of the spares that are there. */
    long slots() {
        return slots(SlotAllocator::slots);
    }

    private long slots(ToLongFunction<SlotAllocator> which) {
        return disk.spares.all().stream()
                .mapToLong(spare -> which.applyAsLong(spare.allocator))
                .sum();
    }

    private Optional<String> describeLedgers() {
        if (disk.mainWrites.ledger == null) {
            return Optional.empty();
        }
        long lost = disk.lostUnflushedSectors();
        return Optional.of(disk.mainWrites.verification.describe()
                + disk.spares.all().stream()
                        .filter(spare -> spare.writes.isNotable())
                        .map(spare -> "; spare" + (spare.index == 0 ? "" : " " + spare.index) + ": "
                                + spare.writes.verification.describe())
                        .collect(Collectors.joining())
                + (lost == 0 ? "" : ", lost " + lost)
                + (disk.mainWrites.whyNotLasting().isEmpty()
                        ? ""
                        : "; ends with the process: " + disk.mainWrites.whyNotLasting()));
    }

    private static long sectors(RemapTable table, LongToIntFunction mask) {
        long count = 0;
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(table, 0); found; found = cursor.next()) {
            count += cursor.lengthUnits() * Integer.bitCount(mask.applyAsInt(cursor.place()));
        }
        return count;
    }

    /** What it shows of itself. */
    List<Attribute> attributes() {
        List<Attribute> all = new ArrayList<>(disk.counters.attributes());
        all.add(disk.failback.attribute());
        all.add(Attribute.readOnly(
                "watch.units", "count", "Units of main that read again after errors, or were healed", () ->
                        (long) disk.watchList.size()));
        all.add(Attribute.readOnly(
                "watch.healed-units", "count", "Of these those that were healed in place", disk.watchList::healed));
        all.add(Attribute.readOnly("avoid.regions", "count", "Areas of main that are avoided", () ->
                (long) disk.avoided.regions().size()));
        all.add(Attribute.readOnly("avoid.sectors", "count", "Sectors in them", disk.avoided::sectors));
        all.add(Attribute.readOnly(
                "avoid.spare-units", "count", "Units of 4096 bytes in them that have a slot", disk.avoided::usedUnits));
        all.add(Attribute.readOnly(
                "avoid.spare-budget-units", "count", "How many of them may have one", disk.avoided::budgetUnits));
        all.add(Attribute.readOnly(
                "avoid.probes",
                "count",
                "Reads of main that asked whether an area is dead",
                disk.deadAreas.probes::sum));
        all.add(Attribute.readOnly(
                "checksums.sealed-regions",
                "count",
                "Regions of 256 KiB of the spares with checksums",
                disk::sealedRegions));
        all.addAll(disk.deadlines.attributes());
        all.add(Attribute.readOnly(
                "canary.reads", "count", "Reads of main that asked whether it lives", disk.mainSide.canary()::reads));
        all.add(disk.mainSide.dropOff().attribute("drop-off.held-for-main", "main"));
        all.addAll(disk.mainWrites.attributes("ledger.", "main"));
        for (Spare spare : disk.spares.all()) {
            String which = spare.index == 0 ? "" : spare.index + "-";
            all.add(spare.side
                    .dropOff()
                    .attribute("drop-off.held-for-spare" + (spare.index == 0 ? "" : spare.index), "the spare"));
            all.addAll(spare.writes.attributes("ledger.spare-" + which, "slots of the spare"));
        }
        all.add(Attribute.readOnly(
                "remap.extents",
                "count",
                "Extents of the remap table",
                () -> disk.state.current().table.extents()));
        all.add(Attribute.readOnly(
                "remap.units",
                "count",
                "Units of 4096 bytes with an entry",
                () -> disk.state.current().table.mappedUnits()));
        all.add(Attribute.readOnly(
                "remap.free-slots", "count", "Free slots of the spares", () -> slots(SlotAllocator::freeSlots)));
        return all;
    }
}
