package io.remap.core.disk;

import io.remap.api.DeviceTraits;
import io.remap.api.DiskTraits;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The sectors of main that could not be read the last time, over restarts. What comes back is a hint as any other: it says what
 * costs a try, never what stands where.
 *
 * <p>A start may follow on a cable that was plugged in anew, and no clock says how long the disk was off. So what was held off is
 * not held off any more: the first read of each sector asks main. But it asks once ({@link HoldOffs#isRestored}), where a
 * sector that is not known has three tries of seconds each; if that is in vain the next hold-off is the longer one that was due.
 * Only what was saved at a stop in order is trusted so far: after a crash a sector may have been written since, and then one
 * error says nothing of it.
 *
 * <p>Where another medium serves as main, nothing is known of its sectors: a copy of the disk that failed reads well also where
 * there was nothing to copy, as tools that go on after errors leave zeros there. Nobody but the user can tell, so they are told
 * which sectors these are, by an event for each range and in the status.
 *
 * <p>Invariants: at most {@link #MAX_RUNS} runs of neighbouring units are saved, the first on the disk; what is beyond is found
 * again by reading it. Nothing is restored of another main, or of sectors that have not their only place on main.
 */
final class UnreadableUnits implements Saved {
    static final int MAX_RUNS = 1024;

    /** Ranges of a former main that are told one by one. */
    static final int MAX_TOLD = 32;

    private static final int FIELDS = 4;
    private static final int HEADER_FIELDS = 5;
    private static final String HEADER = "main";
    private static final String STOPPED = "stopped";
    private static final Logger LOG = LoggerFactory.getLogger(UnreadableUnits.class);

    private final VirtualDisk disk;
    private final BooleanSupplier wasStoppedInOrder;

    /** Neighbouring units with the same unreadable sectors. */
    private record Run(long firstUnit, long endUnit, int mask, int failures) {}

    /** @param wasStoppedInOrder whether nobody wrote to main after the last save before this start */
    UnreadableUnits(VirtualDisk disk, BooleanSupplier wasStoppedInOrder) {
        this.disk = disk;
        this.wasStoppedInOrder = wasStoppedInOrder;
    }

    @Override
    public String section() {
        return "unreadable";
    }

    @Override
    public byte[] save() {
        List<Run> runs = runs();
        if (runs.isEmpty()) {
            return new byte[0];
        }
        StringBuilder text = new StringBuilder(header(disk.isStopping() ? STOPPED : "served"));
        for (Run run : runs) {
            text.append('\n')
                    .append(run.firstUnit)
                    .append(' ')
                    .append(run.endUnit - run.firstUnit)
                    .append(' ')
                    .append(run.mask)
                    .append(' ')
                    .append(run.failures);
        }
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private List<Run> runs() {
        MapSnapshot snapshot = disk.state.current();
        List<Run> runs = new ArrayList<>();
        RemapTable.Cursor hints = new RemapTable.Cursor();
        Run last = null;
        for (boolean found = hints.seek(snapshot.hints, 0); found; found = hints.next()) {
            for (long unit = hints.firstUnit(); unit < hints.endUnit(); unit++) {
                int mask = onMain(snapshot.table, unit, MapSnapshot.Hint.unreadableMask(hints.place()));
                if (mask == 0) {
                    continue;
                }
                int failures = disk.holdOffs.failures(unit);
                if (last != null && last.endUnit == unit && last.mask == mask) {
                    last = new Run(last.firstUnit, unit + 1, mask, Math.min(last.failures, failures));
                    runs.set(runs.size() - 1, last);
                } else if (runs.size() == MAX_RUNS) {
                    return runs;
                } else {
                    last = new Run(unit, unit + 1, mask, failures);
                    runs.add(last);
                }
            }
        }
        return runs;
    }

    private int onMain(RemapTable table, long unit, int mask) {
        DeviceTraits main = disk.main.traits();
        return mask & VirtualDisk.sectorsOnMain(table, unit, main.logicalSectorBytes(), main.sizeBytes());
    }

    /** Which medium it is said of. */
    private String header(String when) {
        DeviceTraits main = disk.main.traits();
        return String.join(
                " ",
                HEADER,
                String.valueOf(main.sizeBytes()),
                String.valueOf(main.logicalSectorBytes()),
                when,
                disk.main.identity().stableId().replace('\n', '?'));
    }

    @Override
    public void restore(byte[] saved) {
        if (saved.length == 0) {
            return;
        }
        String[] lines = new String(saved, StandardCharsets.UTF_8).split("\n", -1);
        String[] header = lines[0].split(" ", HEADER_FIELDS);
        if (header.length < HEADER_FIELDS || !header[0].equals(HEADER)) {
            throw new IllegalArgumentException("no main: " + lines[0]);
        }
        if (!lines[0].equals(header(header[3]))) {
            tellOfFormerMain(header, lines);
            return;
        }
        // All of it makes sense, or nothing is taken.
        List<Run> runs = parse(lines);
        boolean trusted = header[3].equals(STOPPED) && wasStoppedInOrder.getAsBoolean();
        disk.state.publish(s -> with(s, runs, trusted));
        LOG.info("{}: {} runs of units that could not be read before the start", disk.name(), runs.size());
    }

    /** What could not be read of the medium that was main before. */
    private void tellOfFormerMain(String[] header, String[] lines) {
        DiskTraits served = disk.traits();
        if (!header[2].equals(String.valueOf(disk.main.traits().logicalSectorBytes()))) {
            LOG.warn("{}: what was unreadable of {} is left out: it has other sectors", disk.name(), header[4]);
            return;
        }
        RemapTable table = disk.state.current().table;
        long sectors = 0;
        List<SectorRange> ranges = new ArrayList<>();
        for (Run run : parse(lines)) {
            for (long unit = run.firstUnit; unit < run.endUnit; unit++) {
                int mask = onMain(table, unit, run.mask);
                sectors += Integer.bitCount(mask);
                if (mask != 0) {
                    append(ranges, rangeOf(unit, mask, served.sectorBytes()));
                }
            }
        }
        if (!ranges.isEmpty()) {
            disk.log.unreadableBefore(ranges.subList(0, Math.min(MAX_TOLD, ranges.size())), sectors, header[4]);
        }
    }

    /** From the first to the last sector of the mask. */
    private static SectorRange rangeOf(long unit, int mask, int sectorBytes) {
        int first = Integer.numberOfTrailingZeros(mask);
        int end = Integer.SIZE - Integer.numberOfLeadingZeros(mask);
        return new SectorRange(unit * (Place.UNIT_BYTES / sectorBytes) + first, end - first);
    }

    private static void append(List<SectorRange> ranges, SectorRange next) {
        int last = ranges.size() - 1;
        if (last >= 0 && ranges.get(last).endSector() == next.firstSector()) {
            long first = ranges.get(last).firstSector();
            ranges.set(last, new SectorRange(first, next.endSector() - first));
        } else {
            ranges.add(next);
        }
    }

    private List<Run> parse(String[] lines) {
        List<Run> runs = new ArrayList<>();
        long endOfDisk = SegmentCursor.endUnit(disk.main.traits().sizeBytes());
        long free = 0;
        for (int i = 1; i < lines.length && i <= MAX_RUNS; i++) {
            String[] fields = lines[i].split(" ", -1);
            if (fields.length != FIELDS) {
                throw new IllegalArgumentException("no run: " + lines[i]);
            }
            long first = Long.parseLong(fields[0]);
            long length = Long.parseLong(fields[1]);
            int mask = Integer.parseInt(fields[2]);
            int failures = Integer.parseInt(fields[3]);
            int full = Place.fullMask(disk.traits().sectorBytes());
            if (first < free || length < 1 || length > endOfDisk - first || mask < 1 || mask > full || failures < 0) {
                throw new IllegalArgumentException("no run of this disk: " + lines[i]);
            }
            free = first + length;
            runs.add(new Run(first, free, mask, failures));
        }
        return runs;
    }

    private MapSnapshot with(MapSnapshot snapshot, List<Run> runs, boolean trusted) {
        MapSnapshot changed = snapshot;
        int left = MapSnapshot.MAX_HINTED_UNITS;
        for (Run run : runs) {
            for (long unit = run.firstUnit; unit < run.endUnit && left > 0; unit++, left--) {
                int mask = onMain(changed.table, unit, run.mask);
                if (mask != 0 && changed.remembers(unit)) {
                    changed = changed.withUnreadable(unit, mask);
                    disk.counters.restoredUnreadableSectors.add(Integer.bitCount(mask));
                    disk.holdOffs.restored(unit, mask, run.failures, trusted);
                }
            }
        }
        return changed;
    }
}
