package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.testkit.SimProduct;
import io.remap.testkit.SimulationRun;
import io.remap.testkit.SimulationRun.Lives;
import java.lang.reflect.Constructor;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The simulation finds defects: each mutant breaks one rule of the data path, and must fail within a few seeds. */
class MutantsTest {
    private static final int SEEDS = 1000;

    static Stream<Mutant> mutants() {
        return Stream.of(
                firstSectorDecides(),
                acknowledgedBeforeCommit(),
                readErrorMapsToBlankSlot(),
                moverDoesNotWait(),
                flushForgetsTheSpare(),
                flushForgetsTheSecondSpare(),
                returnForgetsToFlush(),
                returnOverlooksWritesToTheSlot(),
                returnOverlooksWritesUnderWay(),
                requestDoesNotMarkTheWatch(),
                returnIsPublishedBeforeTheCommit(),
                flushIsRetriedIntoSuccess(),
                verificationForgetsTheSync(),
                verificationIsNotFenced(),
                slotsAreNotVerified(),
                mappingDoesNotWaitForItsData(),
                replyReleasesTheBuffer(),
                writeMeetsOneThatHangs(),
                readIsNotCompared(),
                rotIsTakenOver(),
                returnFreesTheSlotTooEarly(),
                replacedSlotIsFreeTooEarly());
    }

    /** dm-remap looks up the first sector of a request only. */
    private static Mutant firstSectorDecides() {
        return new Mutant("the first sector decides for the whole request")
                .replace(
                        "SegmentCursor",
                        "            if (sector + alike < sectorsPerUnit || position >= end) {\n",
                        "            if (position >= end) {\n")
                .replace(
                        "SegmentCursor",
                        "            } else if (here != target",
                        "            } else if (here == null");
    }

    private static Mutant acknowledgedBeforeCommit() {
        return new Mutant("published and acknowledged before the commit")
                .replace(
                        "VirtualDisk",
                        "        store.commit(changes, (outcome, table) -> environment.scheduler().execute(() -> then.accept(outcome)));",
                        """
                        RemapTable early = committedTable();
                        for (MapChange change : changes) {
                            early = early.with(change);
                        }
                        ahead = early;
                        store.commit(changes, (outcome, table) -> {});
                        environment.scheduler().execute(() -> then.accept(MetadataStore.Outcome.DURABLE));
                        """)
                .replace(
                        "VirtualDisk",
                        "    RemapTable committedTable() {\n",
                        "    private RemapTable ahead;\n    RemapTable committedTable() {\n        if (ahead != null) return ahead;\n");
    }

    private static Mutant readErrorMapsToBlankSlot() {
        return new Mutant("a read error maps to a blank slot")
                .replace("ReadRecovery", "        finish(unreadable, unreadableSectors);\n", """
                                List<io.remap.api.MapChange> changes = new ArrayList<>();
                                unreadable.forEach((unit, mask) -> {
                                    long place = disk.state.current().table.placeOf(unit);
                                    if (place == Place.MAIN && disk.spares.require(0).allocator.freeSlots() > 0) {
                                        changes.add(io.remap.api.MapChange.set(
                                                unit, 1, Place.onSlot(0, disk.spares.require(0).allocator.allocate(), mask, 0)));
                                    }
                                });
                                if (changes.isEmpty()) {
                                    finish(unreadable, unreadableSectors);
                                    return;
                                }
                                unreadableSectors.forEach(this::noteError);
                                disk.commit(changes, outcome -> {
                                    release(s -> s.withTable(disk.committedTable()));
                                    context.finish(DiskError.IO, firstErrorOffset);
                                });
                        """);
    }

    private static Mutant moverDoesNotWait() {
        return new Mutant("a mover does not wait for transfers in flight")
                .replace(
                        "Recovery",
                        "        disk.inFlight.awaitOverlapping(firstUnit, endUnit, awaited(readsToo), () -> run(then));",
                        "        run(then);");
    }

    private static Mutant flushForgetsTheSpare() {
        return new Mutant("a flush forgets the spare")
                .foundBy(Lives.WITH_POWER_CUTS)
                .replace(
                        "RequestContext",
                        "            touchedMain = true;\n            touchedSpares = disk.spares.mask();\n",
                        "            touchedMain = true;\n");
    }

