package io.remap.cli.control;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.spi.ControlCommands;
import io.remap.testkit.RealEnvironment;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;

/** Real time and threads, and a few commands, for tests of the control socket. */
final class TestHost implements ControlCommands, AutoCloseable {
    private final ScheduledExecutorService threads = Executors.newScheduledThreadPool(2);

    /** The command {@code wait} ends when this is counted down. */
    final CountDownLatch go = new CountDownLatch(1);

    final CountDownLatch waiting = new CountDownLatch(1);

    Environment environment() {
        return RealEnvironment.on(threads);
    }

    @Override
    public SortedSet<String> names() {
        return new TreeSet<>(List.of("echo", "refuse", "break", "wait", "long"));
    }

    @Override
    public Object call(String name, Map<String, Object> arguments) throws Refusal {
        return switch (name) {
            case "echo" -> arguments;
            case "refuse" -> throw new Refusal(Refusal.Kind.valueOf((String) arguments.get("kind")), "no, because");
            case "break" -> throw new IllegalStateException("a bug");
            case "wait" -> awaitGo();
            case "long" -> "x".repeat(JsonLines.MAX_ANSWER_BYTES);
            default -> throw new IllegalStateException("called although not named: " + name);
        };
    }

    private boolean awaitGo() {
        waiting.countDown();
        try {
            go.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException("nobody may interrupt a command", e);
        }
        return true;
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
