package io.remap.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Prints for people: tables, and colours where they are wanted.
 *
 * <p>Colours only on a terminal, and not with {@code NO_COLOR} in the environment (see no-color.org) or on a dumb one.
 * Characters beyond ASCII only where the user's locale has them.
 */
final class Terminal {
    private static final String RESET = "\u001b[0m";
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss", Locale.ROOT).withZone(ZoneId.systemDefault());

    /** What a text means. */
    enum Tone {
        GOOD("\u001b[32m"),
        WARNING("\u001b[33m"),
        BAD("\u001b[31m"),
        QUIET("\u001b[2m"),
        HEADING("\u001b[1m");

        private final String code;

        Tone(String code) {
            this.code = code;
        }
    }

    private final PrintWriter out;
    private final boolean colours;
    private final boolean unicode;

    private Terminal(PrintWriter out, boolean colours, boolean unicode) {
        this.out = out;
        this.colours = colours;
        this.unicode = unicode;
    }

    static Terminal of(PrintWriter out, boolean isTerminal, Map<String, String> environment) {
        boolean plain = !environment.getOrDefault("NO_COLOR", "").isEmpty()
                || environment.getOrDefault("TERM", "dumb").equals("dumb");
        // The launcher sets LC_ALL for the Java runtime, so what the user's terminal takes is in the others.
        String locale = environment.getOrDefault("LC_CTYPE", environment.getOrDefault("LANG", ""));
        return new Terminal(
                out, isTerminal && !plain, locale.toUpperCase(Locale.ROOT).contains("UTF"));
    }

    /** Whether standard output goes to a terminal. The console of Java tells this of input and output together only. */
    static boolean isStandardOutputOne() {
        return isTerminal(1);
    }

    /** Whether a descriptor of this process is one. */
    static boolean isTerminal(int descriptor) {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor))
                    .toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException e) {
            return false;
        }
    }

    /** A moment, in the zone of this host. */
    static String time(long wallMillis) {
        return TIME.format(Instant.ofEpochMilli(wallMillis));
    }

    boolean colours() {
        return colours;
    }

    boolean unicode() {
        return unicode;
    }

    String tone(Tone tone, String text) {
        return colours ? tone.code + text + RESET : text;
    }

    void line(String text) {
        out.println(text);
    }

    void heading(String text) {
        out.println(tone(Tone.HEADING, text));
    }

    /** Columns as wide as they need be, two blanks between them; the first row is the heading. */
    void table(List<List<String>> rows) {
        List<Integer> widths = new ArrayList<>();
        for (List<String> row : rows) {
            for (int column = 0; column < row.size(); column++) {
                int length = row.get(column).length();
                if (column == widths.size()) {
                    widths.add(length);
                } else {
                    widths.set(column, Math.max(widths.get(column), length));
                }
            }
        }
        for (int index = 0; index < rows.size(); index++) {
            StringBuilder text = new StringBuilder();
            List<String> row = rows.get(index);
            for (int column = 0; column < row.size(); column++) {
                String cell = row.get(column);
                text.append(cell);
                if (column + 1 < row.size()) {
                    text.append(" ".repeat(widths.get(column) - cell.length() + 2));
                }
            }
            String shown = text.toString().stripTrailing();
            out.println(index == 0 ? tone(Tone.HEADING, shown) : shown);
        }
    }

    /** Names and values, the values in one column. */
    void facts(String indent, List<List<String>> facts) {
        int width = facts.stream().mapToInt(fact -> fact.get(0).length()).max().orElse(0);
        for (List<String> fact : facts) {
            out.println(indent + fact.get(0) + " ".repeat(width - fact.get(0).length() + 2) + fact.get(1));
        }
    }
}
