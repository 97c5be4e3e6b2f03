package io.remap.core;

import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.spi.HealthProvider;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.Provider;
import io.remap.core.ServiceStatus.DiskStatus;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Puts the status of a service together: each feature with the parts that dm-remap tracked one by one (its sysfs and
 * hot-path sysfs are our control socket and the I/O attributes on it), those that are not built as absent. Waits for
 * nothing.
 */
final class StatusReport {
    static final String METADATA = "metadata";
    static final String HEALTH = "health";
    static final String CONTROL = "control";

    /** What a feature over several disks is, the first that applies to one of them. */
    private static final List<FeatureState> GRAVEST_FIRST = List.of(
            FeatureState.FAILED,
            FeatureState.STARTING,
            FeatureState.STARTED,
            FeatureState.STOPPED,
            FeatureState.ABSENT);

    private final Service service;

    StatusReport(Service service) {
        this.service = service;
    }

    ServiceStatus build() {
        IoPath io = service.io();
        List<DiskStatus> disks =
                service.disks.disks().stream().map(service::status).toList();
        long upNanos = service.environment.time().nanoTime() - service.startedNanos;
        return new ServiceStatus(
                service.spec.name(),
                version(),
                System.getProperty("java.version"),
                ProcessHandle.current().pid(),
                service.startedMillis,
                TimeUnit.NANOSECONDS.toMillis(upNanos),
                features(io, disks),
                io == null ? "" : io.transportName(),
                io == null ? "" : io.engineName(),
                io == null ? "" : io.bufferPoolName(),
                io == null ? 0 : io.buffers().bytesInUse(),
                io == null ? 0 : io.transport().connections(),
                service.listenerTexts(),
                disks);
    }

    private static String version() {
        return Optional.ofNullable(StatusReport.class.getModule().getDescriptor())
                .flatMap(module -> module.rawVersion())
                .orElse("unknown");
    }

    private List<FeatureStatus> features(IoPath io, List<DiskStatus> disks) {
        return List.of(
                withParts(overDisks(METADATA, MetadataProvider.class, disks), "autosave"),
                withParts(overDisks(HEALTH, HealthProvider.class, disks), "scanner"),
                io == null ? IoPath.absent() : io.status(),
                control(disks));
    }

    private FeatureStatus control(List<DiskStatus> disks) {
        FeatureStatus control = service.control.status();
        boolean started = control.state() == FeatureState.STARTED;
        boolean shown = started && !disks.isEmpty();
        List<FeatureStatus> parts = new ArrayList<>(control.parts());
        parts.add(FeatureStatus.of("socket", control.state(), ""));
        parts.add(FeatureStatus.of("I/O attributes", shown ? FeatureState.STARTED : FeatureState.ABSENT, ""));
        return new FeatureStatus(CONTROL, control.state(), control.detail(), parts);
    }

    /** One feature of several disks. */
    private <P extends Provider> FeatureStatus overDisks(String name, Class<P> role, List<DiskStatus> disks) {
        Map<String, FeatureStatus> byDisk = new LinkedHashMap<>();
        for (DiskStatus disk : disks) {
            disk.features().stream()
                    .filter(feature -> feature.name().equals(name))
                    .forEach(feature -> byDisk.put(disk.name(), feature));
        }
        if (byDisk.isEmpty()) {
            boolean there = !service.providers.all(role).isEmpty();
            return FeatureStatus.of(
                    name, there ? FeatureState.STARTED : FeatureState.ABSENT, there ? "no disk so far" : "");
        }
        return joined(name, byDisk);
    }

    private static FeatureStatus joined(String name, Map<String, FeatureStatus> byDisk) {
        if (byDisk.size() == 1) {
            FeatureStatus only = byDisk.values().iterator().next();
            return new FeatureStatus(name, only.state(), only.detail(), only.parts());
        }
        FeatureState state = GRAVEST_FIRST.stream()
                .filter(candidate -> byDisk.values().stream().anyMatch(feature -> feature.state() == candidate))
                .findFirst()
                .orElse(FeatureState.ABSENT);
        List<String> details = new ArrayList<>();
        Map<String, Map<String, FeatureStatus>> parts = new LinkedHashMap<>();
        byDisk.forEach((disk, feature) -> {
            boolean differs = feature.state() != state;
            if (differs || !feature.detail().isEmpty()) {
                details.add("disk " + disk + ": " + (differs ? feature.text() : feature.detail()));
            }
            feature.parts()
                    .forEach(part -> parts.computeIfAbsent(part.name(), p -> new LinkedHashMap<>())
                            .put(disk, part));
        });
        List<FeatureStatus> joinedParts = new ArrayList<>();
        parts.forEach((part, states) -> joinedParts.add(joined(part, states)));
        return new FeatureStatus(name, state, String.join("; ", details), joinedParts);
    }

    /** With the parts that it has not, as absent. */
    private static FeatureStatus withParts(FeatureStatus feature, String... expected) {
        List<FeatureStatus> parts = new ArrayList<>(feature.parts());
        for (String name : expected) {
            if (parts.stream().noneMatch(part -> part.name().equals(name))) {
                parts.add(FeatureStatus.of(name, FeatureState.ABSENT, ""));
            }
        }
        return new FeatureStatus(feature.name(), feature.state(), feature.detail(), parts);
    }
}
