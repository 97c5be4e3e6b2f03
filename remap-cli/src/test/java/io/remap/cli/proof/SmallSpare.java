package io.remap.cli.proof;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.ReferenceMap;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A disk whose main takes no writes, on a spare with few slots and a short log: so each write of another unit takes a slot.
 * A write may fail for want of a slot, or where the test says that it may; everything else must work, and all that was
 * acknowledged is read.
 */
final class SmallSpare {
    static final int UNITS = 72;
    private static final int UNIT = CrashStack.UNIT_BYTES;
    private static final int SECTOR = CrashStack.SECTOR_BYTES;
    private static final long QUIET_NANOS = 10_000_000_000L;
    private static final int SECTORS_PER_UNIT = UNIT / SECTOR;

    private final CrashStack.Parts parts;
    private final ReferenceMap reference = new ReferenceMap(UNITS * UNIT, SECTOR, SECTOR, 1);
    private final CrashDevice main = new CrashDevice("main", (long) UNITS * UNIT, SECTOR);
    private final TinyLog.Places places;
    private CrashDevice spare;
    private CrashStack stack;
    private long stamps = 1;
    private DiskError last;

    /** Not started. */
    SmallSpare(CrashStack.Parts parts, int logBlocks, int slots) throws IOException {
        this.parts = parts;
        this.spare = new CrashDevice("spare", CrashStack.SPARE_BYTES, SECTOR);
        ByteBuffer content = ByteBuffer.allocate(UNITS * UNIT);
        reference.fill(content, 0, stamps);
        main.poke(0, content.array());
        new CrashStack(parts, main, spare, 1).format();
        this.places = TinyLog.set(spare, logBlocks, slots);
        refuseWrites();
    }

    void refuseWrites() {
        main.makeUnwritable(0, (long) UNITS * UNIT);
    }

    CrashDevice main() {
        return main;
    }

    CrashDevice spare() {
        return spare;
    }

    TinyLog.Places places() {
        return places;
    }

    CrashStack stack() {
        return stack;
    }

    long freeSlots() {
        return stack.running().freeSlots();
    }

    boolean hasSlot(long unit) {
        return Place.hasSlot(stack.running().table().placeOf(unit));
    }

    void start() throws IOException {
        stack = new CrashStack(parts, main, spare, stamps);
        stack.start();
        reference.opened();
    }

    /** The power goes, with all that was not flushed, and comes back; what was bad stays so if asked. */
    void restart(boolean sameSpare) throws IOException {
        reference.processDied();
        if (!sameSpare) {
            reference.powerCut();
            spare = spare.crashKeeping(i -> false);
        }
        start();
    }

    /** Writes a unit, and gives the answer. */
    DiskError write(long unit) {
        stamps++;
        ByteBuffer data = stack.buffer(0).data().clear().limit(UNIT);
        reference.fill(data, unit * UNIT, stamps);
        ReferenceMap.Write write = reference.writeBegins(unit * UNIT, UNIT, stamps);
        if (ask(Operation.WRITE, unit * UNIT, UNIT) == DiskError.NONE) {
            reference.writeSucceeded(write, false);
        } else {
            reference.writeFailed(write);
        }
        return last;
    }

    /** Writes a unit; the answer must be that. */
    void write(long unit, DiskError expected) {
        if (write(unit) != expected) {
            throw new Violation("a write of unit " + unit + " gave " + last + ", not " + expected + ", with "
                    + freeSlots() + " slots free");
        }
    }

    void flush() {
        ReferenceMap.Read flush = reference.flushBegins();
        if (ask(Operation.FLUSH, 0, 0) != DiskError.NONE) {
            throw new Violation("a flush failed with " + last);
        }
        reference.flushSucceeded(flush);
    }

    private DiskError ask(Operation operation, long offset, long length) {
        last = null;
        stack.submit(0, operation, offset, length, false, error -> last = error);
        // A main that is gone is asked again and again, for ever.
        stack.runWhile(() -> last == null, QUIET_NANOS);
        if (last == null) {
            throw new Violation(operation + " was never answered");
        }
        return last;
    }

    DiskError mapRemove(long unit) {
        last = null;
        stack.move(false, new SectorRange(unit * SECTORS_PER_UNIT, SECTORS_PER_UNIT), error -> last = error);
        stack.runAll();
        if (last == null) {
            throw new Violation("map remove was never answered");
        }
        return last;
    }

    /** Reads go on, whatever else does not. */
    void readEverything() {
        for (long unit = 0; unit < UNITS; unit++) {
            ReferenceMap.Read read = reference.readBegins(unit * UNIT);
            if (ask(Operation.READ, unit * UNIT, UNIT) != DiskError.NONE) {
                throw new Violation("a read of unit " + unit + " failed with " + last);
            }
            reference.readSucceeded(read, stack.buffer(0).data().clear().limit(UNIT));
        }
        stack.running().checkQuiet();
    }

    /** Main is gone from its operation with this number on (0 the next one). */
    void unplugMain(long number) {
        main.failFrom(main.operations() + number, Errno.ENODEV);
    }
}
