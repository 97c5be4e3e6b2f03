package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class StandardOutputTest {
    private final StringWriter err = new StringWriter();

    private int execute(OutputStream target, String... words) {
        CommandLine command = Main.commandLine(words).setErr(new PrintWriter(err));
        return Main.execute(command, target, words);
    }

    @ParameterizedTest
    @ValueSource(strings = {"map --help", "plugins settings", "plugins settings --json", "size 1G"})
    void whatCannotBeWrittenIsNotDone(String line) throws IOException {
        try (FileOutputStream full = new FileOutputStream("/dev/full")) {
            assertEquals(3, execute(full, line.split(" ", -1)));
        }
        assertEquals("remap: cannot write the output: No space left on device\n", err.toString());
    }

    @Test
    void whoeverHadEnoughOfItIsNoError() {
        OutputStream broken = new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                throw new IOException("Broken pipe");
            }
        };
        assertEquals(ExitStatus.OK, execute(broken, "plugins", "settings"));
        assertEquals("", err.toString());
    }
}
