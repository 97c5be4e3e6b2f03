package io.remap.health.smart;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.testkit.RealEnvironment;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The answers of smartctl, and of programs that are none. */
class SmartTest {
    private static final String ATA =
            "{\"smartctl\":{\"version\":[7,3]},\"device\":{\"name\":\"/dev/sda\",\"protocol\":\"ATA\"},"
                    + "\"model_name\":\"Old Disk\",\"serial_number\":\"X1\",\"smart_status\":{\"passed\":true},"
                    + "\"temperature\":{\"current\":41},\"power_on_time\":{\"hours\":43210},"
                    + "\"ata_sct_erc\":{\"read\":{\"enabled\":false},\"write\":{\"enabled\":false}},"
                    + "\"ata_smart_attributes\":{\"table\":[{\"id\":5,\"raw\":{\"value\":12,\"string\":\"12\"}},"
                    + "{\"id\":197,\"raw\":{\"value\":3}},{\"id\":198,\"raw\":{\"value\":2}},{\"id\":199,\"raw\":{\"value\":7}}]}}";
    private static final String NVME =
            "{\"smartctl\":{},\"device\":{\"protocol\":\"NVMe\"},\"smart_status\":{\"passed\":false},"
                    + "\"nvme_smart_health_information_log\":{\"critical_warning\":4,\"percentage_used\":101,\"available_spare\":9,"
                    + "\"media_errors\":5}}";

    @TempDir
    Path directory;

    @Test
    void readsAnAtaDrive() {
        SmartReport report = SmartReport.parse(ATA);
        assertEquals(new SmartReport("Old Disk", "X1", "ATA", true, 41, 43210, 3, 12, 2, 7, 0, -1, -1, -1), report);
        assertTrue(report.ercAdvice("/dev/sda").contains("smartctl -l scterc,70,70 /dev/sda"));
    }

    @Test
    void readsAnNvmeDrive() {
        SmartReport report = SmartReport.parse(NVME);
        assertEquals(
                List.of(false, 4L, 101L, 9L, 5L, -1L),
                List.of(
                        report.passed(),
                        report.criticalWarning(),
                        report.percentUsed(),
                        report.availableSpare(),
                        report.uncorrectable(),
                        report.pending()));
        assertEquals("", report.ercAdvice("/dev/nvme0"));
    }

    /** As smartctl 7.3 says it of a SCSI disk, with a log of errors. */
    @Test
    void readsAScsiDrive() {
        SmartReport report = SmartReport.parse(
                "{\"smartctl\":{\"exit_status\":4},\"device\":{\"type\":\"scsi\",\"protocol\":\"SCSI\"},"
                        + "\"scsi_vendor\":\"Linux\",\"scsi_product\":\"scsi_debug\",\"scsi_model_name\":\"Linux scsi_debug\","
                        + "\"serial_number\":\"14000\",\"smart_status\":{\"passed\":true},"
                        + "\"temperature\":{\"current\":38,\"drive_trip\":65},\"scsi_grown_defect_list\":11,"
                        + "\"scsi_error_counter_log\":{\"read\":{\"total_errors_corrected\":900,\"total_uncorrected_errors\":4}}}");
        assertEquals(
                new SmartReport("Linux scsi_debug", "14000", "SCSI", true, 38, -1, -1, 11, 4, -1, -1, -1, -1, -1),
                report);
        assertEquals("", report.ercAdvice("/dev/sdb"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "{", "[1,2", "{\"a\":}", "{\"smartctl\":{}} x", "\"abc", "{\"smartctl\":{}}", "nul", "1.2.3"
            })
    void whatIsNoAnswerIsRefused(String text) {
        assertThrows(IllegalArgumentException.class, () -> SmartReport.parse(text));
    }

    @Test
    void nestingIsBounded() {
        assertThrows(IllegalArgumentException.class, () -> Json.parse("[".repeat(100_000)));
    }

    @Test
    void jsonIsReadAsItIs() {
        assertEquals(
                Map.of("a", List.of(1L, -2.5, true, "x\"\u00e9\n"), "b", Map.of()),
                Json.parse(" {\"a\" : [1, -2.5, true, \"x\\\"\\u00e9\\n\"], \"b\":{} } "));
    }

    private SmartReader.Answer ask(String script, long timeoutMillis) throws IOException {
        return askAgain(timeoutMillis, script).get(0);
    }

    /** One reader, whose program says something else each time. */
    private List<SmartReader.Answer> askAgain(long timeoutMillis, String... scripts) throws IOException {
        Path program = directory.resolve("smartctl");
        ScheduledExecutorService threads = Executors.newScheduledThreadPool(1);
        try {
            SmartReader reader =
                    new SmartReader(RealEnvironment.on(threads), program.toString(), "/dev/sdx", timeoutMillis);
            List<SmartReader.Answer> answers = new ArrayList<>();
            for (String script : scripts) {
                Files.deleteIfExists(program);
                Files.writeString(program, "#!/bin/sh\n" + script);
                Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
                reader.ask();
                answers.add(reader.last());
            }
            return answers;
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void asksTheProgram() throws IOException {
        // Bits of the exit status tell of old errors: the answer counts.
        SmartReader.Answer answer = ask("echo '" + ATA + "'; exit 64", 30_000);
        assertEquals(3, answer.report().orElseThrow().pending());
    }

    /** What it said stays, and from when that is, as the next question has another time. */
    @Test
    void anOldAnswerIsToldFromANewOne() throws IOException {
        List<SmartReader.Answer> answers = askAgain(30_000, "echo '" + ATA + "'", "sleep 0.01", "echo '" + ATA + "'");
        assertEquals("", answers.get(0).why());
        assertEquals(answers.get(0).readMillis(), answers.get(0).reportMillis());
        assertEquals(answers.get(0).report(), answers.get(1).report());
        assertEquals(answers.get(0).reportMillis(), answers.get(1).reportMillis());
        assertTrue(answers.get(1).readMillis() > answers.get(0).readMillis());
        assertTrue(answers.get(1).why().contains("no answer"), answers.get(1).why());
        assertEquals("", answers.get(2).why());
        assertEquals(answers.get(2).readMillis(), answers.get(2).reportMillis());
    }

    @Test
    void aProgramThatHangsIsKilled() throws IOException {
        SmartReader.Answer answer = ask("sleep 1000", 200);
        assertTrue(answer.report().isEmpty());
        assertTrue(answer.why().contains("no answer for /dev/sdx within 200 ms"), answer.why());
    }
}
