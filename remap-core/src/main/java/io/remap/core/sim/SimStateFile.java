package io.remap.core.sim;

import io.remap.api.Refusal;
import io.remap.core.sim.SimFaultMap.Live;
import io.remap.core.sim.SimFaultMap.LiveState;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What happened to the faults of a simulated disk, and which were made by hand, kept over restarts in
 * {@code IMAGE.sim-state}: a log of lines
 *
 * <pre>
 * remap-sim-state 1
 * healed START LENGTH of FAULT     these bytes of this fault were healed by a write
 * ended START LENGTH of FAULT      they were healed by hand, and do not relapse
 * spent COUNT of FAULT             so often it has failed, the largest number counts
 * fresh of FAULT                   what was healed, ended and spent before is so no more
 * relapsed of FAULT                what was healed and spent before is so no more, what was ended is
 * made FAULT                       it was made by hand: it is in no list
 * state STATE                      a state of the device was made by hand, or anew
 * began MILLIS of STATE            its time runs since then by the clock, in milliseconds since 1970
 * spent COUNT of STATE             so often it has done what it does a number of times
 * no-states                        and those before it are over
 * </pre>
 *
 * FAULT and STATE are lines of a list of faults.
 *
 * Lines are appended as things happen, healed ones durably; now and then, and at each open, the log is written anew and put
 * in place by a rename. A last line without its end was cut by a crash and did not happen.
 *
 * <p>Not thread-safe.
 */
final class SimStateFile implements AutoCloseable {
    static final String SUFFIX = ".sim-state";

    /** So many appended lines, and the log is written anew. */
    static final int MAX_APPENDED_LINES = 1 << 16;

    private static final long MAX_FILE_BYTES = 256L << 20;
    private static final String HEADER = "remap-sim-state 1";
    private static final String HEALED = "healed";
    private static final String ENDED = "ended";
    private static final String RELAPSED = "relapsed";
    private static final String SPENT = "spent";
    private static final String FRESH = "fresh";
    private static final String MADE = "made";
    private static final String STATE = "state";
    private static final String BEGAN = "began";
    private static final String OF = "of";
    static final String NO_STATES_LINE = "no-states\n";

    /**
     * What stands in a log. Whoever reads it may go on with it.
     *
     * @param faults what happened to them
     * @param made by hand, in the order of their making
     * @param states made by hand, in the order of their making, and what happened to them
     */
    record Content(Map<SimFault, Live> faults, Set<SimFault> made, Map<SimState, LiveState> states) {
        Content() {
            this(new LinkedHashMap<>(), new LinkedHashSet<>(), new LinkedHashMap<>());
        }
    }

    private final Path path;
    private FileChannel log;
    private int appendedLines;

    SimStateFile(Path path) {
        this.path = path;
    }

    /**
     * What stands in the log; empty if there is none.
     *
     * @param physicalBytes unit in which the medium fails
     * @param openedWallMillis the clock at this open
     */
    Content load(int physicalBytes, long openedWallMillis) throws Refusal, IOException {
        Content content = new Content();
        if (!Files.exists(path)) {
            return content;
        }
        if (Files.size(path) > MAX_FILE_BYTES) {
            throw damaged("it is larger than any state of a disk");
        }
        String text = Files.readString(path, StandardCharsets.ISO_8859_1);
        String[] lines = text.substring(0, text.lastIndexOf('\n') + 1).split("\n", -1);
        if (!lines[0].equals(HEADER)) {
            throw damaged("it does not begin with '" + HEADER + "'");
        }
        // The piece after the last line end is empty.
        for (int i = 1; i < lines.length - 1; i++) {
            try {
                apply(lines[i], content, physicalBytes, openedWallMillis);
            } catch (Refusal | IllegalArgumentException | IndexOutOfBoundsException e) {
                throw damaged("line " + (i + 1) + " makes no sense: " + lines[i]);
            }
        }
        return content;
    }

