package io.remap.core.sim;

import io.remap.api.Errno;
import java.util.Optional;

/**
 * A state of a simulated disk as a whole: one line of a list of faults without a range. Equal lines are the same state.
 *
 * @param kind what it is
 * @param argument seconds of {@link Kind#LINK_RESET}, bytes of {@link Kind#SIZE}, count of {@link Kind#FLUSH_FAILS} (0: all),
 *     seed of {@link Kind#POWER_CUT} (0: another one each time), otherwise 0
 * @param text serial number of {@link Kind#IDENTITY}, otherwise empty
 * @param errno the error of what fails
 * @param window when it is in force
 */
record SimState(Kind kind, long argument, String text, int errno, SimWindow window) {
    /** What can be the matter with a disk. */
    enum Kind {
        /** Everything fails. */
        DOWN("down"),
        /** Nothing is answered as long as this lasts. */
        HANGS("hangs"),
        /** Whatever changes data fails. */
        READ_ONLY("read-only"),
        /** Everything fails for so many seconds from the first moment on; then all is well. */
        LINK_RESET("link-reset"),
        /** The disk ends earlier than it did: what lies behind fails, and the next open sees that size. */
        SIZE("size"),
        /** Another disk is in the place of this one. */
        IDENTITY("identity"),
        /** The next flushes fail, as many as the argument says. */
        FLUSH_FAILS("flush-fails"),
        /** Flushes are acknowledged and make nothing durable: a power cut takes what was written. */
        FLUSH_LIES("flush-lies"),
        /** Before the first operation of the window what was not flushed is lost, or not, once. */
        POWER_CUT("power-cut");

        final String word;

        Kind(String word) {
            this.word = word;
        }

        static Optional<Kind> of(String word) {
            if (word.equals(GONE)) {
                return Optional.of(DOWN);
            }
            if (word.equals("hang")) {
                return Optional.of(HANGS);
            }
            for (Kind kind : values()) {
                if (kind.word.equals(word)) {
                    return Optional.of(kind);
                }
            }
            return Optional.empty();
        }
    }

    /** {@code down} with ENXIO. */
    static final String GONE = "gone";

    static int defaultErrno(String word) {
        if (word.equals(GONE)) {
            return Errno.ENXIO;
        }
        return switch (Kind.of(word).orElseThrow()) {
            case DOWN, IDENTITY -> Errno.ENODEV;
            case READ_ONLY -> Errno.EROFS;
            default -> Errno.EIO;
        };
    }

    /** As a list of faults says it. */
    @Override
    public String toString() {
        return kind.word
                + (argument == 0 ? "" : " " + argument)
                + (text.isEmpty() ? "" : " " + text)
                + (errno == defaultErrno(kind.word) ? "" : " errno=" + Errno.name(errno))
                + window;
    }
}
