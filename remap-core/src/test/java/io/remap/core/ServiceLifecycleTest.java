package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.Errno;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.spi.FrontendProvider;
import io.remap.api.spi.IoEngineProvider;
import io.remap.api.spi.TransportProvider;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The phases: their order, the reverse of it exactly once, and that a start gives a working whole or nothing. */
class ServiceLifecycleTest {
    private final ServiceRig rig = new ServiceRig();

    @AfterEach
    void tearDown() {
        rig.close();
    }

    private static Refusal deviceFailed() {
        return new Refusal(Refusal.Kind.DEVICE_FAILED, "as the test wants it");
    }

    @Test
    void startsInOrderAndStopsInReverse() throws Exception {
        Service service = rig.start("a");
        assertEquals(
                List.of(
                        "open control",
                        "open engine inline",
                        "open pool plain",
                        "open transport plain",
                        "open frontend",
                        "open unix:/run/a.sock",
                        "open devices a",
                        "open metadata a",
                        "open pool of recovery",
                        "open health a"),
                rig.opensAndCloses());
        assertEquals("let in unix:/run/a.sock", rig.events.get(rig.events.size() - 1));
        rig.events.clear();

        assertTrue(service.stop(1000));
        assertNull(service.stopFailure());
        assertEquals(
                List.of(
                        "close unix:/run/a.sock",
                        "drain",
                        "close health a",
                        "close pool of recovery",
                        "close metadata a",
                        "note the stop of a",
                        "close a-spare",
                        "close a-main",
                        "close frontend",
                        "close transport plain",
                        "close pool plain",
                        "close engine inline",
                        "close control"),
                rig.events.stream()
                        .filter(event -> !event.matches("(flush|read|submit) .*"))
                        .toList());
    }

