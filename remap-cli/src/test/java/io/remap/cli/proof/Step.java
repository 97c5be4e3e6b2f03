package io.remap.cli.proof;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * What a workload is made of. It plays with two units of the disk that lie side by side, a and b; a scratch on main runs
 * over the last sector of a and the first of b. See {@link Life} for what each does.
 */
enum Step {
    WRITE_A,
    WRITE_B,
    /** The last sector of a: the one that the scratch hits. */
    WRITE_PART,
    FLUSH,
    /** The scratch neither reads nor takes writes. */
    MAIN_BAD,
    /** So with the slot that would be used next. */
    NEXT_SLOT_BAD,
    /** So with the slot of a, or else of b. */
    MAPPED_SLOT_BAD,

    /** The scratch takes no writes, and reads as before: with the content that is out of date soon. */
    MAIN_REFUSES,
    /** One request over both units. */
    WRITE_BOTH,
    /** Two requests at once, one for each unit. */
    WRITE_AT_ONCE,
    /** Unit b, forced to the medium. */
    WRITE_FUA,
    ZERO_A,
    TRIM_A,
    /** Everything, sector by sector, checked at once. */
    READ,
    /** Unit a moves to the spare, with what can be read of it. */
    MAP_ADD,
    /** Unit a moves back to main. */
    MAP_REMOVE,
    /** A clean stop, and a start. */
    RESTART,
    /** The log block of a first commit in one copy of each arena takes no writes. */
    LOG_BAD,
    /** The first header place in one copy of each arena takes no writes. */
    HEADER_BAD,
    /**
     * In the arena where the next generation will be, the first places of the log cannot be read in one copy until they are
     * written: of power cuts before the last start.
     */
    EARLIER_CUTS,
    /** Main refuses two writes, and takes all later ones. */
    MAIN_FAILS_TWICE,
    MAIN_FLUSH_FAILS,
    SPARE_FLUSH_FAILS,
    /** Of the flushes of the spare the second fails: of a commit, that of its record. */
    COMMIT_FLUSH_FAILS,
    /** Somebody else opens the spare meanwhile. */
    OTHER_SERVER,
    /** Of two spares the first one answers nothing any more, until the power has been away. */
    FIRST_SPARE_DIES;

    /** Those of goal G1: all workloads of up to four of them are tried. */
    static final Set<Step> BASE = EnumSet.range(WRITE_A, MAPPED_SLOT_BAD);

    /** Those with one spare. */
    static final Set<Step> OF_ONE_SPARE = EnumSet.complementOf(EnumSet.of(FIRST_SPARE_DIES));

    /** Those that make writes go elsewhere. */
    static final Set<Step> MAIN_TAKES_NO_WRITES = EnumSet.of(MAIN_BAD, MAIN_REFUSES, MAIN_FAILS_TWICE);

    /** A device forgets some of what it has acknowledged, and says so once. */
    static final Set<Step> FLUSH_FAILURES = EnumSet.range(MAIN_FLUSH_FAILS, COMMIT_FLUSH_FAILS);

    static String text(List<Step> workload) {
        return String.join(",", workload.stream().map(Step::name).toList());
    }
}
