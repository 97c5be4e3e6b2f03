package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.core.disk.LedgerIndex.UnitClaims;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Verifies neighbouring units against the ledger of a device, as the holder of their range: read directly, sector by sector
 * what was acknowledged must stand there. What does not, is looked for in the page cache, if the device has one (main in
 * buffered mode); if it is there, it is written anew by the rule of every failed write: on main, and what main refuses goes
 * to the spare. Otherwise its content is gone, which is recorded before anything may answer for it.
 *
 * <p>Sectors that stand elsewhere, and those that the ledger says nothing of, are none of its business.
 */
final class PieceVerification extends Recovery {
    private static final int MAX_COMMITS = 3;

    private final UnflushedWrites writes;
    private final VirtualDisk.Side side;
    private final LedgerIndex index;
    private final Workspace workspace;
    private final Listener listener;
    private final SlotPlan plan;
    private final int sectorBytes;

    private int equal;
    private int rewritten;
    private int moved;
    private int lost;
    private int commits;
    private boolean spareIsFull;

    /**
     * A unit of which is known what must stand there.
     *
     * @param at where it is on the device
     * @param mask the sectors, of those that are served from there
     */
    private record Claimed(long unit, long at, UnitClaims claims, int mask) {}

    /** Whose piece it is; told once, on the scheduler. */
    interface Listener {
        /** The range is as it was acknowledged, and is let go next. */
        void willLetGo();

        /** A snapshot without the doubt of what lies before this unit. */
        MapSnapshot letGo(MapSnapshot snapshot, long endUnit);

        /** It is as it was acknowledged, but for sectors that are recorded as lost. The range was let go and released. */
        void verified(long endUnit, int lostSectors);

        /** Another doubt has come up. */
        void outdated();

        /**
         * It cannot be verified for now.
         *
         * @param mayChange it is worth another try
         */
        void impossible(DeviceException error, boolean mayChange);
    }

    /** What the pieces work with, one after the other, as long as the doubt lasts. */
    static final class Workspace {
        /** Sectors of other pieces that are kept at most. */
        private static final int MOST_RESCUED = 8192;

        /** For the largest piece, aligned for direct transfers. */
        private final ByteBuffer memory;

        /**
         * What the page cache had, by offset, until it is verified that a device has it: the first direct write drops the page,
         * and what fails then is tried again by another piece.
         */
        private final Map<Long, ByteBuffer> rescued = new HashMap<>();

        Workspace() {
            int bytes = (int) LedgerVerification.MAX_PIECE_UNITS * Place.UNIT_BYTES;
            memory = ByteBuffer.allocateDirect(bytes + Place.UNIT_BYTES)
                    .alignedSlice(Place.UNIT_BYTES)
                    .limit(bytes)
                    .slice();
        }

        private void rescue(PieceVerification piece, long offset, ByteBuffer content) {
            if (rescued.size() >= MOST_RESCUED) {
                rescued.keySet().removeIf(at -> !piece.hasOffset(at));
            }
            rescued.put(
                    offset,
                    ByteBuffer.allocate(content.remaining()).put(content).flip());
        }

        private void verified(PieceVerification piece) {
            rescued.keySet().removeIf(piece::hasOffset);
        }
    }

    /** @param workspace of this device, until the listener was told */
    PieceVerification(
            UnflushedWrites writes,
            LedgerIndex index,
            Workspace workspace,
            long firstUnit,
            long endUnit,
            Listener listener) {
        super(writes.disk, firstUnit, endUnit);
        this.writes = writes;
        this.side = writes.side();
        this.index = index;
        this.workspace = workspace;
        this.listener = listener;
        this.sectorBytes = disk.traits().sectorBytes();
        this.plan = new SlotPlan(this, this::bytes, false);
    }

    private boolean hasOffset(long offset) {
        long unit = offset >> Place.UNIT_SHIFT;
        return firstUnit <= unit && unit < endUnit;
    }

    /** A view of its own. */
    private ByteBuffer bytes(long offset, int length) {
        int from = (int) (offset - (firstUnit << Place.UNIT_SHIFT));
        return workspace.memory.duplicate().limit(from + length).position(from);
    }