    /** Whatever was opened is closed exactly once, in reverse; a listener that lets clients in counts from then on. */
    private void assertUndone() {
        Deque<String> open = new ArrayDeque<>();
        for (String event : rig.events) {
            String what = event.substring(event.indexOf(' ') + 1);
            if (event.startsWith("let in ")) {
                String listener = event.substring("let in ".length());
                open.remove(listener);
                open.push(listener);
            } else if (event.startsWith("open ")) {
                if (what.startsWith("devices ")) {
                    String disk = what.substring("devices ".length());
                    open.push(disk + "-main");
                    open.push(disk + "-spare");
                } else {
                    open.push(what);
                }
            } else if (event.startsWith("close ")) {
                assertEquals(open.poll(), what, () -> "in " + rig.events);
            }
        }
        assertEquals(0, open.size(), () -> open + " left open: " + rig.events);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "open pool plain",
                "open pool of recovery",
                "open engine inline",
                "open transport plain",
                "open frontend",
                "open devices b",
                "open metadata a",
                "open unix:/run/a.sock",
                "open tcp:127.0.0.1:1"
            })
    void undoesAStartThatFails(String step) throws Exception {
        rig.listen.add(new ListenAddress.Tcp("127.0.0.1", 1));
        IllegalArgumentException broken = new IllegalArgumentException("as the test wants it");
        rig.at(step, () -> {
            // What failed to open is not open.
            rig.events.remove(step);
            throw broken;
        });
        assertSame(broken, assertThrows(IllegalArgumentException.class, () -> rig.start("a", "b")));
        assertUndoneSideBySide();
    }

    /** Disks stop side by side: compares what is left of each of them and of the service. */
    private void assertUndoneSideBySide() {
        List<String> all = List.copyOf(rig.events);
        for (String disk : List.of("a", "b")) {
            rig.events.clear();
            all.stream()
                    .filter(e -> e.contains(" " + disk + "-") || e.endsWith(" " + disk))
                    .forEach(rig.events::add);
            assertUndone();
        }
        rig.events.clear();
        assertEquals(
                Collections.frequency(all, "open " + ServiceRig.RECOVERY_POOL),
                Collections.frequency(all, "close " + ServiceRig.RECOVERY_POOL));
        all.stream()
                .filter(e -> !e.endsWith(ServiceRig.RECOVERY_POOL))
                .filter(e -> !e.contains(" a-") && !e.contains(" b-") && !e.endsWith(" a") && !e.endsWith(" b"))
                .forEach(rig.events::add);
        assertUndone();
    }

    @Test
    void rethrowsTheRefusalWithWhatTheUndoingFoundSuppressed() throws Exception {
        Refusal refusal = deviceFailed();
        rig.at("open metadata a", () -> {
            throw refusal;
        });
        rig.at("close frontend", () -> {
            throw new IllegalStateException("frontend broke");
        });
        Refusal thrown = assertThrows(Refusal.class, () -> rig.start("a"));
        assertSame(refusal, thrown);
        assertTrue(thrown.getSuppressed()[0].getMessage().contains("frontend broke"));
    }

    @Test
    void aDeviceThatFailsDuringTheStartIsRefusedAsThat() throws Exception {
        rig.at("open metadata a", () -> {
            throw new DeviceException("sda", "read", 0, 512, Errno.EIO);
        });
        Refusal refusal = assertThrows(Refusal.class, () -> rig.start("a"));
        assertEquals(Refusal.Kind.DEVICE_FAILED, refusal.kind());
        assertEquals("sda: read of bytes 0+512 failed: EIO", refusal.getMessage());
    }

    @Test
    void aModuleThatDoesNotFitIsRefusedAndUndone() throws Exception {
        rig.at("open frontend", () -> {
            rig.events.remove("open frontend");
            throw new NoClassDefFoundError("gone");
        });
        Refusal refusal = assertThrows(Refusal.class, () -> rig.start("a"));
        assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
        assertUndone();
    }

    @Test
    void saysWhichModuleIsMissing() throws Exception {
        rig.without(FrontendProvider.class);
        Refusal noFrontend = assertThrows(Refusal.class, () -> rig.start("a"));
        assertEquals(Refusal.Kind.ENVIRONMENT, noFrontend.kind());
        assertTrue(noFrontend.getMessage().contains("remap-nbd"), noFrontend.getMessage());
        rig.without(TransportProvider.class);
        Refusal noTransport = assertThrows(Refusal.class, () -> rig.start("a"));
        assertTrue(noTransport.getMessage().contains("remap-nbd"), noTransport.getMessage());
        rig.without(IoEngineProvider.class);
        Refusal noEngine = assertThrows(Refusal.class, () -> rig.start("a"));
        assertEquals("no module provides the I/O engine 'inline'; found: none", noEngine.getMessage());
    }

    @Test
    void refusesUnknownSettingsBeforeAnythingIsOpened() {
        rig.settings.put("start-delay.helth-millis", "1");
        Refusal refusal = assertThrows(Refusal.class, () -> rig.start("a"));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertTrue(refusal.getMessage().contains("start-delay.health-millis"), refusal.getMessage());
        rig.settings.remove("start-delay.helth-millis");
        rig.settings.put("buffer-budget-bytes", "1M");
        assertTrue(
                assertThrows(Refusal.class, () -> rig.start("a")).getMessage().contains("expected 32 MiB to 64 GiB"));
        assertEquals(List.of(), rig.events);
    }

    @Test
    void keepsTheFirstFailureOfAStopAndClosesTheRest() throws Exception {
        Service service = rig.start("a");
        rig.at("close unix:/run/a.sock", () -> {
            throw new IllegalStateException("first");
        });
        rig.at("close metadata a", () -> {
            throw new AssertionError("second");
        });
        rig.at("close control", () -> {
            throw new IllegalStateException("third");
        });
        assertFalse(service.stop(1000));
        Exception failure = service.stopFailure();
        assertTrue(failure.getMessage().contains("first"), failure.getMessage());
        List<String> suppressed = Arrays.stream(failure.getSuppressed())
                .map(Throwable::getMessage)
                .toList();
        assertEquals(2, suppressed.size(), suppressed.toString());
        assertTrue(suppressed.get(0).contains("second"), suppressed.toString());
        assertTrue(suppressed.get(1).contains("third"), suppressed.toString());
        assertUndone();
    }

    @Test
    void laterStopsWaitForTheFirstAndCloseNothingAgain() throws Exception {
        Service service = rig.start("a");
        rig.hangAt("close metadata a");
        CompletableFuture<Boolean> first = CompletableFuture.supplyAsync(() -> service.stop(1000));
        ServiceRig.await("the stop has begun", () -> rig.events.contains("close metadata a"));
        CompletableFuture<Boolean> second = CompletableFuture.supplyAsync(() -> service.stop(1000));
        assertFalse(first.isDone());
        rig.go.countDown();
        assertTrue(first.get(10, TimeUnit.SECONDS));
        assertTrue(second.get(10, TimeUnit.SECONDS));
        assertTrue(service.stop(0));
        service.close();
        assertUndone();
    }

    @Test
    void aStopThatHangsIsGivenUpAndTheStatusStillAnswers() throws Exception {
        rig.settings.put("save-timeout-millis", "100");
        Service service = rig.start("a", "b");
        write(service, "a");
        rig.hangAt("flush a-main");
        assertFalse(service.stop(10));
        assertTrue(
                service.stopFailure().getMessage().contains("disk 'a' (virtual disk)"),
                service.stopFailure().getMessage());
        // The other disk is saved all the same, and control answers as long as something hangs.
        ServiceRig.await("b is closed", () -> rig.events.contains("close b-main"));
        assertFalse(rig.events.contains("close engine inline"));
        assertFalse(rig.events.contains("close control"));
        assertEquals(List.of("a"), names(service));
        assertEquals(
                List.of("devices noticed", "metadata noticed", "stopping"),
                service.status().disks().get(0).notices());

        rig.go.countDown();
        assertTrue(service.stop(10_000));
        assertNull(service.stopFailure());
        assertUndoneSideBySide();
    }

    private static List<String> names(Service service) {
        return service.status().disks().stream()
                .map(ServiceStatus.DiskStatus::name)
                .toList();
    }

    /** One written sector, so that there is something to flush. */
    private void write(Service service, String disk) throws Exception {
        assertEquals(DiskError.NONE, request(service, disk, DiskRequest.Operation.WRITE));
    }

    private DiskError request(Service service, String disk, DiskRequest.Operation operation) throws Exception {
        var buffer = service.io().buffers().acquire(ServiceRig.SECTOR_BYTES);
        CompletableFuture<DiskError> end = new CompletableFuture<>();
        DiskRequest request = new DiskRequest(r -> end.complete(r.error));
        request.operation = operation;
        request.lengthBytes = ServiceRig.SECTOR_BYTES;
        request.buffer = buffer;
        rig.exports.find(disk).orElseThrow().disk().submit(request);
        DiskError error = end.get(10, TimeUnit.SECONDS);
        buffer.release();
        return error;
    }

    @Test
    void clientsThatDoNotTakeTheirAnswersAreNoFailure() throws Exception {
        Service service = rig.start("a");
        write(service, "a");
        rig.at("drain", () -> rig.events.add("late"));
        assertTrue(service.stop(5), () -> String.valueOf(service.stopFailure()));
        assertNull(service.stopFailure());
        assertEquals(0, rig.metadata.uncleanStops());
        assertUndone();
    }

    @Test
    void aRequestThatADeviceHasNotAnsweredIsAFailure() throws Exception {
        rig.settings.put("save-timeout-millis", "200");
        Service service = rig.start("a");
        rig.hangAt("write a-main");
        rig.at("drain", () -> rig.events.add("late"));
        CompletableFuture<Void> writing = CompletableFuture.runAsync(() -> {
            try {
                write(service, "a");
            } catch (Exception | AssertionError e) {
                rig.events.add("the client has no answer");
            }
        });
        ServiceRig.await("the write is at the device", () -> rig.events.contains("write a-main"));
        assertFalse(service.stop(5));
        assertTrue(
                service.stopFailure().getMessage().contains("devices have not answered what was under way"),
                service.stopFailure().getMessage());
        assertEquals(1, rig.metadata.uncleanStops());
        rig.go.countDown();
        writing.get(10, TimeUnit.SECONDS);
        ServiceRig.await("the stop has ended", () -> rig.events.contains("close control"));
        assertUndone();
    }

    @Test
    void aLastFlushThatFailsIsToldAndEverythingIsClosed() throws Exception {
        Service service = rig.start("a");
        write(service, "a");
        rig.at("flush a-main", () -> {
            throw new DeviceException("a-main", "flush", 0, 0, Errno.EIO);
        });
        assertFalse(service.stop(1000));
        assertTrue(
                service.stopFailure().getMessage().contains("a-main: flush failed: EIO"),
                service.stopFailure().getMessage());
        assertEquals(1, rig.metadata.uncleanStops());
        assertUndone();
    }

    @Test
    void aMainThatCannotBeFlushedAtTheStartIsNotServed() throws Exception {
        rig.at("flush a-main", () -> {
            throw new DeviceException("a-main", "flush", 0, 0, Errno.EIO);
        });
        Refusal refusal = assertThrows(Refusal.class, () -> rig.start("a"));
        assertEquals(Refusal.Kind.DEVICE_FAILED, refusal.kind());
        assertEquals(1, rig.metadata.uncleanStops(), "what was written before may be lost");
        assertUndone();
    }

    @Test
    void waitsBeforeTheCleanUpIfThatIsChosen() throws Exception {
        rig.settings.put("stop-delay.cleanup-millis", "50");
        Service service = rig.start("a");
        long[] drained = new long[1];
        long[] closed = new long[1];
        rig.at("drain", () -> drained[0] = System.nanoTime());
        rig.at("close health a", () -> closed[0] = System.nanoTime());
        assertTrue(service.stop(1000));
        assertTrue(closed[0] - drained[0] >= TimeUnit.MILLISECONDS.toNanos(50));
    }

    @Test
    void aStopWaitsForTheCleanUpHoweverLongThatIsPutOff() throws Exception {
        rig.settings.put("stop-delay.cleanup-millis", "2000");
        rig.settings.put("save-timeout-millis", "500");
        Service service = rig.start("a");
        assertTrue(service.stop(0), () -> String.valueOf(service.stopFailure()));
        assertTrue(rig.events.contains("close metadata a"), rig.events.toString());
    }

    // --- disks that come and go

    @Test
    void disksComeAndGoWhileOthersAreServed() throws Exception {
        Service service = rig.start();
        assertTrue(rig.exports.find("").isEmpty());
        ServiceStatus.DiskStatus added = service.addDisk(ServiceRig.disk("a"));
        assertEquals(List.of("nbd:unix:/run/a.sock/a"), added.uris());
        assertEquals("a", rig.exports.find("").orElseThrow().name());
        service.addDisk(ServiceRig.disk("b"));
        assertTrue(rig.exports.find("").isEmpty(), "two disks: no default export");
        var removed = rig.exports.find("a").orElseThrow().disk();

        service.removeDisk("a");
        assertTrue(rig.exports.find("a").isEmpty());
        assertEquals("b", rig.exports.find("").orElseThrow().name());
        CompletableFuture<DiskError> end = new CompletableFuture<>();
        DiskRequest late = new DiskRequest(r -> end.complete(r.error));
        late.operation = DiskRequest.Operation.FLUSH;
        removed.submit(late);
        assertEquals(DiskError.SHUTDOWN, end.get(10, TimeUnit.SECONDS));
        write(service, "b");

        service.addDisk(ServiceRig.disk("a"));
        assertEquals(List.of("a", "b"), names(service));
    }

    @Test
    void namesAndExportNamesAreUnique() throws Exception {
        Service service = rig.start("a");
        assertEquals(
                "there is a disk 'a' already: choose another name",
                assertThrows(Refusal.class, () -> service.addDisk(ServiceRig.disk("a")))
                        .getMessage());
        DiskSpec b = ServiceRig.disk("b");
        DiskSpec sameExport = new DiskSpec(
                b.main(),
                b.spares(),
                false,
                "b",
                "a",
                false,
                b.door(),
                b.sectorBytes(),
                false,
                false,
                false,
                false,
                false,
                false);
        assertEquals(
                "disk 'a' is exported as 'a' already: choose another export name",
                assertThrows(Refusal.class, () -> service.addDisk(sameExport)).getMessage());
        assertEquals(
                "there is no disk 'c'; there are a",
                assertThrows(Refusal.class, () -> service.removeDisk("c")).getMessage());
        assertEquals(List.of("a"), names(service));
        service.addDisk(b);
    }

    @Test
    void aDiskThatDoesNotStartLeavesItsNameFree() throws Exception {
        Service service = rig.start();
        rig.at("open metadata a", () -> {
            throw deviceFailed();
        });
        assertThrows(Refusal.class, () -> service.addDisk(ServiceRig.disk("a")));
        assertTrue(rig.events.contains("close a-main"));
        rig.at("open metadata a", () -> {});
        assertNotNull(service.addDisk(ServiceRig.disk("a")));
    }

    @Test
    void whatFailsWhenADiskLeavesIsToldAndTheDiskIsGone() throws Exception {
        Service service = rig.start("a");
        rig.at("close metadata a", () -> {
            throw new IllegalStateException("not saved");
        });
        Refusal refusal = assertThrows(Refusal.class, () -> service.removeDisk("a"));
        assertEquals(Refusal.Kind.DEVICE_FAILED, refusal.kind());
        assertTrue(refusal.getMessage().contains("not saved"), refusal.getMessage());
        assertEquals(List.of(), names(service));
        assertTrue(service.stop(1000));
    }

    @Test
    void aDiskThatStartsDuringTheStopIsUndone() throws Exception {
        Service service = rig.start("a");
        rig.hangAt("open metadata b");
        CompletableFuture<Refusal> adding = CompletableFuture.supplyAsync(
                () -> assertThrows(Refusal.class, () -> service.addDisk(ServiceRig.disk("b"))));
        ServiceRig.await("b is being started", () -> rig.events.contains("open metadata b"));
        CompletableFuture<Boolean> stop = CompletableFuture.supplyAsync(() -> service.stop(10_000));
        ServiceRig.await("a is closed", () -> rig.events.contains("close a-main"));
        assertFalse(rig.events.contains("close engine inline"), "b may still use it");
        rig.go.countDown();
        assertEquals(Refusal.Kind.BUSY, adding.get(10, TimeUnit.SECONDS).kind());
        assertTrue(stop.get(10, TimeUnit.SECONDS));
        assertTrue(rig.events.indexOf("close b-main") < rig.events.indexOf("close engine inline"));
        assertUndoneSideBySide();
        assertEquals(
                Refusal.Kind.BUSY,
                assertThrows(Refusal.class, () -> service.addDisk(ServiceRig.disk("c")))
                        .kind());
    }
}
