package io.remap.metadata;

import io.remap.api.DeviceException;

/**
 * Sees to it that each place of a log can be read before a generation begins there.
 *
 * <p>A power cut may leave the block that was being written unreadable until it is written again, in one copy. A second one,
 * many generations later, could do that to the other copy of the same place; then neither would tell whether a committed block
 * stood there, and the spare would be opened for reading only. So what cannot be read is made blank, in an arena that holds
 * nothing that is needed, before the header that gives its places a meaning. What takes no zeros is replaced.
 */
final class LogPlaces {
    private final BlockIo io;
    private final Layout layout;

    LogPlaces(BlockIo io, Layout layout) {
        this.io = io;
        this.layout = layout;
    }

    /**
     * Has all places of both copies read, as far as the reserve lasts; what it wrote is durable then.
     *
     * @throws DeviceException if the device fails otherwise than at a sector, or a flush does
     */
    void makeReadable(ArenaCopy[] arena) throws DeviceException {
        boolean written = false;
        for (ArenaCopy copy : arena) {
            for (int first = 0; first < layout.logBlocks(); first += BlockIo.CHUNK_BLOCKS) {
                int count = Math.min(BlockIo.CHUNK_BLOCKS, layout.logBlocks() - first);
                int body = copy.logBody(first);
                if (copy.isContiguous(body, count) && io.tryRead(copy.offset(body), 0, count)) {
                    continue;
                }
                for (int i = 0; i < count; i++) {
                    written |= makeReadable(copy, body + i);
                }
            }
        }
        if (written) {
            io.flush();
        }
    }

    /** Whether something was written. */
    private boolean makeReadable(ArenaCopy copy, int body) throws DeviceException {
        while (!io.tryRead(copy.offset(body), 0, 1)) {
            try {
                io.zeroedBlock(0);
                io.write(copy.offset(body));
                return true;
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector()) {
                    throw e;
                }
                if (!copy.replace(body)) {
                    // As it was: the commit that comes to it fails there, and is taken back.
                    return false;
                }
            }
        }
        return false;
    }
}
