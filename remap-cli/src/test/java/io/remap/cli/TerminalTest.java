package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TerminalTest {
    private final StringWriter text = new StringWriter();
    private final PrintWriter out = new PrintWriter(text);

    @Test
    void coloursOnlyWhereTheyAreWanted() {
        assertTrue(Terminal.of(out, true, Map.of("TERM", "xterm")).colours());
        assertTrue(
                Terminal.of(out, true, Map.of("TERM", "xterm", "NO_COLOR", "")).colours());
        assertFalse(Terminal.of(out, false, Map.of("TERM", "xterm")).colours());
        assertFalse(
                Terminal.of(out, true, Map.of("TERM", "xterm", "NO_COLOR", "1")).colours());
        assertFalse(Terminal.of(out, true, Map.of("TERM", "dumb")).colours());
        assertFalse(Terminal.of(out, true, Map.of()).colours());
    }

    @Test
    void alignsColumns() {
        Terminal.of(out, false, Map.of()).table(List.of(List.of("A", "LONG", "C"), List.of("wide", "x", "")));
        out.flush();
        assertEquals(
                List.of("A     LONG  C", "wide  x"), text.toString().lines().toList());
    }
}
