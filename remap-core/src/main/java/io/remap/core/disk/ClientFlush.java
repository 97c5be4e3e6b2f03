package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskClient;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * What the flush or FUA write of a client answers: that of the syncs of the devices that it is about, and then whether
 * anything was found lost of which the client was not told, wherever it stood. Thread-safe.
 */
final class ClientFlush {
    private final VirtualDisk disk;

    ClientFlush(VirtualDisk disk) {
        this.disk = disk;
    }

    /**
     * Reports, on any thread, how it ended: {@code null} for success.
     *
     * @param main whether it is about main
     * @param spares the spares that it is about, by number, one bit each
     * @param isAnswered whether the client has its answer by now: then this one tells it of nothing
     */
    void flush(
            DiskClient client, boolean main, int spares, BooleanSupplier isAnswered, Consumer<DeviceException> then) {
        long toldBefore = client.lossesTold.get();
        sync(main, spares, error -> {
            boolean owed = !isAnswered.getAsBoolean() && disk.losses.tell(client, toldBefore);
            then.accept(error == null && owed ? lost() : error);
        });
    }

    /** As {@link #flush}, for nobody. Main first, then the spares in their order; the first failure counts. */
    void sync(boolean main, int spares, Consumer<DeviceException> then) {
        if (main) {
            disk.mainWrites.sync.sync(error -> {
                if (error == null) {
                    syncSpares(spares, then);
                } else {
                    then.accept(error);
                }
            });
        } else {
            syncSpares(spares, then);
        }
    }

    private void syncSpares(int spares, Consumer<DeviceException> then) {
        int index = Integer.numberOfTrailingZeros(spares);
        Spare spare = spares == 0 ? null : disk.spares.get(index);
        int rest = spares & spares - 1;
        if (spare == null) {
            // One that was taken away meanwhile had nothing left.
            if (rest == 0) {
                then.accept(null);
            } else {
                syncSpares(rest, then);
            }
        } else if (rest == 0) {
            spare.writes.sync.sync(then);
        } else {
            spare.writes.sync.sync(error -> {
                if (error == null) {
                    syncSpares(rest, then);
                } else {
                    then.accept(error);
                }
            });
        }
    }

    private DeviceException lost() {
        return new DeviceException(
                disk.name(),
                "flush",
                0,
                0,
                Errno.EIO,
                ErrorClass.SECTOR,
                "sectors that were written and acknowledged are lost: 'remap map list' shows them; they answer with an error"
                        + " until they are written again",
                null);
    }
}
