package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.spi.ControlProvider;
import io.remap.api.spi.HealthProvider;
import io.remap.core.ServiceSpec.TransportPreference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Optional features: each state and its text, and that a feature takes nothing else down. */
class ServiceFeaturesTest {
    private final ServiceRig rig = new ServiceRig();

    @AfterEach
    void tearDown() {
        rig.close();
    }

    /** The status as lines, as people read it. */
    private static List<String> lines(Service service) {
        List<String> lines = new ArrayList<>();
        service.status().features().forEach(feature -> lines(feature, "", lines));
        return lines;
    }

    private static void lines(FeatureStatus feature, String indent, List<String> lines) {
        lines.add(indent + feature.name() + ": " + feature.text());
        feature.parts().forEach(part -> lines(part, indent + "  ", lines));
    }

    private static String line(Service service, String feature) {
        return lines(service).stream()
                .filter(line -> line.startsWith(feature + ":"))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void tellsEveryFeatureWithItsParts() throws Exception {
        assertEquals(
                List.of(
                        "metadata: enabled",
                        "  autosave: enabled (nothing to save so far)",
                        "health: enabled",
                        "  scanner: absent",
                        "I/O-opt: absent",
                        "  hot path: absent",
                        "  memory pool: absent",
                        "  I/O engine: absent",
                        "control: enabled",
                        "  socket: enabled",
                        "  I/O attributes: enabled"),
                lines(rig.start("a")));
    }

    @Test
    void whatNoModuleProvidesIsAbsent() throws Exception {
        rig.without(HealthProvider.class);
        rig.without(ControlProvider.class);
        Service service = rig.start("a");
        assertEquals("health: absent", line(service, "health"));
        assertEquals("control: absent", line(service, "control"));
    }

    @Test
    void aFeatureThatDoesNotStartIsNamedAndTheServiceRuns() throws Exception {
        rig.at("open control", () -> {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, "no place for a socket");
        });
        rig.at("open health a", () -> {
            throw new UnsatisfiedLinkError("libhealth.so");
        });
        Service service = rig.start("a");
        assertEquals("control: failed: no place for a socket", line(service, "control"));
        assertEquals("health: failed: java.lang.UnsatisfiedLinkError: libhealth.so", line(service, "health"));
        assertTrue(rig.events.contains("open unix:/run/a.sock"));
        assertTrue(service.stop(1000));
        assertFalse(rig.events.contains("close control"));
        assertFalse(rig.events.contains("close health a"));
    }

    @Test
    void aFeatureThatGetsNoThreadIsNamed() throws Exception {
        rig.at("open control", () -> {
            throw new OutOfMemoryError("unable to create native thread");
        });
        Service service = rig.start("a");
        assertEquals(
                "control: failed: java.lang.OutOfMemoryError: unable to create native thread",
                line(service, "control"));
        assertTrue(service.stop(1000));
    }

    @Test
    void aServiceThatGetsNoThreadIsUndoneAndSaysSo() {
        rig.at("let in unix:/run/a.sock", () -> {
            throw new OutOfMemoryError("unable to create native thread");
        });
        Refusal refusal = assertThrows(Refusal.class, () -> rig.start("a"));
        assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
        assertTrue(refusal.getMessage().contains("ulimit -u"), refusal.getMessage());
        assertTrue(rig.events.contains("close unix:/run/a.sock"));
    }

    @Test
    void aServiceOfThatNameRunsAlready() {
        Refusal busy = new Refusal(Refusal.Kind.BUSY, "service 'rig' is running already");
        rig.at("open control", () -> {
            throw busy;
        });
        assertSame(busy, assertThrows(Refusal.class, () -> rig.start("a")));
        assertEquals(List.of("open control"), rig.events);
    }

    @Test
    void aFeatureThatHangsKeepsNobodyWaiting() throws Exception {
        rig.settings.put("feature-timeout-millis", "50");
        rig.hangAt("open health a");
        Service service = rig.start("a");
        assertEquals("health: starting", line(service, "health"));
        rig.go.countDown();
        ServiceRig.await("health is enabled", () -> line(service, "health").equals("health: enabled"));
    }

    @Test
    void aFeatureThatComesAfterTheStopIsClosed() throws Exception {
        rig.settings.put("feature-timeout-millis", "50");
        rig.hangAt("open health a");
        Service service = rig.start("a");
        service.stop(1000);
        assertFalse(rig.events.contains("close health a"));
        rig.go.countDown();
        ServiceRig.await("it is closed", () -> rig.events.contains("close health a"));
    }

    @Test
    void aFeatureThatHangsInItsStopKeepsTheDiskFromNothing() throws Exception {
        rig.settings.put("feature-timeout-millis", "50");
        Service service = rig.start("a");
        rig.hangAt("close health a");
        assertFalse(service.stop(1000));
        assertTrue(
                service.stopFailure().getMessage().contains("health did not stop in order: no answer within 50 ms"),
                service.stopFailure().getMessage());
        assertTrue(rig.events.contains("close metadata a"));
        assertTrue(rig.events.contains("close control"));
    }