    private static Mutant flushForgetsTheSecondSpare() {
        return new Mutant("a flush forgets the second spare")
                .foundBy(Lives.WITH_POWER_CUTS)
                .replace(
                        "RequestContext",
                        "            touchedMain = true;\n            touchedSpares = disk.spares.mask();\n",
                        "            touchedMain = true;\n            touchedSpares = disk.spares.mask() & 1;\n");
    }

    private static Mutant returnForgetsToFlush() {
        return new Mutant("map remove does not flush main")
                .foundBy(Lives.WITH_MOVES)
                .replace(
                        "Return",
                        "        disk.mainSyncer.flush(error -> goOn(() -> compare(error, then)));",
                        "        goOn(() -> compare(null, then));");
    }

    private static Mutant returnOverlooksWritesToTheSlot() {
        return new Mutant("a return does not ask whether a write touched the slot meanwhile")
                .foundBy(Lives.WITH_MOVES)
                .replace(
                        "Return",
                        "        if (!touched()) {\n            commit();",
                        "        if (true) {\n            commit();");
    }

    private static Mutant returnOverlooksWritesUnderWay() {
        return new Mutant("a write that is under way when the copy begins does not count")
                .foundBy(Lives.WITH_MOVES)
                .replace(
                        "SlotWatch",
                        "        if (inFlight.isWriting(firstUnit, endUnit)) {",
                        "        if (inFlight.isWriting(firstUnit, endUnit) && firstUnit < 0) {");
    }

    private static Mutant requestDoesNotMarkTheWatch() {
        return new Mutant("a request does not mark the watch of a slot that it writes to")
                .foundBy(Lives.WITH_MOVES)
                .replace(
                        "RequestContext",
                        "            if (onSpare) {\n                cursor.snapshot()",
                        "            if (onSpare && offsetBytes < 0) {\n                cursor.snapshot()");
    }

    private static Mutant returnIsPublishedBeforeTheCommit() {
        return new Mutant("a return is published before its commit")
                .foundBy(Lives.WITH_MOVES)
                .replace(
                        "Return",
                        "outcome -> run(() -> committed(outcome)));",
                        "outcome -> {});\n        run(() -> committed(Outcome.DURABLE));")
                .replace(
                        "Return",
                        "release(s -> s.withTable(disk.committedTable()).withReadable(unit, 0xff));",
                        "release(s -> s.withTable(disk.committedTable().with(unit, 1, Place.lost(Place.lostMask(old)))));");
    }

    private static Mutant flushIsRetriedIntoSuccess() {
        return new Mutant("a failed flush is retried into success")
                .foundBy(Lives.WITH_FAILED_FLUSHES)
                .replace("SharedSync", """
                                    notice.syncFailed(e);
                                    answered = number;
                                    failed = number;
                                    failure = e;
                                    throw e;
                        """, "            device.flush();\n");
    }

    private static Mutant verificationForgetsTheSync() {
        return new Mutant("a verification ends without a new sync")
                .foundBy(Lives.WITH_FAILED_FLUSHES)
                .replace(
                        "TrackedDevice",
                        "        state.sync.sync(this::syncFailed);\n",
                        "        if (!settles) state.sync.sync(this::syncFailed);\n");
    }

    private static Mutant verificationIsNotFenced() {
        return new Mutant("what is in doubt is not fenced")
                .foundBy(Lives.WITH_FAILED_FLUSHES)
                .replace(
                        "LedgerVerification",
                        "        disk.state.publish(s -> s.withDoubt(number, ranges));",
                        "        disk.state.publish(s -> s.withDoubt(number, new long[0]));");
    }

    private static Mutant slotsAreNotVerified() {
        return new Mutant("what is in doubt on the spare is not looked at")
                .foundBy(Lives.WITH_FAILED_FLUSHES_OF_THE_SPARE)
                .replace(
                        "UnflushedWrites",
                        "                    if (index.has(",
                        "                    if (unit < 0 && index.has(");
    }

    private static Mutant mappingDoesNotWaitForItsData() {
        return new Mutant("a mapping does not ask whether its data was lost by a flush of somebody else")
                .foundBy(Lives.WITH_FAILED_FLUSHES_OF_THE_SPARE)
                .replace("SlotPlan", "        if (touchedSpares != 0) {\n", "        if (moves == null) {\n");
    }

