package io.remap.testkit;

import io.remap.api.DiskClient;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.IoBuffer;
import java.util.random.RandomGenerator;

/** Issues one request after the other and checks each answer against the {@link ReferenceMap}. */
final class SimClient {
    private static final long MEMORY_PAUSE_MILLIS = 100;

    private final DiskSimulation simulation;
    private final int number;
    private final RandomGenerator random;
    private final DiskRequest request = new DiskRequest(this::completed);
    private final int bufferBytes;
    /** Given back after each request, since a transfer that hangs may still use it. */
    private IoBuffer buffer;

    private long begunNanos;
    private boolean hungAtBegin;
    private boolean hungAtAnswer;
    private boolean overdue;
    private boolean avoidedAtAnswer;
    private boolean ended;
    private ReferenceMap.Write write;
    private ReferenceMap.Read read;
    private long troubleAtBegin;
    private boolean doubtAtBegin;
    private boolean doubtAtAnswer;
    private long lossesAtBegin;
    private long lossesAtAnswer;
    private LossesTold told;
    private boolean knewAtAnswer;
    private boolean owedAtAnswer;
    private int left;
    private boolean busy;
    /** Where the reading of everything stands; -1 if not asked for. */
    private long readPosition = -1;

    SimClient(DiskSimulation simulation, int number, RandomGenerator random, int bufferBytes) {
        this.simulation = simulation;
        this.number = number;
        this.random = random;
        this.bufferBytes = bufferBytes;
        this.buffer = simulation.memory(bufferBytes);
        request.client = new DiskClient();
    }

    /** Gives its memory back. */
    void end() {
        if (buffer != null) {
            buffer.release();
        }
        left = 0;
        ended = true;
    }

    /** Begins the next request, once there is memory for it: a transfer that hangs may have that of the last. */
    private void goOn() {
        buffer = ended ? null : simulation.memory(bufferBytes);
        if (buffer != null) {
            next();
        } else if (!ended) {
            simulation.scheduler.schedule(this::goOn, MEMORY_PAUSE_MILLIS);
        }
    }

    void begin(int operations) {
        left = operations;
        simulation.scheduler.execute(this::next);
    }

    /** Reads the disk sector by sector. */
    void readEverything() {
        readPosition = 0;
        begin(simulation.plan.sizeBytes() / simulation.plan.sectorBytes);
    }

    boolean done() {
        return left == 0 && !busy;
    }

    private void next() {
        if (left == 0) {
            return;
        }
        left--;
        SimPlan plan = simulation.plan;
        if (readPosition >= 0) {
            submit(Operation.READ, readPosition, plan.sectorBytes, false);
            readPosition += plan.sectorBytes;
            return;
        }
        int cell = simulation.cellBytes();
        int granule = random.nextInt(4) == 0 ? cell : plan.sectorBytes;
        int longest = random.nextInt(3) == 0 ? SimPlan.MAX_REQUEST_BYTES : 3 * SimPlan.UNIT_BYTES;
        int granules = Math.min(longest, plan.sizeBytes()) / granule;
        long length = (long) (1 + random.nextInt(granules)) * granule;
        // Half of the requests meet in the first few units.
        long room =
                (random.nextBoolean() ? plan.sizeBytes() : Math.min(plan.sizeBytes(), 8 * SimPlan.UNIT_BYTES)) - length;
        long offset = room <= 0 ? 0 : random.nextInt((int) (room / granule) + 1) * (long) granule;
        int kind = random.nextInt(100);
        Operation operation = kind < 40
                ? Operation.WRITE
                : kind < 78
                        ? Operation.READ
                        : kind < 84 ? Operation.WRITE_ZEROES : kind < 88 ? Operation.TRIM : Operation.FLUSH;
        boolean fua = random.nextInt(6) == 0;
        if (plan.devicesOnly && operation.changesData()) {
            changeOwnPart(operation, offset, length, granule, fua);
        } else {
            submit(operation, offset, length, fua);
        }
    }

    /** Each client writes to a part that is its own: of writes that overlap a verification may find the wrong one. */
    private void changeOwnPart(Operation operation, long offset, long length, int granule, boolean fua) {
        SimPlan plan = simulation.plan;
        long part = (long) plan.units / plan.clients * SimPlan.UNIT_BYTES;
        long fitting = Math.min(length, part);
        submit(operation, number * part + offset % (part - fitting + granule), fitting, fua);
    }

