package io.remap.cli.proof;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Settings;
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.FaultPolicyProvider;
import io.remap.api.spi.MetadataProvider;
import io.remap.cli.SimulatedStack;
import io.remap.core.Providers;
import io.remap.testkit.Mutant;
import io.remap.testkit.SimProduct;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * G2: the explorer finds what it is for. Each bug breaks one rule in the source of the product, and must show within the
 * states of a short workload. (Bugs that need several clients are in MutantsTest of remap-core, for the simulation.)
 */
class SeededBugsTest {
    private static final long SEED = 1;
    private static final String CORE = "io.remap.core.disk";
    private static final String METADATA = "io.remap.metadata";
    private static final int LEAST_BUGS = 16;
    private static final CrashExplorer.Care CARE = new CrashExplorer.Care(1, 16);

    private static final List<String> found = new ArrayList<>();
    private static long startedNanos;

    /**
     * A bug and where to look for it.
     *
     * @param logBlocks of the spare
     * @param workload this one shows it, or one that it begins with
     * @param product how the disk is set up
     */
    private record Bug(Mutant mutant, int logBlocks, List<Step> workload, Product product) {
        Bug(Mutant mutant, int logBlocks, List<Step> workload) {
            this(mutant, logBlocks, workload, Product.PLAIN);
        }

        @Override
        public String toString() {
            return mutant.name();
        }
    }

    private enum Product {
        PLAIN,
        /** The spare is sealed after each step. */
        SEALED,
        TWO_SPARES
    }

    private static Bug core(String rule, String file, String original, String mutated, Step... steps) {
        Mutant mutant = new Mutant(rule, "remap-core", CORE).replace(file, original, mutated);
        return new Bug(mutant, 2, List.of(steps));
    }

    /** A bug of checksums: the spare is sealed after each step. */
    private static Bug sealing(String rule, String file, String original, String mutated) {
        Mutant mutant = new Mutant(rule, "remap-core", CORE).replace(file, original, mutated);
        return new Bug(mutant, 2, List.of(Step.MAP_ADD, Step.WRITE_A, Step.READ), Product.SEALED);
    }

    private static Bug metadata(String rule, String file, String original, String mutated, Step... steps) {
        Mutant mutant = new Mutant(rule, "remap-metadata", METADATA).replace(file, original, mutated);
        return new Bug(mutant, 1, List.of(steps));
    }

    static Stream<Bug> bugs() {
        return Stream.of(
                        bugsOfFlushes(),
                        bugsOfTheMap(),
                        bugsOfTheLog(),
                        bugsOfTables(),
                        bugsOfChecksums(),
                        bugsOfTwoSpares())
                .flatMap(s -> s);
    }

    private static Stream<Bug> bugsOfChecksums() {
        return Stream.of(
                sealing(
                        "what is sealed is written without being opened",
                        "SlotGate",
                        "            if ((word & CLOSED) != 0) {\n                return false;\n            }\n",
                        "            if ((word & CLOSED) != 0) {\n                return true;\n            }\n"),
                sealing(
                        "the opening of a region is not made durable",
                        "Opening",
                        "        disk.commit(List.of(MapChange.open(spare.index, region, 1)), outcome -> {\n",
                        """
                                disk.environment.scheduler().execute(() -> {
                                    MetadataStore.Outcome outcome = MetadataStore.Outcome.DURABLE;
                        """));
    }

    private static Bug twoSpares(Bug bug) {
        return new Bug(bug.mutant, 2, bug.workload, Product.TWO_SPARES);
    }

