package io.remap.cli.proof;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.ReferenceMap;
import io.remap.testkit.ReferenceMap.AfterPowerCut;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Supplier;
import java.util.stream.LongStream;

/**
 * A short life of the disk in which an operation of a device fails as told. What clients are shown is judged by the {@link
 * ReferenceMap}; an error must have met a fault, or be the lasting consequence of one that the disk admits to. After it the
 * power goes, the process dies or stops, and the product is started on devices that work again: then all that was
 * acknowledged is there, and only what the disk names as lost cannot be read.
 */
final class SweptLife {
    /** What is done. It plays with the units 1 and 2. */
    enum Act {
        START,
        /** Everything, sector by sector. */
        READ,
        WRITE_A,
        /** The last sector of a. */
        WRITE_PART,
        /** Less than a sector. */
        WRITE_BIT,
        /** Two requests at once, one for each unit. */
        WRITE_TWO,
        WRITE_FUA,
        FLUSH,
        ZERO_A,
        TRIM_A,
        MAP_ADD,
        MAP_REMOVE,
        STOP,
        FORMAT,
        /** The medium under unit a fails for good; this is not the fault that is swept. */
        MAIN_BAD,
        /** It takes no writes any more. */
        MAIN_REFUSES
    }

    /**
     * How a life begins: what the devices hold, and what a client may read.
     *
     * @param shown what was read of it, by {@link Seen}
     */
    record Beginning(String name, CrashDevice main, CrashDevice spare, Seen shown) {}

    private static final int SECTOR = CrashStack.SECTOR_BYTES;
    private static final int UNIT = CrashStack.UNIT_BYTES;
    private static final int CELL = 512;
    private static final int CELLS_PER_SECTOR = SECTOR / CELL;
    private static final int SECTORS_PER_UNIT = UNIT / SECTOR;
    private static final int SECTORS = CrashStack.MAIN_BYTES / SECTOR;
    private static final long QUIET_NANOS = 120_000_000_000L;
    private static final long A = 1;
    private static final long B = 2;

    private final CrashStack.Parts parts;
    private final SweptPool pool;
    private final CrashStack stack;
    private final SweptDevice mainDoor;
    private final SweptDevice spareDoor;
    private final ReferenceMap reference = new ReferenceMap(CrashStack.MAIN_BYTES, SECTOR, CELL, 1);
    /** Sectors whose reading from main met the fault: they may count as unreadable for a while, or be lost by a move. */
    private final BitSet unreadable = new BitSet();

    /** Of these, those of which main has said so, which a move may give up; and all that was lost at some time. */
    private final BitSet givenUp = new BitSet();

    /** Sectors that the next process may count as lost. */
    private final BitSet lost = new BitSet();

    private long stamps;
    private long met;
    private long metOnSpare;
    private long failed;
    private int underWay;
    private boolean mediumBad;
    private boolean mediumRefuses;
    private boolean metWritesOnMain;
    private boolean moved;
    private boolean running;
    private boolean formatFailed;

    /** @param parts with a pool that is this life's */
    SweptLife(CrashStack.Parts parts, SweptPool pool, Beginning beginning, long seed) {
        this.parts = parts;
        this.pool = pool;
        CrashDevice main = beginning.main.copy();
        CrashDevice spare = beginning.spare.copy();
        this.mainDoor = new SweptDevice(main, this::sleep, this::metOnMain);
        this.spareDoor = new SweptDevice(spare, this::sleep, (operation, offset, length) -> {
            met++;
            metOnSpare++;
        });
        this.stack = new CrashStack(parts, main, spare, mainDoor, spareDoor, seed);
        for (int sector = 0; sector < SECTORS; sector++) {
            long shown = beginning.shown.sectors().get(sector);
            if (shown == Seen.FAILED) {
                givenUp.set(sector);
                reference.requireErrors(sector, 1);
            } else {
                long stamp = Long.numberOfTrailingZeros(shown);
                stamps = Math.max(stamps, stamp);
                reference.writeSucceeded(reference.writeBegins((long) sector * SECTOR, SECTOR, stamp), true);
            }
        }
        stamps = Math.max(stamps, 1);
    }

