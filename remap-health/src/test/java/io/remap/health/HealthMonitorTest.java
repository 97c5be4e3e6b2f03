package io.remap.health;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.api.spi.WatchedDisk.Trouble;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** The scan, the alerts and what they remember, in virtual time over a disk without content. */
class HealthMonitorTest extends HealthRig {
    private static final long UNITS_PER_SEGMENT = 256;

    @Test
    void impactMeetsAllOfTheDamageOnce() {
        for (long count : new long[] {0, 1, 9_999, 10_000, 10_001, 20_000, 25_000}) {
            disk.known.clear();
            LongStream.range(0, count).forEach(i -> disk.known.add(3 * i + 1));
            List<Long> met = new ArrayList<>();
            HealthCommands.damage(disk)
                    .forEachRemaining(damage -> met.add(damage.range().firstSector() / 8));
            assertEquals(new ArrayList<>(disk.known), met);
        }
    }

    /** Bursts as the studies found them: Pareto lengths, within 10 MB of each other. */
    private void burst(NavigableSet<Long> units, long count, SplittableRandom random) {
        long all = disk.traits().sizeBytes() / 4096;
        while (units.size() < count) {
            long center = random.nextLong(all);
            for (int run = 1 + random.nextInt(4); run > 0 && units.size() < count; run--) {
                long first = Math.max(0, Math.min(all - 1, center + random.nextLong(-2560, 2560)));
                long length = (long) Math.min(1000, Math.pow(random.nextDouble(), -1 / 1.1));
                for (long unit = first; unit < Math.min(all, first + length) && units.size() < count; unit++) {
                    if (!disk.bad.contains(unit) && !disk.slow.contains(unit)) {
                        units.add(unit);
                    }
                }
            }
        }
    }

    @Test
    void onePassFindsAllLatentErrorsAndMovesAllWeakSectors() throws Exception {
        disk = new WatchedDiskDouble(time, 32 * GIB);
        SplittableRandom random = new SplittableRandom(seed);
        burst(disk.bad, 10_000, random);
        burst(disk.slow, 1_000, random);
        chosen.put("weak.moves-per-hour", "100000");
        chosen.put("weak.moves-per-day", "100000");
        start();
        Map<?, ?> last = runPass();
        assertEquals(disk.bad, disk.known, "unreadable units found, seed " + seed);
        assertEquals(disk.slow, disk.moved, "weak units moved, seed " + seed);
        assertEquals(0L, last.get("leftOutBytes"));
        Map<?, ?> report = call("health");
        assertEquals(10_000L, report.get("badUnits"));
        assertEquals(1_000L, report.get("weakUnits"));
        System.out.println(
                "suite: scrub of 32 GiB: 10000 of 10000 latent units found and 1000 of 1000 weak units moved in "
                        + disk.readNanos.size() + " reads, " + disk.judgements + " verdicts");
    }

    @Test
    void whatNeedsARetryIsMovedWhileItCanBeRead() throws Exception {
        disk.flaky.add(5000L);
        start();
        runPass();
        assertEquals(disk.flaky, disk.moved);
        assertTrue(disk.known.isEmpty(), "nothing is unreadable");
    }

    @Test
    void noMoreThanTheBudgetIsMovedAndNothingInMaintenance() throws Exception {
        for (long unit = 0; unit < 40; unit++) {
            disk.flaky.add(unit * 1000);
        }
        chosen.put("weak.moves-per-hour", "10");
        start();
        call("maintenance", Map.of("seconds", 3600));
        call("scan.start", Map.of("restart", true));
        runFor(50 * MINUTE);
        assertEquals(0, disk.moved.size(), "moved in maintenance");
        assertEquals(40, call("scan.status").get("weakWaiting"));
        runFor(20 * MINUTE);
        assertEquals(10, disk.moved.size(), "moved in the first hour after it");
        runFor(300 * MINUTE);
        assertEquals(40, disk.moved.size(), "moved in the end");
    }

