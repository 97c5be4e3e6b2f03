package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class MisuseTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "serv | no command 'serv' (did you mean 'serve'?); see 'remap --help'",
                "frobnicate | no command 'frobnicate'; see 'remap --help'",
                "map lst | no command 'lst' (did you mean 'list'?); see 'remap map --help'",
                "serve | MAIN is missing; see 'remap serve --help'",
                "serve --no-such | unknown option '--no-such'; see 'remap serve --help'",
                "serve disk --sock=x | unknown option '--sock' (did you mean '--socket'?); see 'remap serve --help'",
                "status --jsno | unknown option '--jsno' (did you mean '--json'?); see 'remap status --help'",
                "create disk | --spare SPARE is missing; see 'remap create --help'",
                "size disk --percent=many | invalid value for option '--percent': 'many' is not an int; see 'remap size"
                        + " --help'",
                "size disk more | unexpected argument 'more'; see 'remap size --help'",
                "stop | NAME is missing; see 'remap stop --help'",
                "map list --limit=-1 | --limit -1: expected 0 or more",
                "health disk --maintenance=10081 | --maintenance 10081: expected 0 to 10080 minutes, which is a week",
                "health disk --maintenance=-1 | --maintenance -1: expected 0 to 10080 minutes, which is a week",
                "health --maintenance=200000000000000000 | --maintenance 200000000000000000: expected 0 to 10080 minutes,"
                        + " which is a week",
                "serve disk --sokcet=x | unknown option '--sokcet' (did you mean '--socket'?); see 'remap serve --help'",
            })
    void explainsInOneLine(String commandLine, String expected) {
        StringWriter err = new StringWriter();
        String[] words = commandLine.strip().split(" ", -1);
        CommandLine command = Main.commandLine(words).setErr(new PrintWriter(err));
        assertEquals(ExitStatus.USAGE, command.execute(words));
        assertEquals(List.of("remap: " + expected), err.toString().lines().toList());
    }

    @Test
    void suggestsOnlyWhatIsNear() {
        assertEquals("", Misuse.suggestion("x", List.of("map", "size")));
        assertEquals("", Misuse.suggestion("abcd", List.of("map")));
        assertEquals(" (did you mean 'map'?)", Misuse.suggestion("mpa", List.of("map", "size")));
    }

    @Test
    void everyCommandHasHelpWithAnExample() {
        checkHelp(Main.commandLine());
    }

    private static void checkHelp(CommandLine command) {
        String usage = command.getUsageMessage();
        if (command.getSubcommands().isEmpty()) {
            String name = command.getCommandSpec().qualifiedName();
            assertEquals(
                    1, usage.lines().filter(line -> line.startsWith("Example")).count(), name);
        }
        assertFalse(usage.contains("\u001b"), "colours in the help");
        command.getSubcommands().values().forEach(MisuseTest::checkHelp);
    }
}