    /** More of them are in SpreadBugsTest of remap-metadata. */
    private static Stream<Bug> bugsOfTwoSpares() {
        return Stream.of(
                twoSpares(core(
                        "a flush forgets the second spare",
                        "RequestContext",
                        "            touchedMain = true;\n            touchedSpares = disk.spares.mask();\n",
                        "            touchedMain = true;\n            touchedSpares = disk.spares.mask() & 1;\n",
                        Step.MAIN_BAD,
                        Step.WRITE_A,
                        Step.MAP_ADD,
                        Step.WRITE_A,
                        Step.FLUSH)),
                twoSpares(metadata(
                        "an answer does not wait for the copy of the table",
                        "Holders",
                        "        follow(other -> other.log().commit(changes, as(other, changed)));\n",
                        "",
                        Step.MAIN_BAD,
                        Step.WRITE_A,
                        Step.FIRST_SPARE_DIES,
                        Step.WRITE_B)),
                twoSpares(metadata(
                        "the copy takes the lead without a new term",
                        "Holders",
                        "            long above = endOfTerm(failed.log().generation(), next.log().generation());\n",
                        "            long above = next.log().generation();\n",
                        Step.MAIN_BAD,
                        Step.FIRST_SPARE_DIES,
                        Step.WRITE_A)));
    }

    private static Stream<Bug> bugsOfFlushes() {
        return Stream.of(
                core(
                        "a flush forgets main",
                        "RequestContext",
                        "            touchedMain = true;\n            touchedSpares = disk.spares.mask();\n",
                        "            touchedSpares = disk.spares.mask();\n",
                        Step.WRITE_A,
                        Step.FLUSH),
                core(
                        "a flush forgets the spare",
                        "RequestContext",
                        "            touchedMain = true;\n            touchedSpares = disk.spares.mask();\n",
                        "            touchedMain = true;\n",
                        Step.MAIN_BAD,
                        Step.WRITE_A,
                        Step.WRITE_A,
                        Step.FLUSH),
                core(
                        "FUA is forgotten",
                        "RequestContext",
                        "if (fua && asked.changesData()) {",
                        "if (fua && offsetBytes < 0) {",
                        Step.WRITE_FUA),
                core(
                        "a clean stop does not flush main",
                        "Closing",
                        "boolean flushed = ended && flush(disk.main);",
                        "boolean flushed = ended;",
                        Step.WRITE_A,
                        Step.RESTART),
                core(
                        "map remove does not flush main",
                        "Return",
                        "        disk.mainSyncer.flush(error -> goOn(() -> compare(error, then)));",
                        "        goOn(() -> compare(null, then));",
                        Step.MAP_ADD,
                        Step.WRITE_A,
                        Step.FLUSH,
                        Step.MAP_REMOVE),
                core(
                        "a failed flush is retried into success",
                        "SharedSync",
                        """
                                    notice.syncFailed(e);
                                    answered = number;
                                    failed = number;
                                    failure = e;
                                    throw e;
                        """,
                        "            device.flush();\n",
                        Step.WRITE_A,
                        Step.MAIN_FLUSH_FAILS,
                        Step.FLUSH),
                core(
                        "what is in doubt is not looked at",
                        "UnflushedWrites",
                        "                    if (index.has(",
                        "                    if (unit < 0 && index.has(",
                        Step.MAIN_BAD,
                        Step.WRITE_A,
                        Step.WRITE_A,
                        Step.SPARE_FLUSH_FAILS,
                        Step.FLUSH));
    }

