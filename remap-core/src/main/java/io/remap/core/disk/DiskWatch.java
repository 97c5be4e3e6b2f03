package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;

/**
 * What the health module sees of a virtual disk, and the little that it may ask of it.
 *
 * <p>Invariants: a probe goes to main alone, past the page cache, and says nothing of a sector: all that may follow from one is that an
 * area is avoided ({@link DeadAreas}). Verdicts and moves are those of {@link ReadRecovery} and {@link Relocation}, under the range lock
 * and the fence as for everybody.
 *
 * <p>Thread-safe; probes are made one at a time, each in the one buffer.
 */
final class DiskWatch implements WatchedDisk {
    private static final int BUFFER_ALIGNMENT_BYTES = 4096;

    private final VirtualDisk disk;
    private final HealthMemory memory;
    private final int sectorBytes;

    /** Guarded by itself, made with the first probe. */
    private final ByteBuffer[] scratch = new ByteBuffer[1];

    DiskWatch(VirtualDisk disk, HealthMemory memory) {
        this.disk = disk;
        this.memory = memory;
        this.sectorBytes = disk.traits().sectorBytes();
    }

    @Override
    public String name() {
        return disk.name();
    }

    @Override
    public DiskTraits traits() {
        return disk.traits();
    }

    @Override
    public String mainName() {
        return disk.main.name();
    }

    @Override
    public DeviceTraits mainTraits() {
        return disk.main.traits();
    }

    @Override
    public Probeable probeable(SectorRange range) {
        long start = range.firstSector() * sectorBytes;
        long end = range.endSector() * sectorBytes;
        long firstUnit = start >> Place.UNIT_SHIFT;
        long endUnit = SegmentCursor.endUnit(end);
        MapSnapshot snapshot = disk.state.current();
        if (snapshot.isMoving(firstUnit, endUnit)) {
            return new Probeable(List.of(), true);
        }
        disk.deadAreas.asked(firstUnit, endUnit);
        BitSet unflushed = disk.mainWrites.unflushed(firstUnit, endUnit);
        List<SectorRange> ranges = new ArrayList<>();
        SegmentCursor cursor = disk.newCursor();
        cursor.resetIgnoringMoves(snapshot, start, end - start);
        while (cursor.next()) {
            if (cursor.target() == SegmentCursor.Target.MAIN || cursor.target() == SegmentCursor.Target.MAIN_DIRECT) {
                addFlushed(ranges, cursor.offsetBytes(), cursor.lengthBytes(), unflushed, firstUnit);
            }
        }
        return new Probeable(ranges, !unflushed.isEmpty());
    }

    /** The parts of a run on main whose units are not among the unflushed ones. */
    private void addFlushed(List<SectorRange> ranges, long offset, long length, BitSet unflushed, long firstUnit) {
        long end = offset + length;
        for (long at = offset; at < end; ) {
            int unit = (int) ((at >> Place.UNIT_SHIFT) - firstUnit);
            boolean left = unflushed.get(unit);
            int change = left ? unflushed.nextClearBit(unit) : unflushed.nextSetBit(unit);
            long until = change < 0 ? end : Math.min(end, (firstUnit + change) << Place.UNIT_SHIFT);
            if (!left) {
                ranges.add(new SectorRange(at / sectorBytes, (until - at) / sectorBytes));
            }
            at = until;
        }
    }

    @Override
    public void probe(SectorRange range) throws DeviceException {
        int length = bytes(range, MAX_PROBE_BYTES);
        long began = disk.environment.time().nanoTime();
        try {
            synchronized (scratch) {
                if (scratch[0] == null) {
                    scratch[0] = ByteBuffer.allocateDirect(MAX_PROBE_BYTES + BUFFER_ALIGNMENT_BYTES)
                            .alignedSlice(BUFFER_ALIGNMENT_BYTES);
                }
                disk.main
                        .direct()
                        .read(
                                range.firstSector() * sectorBytes,
                                scratch[0].clear().limit(length));
            }
        } catch (DeviceException e) {
            if (e.errorClass().mayBeSector()) {
                lookAround(range, disk.environment.time().nanoTime() - began);
            }
            throw e;
        }
    }

    /** Otherwise a scan would go over a dead area piece by piece, at seconds each. */
    private void lookAround(SectorRange range, long tookNanos) {
        if (disk.enter()) {
            try {
                disk.deadAreas.lookAround(
                        range.firstSector() * sectorBytes, range.lengthSectors() * sectorBytes, tookNanos);
            } finally {
                disk.leave();
            }
        }
    }

    private int bytes(SectorRange range, int mostBytes) {
        long length = range.lengthSectors() * sectorBytes;
        if (length > mostBytes || range.endSector() > disk.traits().sizeBytes() / sectorBytes) {
            throw new IllegalArgumentException(
                    disk.name() + ": " + range + " is more than " + mostBytes + " bytes, or beyond the end");
        }
        return (int) length;
    }