    @Test
    void whatClientsFindWeakSharesTheBudgetWithTheScan() throws Exception {
        disk.flaky.addAll(List.of(1000L, 2000L));
        chosen.put("weak.moves-per-hour", "3");
        start();
        call("maintenance", Map.of("seconds", 3000));
        for (long unit = 70_000; unit < 70_004; unit++) {
            disk.recovered(unit, 1);
            disk.recovered(unit, 2);
        }
        runFor(49 * MINUTE);
        assertEquals(0, disk.moved.size(), "moved in maintenance");
        call("scan.start", Map.of("restart", true));
        runFor(45 * MINUTE);
        assertEquals(3, disk.moved.size(), "moved in the first hour");
        runFor(120 * MINUTE);
        assertEquals(6, disk.moved.size(), "moved in the end: " + disk.moved);
        assertTrue(
                ((Number) call("health").get("weakUnits")).longValue() >= 6,
                call("health").toString());
    }

    @Test
    void nothingIsMovedIfThePolicyHasItSo() throws Exception {
        disk.movesWeak = false;
        disk.flaky.add(1000L);
        start();
        disk.recovered(5, 3);
        call("scan.start", Map.of("restart", true));
        runFor(300 * MINUTE);
        assertEquals(0, disk.moved.size());
        assertEquals(2, call("scan.status").get("weakWaiting"));
    }

    @Test
    void whatIsWeakIsMovedAfterMaintenanceAlsoWhileTheScanIsPaused() throws Exception {
        start();
        call("scan.start", Map.of("restart", true));
        call("maintenance", Map.of("seconds", 3600));
        disk.recovered(70_000, 3);
        call("scan.pause");
        runFor(59 * MINUTE);
        assertEquals(0, disk.moved.size(), "moved in maintenance");
        runFor(5 * MINUTE);
        assertEquals(1, disk.moved.size(), "moved after it");
        disk.movesWeak = false;
        disk.recovered(80_000, 3);
        runFor(60 * MINUTE);
        assertEquals(1, disk.moved.size(), "moved against the policy");
        disk.movesWeak = true;
        runFor(5 * MINUTE);
        assertEquals(2, disk.moved.size(), "moved once the policy has it so");
    }

    @Test
    void aFullSpareIsAskedForRoomLessAndLessOftenAndAtOnceWhenSlotsAreFree() throws Exception {
        long day = 24 * 60 * MINUTE;
        disk.freeSlots = 0;
        chosen.putAll(Map.of("scan.enabled", "off", "scan.save-seconds", "3600"));
        start();
        disk.recovered(70_000, 3);
        runFor(60 * MINUTE);
        assertEquals(3, disk.relocations, "after 0, 10 and 30 minutes");
        runFor(8 * day);
        assertEquals(15, disk.relocations, "once a day in the end");
        disk.freeSlots = 1;
        runFor(3 * MINUTE);
        assertEquals(1, disk.moved.size(), "there is room for it");
        disk.recovered(80_000, 3);
        long tried = disk.relocations;
        runFor(60 * MINUTE);
        assertEquals(3, disk.relocations - tried, "after 0, 10 and 30 minutes, as at first");

        // Slots that are free are not all that it takes, so that they tell nothing unless they get more.
        disk.noRoom = true;
        disk.freeSlots = 7;
        runFor(8 * day);
        assertTrue(disk.relocations - tried <= 16, disk.relocations - tried + " moves tried in eight days");
        disk.noRoom = false;
        runFor(day + MINUTE);
        assertEquals(2, disk.moved.size(), "tried once a day");
    }

    @Test
    void aKillInTheMidstCostsLittleAndThePassGoesOn() throws Exception {
        start();
        call("scan.start", Map.of("rateBytesPerSecond", 1L << 20));
        runFor(15 * MINUTE);
        long before = ((Number) call("scan.status").get("segmentsDone")).longValue();
        time.crash();
        disk.readSegments.clear();
        start();
        Map<?, ?> after = call("scan.status");
        long resumed = ((Number) after.get("segmentsDone")).longValue();
        assertTrue(resumed <= before && before - resumed <= 61, "from " + before + " to " + resumed);
        assertEquals(1L, after.get("pass"));
        runFor(30 * MINUTE);
        assertTrue(call("scan.status").get("last") instanceof Map, "the pass came to its end");
        assertTrue(
                disk.readSegments.size() <= 2048 - resumed + 300, "segments read again: " + disk.readSegments.size());
    }

