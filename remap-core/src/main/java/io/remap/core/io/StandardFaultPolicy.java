package io.remap.core.io;

import io.remap.api.ErrorClass;
import io.remap.api.spi.FaultPolicy;

/**
 * A sector is blamed only for an error that can be a sector's, only while its device is alive, and after a few tries. A
 * shortage of the host is waited out, a few times. Everything else, and everything unknown, is the device's fault.
 */
final class StandardFaultPolicy implements FaultPolicy {
    private final long[] backoffMillis;
    private final int readAttempts;
    private final int writeAttempts;
    private final int hostAttempts;
    private final long holdOffMillis;
    private final long maxHoldOffMillis;
    private final Redirection redirection;
    private final Watching watching;
    private final Asking asking;
    private final Avoiding avoiding;

    /**
     * When a unit that reads is weak.
     *
     * @param errorThreshold errors that make it so
     * @param decayMillis after which their number halves
     */
    record Watching(int errorThreshold, long decayMillis) {}

    /**
     * When canaries are asked.
     *
     * @param roundsPerSecond of a device that is down, at most
     * @param regions with errors that have all of them asked
     */
    record Asking(int roundsPerSecond, int regions) {}

    /**
     * Areas in which main is left alone.
     *
     * @param units side by side that all fail are one, 0: none is by itself
     * @param slowMillis that each attempt there takes at least
     * @param retryMillis after which it is tried again
     * @param sparePercent of the slots that writes to them may take
     */
    record Avoiding(int units, long slowMillis, long retryMillis, int sparePercent) {}

    /**
     * What goes to the spare by itself.
     *
     * @param writes whether a write that main refuses does
     * @param weak whether sectors that are weak do
     * @param heals whether main gets another chance at sectors that could not be read
     * @param maxUnits with an entry in the map
     */
    record Redirection(boolean writes, boolean weak, boolean heals, long maxUnits) {}

    /** The values of the settings, already checked. */
    StandardFaultPolicy(
            long[] backoffMillis,
            int readAttempts,
            int writeAttempts,
            int hostAttempts,
            long holdOffMillis,
            long maxHoldOffMillis,
            Redirection redirection,
            Watching watching,
            Asking asking,
            Avoiding avoiding) {
        this.backoffMillis = backoffMillis.clone();
        this.readAttempts = readAttempts;
        this.writeAttempts = writeAttempts;
        this.hostAttempts = hostAttempts;
        this.holdOffMillis = holdOffMillis;
        this.maxHoldOffMillis = maxHoldOffMillis;
        this.redirection = redirection;
        this.watching = watching;
        this.asking = asking;
        this.avoiding = avoiding;
    }

    @Override
    public boolean redirectsWrites() {
        return redirection.writes();
    }

    @Override
    public boolean movesWeak() {
        return redirection.weak();
    }

    @Override
    public int errorThreshold() {
        return watching.errorThreshold();
    }

    @Override
    public long watchDecayMillis() {
        return watching.decayMillis();
    }

    @Override
    public int canaryRoundsPerSecond() {
        return asking.roundsPerSecond();
    }

    @Override
    public int spreadRegions() {
        return asking.regions();
    }

    @Override
    public int avoidUnits() {
        return avoiding.units();
    }

    @Override
    public long avoidSlowMillis() {
        return avoiding.slowMillis();
    }

    @Override
    public long avoidRetryMillis() {
        return avoiding.retryMillis();
    }

    @Override
    public int avoidSparePercent() {
        return avoiding.sparePercent();
    }

    @Override
    public boolean healsUnreadable() {
        return redirection.heals();
    }

    @Override
    public long maxRemappedUnits() {
        return redirection.maxUnits();
    }

    @Override
    public Verdict readFailed(ErrorClass errorClass, int attempts, boolean deviceAlive) {
        return failed(errorClass, attempts, readAttempts, deviceAlive);
    }

    @Override
    public Verdict writeFailed(ErrorClass errorClass, int attempts, boolean deviceAlive) {
        return failed(errorClass, attempts, writeAttempts, deviceAlive);
    }

    private Verdict failed(ErrorClass errorClass, int attempts, int sectorAttempts, boolean deviceAlive) {
        if (errorClass == ErrorClass.HOST) {
            return attempts < hostAttempts ? Verdict.RETRY : Verdict.BLAME_DEVICE;
        }
        if (!errorClass.mayBeSector() || !deviceAlive) {
            return Verdict.BLAME_DEVICE;
        }
        return attempts < sectorAttempts ? Verdict.RETRY : Verdict.BLAME_SECTORS;
    }

    @Override
    public long retryDelayMillis(int attempts) {
        // A sum of counters may have overflown: then many tries were made.
        int step = attempts < 0 ? Integer.MAX_VALUE : Math.max(0, attempts - 1);
        return backoffMillis[Math.min(step, backoffMillis.length - 1)];
    }

    @Override
    public long holdOffMillis(int failures) {
        long millis = Math.min(holdOffMillis, maxHoldOffMillis);
        for (int i = 1; i < failures && millis < maxHoldOffMillis && millis > 0; i++) {
            millis = Math.min(2 * millis, maxHoldOffMillis);
        }
        return millis;
    }
}
