package io.remap.core.sim;

import io.remap.api.Refusal;
import io.remap.core.sim.SimFault.Mode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Random;
import java.util.TreeMap;

/**
 * Makes faults from a seed: exactly so many bad sectors, in clusters spread over the disk. The same seed, numbers and size
 * give the same faults in every version, since the state of a disk refers to them; so the generator is
 * {@link Random}, whose numbers are specified.
 */
final class SimFaultSeed {
    static final long MAX_BAD_SECTORS = 1_000_000;
    static final int MAX_CLUSTER_SECTORS = 100_000;

    /** Beyond a quarter of the disk there is no finding a free place by chance. */
    private static final int MAX_SHARE = 4;

    private static final int MAX_TRIES = 10_000;

    private SimFaultSeed() {}

    /**
     * Makes them, disjoint and ascending.
     *
     * @param badSectors how many sectors fail in all
     * @param clusterSectors mean length of a cluster
     * @throws Refusal if the disk has no room for them
     */
    static List<SimFault> faults(
            String device, long seed, long badSectors, int clusterSectors, long deviceBytes, int sectorBytes, Mode mode)
            throws Refusal {
        long sectors = deviceBytes / sectorBytes;
        if (badSectors > sectors / MAX_SHARE) {
            throw noRoom(device, badSectors, sectors);
        }
        Random random = new Random(seed);
        NavigableMap<Long, Long> endByStart = new TreeMap<>();
        for (long left = badSectors; left > 0; ) {
            // One to twice the mean less one, so that the mean is what was asked for.
            long length = Math.min(left, 1 + random.nextInt(2 * clusterSectors - 1));
            int tries = 0;
            long start;
            do {
                if (++tries > MAX_TRIES) {
                    throw noRoom(device, badSectors, sectors);
                }
                start = Math.floorMod(random.nextLong(), sectors - length + 1);
            } while (!isFree(endByStart, start, start + length));
            endByStart.put(start, start + length);
            left -= length;
        }
        List<SimFault> faults = new ArrayList<>();
        endByStart.forEach((start, end) -> faults.add(new SimFault(start * sectorBytes, end * sectorBytes, mode, 0)));
        return faults;
    }

    /** Whether a cluster fits without touching another one. */
    private static boolean isFree(NavigableMap<Long, Long> endByStart, long start, long end) {
        Map.Entry<Long, Long> before = endByStart.floorEntry(end);
        return before == null || before.getValue() < start;
    }

    private static Refusal noRoom(String device, long badSectors, long sectors) {
        return new Refusal(
                Refusal.Kind.USAGE,
                device + ": " + badSectors + " bad sectors in such clusters do not fit well into " + sectors
                        + " sectors: take fewer, or a larger disk");
    }
}