    private static void apply(String line, Content content, int physicalBytes, long openedWallMillis) throws Refusal {
        SimFaultLine lines = SimFaultLine.checkedBefore();
        if ((line + "\n").equals(NO_STATES_LINE)) {
            content.states.clear();
            return;
        }
        String[] words = line.split(" ", -1);
        if (words[0].equals(STATE)) {
            SimState state = lines.state(rest(words, 1));
            content.states.remove(state);
            content.states.put(state, new LiveState(state, true));
            return;
        }
        if (words[0].equals(MADE)) {
            content.made.add(lines.fault(rest(words, 1)));
            return;
        }
        int at = List.of(words).indexOf(OF);
        String[] whose = rest(words, at + 1);
        if (SimFaultLine.isState(whose)) {
            applyToState(
                    words[0] + at, Long.parseLong(words[1]), content.states.get(lines.state(whose)), openedWallMillis);
            return;
        }
        SimFault fault = lines.fault(whose);
        Live live = content.faults.computeIfAbsent(fault, f -> new Live(f, physicalBytes));
        switch (words[0] + at) {
            case HEALED + 3 -> {
                long from = Long.parseLong(words[1]);
                live.healed.add(from, from + Long.parseLong(words[2]));
            }
            case ENDED + 3 -> {
                long from = Long.parseLong(words[1]);
                live.end(from, from + Long.parseLong(words[2]));
            }
            case SPENT + 2 -> live.spent = Math.max(live.spent, Long.parseLong(words[1]));
            case FRESH + 1 -> live.refresh();
            case RELAPSED + 1 -> live.relapse();
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    /** {@code live} is {@code null} if the state was ended meanwhile. */
    private static void applyToState(String what, long number, LiveState live, long openedWallMillis) {
        if (!what.equals(BEGAN + 2) && !what.equals(SPENT + 2)) {
            throw new IllegalArgumentException(what);
        }
        if (live == null) {
            return;
        }
        if (what.equals(SPENT + 2)) {
            live.spent = Math.max(live.spent, number);
        } else {
            live.begun = true;
            // A clock that went back does not make it longer than it was to be.
            live.beganMillis = Math.min(0, number - openedWallMillis);
        }
    }

    private static String[] rest(String[] words, int from) {
        return Arrays.copyOfRange(words, from, words.length);
    }

    private Refusal damaged(String why) {
        return new Refusal(
                Refusal.Kind.DAMAGED, path + " is no state of a simulated disk: " + why + "; delete it to begin anew");
    }

    static String healedLine(SimFault fault, long startBytes, long endBytes) {
        return HEALED + " " + startBytes + " " + (endBytes - startBytes) + " of " + fault + "\n";
    }

    static String endedLine(SimFault fault, long startBytes, long endBytes) {
        return ENDED + " " + startBytes + " " + (endBytes - startBytes) + " of " + fault + "\n";
    }

    static String relapsedLine(SimFault fault) {
        return RELAPSED + " of " + fault + "\n";
    }

    static String spentLine(SimFault fault, long count) {
        return SPENT + " " + count + " of " + fault + "\n";
    }

    static String freshLine(SimFault fault) {
        return FRESH + " of " + fault + "\n";
    }

    static String madeLine(SimFault fault) {
        return MADE + " " + fault + "\n";
    }

    static String stateLine(SimState state) {
        return STATE + " " + state + "\n";
    }

    static String beganLine(SimState state, long wallMillis) {
        return BEGAN + " " + wallMillis + " of " + state + "\n";
    }

    static String spentLine(SimState state, long count) {
        return SPENT + " " + count + " of " + state + "\n";
    }

    /** Whether the log should be written anew. */
    boolean isLong() {
        return appendedLines >= MAX_APPENDED_LINES;
    }

    /**
     * Adds lines.
     *
     * @param durably only return when it is on stable storage
     */
    void append(String lines, boolean durably) throws IOException {
        if (log == null) {
            if (!Files.exists(path)) {
                putInPlace(HEADER + "\n");
            }
            log = FileChannel.open(path, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
        }
        writeAll(log, lines);
        if (durably) {
            log.force(false);
        }
        appendedLines++;
    }

    /** Writes the log anew. */
    void replace(String lines) throws IOException {
        close();
        putInPlace(HEADER + "\n" + lines);
        appendedLines = 0;
    }

    /** The lines of a fault to which something happened. */
    static void describe(Live live, StringBuilder lines) {
        live.ended.ranges().forEach((start, end) -> lines.append(endedLine(live.fault, start, end)));
        live.healed.ranges().forEach((start, end) -> {
            if (!live.ended.covers(start, end)) {
                lines.append(healedLine(live.fault, start, end));
            }
        });
        if (live.spent > 0) {
            lines.append(spentLine(live.fault, live.spent));
        }
    }

    /** The lines of a state that was made by hand. */
    static void describe(LiveState live, long openedWallMillis, StringBuilder lines) {
        lines.append(stateLine(live.state));
        if (live.begun) {
            lines.append(beganLine(live.state, openedWallMillis + live.beganMillis));
        }
        if (live.spent > 0) {
            lines.append(spentLine(live.state, live.spent));
        }
    }

    private void putInPlace(String text) throws IOException {
        Path fresh = path.resolveSibling(path.getFileName() + ".new");
        try (FileChannel channel = FileChannel.open(
                fresh, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            writeAll(channel, text);
            channel.force(true);
        }
        Files.move(fresh, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        try (FileChannel directory = FileChannel.open(path.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
            directory.force(true);
        }
    }

    private static void writeAll(FileChannel channel, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.ISO_8859_1));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    @Override
    public void close() throws IOException {
        if (log != null) {
            log.close();
            log = null;
        }
    }
}
