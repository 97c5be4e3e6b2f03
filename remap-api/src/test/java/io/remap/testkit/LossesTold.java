package io.remap.testkit;

/**
 * What a connection was told of acknowledged writes that the disk has lost: each loss is owed to its next flush. Counted as
 * the disk counts them, from its first request on.
 */
final class LossesTold {
    /** Answers come later than the disk gives them: what was lost between may have been told or not. */
    private final boolean late;

    private long told;
    private boolean mayBeOwed;
    private boolean answered;

    /**
     * @param losses so far
     * @param untold nobody was told of some of them: they may be owed to this one
     */
    LossesTold(long losses, boolean untold, boolean late) {
        this.told = losses;
        this.mayBeOwed = untold;
        this.late = late;
    }

    /** The first answer came: when the disk saw the first request is not known better than that. */
    void answered(long losses) {
        if (late && !answered && losses > told) {
            told = losses;
            mayBeOwed = true;
        }
        answered = true;
    }

    /** Whether there is something that a flush may fail for. */
    boolean owed(long losses) {
        return losses > told || mayBeOwed;
    }

    boolean knows(long losses) {
        return losses <= told;
    }

    /** A flush failed. */
    void told(long losses) {
        told = losses;
        mayBeOwed = late;
    }

    /** A FUA write failed, or a flush by its deadline; whether it was this that the error told of is not known. */
    void perhapsTold(long losses) {
        if (losses > told) {
            told = losses;
            mayBeOwed = true;
        }
    }
}