    private static Stream<Bug> bugsOfTheMap() {
        Bug early = core(
                "published and answered before the commit",
                "VirtualDisk",
                "        store.commit(changes, (outcome, table) -> environment.scheduler().execute(() -> then.accept(outcome)));",
                """
                        RemapTable early = committedTable();
                        for (MapChange change : changes) {
                            early = early.with(change);
                        }
                        ahead = early;
                        environment.scheduler().execute(() -> then.accept(MetadataStore.Outcome.DURABLE));
                        store.commit(changes, (outcome, table) -> {});
                """,
                Step.MAIN_BAD,
                Step.WRITE_A);
        early.mutant.replace("VirtualDisk", "    RemapTable committedTable() {\n", """
                    private RemapTable ahead;

                    RemapTable committedTable() {
                        if (ahead != null) {
                            return ahead;
                        }
                """);
        return Stream.of(
                core(
                        "a start forgets which slots are in use",
                        "SlotAllocator",
                        "            if (Place.hasSlot(place) && Place.spare(place) == spare) {\n",
                        "            if (Place.hasSlot(place) && Place.spare(place) > spare) {\n",
                        Step.MAIN_BAD,
                        Step.WRITE_A,
                        Step.RESTART,
                        Step.WRITE_B),
                early,
                recordBeforeItsData(),
                metadata(
                        "the mask of a partial write is forgotten",
                        "Entry",
                        "block.put(at + ON_SLOT_AT, (byte) Place.onSlotMask(place));",
                        "block.put(at + ON_SLOT_AT, (byte) (Place.onSlotMask(place) == 0 ? 0 : 3));",
                        Step.MAIN_BAD,
                        Step.WRITE_PART),
                metadata(
                        "the mask of lost sectors is forgotten",
                        "Entry",
                        "block.put(at + LOST_AT, (byte) Place.lostMask(place));",
                        "block.put(at + LOST_AT, (byte) 0);",
                        Step.MAIN_REFUSES,
                        Step.WRITE_A,
                        Step.MAPPED_SLOT_BAD,
                        Step.WRITE_PART),
                metadata(
                        "a run is replayed as one unit",
                        "Entry",
                        "yield MapChange.set(unit, length, place(block, at, spare, slot));",
                        "yield MapChange.set(unit, 1, place(block, at, spare, slot));",
                        Step.MAIN_BAD,
                        Step.WRITE_BOTH));
    }

    /** The disk syncs the slots before it commits, and the store everything before it appends: either is enough. */
    private static Bug recordBeforeItsData() {
        Bug bug = core(
                "a record does not wait for its data",
                "SlotPlan",
                "        if (touchedSpares != 0) {\n",
                "        if (moves == null) {\n",
                Step.MAIN_BAD,
                Step.WRITE_A);
        bug.mutant.replace("TrackedDevice", "        long doubts = account.doubts();\n", """
                        if (account.ledger() == null && account.isFlushed()) {
                            return;
                        }
                        long doubts = account.doubts();
                """);
        return bug;
    }

    private static Stream<Bug> bugsOfTheLog() {
        return Stream.of(
                twoBlocks(metadata(
                        "the answer does not wait for the record",
                        "CommitLog",
                        "        if (failure == null) {\n            io.flush();\n        }\n        return failure;\n",
                        "        return failure;\n",
                        Step.MAIN_BAD,
                        Step.WRITE_A)),
                twoBlocks(metadata(
                        "a log block is written over the one before",
                        "CommitLog",
                        "        nextPosition = firstPosition + blocks;\n        previousCrc = crc;\n",
                        "        nextPosition = 0;\n        previousCrc = 0;\n",
                        Step.MAIN_BAD,
                        Step.WRITE_A,
                        Step.WRITE_B)),
                metadata(
                        "the generation of a log block is not checked",
                        "LogBlock",
                        "        return Block.claims(block, MAGIC, generation)\n",
                        "        return block.getLong(Block.MAGIC_AT) == MAGIC\n",
                        Step.MAP_ADD,
                        Step.MAP_REMOVE,
                        Step.WRITE_A,
                        Step.FLUSH),
                twoBlocks(metadata(
                        "an uncertain commit is not taken back",
                        "CommitLog",
                        "        io.flush();\n        checkpoint();\n        throw new NotCommitted(",
                        "        throw new NotCommitted(",
                        Step.LOG_BAD,
                        Step.MAP_ADD,
                        Step.WRITE_A,
                        Step.FLUSH)),
                metadata(
                        "nobody looks whether another server has the spare",
                        "CommitLog",
                        "        boolean seen = false;\n        DeviceException unreadable = null;\n",
                        """
                                boolean seen = false;
                                if (active >= 0) {
                                    return;
                                }
                                DeviceException unreadable = null;
                        """,
                        Step.MAIN_BAD,
                        Step.OTHER_SERVER,
                        Step.WRITE_A));
    }