    @Test
    void whatIsSavedOnDemandIsWhatIsKnownThen() throws Exception {
        chosen.put("scan.save-seconds", "3600");
        start();
        call("scan.start", Map.of("rateBytesPerSecond", 1L << 20));
        runFor(15 * MINUTE);
        long before = ((Number) call("scan.status").get("segmentsDone")).longValue();
        assertTrue(before > 100, before + " segments");
        disk.beforeSave.run();
        time.crash();
        start();
        assertEquals(before, call("scan.status").get("segmentsDone"));
    }

    @Test
    void nobodyIsToldThatAReadOnlyDiskRedirectsNothing() throws Exception {
        disk.redirects = false;
        disk.readOnly = true;
        start();
        runFor(MINUTE);
        assertEquals(List.of(), disk.notes);
        health.close();
        disk.readOnly = false;
        start();
        runFor(MINUTE);
        assertEquals(1, disk.notes.size(), disk.notes.toString());
        assertTrue(disk.notes.get(0).contains("failing writes are not redirected"), disk.notes.toString());
    }

    @Test
    void pauseStandsStillAlsoOverARestartAndResumeGoesOn() throws Exception {
        start();
        call("scan.start", Map.of("rateBytesPerSecond", 1L << 20));
        runFor(5 * MINUTE);
        call("scan.pause");
        runFor(MINUTE);
        int reads = disk.readSegments.size();
        runFor(60 * MINUTE);
        assertEquals(reads, disk.readSegments.size(), "reads while it is paused");
        disk.recovered(70_000, 3);
        runFor(MINUTE);
        assertEquals(Set.of(70_000L), disk.moved, "what is weak does not wait");
        assertEquals(reads, disk.readSegments.size(), "reads while it is paused");
        assertThrows(Refusal.class, () -> call("scan.pause"));
        time.crash();
        start();
        runFor(60 * MINUTE);
        assertEquals(reads, disk.readSegments.size(), "reads after the restart");
        call("scan.resume");
        runFor(5 * MINUTE);
        assertTrue(disk.readSegments.size() >= reads + 250, "reads after it goes on");
        call("scan.cancel");
        runFor(MINUTE);
        assertEquals("cancelled", call("scan.status").get("state"));
    }

    @Test
    void afterAnErrorPassesGoTwiceAsFastForTenWeeks() throws Exception {
        start();
        assertEquals(0L, call("scan.status").get("elevatedUntilMillis"));
        runFor(TimeUnit.DAYS.toNanos(1));
        disk.clientMeets(17);
        long failedMillis = time.wallMillis();
        runFor(MINUTE);
        long until = ((Number) call("scan.status").get("elevatedUntilMillis")).longValue();
        long longer = until - failedMillis - TimeUnit.DAYS.toMillis(70);
        assertTrue(longer >= 0 && longer <= 1000, "70 days and " + longer + " ms");
        call("scan.cancel");
        call("scan.start", Map.of("restart", true));
        while (call("scan.status").get("pass").equals(2L)) {
            runFor(10 * MINUTE);
        }
        time.crash();
        start();
        assertEquals(until, call("scan.status").get("elevatedUntilMillis"), "kept over a restart");
        runFor(TimeUnit.DAYS.toNanos(7) / 2);
        double half = ((Number) call("scan.status").get("percent")).doubleValue();
        assertTrue(half > 45 && half < 55, "after 3.5 of 7 days: " + half + " %");
        runFor(TimeUnit.DAYS.toNanos(71));
        assertEquals(0L, call("scan.status").get("elevatedUntilMillis"));
        Object pass = call("scan.status").get("pass");
        while (call("scan.status").get("pass").equals(pass)) {
            runFor(10 * MINUTE);
        }
        runFor(TimeUnit.DAYS.toNanos(7));
        half = ((Number) call("scan.status").get("percent")).doubleValue();
        assertTrue(half > 45 && half < 55, "after 7 of 14 days: " + half + " %");
    }

    @Test
    void aPassThatNobodyAskedForTakesItsDays() throws Exception {
        start();
        runFor(TimeUnit.DAYS.toNanos(7));
        double half = ((Number) call("scan.status").get("percent")).doubleValue();
        assertTrue(half > 45 && half < 55, "after 7 of 14 days: " + half + " %");
        runFor(TimeUnit.DAYS.toNanos(8));
        assertEquals(2L, call("scan.status").get("pass"));
    }

