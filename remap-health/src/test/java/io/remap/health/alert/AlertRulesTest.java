package io.remap.health.alert;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.Refusal;
import io.remap.health.score.Evidence;
import io.remap.health.smart.SmartReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What measurements come to, one after another, be they of values that fall again. */
class AlertRulesTest {
    private final List<String> told = new ArrayList<>();
    private final AlertBook book = new AlertBook(alert -> told.add(
            alert.key() + " " + alert.severity().word() + " " + alert.state().word() + " " + alert.value()));
    private final AlertRules rules = new AlertRules(book);

    private static Evidence evidence(long lost, long failedFlushes, boolean redirects, Optional<SmartReport> smart) {
        return new Evidence(0, 0, 0, 0, 0, 0, lost, 0, failedFlushes, 100, 0, redirects, smart);
    }

    private static SmartReport drive(String protocol, long temperature, long criticalWarning) {
        return new SmartReport("", "", protocol, true, temperature, -1, -1, -1, -1, -1, -1, criticalWarning, -1, -1);
    }

    private List<String> taken() {
        List<String> taken = List.copyOf(told);
        told.clear();
        return taken;
    }

    private List<String> heat(String protocol, long... temperatures) {
        for (long temperature : temperatures) {
            rules.apply(evidence(0, 0, true, Optional.of(drive(protocol, temperature, 0))), 1000);
        }
        return taken();
    }

    private void resolveAll() throws Refusal {
        for (Alert alert : book.list()) {
            if (alert.state() != Alert.State.RESOLVED) {
                book.resolve(alert.id(), 2000);
            }
        }
        taken();
    }

    @Test
    void whatWasResolvedIsToldOfAgainOnceItCameDownAndRoseAnew() throws Refusal {
        Evidence bad = evidence(5, 2, false, Optional.of(drive("NVMe", 40, 1)));
        Evidence good = evidence(0, 0, true, Optional.of(drive("NVMe", 40, 0)));
        rules.apply(bad, 1000);
        resolveAll();
        rules.apply(bad, 1000);
        assertEquals(List.of(), taken(), "it is as it was when it was resolved");
        rules.apply(good, 1000);
        rules.apply(evidence(3, 1, false, Optional.of(drive("NVMe", 40, 1))), 1000);
        assertEquals(
                List.of(
                        "lost-sectors critical open 3",
                        "flush-failed critical open 1",
                        "no-redirection critical open 1",
                        "smart-warning critical open 1"),
                taken());
    }

    @Test
    void aTemperatureThatGoesUpAndDownAroundALimitIsToldOfOnce() {
        assertEquals(List.of("temperature warning open 55"), heat("ATA", 54, 55, 54, 55, 53, 56, 54, 55));
        assertEquals(List.of("temperature critical open 65"), heat("ATA", 65, 64, 65, 63, 66));
        assertEquals(List.of("temperature critical open 65"), heat("ATA", 62, 64, 65));
        assertEquals(List.of("temperature warning resolved 60"), heat("ATA", 60, 52));
    }

    @Test
    void aTemperatureThatSomebodyKnowsOfIsToldOfOnceItIsClearlyHigher() throws Refusal {
        heat("ATA", 56);
        book.acknowledge(book.list().get(0).id(), 2000);
        assertEquals(List.of(), heat("ATA", 57, 56, 59));
        assertEquals(List.of("temperature warning open 60"), heat("ATA", 60));
        resolveAll();
        assertEquals(List.of(), heat("ATA", 59, 60, 61));
        assertEquals(List.of("temperature warning open 63"), heat("ATA", 63));
    }

    @Test
    void anNvmeDriveMayBeHotter() {
        assertEquals(List.of(), heat("NVMe", 55, 65, 69));
        assertEquals(List.of("temperature warning open 70", "temperature critical open 80"), heat("NVMe", 70, 80));
    }
}
