package io.remap.core.sim;

import io.remap.api.Refusal;
import io.remap.core.device.RangeSet;
import io.remap.core.sim.SimFault.Details;
import io.remap.core.sim.SimFault.Mode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;

/**
 * The commands that change a simulated disk while it is in use: the messages of dm-dust, and ours. What a command changes
 * is durable before it is answered, but for {@code enable}, {@code disable} and {@code quiet}. Thread-safe.
 *
 * <p>Source of the messages: Documentation/admin-guide/device-mapper/dm-dust.rst of the kernel.
 */
final class SimControl {
    static final String HELP =
            "addbadblock N [WRITE-FAILS], removebadblock N, queryblock N, countbadblocks, clearbadblocks,"
                    + " listbadblocks, enable, disable, quiet; status, fault START LENGTH MODE…, heal START LENGTH, state STATE…,"
                    + " up, power-cut [SEED], help";

    /** Most blocks that are listed: each connection may have a list at the same time. */
    static final int MAX_LISTED = 100_000;

    /** Blocks one after the other, from the first to before the end. */
    private record Run(long first, long end) {}

    /**
     * What a command has to say.
     *
     * @param lines for people
     * @param values for programs
     */
    record Answer(List<String> lines, Map<String, Object> values) {
        static Answer of(String line, Map<String, Object> values) {
            return new Answer(List.of(line), values);
        }
    }

    private final SimDevice device;
    private final SimMedium medium;
    private final SimModel model;
    private final int blockBytes;
    private final SimFaultLine lines;

    /** For a device; {@code blockBytes} is the unit of the commands of dm-dust. */
    SimControl(SimDevice device, SimMedium medium, SimModel model, int blockBytes) {
        this.device = device;
        this.medium = medium;
        this.model = model;
        this.blockBytes = blockBytes;
        this.lines =
                new SimFaultLine(device.traits().sizeBytes(), device.traits().logicalSectorBytes());
    }

    /**
     * Does what a line says.
     *
     * @throws Refusal if it makes no sense
     * @throws IOException if it cannot be made durable
     */
    Answer execute(String line) throws IOException {
        String[] words = line.strip().split("\\s+", -1);
        String[] rest = Arrays.copyOfRange(words, 1, words.length);
        return switch (words[0]) {
            case "addbadblock" -> addBlock(rest);
            case "removebadblock" -> removeBlock(rest);
            case "queryblock" -> queryBlock(rest);
            case "countbadblocks" -> countBlocks(rest);
            case "clearbadblocks" -> clearBlocks(rest);
            case "listbadblocks" -> listBlocks(rest);
            case "enable", "disable" -> enable(words[0].equals("enable"), rest);
            case "quiet" -> quiet(rest);
            case "status" -> status(rest);
            case "fault" -> makeFault(rest);
            case "heal" -> heal(rest);
            case "state" -> makeState(rest);
            case "up" -> up(rest);
            case "power-cut" -> cutPower(rest);
            case "help" -> Answer.of(HELP, Map.of("help", HELP));
            default ->
                throw new Refusal(Refusal.Kind.USAGE, "there is no command '" + words[0] + "'; there are: " + HELP);
        };
    }

    private static void expect(String[] words, int min, int max, String what) throws Refusal {
        if (words.length < min || words.length > max) {
            throw new Refusal(Refusal.Kind.USAGE, "expected " + what);
        }
    }

    // --- dm-dust