    @Test
    void theSurroundingsOfAClientsErrorAreReadWithinAMinute() throws Exception {
        start();
        long segment = 777;
        disk.clientMeets(segment * UNITS_PER_SEGMENT + 5);
        runFor(MINUTE);
        assertEquals(
                java.util.stream.LongStream.rangeClosed(segment - 10, segment + 10)
                        .boxed()
                        .collect(Collectors.toSet()),
                java.util.Set.copyOf(disk.readSegments));
    }

    @Test
    void busyClientsGoFirstButNotForEver() throws Exception {
        start();
        disk.outstanding = 1;
        call("scan.start", Map.of());
        runFor(MINUTE);
        int busy = disk.readSegments.size();
        assertTrue(busy >= 50 && busy <= 62, "reads in a busy minute: " + busy);
        disk.outstanding = 0;
        runFor(5_000_000_000L);
        assertTrue(
                disk.readSegments.size() - busy > 300,
                "reads in five idle seconds: " + (disk.readSegments.size() - busy));
    }

    @Test
    void aDeviceThatIsAwayCountsAgainstNoSector() throws Exception {
        start();
        for (int errno : List.of(Errno.ENODEV, Errno.EIO)) {
            disk.goneErrno = errno;
            call("scan.start", Map.of("restart", true));
            runFor(10 * MINUTE);
            assertTrue(disk.readSegments.size() < 200, "reads of a device that is away: " + disk.readSegments.size());
            assertFalse(call("scan.status").get("trouble").toString().isEmpty());
            assertEquals(0L, call("health").get("badUnits"));
            disk.goneErrno = 0;
            disk.readSegments.clear();
        }
        runPass();
        assertEquals(0L, call("health").get("badUnits"));
        assertTrue(disk.known.isEmpty() && disk.moved.isEmpty());
    }

    @Test
    void alertsTellOfGrowthAndWhatIsKnownStaysQuiet() throws Exception {
        start();
        runFor(MINUTE);
        assertEquals(List.of(), call("alerts.list").get("alerts"));
        disk.clientMeets(10);
        runFor(MINUTE);
        assertEquals(1, disk.notes.size(), disk.notes.toString());
        Map<?, ?> alert = (Map<?, ?>) ((List<?>) call("alerts.list").get("alerts")).get(0);
        assertEquals("bad-units", alert.get("key"));
        assertEquals("warning", alert.get("severity"));
        call("alerts.ack", Map.of("id", alert.get("id")));
        runFor(10 * MINUTE);
        assertEquals(1, disk.notes.size(), disk.notes.toString());
        disk.clientMeets(100_000);
        runFor(MINUTE);
        assertEquals(2, disk.notes.size(), disk.notes.toString());
        call("alerts.baseline");
        time.crash();
        start();
        runFor(10 * MINUTE);
        assertEquals(2, disk.notes.size(), "told again after a restart: " + disk.notes);
        assertEquals(0L, call("health").get("openAlerts"));
    }

    @Test
    void whatFailedWithinADayIsNotOverByARestart() throws Exception {
        start();
        disk.fails(Trouble.FLUSH_FAILED);
        disk.fails(Trouble.DEVICE_FAULT);
        runFor(MINUTE);
        assertEquals(2, disk.notes.size(), disk.notes.toString());
        assertEquals(60, call("health").get("score"));
        health.close();
        start();
        runFor(10 * MINUTE);
        assertEquals(2, disk.notes.size(), "told after the restart: " + disk.notes);
        assertEquals(2L, call("health").get("openAlerts"));
        assertEquals(60, call("health").get("score"));
        runFor(24 * 60 * MINUTE);
        assertEquals(4, disk.notes.size(), "a day later it is over: " + disk.notes);
        assertEquals(100, call("health").get("score"));
    }

    @Test
    void whoTurnedSmartOffIsToldSo() throws Exception {
        start();
        runFor(MINUTE);
        Map<?, ?> smart = (Map<?, ?>) call("health").get("smart");
        assertEquals("switched off (smart.program=off)", smart.get("why"));
    }

