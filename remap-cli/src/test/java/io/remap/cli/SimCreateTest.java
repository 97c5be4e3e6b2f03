package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class SimCreateTest {
    @TempDir
    Path folder;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int create(String image, String... options) {
        CommandLine command =
                Main.commandLine("sim").setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        String[] words = new String[3 + options.length];
        words[0] = "sim";
        words[1] = "create";
        words[2] = folder.resolve(image).toString();
        System.arraycopy(options, 0, words, 3, options.length);
        return command.execute(words);
    }

    private String rescued(String... lines) throws IOException {
        return Files.write(folder.resolve("rescue.map"), List.of(lines)).toString();
    }

    @Test
    void whatAnUnfinishedRescueHasNotReadFailsToo() throws IOException {
        String map = rescued(
                "0x0 ? 1", "0 0x1000 -", "0x1000 0x600 *", "0x1600 0x10000 /", "0x11600 0x200 ?", "0x11800 4K +");
        assertEquals(ExitStatus.USAGE, create("my disk's.img", "--size", "1M", "--from", map));
        assertTrue(err.toString().contains("'4K'"), err.toString());
        map = rescued(
                "0x0 ? 1", "0 0x1000 -", "0x1000 0x600 *", "0x1600 0x10000 /", "0x11600 0x200 ?", "0x11800 512 +");
        assertEquals(ExitStatus.OK, create("my disk's.img", "--size", "1M", "--from", map), err.toString());
        List<String> lines = out.toString().lines().toList();
        assertTrue(lines.get(0).contains("140 sectors in 4 places fail"), lines.get(0));
        assertEquals(
                "of these the map of ddrescue says: 8 bad, 128 not scraped, 3 not trimmed, 1 never tried",
                lines.get(1));
        assertEquals("serve it with   remap sim serve '" + folder.resolve("my disk'\\''s.img") + "'", lines.get(2));
    }

    @Test
    void aMapThatGoesBeyondTheImageMakesNothing() throws IOException {
        String map = rescued("0x0 ? 1", "0x2000000 512 -");
        assertEquals(ExitStatus.USAGE, create("a.img", "--size", "32M", "--from", map));
        assertTrue(err.toString().contains("line 2: the map goes beyond the end of the disk"), err.toString());
        assertFalse(Files.exists(folder.resolve("a.img")));
    }
}