    @Test
    void aDelayedFeatureIsStartingAndDelaysNoRequest() throws Exception {
        rig.settings.put("start-delay.health-millis", "1");
        rig.hangAt("open health a");
        Service service = rig.start("a");
        assertEquals("health: starting (1 ms after the start)", line(service, "health"));
        read(service);
        rig.go.countDown();
        ServiceRig.await("health is enabled", () -> line(service, "health").equals("health: enabled"));
    }

    @Test
    void aDelayedFeatureIsNotStartedAfterTheStop() throws Exception {
        rig.settings.put("start-delay.health-millis", "60000");
        Service service = rig.start("a");
        assertTrue(service.stop(1000));
        assertFalse(rig.events.contains("open health a"));
    }

    @Test
    void featuresCanBeTurnedOffOrNamed() throws Exception {
        rig.settings.put("health", "off");
        rig.settings.put("control", "other");
        Service service = rig.start("a");
        assertEquals("health: absent (turned off)", line(service, "health"));
        assertEquals("control: failed: no module provides 'other'", line(service, "control"));
    }

    @Test
    void metadataThatFailedIsNamed() throws Exception {
        rig.withMetadata = false;
        Service service = rig.start("a", "b");
        assertEquals("metadata: failed: disk a: damaged; disk b: damaged", line(service, "metadata"));
        assertTrue(service.status().disks().get(0).readOnly());
    }

    // --- the transport, the pool, the engine

    @Test
    void takesTheFastTransportWhereItIs() throws Exception {
        rig.providers.add(rig.new TransportDouble("fast"));
        Service service = rig.start("a");
        assertEquals("fast", service.status().transport());
        assertEquals("I/O-opt: enabled", line(service, "I/O-opt"));
        assertFalse(rig.events.contains("open transport plain"));
    }

    @Test
    void takesThePlainTransportIfThatIsWanted() throws Exception {
        rig.providers.add(rig.new TransportDouble("fast"));
        rig.transport = TransportPreference.PLAIN;
        Service service = rig.start("a");
        assertEquals("plain", service.status().transport());
        assertEquals("I/O-opt: absent", line(service, "I/O-opt"));
    }

    @Test
    void saysSoIfTheFastTransportIsMissed() throws Exception {
        rig.transport = TransportPreference.FAST;
        Service service = rig.start("a");
        assertEquals("plain", service.status().transport());
        assertEquals(
                "I/O-opt: failed: hot path 'fast': no module provides it; 'plain' serves instead",
                line(service, "I/O-opt"));
    }

