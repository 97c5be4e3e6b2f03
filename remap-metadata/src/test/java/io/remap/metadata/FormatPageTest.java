package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.testkit.FormatPage;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** docs/FORMAT.md says what the code does; the block of checksums is core's, and compared there. */
class FormatPageTest {
    private static final List<Class<?>> CLASSES = List.of(
            Block.class,
            Superblock.class,
            ArenaHeader.class,
            TableBlock.class,
            LogBlock.class,
            SavedArea.class,
            Entry.class,
            MemberStamp.class);

    private final FormatPage page;

    FormatPageTest() throws Exception {
        page = new FormatPage();
    }

    @Test
    void everyOffsetOfTheCodeIsOnThePage() throws Exception {
        Set<String> known = new TreeSet<>(Set.of("SealBlock"));
        for (Class<?> type : CLASSES) {
            page.assertHasOffsetsOf(type);
            known.add(type.getSimpleName());
        }
        assertEquals(
                known,
                page.lines().stream()
                        .map(FormatPage.Line::type)
                        .filter(Objects::nonNull)
                        .collect(Collectors.toCollection(TreeSet::new)));
    }

    @Test
    void rowsFollowEachOtherWithoutAGap() {
        int rows = 0;
        int end = -1;
        for (FormatPage.Line line : page.lines()) {
            if (line.row()) {
                assertTrue(end < 0 || line.offset() == end, "gap or overlap before: " + line.text());
                end = line.offset() + line.length();
                assertTrue(end <= Block.BYTES, line.text());
                rows++;
            } else {
                end = -1;
            }
        }
        assertTrue(rows > 60, "only " + rows + " rows were understood");
    }

    @Test
    void theNumbersInTheTextAreThoseOfTheCode() throws Exception {
        String text = page.text();
        assertTrue(text.contains("up to " + TableBlock.MAX_ENTRIES + " entries of " + Entry.BYTES + " bytes"));
        assertTrue(text.contains("up to " + LogBlock.MAX_RECORDS + " records of " + LogBlock.RECORD_BYTES + " bytes"));
        assertTrue(text.contains("at most " + String.format("%,d", Layout.MAX_ENTRIES)));
        assertTrue(text.contains(Layout.MIN_LOG_BLOCKS + " to " + Layout.MAX_LOG_BLOCKS));
        assertTrue(text.contains(Layout.MIN_RESERVE_BLOCKS + " to " + Layout.MAX_RESERVE_BLOCKS));
        assertEquals(
                "37 per mille",
                Layout.plan(1L << 30, 4096).sparePlan().metadataBytes() * 1000 / (1L << 30) + " per mille");
        assertTrue(Layout.plan(1L << 40, 4096).sparePlan().metadataBytes() < (1L << 40) / 1000);
        for (long magic : new long[] {
            Superblock.MAGIC,
            Superblock.MARKER_MAGIC,
            ArenaHeader.MAGIC,
            TableBlock.MAGIC,
            LogBlock.MAGIC,
            SavedArea.MAGIC
        }) {
            page.assertHasMagic(magic);
        }
    }
}
