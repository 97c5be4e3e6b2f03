package io.remap.core.sim;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Disk;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import io.remap.api.Scheduler;
import java.nio.ByteBuffer;

/**
 * A device as a disk that redirects nothing: each request goes to it as it is, once, and its error goes to the client.
 *
 * <p>Each request has a thread of the scheduler to itself, so one that is not answered delays no other. Requests whose edges
 * are not at sector boundaries are served by a read of the sectors at the edges; such a write keeps other writes of these
 * sectors waiting ({@link SectorGate}).
 */
final class SimDisk implements Disk {
    private static final int MIN_PREFERRED_BYTES = 4096;

    private final String name;
    private final BlockDevice device;
    private final Scheduler scheduler;
    private final SectorGate gate = new SectorGate();
    private final DiskTraits traits;
    private final int sectorBytes;

    SimDisk(String name, BlockDevice device, Scheduler scheduler) {
        this.name = name;
        this.device = device;
        this.scheduler = scheduler;
        this.sectorBytes = device.traits().logicalSectorBytes();
        this.traits = new DiskTraits(
                device.traits().sizeBytes(),
                sectorBytes,
                Math.max(MIN_PREFERRED_BYTES, device.traits().physicalSectorBytes()),
                device.traits().readOnly(),
                device.traits().rotational());
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public DiskTraits traits() {
        return traits;
    }

    @Override
    public void submit(DiskRequest request) {
        scheduler.execute(() -> request.complete(outcome(request), -1));
    }

    private DiskError outcome(DiskRequest request) {
        try {
            return perform(request);
        } catch (DeviceException e) {
            return switch (e.errorClass()) {
                case READ_ONLY -> DiskError.READ_ONLY;
                case NO_SPACE -> DiskError.NO_SPACE;
                default -> DiskError.IO;
            };
        } catch (IllegalStateException closed) {
            return DiskError.SHUTDOWN;
        }
    }

    private DiskError perform(DiskRequest request) throws DeviceException {
        boolean changes = request.operation.changesData();
        if (request.operation != DiskRequest.Operation.FLUSH && !isInside(request)) {
            return changes ? DiskError.NO_SPACE : DiskError.INVALID;
        }
        if (changes && traits.readOnly()) {
            return DiskError.READ_ONLY;
        }
        long start = request.offsetBytes;
        long end = start + request.lengthBytes;
        switch (request.operation) {
            case READ -> read(start, payload(request));
            case WRITE -> write(start, payload(request));
            case WRITE_ZEROES -> zero(start, end, request.keepAllocated);
            case TRIM -> discard(start, end);
            case FLUSH -> device.flush();
            case CACHE -> {}
        }
        if (request.fua && changes) {
            device.flush();
        }
        return DiskError.NONE;
    }

    private boolean isInside(DiskRequest request) {
        return request.offsetBytes >= 0
                && request.lengthBytes >= 0
                && request.offsetBytes <= traits.sizeBytes() - request.lengthBytes;
    }

    private static ByteBuffer payload(DiskRequest request) {
        return request.buffer.data().duplicate().clear().limit((int) request.lengthBytes);
    }

    private long down(long offset) {
        return offset & -sectorBytes;
    }

    private long up(long offset) {
        return (offset + sectorBytes - 1) & -sectorBytes;
    }

    private void read(long start, ByteBuffer target) throws DeviceException {
        long end = start + target.remaining();
        if (down(start) == start && up(end) == end) {
            device.read(start, target);
            return;
        }
        ByteBuffer sectors = ByteBuffer.allocate((int) (up(end) - down(start)));
        device.read(down(start), sectors);
        target.put(sectors.flip().slice((int) (start - down(start)), target.remaining()));
    }

    private void write(long start, ByteBuffer source) throws DeviceException {
        long end = start + source.remaining();
        boolean isAligned = down(start) == start && up(end) == end;
        SectorGate.Pass pass = gate.enter(down(start), up(end), !isAligned);
        try {
            if (isAligned) {
                device.write(start, source);
            } else {
                device.write(down(start), merged(start, source));
            }
        } finally {
            gate.leave(pass);
        }
    }

    /** The sectors that the bytes lie in, with the bytes. */
    private ByteBuffer merged(long start, ByteBuffer source) throws DeviceException {
        long end = start + source.remaining();
        ByteBuffer sectors = ByteBuffer.allocate((int) (up(end) - down(start)));
        if (down(start) < start) {
            device.read(down(start), sectors.duplicate().limit(sectorBytes));
        }
        if (end < up(end)) {
            device.read(up(end) - sectorBytes, sectors.duplicate().position(sectors.capacity() - sectorBytes));
        }
        sectors.put((int) (start - down(start)), source, source.position(), source.remaining());
        return sectors;
    }

    private void zero(long start, long end, boolean keepAllocated) throws DeviceException {
        long from = Math.min(up(start), end);
        long to = Math.max(down(end), from);
        if (start < from) {
            write(start, ByteBuffer.allocate((int) (from - start)));
        }
        if (from < to) {
            SectorGate.Pass pass = gate.enter(from, to, false);
            try {
                device.zero(from, to - from, keepAllocated);
            } finally {
                gate.leave(pass);
            }
        }
        if (to < end) {
            write(to, ByteBuffer.allocate((int) (end - to)));
        }
    }

    /** Advice: what is not a whole sector is not discarded. */
    private void discard(long start, long end) throws DeviceException {
        if (up(start) < down(end)) {
            device.discard(up(start), down(end) - up(start));
        }
    }
}
