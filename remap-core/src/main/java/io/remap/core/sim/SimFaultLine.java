package io.remap.core.sim;

import io.remap.api.ByteSize;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.core.sim.SimFault.Argument;
import io.remap.core.sim.SimFault.Details;
import io.remap.core.sim.SimFault.Mode;
import java.util.Optional;

/**
 * Reads one line of a list of faults, already split into words: {@code START LENGTH MODE [ARGUMENT] [key=value…]}, or a
 * state of the whole device. Refusals say what was expected; whoever reads the list adds where it stands.
 */
final class SimFaultLine {
    private static final int MAX_MASK_BYTES = 8;
    private static final int RANGE_WORDS = 3;
    private static final String STATES = "expected down, gone, hangs, read-only, link-reset SECONDS, size BYTES,"
            + " identity SERIAL, flush-fails [COUNT], flush-lies or power-cut [SEED] from=POINT";

    private final long deviceBytes;
    private final int sectorBytes;

    /**
     * For the lines of a disk.
     *
     * @param deviceBytes ranges end there at the latest
     * @param sectorBytes ranges are multiples of this
     */
    SimFaultLine(long deviceBytes, int sectorBytes) {
        this.deviceBytes = deviceBytes;
        this.sectorBytes = sectorBytes;
    }

    /** For lines that were checked when they were written. */
    static SimFaultLine checkedBefore() {
        return new SimFaultLine(Long.MAX_VALUE, 1);
    }

    /** Whether these are the words of a state of the whole device. */
    static boolean isState(String[] words) {
        return SimState.Kind.of(words[0]).isPresent();
    }

    SimFault fault(String[] words) throws Refusal {
        Mode mode = words.length < RANGE_WORDS ? null : Mode.of(words[2]).orElse(null);
        if (mode == null) {
            throw expected();
        }
        long start = bytes(words[0]);
        long end = range(start, bytes(words[1]));
        int next = RANGE_WORDS;
        long argument = 0;
        boolean given = next < words.length && words[next].indexOf('=') < 0;
        if (mode.takes != Argument.NONE && (given || mode.takes != Argument.OPTIONAL_NUMBER)) {
            if (!given) {
                throw wrong(mode.word + " needs " + mode.takes.word);
            }
            argument = argument(mode, words[next++], end - start);
        }
        Details details = details(words, next);
        if (mode == Mode.TRANSIENT && argument == 0 && details.probability() == 1) {
            throw wrong("transient needs COUNT or p=P");
        }
        return new SimFault(start, end, mode, argument, details);
    }

    private static Refusal expected() {
        return wrong(
                "expected START LENGTH and one of read-bad-heals-on-write, read-and-write-bad, write-bad, relapses [IOS],"
                        + " transient COUNT, transient p=P, slow MILLISECONDS, slow-then-eio MILLISECONDS, hangs, corrupt-silent"
                        + " MASK, lost-write, misdirect TO, torn BYTES; or gone, or another state of the device");
    }

    private long range(long start, long length) throws Refusal {
        if (start % sectorBytes != 0 || length % sectorBytes != 0 || length == 0) {
            throw wrong("expected whole sectors of " + sectorBytes + " bytes, at least one");
        }
        if (start > deviceBytes || length > deviceBytes - start) {
            throw wrong("the range lies beyond the end of the disk of " + deviceBytes + " bytes");
        }
        return start + length;
    }

    private long argument(Mode mode, String word, long length) throws Refusal {
        switch (mode.takes) {
            case MASK -> {
                return mask(word);
            }
            case PLACE -> {
                long place = bytes(word);
                range(place, length);
                return place;
            }
            case LENGTH -> {
                long prefix = bytes(word);
                if (prefix % sectorBytes != 0) {
                    throw wrong("expected whole sectors of " + sectorBytes + " bytes after " + mode.word);
                }
                return prefix;
            }
            default -> {
                return positive(mode.word, word, mode.maxArgument);
            }
        }
    }

    private static long mask(String word) throws Refusal {
        String digits = word.startsWith("0x") ? word.substring(2) : word;
        if (!digits.matches("([0-9a-fA-F]{2}){1," + MAX_MASK_BYTES + "}")) {
            throw wrong("'" + word + "' is no mask: expected 1 to 8 bytes in hexadecimal, for example ff");
        }
        long mask = Long.parseUnsignedLong(digits, 16) << (Long.SIZE - 4 * digits.length());
        if (mask == 0) {
            throw wrong("a mask of zeros changes nothing");
        }
        return mask;
    }

    /** The mask as it is written: without the zeros at its end. */
    static String maskText(long mask) {
        return String.format("%016x", mask).replaceFirst("(00)+$", "");
    }

