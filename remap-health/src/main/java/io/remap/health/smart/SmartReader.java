package io.remap.health.smart;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/**
 * Asks a drive by {@code smartctl -j}, on whatever thread calls: never one that serves clients. A tool that hangs is killed
 * when its time is over; the drive is asked only if it does not sleep. Thread-safe; holds the last answer.
 */
public final class SmartReader {
    private static final int MAX_ANSWER_BYTES = 1 << 20;

    /**
     * The last answer.
     *
     * @param report what the drive said, the last time that it said anything
     * @param reportMillis when it said that, since 1970; 0: never
     * @param why why there is none, or none that is newer; empty if it answered when it was asked last
     * @param readMillis when it was asked last, since 1970; 0: not yet
     */
    public record Answer(Optional<SmartReport> report, long reportMillis, String why, long readMillis) {}

    private final Environment environment;
    private final String program;
    private final String device;
    private final long timeoutMillis;
    private volatile Answer last;

    /**
     * Asks nothing yet.
     *
     * @param program that asks; empty: none, then nobody is asked
     * @param device the drive; empty: there is none to ask
     */
    public SmartReader(Environment environment, String program, String device, long timeoutMillis) {
        this.environment = environment;
        this.program = program;
        this.device = device;
        this.timeoutMillis = timeoutMillis;
        String why = program.isEmpty() ? "switched off (smart.program=off)" : "not asked so far";
        this.last = new Answer(Optional.empty(), 0, why, 0);
    }

    /** The drive that is asked. */
    public String device() {
        return device;
    }

    /** What it said last. */
    public Answer last() {
        return last;
    }

    /** Asks; blocks until there is an answer or the time is over. What was told before stays if it does not answer now. */
    public void ask() {
        long now = environment.time().wallMillis();
        if (device.isEmpty()) {
            last = new Answer(Optional.empty(), 0, "main is no block device: name its drive with smart.device", now);
            return;
        }
        try {
            last = new Answer(Optional.of(SmartReport.parse(run())), now, "", now);
        } catch (IOException | RuntimeException e) {
            last = new Answer(last.report(), last.reportMillis(), program + ": " + e.getMessage(), now);
        }
    }

    private String run() throws IOException {
        Process process = new ProcessBuilder(
                        List.of(program, "-j", "-n", "standby", "-i", "-H", "-A", "-l", "scterc", device))
                .redirectInput(new File("/dev/null"))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        // Its death ends the stream that we read.
        Scheduler.Cancellable limit = environment.scheduler().schedule(() -> kill(process), timeoutMillis);
        try (InputStream answer = process.getInputStream()) {
            byte[] bytes = answer.readNBytes(MAX_ANSWER_BYTES);
            if (bytes.length == 0) {
                throw new IOException("no answer for " + device + " within " + timeoutMillis + " ms");
            }
            return new String(bytes, StandardCharsets.UTF_8);
        } finally {
            limit.cancel();
            kill(process);
        }
    }

    /** With what it started, which holds the other end of the stream too. */
    private static void kill(Process process) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }
}
