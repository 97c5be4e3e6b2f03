package io.remap.core.sim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import io.remap.core.sim.SimFault.Mode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bad sectors from a seed are as many as were asked for, and lie as they do on disks in the field. */
class SimBurstsTest {
    private static final long TB = 1L << 40;

    @TempDir
    Path folder;

    @Test
    void runsFollowTheLaw() {
        Random random = new Random(1);
        int draws = 1_000_000;
        long sum = 0;
        int hundred = 0;
        int ones = 0;
        for (int i = 0; i < draws; i++) {
            long blocks = SimBursts.runBlocks(random.nextDouble());
            assertTrue(blocks >= 1 && blocks <= SimBursts.MAX_RUN_BLOCKS);
            sum += blocks;
            hundred += blocks >= 100 ? 1 : 0;
            ones += blocks == 1 ? 1 : 0;
        }
        double mean = (double) sum / draws;
        assertTrue(mean > 3.0 && mean < 3.8, "mean run " + mean);
        assertEquals(Math.pow(100, -SimBursts.EXPONENT), (double) hundred / draws, 0.0003);
        assertEquals(1 - Math.pow(2, -SimBursts.EXPONENT), (double) ones / draws, 0.005);
    }

    @Test
    void placesAreExactDisjointAndNearEachOther() throws Refusal {
        for (long seed = 0; seed < 20; seed++) {
            List<SimFault> faults = SimBursts.faults(seed, 4096L * 5000, TB, Mode.WRITE_BAD, 0);
            long bytes = 0;
            long end = -1;
            int near = 0;
            for (SimFault fault : faults) {
                assertTrue(fault.startBytes() > end, "seed " + seed + ": " + fault);
                near += end >= 0 && fault.startBytes() - end < 10_000_000 ? 1 : 0;
                end = fault.endBytes();
                bytes += fault.endBytes() - fault.startBytes();
            }
            assertEquals(4096L * 5000, bytes, "seed " + seed);
            double share = (double) near / (faults.size() - 1);
            assertTrue(faults.size() < 100 || (share > 0.4 && share < 0.7), "seed " + seed + ": near " + share);
            assertEquals(faults, SimBursts.faults(seed, 4096L * 5000, TB, Mode.WRITE_BAD, 0));
        }
    }

    /** They are part of what a seed means, in every version. */
    @Test
    void thePlacesOfASeedNeverChange() throws Refusal {
        assertEquals(
                "[42684416 8192 write-bad from=ms:25891, 50270208 8192 write-bad from=ms:20898, 52654080 16384 write-bad"
                        + " from=ms:35338]",
                SimBursts.faults(7, 4096 * 8, 1 << 26, Mode.WRITE_BAD, 60_000).toString());
    }

    @Test
    void mostOfABurstComesWithinAMinute() throws Refusal {
        long over = 7 * 86_400_000L;
        List<SimFault> faults = SimBursts.faults(3, 4096L * 3000, TB, Mode.WRITE_BAD, over);
        int pairs = 0;
        int prompt = 0;
        for (int i = 1; i < faults.size(); i++) {
            if (faults.get(i).startBytes() - faults.get(i - 1).endBytes() < 10_000_000) {
                pairs++;
                prompt += Math.abs(begins(faults.get(i)) - begins(faults.get(i - 1))) < 120_000 ? 1 : 0;
            }
            assertTrue(begins(faults.get(i)) <= over);
        }
        double share = (double) prompt / pairs;
        assertTrue(share > 0.3 && share < 0.8, prompt + " of " + pairs);
    }

    private static long begins(SimFault fault) {
        return fault.details().window().from().orElseThrow().count();
    }

    @Test
    void aFullDiskIsRefused() {
        assertThrows(Refusal.class, () -> SimBursts.faults(1, 1 << 20, 1 << 21, Mode.WRITE_BAD, 0));
    }

    /** Bands of so many heads that no number holds them must not go round and round. */
    @Test
    void aDeadHeadBeyondAnyDiskIsRefused() {
        for (SimCreation.DeadHead head : List.of(
                new SimCreation.DeadHead(1, 8, 1L << 62),
                new SimCreation.DeadHead(2, 5, 1L << 61),
                new SimCreation.DeadHead(1, Integer.MAX_VALUE, 1L << 33))) {
            Refusal refusal =
                    assertThrows(Refusal.class, () -> create("", OptionalLong.of(1 << 20), Optional.of(head)));
            assertEquals(Refusal.Kind.USAGE, refusal.kind());
            assertTrue(refusal.getMessage().contains("expected"), refusal.getMessage());
        }
    }

    private SimCreation.Made create(String list, OptionalLong size, Optional<SimCreation.DeadHead> head)
            throws IOException {
        Path file = folder.resolve("list");
        Files.writeString(file, list);
        return SimCreation.create(new SimCreation.Wish(
                folder.resolve("disk.img"),
                size,
                OptionalLong.empty(),
                OptionalDouble.empty(),
                Optional.of(file),
                OptionalInt.of(1024),
                head,
                0,
                "write-bad",
                true,
                0));
    }

    @Test
    void aDiskIsMadeFromAListAndADeadHeadAndNothingIsOverwritten() throws IOException {
        SimCreation.Made made =
                create("3\n5\n", OptionalLong.of(16 << 20), Optional.of(new SimCreation.DeadHead(2, 4, 1 << 20)));
        assertEquals(2 + 4, made.faults());
        assertEquals(4 + 4 * 2048, made.badSectors());
        assertTrue(Files.readString(made.list()).contains("\n3072 1024 write-bad\n"));
        assertTrue(Files.readString(made.list()).contains("\n5242880 1048576 write-bad\n"));
        assertThrows(Refusal.class, () -> create("1\n", OptionalLong.empty(), Optional.empty()));
        Files.delete(made.list());
        assertThrows(Refusal.class, () -> create("1\n", OptionalLong.of(16 << 20), Optional.empty()));
        assertEquals(2, create("1\n", OptionalLong.empty(), Optional.empty()).badSectors());
        Files.delete(made.list());
        Files.delete(folder.resolve("disk.img"));
        assertThrows(Refusal.class, () -> create("99999\n", OptionalLong.of(1 << 20), Optional.empty()));
        assertFalse(Files.exists(folder.resolve("disk.img")));
        create("gone\n0 512 torn 0\n", OptionalLong.of(1 << 20), Optional.empty());
        assertTrue(Files.readString(made.list()).contains("\ndown errno=ENXIO\n0 512 torn 0\n"));
    }
}
