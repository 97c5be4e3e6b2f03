package io.remap.cli.proof;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.ReferenceMap;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/**
 * A life of the disk, step by step, up to the power cut. Keeps the {@link ReferenceMap}, which says what may be read at any
 * moment and after a power cut at any moment; requires that a request fails only if a fault of this life explains it.
 *
 * <p>What is bad on a medium stays so after the power cut; {@link #mediaAfter} sees to that.
 */
final class Life {
    private static final int SECTOR = CrashStack.SECTOR_BYTES;
    private static final int UNIT = CrashStack.UNIT_BYTES;
    private static final int ENODEV = 19;
    private static final int SECTORS_PER_UNIT = UNIT / SECTOR;
    /** Unit 0 stays as it is: what happens beside it must not touch it. */
    private static final long A = 1;

    private static final long B = 2;
    private static final long SCRATCH = (A + 1) * SECTORS_PER_UNIT - 1;
    private static final int SCRATCH_SECTORS = 2;

    final CrashStack stack;
    final ReferenceMap reference;
    private final TinyLog.Places places;
    private final boolean failedWritesLand;
    private final List<BadPlace> badPlaces = new ArrayList<>();
    private final Set<Step> happened = new HashSet<>();
    private long stamps = 1;
    private int underWay;
    /** A flush has failed, or somebody else has the spare: requests may fail until the next start. */
    private boolean troubled;
    /** A flush fails next, or has failed: what the next server makes of one that ends in doubt the simulation judges. */
    private boolean cacheInDoubt;

    /** Bytes of one of the media that are bad for good. */
    private record BadPlace(int medium, long offsetBytes, long lengthBytes, boolean readsToo) {
        void on(CrashDevice device) {
            device.makeUnwritable(offsetBytes, lengthBytes);
            if (readsToo) {
                device.makeUnreadable(offsetBytes, lengthBytes);
            }
        }
    }

    /** What a fresh pair is: main full of one content, the spare formatted, with a log of so many blocks. */
    record Beginning(Media media, TinyLog.Places places) {
        static Beginning of(CrashStack.Parts parts, int logBlocks, long seed) throws IOException {
            CrashDevice main = new CrashDevice("main", CrashStack.MAIN_BYTES, SECTOR);
            CrashDevice spare = new CrashDevice("spare", CrashStack.SPARE_BYTES, SECTOR);
            ByteBuffer content = ByteBuffer.allocate(CrashStack.MAIN_BYTES);
            newReference().fill(content, 0, 1);
            main.poke(0, content.array());
            Media media = Media.of(main, spare);
            if (parts.product().spareBytes(0).size() > 1) {
                media = new Media(List.of(main, spare, new CrashDevice("second", CrashStack.SPARE_BYTES, SECTOR)));
            }
            new CrashStack(parts, media, seed).format();
            return new Beginning(media, TinyLog.set(spare, logBlocks));
        }

        CrashDevice main() {
            return media.main();
        }

        CrashDevice spare() {
            return media.spare();
        }
    }

    /** @param failedWritesLand whether a write that fails has changed what it could */
    Life(CrashStack.Parts parts, Beginning beginning, long seed, boolean failedWritesLand) {
        this.stack = new CrashStack(parts, beginning.media.copy(), seed);
        this.reference = newReference();
        this.places = beginning.places;
        this.failedWritesLand = failedWritesLand;
        for (CrashDevice device : stack.media.devices()) {
            device.failedWritesLand(failedWritesLand);
            device.forgetWhenFlushFails(() -> reference.allowErrors(A * SECTORS_PER_UNIT, 2 * SECTORS_PER_UNIT));
        }
    }

    /** Main holds stamp 1 everywhere. A cell is a sector: one that is torn may hold a mixture of what it may hold. */
    private static ReferenceMap newReference() {
        return new ReferenceMap(CrashStack.MAIN_BYTES, SECTOR, SECTOR, 1);
    }

    TinyLog.Places places() {
        return places;
    }

    /** Contents that were written so far have stamps from 0 (zeros) to this one. */
    long lastStamp() {
        return stamps;
    }

    /** Performs a step; {@code false}: there was nothing to do, and the life is the one without it. */
    boolean perform(Step step) throws IOException {
        // A second failure would only replace the first, which may still be to come.
        boolean done = !(isFlushFailure(step) && cacheInDoubt) && act(step);
        if (done) {
            happened.add(step);
        }
        stack.runAll();
        if (underWay != 0) {
            throw new Violation(underWay + " requests were never answered");
        }
        for (SectorRange lost : stack.running().lost()) {
            for (long sector = lost.firstSector(); sector < lost.endSector(); sector++) {
                if (!reference.mayFail(sector)) {
                    throw new Violation("sector " + sector + " counts as lost, and nothing has failed there");
                }
            }
            reference.requireErrors(lost.firstSector(), lost.lengthSectors());
        }
        return done;
    }

