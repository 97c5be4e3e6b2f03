package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.SealBlock;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** docs/FORMAT.md says what the code does. */
class FormatPageTest {
    private static final Pattern ROW = Pattern.compile("\\| (\\d+) \\| (\\d+) \\| (.*) \\| (?:`(\\w+)\\.(\\w+)` )?\\|");
    private static final List<Class<?>> CLASSES = List.of(
            Block.class,
            Superblock.class,
            ArenaHeader.class,
            TableBlock.class,
            LogBlock.class,
            SavedArea.class,
            Entry.class,
            MemberStamp.class,
            SealBlock.class);

    private final List<String> lines;

    FormatPageTest() throws Exception {
        lines = Files.readAllLines(Path.of("..", "docs", "FORMAT.md"));
    }

    @Test
    void everyOffsetOfTheCodeIsOnThePage() throws Exception {
        Map<String, Integer> code = new HashMap<>();
        for (Class<?> type : CLASSES) {
            for (Field field : type.getDeclaredFields()) {
                if (field.getName().endsWith("_AT")) {
                    field.setAccessible(true);
                    code.put(type.getSimpleName() + "." + field.getName(), field.getInt(null));
                }
            }
        }
        Set<String> onPage = new HashSet<>();
        for (String line : lines) {
            Matcher row = ROW.matcher(line);
            if (row.matches() && row.group(4) != null) {
                String constant = row.group(4) + "." + row.group(5);
                assertEquals(code.get(constant), Integer.valueOf(row.group(1)), line);
                onPage.add(constant);
            }
        }
        assertEquals(code.keySet(), onPage);
    }

    @Test
    void rowsFollowEachOtherWithoutAGap() {
        int rows = 0;
        int end = -1;
        for (String line : lines) {
            Matcher row = ROW.matcher(line);
            if (row.matches()) {
                int offset = Integer.parseInt(row.group(1));
                assertTrue(end < 0 || offset == end, "gap or overlap before: " + line);
                end = offset + Integer.parseInt(row.group(2));
                assertTrue(end <= Block.BYTES, line);
                rows++;
            } else {
                end = -1;
            }
        }
        assertTrue(rows > 60, "only " + rows + " rows were understood");
    }

    @Test
    void theNumbersInTheTextAreThoseOfTheCode() throws Exception {
        String text = String.join(" ", lines);
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
            SavedArea.MAGIC,
            SealBlock.MAGIC
        }) {
            StringBuilder name = new StringBuilder();
            for (int i = 0; i < 8; i++) {
                name.append((char) ((magic >>> (8 * i)) & 0xff));
            }
            assertTrue(text.contains(", `" + name + "`"), name.toString());
        }
    }
}
