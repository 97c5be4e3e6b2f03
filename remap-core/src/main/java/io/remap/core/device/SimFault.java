package io.remap.core.device;

import java.util.Optional;

/**
 * A range of a simulated disk and how it fails: one line of a list of faults. Equal lines are the same fault.
 *
 * @param startBytes first byte, a multiple of the sector
 * @param endBytes byte after the last, a multiple of the sector
 * @param mode how it fails
 * @param argument count of {@link Mode#TRANSIENT}, milliseconds of {@link Mode#SLOW}, otherwise 0
 */
record SimFault(long startBytes, long endBytes, Mode mode, long argument) {
    /** How sectors fail. */
    enum Mode {
        /** Reads give EIO until the sector is written: the drive has put another in its place then. */
        READ_BAD_HEALS_ON_WRITE("read-bad-heals-on-write", 0),
        /** Reads and writes give EIO, for good. */
        READ_AND_WRITE_BAD("read-and-write-bad", 0),
        /** Writes give EIO, reads work. */
        WRITE_BAD("write-bad", 0),
        /** The next reads that touch the range give EIO, as many as the argument says; then it works. */
        TRANSIENT("transient", 1_000_000_000),
        /** Reads and writes take longer, by as many milliseconds as the argument says. */
        SLOW("slow", 3_600_000);

        final String word;
        /** Largest argument, 0 if it takes none. */
        final long maxArgument;

        Mode(String word, long maxArgument) {
            this.word = word;
            this.maxArgument = maxArgument;
        }

        static Optional<Mode> of(String word) {
            for (Mode mode : values()) {
                if (mode.word.equals(word)) {
                    return Optional.of(mode);
                }
            }
            return Optional.empty();
        }
    }

    boolean failsWrites() {
        return mode == Mode.READ_AND_WRITE_BAD || mode == Mode.WRITE_BAD;
    }

    /** As a list of faults says it. */
    @Override
    public String toString() {
        String line = startBytes + " " + (endBytes - startBytes) + " " + mode.word;
        return mode.maxArgument == 0 ? line : line + " " + argument;
    }
}