    private void sleep(long nanos) {
        stack.sleep(nanos);
    }

    private void metOnMain(CrashDevice.Operation operation, long offset, long length) {
        met++;
        metWritesOnMain |= operation == CrashDevice.Operation.WRITE || operation == CrashDevice.Operation.ZERO;
        if (operation == CrashDevice.Operation.READ) {
            unreadable.set((int) (offset / SECTOR), (int) ((offset + length) / SECTOR));
            if (mainDoor.blamesSectors()) {
                givenUp.set((int) (offset / SECTOR), (int) ((offset + length) / SECTOR));
            }
        }
    }

    SweptDevice main() {
        return mainDoor;
    }

    SweptDevice spare() {
        return spareDoor;
    }

    CrashStack stack() {
        return stack;
    }

    /** Operations that met the fault. */
    long met() {
        return met;
    }

    /** Requests, starts and formats that failed. */
    long failed() {
        return failed;
    }

    long lastStamp() {
        return stamps;
    }

    void perform(Act act) throws IOException {
        switch (act) {
            case START -> start();
            case READ -> readEverything();
            case WRITE_A -> write(0, A * UNIT, UNIT, false);
            case WRITE_PART -> write(0, B * UNIT - SECTOR, SECTOR, false);
            case WRITE_BIT -> write(0, B * UNIT - SECTOR + CELL, CELL, false);
            case WRITE_TWO -> {
                write(0, A * UNIT, UNIT, false);
                write(1, B * UNIT, UNIT, false);
            }
            case WRITE_FUA -> write(0, A * UNIT, UNIT, true);
            case FLUSH -> flush();
            case ZERO_A -> change(0, Operation.WRITE_ZEROES, A * UNIT, UNIT, false, ReferenceMap.ZEROS);
            case TRIM_A -> change(0, Operation.TRIM, A * UNIT, UNIT, false, ReferenceMap.ZEROS);
            case MAP_ADD -> move(true);
            case MAP_REMOVE -> move(false);
            case STOP -> stop();
            case FORMAT -> format();
            case MAIN_BAD, MAIN_REFUSES -> {
                mediumBad |= act == Act.MAIN_BAD;
                mediumRefuses = true;
                mediumOf(stack.main);
                allowErrorsOfTheMedium();
            }
        }
        settle();
        if (underWay != 0) {
            throw new Violation(act + ": " + underWay + " requests were never answered");
        }
        if (running) {
            noteLost();
        }
    }

    private void noteLost() {
        for (SectorRange range : stack.running().lost()) {
            for (long sector = range.firstSector(); sector < range.endSector(); sector++) {
                long which = sector;
                require(
                        reference.mayFail(sector)
                                || givenUp.get((int) sector)
                                || (metOnSpare > 0 && isOnSpare(sector / SECTORS_PER_UNIT)),
                        () -> "sector " + which + " counts as lost");
            }
            givenUp.set((int) range.firstSector(), (int) range.endSector());
            reference.requireErrors(range.firstSector(), range.lengthSectors());
        }
    }

    // --- what is asked

    private void start() throws IOException {
        long before = met;
        try {
            stack.start();
            running = true;
        } catch (IOException e) {
            require(met > before || formatFailed, () -> "it did not start: " + e);
            failed++;
        }
    }

    private void format() throws IOException {
        long before = met;
        try {
            stack.format();
        } catch (IOException e) {
            require(met > before, () -> "it was not formatted: " + e);
            formatFailed = true;
            failed++;
        }
    }

    private void stop() {
        long before = met;
        boolean doubt = stack.running().inDoubt();
        boolean stable = stack.stop();
        running = false;
        require(stable || doubt || met > before || metOnSpare > 0, () -> "the last flush failed");
        if (stable) {
            reference.flushSucceeded(reference.flushBegins());
        } else {
            failed++;
        }
    }

