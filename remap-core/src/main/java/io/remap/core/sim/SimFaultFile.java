package io.remap.core.sim;

import io.remap.api.ByteSize;
import io.remap.api.Refusal;
import io.remap.core.sim.SimFault.Mode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Reads a list of faults. Three formats, told apart by their first line that is no comment:
 *
 * <ul>
 *   <li>our own: {@code START LENGTH MODE [ARGUMENT] [key=value…]}, in bytes (K, M, G, T: powers of 1024; {@code s}:
 *       sectors), and states of the whole device: see {@link SimFaultLine};
 *   <li>a map file of ddrescue: what it has not rescued fails, that is all but {@code +};
 *   <li>a list of badblocks: one block number a line, in blocks of a size that must be given.
 * </ul>
 *
 * In all of them {@code #} begins a comment.
 */
final class SimFaultFile {
    static final long MAX_FILE_BYTES = 64L << 20;
    static final int MAX_FAULTS = 1 << 20;

    private static final String DDRESCUE_STATES = "?*/-FG+";
    /** What ddrescue has not read, from what it is surest of. An image has no content of the disk there. */
    private static final Map<String, String> UNRESCUED = unrescued();

    /**
     * What a list says.
     *
     * @param faults its ranges
     * @param states of the device as a whole
     * @param unrescuedBytes of a map of ddrescue: how many of each state that is not rescued; otherwise empty
     */
    record Content(List<SimFault> faults, List<SimState> states, Map<String, Long> unrescuedBytes) {
        static Content none() {
            return new Content(List.of(), List.of(), Map.of());
        }
    }

    private final Path path;
    private final long deviceBytes;
    private final int sectorBytes;
    private final OptionalInt blockBytes;
    private final Mode listMode;

    private final List<SimFault> faults = new ArrayList<>();
    private final List<SimState> states = new ArrayList<>();
    private final Map<String, Long> unrescuedBytes = new LinkedHashMap<>();
    private final SimFaultLine lines;
    private int lineNumber;

    private SimFaultFile(Path path, long deviceBytes, int sectorBytes, OptionalInt blockBytes, Mode listMode) {
        this.path = path;
        this.deviceBytes = deviceBytes;
        this.sectorBytes = sectorBytes;
        this.blockBytes = blockBytes;
        this.listMode = listMode;
        this.lines = new SimFaultLine(deviceBytes, sectorBytes);
    }

    /**
     * Reads the list.
     *
     * @param blockBytes unit of a list of badblocks
     * @param listMode how the places of the formats fail that do not say it
     * @throws Refusal if a line makes no sense
     */
    static Content read(Path path, long deviceBytes, int sectorBytes, OptionalInt blockBytes, Mode listMode)
            throws Refusal, IOException {
        if (Files.size(path) > MAX_FILE_BYTES) {
            throw new Refusal(
                    Refusal.Kind.USAGE, path + ": a list of faults has at most " + ByteSize.format(MAX_FILE_BYTES));
        }
        SimFaultFile file = new SimFaultFile(path, deviceBytes, sectorBytes, blockBytes, listMode);
        file.parse(Files.readString(path, StandardCharsets.ISO_8859_1));
        return new Content(
                List.copyOf(file.faults), List.copyOf(file.states), Collections.unmodifiableMap(file.unrescuedBytes));
    }

    /** One of the formats. */
    @FunctionalInterface
    private interface LineParser {
        void parse(String[] words) throws Refusal;
    }

    private void parse(String text) throws Refusal {
        LineParser parser = null;
        for (String line : text.split("\n", -1)) {
            lineNumber++;
            int comment = line.indexOf('#');
            String content = (comment < 0 ? line : line.substring(0, comment)).strip();
            if (content.isEmpty()) {
                continue;
            }
            String[] words = content.split("\\s+");
            if (parser != null) {
                parser.parse(words);
            } else if (words.length <= 3 && words.length > 1 && isDdrescueState(words[1])) {
                // The line on the progress of the rescue; the blocks follow.
                parser = this::parseDdrescue;
                UNRESCUED.values().forEach(name -> unrescuedBytes.put(name, 0L));
            } else {
                parser = words.length == 1 && !SimFaultLine.isState(words) ? this::parseBadblocks : this::parseOwn;
                parser.parse(words);
            }
        }
    }

    private static Map<String, String> unrescued() {
        Map<String, String> names = new LinkedHashMap<>();
        names.put("-", "bad");
        names.put("/", "not scraped");
        names.put("*", "not trimmed");
        names.put("?", "never tried");
        return names;
    }

    private static boolean isDdrescueState(String word) {
        return word.length() == 1 && DDRESCUE_STATES.contains(word);
    }

    private void parseOwn(String[] words) throws Refusal {
        try {
            if (SimFaultLine.isState(words)) {
                states.add(lines.state(words));
            } else {
                add(lines.fault(words));
            }
        } catch (Refusal e) {
            throw wrong(e.getMessage());
        }
    }

    private void parseDdrescue(String[] words) throws Refusal {
        if (words.length != 3 || !isDdrescueState(words[2])) {
            throw wrong("expected POSITION SIZE STATE of a map file of ddrescue");
        }
        long start = decode(words[0]);
        long size = decode(words[1]);
        if (start > deviceBytes || size > deviceBytes - start) {
            throw wrong("the map goes beyond the end of the disk, which has " + deviceBytes
                    + " bytes: take an image as large as the disk that was rescued");
        }
        if (UNRESCUED.containsKey(words[2]) && size > 0) {
            // What is bad in part is bad.
            long end = start + size;
            start -= start % sectorBytes;
            end += (sectorBytes - end % sectorBytes) % sectorBytes;
            add(new SimFault(start, end, listMode, 0));
            unrescuedBytes.merge(UNRESCUED.get(words[2]), end - start, Long::sum);
        }
    }

    private void parseBadblocks(String[] words) throws Refusal {
        if (blockBytes.isEmpty()) {
            throw wrong("a list of block numbers needs its unit, the -b of badblocks: --block-size"
                    + " of 'remap sim create', block-size= of sim:");
        }
        if (words.length != 1) {
            throw wrong("expected one block number");
        }
        long block = number(words[0], 10);
        long unit = blockBytes.getAsInt();
        if (block > (deviceBytes - 1) / unit) {
            throw wrong("block " + block + " lies beyond the end of the disk");
        }
        add(new SimFault(block * unit, Math.min(deviceBytes, (block + 1) * unit), listMode, 0));
    }

    private void add(SimFault fault) throws Refusal {
        if (faults.size() >= MAX_FAULTS) {
            throw wrong("more than " + MAX_FAULTS + " faults");
        }
        faults.add(fault);
    }

    /** A number as ddrescue writes it: decimal, hexadecimal after 0x, octal after 0. */
    private long decode(String word) throws Refusal {
        if (word.startsWith("0x")) {
            return number(word.substring(2), 16);
        }
        return number(word, word.startsWith("0") ? 8 : 10);
    }

    private long number(String word, int radix) throws Refusal {
        try {
            return SimFaultLine.number(word, radix);
        } catch (Refusal e) {
            throw wrong(e.getMessage());
        }
    }

    private Refusal wrong(String what) {
        return new Refusal(Refusal.Kind.USAGE, path + ", line " + lineNumber + ": " + what);
    }
}