    private boolean isFlushFailure(Step step) {
        return step == Step.MAIN_FLUSH_FAILS || step == Step.SPARE_FLUSH_FAILS || step == Step.COMMIT_FLUSH_FAILS;
    }

    private boolean act(Step step) throws IOException {
        switch (step) {
            case WRITE_A -> write(0, A * UNIT, UNIT, false);
            case WRITE_B -> write(0, B * UNIT, UNIT, false);
            case WRITE_PART -> write(0, SCRATCH * SECTOR, SECTOR, false);
            case WRITE_BOTH -> write(0, A * UNIT, 2 * UNIT, false);
            case WRITE_AT_ONCE -> {
                write(0, A * UNIT, UNIT, false);
                write(1, B * UNIT, UNIT, false);
            }
            case WRITE_FUA -> write(0, B * UNIT, UNIT, true);
            case FLUSH -> flush();
            case ZERO_A -> change(0, Operation.WRITE_ZEROES, A * UNIT, UNIT, false, ReferenceMap.ZEROS);
            case TRIM_A -> change(0, Operation.TRIM, A * UNIT, UNIT, false, ReferenceMap.ZEROS);
            case READ -> readEverything();
            case MAP_ADD -> move(true, A);
            case MAP_REMOVE -> move(false, A);
            case RESTART -> {
                return restart();
            }
            case OTHER_SERVER -> {
                if (cacheInDoubt) {
                    // The failure would be told to the other one, and a kernel tells it to all.
                    return false;
                }
                troubled = true;
                stack.openElsewhere();
            }
            default -> {
                return breakSomething(step);
            }
        }
        return true;
    }

    // --- what clients and people do

    /** It may fail: then everything is where it was. */
    private void move(boolean toSpare, long unit) {
        underWay++;
        stack.move(toSpare, new SectorRange(unit * SECTORS_PER_UNIT, SECTORS_PER_UNIT), error -> underWay--);
    }

    private void write(int which, long offset, long length, boolean fua) {
        stamps++;
        ByteBuffer data = stack.buffer(which).data().clear().limit((int) length);
        reference.fill(data, offset, stamps);
        change(which, Operation.WRITE, offset, length, fua, stamps);
    }

    private void change(int which, Operation operation, long offset, long length, boolean fua, long stamp) {
        ReferenceMap.Write write = reference.writeBegins(offset, length, stamp);
        underWay++;
        stack.submit(which, operation, offset, length, fua, error -> {
            underWay--;
            require(
                    error == DiskError.NONE || troubled || needsDeadSpare(offset, length, fua),
                    () -> operation + " failed with " + error);
            if (error == DiskError.NONE && operation != Operation.TRIM) {
                reference.writeSucceeded(write, fua);
            } else {
                reference.writeFailed(write);
            }
        });
    }

    /** Main does without it where it takes what is written and where nothing was ever moved. */
    private boolean needsDeadSpare(long offset, long length, boolean fua) {
        boolean needs = fua || !Collections.disjoint(happened, Step.MAIN_TAKES_NO_WRITES);
        for (long unit = offset / UNIT; unit * UNIT < offset + length; unit++) {
            needs |= stack.running().table().placeOf(unit) != Place.MAIN;
        }
        return needs && happened.contains(Step.FIRST_SPARE_DIES);
    }

    private void flush() {
        ReferenceMap.Read flush = reference.flushBegins();
        underWay++;
        stack.submit(0, Operation.FLUSH, 0, 0, false, error -> {
            underWay--;
            require(
                    error == DiskError.NONE || troubled || happened.contains(Step.FIRST_SPARE_DIES),
                    () -> "FLUSH failed with " + error);
            if (error == DiskError.NONE) {
                reference.flushSucceeded(flush);
            }
        });
    }

    private void readEverything() {
        for (long sector = 0; sector < CrashStack.MAIN_BYTES / SECTOR; sector++) {
            long offset = sector * SECTOR;
            ReferenceMap.Read read = reference.readBegins(offset);
            underWay++;
            stack.submit(0, Operation.READ, offset, SECTOR, false, error -> {
                underWay--;
                if (error == DiskError.NONE) {
                    reference.readSucceeded(read, stack.buffer(0).data().clear().limit(SECTOR));
                } else {
                    // Found out by whatever step came between: from then on nothing is served.
                    boolean takenOver = error == DiskError.SHUTDOWN && happened.contains(Step.OTHER_SERVER);
                    boolean allowed = reference.readFailed(read, offset) || takenOver;
                    require(allowed, () -> "READ of byte " + offset + " failed with " + error);
                }
            });
            stack.runAll();
        }
    }

    private static void require(boolean holds, Supplier<String> otherwise) {
        if (!holds) {
            throw new Violation("no fault explains why " + otherwise.get());
        }
    }

