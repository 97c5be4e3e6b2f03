package io.remap.health.alert;

import io.remap.api.Environment;
import io.remap.api.Scheduler;
import java.io.File;
import java.io.IOException;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a program for each alert that people are told of, with what it is about in the environment: variables of our own,
 * and those that smartd gives to its scripts (smartd.conf(5), -M exec), so that such a script serves here too.
 *
 * <p>Invariants: one program at a time, killed when its time is over; at most {@link #MAX_WAITING} wait, the oldest goes.
 * Never blocks who tells. Thread-safe.
 */
public final class Hook {
    static final int MAX_WAITING = 32;
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("EEE MMM d HH:mm:ss yyyy z", Locale.ROOT)
            .withZone(ZoneId.systemDefault());
    private static final Logger LOG = LoggerFactory.getLogger(Hook.class);

    /** @param ended gets why it failed, empty if it did not */
    private record Run(Alert alert, CompletableFuture<String> ended) {}

    private final Environment environment;
    private final String program;
    private final long timeoutMillis;
    private final String diskName;
    private final String device;

    // Guarded by this.
    private final Deque<Run> waiting = new ArrayDeque<>();
    private boolean running;
    private String failure = "";

    /**
     * A hook that has not run.
     *
     * @param program path of the program; empty: none
     * @param device main, as the user named it
     */
    public Hook(Environment environment, String program, long timeoutMillis, String diskName, String device) {
        this.environment = environment;
        this.program = program;
        this.timeoutMillis = timeoutMillis;
        this.diskName = diskName;
        this.device = device;
    }

    /** Has the program run soon; the answer is why that run failed, empty if it did not. Without a program nothing comes. */
    public synchronized CompletableFuture<String> tell(Alert alert) {
        Run run = new Run(alert, new CompletableFuture<>());
        if (program.isEmpty()) {
            return run.ended;
        }
        if (waiting.size() >= MAX_WAITING) {
            waiting.remove().ended.complete("more than " + MAX_WAITING + " alerts were waiting for it");
        }
        waiting.add(run);
        next();
        return run.ended;
    }

    private void next() {
        if (!running && !waiting.isEmpty()) {
            running = true;
            Run run = waiting.poll();
            environment.scheduler().execute(() -> start(run));
        }
    }

    private void start(Run run) {
        AtomicBoolean killed = new AtomicBoolean();
        try {
            ProcessBuilder builder = new ProcessBuilder(program)
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.DISCARD);
            describe(run.alert, builder.environment());
            Process process = builder.start();
            Scheduler.Cancellable limit = environment
                    .scheduler()
                    .schedule(
                            () -> {
                                killed.set(process.isAlive());
                                kill(process);
                            },
                            timeoutMillis);
            CompletableFuture<Process> unused = process.onExit().whenComplete((ended, error) -> {
                limit.cancel();
                ended(run, outcome(process.exitValue(), killed.get()));
            });
        } catch (IOException e) {
            ended(run, e.getMessage());
        }
    }

    private String outcome(int exitStatus, boolean killed) {
        if (exitStatus == 0) {
            return "";
        }
        return killed ? "it was killed after " + timeoutMillis + " ms" : "exit status " + exitStatus;
    }

    private static void kill(Process process) {
        // It goes first, or a script goes on when the child that it waits for is gone.
        List<ProcessHandle> children = process.descendants().toList();
        process.destroyForcibly();
        children.forEach(ProcessHandle::destroyForcibly);
    }

    private void describe(Alert alert, Map<String, String> variables) {
        String state = alert.state() == Alert.State.RESOLVED ? "resolved" : "raised";
        String message = "disk " + diskName + ", " + alert.severity().word() + " (" + state + "): " + alert.text();
        variables.put("REMAP_DISK", diskName);
        variables.put("REMAP_DEVICE", device);
        variables.put("REMAP_ALERT", alert.key());
        variables.put("REMAP_ALERT_ID", Long.toString(alert.id()));
        variables.put("REMAP_SEVERITY", alert.severity().word());
        variables.put("REMAP_STATE", state);
        variables.put("REMAP_VALUE", Long.toString(alert.value()));
        variables.put("REMAP_MESSAGE", message);
        Instant first = Instant.ofEpochMilli(alert.raisedMillis());
        variables.put("SMARTD_DEVICE", device);
        variables.put("SMARTD_DEVICESTRING", device);
        variables.put("SMARTD_DEVICETYPE", "remap");
        variables.put("SMARTD_FAILTYPE", alert.key());
        variables.put("SMARTD_MESSAGE", message);
        variables.put("SMARTD_FULLMESSAGE", message);
        variables.put("SMARTD_SUBJECT", "remap: disk " + diskName + ": " + alert.key());
        variables.put("SMARTD_TFIRST", TIME.format(first));
        variables.put("SMARTD_TFIRSTEPOCH", Long.toString(first.getEpochSecond()));
        variables.put("SMARTD_PREVCNT", alert.changedMillis() == alert.raisedMillis() ? "0" : "1");
    }

    private void ended(Run run, String why) {
        synchronized (this) {
            if (!why.isEmpty() && !why.equals(failure)) {
                LOG.warn("disk {}: the hook {} failed: {}", diskName, program, why);
            }
            failure = why;
            running = false;
            next();
        }
        run.ended.complete(why);
    }

    /** Why its last run failed, empty if it did not. */
    public synchronized String failure() {
        return failure;
    }

    /** Whether there is one. */
    public boolean isSet() {
        return !program.isEmpty();
    }

    /** How long a run may take. */
    public long timeoutMillis() {
        return timeoutMillis;
    }
}
