package io.remap.core.sim;

/**
 * The chance of a simulated disk: numbers that depend on the seed, on who asks, and on how often he has asked, and on
 * nothing else. So what happens at one place does not depend on what happens at others.
 *
 * <p>SplitMix64 (Steele, Lea, Flood 2014) as a hash; its numbers never change, since tests are repeated by them.
 */
final class SimChance {
    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

    private final long seed;

    SimChance(long seed) {
        this.seed = seed;
    }

    /** A number from 0 to below 1: the {@code index}-th of this {@code stream}. */
    double draw(long stream, long index) {
        return (mix(mix(mix(seed) ^ stream) + index * GOLDEN_GAMMA) >>> 11) * 0x1.0p-53;
    }

    /** A whole number from {@code min} to {@code max}. */
    long draw(long stream, long index, long min, long max) {
        return min + (long) (draw(stream, index) * (max - min + 1));
    }

    private static long mix(long value) {
        long z = value + GOLDEN_GAMMA;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
