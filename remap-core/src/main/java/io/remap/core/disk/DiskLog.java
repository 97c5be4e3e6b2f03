package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskRequest;
import io.remap.api.ErrorClass;
import io.remap.api.Place;
import io.remap.api.Seal;
import io.remap.api.SectorRange;
import io.remap.api.TimeSource;
import io.remap.api.spi.WatchedDisk.Trouble;
import io.remap.api.spi.WatchedDisk.TroubleListener;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a virtual disk tells people as it goes. Disks and clients trigger it, so it is limited: events of one kind are told
 * as {@link LogLimit} has it. Thread-safe.
 */
final class DiskLog {
    /** What is told again and again; each is limited by itself. */
    private enum Message {
        DEVICE_FAULT,
        HOST_SHORT,
        OVERDUE,
        FLUSH_FAILED,
        VERIFIED,
        NOT_VERIFIED,
        LOST,
        UNREADABLE,
        RECOVERED,
        REDIRECTED,
        ROTTEN,
        CHECKSUMS_LOST,
        RETURN_REFUSED,
        RETURN_ABANDONED,
        RETURNS_DROPPED,
        AWAY,
        REOPENED,
        BACK
    }

    /** Events that one write may make. */
    private static final int MOST_RANGES_TOLD = 16;

    private static final Logger LOG = LoggerFactory.getLogger(DiskLog.class);

    private final String name;
    private final int sectorBytes;
    private final long sizeBytes;
    private final Counters counters;
    private final EventLog events;
    private final TimeSource time;
    private final Map<Message, LogLimit> limits = new EnumMap<>(Message.class);
    private final AtomicBoolean toldOfForgotten = new AtomicBoolean();
    private volatile TroubleListener listener;
    private volatile String noticeOfStart = "";

    /** @param events gets all of it, as what repeats only counts there */
    DiskLog(String name, int sectorBytes, long sizeBytes, Counters counters, EventLog events, TimeSource time) {
        this.name = name;
        this.sectorBytes = sectorBytes;
        this.sizeBytes = sizeBytes;
        this.counters = counters;
        this.events = events;
        this.time = time;
        for (Message message : Message.values()) {
            limits.put(message, new LogLimit());
        }
    }

    /** Has the health module told; {@code null} for none. */
    void listen(TroubleListener newListener) {
        listener = newListener;
    }

    private void tell(Trouble trouble, SectorRange where) {
        TroubleListener told = listener;
        if (told == null) {
            return;
        }
        try {
            told.met(trouble, where);
        } catch (RuntimeException e) {
            // It does not get a second chance to take a request down.
            listener = null;
            LOG.error("{}: the health module fails, and is told of nothing any more", name, e);
        }
    }

    private Optional<SectorRange> sectors(long firstByte, long lengthBytes) {
        return Optional.of(new SectorRange(firstByte / sectorBytes, lengthBytes / sectorBytes));
    }

    private Optional<SectorRange> unit(long unit) {
        long first = unit << Place.UNIT_SHIFT;
        return sectors(first, Math.min(Place.UNIT_BYTES, sizeBytes - first));
    }

    private static Optional<DiskEvent.Cause> causeOf(DeviceException error) {
        return Optional.of(DiskEvent.Cause.of(error, 1));
    }

    void deviceFault(DeviceException error) {
        if (error.errorClass() == ErrorClass.HOST) {
            hostShort(error);
            return;
        }
        counters.deviceFaults.increment();
        events.note(DiskEvent.Kind.DEVICE_FAULT, Optional.empty(), causeOf(error), error.getMessage());
        tell(Trouble.DEVICE_FAULT, null);
        if (worthLogging(Message.DEVICE_FAULT)) {
            LOG.warn("{}: {}; blamed on the device, nothing was remapped", name, error.getMessage());
        }
    }

    /** The host was short of something for longer than the policy waits for it: that says nothing of a device. */
    private void hostShort(DeviceException error) {
        counters.hostShortages.increment();
        events.note(DiskEvent.Kind.HOST_SHORT, Optional.empty(), causeOf(error), error.getMessage());
        if (worthLogging(Message.HOST_SHORT)) {
            LOG.warn("{}: {}; this host is short of something, no device is blamed", name, error.getMessage());
        }
    }

    /**
     * A request that was answered for being late; of a FLUSH the range says nothing.
     *
     * @param ending its deadline was not over, but the disk stops
     */
    void overdue(DiskRequest.Operation operation, long firstByte, long byteCount, boolean ending) {
        boolean placed = operation != DiskRequest.Operation.FLUSH;
        events.note(
                DiskEvent.Kind.OVERDUE,
                placed ? sectors(firstByte, Math.max(sectorBytes, byteCount)) : Optional.empty(),
                Optional.empty(),
                operation + (ending ? ", as the disk stops" : ""));
        if (worthLogging(Message.OVERDUE)) {
            LOG.warn(
                    "{}: {} at byte {} was not done when {}: answered with an error",
                    name,
                    operation,
                    placed ? firstByte : 0,
                    ending ? "the disk had to stop" : "its deadline was over");
        }
    }

