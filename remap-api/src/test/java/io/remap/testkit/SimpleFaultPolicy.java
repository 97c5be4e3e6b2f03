package io.remap.testkit;

import io.remap.api.ErrorClass;
import io.remap.api.spi.FaultPolicy;

/** Three tries, then the sectors are to blame if the device lives; a host that is short of something is tried again. */
public final class SimpleFaultPolicy implements FaultPolicy {
    private static final int TRIES = 3;

    private final int avoidUnits;
    private final boolean heals;

    /** No area is avoided by itself, and nothing is healed in place. */
    public SimpleFaultPolicy() {
        this(0, false);
    }

    /**
     * @param avoidUnits side by side that all fail, however fast, are avoided
     * @param heals as {@link #healsUnreadable}
     */
    public SimpleFaultPolicy(int avoidUnits, boolean heals) {
        this.avoidUnits = avoidUnits;
        this.heals = heals;
    }

    @Override
    public boolean healsUnreadable() {
        return heals;
    }

    @Override
    public int avoidUnits() {
        return avoidUnits;
    }

    @Override
    public long avoidSlowMillis() {
        return 0;
    }

    @Override
    public long avoidRetryMillis() {
        return 10_000;
    }

    @Override
    public int avoidSparePercent() {
        return 100;
    }

    @Override
    public Verdict readFailed(ErrorClass errorClass, int attempts, boolean deviceAlive) {
        if (errorClass == ErrorClass.HOST) {
            return Verdict.RETRY;
        }
        if (!errorClass.mayBeSector() || !deviceAlive) {
            return Verdict.BLAME_DEVICE;
        }
        return attempts < TRIES ? Verdict.RETRY : Verdict.BLAME_SECTORS;
    }

    @Override
    public Verdict writeFailed(ErrorClass errorClass, int attempts, boolean deviceAlive) {
        return readFailed(errorClass, attempts, deviceAlive);
    }

    @Override
    public long retryDelayMillis(int attempts) {
        if (attempts < 0) {
            throw new IllegalArgumentException("attempts " + attempts);
        }
        return Math.min(1000, 10L * attempts);
    }

    @Override
    public long holdOffMillis(int failures) {
        return 60_000L << Math.min(failures - 1, 10);
    }
}
