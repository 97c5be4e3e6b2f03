package io.remap.core.disk;

import io.remap.api.DiskError;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.spi.MetadataStore.Outcome;
import java.util.function.Consumer;

/**
 * Empties a spare: what stands in its slots goes to slots of other ones, some units at a time, each under lock and fence; or
 * it is given up for good. Units that cannot be read stay where they are, and are counted.
 *
 * <p>The spare must be leaving by then, so that nothing new comes to it; if it is not any more, the evacuation ends. One task of
 * the scheduler at a time.
 */
final class Evacuation {
    /** Units that are kept from clients at a time. */
    static final int MAX_UNITS = 64;

    /**
     * How it ended.
     *
     * @param movedUnits units that have another slot now, or were given up
     * @param leftUnits units that stay where they are, as they could not be read, or the spare is to be kept after all
     * @param error {@link DiskError#NONE} if every unit was tried
     */
    record Result(long movedUnits, long leftUnits, DiskError error) {}

    private final VirtualDisk disk;
    private final int spare;
    private final boolean lose;
    private final Consumer<Result> done;
    private long moved;
    private long left;

    private Evacuation(VirtualDisk disk, int spare, boolean lose, Consumer<Result> done) {
        this.disk = disk;
        this.spare = spare;
        this.lose = lose;
        this.done = done;
    }

    /**
     * Begins it.
     *
     * @param lose the content is given up: the sectors become lost, durably; the spare need not be there
     * @param done told once
     */
    static void begin(VirtualDisk disk, int spare, boolean lose, Consumer<Result> done) {
        new Evacuation(disk, spare, lose, done).next(0);
    }

    private void next(long fromUnit) {
        if (disk.isStopping()) {
            done.accept(new Result(moved, left, DiskError.SHUTDOWN));
            return;
        }
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        RemapTable table = disk.state.current().table;
        if (isKept()) {
            done.accept(new Result(moved, table.unitsOn(spare), DiskError.NONE));
            return;
        }
        for (boolean found = cursor.seek(table, fromUnit); found; found = cursor.next()) {
            if (isHere(cursor.place())) {
                long first = Math.max(fromUnit, cursor.firstUnit());
                new Step(first, Math.min(cursor.endUnit(), first + MAX_UNITS)).begin();
                return;
            }
        }
        done.accept(new Result(moved, left, DiskError.NONE));
    }

    /** What is given up is not kept by anything. */
    private boolean isKept() {
        Spare there = disk.spares.get(spare);
        return !lose && there != null && !there.isLeaving();
    }

    private boolean isHere(long place) {
        return Place.hasSlot(place) && Place.spare(place) == spare;
    }

    private boolean hasUnflushedWrites() {
        Spare there = disk.spares.get(spare);
        return there != null && !there.isClean();
    }

    private void goOn(long fromUnit) {
        disk.environment.scheduler().execute(() -> next(fromUnit));
    }

    /** Some units. */
    private final class Step extends Recovery {
        private final SlotPlan plan = new SlotPlan(this, (offset, length) -> Zeros.bytes(length), false);

        Step(long firstUnit, long endUnit) {
            super(Evacuation.this.disk, firstUnit, endUnit);
        }

        /** What is given up needs nobody to say what it was. */
        @Override
        boolean settlesDoubt() {
            return lose;
        }

        @Override
        boolean mindsDoubts() {
            return !lose;
        }

        /** Reads of the slots too: they are another unit's next. */
        @Override
        void locked() throws Failure {
            if (!lose) {
                requireNothingLate();
            }
            fence(true, this::fenced);
        }

        private void fenced() throws Failure, TryLater {
            plan.reset();
            requireNoDoubt();
            RemapTable table = disk.state.current().table;
            for (long unit = firstUnit; unit < endUnit; unit++) {
                long place = table.placeOf(unit);
                if (!isHere(place)) {
                    continue;
                }
                if (MapSnapshot.Hint.barred(disk.state.current().hints.placeOf(unit))) {
                    throw new Failure(DiskError.IO, unit << Place.UNIT_SHIFT, null);
                }
                plan.leaveSlot(unit);
                if (lose) {
                    plan.lose(unit, Place.onSlotMask(place));
                }
            }
            if (plan.isEmpty()) {
                release(s -> s);
                goOn(endUnit);
                return;
            }
            if (!disk.canRedirect()) {
                throw new Failure(DiskError.IO, firstUnit << Place.UNIT_SHIFT, null);
            }
            plan.writeSlots();
            plan.commit(outcome -> run(() -> committed(outcome)));
        }

        private void committed(Outcome outcome) throws Failure {
            switch (outcome) {
                case DURABLE -> {
                    if (lose && hasUnflushedWrites()) {
                        // Whoever flushes what he wrote there must not be told that it is durable.
                        disk.losses.found();
                    }
                    moved += plan.units();
                    disk.counters.evacuatedUnits.add(plan.units());
                    if (!lose) {
                        plan.forEachUnit((unit, forLackOfTime) -> disk.holdOffs.succeeded(unit));
                    }
                    release(s -> movedUnits(plan.withoutHints(s.withTable(disk.committedTable()))));
                    goOn(endUnit);
                }
                case NOT_COMMITTED -> throw new Failure(DiskError.IO, firstUnit << Place.UNIT_SHIFT, null);
                case STORE_FAILED -> {
                    release(plan::withBars);
                    done.accept(new Result(moved, left, DiskError.IO));
                }
            }
        }

        /** What has another slot now was read in the one before. */
        private MapSnapshot movedUnits(MapSnapshot snapshot) {
            MapSnapshot[] changed = {snapshot};
            if (!lose) {
                plan.forEachUnit((unit, forLackOfTime) -> {
                    int moved = Place.onSlotMask(snapshot.table.placeOf(unit));
                    changed[0] = changed[0].withReadable(unit, moved);
                });
            }
            return changed[0];
        }

        @Override
        void failed(DiskError error, long offsetBytes) {
            if (error != DiskError.IO || !disk.canRedirect()) {
                done.accept(new Result(moved, left, error));
            } else if (endUnit - firstUnit > 1) {
                // One of them is to blame: a half, and what comes after it as before.
                long middle = firstUnit + (endUnit - firstUnit) / 2;
                disk.environment.scheduler().execute(() -> new Step(firstUnit, middle).begin());
            } else {
                left++;
                goOn(endUnit);
            }
        }
    }
}