    private long block(String word) throws Refusal {
        long block = SimFaultLine.number(word, 10);
        if (block >= blocks()) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "block " + block + " lies beyond the end: there are " + blocks() + " of " + blockBytes + " bytes");
        }
        return block;
    }

    private long blocks() {
        return (device.traits().sizeBytes() + blockBytes - 1) / blockBytes;
    }

    private long end(long block) {
        return Math.min((block + 1) * blockBytes, device.traits().sizeBytes());
    }

    private boolean isBad(long block) {
        synchronized (model.faults.verdicts) {
            return !model.faults
                    .map()
                    .unreadable(block * blockBytes, end(block))
                    .isEmpty();
        }
    }

    private Answer addBlock(String[] words) throws IOException {
        expect(words, 1, 2, "addbadblock BLOCK [WRITE-FAILS]");
        long block = block(words[0]);
        if (isBad(block)) {
            throw new Refusal(Refusal.Kind.USAGE, "block " + block + " is bad already");
        }
        long fails = words.length == 2 ? SimFaultLine.number(words[1], 10) : 0;
        Details none = Details.NONE;
        Details details = new Details(none.errno(), 0, none.probability(), fails, none.window());
        model.faults.make(new SimFault(block * blockBytes, end(block), Mode.READ_BAD_HEALS_ON_WRITE, 0, details));
        model.traceCommand("addbadblock " + String.join(" ", words));
        return Answer.of("badblock added at block " + block, Map.of("block", block));
    }

    private Answer removeBlock(String[] words) throws IOException {
        expect(words, 1, 1, "removebadblock BLOCK");
        long block = block(words[0]);
        if (!isBad(block)) {
            throw new Refusal(Refusal.Kind.NOT_SO, "block " + block + " not found in badblocklist");
        }
        model.faults.heal(block * blockBytes, end(block));
        model.traceCommand("removebadblock " + block);
        return Answer.of("badblock removed at block " + block, Map.of("block", block));
    }

    private Answer queryBlock(String[] words) throws Refusal {
        expect(words, 1, 1, "queryblock BLOCK");
        long block = block(words[0]);
        boolean bad = isBad(block);
        return Answer.of(
                "block " + block + (bad ? " found in badblocklist" : " not found in badblocklist"),
                Map.of("block", block, "bad", bad));
    }

    /** The blocks that cannot be read, ascending, each in one run only; as few as the faults, however large they are. */
    private List<Run> badBlocks() {
        RangeSet bad;
        synchronized (model.faults.verdicts) {
            bad = model.faults.map().unreadable(0, device.traits().sizeBytes());
        }
        List<Run> found = new ArrayList<>();
        long next = 0;
        for (Map.Entry<Long, Long> range : bad.ranges().entrySet()) {
            Run run = new Run(Math.max(next, range.getKey() / blockBytes), 1 + (range.getValue() - 1) / blockBytes);
            if (run.first < run.end) {
                found.add(run);
            }
            next = run.end;
        }
        return found;
    }

    private static long count(List<Run> runs) {
        return runs.stream().mapToLong(run -> run.end - run.first).sum();
    }

    private Answer countBlocks(String[] words) throws Refusal {
        expect(words, 0, 0, "countbadblocks");
        long count = count(badBlocks());
        return Answer.of("countbadblocks: " + count + " badblock(s) found", Map.of("count", count));
    }

    private Answer clearBlocks(String[] words) throws IOException {
        expect(words, 0, 0, "clearbadblocks");
        int faults = model.faults.heal(0, device.traits().sizeBytes());
        model.traceCommand("clearbadblocks");
        return Answer.of("clearbadblocks: badblocks cleared", Map.of("faults", faults));
    }

    private Answer listBlocks(String[] words) throws Refusal {
        expect(words, 0, 0, "listbadblocks");
        List<Run> runs = badBlocks();
        if (count(runs) > MAX_LISTED) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    count(runs) + " blocks are bad, and at most " + MAX_LISTED
                            + " are listed: ask for their number with countbadblocks, or for one with queryblock");
        }
        List<Long> blocks = runs.stream()
                .flatMapToLong(run -> LongStream.range(run.first, run.end))
                .boxed()
                .toList();
        return new Answer(blocks.stream().map(String::valueOf).toList(), Map.of("blocks", blocks));
    }

    private Answer enable(boolean on, String[] words) throws Refusal {
        expect(words, 0, 0, on ? "enable" : "disable");
        model.enable(on);
        return Answer.of((on ? "enabling" : "disabling") + " read failures on bad sectors", Map.of("enabled", on));
    }

    private Answer quiet(String[] words) throws Refusal {
        expect(words, 0, 0, "quiet");
        boolean quiet = model.toggleQuiet();
        return Answer.of("quiet mode " + (quiet ? "enabled" : "disabled"), Map.of("quiet", quiet));
    }

    // --- ours

    private Answer status(String[] words) throws Refusal {
        expect(words, 0, 0, "status");
        Map<String, Object> values = new LinkedHashMap<>();
        long unreadable;
        synchronized (model.faults.verdicts) {
            unreadable = model.faults.map().unreadable(0, device.traits().sizeBytes()).ranges().entrySet().stream()
                    .mapToLong(range -> range.getValue() - range.getKey())
                    .sum();
        }
        values.put("device", device.name());
        values.put("sizeBytes", device.traits().sizeBytes());
        values.put("sectorBytes", device.traits().logicalSectorBytes());
        values.put("physicalBytes", device.traits().physicalSectorBytes());
        values.put("enabled", model.isEnabled());
        values.put("quiet", model.isQuiet());
        values.put("states", model.stateTexts());
        values.put("faults", model.faults.map().all().size());
        values.put("unreadableSectors", unreadable / device.traits().logicalSectorBytes());
        values.put("operations", model.operations());
        values.put("failures", model.failures());
        values.put("unflushedBytes", medium.unflushedBytes());
        List<String> text = new ArrayList<>();
        values.forEach((key, value) -> text.add(key + ": " + value));
        return new Answer(text, values);
    }

    private Answer makeFault(String[] words) throws IOException {
        expect(words, 1, Integer.MAX_VALUE, "fault START LENGTH MODE [ARGUMENT] [key=value…]");
        SimFault fault = lines.fault(words);
        model.faults.make(fault);
        model.traceCommand("fault " + fault);
        return Answer.of("made: " + fault, Map.of("fault", fault.toString()));
    }

    private Answer heal(String[] words) throws IOException {
        expect(words, 2, 2, "heal START LENGTH");
        long start = lines.bytes(words[0]);
        long length = lines.bytes(words[1]);
        if (length < 1 || start > device.traits().sizeBytes() - length) {
            throw new Refusal(Refusal.Kind.USAGE, "expected a range inside of the disk");
        }
        int faults = model.faults.heal(start, start + length);
        model.traceCommand("heal " + start + " " + length);
        return Answer.of("healed: " + faults + " faults touched the range", Map.of("faults", faults));
    }

    private Answer makeState(String[] words) throws IOException {
        expect(words, 1, Integer.MAX_VALUE, "state STATE [ARGUMENT] [key=value…]");
        SimState state = lines.state(words);
        model.makeState(state);
        return Answer.of("state: " + state, Map.of("states", model.stateTexts()));
    }

    private Answer up(String[] words) throws IOException {
        expect(words, 0, 0, "up");
        model.faults.endStates();
        model.traceCommand("up");
        List<String> left = model.stateTexts();
        return Answer.of(
                left.isEmpty() ? "up" : "the list of faults still says: " + String.join(", ", left),
                Map.of("states", left));
    }

    private Answer cutPower(String[] words) throws IOException {
        expect(words, 0, 1, "power-cut [SEED]");
        long stream = words.length == 1 ? SimFaultLine.number(words[0], 10) : model.nextPowerCut();
        SimMedium.PowerCut cut = medium.cutPower(model.chance, stream);
        model.traceCommand("power-cut " + stream);
        return Answer.of(
                "power cut: of " + cut.unflushedSectors() + " writes of a sector that were not flushed, "
                        + cut.lostSectors() + " are lost",
                Map.of("unflushedSectors", cut.unflushedSectors(), "lostSectors", cut.lostSectors()));
    }
}