    @Test
    void noTestSaysThatAHookWorksThatIsNotThere() throws Exception {
        start();
        Refusal refusal = assertThrows(Refusal.class, () -> call("alerts.test"));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertEquals("no hook is set: serve with --set alert.hook=/PATH", refusal.getMessage());
    }

    @Test
    void areasFoundDeadCostPointsOfDiskAndRegionAndAreToldOfAsTheyGrow() throws Exception {
        start();
        runFor(MINUTE);
        disk.avoid(40_000, 40_010, true);
        runFor(MINUTE);
        Map<?, ?> report = call("health");
        assertEquals(80, report.get("score"));
        assertEquals(
                List.of(Map.of("what", "units of 4096 bytes in areas found dead", "count", 10L, "points", 20)),
                report.get("reasons"));
        Map<?, ?> region = maps(report.get("worstRegions")).get(0);
        assertEquals(128L << 20, region.get("offsetBytes"));
        assertEquals(80L, region.get("deadSectors"));
        assertEquals(
                "sectors in areas found dead",
                maps(region.get("reasons")).get(0).get("what"));
        assertEquals(1, disk.notes.size(), disk.notes.toString());
        assertTrue(disk.notes.get(0).startsWith("degraded open: 10 units"), disk.notes.get(0));
        call(
                "alerts.ack",
                Map.of("id", maps(call("alerts.list").get("alerts")).get(0).get("id")));
        runFor(10 * MINUTE);
        assertEquals(1, disk.notes.size(), disk.notes.toString());
        disk.avoid(50_000, 50_008, true);
        runFor(MINUTE);
        assertEquals(2, disk.notes.size(), "growth beyond what is known: " + disk.notes);
        disk.avoid(60_000, 60_490, true);
        runFor(MINUTE);
        assertTrue(disk.notes.get(2).startsWith("critical open: 508 units"), disk.notes.toString());
        disk.avoided.clear();
        runFor(2 * MINUTE);
        assertEquals(4, disk.notes.size(), "they read again: " + disk.notes);
        assertEquals(100, call("health").get("score"));
    }

    @Test
    void whatAPersonNamedIsShownAndSpeaksAgainstNothing() throws Exception {
        start();
        disk.avoid(40_000, 40_500, false);
        runFor(10 * MINUTE);
        Map<?, ?> report = call("health");
        assertEquals(100, report.get("score"));
        assertEquals(
                Map.of("foundAreas", 0L, "foundSectors", 0L, "namedAreas", 1L, "namedSectors", 4000L),
                report.get("avoided"));
        assertEquals(List.of(), disk.notes);
        assertTrue(health.status().parts().get(0).text().contains("leaves 2.0 MiB alone"), health.status()::text);
    }

    @Test
    void aScanDoesNotHammerADeadArea() throws Exception {
        for (long unit = 100_000; unit < 100_000 + 40 * UNITS_PER_SEGMENT; unit++) {
            disk.dead.add(unit);
        }
        start();
        long before = time.nanoTime();
        Map<?, ?> last = runPass();
        assertTrue(disk.deadReads <= 10, "reads of the dead area: " + disk.deadReads);
        assertTrue(time.nanoTime() - before < 60 * MINUTE, "the pass took too long");
        assertEquals(0L, last.get("leftOutBytes"));
        assertEquals((2 * GIB) - (40L << 20), last.get("scannedBytes"));
        assertEquals(40L << 20, call("scan.status").get("avoidedBytes"));
        assertEquals(1L, call("scan.status").get("avoidedAreas"));
        assertEquals(0L, call("health").get("badUnits"));
    }

    @Test
    void withoutAvoidingTheSameAreaIsReadUnitByUnit() throws Exception {
        for (long unit = 100_000; unit < 100_000 + UNITS_PER_SEGMENT; unit++) {
            disk.dead.add(unit);
        }
        disk.findsDead = false;
        start();
        runPass();
        assertTrue(disk.deadReads > 250, "reads of the dead area: " + disk.deadReads);
        assertEquals(List.of(), disk.avoided);
    }