    private void move(boolean toSpare) {
        long before = met;
        moved = true;
        underWay++;
        stack.move(toSpare, new SectorRange(A * SECTORS_PER_UNIT, SECTORS_PER_UNIT), error -> {
            underWay--;
            boolean isLost = !toSpare && Place.lostMask(stack.running().table().placeOf(A)) != 0;
            judge(
                    error,
                    before,
                    isLost || metOnSpare > 0,
                    () -> (toSpare ? "map add" : "map remove") + " failed with " + error);
        });
    }

    private void write(int which, long offset, long length, boolean fua) {
        stamps++;
        ByteBuffer data = stack.buffer(which).data().clear().limit((int) length);
        reference.fill(data, offset, stamps);
        change(which, Operation.WRITE, offset, length, fua, stamps);
    }

    private void change(int which, Operation operation, long offset, long length, boolean fua, long stamp) {
        long before = met;
        ReferenceMap.Write write = reference.writeBegins(offset, length, stamp);
        boolean edge = length < SECTOR && reference.mayFail(offset / SECTOR);
        boolean doubt = stack.running().inDoubt();
        boolean onSpare = needsSpare(offset, length);
        underWay++;
        stack.submit(which, operation, offset, length, fua, error -> {
            underWay--;
            boolean spareFailed = metOnSpare > 0 && (fua || onSpare || needsSpare(offset, length));
            judge(error, before, doubt || edge || spareFailed, () -> operation + " failed with " + error);
            if (error == DiskError.NONE && operation != Operation.TRIM) {
                reference.writeSucceeded(write, fua);
            } else {
                reference.writeFailed(write);
            }
        });
    }

    private void flush() {
        long before = met;
        ReferenceMap.Read flush = reference.flushBegins();
        boolean doubt = stack.running().inDoubt();
        underWay++;
        stack.submit(0, Operation.FLUSH, 0, 0, false, error -> {
            underWay--;
            boolean owed = stack.running().lostUnflushedSectors() > 0;
            judge(error, before, doubt || owed || metOnSpare > 0, () -> "FLUSH failed with " + error);
            if (error == DiskError.NONE) {
                reference.flushSucceeded(flush);
            }
        });
    }

    /** Whether a write of the range cannot do with main alone. */
    private boolean needsSpare(long offset, long length) {
        for (long unit = offset / UNIT; unit * UNIT < offset + length; unit++) {
            if (isOnSpare(unit)) {
                return true;
            }
        }
        return false;
    }

    /** Or may be, should the store have failed: whether the record of a move is in force then is not known. */
    private boolean isOnSpare(long unit) {
        return stack.running().table().placeOf(unit) != Place.MAIN
                || metWritesOnMain
                || (unit == A && (mediumRefuses || moved));
    }

    /** A store that has met a fault may have ended for this life; a doubt is what the disk admits to. */
    private void judge(DiskError error, long metBefore, boolean explained, Supplier<String> what) {
        if (error != DiskError.NONE) {
            failed++;
            require(explained || met > metBefore || stack.running().inDoubt(), what);
            require(error == DiskError.IO || error == DiskError.NO_SPACE, what);
        }
    }

    private static void require(boolean holds, Supplier<String> otherwise) {
        if (!holds) {
            throw new Violation("no fault explains why " + otherwise.get());
        }
    }

    private void readEverything() {
        for (int i = 0; i < SECTORS; i++) {
            int sector = i;
            long before = met;
            ReferenceMap.Read read = reference.readBegins((long) sector * SECTOR);
            underWay++;
            stack.submit(0, Operation.READ, (long) sector * SECTOR, SECTOR, false, error -> {
                underWay--;
                if (error == DiskError.NONE) {
                    reference.readSucceeded(read, stack.buffer(0).data().clear().limit(SECTOR));
                    return;
                }
                failed++;
                boolean allowed = reference.readFailed(read, (long) sector * SECTOR)
                        || unreadable.get(sector)
                        || met > before
                        || (metOnSpare > 0 && isOnSpare(sector / SECTORS_PER_UNIT))
                        || stack.running().inDoubt();
                require(allowed, () -> "READ of sector " + sector + " failed with " + error);
            });
            settle();
        }
    }

