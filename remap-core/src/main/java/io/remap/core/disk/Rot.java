package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.Place;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.core.disk.SlotPlan.Source;
import java.util.function.Consumer;

/**
 * Gives up the sectors of a slot that do not hold what was sealed: they are lost, durably, and a slot of which nothing is left
 * is bad. Under the fence, and only what is not as it should be then either: what a cable turned over is read well the next
 * time.
 */
final class Rot extends Recovery {
    private static final int READS = 3;

    private static final Source NOTHING = (offset, length) -> Zeros.bytes(length);

    private final Spare spare;
    private final long slot;
    private final Consumer<DiskError> done;
    private final SlotPlan plan = new SlotPlan(this, NOTHING, false);

    /** @param done told once: {@link DiskError#NONE} if nothing that is not as it was sealed is in the way any more */
    Rot(VirtualDisk disk, long unit, Spare spare, long slot, Consumer<DiskError> done) {
        super(disk, unit, unit + 1);
        this.spare = spare;
        this.slot = slot;
        this.done = done;
    }

    /** Nothing of a sealed slot is unflushed; and the verification of other sectors may wait for the slot to be opened. */
    @Override
    boolean settlesDoubt() {
        return true;
    }

    @Override
    boolean mindsDoubts() {
        return false;
    }

    @Override
    void locked() {
        fence(true, this::fenced);
    }

    private void fenced() throws Failure, TryLater {
        plan.reset();
        long place = disk.state.current().table.placeOf(firstUnit);
        boolean isThere = Place.hasSlot(place) && Place.spare(place) == spare.index && Place.slot(place) == slot;
        int rotten = isThere ? rottenSectors(Place.onSlotMask(place)) : 0;
        if (rotten == 0) {
            release(s -> s);
            done.accept(DiskError.NONE);
            return;
        }
        if (!disk.canRedirect()) {
            throw new Failure(DiskError.IO, firstUnit << Place.UNIT_SHIFT, null);
        }
        plan.lose(firstUnit, rotten);
        if (rotten == Place.onSlotMask(place)) {
            plan.slotFailed(firstUnit);
        }
        plan.writeSlots();
        plan.commit(outcome -> run(() -> committed(outcome)));
    }

    /** What cannot be read, or not now, is an error to whoever reads it, and no other content. */
    private int rottenSectors(int mask) throws Failure {
        int rotten = mask;
        try {
            for (int read = 0; read < READS && rotten != 0; read++) {
                rotten &= spare.gate.rottenSectors(slot);
            }
            // What another medium holds says nothing of what was sealed.
            spare.device.requireSameMedium();
        } catch (DeviceException e) {
            throw new Failure(DiskError.IO, firstUnit << Place.UNIT_SHIFT, e);
        }
        return rotten;
    }

    private void committed(Outcome outcome) throws Failure {
        switch (outcome) {
            case DURABLE -> {
                disk.counters.rottenSlots.increment();
                disk.log.rotten(firstUnit, spare.device.name(), slot);
                release(s -> plan.withoutHints(s.withTable(disk.committedTable())));
                done.accept(DiskError.NONE);
            }
            case NOT_COMMITTED -> throw new Failure(DiskError.IO, firstUnit << Place.UNIT_SHIFT, null);
            case STORE_FAILED -> {
                release(plan::withBars);
                done.accept(DiskError.IO);
            }
        }
    }

    @Override
    void failed(DiskError error, long offsetBytes) {
        done.accept(error);
    }
}
