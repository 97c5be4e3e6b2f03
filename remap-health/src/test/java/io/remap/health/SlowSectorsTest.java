package io.remap.health;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.spi.WatchedDisk;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is slow for clients is looked into, and moved if it is slow by itself; a device that is slow as a whole costs nothing. */
class SlowSectorsTest extends HealthRig {
    private static final long UNIT = 70_000;

    @BeforeEach
    void noScan() {
        chosen.put("scan.enabled", "off");
    }

    private Object status(String key) throws Exception {
        return call("scan.status").get(key);
    }

    @Test
    void aSectorThatIsSlowForClientsAloneIsProbedTwiceAndMoved() throws Exception {
        disk.slow.add(UNIT);
        start();
        assertEquals(TimeUnit.SECONDS.toNanos(1), disk.slowReadNanos);
        disk.clientReads(UNIT - 3, UNIT + 5, false);
        runFor(MINUTE - 2_000_000_000L);
        assertEquals(List.of(), disk.readSegments, "read while the drive has it in its cache");
        runFor(30_000_000_000L);
        assertTrue(disk.readSegments.size() >= 8, "reads: " + disk.readSegments);
        assertTrue(disk.moved.isEmpty(), "slow once so far");
        runFor(5 * MINUTE);
        assertEquals(disk.slow, disk.moved);
        assertEquals(1L, call("health").get("weakUnits"));
        assertTrue(disk.readSegments.size() < 30, "reads: " + disk.readSegments.size());
        int reads = disk.readSegments.size();
        runFor(60 * MINUTE);
        assertEquals(reads, disk.readSegments.size(), "nothing goes on");
    }

    @Test
    void whatIsSlowIsAReasonOfTheScoreOfItsRegion() throws Exception {
        disk.slow.add(UNIT);
        start();
        disk.clientReads(UNIT, UNIT + 1, false);
        runFor(10 * MINUTE);
        Map<?, ?> region = maps(call("health").get("worstRegions")).get(0);
        assertEquals(93, region.get("score"));
        assertEquals(
                List.of(
                        Map.of("what", "slow sectors", "count", 8L, "points", 5),
                        Map.of("what", "probes that were slow while others were not", "count", 2L, "points", 2)),
                region.get("reasons"));
        time.crash();
        start();
        assertEquals(region, maps(call("health").get("worstRegions")).get(0), "after a restart");
    }

    @Test
    void aReadThatWaitedForOthersBlamesNobody() throws Exception {
        start();
        disk.clientReads(UNIT, UNIT + 256, true);
        runFor(10 * MINUTE);
        assertEquals(32, disk.readSegments.size(), "each sixteenth of both segments was read once");
        assertTrue(disk.moved.isEmpty());
        assertEquals(0L, call("health").get("weakUnits"));
        assertEquals(0, status("suspects"));
    }

    @Test
    void aDeviceThatIsSlowAsAWholeCostsNoSectorOfTheSpare() throws Exception {
        disk.allSlow = true;
        start();
        int minutesBlamed = 0;
        for (int minute = 0; minute < 300; minute++) {
            disk.clientReads(256L * minute, 256L * minute + 8, false);
            runFor(MINUTE);
            minutesBlamed += Boolean.TRUE.equals(status("deviceIsSlow")) ? 1 : 0;
        }
        assertEquals(new TreeSet<>(), disk.moved);
        assertEquals(0L, call("health").get("weakUnits"));
        assertTrue(minutesBlamed > 200, "minutes in which the device was known to be slow: " + minutesBlamed);
        assertEquals(300L, status("slowReadsOfClients"));
        assertTrue((long) status("slowReadsDropped") > 200, "dropped: " + status("slowReadsDropped"));
        // A probe and its controls now and then.
        assertTrue(disk.readSegments.size() < 200, "reads: " + disk.readSegments.size());
        disk.allSlow = false;
        disk.slow.add(UNIT);
        runFor(15 * MINUTE);
        assertEquals(false, status("deviceIsSlow"));
        disk.clientReads(UNIT, UNIT + 1, false);
        runFor(5 * MINUTE);
        assertEquals(disk.slow, disk.moved, "it is well again, and one sector is not");
    }