    /** Whoever waits for a device that is gone asks it again and again, for ever: not a client. */
    private void settle() {
        stack.runWhile(() -> underWay > 0, QUIET_NANOS);
    }

    // --- what the medium does, beside the fault

    private void mediumOf(CrashDevice main) {
        if (mediumRefuses) {
            main.makeUnwritable(A * UNIT, UNIT);
        }
        if (mediumBad) {
            main.makeUnreadable(A * UNIT, UNIT);
        }
    }

    private void allowErrorsOfTheMedium() {
        long place = stack.running().table().placeOf(A);
        int elsewhere = Place.isZero(place) ? -1 : Place.onSlotMask(place) | Place.lostMask(place);
        for (int i = 0; mediumBad && i < SECTORS_PER_UNIT; i++) {
            if ((elsewhere >> i & 1) == 0) {
                reference.allowErrors(A * SECTORS_PER_UNIT + i, 1);
            }
        }
    }

    // --- the end

    /** The fault is over; whatever it has left must explain itself. Then all ends and begins anew. */
    void end(long seed) throws IOException {
        mainDoor.disarm();
        spareDoor.disarm();
        pool.disarm();
        if (running) {
            for (Act act : List.of(Act.READ, Act.WRITE_TWO, Act.FLUSH)) {
                perform(act);
            }
            stack.running().checkQuiet();
        }
        lost.or(reference.allowedNow().mustFail());
        reference.opened();
        SplittableRandom random = new SplittableRandom(seed);
        cutPower(i -> false, random);
        int percent = random.nextInt(100);
        cutPower(i -> random.nextInt(100) < percent, random);
        if (running && random.nextBoolean()) {
            perform(Act.STOP);
        }
        reference.processDied();
        // A process that dies takes nothing from the devices: what it left is what is there.
        check(stack.main, stack.spare, reference.allowedNow(), "after the process ended");
    }

    private void cutPower(java.util.function.IntPredicate kept, SplittableRandom random) throws IOException {
        CrashDevice main = stack.main.crashKeeping(kept);
        CrashDevice spare = stack.spare.crashKeeping(kept, -1, random.nextLong());
        mediumOf(main);
        check(main, spare, reference.ifThePowerWentNow(), "after a power cut");
    }

    private void check(CrashDevice main, CrashDevice spare, AfterPowerCut allowed, String when) throws IOException {
        CrashStack next = new CrashStack(parts, main, spare, stamps);
        try {
            try {
                next.start();
            } catch (IOException e) {
                if (!formatFailed) {
                    throw new Violation("cannot be started: " + e.getMessage(), e);
                }
                next.format();
                next.start();
            }
            next.running().checkQuiet();
            BitSet mayFail = (BitSet) allowed.mayFail().clone();
            mayFail.or(lost);
            for (SectorRange range : next.running().lost()) {
                for (long i = range.firstSector(); i < range.endSector(); i++) {
                    mayFail.set((int) i, mayFail.get((int) i) || unreadable.get((int) i));
                }
            }
            Seen.of(next, stamps).check(new AfterPowerCut(bySector(allowed.stamps()), mayFail, allowed.mustFail()));
        } catch (AssertionError e) {
            throw new Violation(when + ": " + e.getMessage(), e);
        }
    }

    private static List<long[]> bySector(List<long[]> cells) {
        long[][] sectors = new long[cells.size() / CELLS_PER_SECTOR][];
        for (int i = 0; i < sectors.length; i++) {
            sectors[i] = cells.subList(i * CELLS_PER_SECTOR, (i + 1) * CELLS_PER_SECTOR).stream()
                    .flatMapToLong(LongStream::of)
                    .distinct()
                    .toArray();
        }
        return Arrays.asList(sectors);
    }
}
