package io.remap.nbd;

import io.remap.api.BufferPool;
import io.remap.api.Disk;
import io.remap.api.DiskTraits;

/** What a client is told about an export: what is fixed about its disk, and whether that takes writes as it connects. */
final class NbdExport {
    /** Unaligned requests are served. */
    static final int MIN_BLOCK_BYTES = 1;

    static final int MIN_PREFERRED_BYTES = 4096;
    static final int MAX_PAYLOAD_BYTES = BufferPool.MAX_BUFFER_BYTES;

    private NbdExport() {}

    /**
     * Transmission flags. Several connections may be used, since a flush of a disk covers every request completed before,
     * whoever submitted it. FAST_ZERO may be offered whatever the medium: a disk that cannot zero fast says so.
     */
    static int transmissionFlags(Disk disk) {
        int flags = Protocol.FLAG_HAS_FLAGS
                | Protocol.FLAG_SEND_FLUSH
                | Protocol.FLAG_SEND_FUA
                | Protocol.FLAG_CAN_MULTI_CONN
                | Protocol.FLAG_SEND_CACHE;
        if (disk.traits().rotational()) {
            flags |= Protocol.FLAG_ROTATIONAL;
        }
        if (!disk.takesWrites()) {
            return flags | Protocol.FLAG_READ_ONLY;
        }
        return flags | Protocol.FLAG_SEND_TRIM | Protocol.FLAG_SEND_WRITE_ZEROES | Protocol.FLAG_SEND_FAST_ZERO;
    }

    /** The unit that costs least, as the protocol wants it: a power of two. */
    static int preferredBytes(DiskTraits traits) {
        int preferred = Math.max(MIN_PREFERRED_BYTES, Math.min(MAX_PAYLOAD_BYTES, traits.preferredBytes()));
        return Integer.highestOneBit(preferred);
    }
}