    @Override
    boolean settlesDoubt() {
        return true;
    }

    @Override
    void beginAnew(UnflushedWrites unsettled) {
        release(s -> s.withTable(disk.committedTable()));
        if (unsettled != null) {
            // Its slots are written again when the spare is not in doubt any more, which may take long.
            failed(DiskError.IO, -1);
        } else {
            listener.outdated();
        }
    }

    @Override
    void locked() {
        fence(mustWaitForReads(), this::fenced);
    }

    private void fenced() throws Failure, TryLater {
        plan.reset();
        equal = 0;
        rewritten = 0;
        moved = 0;
        lost = 0;
        // Holders of the range before us may have written.
        index.advance();
        List<Claimed> claimed = claimed();
        boolean read = writes.keepsOrder() && !claimed.isEmpty() && readWhole(claimed);
        for (Claimed each : claimed) {
            verify(each, read);
        }
        if (plan.isEmpty()) {
            succeed();
            return;
        }
        if (!disk.canRedirect()) {
            throw new Failure(DiskError.IO, firstUnit << Place.UNIT_SHIFT, null);
        }
        try {
            plan.writeSlots();
        } catch (Failure e) {
            if (e.error != DiskError.NO_SPACE || spareIsFull) {
                throw e;
            }
            // There is no place for it: lost, which needs none.
            spareIsFull = true;
            fenced();
            return;
        }
        commits++;
        plan.commit(outcome -> run(() -> committed(outcome)));
    }

    /** The units of which is known what must stand there, in order. */
    private List<Claimed> claimed() {
        List<Claimed> found = new ArrayList<>();
        RemapTable table = disk.state.current().table;
        for (long unit = firstUnit; unit < endUnit; unit++) {
            long place = table.placeOf(unit);
            int served = writes.maskOf(place);
            if (served != 0) {
                long at = writes.offsetOf(unit, place);
                UnitClaims claims = index.claims(at >> Place.UNIT_SHIFT);
                int mask = claims.claimedMask() & served;
                if (mask != 0) {
                    found.add(new Claimed(unit, at, claims, mask));
                }
            }
        }
        return found;
    }

    /** From the first of them to the last at once; if that fails, it is read sector by sector where it counts. */
    private boolean readWhole(List<Claimed> claimed) throws Failure {
        long start = claimed.get(0).unit << Place.UNIT_SHIFT;
        long endOfLast = (claimed.get(claimed.size() - 1).unit + 1) << Place.UNIT_SHIFT;
        long end = Math.min(endOfLast, disk.traits().sizeBytes());
        return reads(start, start, (int) (end - start));
    }

    /** For what fails of it one sector after the other decides. */
    private boolean reads(long deviceOffset, long offset, int length) throws Failure {
        try {
            side.direct().read(deviceOffset, bytes(offset, length));
            return true;
        } catch (DeviceException e) {
            if (e.errorClass().mayBeSector() || e.errorClass() == ErrorClass.HOST) {
                return false;
            }
            disk.log.deviceFault(e);
            throw new Failure(DiskError.IO, offset, e);
        }
    }

    private void verify(Claimed claimed, boolean allRead) throws Failure, TryLater {
        long unit = claimed.unit;
        long at = claimed.at;
        long toDevice = at - (unit << Place.UNIT_SHIFT);
        boolean read = allRead || (!writes.keepsOrder() && reads(at, unit << Place.UNIT_SHIFT, Place.UNIT_BYTES));
        int missing = 0;
        for (int sector = 0; claimed.mask >> sector != 0; sector++) {
            long offset = offsetOf(unit, sector);
            if ((claimed.mask & 1 << sector) == 0) {
                continue;
            }
            if ((read || readsSector(toDevice, offset)) && claimed.claims.accepts(sector, bytes(offset, sectorBytes))) {
                equal++;
            } else {
                missing |= 1 << sector;
            }
        }
        if (missing != 0) {
            repair(claimed.claims, unit, missing);
        }
    }

    private long offsetOf(long unit, int sector) {
        return (unit << Place.UNIT_SHIFT) + (long) sector * sectorBytes;
    }