    private static Bug twoBlocks(Bug bug) {
        return new Bug(bug.mutant, 2, bug.workload);
    }

    private static Stream<Bug> bugsOfTables() {
        Bug unlinked = metadata(
                "a table of another generation counts",
                "TableRecovery",
                "if (entries != header.entries() || (int) crc.getValue() != header.tableCrc()) {",
                "if (entries < 0) {",
                Step.MAIN_BAD,
                Step.WRITE_A,
                Step.WRITE_B,
                Step.RESTART);
        unlinked.mutant.replace(
                "TableBlock",
                "        return Block.claims(block, MAGIC, generation)\n",
                "        return block.getLong(Block.MAGIC_AT) == MAGIC\n");
        return Stream.of(
                unlinked,
                metadata(
                        "a new generation overwrites the one that it replaces",
                        "CommitLog",
                        "int other = 1 - active;",
                        "int other = active;",
                        Step.RESTART),
                metadata(
                        "a new generation is used before it is durable",
                        "Checkpoint",
                        "            io.flush();\n            DeviceException bad = verify",
                        "            DeviceException bad = verify",
                        Step.MAIN_BAD,
                        Step.WRITE_A,
                        Step.WRITE_B),
                metadata(
                        "a start does not make durable anew what it found",
                        "LogMetadataProvider",
                        "                holder.log().begin();\n",
                        "",
                        Step.MAIN_BAD,
                        Step.WRITE_A),
                metadata(
                        "what a power cut left unreadable in the log stays so",
                        "Checkpoint",
                        "            logPlaces.makeReadable(arena);\n",
                        "",
                        Step.EARLIER_CUTS,
                        Step.RESTART),
                metadata(
                        "a table that a power cut left unreadable is a doubt",
                        "TableRecovery",
                        "if (unreadableTable && !neverBegan) {",
                        "if (unreadableTable) {",
                        Step.MAIN_BAD,
                        Step.WRITE_A,
                        Step.RESTART),
                metadata(
                        "checksums are not checked",
                        "Block",
                        "        return block.getInt(CRC_AT) == sealOf(crcOfBody(block), offsetBytes);",
                        "        return block.getInt(CRC_AT) == sealOf(crcOfBody(block), offsetBytes) || offsetBytes > 0;",
                        Step.MAIN_BAD,
                        Step.WRITE_A,
                        Step.WRITE_B));
    }

    @BeforeAll
    static void begin() {
        CrashExplorerTest.silence();
        startedNanos = System.nanoTime();
    }

    @ParameterizedTest
    @MethodSource("bugs")
    void explorerFindsIt(Bug bug, @TempDir Path directory) throws Exception {
        SimProduct product = product(bug, directory);
        String violation = null;
        long states = 0;
        try {
            CrashExplorer explorer = new CrashExplorer(product, SEED, CARE);
            for (int length = 0; length <= bug.workload.size(); length++) {
                explorer.explore(bug.workload.subList(0, length), bug.logBlocks);
                states = explorer.states();
            }
        } catch (Violation e) {
            violation = e.getMessage();
        }
        note(bug.mutant.name(), violation, states);
    }

    private static void note(String bug, String violation, long states) {
        assertTrue(violation != null, bug + ": not found in " + states + " states");
        found.add(bug);
        System.out.println("seeded bug found: " + bug + ": " + violation);
    }

    /** No cut of the power has main be away: every failing operation does. */
    @ParameterizedTest
    @MethodSource("bugsOfTheSweep")
    void sweepFindsIt(Bug bug, @TempDir Path directory) throws Exception {
        FaultSweep sweep = new FaultSweep(product(bug, directory), SEED);
        String violation = null;
        long positions = 0;
        for (FaultSweep.Scenario scenario : sweep.scenarios()) {
            for (FaultSweep.Position position : sweep.positions(scenario)) {
                if (violation == null && position.fault() == SweptDevice.Fault.GONE) {
                    positions++;
                    violation = violationOf(sweep, position);
                }
            }
        }
        note(bug.mutant.name(), violation, positions);
    }

