package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.Settings;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Whose generations stand on a spare: of each opening, of whatever begins them, and on either of two spares. */
class LineageTest {
    private static final int LOG_BLOCKS = 4;
    private static final Lineage ONE = new Lineage(new UUID(11, 12), new UUID(13, 14));
    private static final Lineage TWO = new Lineage(new UUID(21, 22), ONE.session());

    private final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);

    private Opened open(BlockDevice spare, Lineage lineage) throws Exception {
        Bench.Tasks tasks = new Bench.Tasks();
        return new Opened(
                provider.open(spare, Optional.of(lineage), Bench.environment(tasks, 4), Settings.defaults()), tasks);
    }

    private Lineage found(BlockDevice spare) throws Exception {
        try (MetadataStore look =
                provider.open(spare, Optional.empty(), Bench.environment(new Bench.Tasks(), 5), Settings.defaults())) {
            return look.lineage();
        }
    }

    @Test
    void eachOpeningPutsItsOwnOnAllThatItBegins() throws Exception {
        CrashDevice spare = Bench.formatted(LOG_BLOCKS);
        Lineage formatted = found(spare);
        assertEquals(formatted.session(), formatted.ancestor());
        for (Lineage lineage : List.of(ONE, TWO)) {
            Opened opened = open(spare, lineage);
            assertEquals(lineage, opened.store().lineage());
            long first = opened.store().generation();
            for (long unit = 0; unit < 12; unit++) {
                assertEquals(Outcome.DURABLE, opened.commit(Bench.map(unit, unit)));
                assertEquals(lineage, found(spare.copy()));
            }
            assertTrue(opened.store().generation() > first + 1, "more than one log holds");
            opened.close();
            assertEquals(lineage, found(spare));
        }
        assertTrue(found(spare).follows(TWO.session()));
        assertTrue(found(spare).follows(ONE.session()));
        assertTrue(!found(spare).follows(ONE.ancestor()));
    }

    @Test
    void aRepairIsOfNoOther() throws Exception {
        CrashDevice spare = Bench.formatted(LOG_BLOCKS);
        Opened opened = open(spare, ONE);
        assertEquals(Outcome.DURABLE, opened.commit(Bench.map(1, 1)));
        long generation = opened.store().generation();
        CrashDevice copy = spare.copy();
        copy.poke(Layout.identityOffset(0, Bench.SPARE_BYTES), new byte[Block.BYTES]);
        Verdict verdict = new LogMetadataTools()
                .repair(copy, Bench.environment(new Bench.Tasks(), 6))
                .verdict();
        assertEquals(Verdict.SOUND, verdict);
        assertEquals(ONE, found(copy));
        assertTrue(Bench.open(provider, copy, true, 7).store().generation() > generation);
    }

    @Test
    void aCopyOfTheTableIsOfTheSame() throws Exception {
        SpreadPair pair = SpreadPair.formatted();
        pair.spread();
        Lineage lineage = pair.opened.store().lineage();
        for (long unit = 0; unit < 12; unit++) {
            assertEquals(Outcome.DURABLE, pair.commit(unit));
        }
        assertEquals(lineage, found(pair.first.copy()));
        assertEquals(lineage, found(pair.further.copy()));
        // The lead goes, and the other one takes its place.
        pair.first.failFrom(pair.first.operations(), 5);
        assertEquals(Outcome.DURABLE, pair.commit(20));
        assertEquals(lineage, pair.opened.store().lineage());
        assertEquals(lineage, found(pair.further.copy()));
    }
}