    private void submit(Operation operation, long offset, long length, boolean fua) {
        busy = true;
        write = null;
        read = null;
        request.operation = operation;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        request.fua = fua && operation.changesData();
        request.keepAllocated = random.nextBoolean();
        request.buffer = operation == Operation.READ || operation == Operation.WRITE ? buffer : null;
        told = simulation.told(request.client);
        troubleAtBegin = simulation.troubles();
        doubtAtBegin = simulation.inDoubt();
        lossesAtBegin = simulation.losses();
        begunNanos = simulation.scheduler.nanoTime();
        hungAtBegin = simulation.somethingHangs();
        switch (operation) {
            case READ -> read = simulation.reference.readBegins(offset);
            case FLUSH -> read = simulation.reference.flushBegins();
            case WRITE -> {
                write = simulation.writeBegins(offset, length, simulation.nextStamp());
                simulation.fill(buffer.data().clear().limit((int) length), offset, write);
            }
            case TRIM ->
                write = simulation.mainForgets()
                        ? simulation.reference.trimBegins(offset, length)
                        : simulation.writeBegins(offset, length, ReferenceMap.ZEROS);
            default -> write = simulation.writeBegins(offset, length, ReferenceMap.ZEROS);
        }
        simulation.trace(() -> "client " + number + ": " + operation + " " + describe());
        simulation.disk().submit(request);
    }

    private String describe() {
        return request.operation == Operation.FLUSH
                ? ""
                : request.offsetBytes + "+" + request.lengthBytes + (request.fua ? " FUA" : "")
                        + (request.operation == Operation.WRITE ? " stamp " + simulation.lastStamp() : "");
    }

    private void completed(DiskRequest ended) {
        simulation.requireInTime(begunNanos, () -> ended.operation + " " + describe());
        lossesAtAnswer = simulation.losses();
        doubtAtAnswer = simulation.inDoubt();
        hungAtAnswer = simulation.somethingHangs();
        // Before anybody writes there, and finds another place for it.
        avoidedAtAnswer = ended.error == DiskError.IO
                && ended.errorOffsetBytes >= 0
                && simulation.isAvoided(ended.errorOffsetBytes, begunNanos);
        overdue = ended.error != DiskError.NONE && simulation.mayBeOverdue(begunNanos);
        told.answered(lossesAtAnswer);
        knewAtAnswer = told.knows(lossesAtBegin);
        owedAtAnswer = told.owed(lossesAtAnswer);
        if (ended.error != DiskError.NONE && ended.operation == Operation.FLUSH) {
            simulation.coverage.add("losses told", told.knows(lossesAtAnswer) ? 0 : 1);
            if (overdue) {
                // Answered by the clock, which tells of nothing.
                told.perhapsTold(lossesAtAnswer);
            } else {
                told.told(lossesAtAnswer);
                simulation.lossesTold(lossesAtAnswer);
            }
        } else if (ended.error != DiskError.NONE && ended.fua) {
            told.perhapsTold(lossesAtAnswer);
        }
        // Not here: a completion must not submit the next request from within, however deep.
        simulation.scheduler.execute(() -> {
            busy = false;
            simulation.trace(() -> "client " + number + ": " + ended.operation + " " + ended.offsetBytes + "+"
                    + ended.lengthBytes + " -> " + ended.error
                    + (ended.errorOffsetBytes < 0 ? "" : " at " + ended.errorOffsetBytes));
            check();
            buffer.release();
            goOn();
        });
    }

    private void check() {
        simulation.noteLosses();
        simulation.noteAvoided();
        boolean aligned = (request.offsetBytes | request.lengthBytes) % simulation.plan.sectorBytes == 0;
        switch (request.operation) {
            case READ -> checkRead(aligned);
            case FLUSH -> checkFlush();
            default -> checkWrite(aligned);
        }
    }

