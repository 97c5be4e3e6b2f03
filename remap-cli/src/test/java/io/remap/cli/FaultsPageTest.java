package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The table of docs/FAULTS.md leaves out no row, and names only tests that there are. */
class FaultsPageTest {
    private static final int ROWS = 23;
    private static final Path PROJECT = Path.of("..");
    private static final Path SUITES = Path.of("src", "test", "integration");
    private static final Pattern ROW = Pattern.compile("\\| (\\d+|–) \\| (.+) \\| (.+) \\| (.+) \\|");
    private static final Pattern NAME = Pattern.compile("`([^`]+)`");
    private static final Pattern OF_CLASS = Pattern.compile("(\\w+Test)(?:\\.(\\w+))?");
    private static final Pattern OF_SUITE = Pattern.compile("([\\w-]+\\.sh)(?: (test_\\w+))?");

    /** By its simple name; source text. */
    private static final Map<String, String> CLASSES = new HashMap<>();

    private static List<Row> rows;

    private record Row(String number, List<String> tests) {}

    @BeforeAll
    static void read() throws IOException {
        rows = Files.readAllLines(PROJECT.resolve("docs/FAULTS.md")).stream()
                .map(ROW::matcher)
                .filter(Matcher::matches)
                .map(row -> new Row(row.group(1), names(row.group(4))))
                .toList();
        for (String module : List.of("remap-core", "remap-metadata", "remap-health", "remap-cli")) {
            try (Stream<Path> files = Files.walk(PROJECT.resolve(module).resolve("src/test/java"))) {
                for (Path file : files.filter(path -> path.toString().endsWith("Test.java"))
                        .toList()) {
                    String name = file.getFileName().toString();
                    CLASSES.put(name.substring(0, name.length() - ".java".length()), Files.readString(file));
                }
            }
        }
    }

    private static List<String> names(String text) {
        return NAME.matcher(text).results().map(found -> found.group(1)).toList();
    }

    @Test
    void everyRowIsThereOnce() {
        assertEquals(
                IntStream.rangeClosed(1, ROWS).mapToObj(Integer::toString).toList(),
                rows.stream()
                        .map(Row::number)
                        .filter(number -> !number.equals("–"))
                        .toList());
    }

    @Test
    void everyNamedTestIsThere() throws IOException {
        List<String> missing = new ArrayList<>();
        for (Row row : rows) {
            assertTrue(!row.tests.isEmpty(), () -> "row " + row.number + " names no test");
            for (String test : row.tests) {
                if (!exists(test)) {
                    missing.add("row " + row.number + ": " + test);
                }
            }
        }
        assertEquals(List.of(), missing, "no such tests");
    }

    private static boolean exists(String test) throws IOException {
        Matcher ofClass = OF_CLASS.matcher(test);
        if (ofClass.matches()) {
            Optional<String> source = Optional.ofNullable(CLASSES.get(ofClass.group(1)));
            return source.filter(text -> ofClass.group(2) == null || text.contains("void " + ofClass.group(2) + "("))
                    .isPresent();
        }
        Matcher ofSuite = OF_SUITE.matcher(test);
        if (!ofSuite.matches() || !Files.exists(SUITES.resolve(ofSuite.group(1)))) {
            return false;
        }
        return ofSuite.group(2) == null
                || Files.readString(SUITES.resolve(ofSuite.group(1))).contains("\n" + ofSuite.group(2) + "() {");
    }

    @Test
    void everyTestOfARowIsNamedThere() throws IOException {
        Matcher methods = Pattern.compile("void (row(\\d\\d)\\w+)\\(").matcher(CLASSES.get("ReactionsTest"));
        List<String> rowsWithATest = new ArrayList<>();
        while (methods.find()) {
            rowsWithATest.add(methods.group(2));
            assertNamed(Integer.parseInt(methods.group(2)), "ReactionsTest." + methods.group(1));
        }
        assertEquals(
                IntStream.rangeClosed(1, ROWS)
                        .mapToObj(row -> row < 10 ? "0" + row : "" + row)
                        .toList(),
                rowsWithATest.stream().sorted().distinct().toList(),
                "rows with a test");
        Matcher functions = Pattern.compile("\n(test_row((?:_\\d+)+)_\\w+)\\(\\)")
                .matcher(Files.readString(SUITES.resolve("reactions.sh")));
        int found = 0;
        while (functions.find()) {
            found++;
            for (String number : functions.group(2).substring(1).split("_", -1)) {
                assertNamed(Integer.parseInt(number), "reactions.sh " + functions.group(1));
            }
        }
        assertTrue(found > 0, "no test of a row in reactions.sh");
    }

    private static void assertNamed(int number, String test) {
        Row row = rows.stream()
                .filter(each -> each.number.equals(Integer.toString(number)))
                .findFirst()
                .orElseThrow();
        assertTrue(row.tests.contains(test), () -> "row " + number + " does not name " + test);
    }
}
