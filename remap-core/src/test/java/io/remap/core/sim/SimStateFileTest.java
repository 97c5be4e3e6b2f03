package io.remap.core.sim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.core.device.RangeSet;
import io.remap.core.sim.SimFault.Mode;
import io.remap.core.sim.SimFaultMap.Live;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SimStateFileTest {
    @TempDir
    Path folder;

    @Test
    void whatIsWrittenIsFoundAfterAppendingAndAfterReplacing() throws Exception {
        SimFault pending = new SimFault(0, 8192, Mode.READ_BAD_HEALS_ON_WRITE, 0);
        SimFault passing = new SimFault(8192, 16384, Mode.TRANSIENT, 5);
        Path path = folder.resolve("state");
        SimStateFile state = new SimStateFile(path);
        assertTrue(state.load(1, 0).faults().isEmpty());
        state.append(SimStateFile.healedLine(pending, 512, 1024), true);
        state.append(SimStateFile.healedLine(pending, 1024, 2048), true);
        state.append(SimStateFile.spentLine(passing, 1), false);
        state.append(SimStateFile.spentLine(passing, 2), false);
        for (int round = 0; round < 2; round++) {
            Map<SimFault, Live> found = new SimStateFile(path).load(1, 0).faults();
            assertEquals(Map.of(512L, 2048L), found.get(pending).healed.ranges());
            assertEquals(2, found.get(passing).spent);
            StringBuilder lines = new StringBuilder();
            found.values().forEach(live -> SimStateFile.describe(live, lines));
            state.replace(lines.toString());
        }
        state.append(SimStateFile.spentLine(passing, 3), false);
        state.close();
        assertEquals(3, new SimStateFile(path).load(1, 0).faults().get(passing).spent);
        assertEquals(
                List.of("remap-sim-state 1", "healed 512 1536 of 0 8192 read-bad-heals-on-write"),
                Files.readAllLines(path).subList(0, 2));
    }

    @Test
    void whatWasEndedByHandIsFoundAfterARelapseAndAfterReplacing() throws Exception {
        SimFault fault = new SimFault(0, 8192, Mode.RELAPSES, 5);
        Path path = folder.resolve("state");
        SimStateFile state = new SimStateFile(path);
        state.append(SimStateFile.healedLine(fault, 0, 2048), true);
        state.append(SimStateFile.endedLine(fault, 1024, 1536), true);
        for (int round = 0; round < 2; round++) {
            Live live = new SimStateFile(path).load(1, 0).faults().get(fault);
            assertEquals(Map.of(0L, 2048L), live.healed.ranges());
            assertEquals(Map.of(1024L, 1536L), live.ended.ranges());
            StringBuilder lines = new StringBuilder();
            SimStateFile.describe(live, lines);
            state.replace(lines.toString());
        }
        state.append(SimStateFile.relapsedLine(fault), true);
        assertEquals(
                Map.of(1024L, 1536L),
                new SimStateFile(path).load(1, 0).faults().get(fault).healed.ranges());
        state.append(SimStateFile.freshLine(fault), true);
        state.close();
        assertTrue(new SimStateFile(path).load(1, 0).faults().get(fault).isFresh());
    }

    @Test
    void aSetOfRangesAgreesWithASetOfBits() {
        for (long seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            RangeSet ranges = new RangeSet();
            BitSet bits = new BitSet();
            assertTrue(ranges.isEmpty());
            for (int round = 0; round < 60; round++) {
                int start = random.nextInt(200);
                int end = start + 1 + random.nextInt(12);
                ranges.add(start, end);
                bits.set(start, end);
                int from = random.nextInt(200);
                int to = from + 1 + random.nextInt(6);
                assertEquals(Math.min(to, bits.nextClearBit(from)), ranges.firstOutside(from, to), "seed " + seed);
                int set = bits.nextSetBit(from);
                assertEquals(set < 0 ? to : Math.min(to, set), ranges.firstInside(from, to), "seed " + seed);
                assertEquals(
                        bits.nextClearBit(from) >= to, ranges.covers(from, to), "seed " + seed + ", round " + round);
            }
            long lastEnd = -1;
            BitSet rebuilt = new BitSet();
            for (Map.Entry<Long, Long> range : ranges.ranges().entrySet()) {
                assertTrue(range.getKey() > lastEnd, "seed " + seed + ": ranges touch");
                lastEnd = range.getValue();
                rebuilt.set((int) (long) range.getKey(), (int) lastEnd);
            }
            assertEquals(bits, rebuilt, "seed " + seed);
            assertFalse(ranges.isEmpty());
        }
    }

    @Test
    void theMapFindsWhatLiesInARange() {
        for (long seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            List<Live> all = new java.util.ArrayList<>();
            for (int i = 0; i < random.nextInt(20); i++) {
                int start = random.nextInt(100);
                all.add(new Live(new SimFault(start, start + 1 + random.nextInt(30), Mode.WRITE_BAD, 0)));
            }
            SimFaultMap map = new SimFaultMap(all, List.of());
            for (int start = 0; start < 130; start++) {
                int from = start;
                int to = start + 1 + random.nextInt(5);
                long expected = all.stream()
                        .filter(live -> live.fault.startBytes() < to && live.fault.endBytes() > from)
                        .count();
                assertEquals(expected, map.touching(from, to).size(), "seed " + seed + ", " + from + " to " + to);
                assertEquals(expected > 0, map.touches(from, to), "seed " + seed + ", " + from + " to " + to);
            }
        }
    }
}
