package io.remap.health;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What a scan could not read for the moment, and what is left of a pass that was ended. */
class LeftOutTest extends HealthRig {
    private static final long UNITS_PER_SEGMENT = 256;

    /** One pass, and none after it. */
    private void startPass() throws Exception {
        chosen.put("scan.enabled", "off");
        start();
        call("scan.start", Map.of("restart", true));
    }

    private Map<?, ?> lastAfter(long nanos) throws Exception {
        runFor(nanos);
        return (Map<?, ?>) call("scan.status").get("last");
    }

    @Test
    void whatStaysUnflushedIsCountedOnceAndTheRestIsReadOnce() throws Exception {
        disk.unflushed.add(5000L);
        startPass();
        Map<?, ?> last = lastAfter(10 * MINUTE);
        assertEquals(4096L, last.get("leftOutBytes"));
        assertEquals(2 * GIB - 4096, last.get("scannedBytes"));
        assertEquals(2049, disk.readSegments.size(), "a segment in two parts, and each of the others once");
    }

    @Test
    void whatIsFlushedMeanwhileIsReadAfterAll() throws Exception {
        disk.unflushed.add(5000L);
        startPass();
        time.schedule(disk.unflushed::clear, TimeUnit.NANOSECONDS.toMillis(2 * MINUTE + MINUTE / 2));
        Map<?, ?> last = lastAfter(10 * MINUTE);
        assertEquals(0L, last.get("leftOutBytes"));
        assertEquals(2 * GIB, last.get("scannedBytes"));
        assertEquals(2050, disk.readSegments.size());
    }

    @Test
    void moreSegmentsThanMayWaitCountOnce() throws Exception {
        for (long segment = 0; segment < 2048; segment++) {
            disk.unflushed.add(segment * UNITS_PER_SEGMENT);
        }
        startPass();
        Map<?, ?> last = lastAfter(20 * MINUTE);
        assertEquals(2048L * 4096, last.get("leftOutBytes"));
        assertEquals(2 * GIB - 2048L * 4096, last.get("scannedBytes"));
    }

    @Test
    void whatIsReadAroundAnErrorIsLeftOutOfNoPass() throws Exception {
        disk.unflushed.add(5000L);
        start();
        disk.clientMeets(5100);
        runFor(9 * MINUTE);
        assertTrue(disk.readSegments.contains(5000 / UNITS_PER_SEGMENT), "its surroundings were read");
        assertEquals(0L, call("scan.status").get("leftOutBytes"));
        assertEquals(0L, call("scan.status").get("scannedBytes"));
    }

    @Test
    void nothingOfAPassIsReadAfterItWasCancelled() throws Exception {
        disk.unflushed.add(5000L);
        disk.slow.add(300_000L);
        chosen.put("scan.recheck-seconds", "600");
        startPass();
        runFor(2 * MINUTE);
        assertEquals(1, call("scan.status").get("suspects"));
        call("scan.cancel");
        int reads = disk.readSegments.size();
        disk.unflushed.clear();
        runFor(60 * MINUTE);
        assertEquals(reads, disk.readSegments.size(), "reads after it was cancelled");
        assertEquals(0, call("scan.status").get("suspects"));
    }

    @Test
    void aPassThatBeginsAnewTakesNothingOfTheOneBefore() throws Exception {
        disk.unflushed.add(5000L);
        startPass();
        runFor(5 * MINUTE);
        disk.unflushed.clear();
        disk.readSegments.clear();
        call("scan.start", Map.of("restart", true));
        Map<?, ?> last = lastAfter(10 * MINUTE);
        assertEquals(2 * GIB, last.get("scannedBytes"));
        assertEquals(2048, disk.readSegments.size());
    }
}
