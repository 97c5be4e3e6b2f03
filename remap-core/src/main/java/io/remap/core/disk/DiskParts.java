package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.BufferPool;
import io.remap.api.Environment;
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.MetadataStore;
import java.util.List;
import java.util.Optional;

/**
 * What a virtual disk is made of. The devices and the store stay the caller's to close, after the disk.
 *
 * @param name under which it is known
 * @param main the failing device
 * @param spares the healthy ones that are there; none: nothing can be redirected
 * @param store the open table, of {@code TrackedDevice.of} the spare that it was opened from
 * @param policy rules for errors
 * @param engine executes transfers
 * @param buffers memory for recovery
 * @param environment time, threads and randomness
 * @param readOnly refuse every change
 * @param returnPauseMillis after which pause to bring back to main what went to the spare only for lack of time; 0:
 *     never
 * @param ledger of the writes that were not flushed
 */
public record DiskParts(
        String name,
        BlockDevice main,
        List<SpareDevice> spares,
        Optional<MetadataStore> store,
        FaultPolicy policy,
        IoEngine engine,
        BufferPool buffers,
        Environment environment,
        boolean readOnly,
        long returnPauseMillis,
        LedgerLimits ledger) {}