    @Test
    void fallsBackToThePlainTransportBeforeTheFirstAccept() throws Exception {
        rig.providers.add(rig.new TransportDouble("fast"));
        rig.at("open transport fast", () -> {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, "no epoll here");
        });
        Service service = rig.start("a");
        assertEquals(
                "I/O-opt: failed: hot path 'fast': no epoll here; 'plain' serves instead", line(service, "I/O-opt"));
        assertTrue(rig.events.indexOf("open transport plain") < rig.events.indexOf("open unix:/run/a.sock"));
    }

    @Test
    void aTransportThatHangsIsGivenUpAndClosedWhenItComes() throws Exception {
        rig.settings.put("feature-timeout-millis", "50");
        rig.providers.add(rig.new TransportDouble("fast"));
        rig.hangAt("open transport fast");
        Service service = rig.start("a");
        assertEquals("plain", service.status().transport());
        rig.go.countDown();
        ServiceRig.await("it is closed", () -> rig.events.contains("close transport fast"));
    }

    private void withFastParts() {
        rig.providers.add(rig.new TransportDouble("fast", "fast", "uring"));
        rig.providers.add(rig.new PoolDouble("fast"));
        rig.providers.add(rig.new EngineDouble("fast"));
    }

    private static void assertParts(Service service, String transport, String engine, String pool) {
        assertEquals(
                List.of(transport, engine, pool),
                List.of(
                        service.status().transport(),
                        service.status().ioEngine(),
                        service.status().bufferPool()));
    }

    @Test
    void takesWhatGoesWithTheTransport() throws Exception {
        withFastParts();
        Service service = rig.start("a");
        assertParts(service, "fast", "fast", "fast");
        assertEquals(
                List.of(
                        "I/O-opt: enabled",
                        "  hot path: enabled (fast)",
                        "  memory pool: enabled (fast)",
                        "  I/O engine: enabled (fast)"),
                lines(service).stream()
                        .dropWhile(line -> !line.startsWith("I/O-opt"))
                        .limit(4)
                        .toList());
        assertTrue(service.stop(1000));
        assertTrue(rig.events.indexOf("close transport fast") < rig.events.indexOf("close engine fast"));
    }

    @Test
    void thePlainTransportGoesWithThePlainParts() throws Exception {
        withFastParts();
        rig.transport = TransportPreference.PLAIN;
        Service service = rig.start("a");
        assertParts(service, "plain", "inline", "plain");
        assertEquals("I/O-opt: absent", line(service, "I/O-opt"));
        assertFalse(rig.events.contains("open engine fast"));
    }

    @Test
    void thePlainTransportServesIfTheEngineOfTheFastOneFails() throws Exception {
        withFastParts();
        rig.at("open engine fast", () -> {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, "no threads here");
        });
        Service service = rig.start("a");
        assertParts(service, "plain", "inline", "plain");
        assertEquals(
                "I/O-opt: failed: I/O engine 'fast': no threads here; 'inline' serves instead",
                line(service, "I/O-opt"));
        assertTrue(
                lines(service).contains("  hot path: absent (needs the I/O engine 'fast'; 'plain' serves instead)"),
                lines(service).toString());
        assertFalse(rig.events.contains("open transport fast"));
    }

    @Test
    void thePlainTransportServesIfTheEngineOfTheFastOneIsMissing() throws Exception {
        rig.providers.add(rig.new TransportDouble("fast", "fast"));
        Service service = rig.start("a");
        assertParts(service, "plain", "inline", "plain");
        assertEquals(
                "I/O-opt: failed: I/O engine 'fast': no module provides it; 'inline' serves instead",
                line(service, "I/O-opt"));
    }

    @Test
    void thePoolMayFailWithoutTheFastTransport() throws Exception {
        withFastParts();
        rig.at("open pool fast", () -> {
            throw new IllegalStateException("no memory here");
        });
        Service service = rig.start("a");
        assertParts(service, "fast", "fast", "plain");
        String status = line(service, "I/O-opt");
        assertTrue(status.startsWith("I/O-opt: failed: memory pool 'fast': "), status);
    }

    @Test
    void aChosenEngineThatWouldBlockLoopsBringsThePlainTransport() throws Exception {
        withFastParts();
        rig.settings.put("io-engine", "inline");
        Service service = rig.start("a");
        assertParts(service, "plain", "inline", "plain");
        assertEquals("I/O-opt: absent", line(service, "I/O-opt"));
    }

    @Test
    void refusesAnEngineThatWouldBlockTheLoopsOfAChosenTransport() throws Exception {
        withFastParts();
        rig.transport = TransportPreference.FAST;
        rig.settings.put("io-engine", "inline");
        Refusal refusal = assertThrows(Refusal.class, () -> rig.start("a"));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertEquals(
                "setting io-engine: 'inline' would make the event loops of the transport 'fast' wait for devices; expected"
                        + " auto or one of [fast, uring], or another transport: --transport plain",
                refusal.getMessage());
    }

    @Test
    void takesTheChosenOneOfTheEnginesThatFit() throws Exception {
        withFastParts();
        rig.providers.add(rig.new EngineDouble("uring"));
        rig.settings.put("io-engine", "uring");
        rig.settings.put("buffer-pool", "plain");
        assertParts(rig.start("a"), "fast", "uring", "plain");
    }

    @Test
    void theDelayOfTheEngineLeavesTheFastTransportAlone() throws Exception {
        withFastParts();
        rig.settings.put("start-delay.io-opt-millis", "60000");
        Service service = rig.start("a");
        assertParts(service, "fast", "fast", "fast");
        assertEquals("I/O-opt: enabled", line(service, "I/O-opt"));
    }

    @Test
    void choosesPoolAndEngineBySetting() throws Exception {
        rig.providers.add(rig.new PoolDouble("netty"));
        rig.settings.put("buffer-pool", "netty");
        rig.settings.put("io-engine", "uring");
        Service service = rig.start("a");
        assertEquals("netty", service.status().bufferPool());
        assertEquals("inline", service.status().ioEngine());
        assertTrue(
                lines(service)
                        .contains("  I/O engine: failed: 'uring': no module provides it; 'inline' serves instead"),
                lines(service).toString());
        assertTrue(
                lines(service).contains("  memory pool: enabled (netty)"),
                lines(service).toString());
    }

    @Test
    void anEngineTakesOverLaterIfThatIsChosen() throws Exception {
        rig.providers.add(rig.new EngineDouble("uring"));
        rig.settings.put("io-engine", "uring");
        rig.settings.put("start-delay.io-opt-millis", "1");
        rig.hangAt("open engine uring");
        Service service = rig.start("a");
        assertEquals("I/O-opt: starting", line(service, "I/O-opt"));
        read(service);
        assertTrue(rig.events.contains("submit inline"));
        rig.go.countDown();
        ServiceRig.await(
                "the engine has taken over", () -> line(service, "I/O-opt").equals("I/O-opt: enabled"));
        assertEquals("uring", service.status().ioEngine());
        read(service);
        assertTrue(rig.events.contains("submit uring"));
        assertTrue(service.stop(1000));
        assertTrue(rig.events.contains("close engine uring"));
        assertTrue(rig.events.contains("close engine inline"));
    }

    private void read(Service service) throws Exception {
        var buffer = service.io().buffers().acquire(ServiceRig.SECTOR_BYTES);
        CompletableFuture<DiskError> end = new CompletableFuture<>();
        DiskRequest request = new DiskRequest(r -> end.complete(r.error));
        request.lengthBytes = ServiceRig.SECTOR_BYTES;
        request.buffer = buffer;
        rig.exports.find("a").orElseThrow().disk().submit(request);
        assertEquals(DiskError.NONE, end.get(10, TimeUnit.SECONDS));
        buffer.release();
    }
}