    private static Mutant replyReleasesTheBuffer() {
        return new Mutant("the reply to an overdue request releases the buffer of what hangs")
                .foundBy(Lives.WITH_HANGS)
                .replace("PendingRequest", "            buffer.retain();\n", "")
                .replace("PendingRequest", "            buffer.release();\n", "");
    }

    private static Mutant writeMeetsOneThatHangs() {
        return new Mutant("a write goes to main where one that hangs will land")
                .foundBy(Lives.WITH_HANGS)
                .replace(
                        "Deadlines",
                        "        if (write && writes) {\n",
                        "        if (write && writes && firstUnit < 0) {\n");
    }

    private static Mutant readIsNotCompared() {
        return new Mutant("what is read in a slot is not compared with its checksum")
                .foundBy(Lives.WITH_ROT)
                .replace("TrackedDevice", "            gate.compare(true, offsetBytes, target, from);\n", "");
    }

    private static Mutant rotIsTakenOver() {
        return new Mutant("what rotted is taken over when its region is opened")
                .foundBy(Lives.WITH_ROT)
                .replace(
                        "Opening",
                        "if (spare.gate.rottenSectors(slot) != 0) {",
                        "if (spare.gate.rottenSectors(slot) < 0) {");
    }

    private static Mutant returnFreesTheSlotTooEarly() {
        return withCarelessAllocator("a return gives its slot to others before its commit")
                .replace("Return", "        long now = Place.lost(Place.lostMask(old));\n", """
                                if (Place.hasSlot(old)) {
                                    disk.spares.free(Spares.idOf(old));
                                }
                                long now = Place.lost(Place.lostMask(old));
                        """)
                .replace(
                        "Return",
                        "                if (Place.hasSlot(old)) {\n                    disk.spares.free(",
                        "                if (Place.hasSlot(old) && unit < 0) {\n                    disk.spares.free(");
    }

    private static Mutant replacedSlotIsFreeTooEarly() {
        return withCarelessAllocator("a slot that is replaced is given to others before the commit")
                .replace(
                        "SlotPlan",
                        "            (move.slotIsBad ? failedSlots : replacedSlots).add(Spares.idOf(old));\n",
                        """
                                    if (move.slotIsBad) {
                                        failedSlots.add(Spares.idOf(old));
                                    } else {
                                        disk.spares.free(Spares.idOf(old));
                                    }
                        """);
    }

    /** The allocator would notice some of what comes of a slot with two units, where clients shall. */
    private static Mutant withCarelessAllocator(String name) {
        return new Mutant(name)
                .foundBy(Lives.WITH_REUSE)
                .replace(
                        "SlotAllocator",
                        "        if (!taken.get(slot) || bad.get(slot)) {\n",
                        "        if (!taken.get(slot)) return;\n        if (bad.get(slot)) {\n")
                .replace("SlotAllocator", " || isTaken(from, to)) {", " || from > to && isTaken(from, to)) {");
    }

    @ParameterizedTest
    @MethodSource("mutants")
    void simulationFindsIt(Mutant mutant, @TempDir Path directory) throws Exception {
        Constructor<?> product = mutant.load("SimulatedVirtualDisk", directory).getDeclaredConstructor();
        product.setAccessible(true);
        SimulationRun run = new SimulationRun("remap-core", MutantsTest.class, () -> newProduct(product));
        // A few of a hundred lives have them.
        boolean rare =
                mutant.lives() == Lives.WITH_FAILED_FLUSHES || mutant.lives() == Lives.WITH_FAILED_FLUSHES_OF_THE_SPARE;
        int seeds = rare ? 10 * SEEDS : SEEDS;
        Optional<AssertionError> failure = run.firstWrongAnswer(seeds, mutant.lives());
        assertTrue(failure.isPresent(), () -> mutant.name() + ": not found in " + seeds + " seeds");
        System.out.println("suite: MutantsTest: '" + mutant.name() + "' is found: "
                + failure.get().getMessage().lines().findFirst().orElse(""));
    }

    private static SimProduct newProduct(Constructor<?> constructor) {
        try {
            return (SimProduct) constructor.newInstance();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
