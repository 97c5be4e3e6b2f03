package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens one sealed region of a spare, for whoever wants to write there: compares it for the last time, has what
 * rotted given up, and makes the opening durable.
 *
 * <p>Invariants: what could not be compared is not opened; the region is told to be open only once its record is
 * durable, and its checksums have given their slot back. {@link Checksums#opened} is told once.
 *
 * <p>Begins on the scheduler, and blocks on the spare. One at a time for a region: {@link Checksums} sees to that.
 */
final class Opening {
    private static final Logger LOG = LoggerFactory.getLogger(Opening.class);

    private final Checksums checksums;
    private final VirtualDisk disk;
    private final Spare spare;
    private final long region;

    Opening(Checksums checksums, VirtualDisk disk, Spare spare, long region) {
        this.checksums = checksums;
        this.disk = disk;
        this.spare = spare;
        this.region = region;
    }

    void begin() {
        if (!spare.gate.isClosed(region)) {
            checksums.opened(spare, region, null);
            return;
        }
        try {
            if (disk.spares.get(spare.index) != spare) {
                throw inTheWay(ErrorClass.UNKNOWN, "the spare was taken out");
            }
            giveUpRotten(rottenSlots().iterator());
        } catch (DeviceException e) {
            // What could not be compared is not taken over.
            checksums.opened(spare, region, e);
        } catch (RuntimeException e) {
            LOG.error("{}: region {} of {} cannot be opened", disk.name(), region, spare.device.name(), e);
            checksums.opened(spare, region, inTheWay(ErrorClass.UNKNOWN, e.toString()));
        }
    }

    private List<Long> rottenSlots() throws DeviceException {
        List<Long> rotten = new ArrayList<>();
        long first = region << Seal.REGION_SHIFT;
        long end = Math.min(spare.slots().count(), first + Seal.REGION_SLOTS);
        for (long slot = first; slot < end; slot++) {
            if (spare.gate.rottenSectors(slot) != 0) {
                rotten.add(slot);
            }
        }
        // Nor is what another medium holds.
        spare.device.requireSameMedium();
        return rotten;
    }

    private void giveUpRotten(Iterator<Long> rest) {
        if (!rest.hasNext()) {
            commit();
            return;
        }
        checksums.giveUp(
                spare,
                rest.next(),
                error -> disk.environment.scheduler().execute(() -> {
                    if (error == DiskError.NONE) {
                        giveUpRotten(rest);
                    } else {
                        checksums.opened(spare, region, inTheWay(ErrorClass.HOST, "what rotted could not be given up"));
                    }
                }));
    }

    private void commit() {
        long seal = spare.gate.sealOf(region);
        disk.commit(List.of(MapChange.open(spare.index, region, 1)), outcome -> {
            if (outcome == MetadataStore.Outcome.DURABLE) {
                spare.gate.reopen(region);
                if (seal != 0) {
                    spare.allocator.free(Seal.slot(seal));
                }
                disk.counters.openings.increment();
            }
            checksums.opened(
                    spare,
                    region,
                    switch (outcome) {
                        case DURABLE -> null;
                        // A store that has failed for good says so of everything after that, too.
                        case NOT_COMMITTED ->
                            disk.canRedirect()
                                    ? inTheWay(ErrorClass.HOST, "its opening could not be recorded")
                                    : nothingMoreRecorded();
                        case STORE_FAILED -> nothingMoreRecorded();
                    });
        });
    }

    private DeviceException nothingMoreRecorded() {
        return inTheWay(ErrorClass.UNKNOWN, "nothing can be recorded any more");
    }

    private DeviceException inTheWay(ErrorClass errorClass, String why) {
        return new DeviceException(
                spare.device.name(),
                "open",
                spare.offsetOf(region << Seal.REGION_SHIFT),
                (long) Seal.REGION_SLOTS * Place.UNIT_BYTES,
                Errno.NONE,
                errorClass,
                why,
                null);
    }
}
