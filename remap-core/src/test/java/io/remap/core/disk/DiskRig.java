package io.remap.core.disk;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceIo;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Environment;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.api.Settings;
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.testkit.FaultyDevice;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import io.remap.testkit.SimpleFaultPolicy;
import io.remap.testkit.TrackingBufferPool;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.function.Consumer;

/** A small virtual disk of 512-byte sectors in simulated time, for tests of single cases. Main holds 0x11 everywhere. */
final class DiskRig implements AutoCloseable {
    static final int SECTOR = 512;
    static final int UNITS = 64;
    static final byte OLD = 0x11;
    static final long RETURN_PAUSE_MILLIS = 60_000;

    final SimScheduler scheduler = new SimScheduler(new SplittableRandom(1));
    private final Environment environment = scheduler.environment(new SplittableRandom(4));
    final MemoryDevice mainMedium = new MemoryDevice("main", UNITS * Place.UNIT_BYTES, SECTOR);
    final MemoryDevice spareMedium;
    final FaultyDevice main;
    final FaultyDevice spare;
    final MemoryMetadata metadata = new MemoryMetadata();
    /** The engine. */
    Consumer<DeviceIo> executes = DeviceIo::run;

    final TrackingBufferPool buffers = new TrackingBufferPool(64 << 20);
    final MetadataStore store;
    final VirtualDisk disk;

    /** Run once at the next step of an operation of main. */
    Runnable atMainsNextStep = () -> {};

    DiskRig(int slots) throws Refusal {
        this(slots, new SimpleFaultPolicy());
    }

    DiskRig(int slots, FaultPolicy policy) throws Refusal {
        this(slots, policy, 0);
    }

    /** @param sealMillis how long nothing is written until it is sealed, 0: never */
    DiskRig(int slots, FaultPolicy policy, long sealMillis) throws Refusal {
        main = new FaultyDevice(mainMedium, new SplittableRandom(2), new MainSteps());
        spareMedium = new MemoryDevice("spare", MemoryMetadata.METADATA_BYTES + slots * Place.UNIT_BYTES, SECTOR);
        spare = new FaultyDevice(spareMedium, new SplittableRandom(3), FaultyDevice.Steps.none());
        byte[] old = new byte[UNITS * Place.UNIT_BYTES];
        Arrays.fill(old, OLD);
        mainMedium.poke(0, old);
        TrackedDevice trackedSpare = TrackedDevice.of(spare);
        store = openStore(trackedSpare, old.length);
        disk = openDisk(main, trackedSpare, policy, sealMillis);
    }

    /** Devices of the test's own. */
    interface Devices {
        BlockDevice main(SimScheduler scheduler) throws IOException;

        /** {@link MemoryMetadata#METADATA_BYTES} longer than its slots. */
        BlockDevice spare(SimScheduler scheduler) throws IOException;
    }

    /** Over other devices than the doubles, which are not there. */
    DiskRig(Devices devices, FaultPolicy policy) throws IOException {
        main = null;
        spare = null;
        spareMedium = null;
        BlockDevice ownMain = devices.main(scheduler);
        TrackedDevice trackedSpare = TrackedDevice.of(devices.spare(scheduler));
        store = openStore(trackedSpare, ownMain.traits().sizeBytes());
        disk = openDisk(ownMain, trackedSpare, policy, 0);
    }

    private MetadataStore openStore(TrackedDevice trackedSpare, long sizeBytes) throws Refusal {
        metadata.format(trackedSpare, new PairIdentity(new UUID(1, 2), sizeBytes, SECTOR, "main"), environment);
        return metadata.open(
                trackedSpare, Optional.of(Lineage.first(new UUID(5, 6))), environment, Settings.defaults());
    }

    private VirtualDisk openDisk(
            BlockDevice mainDevice, TrackedDevice trackedSpare, FaultPolicy policy, long sealMillis) throws Refusal {
        IoEngine inline = new IoEngine() {
            @Override
            public void submit(DeviceIo io) {
                executes.accept(io);
            }

            @Override
            public void close() {}
        };
        return VirtualDisk.open(
                new DiskParts(
                        "disk",
                        mainDevice,
                        List.of(SpareDevice.openedFrom(trackedSpare, store)),
                        Optional.of(store),
                        policy,
                        inline,
                        buffers,
                        environment,
                        false,
                        RETURN_PAUSE_MILLIS,
                        LedgerLimits.USUAL),
                sealMillis);
    }

    /** Lets a test do something in the middle of an operation, and time pass. */
    private final class MainSteps implements FaultyDevice.Steps {
        @Override
        public void pause() {
            Runnable now = atMainsNextStep;
            atMainsNextStep = () -> {};
            now.run();
        }

        @Override
        public void sleep(long nanos) {
            scheduler.sleep(nanos);
        }
    }

    /** The sector of the spare that stands for a sector of a slot. */
    long slotSector(long slot, int sector) {
        return (store.slotOffsetBytes(slot) + (long) sector * SECTOR) / SECTOR;
    }

    DiskError write(long offset, int length, int value) {
        IoBuffer buffer = buffers.acquire(length);
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        buffer.data().clear().put(bytes);
        DiskRequest request = perform(Operation.WRITE, offset, length, buffer);
        buffer.release();
        return request.error;
    }

    /** The bytes, or {@code null} with the error. */
    byte[] read(long offset, int length) {
        IoBuffer buffer = buffers.acquire(length);
        DiskRequest request = perform(Operation.READ, offset, length, buffer);
        byte[] bytes = new byte[length];
        buffer.data().clear().get(bytes);
        buffer.release();
        return request.error == DiskError.NONE ? bytes : null;
    }

    DiskRequest perform(Operation operation, long offset, long length, IoBuffer buffer) {
        DiskRequest request = new DiskRequest(r -> {});
        request.operation = operation;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        request.buffer = buffer;
        request.error = null;
        scheduler.execute(() -> disk.submit(request));
        scheduler.runUntilIdle();
        return request;
    }

    DiskError move(boolean add, long firstSector, long count, boolean lose) {
        DiskError[] outcome = {null};
        MapSteering.MoveListener done = (error, at) -> outcome[0] = error;
        SectorRange range = new SectorRange(firstSector, count);
        scheduler.execute(() -> {
            if (add) {
                disk.map().add(range, lose, done);
            } else {
                disk.map().remove(range, done);
            }
        });
        scheduler.runUntilIdle();
        return outcome[0];
    }

    @Override
    public void close() {
        scheduler.close();
        buffers.checkNothingOut();
    }
}