    @Test
    void aScanOfADeviceThatIsSlowAsAWholeBlamesNoSectorEither() throws Exception {
        disk.allSlow = true;
        start();
        Map<?, ?> last = runPass();
        assertEquals(2 * GIB, last.get("scannedBytes"));
        assertEquals(new TreeSet<>(), disk.moved);
        Map<?, ?> report = call("health");
        assertEquals(
                List.of(Map.of("what", "slow ones in a thousand reads of scans", "count", 1000L, "points", 20)),
                report.get("reasons"));
        assertEquals(2048L, ((Map<?, ?>) report.get("latency")).get("slowReads"));
        assertEquals(List.of(), report.get("worstRegions"), "it is the device, and no region");
        assertEquals(0L, call("health").get("weakUnits"));
        assertTrue(disk.readSegments.size() < 2048 + 100, "reads: " + disk.readSegments.size());
    }

    /** A year of quick reads hides no disk that is slow now, nor the other way round. */
    @Test
    void theTimesOfTheLastPassCount() throws Exception {
        disk.allSlow = true;
        start();
        runPass();
        assertEquals(2048L, latency("slowReads"));
        time.crash();
        start();
        assertEquals(2048L, latency("slowReads"), "after a restart");
        disk.allSlow = false;
        runPass();
        assertEquals(0L, latency("slowReads"));
        assertEquals(2048L, latency("reads"));
        assertEquals(List.of(), call("health").get("reasons"));
    }

    private long latency(String what) throws Exception {
        return (long) ((Map<?, ?>) call("health").get("latency")).get(what);
    }

    @Test
    void aControlThatIsSlowTooByChanceSavesNoSlowSector() throws Exception {
        disk.slow.add(UNIT);
        // A tenth of the disk, of which the places elsewhere meet some.
        LongStream.range(0, 2 * GIB / 4096 / 10).forEach(unit -> disk.slow.add(10 * unit + 1));
        start();
        disk.clientReads(UNIT, UNIT + 1, false);
        runFor(10 * MINUTE);
        assertTrue(disk.moved.contains(UNIT), disk.moved.toString());
    }

    @Test
    void noMoreIsLookedIntoThanTheLimitsSay() throws Exception {
        start();
        for (long segment = 0; segment < 300; segment++) {
            disk.clientReads(256 * segment, 256 * segment + 1, true);
        }
        runFor(1_000_000_000L);
        assertEquals(256, status("suspects"));
        assertEquals(44L, status("slowReadsDropped"));
        runFor(5 * MINUTE);
        assertEquals(0, status("suspects"));
        for (int round = 1; round <= 8; round++) {
            for (long segment = 0; segment < 200; segment++) {
                long unit = 256 * (segment + 200L * round) + 7;
                disk.clientReads(unit, unit + 1, true);
            }
            runFor(5 * MINUTE);
        }
        assertEquals(1900L, status("slowReadsOfClients"));
        assertEquals(1900L - 1024, status("slowReadsDropped"));
        assertEquals(1024, disk.readSegments.size());
        runFor(60 * MINUTE);
        disk.clientReads(500_000, 500_001, true);
        runFor(5 * MINUTE);
        assertEquals(1025, disk.readSegments.size(), "an hour later there is room again");
    }

    @Test
    void theSamePlaceIsLookedIntoOnceInTenMinutes() throws Exception {
        start();
        for (int i = 0; i < 20; i++) {
            disk.clientReads(UNIT, UNIT + 1, true);
            runFor(MINUTE);
        }
        assertEquals(2, disk.readSegments.size());
        assertEquals(0L, status("slowReadsDropped"));
    }

    @Test
    void aLongReadIsLookedIntoSegmentBySegment() throws Exception {
        disk.slow.add(UNIT);
        start();
        disk.clientReads(UNIT - 256 * 16, UNIT + 256 * 16, false);
        runFor(30 * MINUTE);
        assertEquals(disk.slow, disk.moved);
        assertEquals(
                LongStream.rangeClosed(UNIT / 256 - 16, UNIT / 256 + 16).boxed().collect(Collectors.toSet()),
                disk.readSegments.stream()
                        .filter(segment -> Math.abs(segment - UNIT / 256) <= 16)
                        .collect(Collectors.toSet()));
    }

    @Test
    void slowReadsOfClientsDoNotKeepAPassFromItsEnd() throws Exception {
        start();
        for (int i = 0; i < 200; i++) {
            time.schedule(() -> disk.clientReads(UNIT, UNIT + 1, true), 30_000L * i);
        }
        Map<?, ?> last = runPass();
        assertEquals(2 * GIB, last.get("scannedBytes"));
    }

    @Test
    void afterTheEndNoReadIsSlow() throws Exception {
        start();
        health.close();
        assertEquals(WatchedDisk.NO_READ_IS_SLOW, disk.slowReadNanos);
    }
}