    @Override
    public void judge(SectorRange range, int failedReads, Consumer<Judgement> done) {
        transfer(range, context -> context.beginInRecovery(failedReads), request -> {
            if (request.error == DiskError.NONE) {
                done.accept(Judgement.READABLE);
            } else {
                done.accept(knowsOfDamage(range) ? Judgement.UNREADABLE : Judgement.UNDECIDED);
            }
        });
    }

    private boolean knowsOfDamage(SectorRange range) {
        return damageIn(range.firstSector(), range.lengthSectors(), 1).size() > 0;
    }

    @Override
    public void read(SectorRange range, ReadListener done) {
        transfer(range, RequestContext::begin, request -> {
            ByteBuffer content = ByteBuffer.allocate(request.error == DiskError.NONE ? (int) request.lengthBytes : 0);
            content.put(request.buffer.data().clear().limit(content.capacity())).flip();
            done.ended(request.error, content);
        });
    }

    /** Reads through the disk, with memory that recovery can spare; the continuation runs on the scheduler. */
    private void transfer(SectorRange range, Consumer<RequestContext> start, Consumer<DiskRequest> then) {
        int length = bytes(range, MAX_READ_BYTES);
        DiskRequest request =
                new DiskRequest(ended -> disk.environment.scheduler().execute(() -> {
                    try {
                        then.accept(ended);
                    } finally {
                        ended.buffer.release();
                    }
                }));
        request.offsetBytes = range.firstSector() * sectorBytes;
        request.lengthBytes = length;
        acquire(request, length, () -> {
            if (disk.enter()) {
                RequestContext context = new RequestContext(disk, request);
                disk.deadlines.watch(context);
                start.accept(context);
            } else {
                request.complete(DiskError.SHUTDOWN, -1);
            }
        });
    }

    private void acquire(DiskRequest request, int length, Runnable then) {
        IoBuffer buffer = disk.buffers.acquire(length);
        if (buffer == null) {
            disk.buffers.whenReleased(() -> disk.environment.scheduler().execute(() -> acquire(request, length, then)));
        } else {
            request.buffer = buffer;
            then.run();
        }
    }

    @Override
    public boolean movesWeak() {
        return disk.policy.movesWeak();
    }

    @Override
    public void relocate(SectorRange range, Consumer<DiskError> done) {
        if (!movesWeak()) {
            disk.environment.scheduler().execute(() -> done.accept(DiskError.READ_ONLY));
            return;
        }
        disk.map().addWeak(range, error -> disk.environment.scheduler().execute(() -> done.accept(error)));
    }

    @Override
    public ClientLoad load() {
        Counters counters = disk.counters;
        long requests = counters.reads.sum() + counters.writes.sum() + counters.flushes.sum();
        return new ClientLoad(requests, disk.outstanding());
    }

    @Override
    public Figures figures() {
        DiskSummary summary = disk.summary();
        return new Figures(
                summary.unreadableSectors(),
                summary.lostSectors(),
                summary.slots(),
                summary.freeSlots(),
                summary.redirects());
    }

    @Override
    public List<Damage> damage(long firstSector, int limit) {
        return damageIn(firstSector, disk.traits().sizeBytes() / sectorBytes - firstSector, limit);
    }

    private List<Damage> damageIn(long firstSector, long lengthSectors, int limit) {
        List<Damage> found = new ArrayList<>();
        SegmentCursor cursor = disk.newCursor();
        cursor.resetIgnoringMoves(disk.state.current(), firstSector * sectorBytes, lengthSectors * sectorBytes);
        while (found.size() < limit && cursor.next()) {
            Cause cause = switch (cursor.target()) {
                case LOST -> Cause.LOST;
                case AVOIDED_MAIN -> Cause.AVOIDED;
                case UNREADABLE_MAIN, UNREADABLE_SPARE, MISSING_SPARE -> Cause.UNREADABLE;
                default -> null;
            };
            if (cause != null) {
                found.add(new Damage(
                        new SectorRange(cursor.offsetBytes() / sectorBytes, cursor.lengthBytes() / sectorBytes),
                        cause));
            }
        }
        return found;
    }

    @Override
    public List<AvoidedArea> avoided() {
        return disk.avoided().regions().stream()
                .map(region -> new AvoidedArea(disk.avoided().sectors(region), region.found(), region.sinceMillis()))
                .toList();
    }

    @Override
    public void listen(TroubleListener listener) {
        disk.log.listen(listener);
    }

    @Override
    public void noticeSlowReads(long nanos) {
        disk.deadlines.noticeSlowReads(nanos);
    }

    @Override
    public byte[] memory() {
        return memory.get();
    }

    @Override
    public void remember(byte[] state) {
        memory.set(state);
    }

    @Override
    public void whenSaving(Runnable remember) {
        memory.askBy(remember);
    }

    @Override
    public void note(String what) {
        disk.events().note(DiskEvent.Kind.HEALTH, what);
    }
}
