package io.remap.core.sim;

import io.remap.api.Errno;
import java.util.Optional;

/**
 * A range of a simulated disk and how it fails: one line of a list of faults. Equal lines are the same fault.
 *
 * @param startBytes first byte, a multiple of the sector
 * @param endBytes byte after the last, a multiple of the sector
 * @param mode how it fails
 * @param argument what the mode says it is, otherwise 0
 * @param details what may be said besides
 */
record SimFault(long startBytes, long endBytes, Mode mode, long argument, Details details) {
    /** What follows the mode on a line. */
    enum Argument {
        NONE(""),
        /** A number of milliseconds from 1 to a maximum. */
        NUMBER("MILLISECONDS"),
        /** A number from 1 to a maximum; 0 if it is left away. */
        OPTIONAL_NUMBER("a number"),
        /** 1 to 8 bytes in hexadecimal, the first one highest in the argument. */
        MASK("MASK, 1 to 8 bytes in hexadecimal"),
        /** A byte of the disk where as much as the range has room. */
        PLACE("TO, a byte or sector of the disk"),
        /** Whole sectors, in bytes, none too. */
        LENGTH("BYTES");

        final String word;

        Argument(String word) {
            this.word = word;
        }
    }

    /** How sectors fail. */
    enum Mode {
        /** Reads give EIO until the sector is written: the drive has put another in its place then. */
        READ_BAD_HEALS_ON_WRITE("read-bad-heals-on-write", "unreadable-heals", Argument.NONE, 0),
        /** Reads and writes give EIO, for good. */
        READ_AND_WRITE_BAD("read-and-write-bad", "unreadable-hard", Argument.NONE, 0),
        /** Writes give EIO, reads work. */
        WRITE_BAD("write-bad", "write-bad", Argument.NONE, 0),
        /** As heals-on-write, but bad again as many I/Os of the disk later as the argument says; 0: 1 to 1,000 by the seed. */
        RELAPSES("relapses", "write-ok-read-bad", Argument.OPTIONAL_NUMBER, 1_000_000_000),
        /** The next reads that touch the range give EIO, as many as the argument says (0: no end); then it works. */
        TRANSIENT("transient", "transient", Argument.OPTIONAL_NUMBER, 1_000_000_000),
        /** Reads and writes take longer, by as many milliseconds as the argument says. */
        SLOW("slow", "slow", Argument.NUMBER, 3_600_000),
        /** Reads and writes take so long, and then give EIO. */
        SLOW_THEN_EIO("slow-then-eio", "slow-then-eio", Argument.NUMBER, 3_600_000),
        /** Reads and writes get no answer as long as the fault is there. */
        HANGS("hangs", "hang", Argument.NONE, 0),
        /** Reads give a content that differs from what was written, at the beginning of each sector. */
        CORRUPT_SILENT("corrupt-silent", "corrupt-silent", Argument.MASK, 0),
        /** Writes are acknowledged and not made. */
        LOST_WRITE("lost-write", "lost-write", Argument.NONE, 0),
        /** Writes are acknowledged and made at the place of the argument. */
        MISDIRECT("misdirect", "misdirect", Argument.PLACE, 0),
        /** Writes are acknowledged, and of each only so many bytes from where it meets the range are made. */
        TORN("torn", "torn", Argument.LENGTH, 0);

        final String word;
        /** The name in the literature; both are read, the first is written. */
        final String synonym;

        final Argument takes;
        /** Largest number, where it takes one. */
        final long maxArgument;

        Mode(String word, String synonym, Argument takes, long maxArgument) {
            this.word = word;
            this.synonym = synonym;
            this.takes = takes;
            this.maxArgument = maxArgument;
        }

        static Optional<Mode> of(String word) {
            for (Mode mode : values()) {
                if (mode.word.equals(word) || mode.synonym.equals(word)) {
                    return Optional.of(mode);
                }
            }
            return Optional.empty();
        }

        /** Whether a sector that fails so cannot be read for now, whoever asks and how often. */
        boolean isUnreadable() {
            return this == READ_BAD_HEALS_ON_WRITE
                    || this == READ_AND_WRITE_BAD
                    || this == RELAPSES
                    || this == SLOW_THEN_EIO;
        }

        /** Whether the medium fails, in its own unit; the others are mistakes of the drive about sectors. */
        boolean isOfMedium() {
            return switch (this) {
                case CORRUPT_SILENT, LOST_WRITE, MISDIRECT, TORN -> false;
                default -> true;
            };
        }
    }

    /**
     * What may follow the argument, as {@code key=value}.
     *
     * @param errno the error it gives
     * @param jitterMillis how much longer a slow transfer may take by chance
     * @param probability that a transient fault shows, each time
     * @param failedWrites how many writes fail before one heals
     * @param window when it is in force
     */
    record Details(int errno, long jitterMillis, double probability, long failedWrites, SimWindow window) {
        static final Details NONE = new Details(Errno.EIO, 0, 1, 0, SimWindow.ALWAYS);

        @Override
        public String toString() {
            return (errno == Errno.EIO ? "" : " errno=" + Errno.name(errno))
                    + (jitterMillis == 0 ? "" : " jitter=" + jitterMillis)
                    + (probability == 1 ? "" : " p=" + probability)
                    + (failedWrites == 0 ? "" : " write-fails=" + failedWrites)
                    + window;
        }
    }

    /** Nothing said besides. */
    SimFault(long startBytes, long endBytes, Mode mode, long argument) {
        this(startBytes, endBytes, mode, argument, Details.NONE);
    }

    /** As a list of faults says it. */
    @Override
    public String toString() {
        StringBuilder line = new StringBuilder();
        line.append(startBytes)
                .append(' ')
                .append(endBytes - startBytes)
                .append(' ')
                .append(mode.word);
        switch (mode.takes) {
            case NONE -> {}
            case MASK -> line.append(' ').append(SimFaultLine.maskText(argument));
            case OPTIONAL_NUMBER -> line.append(argument == 0 ? "" : " " + argument);
            case NUMBER, PLACE, LENGTH -> line.append(' ').append(argument);
        }
        return line.append(details).toString();
    }
}