    private static String violationOf(FaultSweep sweep, FaultSweep.Position position) throws IOException {
        try {
            sweep.run(position);
            return null;
        } catch (Violation e) {
            return e.getMessage();
        }
    }

    static Stream<Bug> bugsOfTheSweep() {
        return Stream.of(core(
                "a move gives up what a main that is away does not answer for",
                "Relocation",
                "        if (succeeds(side, true, offset, () -> side.direct().read(offset, bytes(offset, (int) length)))) {\n",
                """
                        boolean isRead;
                        try {
                            isRead = succeeds(side, true, offset, () -> side.direct().read(offset, bytes(offset, (int) length)));
                        } catch (Failure | TryLater e) {
                            isRead = false;
                        }
                        if (isRead) {
                """));
    }

    @ParameterizedTest
    @MethodSource("bugsOfFormat")
    void formatExplorerFindsIt(Mutant mutant, @TempDir Path directory) throws Exception {
        String violation = null;
        FormatExplorer explorer = new FormatExplorer(metadataOf(mutant, directory), SEED);
        try {
            explorer.explore(false);
            explorer.explore(true);
        } catch (Violation e) {
            violation = e.getMessage();
        }
        note(mutant.name(), violation, explorer.states());
    }

    static Stream<Mutant> bugsOfFormat() {
        return Stream.of(
                new Mutant("a format leaves no marker", "remap-metadata", METADATA)
                        .replace(
                                "Formatter",
                                "        Identities.writeMarkers(io, uuid, layout.sizeBytes(), 2, 3);\n",
                                "")
                        .replace(
                                "Formatter",
                                "        Identities.writeMarkers(io, uuid, layout.sizeBytes(), 0, 1);\n",
                                ""),
                new Mutant("superblocks do not wait for the first generation", "remap-metadata", METADATA)
                        .replace("Formatter", "        checkpoint.write(arena(layout, 0), Tables.empty(layout));\n", "")
                        .replace("Formatter", "        publish(io, superblock);\n", """
                                        publish(io, superblock);
                                        checkpoint.write(arena(layout, 0), Tables.empty(layout));
                                """));
    }

    private static MetadataProvider metadataOf(Mutant mutant, Path directory) throws Exception {
        return (MetadataProvider) mutant.load("LogMetadataProvider", directory)
                .getDeclaredConstructor()
                .newInstance();
    }

    private static SimProduct product(Bug bug, Path directory) throws Exception {
        Mutant mutant = bug.mutant;
        Providers providers = Providers.load();
        FaultPolicy policy =
                providers.require(FaultPolicyProvider.class, "standard").open(Settings.defaults());
        if (mutant.packageName().equals(METADATA)) {
            SimulatedStack product = new SimulatedStack(metadataOf(mutant, directory), policy);
            return bug.product == Product.TWO_SPARES ? product.withTwoSpares() : product;
        }
        Constructor<?> constructor = mutant.loadWith(SimulatedStack.SEES_CORE, directory)
                .getDeclaredConstructor(MetadataProvider.class, FaultPolicy.class);
        Object product = constructor.newInstance(providers.require(MetadataProvider.class, "log"), policy);
        switch (bug.product) {
            case SEALED -> product.getClass().getMethod("sealing", long.class).invoke(product, 1L);
            case TWO_SPARES -> product.getClass().getMethod("withTwoSpares").invoke(product);
            case PLAIN -> {}
        }
        return (SimProduct) product;
    }

    @AfterAll
    static void summary() {
        long bugs = bugs().count() + bugsOfTheSweep().count() + bugsOfFormat().count();
        System.out.printf(
                Locale.ROOT,
                "suite: G2 seeded bugs: %d of %d found by the explorer and the sweep in %.1f s%n",
                found.size(),
                bugs,
                (System.nanoTime() - startedNanos) / 1e9);
        assertEquals(bugs, found.size());
        assertTrue(bugs >= LEAST_BUGS);
    }
}
