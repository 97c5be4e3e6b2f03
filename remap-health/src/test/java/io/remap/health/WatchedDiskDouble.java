package io.remap.health;

import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import io.remap.api.DiskError;
import io.remap.api.DiskTraits;
import io.remap.api.Errno;
import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk;
import io.remap.testkit.SimScheduler;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.function.Consumer;

/** A disk without content in virtual time: units are bad, slow or neither, and every read takes its time. */
public final class WatchedDiskDouble implements WatchedDisk {
    public static final int SECTOR = 512;
    private static final int UNIT_SECTORS = Place.UNIT_BYTES / SECTOR;
    private static final int ERROR_THRESHOLD = 3;
    private static final long READ_NANOS = 7_000_000;
    private static final long DEAD_NANOS = 7_000_000_000L;
    private static final long SLOW_NANOS = 2_000_000_000L;

    private final SimScheduler time;
    private final long sizeBytes;

    /** Units that cannot be read, that need a retry, and that read slowly. */
    public final NavigableSet<Long> bad = new TreeSet<>();

    public final NavigableSet<Long> flaky = new TreeSet<>();
    public final NavigableSet<Long> slow = new TreeSet<>();
    /** Written and not flushed. */
    public final NavigableSet<Long> unflushed = new TreeSet<>();
    /** What the disk knows as unreadable, and what was moved. */
    public final NavigableSet<Long> known = new TreeSet<>();

    public final NavigableSet<Long> moved = new TreeSet<>();
    /** Units of dead areas: a probe of eight or more of them that fails has the run of them avoided, if it is to be found. */
    public final NavigableSet<Long> dead = new TreeSet<>();

    public boolean findsDead = true;
    public final List<AvoidedArea> avoided = new ArrayList<>();
    /** Reads that met a dead unit. */
    public long deadReads;

    /** Segments of 1 MiB in which a read began, in order, and when. */
    public final List<Long> readSegments = new ArrayList<>();

    public final List<Long> readNanos = new ArrayList<>();
    public final List<String> notes = new ArrayList<>();

    private final Map<Long, Integer> errors = new HashMap<>();
    /** Every unit reads slowly. */
    public boolean allSlow;
    /** What is slow for a client. */
    public long slowReadNanos = NO_READ_IS_SLOW;

    public boolean movesWeak = true;
    public boolean readOnly;
    public boolean redirects = true;
    public int goneErrno;
    public long outstanding;
    public long requests;
    public long judgements;
    public long freeSlots = 1 << 20;
    /** Moves that were asked for, whatever came of them. */
    public long relocations;
    /** Something but slots is missing for a move. */
    public boolean noRoom;

    public long lost;
    /** How often {@link #remember} still fails. */
    public int failingSaves;

    /** What a save that somebody asks for calls first. */
    public Runnable beforeSave = () -> {};

    private byte[] memory = {};
    private TroubleListener listener;

    public WatchedDiskDouble(SimScheduler time, long sizeBytes) {
        this.time = time;
        this.sizeBytes = sizeBytes;
    }

    private static long firstUnit(SectorRange range) {
        return range.firstSector() / UNIT_SECTORS;
    }

    private static long endUnit(SectorRange range) {
        return (range.endSector() + UNIT_SECTORS - 1) / UNIT_SECTORS;
    }

    private static NavigableSet<Long> in(NavigableSet<Long> units, SectorRange range) {
        return units.subSet(firstUnit(range), true, endUnit(range), false);
    }

    private static SectorRange units(long first, long end) {
        return new SectorRange(first * UNIT_SECTORS, (end - first) * UNIT_SECTORS);
    }

    /** An area is avoided from now on. */
    public void avoid(long firstUnit, long endUnit, boolean found) {
        avoided.add(new AvoidedArea(units(firstUnit, endUnit), found, time.wallMillis()));
        avoided.sort(Comparator.comparingLong(area -> area.range().firstSector()));
        listener.met(Trouble.AVOIDED, units(firstUnit, endUnit));
    }

    private boolean isAvoided(long unit) {
        return avoided.stream().anyMatch(area -> firstUnit(area.range()) <= unit && unit < endUnit(area.range()));
    }

    private void findDead(SectorRange range) {
        long first = in(dead, range).first();
        long end = first;
        while (dead.contains(first - 1)) {
            first--;
        }
        while (dead.contains(end)) {
            end++;
        }
        if (findsDead && in(dead, range).size() >= 8 && !isAvoided(first)) {
            avoid(first, end, true);
        }
    }

    /** A client meets an unreadable unit. */
    public void clientMeets(long unit) {
        known.add(unit);
        listener.met(Trouble.UNREADABLE, new SectorRange(unit * UNIT_SECTORS, UNIT_SECTORS));
    }

    /** Something fails that has no place. */
    public void fails(Trouble what) {
        listener.met(what, null);
    }

    /** A client reads units, one at a time; {@code alsoLong}: it waited for others before. */
    public void clientReads(long firstUnit, long endUnit, boolean alsoLong) {
        long nanos = READ_NANOS
                + (alsoLong || allSlow || !in(slow, units(firstUnit, endUnit)).isEmpty() ? SLOW_NANOS : 0);
        if (nanos > slowReadNanos && !moved.contains(firstUnit)) {
            listener.met(Trouble.SLOW, units(firstUnit, endUnit));
        }
    }

    /** A client, or a verdict, meets a unit that reads after errors. */
    public void recovered(long unit, int failedReads) {
        SectorRange where = new SectorRange(unit * UNIT_SECTORS, UNIT_SECTORS);
        listener.met(Trouble.RECOVERED, where);
        if (errors.merge(unit, failedReads, Integer::sum) >= ERROR_THRESHOLD) {
            listener.met(Trouble.WEAK, where);
        }
    }

