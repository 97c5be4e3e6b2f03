package io.remap.core.sim;

import io.remap.api.Refusal;
import io.remap.core.device.RangeSet;
import io.remap.core.sim.SimFault.Details;
import io.remap.core.sim.SimFault.Mode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/**
 * Makes bad sectors as they were measured on disks in the field, from a seed: runs of blocks of 4 KiB whose length follows
 * Pareto's law, the next run within 10 MB of the last one with a probability of 0.55, and of a burst a share of 40 to 80 %
 * within a minute.
 *
 * <p>Sources: Bairavasundaram et al., SIGMETRICS 2007 (distance, time) and FAST 2008 (runs); Schroeder et al., FAST 2010 (the
 * law). The exponent gives a mean run of 3.4 blocks, the longest run being 10,000.
 */
final class SimBursts {
    static final int BLOCK_BYTES = 4096;
    static final double EXPONENT = 1.34;
    static final int MAX_RUN_BLOCKS = 10_000;

    private static final double NEAR_PROBABILITY = 0.55;
    private static final long NEAR_BYTES = 10_000_000;
    private static final double MIN_PROMPT_SHARE = 0.4;
    private static final double MAX_PROMPT_SHARE = 0.8;
    private static final long PROMPT_MILLIS = 60_000;
    private static final int MAX_SHARE = 4;
    private static final int MAX_TRIES = 10_000;

    private final Random random;
    private final long blocks;
    private final Mode mode;
    private final long overMillis;
    private final RangeSet taken = new RangeSet();

    private long burstMillis;
    private double promptShare;

    private SimBursts(long seed, long blocks, Mode mode, long overMillis) {
        this.random = new Random(seed);
        this.blocks = blocks;
        this.mode = mode;
        this.overMillis = overMillis;
    }

    /**
     * Makes them, disjoint and ascending; the last run is as long as what is left of the count.
     *
     * @param badBytes how much fails in all, rounded up to blocks
     * @param overMillis time from the open in which they come, 0: all are there from the beginning
     */
    static List<SimFault> faults(long seed, long badBytes, long deviceBytes, Mode mode, long overMillis)
            throws Refusal {
        long blocks = deviceBytes / BLOCK_BYTES;
        long wanted = (badBytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
        if (wanted > blocks / MAX_SHARE) {
            throw noRoom(wanted, blocks);
        }
        return new SimBursts(seed, blocks, mode, overMillis).make(wanted);
    }

    private List<SimFault> make(long wanted) throws Refusal {
        List<SimFault> faults = new ArrayList<>();
        long last = -1;
        for (long left = wanted; left > 0; ) {
            long length = Math.min(left, runBlocks(random.nextDouble()));
            boolean near = last >= 0 && random.nextDouble() < NEAR_PROBABILITY;
            long start = place(near ? last : -1, length);
            if (!near) {
                burstMillis = (long) (random.nextDouble() * overMillis);
                promptShare = MIN_PROMPT_SHARE + random.nextDouble() * (MAX_PROMPT_SHARE - MIN_PROMPT_SHARE);
            }
            taken.add(start, start + length);
            faults.add(fault(start, start + length, near));
            last = start;
            left -= length;
        }
        faults.sort(Comparator.comparingLong(SimFault::startBytes));
        return faults;
    }

    /** The length of a run, from a number from 0 to below 1. */
    static long runBlocks(double uniform) {
        return Math.min(MAX_RUN_BLOCKS, (long) Math.pow(1 - uniform, -1 / EXPONENT));
    }

    private long place(long near, long length) throws Refusal {
        long reach = NEAR_BYTES / BLOCK_BYTES;
        for (int tries = 0; tries < MAX_TRIES; tries++) {
            // A neighbourhood that is full is left after a while.
            boolean anywhere = near < 0 || tries > MAX_TRIES / 2;
            long from = anywhere ? 0 : Math.max(0, near - reach);
            long to = Math.min(blocks - length, anywhere ? blocks : near + reach);
            long start = from + (long) (random.nextDouble() * (to - from + 1));
            // Not touching either, so that a run is as long as it was drawn.
            if (start <= to && taken.firstInside(Math.max(0, start - 1), start + length + 1) == start + length + 1) {
                return start;
            }
        }
        throw noRoom(length, blocks);
    }

    private SimFault fault(long startBlock, long endBlock, boolean follows) {
        Details details = Details.NONE;
        if (overMillis > 0) {
            long begins = burstMillis;
            if (follows) {
                boolean prompt = random.nextDouble() < promptShare;
                begins += (long) (random.nextDouble() * (prompt ? PROMPT_MILLIS : Math.max(PROMPT_MILLIS, overMillis)));
            }
            SimWindow window = new SimWindow(
                    Optional.of(new SimWindow.Point(SimWindow.Unit.MS, Math.min(begins, overMillis))),
                    Optional.empty());
            details = new Details(details.errno(), 0, details.probability(), 0, window);
        }
        return new SimFault(startBlock * BLOCK_BYTES, endBlock * BLOCK_BYTES, mode, 0, details);
    }

    private static Refusal noRoom(long wanted, long blocks) {
        return new Refusal(
                Refusal.Kind.USAGE,
                wanted + " bad blocks in bursts do not fit well into " + blocks + ": take fewer, or a larger disk");
    }
}