    /** A read of a client takes long at main: of that only health makes something. */
    void slowRead(SectorRange units) {
        counters.slowReads.increment();
        tell(Trouble.SLOW, units);
    }

    void flushFailed(DeviceException error) {
        events.note(DiskEvent.Kind.FLUSH_FAILED, Optional.empty(), causeOf(error), error.getMessage());
        tell(Trouble.FLUSH_FAILED, null);
        if (worthLogging(Message.FLUSH_FAILED)) {
            LOG.error("{}: {}; acknowledged writes may be lost", name, error.getMessage());
        }
    }

    void verified(String device, boolean synced) {
        if (worthLogging(Message.VERIFIED)) {
            LOG.warn(
                    "{}: what was not flushed was verified on {}{}",
                    name,
                    device,
                    synced ? " and synced" : ", but cannot be synced: flushes fail");
        }
    }

    void notVerified(DeviceException error) {
        if (worthLogging(Message.NOT_VERIFIED)) {
            LOG.error("{}: {}; requests for what was not flushed get errors until it can", name, error.getMessage());
        }
    }

    void lost(int sectors, long firstUnit) {
        if (sectors > 0 && worthLogging(Message.LOST)) {
            LOG.error("{}: {} sectors were lost before they were flushed, from unit {} on", name, sectors, firstUnit);
        }
    }

    /** From the first to the last sector of a mask. */
    private Optional<SectorRange> sectorsOf(long unit, int mask) {
        int first = Integer.numberOfTrailingZeros(mask);
        int count = Integer.SIZE - Integer.numberOfLeadingZeros(mask) - first;
        return sectors((unit << Place.UNIT_SHIFT) + (long) first * sectorBytes, (long) count * sectorBytes);
    }

    /** Sectors of units that did not count as unreadable so far: whoever reads one again and again is no news. */
    void unreadable(Map<Long, Integer> found, Optional<DiskEvent.Cause> cause) {
        found.forEach((unit, mask) -> {
            events.note(DiskEvent.Kind.UNREADABLE, sectorsOf(unit, mask), cause, "");
            tell(Trouble.UNREADABLE, sectorsOf(unit, mask).orElseThrow());
        });
        if (!found.isEmpty() && worthLogging(Message.UNREADABLE)) {
            LOG.warn("{}: unreadable sectors in units {}", name, found.keySet());
        }
    }

    /**
     * A unit of main was read after errors.
     *
     * @param weak whether that was once too often
     */
    void recovered(long unit, Optional<DiskEvent.Cause> cause, int errors, boolean weak) {
        Optional<SectorRange> where = unit(unit);
        counters.recoveredReads.increment();
        events.note(
                weak ? DiskEvent.Kind.WEAK : DiskEvent.Kind.WATCHED,
                where,
                cause,
                "read in the end; errors: " + errors);
        tell(Trouble.RECOVERED, where.orElseThrow());
        if (weak) {
            tell(Trouble.WEAK, where.orElseThrow());
        }
        if (worthLogging(Message.RECOVERED)) {
            LOG.warn("{}: unit {} was read after an error, the {}. that counts", name, unit, errors);
        }
    }

    /** Sectors that had a hint were read; it is weak if that is to be moved. */
    void readableAgain(long unit, int mask, boolean weak) {
        events.note(DiskEvent.Kind.READABLE_AGAIN, sectorsOf(unit, mask), Optional.empty(), "");
        if (weak) {
            tell(Trouble.WEAK, unit(unit).orElseThrow());
        }
    }

    /** Sectors of one write, ascending: these went to the spare, and the rest of it did not. */
    void redirected(List<SectorRange> moved, Optional<DiskEvent.Cause> cause, String why, SortedSet<Long> refused) {
        noteRedirected(moved, cause, why);
        tellRuns(refused);
        if (worthLogging(Message.REDIRECTED)) {
            String more = moved.size() == 1 ? "" : " and " + (moved.size() - 1) + " more ranges, see 'remap events'";
            LOG.warn("{}: redirected a failing write to the spare: {}{}", name, moved.get(0), more);
        }
    }

