package io.remap.metadata;

import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * A spare with a history, to be damaged: what it holds, what it held before, which tables it ever stated, and where the
 * copies of each block stand.
 *
 * @param name what it is like
 * @param spare the device
 * @param older the same device earlier, when each place of the present blocks held an older one
 * @param expected its table as text
 * @param history all tables that it ever stated
 * @param blocks its blocks
 */
record Specimen(
        String name, CrashDevice spare, CrashDevice older, String expected, Set<String> history, List<Copies> blocks) {
    static final int LOG_BLOCKS = 8;
    /** Two table blocks. */
    private static final int MAPPINGS = 200;

    private static final int IN_THE_LOG = 3;

    /** What a block is for. */
    enum Kind {
        HEADER,
        OLDER_HEADER,
        TABLE,
        LOG,
        /** The last log block. */
        LOG_END
    }

    /**
     * A block of the metadata.
     *
     * @param offsets where its two copies stand
     */
    record Copies(Kind kind, List<Long> offsets) {
        @Override
        public String toString() {
            return kind + " at " + offsets.get(0) + " and " + offsets.get(1);
        }
    }

    /** Power was lost with three commits in the log. */
    static Specimen uncleanlyStopped() throws Exception {
        return grow("an unclean stop", Bench.formatted(LOG_BLOCKS), false);
    }

    static Specimen cleanlyStopped() throws Exception {
        return grow("a clean stop", Bench.formatted(LOG_BLOCKS), true);
    }

    /** Blocks of the table and of the log stand in the reserve. */
    static Specimen withReplacedBlocks() throws Exception {
        CrashDevice spare = Bench.formatted(LOG_BLOCKS);
        Layout layout = layout();
        for (int arena = 0; arena < 2; arena++) {
            ArenaCopy[] copies = Formatter.arena(layout, arena);
            spare.makeUnwritable(copies[0].offset(copies[0].logBody(1)), Block.BYTES);
            spare.makeUnwritable(copies[1].offset(0), Block.BYTES);
        }
        Specimen specimen = grow("blocks in the reserve", spare, false);
        spare.heal();
        return specimen;
    }

    static Layout layout() {
        return Layout.tryPlan(Bench.SPARE_BYTES, Block.BYTES, LOG_BLOCKS);
    }

    private static Specimen grow(String name, CrashDevice spare, boolean cleanly) throws Exception {
        LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
        Set<String> history = new LinkedHashSet<>(List.of(""));
        CrashDevice older = null;
        Opened opened = null;
        // The last generations stand where those of the older image stood: two openings later.
        for (int opening = 0; opening < 3; opening++) {
            opened = Bench.open(provider, spare, false, 1 + opening);
            int first = opening == 0 ? 0 : MAPPINGS + (opening - 1) * IN_THE_LOG;
            int count = opening == 0 ? MAPPINGS : IN_THE_LOG;
            for (int i = first; i < first + count; i++) {
                opened.commit(Bench.map(2L * i, i));
                history.add(Bench.text(opened.store().table()));
            }
            if (opening == 0) {
                older = spare.copy();
            }
        }
        String expected = Bench.text(opened.store().table());
        if (cleanly) {
            opened.close();
        }
        return new Specimen(name, spare, older, expected, history, blocksOf(spare, cleanly));
    }

    private static List<Copies> blocksOf(CrashDevice spare, boolean cleanly) throws Exception {
        Headers headers = Headers.read(new BlockIo(spare.copy(), Block.BYTES), layout(), Bench.PAIR.pairUuid());
        Headers.Candidate newest = headers.candidates().get(0);
        ArenaCopy[] arena = Formatter.arena(layout(), newest.arena);
        for (int copy = 0; copy < 2; copy++) {
            arena[copy].take(newest.byCopy[copy]);
        }
        List<Copies> blocks = new ArrayList<>();
        ArenaCopy[] other = Formatter.arena(layout(), 1 - newest.arena);
        blocks.add(new Copies(Kind.OLDER_HEADER, List.of(other[0].headerOffset(0), other[1].headerOffset(0))));
        blocks.add(new Copies(
                Kind.HEADER,
                List.of(arena[0].headerOffset(arena[0].headerPlace()), arena[1].headerOffset(arena[1].headerPlace()))));
        for (int body = 0; body < newest.header().tableBlocks(); body++) {
            blocks.add(new Copies(Kind.TABLE, List.of(arena[0].offset(body), arena[1].offset(body))));
        }
        int used = Checkpoint.BEGIN_POSITION + 1 + IN_THE_LOG + (cleanly ? 1 : 0);
        for (int i = 0; i < used; i++) {
            int body = arena[0].logBody(i);
            blocks.add(new Copies(
                    i == used - 1 ? Kind.LOG_END : Kind.LOG, List.of(arena[0].offset(body), arena[1].offset(body))));
        }
        return blocks;
    }
}
