package io.remap.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** docs/FORMAT.md, to compare with the code that writes its blocks, whichever module that is in. */
public final class FormatPage {
    private static final Pattern ROW = Pattern.compile("\\| (\\d+) \\| (\\d+) \\| (.*) \\| (?:`(\\w+)\\.(\\w+)` )?\\|");

    /**
     * One line of the page.
     *
     * @param row whether it is a row of a table of fields; nothing else is known of it if it is not
     * @param type class that has a constant for the offset, {@code null} if none does
     */
    public record Line(String text, boolean row, int offset, int length, String type, String constant) {}

    private final List<Line> lines = new ArrayList<>();

    public FormatPage() throws IOException {
        for (String text : Files.readAllLines(Path.of("..", "docs", "FORMAT.md"))) {
            Matcher row = ROW.matcher(text);
            lines.add(
                    row.matches()
                            ? new Line(
                                    text,
                                    true,
                                    Integer.parseInt(row.group(1)),
                                    Integer.parseInt(row.group(2)),
                                    row.group(4),
                                    row.group(5))
                            : new Line(text, false, 0, 0, null, null));
        }
    }

    public List<Line> lines() {
        return lines;
    }

    /** All lines in one. */
    public String text() {
        return lines.stream().map(Line::text).collect(Collectors.joining(" "));
    }

    /** Every offset that the class has a constant for is on the page, and the other way round. */
    public void assertHasOffsetsOf(Class<?> type) throws IllegalAccessException {
        Map<String, Integer> code = new TreeMap<>();
        for (Field field : type.getDeclaredFields()) {
            if (field.getName().endsWith("_AT")) {
                field.setAccessible(true);
                code.put(field.getName(), field.getInt(null));
            }
        }
        Map<String, Integer> onPage = new TreeMap<>();
        for (Line line : lines) {
            if (type.getSimpleName().equals(line.type())) {
                onPage.put(line.constant(), line.offset());
            }
        }
        assertEquals(code, onPage, type.getSimpleName());
    }

    /** The page names what a block begins with. */
    public void assertHasMagic(long magic) {
        StringBuilder name = new StringBuilder();
        for (int i = 0; i < 8; i++) {
            name.append((char) ((magic >>> (8 * i)) & 0xff));
        }
        assertTrue(text().contains(", `" + name + "`"), name.toString());
    }
}
