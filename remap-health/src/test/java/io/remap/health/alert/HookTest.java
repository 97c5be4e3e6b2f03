package io.remap.health.alert;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.testkit.RealEnvironment;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The hook with real programs. */
class HookTest {
    private static final long PATIENCE_SECONDS = 60;

    private final ScheduledExecutorService threads = Executors.newScheduledThreadPool(2);
    private final Environment environment = RealEnvironment.on(threads);

    @TempDir
    Path directory;

    @AfterEach
    void tearDown() {
        threads.shutdownNow();
    }

    private Hook hook(String script, long timeoutMillis) throws IOException {
        Path program = directory.resolve("hook");
        Files.writeString(program, "#!/bin/sh\n" + script);
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        return new Hook(environment, program.toString(), timeoutMillis, "disk", "/dev/sdx");
    }

    private static Alert alert(long id) {
        return new Alert(id, "spare-used", Severity.CRITICAL, Alert.State.OPEN, 81, 2, -1, 5000, 5000, "81 percent");
    }

    private static void await(BooleanSupplier condition, String what) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        var pause = new java.util.concurrent.CountDownLatch(1);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, what);
            assertTrue(!pause.await(20, TimeUnit.MILLISECONDS));
        }
    }

    @Test
    void givesWhatSmartdGivesToItsScripts() throws Exception {
        Path out = directory.resolve("out");
        Hook hook = hook(
                "echo \"$SMARTD_DEVICE|$SMARTD_FAILTYPE|$SMARTD_TFIRSTEPOCH|$SMARTD_MESSAGE|$REMAP_SEVERITY|$REMAP_STATE\" >> "
                        + out + ".new; mv " + out + ".new " + out,
                10_000);
        assertEquals("", outcome(hook, 1));
        assertEquals(
                List.of("/dev/sdx|spare-used|5|disk disk, critical (raised): 81 percent|critical|raised"),
                Files.readAllLines(out));
        assertEquals("", hook.failure());
    }

    @Test
    void oneThatHangsIsKilledWithItsChildrenAndTheNextRuns() throws Exception {
        Path ran = directory.resolve("ran");
        Hook hook = hook("[ $REMAP_ALERT_ID = 1 ] && sleep 1000; touch " + ran, 200);
        var first = hook.tell(alert(1));
        var unused = hook.tell(alert(2));
        assertEquals("it was killed after 200 ms", first.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
        await(() -> Files.exists(ran), "the second run came to its end");
    }

    @Test
    void oneThatIsNotThereIsNamed() throws Exception {
        Hook hook = new Hook(environment, "/nonexistent/hook", 1000, "disk", "main");
        assertTrue(outcome(hook, 1).contains("/nonexistent/hook"));
        assertTrue(hook.failure().contains("/nonexistent/hook"), "the failure is told");
    }

    private static String outcome(Hook hook, long id) throws Exception {
        return hook.tell(alert(id)).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    @Test
    void whoTellsLearnsHowThatRunEnds() throws Exception {
        Hook hook = hook("[ $REMAP_ALERT_ID = 3 ] && sleep 1000; exit $REMAP_ALERT_ID", 5_000);
        assertEquals("", outcome(hook, 0));
        assertEquals("exit status 7", outcome(hook, 7));
        assertEquals("", outcome(hook, 0));
        assertEquals("it was killed after 5000 ms", outcome(hook, 3));
    }

    @Test
    void whoseRunIsLeftOutLearnsThat() throws Exception {
        Path go = directory.resolve("go");
        Hook hook = hook("while [ ! -e " + go + " ]; do sleep 0.1; done", 60_000);
        var runs = new java.util.ArrayList<java.util.concurrent.CompletableFuture<String>>();
        for (long id = 0; id < Hook.MAX_WAITING + 3; id++) {
            runs.add(hook.tell(alert(id)));
        }
        // One runs, the next two have made room for the last.
        assertEquals("more than 32 alerts were waiting for it", runs.get(1).get(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertEquals("more than 32 alerts were waiting for it", runs.get(2).get(PATIENCE_SECONDS, TimeUnit.SECONDS));
        Files.createFile(go);
        assertEquals("", runs.get(0).get(PATIENCE_SECONDS, TimeUnit.SECONDS));
        assertEquals("", runs.get(runs.size() - 1).get(PATIENCE_SECONDS, TimeUnit.SECONDS));
    }
}