    @Test
    void whatIsToldTooFastIsShown() throws Exception {
        start();
        assertEquals(0L, call("health").get("droppedTroubles"));
        for (long unit = 0; unit < Troubles.MOST + 9; unit++) {
            disk.clientMeets(unit);
        }
        assertEquals(9L, call("health").get("droppedTroubles"));
        runFor(MINUTE);
        assertEquals((long) Troubles.MOST, call("health").get("badUnits"), "what was dropped is in no count");
    }

    @Test
    void theSpareIsToldOfAtTheLimitsOfTheUser() throws Exception {
        chosen.putAll(Map.of("alert.spare-warning-percent", "10", "alert.spare-critical-percent", "60"));
        start();
        for (int percent : List.of(9, 11, 59, 61, 91)) {
            disk.freeSlots = (1L << 20) * (100 - percent) / 100;
            runFor(2 * MINUTE);
        }
        assertEquals(3, disk.notes.size(), disk.notes.toString());
        assertTrue(disk.notes.get(0).startsWith("warning open: 11 percent of the spare"), disk.notes.get(0));
        assertTrue(disk.notes.get(1).startsWith("critical open: 61 percent of the spare"), disk.notes.get(1));
    }

    @Test
    void theSpareIsToldOfAtEachLimit() throws Exception {
        start();
        for (int percent : List.of(49, 51, 81, 91)) {
            disk.freeSlots = (1L << 20) * (100 - percent) / 100;
            runFor(2 * MINUTE);
        }
        assertEquals(3, disk.notes.size(), disk.notes.toString());
        assertTrue(disk.notes.get(2).startsWith("critical open: 91 percent of the spare"), disk.notes.get(2));
        disk.freeSlots = 1 << 20;
        runFor(2 * MINUTE);
        assertTrue(disk.notes.get(3).startsWith("critical resolved"), disk.notes.toString());
    }

    @Test
    void aScannerThatIsTurnedOffReadsNothing() throws Exception {
        chosen.put("scan.enabled", "off");
        start();
        disk.clientMeets(5);
        runFor(TimeUnit.DAYS.toNanos(2));
        assertEquals(List.of(), disk.readSegments);
        assertEquals("absent (turned off)", health.status().parts().get(0).text());
    }

    @Test
    void aPassThatNobodyAskedForStopsWhenTheScannerIsTurnedOffAndGoesOnLater() throws Exception {
        start();
        runFor(TimeUnit.DAYS.toNanos(2));
        double before = ((Number) call("scan.status").get("percent")).doubleValue();
        assertTrue(before > 5, "percent: " + before);
        time.crash();
        disk.readSegments.clear();
        chosen.put("scan.enabled", "off");
        start();
        runFor(TimeUnit.DAYS.toNanos(1));
        assertEquals(List.of(), disk.readSegments);
        assertEquals("absent (turned off)", health.status().parts().get(0).text());
        time.crash();
        chosen.remove("scan.enabled");
        start();
        assertEquals("running", call("scan.status").get("state"));
        assertEquals(1L, call("scan.status").get("pass"));
        double after = ((Number) call("scan.status").get("percent")).doubleValue();
        assertTrue(after > before - 1, "percent " + before + ", later " + after);
    }

    @Test
    void aPassThatSomebodyAskedForGoesOnAlsoWithTheScannerTurnedOff() throws Exception {
        chosen.put("scan.enabled", "off");
        start();
        call("scan.start", Map.of("rateBytesPerSecond", 1L << 20));
        runFor(5 * MINUTE);
        time.crash();
        disk.readSegments.clear();
        start();
        runFor(30 * MINUTE);
        assertTrue(disk.readSegments.size() > 1000, "reads: " + disk.readSegments.size());
    }

    @Test
    void aSaveThatFailsIsTriedAgain() throws Exception {
        disk.failingSaves = 1;
        start();
        runFor(90 * 1_000_000_000L);
        assertEquals(0, disk.failingSaves, "it was tried");
        assertEquals(0, disk.memory().length);
        runFor(2 * MINUTE);
        assertTrue(disk.memory().length > 0, "saved later");
    }

    @Test
    void nothingIsReadAfterItIsClosed() throws Exception {
        start();
        call("scan.start", Map.of());
        runFor(MINUTE);
        health.close();
        runFor(MINUTE);
        int reads = disk.readSegments.size();
        time.runUntilIdle();
        assertEquals(reads, disk.readSegments.size());
    }
}