    private void checkRead(boolean aligned) {
        simulation.coverage.count(aligned ? "reads" : "unaligned reads");
        if (request.error == DiskError.NONE) {
            simulation.reference.readSucceeded(read, buffer.data().clear().limit((int) request.lengthBytes));
            return;
        }
        simulation.coverage.count("reads failed");
        long at = request.errorOffsetBytes;
        boolean inside = at >= request.offsetBytes && at < request.offsetBytes + request.lengthBytes;
        boolean mayFail = simulation.reference.readFailed(read, inside ? at : request.offsetBytes);
        boolean allowed = simulation.answersByWire()
                ? someMayFail()
                : inside && (mayFail || simulation.mayFailForGood(at) || avoidedAtAnswer);
        simulation.require(
                request.error == DiskError.IO && (allowed || troubled() || isDeviceGone()),
                () -> "no fault explains why the read " + describe() + " failed with " + request.error + " at " + at);
    }

    /** The wire says nothing of the place. */
    private boolean someMayFail() {
        boolean some = false;
        long end = request.offsetBytes + request.lengthBytes;
        for (long at = request.offsetBytes; at < end; at += simulation.cellBytes()) {
            some |= simulation.reference.readFailed(read, at)
                    || simulation.mayFailForGood(at)
                    || simulation.isAvoided(at, begunNanos);
        }
        return some;
    }

    private void checkFlush() {
        if (request.error == DiskError.NONE) {
            simulation.coverage.count("flushes");
            simulation.flushSucceeded();
            simulation.reference.flushSucceeded(read);
            simulation.require(
                    knewAtAnswer,
                    () -> "a flush succeeded, but its client was never told that acknowledged sectors were lost");
        } else {
            simulation.coverage.count("flushes failed");
            simulation.require(
                    request.error == DiskError.IO && flushMayFail(),
                    () -> "no fault explains why a flush failed with " + request.error);
        }
    }

    private boolean flushMayFail() {
        return troubled() || simulation.somethingGone() || simulation.flushMayFail() || owedAtAnswer;
    }

    private void checkWrite(boolean aligned) {
        simulation.coverage.count(
                switch (request.operation) {
                    case TRIM -> "trims";
                    case WRITE_ZEROES -> "zeroed";
                    default -> aligned ? "writes" : "unaligned writes";
                });
        if (request.error == DiskError.NONE) {
            if (request.operation == Operation.TRIM && simulation.mainForgets()) {
                simulation.trimmed(write, request.offsetBytes, request.lengthBytes);
            } else if (request.operation == Operation.TRIM) {
                simulation.reference.writeFailed(write);
            } else {
                simulation.coverage.add("FUA writes", request.fua ? 1 : 0);
                simulation.reference.writeSucceeded(write, request.fua);
            }
            return;
        }
        simulation.coverage.count("writes failed");
        if (request.operation == Operation.TRIM && simulation.mainForgets()) {
            simulation.trimmed(write, request.offsetBytes, request.lengthBytes);
        } else {
            if (overdue) {
                simulation.reference.writeOverdue(write);
            } else {
                simulation.reference.writeFailed(write);
            }
        }
        long offset = request.offsetBytes;
        long end = offset + request.lengthBytes;
        boolean allowed = troubled()
                || isDeviceGone()
                || (request.fua && flushMayFail())
                || (request.operation != Operation.TRIM
                        && (simulation.redirectMayFail(offset, end)
                                || (!aligned && simulation.edgeMayFail(write, offset, end, begunNanos))));
        if (request.error == DiskError.NO_SPACE) {
            simulation.coverage.count("spare full");
            allowed = simulation.plan.tightSpare() && simulation.mayBeRedirected(offset, end);
        }
        boolean known = request.error == DiskError.IO || request.error == DiskError.NO_SPACE;
        simulation.require(
                known && allowed,
                () -> "no fault explains why " + request.operation + " " + describe() + " failed with " + request.error
                        + " at " + request.errorOffsetBytes);
    }

    /** Whether one is away that the request needs, or may have needed. */
    private boolean isDeviceGone() {
        return simulation.isGoneFor(request.offsetBytes, request.offsetBytes + request.lengthBytes);
    }

    private boolean troubled() {
        return simulation.troubles() != troubleAtBegin
                || doubtAtBegin
                || doubtAtAnswer
                || hungAtBegin
                || hungAtAnswer
                || overdue;
    }
}
