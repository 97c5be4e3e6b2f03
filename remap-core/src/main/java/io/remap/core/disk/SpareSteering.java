package io.remap.core.disk;

import io.remap.api.DiskError;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareMember;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * What people do with the spares of a disk while it is served: look at them, add one, say what it is for, empty it
 * ({@link Evacuation}), and take it out.
 *
 * <p>Invariants: a spare is added once the store has it among its members, and taken out once the store names it no
 * more; its device is the caller's in either case.
 *
 * <p>Thread-safe; spares are added and taken out by one thread at a time. An evacuation goes on after the call, and
 * holds the disk open until its listener was told.
 */
public final class SpareSteering {
    private final VirtualDisk disk;
    private final MetadataStore store;
    private final LedgerLimits ledgerLimits;

    /** {@code store}: {@code null} if there are no spares, nor will be. */
    SpareSteering(VirtualDisk disk, MetadataStore store, LedgerLimits ledgerLimits) {
        this.disk = disk;
        this.store = store;
        this.ledgerLimits = ledgerLimits;
    }

    /** A spare by figures. */
    public record SpareSummary(
            int index,
            String name,
            String stableId,
            boolean present,
            SpareMember.Use use,
            long slots,
            long freeSlots,
            long badSlots,
            long usedUnits,
            Optional<String> doubt) {}

    /** The spares that are there, and those that are named by a place and are not, by number. */
    public List<SpareSummary> summaries() {
        return disk.figures.spares();
    }

    /**
     * Slots of it are used from now on; the store has it among its members, and no place names it yet, or it was
     * missing.
     */
    public void add(SpareDevice member) {
        Spare added = new Spare(disk, store, member, ledgerLimits.ofSpare());
        Stream.concat(Stream.of(disk.main), disk.spares.all().stream().map(spare -> spare.device))
                .filter(other -> isPartOfOneDisk(other, added.device))
                .forEach(added.device::sharesFateWith);
        disk.checksums.attach(added, store);
        disk.spares.add(added);
    }

    private static boolean isPartOfOneDisk(TrackedDevice one, TrackedDevice other) {
        String disk = one.identity().physicalDisk();
        return one.traits().blockDevice()
                && other.traits().blockDevice()
                && !disk.isEmpty()
                && disk.equals(other.identity().physicalDisk());
    }

    /** The store names the spare no more; its device is the caller's to close then. */
    public void remove(int index) {
        Spare spare = disk.spares.get(index);
        if (spare != null) {
            spare.writes.verification.stop();
            disk.spares.remove(spare);
            disk.state.publish(s -> s.withoutDoubts(spare.writes.number));
            spare.side.dropOff().end();
            spare.writes.close();
        }
    }

    /** Whether the spare, which is being taken out, gets no slots whatever happens. */
    public void setClosed(int spare, boolean closed) {
        disk.spares.setClosed(spare, closed);
    }

    /**
     * What the spare is for from now on.
     *
     * @param how gives it for what it is for now: one that stood by may have taken over by itself
     */
    public void setUse(int spare, UnaryOperator<SpareMember.Use> how) {
        disk.spares.setUse(spare, how);
    }

    /** Has the callback run with the number of a spare that stood by and is used from now on. It must not block. */
    public void whenStandbyTakesOver(IntConsumer told) {
        disk.spares.whenTookOver(spare -> {
            disk.events.note(DiskEvent.Kind.SPARE_TOOK_OVER, disk.spares.whyTookOver(spare, store.members()));
            told.accept(spare.index);
        });
    }

    /** Told once how an evacuation ended: units moved, units left, and {@link DiskError#NONE} if each was tried. */
    @FunctionalInterface
    public interface EvacuationListener {
        void ended(long movedUnits, long leftUnits, DiskError error);
    }

    /**
     * Moves what stands on a spare to other ones; it must be leaving. As {@link MapSteering} otherwise.
     *
     * @param lose give its content up instead: the sectors are lost
     */
    public void evacuate(int spare, boolean lose, EvacuationListener done) {
        if (!disk.enter()) {
            done.ended(0, 0, DiskError.SHUTDOWN);
            return;
        }
        Evacuation.begin(disk, spare, lose, result -> {
            done.ended(result.movedUnits(), result.leftUnits(), result.error());
            disk.leave();
        });
    }
}
