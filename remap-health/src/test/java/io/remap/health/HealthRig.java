package io.remap.health;

import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.CommandArguments;
import io.remap.api.spi.Feature;
import io.remap.api.spi.FeatureCommand;
import io.remap.testkit.SimScheduler;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;

/** The health module over a disk without content, in virtual time. */
abstract class HealthRig {
    static final long GIB = 1L << 30;
    static final long MINUTE = TimeUnit.MINUTES.toNanos(1);
    final long seed = Long.getLong("remap.seed", 5);
    final SimScheduler time = new SimScheduler(new SplittableRandom(seed));
    final Map<String, String> chosen = new HashMap<>(Map.of("smart.program", "off"));
    WatchedDiskDouble disk = new WatchedDiskDouble(time, 2 * GIB);
    Feature health;

    @AfterEach
    void tearDown() {
        time.close();
    }

    void start() throws Refusal {
        health = new HealthMonitorProvider()
                .open(disk, time.environment(new SplittableRandom(seed)), new Settings(chosen));
    }

    void runFor(long nanos) {
        long end = time.nanoTime() + nanos;
        time.schedule(() -> {}, TimeUnit.NANOSECONDS.toMillis(nanos));
        time.runUntil(() -> time.nanoTime() >= end);
    }

    Map<?, ?> call(String name, Map<String, Object> arguments) throws Refusal {
        for (FeatureCommand command : health.commands()) {
            if (command.name().equals(name)) {
                return (Map<?, ?>) command.body().run(new Given(arguments));
            }
        }
        throw new AssertionError("no command " + name);
    }

    Map<?, ?> call(String name) throws Refusal {
        return call(name, Map.of());
    }

    private record Given(Map<String, Object> values) implements CommandArguments {
        @Override
        public boolean has(String name) {
            return values.containsKey(name);
        }

        @Override
        public String text(String name) {
            return values.get(name).toString();
        }

        @Override
        public String text(String name, String otherwise) {
            return has(name) ? text(name) : otherwise;
        }

        @Override
        public long number(String name, long min, long max) {
            return ((Number) values.get(name)).longValue();
        }

        @Override
        public long number(String name, long min, long max, long otherwise) {
            return has(name) ? number(name, min, max) : otherwise;
        }

        @Override
        public boolean flag(String name) {
            return Boolean.TRUE.equals(values.get(name));
        }
    }

    Map<?, ?> runPass() throws Refusal {
        Object former = call("scan.status").get("last");
        call("scan.start", Map.of("restart", true));
        for (int i = 0; i < 100_000; i++) {
            runFor(10 * MINUTE);
            Map<?, ?> status = call("scan.status");
            if (status.get("last") instanceof Map<?, ?> last && !last.equals(former)) {
                return last;
            }
        }
        throw new AssertionError("no end of the pass, seed " + seed + ": " + call("scan.status"));
    }

    List<Map<?, ?>> maps(Object list) {
        return ((List<?>) list).stream().<Map<?, ?>>map(one -> (Map<?, ?>) one).toList();
    }
}
