package io.remap.health.scan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk.Probeable;
import io.remap.health.scan.ScanJob.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What is left for the moment is read or counted, once. */
class LeftoversTest {
    private static final int SECTOR = 512;
    private static final int UNIT_SECTORS = 8;
    private static final int UNITS = 256;
    private static final long MINUTE = TimeUnit.MINUTES.toNanos(1);

    private final NavigableSet<Long> unflushed = new TreeSet<>();
    private final NavigableSet<Long> never = new TreeSet<>();
    /** Nothing of a range can be read while a unit of it is moving. */
    private final NavigableSet<Long> moving = new TreeSet<>();

    private final ScanProgress progress = new ScanProgress(1 << 20);
    private final Leftovers leftovers = new Leftovers(this::probeable, progress, SECTOR);
    private long now;

    private Probeable probeable(SectorRange range) {
        long first = range.firstSector() / UNIT_SECTORS;
        long end = range.endSector() / UNIT_SECTORS;
        if (!moving.subSet(first, end).isEmpty()) {
            return new Probeable(List.of(), true);
        }
        List<SectorRange> ranges = new ArrayList<>();
        for (long unit = first; unit < end; unit++) {
            if (!unflushed.contains(unit) && !never.contains(unit)) {
                ranges.add(new SectorRange(unit * UNIT_SECTORS, UNIT_SECTORS));
            }
        }
        return new Probeable(ranges, !unflushed.subSet(first, end).isEmpty());
    }

    private static long units(ScanJob job) {
        long units = 0;
        while (!job.isDone()) {
            units += job.peek().range().lengthSectors() / UNIT_SECTORS;
            job.taken(0, 0);
        }
        return units;
    }

    private ScanJob open(Kind kind, long segment) {
        return leftovers.open(
                kind, segment, new SectorRange(segment * UNITS * UNIT_SECTORS, UNITS * UNIT_SECTORS), now);
    }

    private ScanJob aMinuteLater() {
        now += MINUTE;
        return leftovers.takeDue(now);
    }

    @Test
    void onlyWhatWasLeftIsReadLater() {
        unflushed.addAll(List.of(5L, 6L, 9L));
        never.addAll(List.of(7L, 8L, 30L));
        assertEquals(UNITS - 6, units(open(Kind.PASS, 0)));
        assertNull(leftovers.takeDue(now));
        unflushed.remove(6L);
        ScanJob later = aMinuteLater();
        assertEquals(Kind.LEFT, later.kind());
        assertEquals(new SectorRange(48, 8), later.peek().range());
        assertEquals(1, units(later));
        unflushed.clear();
        assertEquals(2, units(aMinuteLater()));
        assertNull(aMinuteLater());
        assertEquals(0, progress.leftOutBytes);
    }

    @Test
    void allBesideWhatMovesIsReadAtOnce() {
        moving.add(100L);
        ScanJob first = open(Kind.PASS, 0);
        assertEquals(new SectorRange(0, 100 * UNIT_SECTORS), first.peek().range());
        assertEquals(UNITS - 1, units(first));
        assertEquals(0, units(aMinuteLater()));
        moving.clear();
        never.add(100L);
        assertEquals(0, units(aMinuteLater()));
        assertFalse(leftovers.hasOfPass());
        assertEquals(0, progress.leftOutBytes, "it is on the spare now");
    }

    @Test
    void inTheEndItIsGivenUpAndCountedOnce() {
        unflushed.addAll(List.of(5L, 6L));
        open(Kind.PASS, 0);
        for (int i = 0; i < Leftovers.MAX_TRIES; i++) {
            assertTrue(leftovers.hasOfPass());
            assertEquals(0, progress.leftOutBytes);
            assertTrue(aMinuteLater().isDone());
        }
        assertNull(aMinuteLater());
        assertEquals(8192, progress.leftOutBytes);
    }

    @Test
    void whatHasNoRoomIsCountedAtOnce() {
        for (long segment = 0; segment < Leftovers.MAX_LEFT + 9; segment++) {
            unflushed.add(segment * UNITS);
            open(Kind.PASS, segment);
        }
        assertEquals(9 * 4096, progress.leftOutBytes);
    }

    @Test
    void otherReadsCountNowhere() {
        unflushed.add(5L);
        open(Kind.EXTRA, 0);
        assertNull(aMinuteLater());
        open(Kind.LOCAL, 0);
        assertFalse(leftovers.hasOfPass());
        leftovers.forgetPass();
        unflushed.clear();
        ScanJob later = aMinuteLater();
        assertEquals(Kind.LOCAL, later.kind());
        assertEquals(1, units(later));
        unflushed.add(5L);
        open(Kind.LOCAL, 0);
        for (int i = 0; i < Leftovers.MAX_TRIES; i++) {
            assertTrue(aMinuteLater().isDone());
        }
        assertNull(aMinuteLater());
        assertEquals(0, progress.leftOutBytes);
    }
}
