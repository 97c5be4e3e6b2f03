package io.remap.health.alert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.health.score.Evidence;
import io.remap.health.smart.SmartReport;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What measurements come to, one after another, be they of values that fall again. */
class AlertRulesTest {
    private final List<String> told = new ArrayList<>();
    private final AlertBook book = new AlertBook(alert -> told.add(
            alert.key() + " " + alert.severity().word() + " " + alert.state().word() + " " + alert.value()));
    private AlertRules rules = new AlertRules(book, AlertLimits.USUAL);

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

    private List<String> spareUse(long slots, long... used) {
        for (long one : used) {
            rules.apply(new Evidence(0, 0, 0, 0, 0, 0, 0, 0, 0, slots, one, true, Optional.empty()), 1000);
        }
        return taken();
    }

    /** With checksums each seal takes a slot, and each opening frees one. */
    @Test
    void aSpareWhoseUseGoesUpAndDownAroundALimitIsToldOfOnce() throws Refusal {
        assertEquals(List.of("spare-used warning open 50"), spareUse(16_000, 7_999, 8_000, 7_999, 8_000, 7_840, 8_000));
        assertEquals(List.of("spare-used warning resolved 49"), spareUse(16_000, 7_840, 7_839, 7_999));
        assertEquals(List.of("spare-used warning open 50"), spareUse(16_000, 8_000));
        book.acknowledge(book.list().get(0).id(), 2000);
        assertEquals(List.of(), spareUse(16_000, 7_999, 8_000, 7_999, 8_000, 8_300));
        resolveAll();
        assertEquals(List.of(), spareUse(16_000, 7_999, 8_000, 7_999, 8_000));
        assertEquals(List.of("spare-used critical open 80"), spareUse(100, 80, 79, 80));
    }

    @Test
    void aSpareThatIsFullIsToldOfThoughSomebodyKnewThatItAlmostWas() throws Refusal {
        spareUse(100, 99);
        book.acknowledge(book.list().get(0).id(), 2000);
        assertEquals(List.of("spare-used critical open 100"), spareUse(100, 99, 100, 99, 100, 99, 100));
    }

    @Test
    void aSpareThatIsFullIsToldOfThoughItsUseJustBeforeWasTheBaseline() throws Refusal {
        for (long before : new long[] {98, 99}) {
            spareUse(100, 0, before);
            resolveAll();
            assertEquals(List.of("spare-used critical open 100"), spareUse(100, before, 100, 100));
            resolveAll();
            assertEquals(List.of(), spareUse(100, 100, 100), "full is the baseline now");
        }
    }

    @Test
    void alsoTheLeastLimitOfASpareIsLeft() throws Refusal {
        rules = new AlertRules(book, limits("spare-warning-percent", "1"));
        assertEquals(
                List.of("spare-used warning open 1", "spare-used warning resolved 1"), spareUse(100, 0, 1, 2, 1, 0));
    }

    private static AlertLimits limits(String... namesAndValues) throws Refusal {
        Map<String, String> chosen = new HashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            chosen.put("alert." + namesAndValues[i], namesAndValues[i + 1]);
        }
        return AlertLimits.read(new Settings(chosen));
    }

    @Test
    void whatIsChosenByNobodyIsUsual() throws Refusal {
        assertEquals(AlertLimits.USUAL, limits());
    }

    @Test
    void theUserMayChooseFromWhenOnToBeTold() throws Refusal {
        rules = new AlertRules(
                book,
                limits(
                        "temperature-warning-celsius",
                        "40",
                        "temperature-critical-celsius",
                        "45",
                        "growth-units",
                        "7",
                        "spare-warning-percent",
                        "10",
                        "spare-critical-percent",
                        "20",
                        "spare-last-percent",
                        "30"));
        assertEquals(List.of("temperature warning open 40"), heat("ATA", 39, 40, 44));
        assertEquals(List.of("temperature critical open 45"), heat("NVMe", 45));
        for (long value : List.of(6L, 7L, 9L, 10L, 19L, 20L, 29L, 30L, 99L)) {
            rules.apply(new Evidence(0, value, 0, 0, 0, 0, 0, 0, 0, 100, value, true, Optional.empty()), 1000);
        }
        assertEquals(
                List.of(
                        "bad-units-growth replace open 7",
                        "spare-used warning open 10",
                        "spare-used critical open 20",
                        "spare-used critical open 30"),
                taken());
    }

    @Test
    void ofTwoTemperaturesOneMayBeChosen() throws Refusal {
        rules = new AlertRules(book, limits("temperature-critical-celsius", "50"));
        assertEquals(
                List.of("temperature warning open 40", "temperature critical open 50"), heat("ATA", 39, 40, 49, 50));
        resolveAll();
        heat("ATA", 20);
        taken();
        rules = new AlertRules(book, limits("temperature-warning-celsius", "75"));
        assertEquals(
                List.of("temperature warning open 75", "temperature critical open 85"), heat("NVMe", 74, 75, 84, 85));
        Refusal both = assertThrows(
                Refusal.class, () -> limits("temperature-warning-celsius", "60", "temperature-critical-celsius", "60"));
        assertTrue(
                both.getMessage().contains("expected less than alert.temperature-critical-celsius, which is 60"),
                both.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "spare-warning-percent, 0, expected a number from 1 to 100",
        "spare-warning-percent, 80, expected less than alert.spare-critical-percent",
        "spare-critical-percent, 90, expected less than alert.spare-last-percent",
        "spare-last-percent, 101, expected a number from 1 to 100",
        "growth-units, 0, expected a number from 1 to 1000000",
        "temperature-warning-celsius, warm, expected a number from 20 to 120",
        "temperature-critical-celsius, 121, expected a number from 20 to 120"
    })
    void whatMakesNoSenseIsRefused(String name, String value, String why) {
        String message = assertThrows(Refusal.class, () -> limits(name, value)).getMessage();
        assertTrue(message.contains(why), message);
    }

    @Test
    void anNvmeDriveMayBeHotter() {
        assertEquals(List.of(), heat("NVMe", 55, 65, 69));
        assertEquals(List.of("temperature warning open 70", "temperature critical open 80"), heat("NVMe", 70, 80));
    }
}
