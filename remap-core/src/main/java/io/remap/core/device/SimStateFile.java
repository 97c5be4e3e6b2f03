package io.remap.core.device;

import io.remap.api.Refusal;
import io.remap.core.device.SimFault.Mode;
import io.remap.core.device.SimFaultMap.Live;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What happened to the faults of a simulated disk, kept over restarts in {@code IMAGE.sim-state}: a log of lines
 *
 * <pre>
 * remap-sim-state 1
 * healed START LENGTH of START LENGTH MODE             these bytes of this fault were healed by a write
 * spent COUNT of START LENGTH transient ARGUMENT       so many reads of this fault have failed, the last line counts
 * </pre>
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
    private static final String SPENT = "spent";

    private final Path path;
    private FileChannel log;
    private int appendedLines;

    SimStateFile(Path path) {
        this.path = path;
    }

    /** What stands in the log; empty if there is none. */
    Map<SimFault, Live> load() throws Refusal, IOException {
        Map<SimFault, Live> faults = new LinkedHashMap<>();
        if (!Files.exists(path)) {
            return faults;
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
                apply(lines[i].split(" ", -1), faults);
            } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
                throw damaged("line " + (i + 1) + " makes no sense: " + lines[i]);
            }
        }
        return faults;
    }

    private static void apply(String[] words, Map<SimFault, Live> faults) {
        boolean healed = words[0].equals(HEALED);
        int at = healed ? 3 : 2;
        if ((!healed && !words[0].equals(SPENT)) || !words[at].equals("of")) {
            throw new IllegalArgumentException(words[0]);
        }
        long start = Long.parseLong(words[at + 1]);
        Mode mode = Mode.of(words[at + 3]).orElseThrow(IllegalArgumentException::new);
        SimFault fault = new SimFault(
                start,
                start + Long.parseLong(words[at + 2]),
                mode,
                mode.maxArgument == 0 ? 0 : Long.parseLong(words[at + 4]));
        Live live = faults.computeIfAbsent(fault, Live::new);
        if (healed) {
            long from = Long.parseLong(words[1]);
            live.healed.add(from, from + Long.parseLong(words[2]));
        } else {
            live.spent = Long.parseLong(words[1]);
        }
    }

    private Refusal damaged(String why) {
        return new Refusal(
                Refusal.Kind.DAMAGED, path + " is no state of a simulated disk: " + why + "; delete it to begin anew");
    }

    static String healedLine(SimFault fault, long startBytes, long endBytes) {
        return HEALED + " " + startBytes + " " + (endBytes - startBytes) + " of " + fault + "\n";
    }

    static String spentLine(SimFault fault, long count) {
        return SPENT + " " + count + " of " + fault + "\n";
    }

    /** Whether the log should be written anew. */
    boolean isLong() {
        return appendedLines >= MAX_APPENDED_LINES;
    }

    /**
     * Adds a line.
     *
     * @param durably only return when it is on stable storage
     */
    void append(String line, boolean durably) throws IOException {
        if (log == null) {
            if (!Files.exists(path)) {
                putInPlace(HEADER + "\n");
            }
            log = FileChannel.open(path, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
        }
        writeAll(log, line);
        if (durably) {
            log.force(false);
        }
        appendedLines++;
    }

    /** Writes the log anew. */
    void replace(Collection<Live> faults) throws IOException {
        StringBuilder text = new StringBuilder(HEADER).append('\n');
        for (Live live : faults) {
            live.healed.ranges().forEach((start, end) -> text.append(healedLine(live.fault, start, end)));
            if (live.spent > 0) {
                text.append(spentLine(live.fault, live.spent));
            }
        }
        close();
        putInPlace(text.toString());
        appendedLines = 0;
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