    /** An event for each range, but not so many that one write drives everything else out of the log. */
    private void noteRedirected(List<SectorRange> moved, Optional<DiskEvent.Cause> cause, String why) {
        int single = moved.size() <= MOST_RANGES_TOLD ? moved.size() : MOST_RANGES_TOLD - 1;
        for (SectorRange range : moved.subList(0, single)) {
            events.note(
                    DiskEvent.Kind.REDIRECTED,
                    Optional.of(range),
                    cause,
                    unitsOf(range) + " units of 4096 bytes: " + why);
        }
        List<SectorRange> rest = moved.subList(single, moved.size());
        if (!rest.isEmpty()) {
            long first = rest.get(0).firstSector();
            long sectors = rest.stream().mapToLong(SectorRange::lengthSectors).sum();
            events.note(
                    DiskEvent.Kind.REDIRECTED,
                    Optional.of(new SectorRange(first, rest.get(rest.size() - 1).endSector() - first)),
                    cause,
                    "only " + sectors + " of these sectors, in " + rest.size() + " ranges: " + why);
        }
    }

    private long unitsOf(SectorRange range) {
        long endByte = range.endSector() * sectorBytes;
        return SegmentCursor.endUnit(endByte) - ((range.firstSector() * sectorBytes) >> Place.UNIT_SHIFT);
    }

    /** That main refused these units. */
    private void tellRuns(SortedSet<Long> refused) {
        long first = -1;
        long end = -1;
        for (long unit : refused) {
            if (unit != end) {
                tellRefused(first, end);
                first = unit;
            }
            end = unit + 1;
        }
        tellRefused(first, end);
    }

    private void tellRefused(long first, long end) {
        if (first >= 0) {
            long firstSector = unit(first).orElseThrow().firstSector();
            long endSector = unit(end - 1).orElseThrow().endSector();
            tell(Trouble.REDIRECTED, new SectorRange(firstSector, endSector - firstSector));
        }
    }

    /** As {@link #redirected}, of a write that did not touch main: that says nothing new of its sectors. */
    void redirectedAvoided(List<SectorRange> moved) {
        noteRedirected(moved, Optional.empty(), "their area of main is avoided");
    }

    /** Their content stands in slots, and no mapping is durable yet. */
    void relocating(long firstByte, long endByte, String why) {
        events.note(DiskEvent.Kind.RELOCATING, sectors(firstByte, endByte - firstByte), Optional.empty(), why);
    }

    void relocated(int units, long firstByte, long endByte) {
        events.note(
                DiskEvent.Kind.RELOCATED,
                sectors(firstByte, endByte - firstByte),
                Optional.empty(),
                units + " units of 4096 bytes");
    }

    void returned(long unit) {
        events.note(DiskEvent.Kind.RETURNED, unit(unit), Optional.empty(), "");
    }

    /** By the map, durably. */
    void gone(long unit, int mask) {
        events.note(
                DiskEvent.Kind.LOST,
                sectorsOf(unit, mask),
                Optional.empty(),
                "no place holds what was acknowledged last; EIO until they are written");
    }

    /** A slot does not hold what was sealed; what stood there is lost. */
    void rotten(long unit, String device, long slot) {
        events.note(
                DiskEvent.Kind.CHECKSUM_MISMATCH,
                unit(unit),
                Optional.empty(),
                device + ", slot " + slot + ": it is not used any more");
        if (worthLogging(Message.ROTTEN)) {
            LOG.error(
                    "{}: slot {} of {} does not hold what was written there, by its checksum: unit {} is lost until it is"
                            + " written",
                    name,
                    slot,
                    device,
                    unit);
        }
    }

    void checksumsLost(String device, long region) {
        events.note(DiskEvent.Kind.CHECKSUMS_LOST, device + ", slots from " + (region << Seal.REGION_SHIFT) + " on");
        if (worthLogging(Message.CHECKSUMS_LOST)) {
            LOG.warn("{}: the checksums of region {} of {} are damaged; they are made anew", name, region, device);
        }
    }

    /** For sectors that were not remembered as unreadable. */
    void forgotten(int sectors) {
        counters.droppedHints.add(sectors);
        if (!toldOfForgotten.getAndSet(true)) {
            LOG.warn(
                    "{}: unreadable sectors in {} units are remembered, more are not: these are tried anew at every read",
                    name,
                    MapSnapshot.MAX_HINTED_UNITS);
        }
    }

    void returnRefused(long unit) {
        events.note(DiskEvent.Kind.RETURN_REFUSED, unit(unit), Optional.empty(), "");
        if (worthLogging(Message.RETURN_REFUSED)) {
            LOG.warn("{}: main refuses unit {} again: it stays on the spare", name, unit);
        }
    }

