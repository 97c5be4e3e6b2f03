package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.SpareMember;
import io.remap.testkit.CrashDevice;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Two spares with the table on both, and a first spare that has grown, as the program of format 1.1 wrote them that could do so
 * first. Later ones must read the same.
 */
class GoldenSpreadTest {
    private static final String VERSION = "1.1";
    private static final int UNITS = 9;

    /** Writes the images into a directory. */
    public static void main(String[] arguments) throws Exception {
        Path directory = Files.createDirectories(Path.of(arguments[0]));
        SpreadPair pair = SpreadPair.formatted();
        pair.spread();
        for (long unit = 0; unit < UNITS; unit++) {
            pair.commit(unit);
        }
        pair.close();
        GoldenImages.save(pair.first, directory.resolve("spread-first.img.gz"));
        GoldenImages.save(pair.further, directory.resolve("spread-further.img.gz"));
        SpreadPair without = withoutFirst();
        GoldenImages.save(without.further, directory.resolve("without-first-lead.img.gz"));
        GoldenImages.save(without.third, directory.resolve("without-first-copy.img.gz"));
        CrashDevice small = Bench.formatted(0);
        CrashDevice grown = new CrashDevice("grown", Bench.SPARE_BYTES + (1 << 20), 512);
        grown.poke(0, small.peek(0, (int) Bench.SPARE_BYTES));
        new LogMetadataTools().grow(grown);
        GoldenImages.save(grown, directory.resolve("grown.img.gz"));
    }

    /** Two of three, of which the first one was taken out. */
    private static SpreadPair withoutFirst() throws Exception {
        SpreadPair pair = SpreadPair.ofThree();
        for (long unit = 0; unit < UNITS; unit++) {
            pair.commit(unit, SpreadPair.THIRD);
        }
        if (pair.remove(0) != null) {
            throw new AssertionError("the first spare is not taken out");
        }
        pair.first = null;
        pair.spread();
        pair.close();
        return pair;
    }

    private static SpreadPair load(boolean first, boolean further) throws Exception {
        SpreadPair pair = new SpreadPair();
        pair.first = first ? GoldenImages.load(VERSION, "spread-first") : null;
        pair.further = further ? GoldenImages.load(VERSION, "spread-further") : null;
        for (long unit = 0; unit < UNITS; unit++) {
            pair.acknowledged.add(unit);
        }
        return pair;
    }

    @Test
    void bothAndEitherSayWhatTheySaid() throws Exception {
        for (boolean[] there : new boolean[][] {{true, true}, {true, false}, {false, true}}) {
            SpreadPair pair = load(there[0], there[1]);
            pair.open();
            pair.assertTable();
            assertTrue(pair.opened.store().stoppedInOrder());
            assertEquals(2, pair.opened.store().members().size());
            assertEquals(Outcome.DURABLE, pair.commit(UNITS));
            pair.close();
            pair.open();
            pair.assertTable();
            pair.close();
        }
    }

    @Test
    void bothStateTheTable() throws Exception {
        SpreadPair pair = load(true, true);
        pair.open();
        assertEquals(List.of(0, SpreadPair.INDEX), pair.holders());
        pair.close();
    }

    @Test
    void aPairGoesOnWithoutItsFirstSpare() throws Exception {
        for (boolean[] there : new boolean[][] {{true, true}, {true, false}, {false, true}}) {
            SpreadPair pair = new SpreadPair();
            pair.further = there[0] ? GoldenImages.load(VERSION, "without-first-lead") : null;
            pair.third = there[1] ? GoldenImages.load(VERSION, "without-first-copy") : null;
            for (long unit = 0; unit < UNITS; unit++) {
                pair.acknowledged.add(unit);
            }
            pair.open();
            pair.assertTable();
            assertTrue(pair.opened.store().stoppedInOrder());
            assertEquals(
                    List.of(SpreadPair.INDEX, SpreadPair.THIRD),
                    pair.opened.store().members().stream()
                            .map(SpareMember::index)
                            .toList());
            assertEquals(there[0] && there[1] ? 2 : 1, pair.holders().size());
            assertEquals(Outcome.DURABLE, pair.commit(UNITS, there[0] ? SpreadPair.INDEX : SpreadPair.THIRD));
            pair.close();
        }
    }

    @Test
    void oneThatHasGrownKeepsItsSlots() throws Exception {
        CrashDevice grown = GoldenImages.load(VERSION, "grown");
        try (Bench.Opened opened = Bench.open(grown)) {
            long slots = opened.store().slots().count();
            assertTrue(slots > Layout.tryPlan(Bench.SPARE_BYTES, 4096, 0).slots());
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(6, slots - 1)));
        }
    }
}
