package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class SizeCommandTest {
    @TempDir
    Path directory;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... words) {
        CommandLine command =
                Main.commandLine(words).setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        return command.execute(words);
    }

    private Map<?, ?> document() throws Exception {
        return JSON.std.mapFrom(out.toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"1048576", "500G", "8t", "1.5TiB"})
    void aSizeIsASize(String text) {
        assertTrue(SizeCommand.isPlainSize(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "disk.img", "G", "-5G", "5GB", "./5G", "file:5G"})
    void anythingElseIsADevice(String text) {
        assertFalse(SizeCommand.isPlainSize(text));
    }

    /** By hand, in sectors: (4096/512 + 1 + 2^31 * 2 / 100 + 1) * 1.2, rounded up. */
    @Test
    void calculatesForAPlainSize() throws Exception {
        assertEquals(ExitStatus.OK, run("size", "1T", "--json"), err::toString);
        Map<?, ?> document = document();
        assertEquals(1, document.get("json_format_version"));
        assertEquals(1L << 40, document.get("mainBytes"));
        assertEquals(51_539_619L * 512, document.get("calculatedBytes"));
        assertEquals(document.get("calculatedBytes"), document.get("neededBytes"));
        assertEquals("", err.toString());
    }

    @Test
    void asksAFileForItsSizeAndLeavesItAlone() throws Exception {
        Path image = directory.resolve("disk.img");
        Files.write(image, new byte[1 << 20]);
        assertEquals(ExitStatus.OK, run("size", image.toString(), "--strict", "--json"), err::toString);
        assertEquals(1 << 20, document().get("mainBytes"));
        assertEquals((105 * (1 << 20) / 100 + 511) / 512 * 512, document().get("neededBytes"));
        try (var files = Files.list(directory)) {
            assertEquals(1, files.count(), "nothing is made");
        }
    }

    @Test
    void showsATable() {
        assertEquals(ExitStatus.OK, run("size", "8G", "--bad", "300"), err::toString);
        String text = out.toString();
        assertTrue(text.startsWith("spare for 8G, 8 GiB in sectors of 512 bytes"), text);
        assertTrue(text.contains("dm-remap v4: 2 % and a fifth"), text);
        assertTrue(text.contains("recommended here"), text);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "1T | --percent=21 | 0 to 20 percent, not 21",
                "1T | --percent=-1 | 0 to 20 percent, not -1",
                "1T | --bad=-1 | of them can be bad, not -1",
                "1K | --bad=3 | main has 2 sectors",
                "1000 | --bad=0 | must be a multiple of its sector",
            })
    void refusesInOneLine(String main, String option, String part) {
        assertEquals(ExitStatus.USAGE, run("size", main, option));
        assertEquals(1, err.toString().lines().count(), err::toString);
        assertTrue(err.toString().contains(part), err::toString);
        assertEquals("", out.toString());
    }

    @Test
    void whatIsNeitherAFileNorASizeIsSaidToBeNeither() {
        assertEquals(ExitStatus.ENVIRONMENT, run("size", "8X"));
        assertTrue(err.toString().contains("'8X' is no size either"), err::toString);
    }
}
