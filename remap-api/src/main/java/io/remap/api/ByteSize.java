package io.remap.api;

import java.util.Locale;

/** Byte counts as people write them: {@code 4096}, {@code 64M}, {@code 1.5G}; powers of 1024. */
public final class ByteSize {
    private static final String SUFFIXES = "KMGTPE";

    private ByteSize() {}

    /** Reads a byte count, with an optional suffix K, M, G, T, P or E (also KiB, MiB, …). */
    public static long parse(String text) throws Refusal {
        String trimmed = text.trim();
        String upper = trimmed.toUpperCase(Locale.ROOT);
        if (upper.endsWith("IB") && upper.length() > 2) {
            upper = upper.substring(0, upper.length() - 2);
        }
        int shift = 0;
        if (!upper.isEmpty() && SUFFIXES.indexOf(upper.charAt(upper.length() - 1)) >= 0) {
            shift = 10 * (SUFFIXES.indexOf(upper.charAt(upper.length() - 1)) + 1);
            upper = upper.substring(0, upper.length() - 1);
        }
        try {
            if (upper.indexOf('.') >= 0) {
                double value = Double.parseDouble(upper) * (1L << shift);
                if (value >= 0 && value <= Long.MAX_VALUE && value == Math.rint(value)) {
                    return (long) value;
                }
            } else {
                long value = Long.parseLong(upper);
                if (value >= 0 && value <= Long.MAX_VALUE >> shift) {
                    return value << shift;
                }
            }
        } catch (NumberFormatException e) {
            // Falls through to the refusal, which says more than the number parser does.
        }
        throw new Refusal(
                Refusal.Kind.USAGE, "'" + trimmed + "' is no byte count; expected for example 1048576, 64M or 2G");
    }

    /** Short form for people, for example {@code 64 MiB}; exact below 1 KiB and for whole units. */
    public static String format(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        int unit = Math.min(SUFFIXES.length(), (63 - Long.numberOfLeadingZeros(bytes)) / 10);
        double value = (double) bytes / (1L << (10 * unit));
        String number =
                value == Math.rint(value) ? Long.toString((long) value) : String.format(Locale.ROOT, "%.1f", value);
        return number + " " + SUFFIXES.charAt(unit - 1) + "iB";
    }
}
