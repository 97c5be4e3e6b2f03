package io.remap.api.spi;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** Opens devices of one URI scheme; {@link #name()} is the scheme. */
public interface BlockDeviceProvider extends Provider {
    /** How transfers reach the device. */
    enum Door {
        /** Direct where the device takes it, buffered otherwise. */
        AUTO,
        /** Past the page cache, or refused. */
        DIRECT,
        /** Through the page cache. */
        BUFFERED
    }

    /**
     * How to open.
     *
     * @param readOnly no write will be made
     * @param exclusive nobody else may have it open for writing (a lock on files, O_EXCL on block devices); refused
     *     with {@link Refusal.Kind#BUSY} otherwise
     * @param door how transfers reach it
     * @param sectorBytes logical sector size wanted where the device leaves it open (a regular file: default 512)
     * @param createBytes creates it with this size, its space reserved, and refuses if it exists
     * @param force open it although it looks in use by a mount or a holder
     */
    record OpenOptions(
            boolean readOnly,
            boolean exclusive,
            Door door,
            OptionalInt sectorBytes,
            OptionalLong createBytes,
            boolean force) {
        /** To look, without disturbing anybody. */
        public static OpenOptions inspect() {
            return new OpenOptions(true, false, Door.AUTO, OptionalInt.empty(), OptionalLong.empty(), false);
        }

        /** To serve. */
        public static OpenOptions serve(boolean readOnly, Door door, OptionalInt sectorBytes) {
            return new OpenOptions(readOnly, true, door, sectorBytes, OptionalLong.empty(), false);
        }
    }

    /**
     * Opens the device; {@code uri.offsetBytes()} and {@code lengthBytes()} are applied by the caller. Either returns a
     * working device or has cleaned up and throws.
     *
     * @throws Refusal if it does not exist, may not be opened, is in use, or its geometry does not fit
     */
    BlockDevice open(DeviceUri uri, OpenOptions options) throws Refusal, DeviceException;
}
