package io.remap.cli.proof;

import io.remap.api.Refusal;
import io.remap.cli.proof.SweptDevice.Fault;
import io.remap.cli.proof.SweptDevice.Lasting;
import io.remap.cli.proof.SweptDevice.Plan;
import io.remap.cli.proof.SweptLife.Act;
import io.remap.cli.proof.SweptLife.Beginning;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import io.remap.testkit.SimProduct;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * Lets every operation of every scenario fail in every way that fits it. A scenario is a beginning and a few acts; which
 * operations it makes of the devices is found by living it once without a fault. One thread.
 */
final class FaultSweep {
    private static final List<List<Act>> WORKLOADS = List.of(
            List.of(Act.START),
            List.of(Act.READ),
            List.of(Act.WRITE_A, Act.FLUSH),
            List.of(Act.WRITE_PART),
            List.of(Act.WRITE_BIT, Act.FLUSH),
            List.of(Act.WRITE_TWO),
            List.of(Act.WRITE_FUA),
            List.of(Act.ZERO_A),
            List.of(Act.TRIM_A, Act.FLUSH),
            List.of(Act.MAP_ADD),
            List.of(Act.MAP_REMOVE),
            List.of(Act.STOP),
            List.of(Act.MAIN_BAD, Act.WRITE_A, Act.FLUSH),
            List.of(Act.MAIN_BAD, Act.WRITE_PART, Act.READ),
            List.of(Act.MAIN_BAD, Act.ZERO_A),
            List.of(Act.MAIN_REFUSES, Act.WRITE_TWO),
            List.of(Act.MAIN_REFUSES, Act.WRITE_BIT, Act.STOP),
            List.of(Act.MAP_ADD, Act.WRITE_A, Act.MAP_REMOVE));

    private static final int BUFFER_REFUSALS = 3;

    /** Where a fault is. */
    enum Where {
        MAIN,
        SPARE,
        BUFFERS
    }

    /** A beginning, and what is done then. */
    record Scenario(Beginning beginning, List<Act> acts) {
        @Override
        public String toString() {
            return beginning.name() + ":"
                    + String.join(",", acts.stream().map(Act::name).toList());
        }
    }

    /**
     * One fault of one scenario.
     *
     * @param fault {@code null}: of buffers, which are refused
     */
    record Position(Scenario scenario, Where where, long number, Fault fault, Lasting lasting) {
        @Override
        public String toString() {
            return scenario + "/" + where + "/" + number + "/" + fault + "/" + lasting;
        }

        private Plan plan() {
            return new Plan(number, fault, lasting);
        }
    }

    private final CrashStack.Parts parts;
    private final SweptPool pool;
    private final long seed;
    private long met;
    private long failed;

    FaultSweep(SimProduct product, long seed) throws Refusal {
        CrashStack.Parts whole = CrashStack.Parts.of(product);
        this.pool = new SweptPool(whole.pool());
        this.parts = new CrashStack.Parts(product, whole.engine(), pool, whole.buffers());
        this.seed = seed;
    }

    /** Operations that met their fault. */
    long met() {
        return met;
    }

    /** Requests, starts, stops and formats that failed. */
    long failed() {
        return failed;
    }

    List<Scenario> scenarios() throws IOException {
        List<Scenario> scenarios = new ArrayList<>();
        for (Beginning beginning : beginnings()) {
            WORKLOADS.forEach(acts -> scenarios.add(new Scenario(beginning, acts)));
        }
        Life.Beginning fresh = Life.Beginning.of(parts, 2, seed);
        Seen untouched = new Seen(Collections.nCopies(CrashStack.MAIN_BYTES / CrashStack.SECTOR_BYTES, 1L << 1));
        CrashDevice blank = new CrashDevice("spare", CrashStack.SPARE_BYTES, CrashStack.SECTOR_BYTES);
        for (CrashDevice spare : List.of(fresh.spare(), blank)) {
            String name = spare == blank ? "BLANK" : "FRESH";
            scenarios.add(new Scenario(new Beginning(name, fresh.main(), spare, untouched), List.of(Act.FORMAT)));
            scenarios.add(
                    new Scenario(new Beginning(name, fresh.main(), spare, untouched), List.of(Act.FORMAT, Act.START)));
        }
        return scenarios;
    }