    private boolean restart() throws IOException {
        if (cacheInDoubt || happened.contains(Step.FIRST_SPARE_DIES)) {
            return false;
        }
        boolean stable = stack.stop();
        require(stable || troubled, () -> "the last flush failed");
        if (stable) {
            reference.flushSucceeded(reference.flushBegins());
        }
        stack.start();
        reference.opened();
        troubled = false;
        return true;
    }

    // --- what happens to the media

    private boolean breakSomething(Step step) {
        switch (step) {
            case MAIN_BAD -> {
                return scratch(true);
            }
            case MAIN_REFUSES -> {
                return !happened.contains(Step.MAIN_BAD) && scratch(false);
            }
            case NEXT_SLOT_BAD -> {
                return makeBad(slot(nextSlot()));
            }
            case MAPPED_SLOT_BAD -> {
                return mappedSlotBad(A) || mappedSlotBad(B);
            }
            case LOG_BAD -> {
                return bothArenas(places.firstCommitAt());
            }
            case HEADER_BAD -> {
                return bothArenas(0);
            }
            case EARLIER_CUTS -> {
                return earlierCuts();
            }
            case FIRST_SPARE_DIES -> {
                if (happened.contains(step)) {
                    return false;
                }
                stack.spare.failFrom(stack.spare.operations(), ENODEV);
                return true;
            }
            case MAIN_FAILS_TWICE -> {
                stack.main.failWrites(2);
                return true;
            }
            default -> {
                (step == Step.MAIN_FLUSH_FAILS ? stack.main : stack.spare)
                        .failFlushAfter(step == Step.COMMIT_FLUSH_FAILS ? 1 : 0);
                troubled = true;
                cacheInDoubt = true;
                return true;
            }
        }
    }

    private boolean scratch(boolean readsToo) {
        for (long sector = SCRATCH; readsToo && sector < SCRATCH + SCRATCH_SECTORS; sector++) {
            long place = stack.running().table().placeOf(sector / SECTORS_PER_UNIT);
            int masks = Place.onSlotMask(place) | Place.lostMask(place);
            if (!Place.isZero(place) && (masks >> sector % SECTORS_PER_UNIT & 1) == 0) {
                reference.allowErrors(sector, 1);
            }
        }
        return makeBad(new BadPlace(0, SCRATCH * SECTOR, (long) SCRATCH_SECTORS * SECTOR, readsToo));
    }

    private boolean bothArenas(long at) {
        return makeBad(new BadPlace(1, places.arenas().get(1) + at, UNIT, false))
                && makeBad(new BadPlace(1, places.arenas().get(3) + at, UNIT, false));
    }

    private boolean earlierCuts() {
        if (happened.contains(Step.EARLIER_CUTS)) {
            return false;
        }
        long arena = places.arenas().get(2 * places.arenaToComeOf(stack.spare));
        stack.spare.makeUnreadableUntilWritten(arena + places.firstCommitAt() - UNIT, 2 * UNIT);
        return true;
    }

    /** {@code false}: it was so already. */
    private boolean makeBad(BadPlace place) {
        if (badPlaces.contains(place)) {
            return false;
        }
        badPlaces.add(place);
        place.on(stack.media.devices().get(place.medium));
        return true;
    }

    private boolean mappedSlotBad(long unit) {
        long place = stack.running().table().placeOf(unit);
        if (!Place.hasSlot(place)
                || !makeBad(slot(stack.running().firstSlotOf(Place.spare(place)) + Place.slot(place)))) {
            return false;
        }
        for (int sector = 0; sector < SECTORS_PER_UNIT; sector++) {
            if ((Place.onSlotMask(place) >> sector & 1) != 0) {
                reference.allowErrors(unit * SECTORS_PER_UNIT + sector, 1);
            }
        }
        return true;
    }

    private BadPlace slot(long slot) {
        long at = stack.running().slotOffsetBytes(slot);
        boolean onSecond = at >= CrashStack.SPARE_BYTES;
        return new BadPlace(onSecond ? 2 : 1, onSecond ? at - CrashStack.SPARE_BYTES : at, UNIT, true);
    }

    /** The free slot that the disk, which takes them in their order, comes to next unless it has just been started. */
    private long nextSlot() {
        long used = -1;
        for (long unit : new long[] {A, B}) {
            long place = stack.running().table().placeOf(unit);
            used = Math.max(used, Place.hasSlot(place) && Place.spare(place) == 0 ? Place.slot(place) : -1);
        }
        long next = used + 1;
        while (badPlaces.contains(slot(next))) {
            next++;
        }
        return next;
    }

    /** Gives what was left of the devices the bad places of their media. */
    void mediaAfter(Media left) {
        left.devices().forEach(device -> device.failedWritesLand(failedWritesLand));
        badPlaces.forEach(place -> place.on(left.devices().get(place.medium)));
    }
}
