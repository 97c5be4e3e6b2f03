package io.remap.health;

import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.api.spi.FeatureCommand;
import io.remap.api.spi.WatchedDisk;
import io.remap.api.spi.WatchedDisk.Damage;
import io.remap.health.alert.Alert;
import io.remap.health.alert.AlertBook;
import io.remap.health.alert.Hook;
import io.remap.health.alert.Severity;
import io.remap.health.impact.Impact;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/** The commands {@code health}, {@code alerts.*}, {@code maintenance} and {@code impact}. */
final class HealthCommands {
    private static final int DAMAGE_AT_ONCE = 10_000;
    private static final long READ_SECONDS = 60;
    /** For a program whose time is over to be gone. */
    private static final long KILL_MILLIS = 5_000;

    private final WatchedDisk disk;
    private final Environment environment;
    private final Assessment assessment;
    private final Troubles troubles;
    private final AlertBook book;
    private final Hook hook;
    private final Maintenance maintenance;
    private final Runnable save;

    HealthCommands(
            WatchedDisk disk,
            Environment environment,
            Assessment assessment,
            Troubles troubles,
            AlertBook book,
            Hook hook,
            Maintenance maintenance,
            Runnable save) {
        this.disk = disk;
        this.environment = environment;
        this.assessment = assessment;
        this.troubles = troubles;
        this.book = book;
        this.hook = hook;
        this.maintenance = maintenance;
        this.save = save;
    }

    List<FeatureCommand> all() {
        return List.of(
                new FeatureCommand("health", List.of(), arguments -> health()),
                new FeatureCommand("maintenance", List.of("seconds"), arguments -> {
                    maintenance.begin(arguments.number("seconds", 0, Maintenance.MAX_SECONDS));
                    save.run();
                    return health();
                }),
                new FeatureCommand("alerts.list", List.of(), arguments -> alerts()),
                new FeatureCommand("alerts.ack", List.of("id"), arguments -> {
                    book.acknowledge(arguments.number("id", 1, Long.MAX_VALUE), now());
                    return changed();
                }),
                new FeatureCommand("alerts.resolve", List.of("id"), arguments -> {
                    book.resolve(arguments.number("id", 1, Long.MAX_VALUE), now());
                    return changed();
                }),
                new FeatureCommand("alerts.baseline", List.of(), arguments -> {
                    book.acceptAll(now());
                    return changed();
                }),
                new FeatureCommand("alerts.test", List.of(), arguments -> tryHook()),
                new FeatureCommand(
                        "impact", List.of("device"), arguments -> impact(arguments.text("device", "/dev/nbd0"))));
    }

    private long now() {
        return environment.time().wallMillis();
    }

    private Map<String, Object> health() {
        Map<String, Object> answer = assessment.report();
        answer.put("openAlerts", book.open());
        answer.put("droppedTroubles", troubles.dropped());
        answer.put("maintenanceUntilMillis", maintenance.untilMillis());
        return answer;
    }

    private Map<String, Object> changed() {
        save.run();
        return alerts();
    }

    private Map<String, Object> alerts() {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", disk.name());
        answer.put("alerts", book.list().stream().map(Alert::toMap).toList());
        answer.put("hook", hook.isSet());
        answer.put("hookFailure", hook.failure());
        answer.put("hookTimeoutMillis", hook.timeoutMillis());
        answer.put("maintenanceUntilMillis", maintenance.untilMillis());
        return answer;
    }

    /** Waits for that run, on the thread of the command. */
    private Map<String, Object> tryHook() throws Refusal {
        if (!hook.isSet()) {
            throw new Refusal(Refusal.Kind.USAGE, "no hook is set: serve with --set alert.hook=/PATH");
        }
        CompletableFuture<String> ended = hook.tell(
                new Alert(0, "test", Severity.INFO, Alert.State.OPEN, 0, 0, -1, now(), now(), "this is a test"));
        String failure = await(ended, hook.timeoutMillis() + KILL_MILLIS)
                .orElse("it has not come to its end, as others run before it");
        Map<String, Object> answer = alerts();
        answer.put("testFailure", failure);
        return answer;
    }

    private Map<String, Object> impact(String device) {
        Impact impact =
                new Impact(this::read, disk.traits().sizeBytes(), disk.traits().sectorBytes(), device);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", disk.name());
        answer.putAll(impact.of(() -> damage(disk)));
        return answer;
    }

    /** All of it, as there may be more than memory is for. */
    static Iterator<Damage> damage(WatchedDisk disk) {
        return Stream.iterate(
                        disk.damage(0, DAMAGE_AT_ONCE),
                        some -> !some.isEmpty(),
                        some -> some.size() < DAMAGE_AT_ONCE
                                ? List.<Damage>of()
                                : disk.damage(some.get(some.size() - 1).range().endSector(), DAMAGE_AT_ONCE))
                .flatMap(List::stream)
                .iterator();
    }

    /** On the thread of the command, which may wait. */
    private Optional<ByteBuffer> read(long offsetBytes, int lengthBytes) {
        int sectorBytes = disk.traits().sectorBytes();
        CompletableFuture<Optional<ByteBuffer>> result = new CompletableFuture<>();
        disk.read(
                new SectorRange(offsetBytes / sectorBytes, lengthBytes / sectorBytes),
                (error, content) -> result.complete(
                        content.hasRemaining()
                                ? Optional.of(content.order(ByteOrder.LITTLE_ENDIAN))
                                : Optional.empty()));
        return await(result, TimeUnit.SECONDS.toMillis(READ_SECONDS)).flatMap(read -> read);
    }

    private static <T> Optional<T> await(CompletableFuture<T> result, long millis) {
        try {
            return Optional.of(result.get(millis, TimeUnit.MILLISECONDS));
        } catch (TimeoutException | ExecutionException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
