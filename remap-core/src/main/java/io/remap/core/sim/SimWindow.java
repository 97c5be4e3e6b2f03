package io.remap.core.sim;

import io.remap.api.Refusal;
import java.util.Locale;
import java.util.Optional;

/**
 * When a fault is in force: from one point of the life of the device on, until another. Points count from the open, so the
 * same operations meet the same faults each time.
 *
 * @param from the first moment of it; empty: from the beginning
 * @param until the first moment after it; empty: for good
 */
record SimWindow(Optional<Point> from, Optional<Point> until) {
    static final SimWindow ALWAYS = new SimWindow(Optional.empty(), Optional.empty());

    /** What is counted. */
    enum Unit {
        /** Operations of any kind, flushes too; the first one is 1. */
        IO,
        READ,
        /** Writes and zeroings. */
        WRITE,
        FLUSH,
        /** Milliseconds. */
        MS
    }

    /** The n-th operation, or a time: {@code read:100}, {@code ms:5000}. */
    record Point(Unit unit, long count) {
        static Point parse(String text) throws Refusal {
            int colon = text.indexOf(':');
            try {
                long count = Long.parseLong(text.substring(colon + 1));
                if (colon > 0 && count >= 0) {
                    return new Point(Unit.valueOf(text.substring(0, colon).toUpperCase(Locale.ROOT)), count);
                }
            } catch (IllegalArgumentException e) {
                // Refused below with what is expected.
            }
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "'" + text + "': expected io:N, read:N, write:N, flush:N or ms:N, for example read:100");
        }

        private boolean isReached(Moment now) {
            return switch (unit) {
                case IO -> now.operations >= count;
                case READ -> now.reads >= count;
                case WRITE -> now.writes >= count;
                case FLUSH -> now.flushes >= count;
                case MS -> now.millis >= count;
            };
        }

        @Override
        public String toString() {
            return unit.name().toLowerCase(Locale.ROOT) + ":" + count;
        }
    }

    /** How far the life of a device has come, the operation that is decided included. */
    record Moment(long operations, long reads, long writes, long flushes, long millis) {}

    boolean contains(Moment now) {
        boolean begun = from.isEmpty() || from.get().isReached(now);
        return begun && (until.isEmpty() || !until.get().isReached(now));
    }

    /** As a list of faults says it, with a blank in front; empty if always. */
    @Override
    public String toString() {
        return from.map(point -> " from=" + point).orElse("")
                + until.map(point -> " until=" + point).orElse("");
    }
}
