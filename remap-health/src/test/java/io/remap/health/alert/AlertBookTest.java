package io.remap.health.alert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.remap.api.Refusal;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The life of an alert. */
class AlertBookTest {
    private final List<String> told = new ArrayList<>();
    private AlertBook book = new AlertBook(this::note);

    private void note(Alert alert) {
        told.add(alert.id() + " " + alert.key() + " " + alert.severity().word() + " "
                + alert.state().word() + " " + alert.value());
    }

    private void measure(Severity severity, long value, int step) {
        book.measure("errors", severity, value, step, 0, value + " errors & more", 1000 + value);
    }

    private List<String> taken() {
        List<String> taken = List.copyOf(told);
        told.clear();
        return taken;
    }

    @Test
    void tellsWhenItComesUpAtEachLimitAndWhenItIsOver() {
        measure(null, 0, 0);
        measure(Severity.WARNING, 1, 1);
        measure(Severity.WARNING, 2, 1);
        measure(Severity.WARNING, 12, 2);
        measure(Severity.DEGRADED, 50, 3);
        measure(Severity.WARNING, 12, 2);
        measure(null, 0, 0);
        assertEquals(
                List.of(
                        "1 errors warning open 1",
                        "1 errors warning open 12",
                        "1 errors degraded open 50",
                        "1 errors warning resolved 12"),
                taken());
    }

    @Test
    void anAcknowledgedOneOpensAgainWhenItGetsWorse() throws Refusal {
        measure(Severity.WARNING, 5, 1);
        book.acknowledge(1, 2000);
        taken();
        measure(Severity.WARNING, 5, 1);
        measure(Severity.WARNING, 4, 1);
        assertEquals(List.of(), taken());
        measure(Severity.WARNING, 6, 1);
        assertEquals(List.of("1 errors warning open 6"), taken());
    }

    @Test
    void aResolvedOneIsTheBaselineForTheNext() throws Refusal {
        measure(Severity.WARNING, 5, 1);
        book.resolve(1, 2000);
        taken();
        measure(Severity.WARNING, 5, 1);
        assertEquals(List.of(), taken());
        measure(Severity.WARNING, 6, 1);
        assertEquals(List.of("2 errors warning open 6"), taken());
        Refusal over = assertThrows(Refusal.class, () -> book.acknowledge(1, 3000));
        assertEquals(Refusal.Kind.NOT_SO, over.kind());
    }

    @Test
    void theBaselineFallsWithTheValueSoThatLessIsToldOfAgain() throws Refusal {
        measure(Severity.CRITICAL, 5, 1);
        book.resolve(1, 2000);
        measure(null, 0, 0);
        taken();
        measure(Severity.CRITICAL, 3, 1);
        assertEquals(List.of("2 errors critical open 3"), taken());
        book.resolve(2, 3000);
        measure(Severity.CRITICAL, 2, 1);
        taken();
        measure(Severity.CRITICAL, 3, 1);
        assertEquals(List.of("3 errors critical open 3"), taken(), "from 2, at which it was");
    }

    @Test
    void whatWasAcknowledgedFallsWithTheValueToo() throws Refusal {
        measure(Severity.WARNING, 50, 1);
        book.acknowledge(1, 2000);
        measure(Severity.WARNING, 10, 1);
        taken();
        measure(Severity.WARNING, 10, 1);
        assertEquals(List.of(), taken());
        measure(Severity.WARNING, 11, 1);
        assertEquals(List.of("1 errors warning open 11"), taken());
    }

    @Test
    void allOfItIsRemembered() throws Refusal {
        measure(Severity.WARNING, 5, 1);
        book.resolve(1, 2000);
        book.measure("heat", Severity.CRITICAL, 70, 2, 0, "70 °C\n\"hot\"", 3000);
        book.acknowledge(2, 3500);
        List<String> before = book.list().stream().map(Object::toString).toList();
        AlertBook after = new AlertBook(this::note);
        for (String line : book.lines()) {
            assertEquals(-1, line.indexOf('\n'));
            after.restore(line.split(" ", -1));
        }
        assertEquals(before, after.list().stream().map(Object::toString).toList());
        taken();
        book = after;
        measure(Severity.WARNING, 5, 1);
        assertEquals(List.of(), taken());
        measure(Severity.WARNING, 6, 1);
        assertEquals(List.of("3 errors warning open 6"), taken());
    }

    @Test
    void theNumberOfKeysIsBounded() {
        for (int i = 0; i < 2 * AlertBook.MAX_KEYS; i++) {
            book.measure("key" + i, Severity.INFO, 1, 1, 0, "", i);
            book.measure("passing" + i, Severity.INFO, 1, 1, 0, "", i);
            book.measure("passing" + i, null, 0, 0, 0, "", i);
        }
        assertEquals(AlertBook.MAX_KEYS, book.open());
        assertEquals(true, book.list().size() <= AlertBook.MAX_KEYS + AlertBook.MAX_OVER);
    }
}
