package io.remap.core.disk;

/**
 * Notes whether a request writes to slots of a range, for the holder of its lock who reads them meanwhile without keeping
 * anybody out. Part of the snapshot, and marked by every request that writes to a slot there, before the transfer.
 *
 * <p>No write is missed, by the rule of {@link InFlightTable}: who enters there after the watch was published, or begun
 * anew, sees it and marks it; who entered before is still there when the table is scanned, or has ended, and what it wrote
 * is on the slot. A mark is visible to whoever has waited for the transfer to leave the table.
 *
 * <p>Costs a request that touches no slot nothing, and one that does a look at an empty array.
 */
final class SlotWatch {
    private final long firstUnit;
    private final long endUnit;
    private volatile boolean touched;

    SlotWatch(long firstUnit, long endUnit) {
        this.firstUnit = firstUnit;
        this.endUnit = endUnit;
    }

    /** Begins, or begins anew, once it is published: a write that is under way counts, one that has ended does not. */
    void begin(InFlightTable inFlight) {
        touched = false;
        if (inFlight.isWriting(firstUnit, endUnit)) {
            touched = true;
        }
    }

    void noteWrite(long first, long end) {
        if (first < endUnit && firstUnit < end && !touched) {
            touched = true;
        }
    }

    boolean touched() {
        return touched;
    }
}