    /** Every state that a unit can be in, after a clean stop and after a death, with room in the log and without. */
    private List<Beginning> beginnings() throws IOException {
        List<Beginning> beginnings = new ArrayList<>();
        beginnings.add(beginning("FRESH", 2));
        beginnings.add(beginning("USED", 2, Act.START, Act.WRITE_TWO, Act.STOP));
        beginnings.add(beginning("MAPPED", 2, Act.START, Act.MAP_ADD, Act.WRITE_A, Act.STOP));
        beginnings.add(beginning("MAPPED_LOG_FULL", 1, Act.START, Act.MAP_ADD, Act.WRITE_A));
        beginnings.add(beginning("PARTLY", 2, Act.START, Act.MAIN_BAD, Act.WRITE_PART, Act.STOP));
        beginnings.add(beginning("PARTLY_DIED", 3, Act.START, Act.MAIN_BAD, Act.WRITE_PART, Act.WRITE_A));
        beginnings.add(beginning("LOST", 2, Act.START, Act.MAIN_BAD, Act.MAP_ADD, Act.STOP));
        beginnings.add(beginning("ZERO", 2, Act.START, Act.MAIN_BAD, Act.ZERO_A, Act.STOP));
        return beginnings;
    }

    /** The devices as they are afterwards, the medium healed; everything is durable. */
    private Beginning beginning(String name, int logBlocks, Act... acts) throws IOException {
        Life.Beginning fresh = Life.Beginning.of(parts, logBlocks, seed);
        Seen untouched = new Seen(Collections.nCopies(CrashStack.MAIN_BYTES / CrashStack.SECTOR_BYTES, 1L << 1));
        SweptLife life = new SweptLife(parts, pool, new Beginning(name, fresh.main(), fresh.spare(), untouched), seed);
        for (Act act : acts) {
            life.perform(act);
        }
        CrashDevice main = life.stack().main.crashKeeping(i -> true);
        CrashDevice spare = life.stack().spare.crashKeeping(i -> true);
        CrashStack reader = new CrashStack(parts, main.copy(), spare.copy(), seed);
        reader.start();
        return new Beginning(name, main, spare, Seen.of(reader, life.lastStamp()));
    }

    /** All faults of a scenario. */
    List<Position> positions(Scenario scenario) throws IOException {
        SweptLife life = live(scenario, null);
        List<Position> positions = new ArrayList<>();
        add(positions, scenario, Where.MAIN, life.main().operations());
        add(positions, scenario, Where.SPARE, life.spare().operations());
        for (long number = 0; number < pool.acquisitions(); number++) {
            positions.add(new Position(scenario, Where.BUFFERS, number, null, Lasting.ONCE));
            positions.add(new Position(scenario, Where.BUFFERS, number, null, Lasting.FROM_THEN_ON));
        }
        life.end(seed);
        return positions;
    }

    private static void add(List<Position> positions, Scenario scenario, Where where, List<Operation> operations) {
        for (int number = 0; number < operations.size(); number++) {
            for (Fault fault : Fault.values()) {
                for (Lasting lasting : Lasting.values()) {
                    if (fault.fits(operations.get(number)) && lasting.fits(fault)) {
                        positions.add(new Position(scenario, where, number, fault, lasting));
                    }
                }
            }
        }
    }

    /** Lives the scenario with the faults, all of them of the same scenario. */
    void run(Position... positions) throws IOException {
        try {
            SweptLife life = live(positions[0].scenario(), positions);
            long sum = Arrays.hashCode(
                    Arrays.stream(positions).map(Position::toString).toArray());
            life.end(seed + sum);
            met += life.met();
            failed += life.failed();
        } catch (AssertionError | RuntimeException e) {
            String which = String.join(
                    "+", Arrays.stream(positions).map(Position::toString).toList());
            throw new Violation(which + ": " + e.getMessage() + "\nreplay: -Dremap.position=" + which, e);
        }
    }

    /** Up to the end of the acts. */
    private SweptLife live(Scenario scenario, Position[] positions) throws IOException {
        pool.disarm();
        SweptLife life = new SweptLife(parts, pool, scenario.beginning(), seed);
        boolean begins = scenario.acts().get(0) == Act.START || scenario.acts().get(0) == Act.FORMAT;
        if (!begins) {
            life.perform(Act.START);
        }
        life.main().arm(planAt(positions, Where.MAIN));
        life.spare().arm(planAt(positions, Where.SPARE));
        pool.arm(Long.MAX_VALUE, 0);
        for (int i = 0; positions != null && i < positions.length; i++) {
            if (positions[i].where() == Where.BUFFERS) {
                pool.arm(positions[i].number(), positions[i].lasting() == Lasting.ONCE ? 1 : BUFFER_REFUSALS);
            }
        }
        for (Act act : scenario.acts()) {
            life.perform(act);
        }
        return life;
    }

    private static Plan planAt(Position[] positions, Where where) {
        for (int i = 0; positions != null && i < positions.length; i++) {
            if (positions[i].where() == where) {
                return positions[i].plan();
            }
        }
        return null;
    }

    /** Two faults of one scenario, at different places. */
    static Position[] pair(List<Position> ofOneScenario, Random random) {
        Position first = ofOneScenario.get(random.nextInt(ofOneScenario.size()));
        Position second = ofOneScenario.get(random.nextInt(ofOneScenario.size()));
        return first.where() == second.where() ? new Position[] {first} : new Position[] {first, second};
    }
}
