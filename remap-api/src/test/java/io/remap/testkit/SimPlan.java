package io.remap.testkit;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;

/**
 * What a simulation does, drawn from its seed: each seed has a few kinds of trouble and none of the others, so that what
 * must not happen is known exactly.
 */
final class SimPlan {
    static final int UNIT_BYTES = 4096;
    static final int MAX_REQUEST_BYTES = 64 << 10;
    static final int MAX_MOVE_SECTORS = 64;
    private static final int ENOUGH_MEMORY_BYTES = 16 << 20;

    final int sectorBytes;
    final int units;
    final int slots;
    final int clients;
    final int operationsPerBoot;
    final int boots;
    final boolean mainFaults;
    final boolean spareFaults;
    final boolean spareTransients;
    final boolean vanishing;
    final boolean moves;
    final boolean storeTrouble;
    final boolean slow;
    /** Transfers hang for longer than a request may take, or nearly. */
    final boolean hangs;

    final boolean hostErrors;
    final boolean flushErrors;
    final boolean spareFlushErrors;
    /** A device may lose what was not flushed when a flush fails or it drops off. */
    final boolean losesCache;

    final long ledgerBytes;
    final boolean buffered;
    final boolean powerCuts;
    final boolean littleMemory;
    final long slownessNanos;
    final long hangNanos;
    final long returnPauseMillis;

    /** Main is left alone in areas that somebody names, and dies in others. */
    final boolean avoids;

    /** How long a spare is quiet until it is sealed, 0: never. */
    final long sealMillis;

    /** What stands in sealed slots changes by itself. */
    final boolean rots;

    /** A spare of few slots, which moves use up and give back. */
    final boolean reuses;

    /** Main gets another chance at what could not be read when that is written. */
    final boolean heals;

    /** Devices fail as a whole, and no sector ever does: nothing may be moved for that. */
    final boolean devicesOnly;

    SimPlan(RandomGenerator random, boolean devicesOnly) {
        this.devicesOnly = devicesOnly;
        sectorBytes = random.nextInt(4) == 0 ? 4096 : 512;
        units = 12 + random.nextInt(52);
        clients = 1 + random.nextInt(8);
        operationsPerBoot = 25 + random.nextInt(50);
        boots = 1 + random.nextInt(4);
        mainFaults = random.nextInt(5) != 0 && !devicesOnly;
        moves = random.nextInt(3) == 0 && !devicesOnly;
        vanishing = random.nextInt(5) == 0 || devicesOnly;
        spareFaults = mainFaults && random.nextInt(4) == 0;
        spareTransients = !spareFaults && random.nextInt(4) == 0 && !devicesOnly;
        storeTrouble = random.nextInt(6) == 0;
        slow = mainFaults && random.nextInt(7) == 0;
        hostErrors = random.nextInt(8) == 0;
        flushErrors = random.nextInt(4) == 0;
        // What a device or a page cache has forgotten goes to the spare when it is written again, rightly.
        losesCache = random.nextInt(3) != 0 && !devicesOnly;
        buffered = random.nextInt(4) == 0 && !devicesOnly;
        ledgerBytes = random.nextInt(3) == 0 ? 4 << 10 : 1 << 20;
        powerCuts = random.nextInt(3) == 0;
        littleMemory = random.nextInt(6) == 0;
        slownessNanos = TimeUnit.MILLISECONDS.toNanos(random.nextBoolean() ? 1_500 : 6_000);
        returnPauseMillis = random.nextInt(4) == 0 ? 0 : 1_000L << random.nextInt(5);
        spareFlushErrors = (mainFaults || moves) && random.nextInt(4) == 0;
        int drawnSlots = mainFaults && random.nextInt(6) == 0 ? 1 + random.nextInt(6) : 2 * units + 16;
        hangs = mainFaults && !littleMemory && random.nextInt(4) == 0;
        hangNanos = TimeUnit.MILLISECONDS.toNanos(
                List.of(3_000, 12_000, 30_000, 120_000).get(random.nextInt(4)));
        avoids = random.nextInt(4) == 0 && !devicesOnly;
        sealMillis = random.nextInt(3) == 0 ? 1L << random.nextInt(10) : 0;
        // What nobody can read, data or checksums, nobody can compare either.
        rots = sealMillis > 0 && random.nextInt(2) == 0 && !devicesOnly && !spareFaults;
        reuses = moves && !spareFaults && random.nextInt(3) == 0;
        slots = reuses ? 2 + random.nextInt(6) : drawnSlots;
        heals = mainFaults && random.nextInt(3) == 0;
    }

    int sizeBytes() {
        return units * UNIT_BYTES;
    }

    /** Memory for the buffers of all clients, and beyond them for little more than one request or move. */
    int memoryBytes() {
        int longest = Math.max(MAX_REQUEST_BYTES, moves ? MAX_MOVE_SECTORS * sectorBytes : 0);
        return littleMemory ? clients * MAX_REQUEST_BYTES + longest + 2 * sectorBytes : ENOUGH_MEMORY_BYTES;
    }

    /** Whether the spare may become full. */
    boolean tightSpare() {
        return slots < units;
    }

    @Override
    public String toString() {
        List<String> words = new ArrayList<>();
        words.add(units + " units of " + sectorBytes + "-byte sectors, " + slots + " slots, " + clients + " clients, "
                + boots + " boots");
        add(words, mainFaults, "faults on main");
        add(words, spareFaults, "faults on the spare");
        add(words, spareTransients, "transient faults on the spare");
        add(words, vanishing, "devices vanish");
        add(words, devicesOnly, "whole devices fail and nothing else");
        add(words, moves, "moves");
        add(words, avoids, "avoided and dead areas");
        add(words, sealMillis > 0, "sealed after " + sealMillis + " ms");
        add(words, rots, "rot");
        add(words, heals, "unreadable sectors are healed in place");
        add(words, storeTrouble, "store trouble");
        add(words, slow, "slow sectors, brought back after " + returnPauseMillis + " ms");
        add(words, hangs, "transfers that hang for " + TimeUnit.NANOSECONDS.toMillis(hangNanos) + " ms");
        add(words, hostErrors, "errors of the host");
        add(words, flushErrors, "flush errors");
        add(words, spareFlushErrors, "flush errors of the spare");
        add(words, buffered, "a page cache");
        add(words, losesCache, "a cache that is lost");
        add(words, ledgerBytes < 1 << 20, "a small ledger");
        add(words, powerCuts, "power cuts");
        add(words, littleMemory, "little memory");
        add(words, reuses, "slots that go from hand to hand");
        return String.join(", ", words);
    }

    private static void add(List<String> words, boolean is, String word) {
        if (is) {
            words.add(word);
        }
    }
}
