package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskClient;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
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
     * @param spare whether it is about the spare, if there is one
     */
    void flush(DiskClient client, boolean main, boolean spare, Consumer<DeviceException> then) {
        long toldBefore = client.lossesTold.get();
        sync(main, spare, error -> {
            disk.noteGeneration();
            boolean owed = disk.losses.tell(client, toldBefore);
            then.accept(error == null && owed ? lost() : error);
        });
    }

    /** As {@link #flush}, for nobody. Main first; of two failures the first counts. */
    void sync(boolean main, boolean spare, Consumer<DeviceException> then) {
        if (main) {
            disk.mainWrites.sync.sync(error -> {
                if (error == null) {
                    sync(false, spare, then);
                } else {
                    then.accept(error);
                }
            });
        } else if (spare && disk.spareWrites != null) {
            disk.spareWrites.sync.sync(then);
        } else {
            then.accept(null);
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