    @Override
    public String name() {
        return "disk";
    }

    @Override
    public DiskTraits traits() {
        return new DiskTraits(sizeBytes, SECTOR, Place.UNIT_BYTES, readOnly, true);
    }

    @Override
    public String mainName() {
        return "/dev/double";
    }

    @Override
    public DeviceTraits mainTraits() {
        return new DeviceTraits(sizeBytes, SECTOR, Place.UNIT_BYTES, SECTOR, true, false, true, false, false);
    }

    @Override
    public Probeable probeable(SectorRange range) {
        NavigableSet<Long> elsewhere = new TreeSet<>(in(known, range));
        elsewhere.addAll(in(moved, range));
        elsewhere.addAll(in(unflushed, range));
        for (long unit = firstUnit(range); unit < endUnit(range); unit++) {
            if (isAvoided(unit)) {
                elsewhere.add(unit);
            }
        }
        List<SectorRange> ranges = new ArrayList<>();
        long at = range.firstSector();
        for (long unit : elsewhere) {
            long from = Math.max(at, unit * UNIT_SECTORS);
            if (from > at) {
                ranges.add(new SectorRange(at, from - at));
            }
            at = Math.min(range.endSector(), (unit + 1) * UNIT_SECTORS);
        }
        if (at < range.endSector()) {
            ranges.add(new SectorRange(at, range.endSector() - at));
        }
        return new Probeable(ranges, !in(unflushed, range).isEmpty());
    }

    @Override
    public void probe(SectorRange range) throws DeviceException {
        readSegments.add((range.firstSector() * SECTOR) >> 20);
        readNanos.add(time.nanoTime());
        time.sleep(READ_NANOS);
        if (goneErrno != 0) {
            throw new DeviceException("double", "read", 0, 0, goneErrno);
        }
        if (allSlow || !in(slow, range).isEmpty()) {
            time.sleep(SLOW_NANOS);
        }
        if (!in(dead, range).isEmpty()) {
            deadReads++;
            time.sleep(DEAD_NANOS);
            findDead(range);
            throw new DeviceException("double", "read", range.firstSector() * SECTOR, 0, Errno.EIO);
        }
        if (!in(bad, range).isEmpty() || !in(flaky, range).isEmpty()) {
            throw new DeviceException("double", "read", range.firstSector() * SECTOR, 0, Errno.EIO);
        }
    }

    @Override
    public void judge(SectorRange range, int failedReads, Consumer<Judgement> done) {
        judgements++;
        time.execute(() -> {
            Judgement judgement = Judgement.READABLE;
            if (goneErrno != 0) {
                judgement = Judgement.UNDECIDED;
            } else if (!in(bad, range).isEmpty() || !in(dead, range).isEmpty()) {
                known.addAll(in(bad, range));
                known.addAll(in(dead, range));
                judgement = Judgement.UNREADABLE;
                listener.met(Trouble.UNREADABLE, range);
            } else if (failedReads > 0) {
                recovered(firstUnit(range), failedReads);
            }
            done.accept(judgement);
        });
    }

    @Override
    public boolean movesWeak() {
        return movesWeak;
    }

    @Override
    public void relocate(SectorRange range, Consumer<DiskError> done) {
        relocations++;
        time.execute(() -> {
            boolean reads = in(bad, range).isEmpty();
            if (reads && (noRoom || freeSlots < endUnit(range) - firstUnit(range))) {
                done.accept(DiskError.NO_SPACE);
                return;
            }
            if (reads) {
                for (long unit = firstUnit(range); unit < endUnit(range); unit++) {
                    moved.add(unit);
                    freeSlots--;
                }
            }
            done.accept(reads ? DiskError.NONE : DiskError.IO);
        });
    }

    @Override
    public void read(SectorRange range, ReadListener done) {
        time.execute(() -> done.ended(DiskError.NONE, ByteBuffer.allocate((int) range.lengthSectors() * SECTOR)));
    }

    @Override
    public ClientLoad load() {
        return new ClientLoad(requests, outstanding);
    }

    @Override
    public Figures figures() {
        return new Figures(known.size() * 8L, lost, 1 << 20, freeSlots, redirects);
    }

    @Override
    public List<Damage> damage(long firstSector, int limit) {
        return known.tailSet((firstSector + UNIT_SECTORS - 1) / UNIT_SECTORS, true).stream()
                .limit(limit)
                .map(unit -> new Damage(new SectorRange(unit * UNIT_SECTORS, UNIT_SECTORS), Cause.UNREADABLE))
                .toList();
    }

    @Override
    public List<AvoidedArea> avoided() {
        return List.copyOf(avoided);
    }

    @Override
    public void listen(TroubleListener newListener) {
        listener = newListener;
    }

    @Override
    public void noticeSlowReads(long nanos) {
        slowReadNanos = nanos;
    }

    @Override
    public byte[] memory() {
        return memory.clone();
    }

    @Override
    public void remember(byte[] state) {
        if (state.length > MAX_MEMORY_BYTES) {
            throw new IllegalArgumentException("too much to remember: " + state.length);
        }
        if (failingSaves > 0) {
            failingSaves--;
            throw new IllegalStateException("a bug");
        }
        memory = state.clone();
    }

    @Override
    public void whenSaving(Runnable remember) {
        beforeSave = remember;
    }

    @Override
    public void note(String what) {
        notes.add(what);
    }
}