    void returnAbandoned(long unit, int tries) {
        events.note(DiskEvent.Kind.RETURN_ABANDONED, unit(unit), Optional.empty(), tries + " tries");
        if (worthLogging(Message.RETURN_ABANDONED)) {
            LOG.warn(
                    "{}: unit {} could not be brought back to main in {} tries and stays on the spare; 'map remove' tries again",
                    name,
                    unit,
                    tries);
        }
    }

    void returnsDropped() {
        if (worthLogging(Message.RETURNS_DROPPED)) {
            LOG.warn(
                    "{}: {} units wait to be brought back to main: more stay on the spare until 'map remove'",
                    name,
                    Failback.MAX_WAITING_UNITS);
        }
    }

    void takenOver() {
        events.note(DiskEvent.Kind.TAKEN_OVER, "");
        LOG.error("{}: another server has taken the spare over; every request is refused from now on", name);
    }

    void leaseIsOver() {
        events.note(DiskEvent.Kind.LEASE_OVER, "");
        LOG.error(
                "{}: no heartbeat could be written to the spare for too long; every request is refused from now on, since"
                        + " another host may take over",
                name);
    }

    void mainIsReadOnly(DeviceException error) {
        events.note(DiskEvent.Kind.MAIN_READ_ONLY, Optional.empty(), causeOf(error), error.getMessage());
        LOG.error(
                "{}: {}: main is write-protected; every write is refused from now on, reads go on",
                name,
                error.getMessage());
    }

    void away(String device) {
        events.note(DiskEvent.Kind.DEVICE_AWAY, device);
        if (worthLogging(Message.AWAY)) {
            LOG.error("{}: {} is away; requests wait for it, nothing is remapped", name, device);
        }
    }

    void reopened(String device, String where) {
        events.note(DiskEvent.Kind.DEVICE_REOPENED, device + " as " + where);
        if (worthLogging(Message.REOPENED)) {
            LOG.warn("{}: {} went away and is there again; opened anew as {}", name, device, where);
        }
    }

    void isBack(String device, int requests) {
        events.note(DiskEvent.Kind.DEVICE_BACK, device);
        if (worthLogging(Message.BACK)) {
            LOG.warn("{}: {} is back; {} requests go on", name, device, requests);
        }
    }

    /** Takes part in what is watched from now on. */
    void healed(long unit) {
        events.note(
                DiskEvent.Kind.HEALED,
                unit(unit),
                Optional.empty(),
                "written in place, synced, and read back; watched");
    }

    void errorsSpread(String why, int goodPlaces) {
        String what = why + "; of " + Canary.places() + " places all over main " + goodPlaces + " read: "
                + (goodPlaces == 0
                        ? "it is away"
                        : "many bad sectors, or a bad cable; SMART attribute 199 counts errors of the cable");
        events.note(DiskEvent.Kind.ERRORS_SPREAD, what);
        LOG.error("{}: {}", name, what);
    }

    /** @param cause the last error of a probe, if it was found */
    void avoided(SectorRange range, Optional<DiskEvent.Cause> cause, String why) {
        events.note(DiskEvent.Kind.AVOIDED, Optional.of(range), cause, why);
        tell(Trouble.AVOIDED, range);
        LOG.warn("{}: {} are avoided from now on: {}", name, range, why);
    }

    void avoidedNoMore(SectorRange range, String why) {
        events.note(DiskEvent.Kind.AVOIDED_NO_MORE, Optional.of(range), Optional.empty(), why);
        LOG.warn("{}: {} are avoided no more: {}", name, range, why);
    }

    /** Main is another medium than the one of which these could not be read. Told at the start, before the first request. */
    void unreadableBefore(List<SectorRange> ranges, long sectors, String former) {
        String text = "could not be read of " + former
                + ", which was main before; if this one is a copy, what stands there is"
                + " what the copying tool left, zeros perhaps";
        ranges.forEach(range -> events.note(DiskEvent.Kind.MAIN_CHANGED, Optional.of(range), Optional.empty(), text));
        String first = ranges.get(0).firstSector() + "+" + ranges.get(0).lengthSectors();
        noticeOfStart = (sectors == 1 ? "1 sector (" : sectors + " sectors (") + first
                + (ranges.size() > 1 ? " and others, see 'remap events'" : "") + ") " + text
                + ". To have reads answer errors there until it is written, and 'remap impact' name the files: remap avoid add"
                + " NAME " + first;
        LOG.warn("{}: {}", name, noticeOfStart);
    }

    /** What the user should know of the start; empty if nothing. */
    String noticeOfStart() {
        return noticeOfStart;
    }

    void mainChanged(String how) {
        events.note(DiskEvent.Kind.MAIN_CHANGED, how);
        LOG.error("{}: {}; every write is refused from now on", name, how);
    }

    private boolean worthLogging(Message message) {
        return limits.get(message).admits(time.nanoTime());
    }
}
