package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.core.io.StandardFaultPolicyProvider;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Who asks whether a device lives, how often, and what many errors at many places lead to. */
class CanaryTest {
    private static final int UNIT = Place.UNIT_BYTES;
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
    private static final int STORM = 1000;

    private final DiskRig rig;
    private final Canary canary;

    CanaryTest() throws Refusal {
        rig = new DiskRig(16, new StandardFaultPolicyProvider().open(new Settings(Map.of())));
        canary = rig.disk.mainSide.canary();
    }

    @AfterEach
    void stop() {
        rig.close();
    }

    private void pass(long millis) {
        rig.scheduler.schedule(() -> {}, millis);
        rig.scheduler.runUntilIdle();
    }

    private List<DiskEvent> spreads() {
        return rig.disk.events().newest(0, 100).stream()
                .filter(event -> event.kind() == DiskEvent.Kind.ERRORS_SPREAD)
                .toList();
    }

    @Test
    void aDeviceThatIsDownIsReadOncePerErrorAndWhollyTenTimesASecond() {
        rig.main.vanish(Errno.EIO);
        long before = canary.reads();
        for (int second = 0; second < 10; second++) {
            for (int i = 0; i < STORM / 10; i++) {
                assertFalse(canary.alive());
                pass(10);
            }
        }
        long reads = canary.reads() - before;
        long most = STORM + 100L * (Canary.places() - 1) + Canary.places();
        assertTrue(reads <= most, "reads for " + STORM + " errors within ten seconds: " + reads);
        System.out.println("suite: canary reads for " + STORM + " errors of a device that is down, within ten seconds: "
                + reads + "; with a whole round for each: " + STORM * Canary.places());
        rig.main.comeBack();
        assertTrue(canary.alive(), "it is seen at once that it is back");
    }

    @Test
    void aVerdictNeverRestsOnAnOlderAnswer() {
        assertTrue(canary.alive());
        assertTrue(canary.wasAliveLately());
        rig.main.vanish(Errno.EIO);
        assertTrue(canary.wasAliveLately(), "nobody asked");
        assertFalse(canary.alive());
        assertFalse(canary.wasAliveLately());
        rig.main.comeBack();
        assertTrue(canary.alive());
        pass(101);
        assertFalse(canary.wasAliveLately());
    }

    @Test
    void halvingALongReadAsksLittle() {
        rig.main.fault(77, 1, Fault.BAD);
        long before = canary.reads();
        assertNull(rig.read(0, 32 * UNIT));
        assertEquals(1, rig.disk.summary().unreadableSectors());
        long reads = canary.reads() - before;
        assertTrue(reads <= 5, "canary reads for one bad sector in 128 KiB: " + reads);
    }

    @Test
    void errorsInManyRegionsAreToldOfOnceAMinute() {
        ErrorSpread spread = new ErrorSpread(() -> 8);
        Set<String> told = new HashSet<>();
        for (int region = 0; region < 7; region++) {
            told.add(spread.failed(
                    (long) region << ErrorSpread.REGION_SHIFT, 1_000_000 + region * 1000L, region * SECOND));
            told.add(spread.failed(5, 1_000_000 + region * 1000L, region * SECOND));
        }
        assertEquals(Set.of(""), told, "seven regions, however many errors");
        assertEquals(
                "errors in 8 regions of 128 MiB within a minute",
                spread.failed(100L << ErrorSpread.REGION_SHIFT, 2_000_000, 10 * SECOND));
        assertEquals("", spread.failed(101L << ErrorSpread.REGION_SHIFT, 2_001_000, 11 * SECOND));
        assertFalse(
                spread.failed(102L << ErrorSpread.REGION_SHIFT, 2_002_000, 71 * SECOND)
                        .contains("regions"),
                "those of a minute ago do not count");
    }

    @Test
    void manyFailedRequestsAreToldOfWithWhatTheCanariesSay() {
        for (int unit = 0; unit < ErrorSpread.MIN_FAILURES; unit++) {
            rig.main.fault(8L * unit + 1, 1, Fault.UNWRITABLE);
        }
        List<DiskRequest> requests = new ArrayList<>();
        for (int unit = 0; unit < ErrorSpread.MIN_FAILURES; unit++) {
            DiskRequest request = new DiskRequest(ended -> {});
            request.operation = DiskRequest.Operation.WRITE;
            request.offsetBytes = (long) unit * UNIT;
            request.lengthBytes = UNIT;
            request.buffer = rig.buffers.acquire(UNIT);
            requests.add(request);
        }
        rig.scheduler.execute(() -> requests.forEach(rig.disk::submit));
        rig.scheduler.runUntilIdle();
        requests.forEach(request -> request.buffer.release());
        long redirected = requests.stream()
                .filter(request -> request.error == DiskError.NONE)
                .count();
        assertEquals(16, redirected, "as many as there is room for, whatever the rate");
        assertEquals(1, spreads().size());
        String detail = spreads().get(0).detail();
        assertTrue(detail.contains("of 24 places all over main 24 read"), detail);
        assertNotNull(rig.read(40 * UNIT, UNIT), "nothing else follows from it");
    }
}
