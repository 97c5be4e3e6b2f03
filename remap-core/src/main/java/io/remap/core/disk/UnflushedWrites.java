package io.remap.core.disk;

import io.remap.api.Attribute;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;

/**
 * The unflushed writes of one device of a virtual disk: the ledger of them, who syncs them, and who verifies them; and which
 * units of the virtual disk stand where: on main each at its own offset, on a spare in its slot. The ledger counts in
 * units of its device.
 */
abstract class UnflushedWrites {
    final VirtualDisk disk;
    /** Its place in a {@link MapSnapshot}. */
    final int number;

    final TrackedDevice device;
    /** {@code null}: nothing is ever verified. */
    final Ledger ledger;

    final Counters.Verified counts;
    /** For holders of a range lock. */
    final Syncer syncer;

    final LedgerVerification verification;
    /** For all others. */
    final VerifiedSync sync;

    private final VirtualDisk.Side side;
    private final LedgerFiles files;

    private UnflushedWrites(
            VirtualDisk disk, int number, VirtualDisk.Side side, Counters.Verified counts, LedgerLimits limits) {
        this.disk = disk;
        this.number = number;
        this.side = side;
        this.device = side.device();
        this.counts = counts;
        // What cannot be read past the page cache cannot be verified.
        this.ledger = disk.traits().readOnly() || !device.direct().traits().direct()
                ? null
                : new Ledger(
                        limits.files()
                                .open(
                                        ledgerName(),
                                        Ledger.ringBytes(limits.bytes()),
                                        disk.traits().sectorBytes()),
                        disk.traits().sectorBytes(),
                        this::flushForRoom);
        this.files = limits.files();
        this.syncer = new Syncer(device, disk.engine, disk.environment.scheduler());
        this.verification = new LedgerVerification(this);
        this.sync = new VerifiedSync(this, limits.flushDeadlineMillis());
        if (ledger != null) {
            device.keep(ledger, verification::inDoubt);
        }
    }

    static UnflushedWrites ofMain(VirtualDisk disk, VirtualDisk.Side side, LedgerLimits limits) {
        return new OfMain(disk, side, limits);
    }

    /** Those to slots; the device must be for nothing else. */
    static UnflushedWrites ofSpare(VirtualDisk disk, Spare spare, LedgerLimits limits) {
        return new OfSpare(disk, spare, limits);
    }

    private String ledgerName() {
        return switch (number) {
            case 0 -> "main";
            case 1 -> "spare";
            default -> "spare" + (number - 1);
        };
    }

    /** Whatever a killed process left is verified before anybody is served from there. Once, before the first client. */
    boolean takeOver() {
        boolean left = ledger != null && ledger.records() > 0;
        if (left) {
            device.takeOver();
        }
        return left;
    }

    /** Why the ledger ends with the process; empty if it does not. */
    String whyNotLasting() {
        return files.whyNot();
    }

    /** Whether there is anything left to verify, now that nobody writes any more; its file is kept only then. */
    void close() {
        verification.stop();
        if (ledger != null && device.isClean()) {
            files.delete(ledgerName());
        }
    }

    /** The ledger is half full: flushed now, no write ever waits. */
    private void flushForRoom() {
        if (disk.enter()) {
            disk.environment.scheduler().execute(() -> sync.sync(error -> disk.leave()));
        }
    }

    /** The units of the device between the two that have unflushed writes, counted from the first. */
    BitSet unflushed(long firstUnit, long endUnit) {
        BitSet found = new BitSet();
        if (ledger != null) {
            ledger.forEachRecord((unit, units) -> {
                if (unit < endUnit && firstUnit < unit + units) {
                    found.set((int) (Math.max(unit, firstUnit) - firstUnit), (int)
                            (Math.min(unit + units, endUnit) - firstUnit));
                }
            });
        }
        return found;
    }

    /** Whether there is anything to tell of. */
    boolean isNotable() {
        return ledger != null && (ledger.records() > 0 || verification.state() != LedgerVerification.State.SETTLED);
    }

    /** @param where what the writes go to, for people */
    List<Attribute> attributes(String prefix, String where) {
        return ledger == null
                ? List.of()
                : List.of(
                        Attribute.readOnly(
                                prefix + "records",
                                "count",
                                "Units of 4096 bytes, and runs of zeroed or trimmed ones, written to " + where
                                        + " and not flushed",
                                ledger::records),
                        Attribute.readOnly(
                                prefix + "state",
                                "text",
                                "settled, verifying, suspended (it does not answer) or unsynced (its content is proven,"
                                        + " its syncs fail)",
                                () -> verification.state().name().toLowerCase(Locale.ROOT)));
    }

    /** How to tell whether it lives. */
    final VirtualDisk.Side side() {
        return side;
    }

    /** The units of the virtual disk that records are about, in order: first, end, first, end, … */
    abstract long[] ranges(LedgerIndex index, int mostRanges);

    /** The sectors of a unit at this place that are served from here. */
    abstract int maskOf(long place);

    /** The first byte on the device of a unit at this place; only if {@link #maskOf} has any. */
    abstract long offsetOf(long unit, long place);

    /** Whether neighbouring units are neighbours on the device. */
    abstract boolean keepsOrder();

    private static final class OfMain extends UnflushedWrites {
        OfMain(VirtualDisk disk, VirtualDisk.Side side, LedgerLimits limits) {
            super(disk, 0, side, disk.counters.verifiedOnMain, limits);
        }

        @Override
        long[] ranges(LedgerIndex index, int mostRanges) {
            return index.ranges(mostRanges);
        }

        @Override
        int maskOf(long place) {
            return Place.isZero(place)
                    ? 0
                    : Place.fullMask(disk.traits().sectorBytes()) & ~Place.onSlotMask(place) & ~Place.lostMask(place);
        }

        @Override
        long offsetOf(long unit, long place) {
            return unit << Place.UNIT_SHIFT;
        }

        @Override
        boolean keepsOrder() {
            return true;
        }
    }

    private static final class OfSpare extends UnflushedWrites {
        private final Spare spare;

        OfSpare(VirtualDisk disk, Spare spare, LedgerLimits limits) {
            super(disk, 1 + spare.index, spare.side, disk.counters.verifiedOnSpare, limits);
            this.spare = spare;
        }

        /** A slot that no unit has is nobody's: a write that maps it is durable before that. */
        @Override
        long[] ranges(LedgerIndex index, int mostRanges) {
            List<long[]> units = new ArrayList<>();
            RemapTable.Cursor cursor = new RemapTable.Cursor();
            for (boolean found = cursor.seek(disk.state.current().table, 0); found; found = cursor.next()) {
                for (long i = 0; isHere(cursor.place()) && i < cursor.lengthUnits(); i++) {
                    long unit = cursor.firstUnit() + i;
                    if (index.has(offsetOf(unit, Place.advance(cursor.place(), i)) >> Place.UNIT_SHIFT)) {
                        units.add(new long[] {unit, unit + 1});
                    }
                }
            }
            return LedgerIndex.joined(units, mostRanges);
        }

        @Override
        int maskOf(long place) {
            return isHere(place) ? Place.onSlotMask(place) : 0;
        }

        private boolean isHere(long place) {
            return Place.hasSlot(place) && Place.spare(place) == spare.index;
        }

        @Override
        long offsetOf(long unit, long place) {
            return spare.offsetOf(Place.slot(place));
        }

        @Override
        boolean keepsOrder() {
            return false;
        }
    }
}