    /** @param toDevice what to add to an offset to have that on the device */
    private boolean readsSector(long toDevice, long offset) throws Failure, TryLater {
        return succeeds(side, true, offset, () -> side.direct().read(offset + toDevice, bytes(offset, sectorBytes)));
    }

    /** These sectors do not hold what was acknowledged. */
    private void repair(UnitClaims claims, long unit, int missing) throws Failure, TryLater {
        if (!side.canary().alive()) {
            throw new Failure(DiskError.IO, unit << Place.UNIT_SHIFT, null);
        }
        try {
            // Behind the reads: what another medium holds says nothing of what was acknowledged.
            side.device().requireSameMedium();
        } catch (DeviceException e) {
            throw new Failure(DiskError.IO, unit << Place.UNIT_SHIFT, e);
        }
        // All of them before the first is written: a direct write drops the page.
        int found = 0;
        for (int sector = 0; missing >> sector != 0; sector++) {
            boolean wanted = (missing & 1 << sector) != 0;
            found |= wanted && isInPageCache(claims, sector, offsetOf(unit, sector)) ? 1 << sector : 0;
        }
        for (int sector = 0; missing >> sector != 0; sector++) {
            long offset = offsetOf(unit, sector);
            if ((missing & 1 << sector) == 0) {
                continue;
            }
            boolean isFound = (found & 1 << sector) != 0;
            if (isFound
                    && succeeds(side, false, offset, () -> side.direct().rewrite(offset, bytes(offset, sectorBytes)))) {
                rewritten++;
            } else if (!isFound || spareIsFull) {
                plan.lose(unit, 1 << sector);
                lost++;
            } else {
                plan.cover(offset, sectorBytes);
                moved++;
            }
        }
    }

    /** Takes the content of a sector from the page cache, if that has what was acknowledged. */
    private boolean isInPageCache(UnitClaims claims, int sector, long offset) {
        if (side.device().traits().direct()) {
            return false;
        }
        ByteBuffer before = workspace.rescued.get(offset);
        if (before != null) {
            bytes(offset, sectorBytes).put(before.duplicate());
            if (claims.accepts(sector, bytes(offset, sectorBytes))) {
                return true;
            }
        }
        try {
            side.device().read(offset, bytes(offset, sectorBytes));
        } catch (DeviceException e) {
            return false;
        }
        boolean isFound = claims.accepts(sector, bytes(offset, sectorBytes));
        if (isFound) {
            workspace.rescue(this, offset, bytes(offset, sectorBytes));
        }
        return isFound;
    }

    private void committed(Outcome outcome) throws Failure, TryLater {
        switch (outcome) {
            case DURABLE -> {
                disk.counters.newLostSectors.add(lost);
                disk.failback.forget(firstUnit, endUnit);
                succeed();
            }
            case NOT_COMMITTED -> {
                if (commits >= MAX_COMMITS) {
                    throw new Failure(DiskError.IO, firstUnit << Place.UNIT_SHIFT, null);
                }
                fenced();
            }
            case STORE_FAILED -> {
                release(plan::withBars);
                failed(DiskError.IO, firstUnit << Place.UNIT_SHIFT);
            }
        }
    }

    private void succeed() {
        workspace.verified(this);
        writes.counts.sectors.add(equal);
        writes.counts.lostSectors.add(lost);
        disk.counters.rewrittenSectors.add(rewritten);
        disk.counters.movedSectors.add(moved);
        disk.counters.lostUnflushedSectors.add(lost);
        disk.log.lost(lost, firstUnit);
        listener.willLetGo();
        release(s -> listener.letGo(plan.withoutHints(s.withTable(disk.committedTable())), endUnit));
        listener.verified(endUnit, lost);
    }

    @Override
    void failed(DiskError error, long offsetBytes) {
        boolean recordable = plan.isEmpty() || disk.canRedirect();
        listener.impossible(
                new DeviceException(
                        side.device().name(),
                        "verification",
                        firstUnit << Place.UNIT_SHIFT,
                        (endUnit - firstUnit) << Place.UNIT_SHIFT,
                        Errno.EIO,
                        ErrorClass.UNKNOWN,
                        recordable
                                ? "it cannot be read now"
                                : "what is lost cannot be recorded without a working metadata store",
                        null),
                recordable);
    }
}