    private Details details(String[] words, int first) throws Refusal {
        int errno = Errno.EIO;
        long jitter = 0;
        double probability = 1;
        long failedWrites = 0;
        Optional<SimWindow.Point> from = Optional.empty();
        Optional<SimWindow.Point> until = Optional.empty();
        for (int i = first; i < words.length; i++) {
            int equals = words[i].indexOf('=');
            if (equals < 0) {
                throw expected();
            }
            String value = words[i].substring(equals + 1);
            switch (words[i].substring(0, equals)) {
                case "errno" -> errno = SimErrno.parse(value);
                case "jitter" -> jitter = Math.min(number(value, 10), Mode.SLOW.maxArgument);
                case "p" -> probability = probability(value);
                case "write-fails" -> failedWrites = number(value, 10);
                case "from" -> from = Optional.of(SimWindow.Point.parse(value));
                case "until" -> until = Optional.of(SimWindow.Point.parse(value));
                default ->
                    throw wrong("'" + words[i] + "': expected errno=, jitter=, p=, write-fails=, from= or until=");
            }
        }
        SimWindow window = from.isEmpty() && until.isEmpty() ? SimWindow.ALWAYS : new SimWindow(from, until);
        return new Details(errno, jitter, probability, failedWrites, window);
    }

    private static double probability(String word) throws Refusal {
        try {
            double probability = Double.parseDouble(word);
            if (probability > 0 && probability <= 1) {
                return probability;
            }
        } catch (NumberFormatException e) {
            // Refused below.
        }
        throw wrong("p=" + word + ": expected a probability above 0 and at most 1");
    }

    SimState state(String[] words) throws Refusal {
        SimState.Kind kind = SimState.Kind.of(words[0]).orElseThrow(() -> wrong("'" + words[0] + "': " + STATES));
        int next = 1;
        String argument = "";
        if (next < words.length && words[next].indexOf('=') < 0) {
            argument = words[next++];
        }
        Details details = details(words, next);
        boolean errnoGiven = String.join(" ", words).contains(" errno=");
        int errno = errnoGiven ? details.errno() : SimState.defaultErrno(words[0]);
        return switch (kind) {
            case LINK_RESET -> new SimState(kind, positive(words[0], argument), "", errno, details.window());
            case FLUSH_FAILS ->
                new SimState(kind, argument.isEmpty() ? 0 : positive(words[0], argument), "", errno, details.window());
            case SIZE -> {
                if (argument.isEmpty()) {
                    throw wrong("size needs BYTES");
                }
                long size = bytes(argument);
                range(0, size);
                yield new SimState(kind, size, "", errno, details.window());
            }
            case IDENTITY -> {
                if (!argument.matches("[A-Za-z0-9._-]{1,64}")) {
                    throw wrong("identity: expected a serial number of letters, digits, '.', '_' and '-'");
                }
                yield new SimState(kind, 0, argument, errno, details.window());
            }
            case POWER_CUT -> {
                if (details.window().from().isEmpty()) {
                    throw wrong("power-cut: expected from=POINT, for example from=write:100;"
                            + " 'remap sim power-cut' cuts the power at once");
                }
                long seed = argument.isEmpty() ? 0 : positive(words[0], argument);
                yield new SimState(kind, seed, "", errno, details.window());
            }
            case DOWN, HANGS, READ_ONLY, FLUSH_LIES -> {
                if (!argument.isEmpty()) {
                    throw wrong("'" + argument + "' after " + words[0] + ": " + STATES);
                }
                yield new SimState(kind, 0, "", errno, details.window());
            }
        };
    }

    private static long positive(String what, String word) throws Refusal {
        return positive(what, word, Mode.TRANSIENT.maxArgument);
    }

    private static long positive(String what, String word, long max) throws Refusal {
        try {
            long number = Long.parseLong(word);
            if (number >= 1 && number <= max) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Refused below with the word.
        }
        throw wrong(
                (word.isEmpty() ? "" : "'" + word + "': ") + "expected a number from 1 to " + max + " after " + what);
    }

    /** A number of bytes, or of sectors with the suffix {@code s}. */
    long bytes(String word) throws Refusal {
        if (word.startsWith("0x")) {
            return number(word.substring(2), 16);
        }
        if (word.endsWith("s")) {
            long sectors = number(word.substring(0, word.length() - 1), 10);
            if (sectors <= Long.MAX_VALUE / sectorBytes) {
                return sectors * sectorBytes;
            }
        }
        return ByteSize.parse(word);
    }

    static long number(String word, int radix) throws Refusal {
        try {
            long number = Long.parseLong(word, radix);
            if (number >= 0) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Refused below with the word.
        }
        throw wrong("'" + word + "' is no number that fits here");
    }

    private static Refusal wrong(String what) {
        return new Refusal(Refusal.Kind.USAGE, what);
    }
}
