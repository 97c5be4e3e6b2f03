package io.remap.testkit;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.api.MediumSequence;
import java.nio.ByteBuffer;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.random.RandomGenerator;

/**
 * A device with faults, seeded: bad sectors of several kinds, a device that is gone, failing flushes, errors of the host.
 * A transfer that fails does what real ones do: a read leaves garbage in the buffer, a write has written any part of its
 * range. It lives as long as the medium; every use goes through the same object.
 *
 * <p>Not thread-safe by itself: one thread at a time, as in a simulation, or tests with one thread.
 */
public final class FaultyDevice implements BlockDevice {
    /** What is wrong with a sector. */
    public enum Fault {
        /** Reads fail until it is written. */
        UNREADABLE,
        /** Reads and writes fail for good. */
        BAD,
        /** Reads work, writes fail. */
        UNWRITABLE,
        /** Writes work, reads go on failing. */
        WRITE_ONLY,
        /** The next few transfers fail. */
        TRANSIENT,
        /** Answers late. */
        SLOW,
        /** The next transfer hangs for so long that nobody waits for it, and is made then; the others are not held up. */
        STUCK
    }

    /** How time passes while the device works. */
    public interface Steps {
        /** Others may run now. */
        void pause();

        /** The device takes its time. */
        void sleep(long nanos);

        /** Time does not pass and nobody else runs. */
        static Steps none() {
            return new Steps() {
                @Override
                public void pause() {}

                @Override
                public void sleep(long nanos) {}
            };
        }
    }

    private final BlockDevice device;
    private final RandomGenerator random;
    private final Steps steps;
    private final int sectorBytes;
    private final TreeMap<Long, Sector> sectors = new TreeMap<>();
    private final Map<Fault, Long> hits = new EnumMap<>(Fault.class);
    private int goneErrno;
    private long goneHits;
    private long medium = 1;
    private int flushErrno;
    private int failingFlushes;
    private Runnable whenFlushFails = () -> {};
    private int hostErrno;
    private int hostErrors;
    private long transferErrors;
    private long slowNanos;
    private long stuckNanos;
    private int hanging;
    private int mostTransientFailures = 2;

    private static final class Sector {
        private final Fault fault;
        private final int errno;
        private int failuresLeft;

        private Sector(Fault fault, int errno, int failuresLeft) {
            this.fault = fault;
            this.errno = errno;
            this.failuresLeft = failuresLeft;
        }

        private boolean fails(boolean write) {
            return switch (fault) {
                case UNREADABLE, WRITE_ONLY -> !write;
                case UNWRITABLE -> write;
                case BAD -> true;
                case TRANSIENT -> failuresLeft > 0;
                case SLOW, STUCK -> false;
            };
        }
    }

    public FaultyDevice(BlockDevice device, RandomGenerator random, Steps steps) {
        this.device = device;
        this.random = random;
        this.steps = steps;
        this.sectorBytes = device.traits().logicalSectorBytes();
    }

    /** Puts a fault on sectors of the device; EIO. */
    public void fault(long firstSector, long lengthSectors, Fault fault) {
        fault(firstSector, lengthSectors, fault, Errno.EIO);
    }

    /** Puts a fault on sectors of the device, in place of one they have. */
    public void fault(long firstSector, long lengthSectors, Fault fault, int errno) {
        for (long sector = firstSector; sector < firstSector + lengthSectors; sector++) {
            int failures = 1 + random.nextInt(mostTransientFailures);
            sectors.put(sector, new Sector(fault, errno, failures));
        }
    }

    /** Takes the faults of sectors away. */
    public void heal(long firstSector, long lengthSectors) {
        sectors.subMap(firstSector, firstSector + lengthSectors).clear();
    }

    /** Whether a sector has a fault now. */
    public boolean isFaulty(long sector) {
        return sectors.containsKey(sector);
    }

    /** From now on every operation fails with this errno. */
    public void vanish(int errno) {
        goneErrno = errno;
    }

    /** It is there again, with what it held. */
    public void comeBack() {
        goneErrno = 0;
    }

    public boolean isGone() {
        return goneErrno != 0;
    }

    /** The next flushes fail. */
    public void failFlushes(int count, int errno) {
        failingFlushes = count;
        flushErrno = errno;
    }

    /** Called at the moment in which a flush fails as {@link #failFlushes} wants it: it may lose what was cached. */
    public void whenFlushFails(Runnable action) {
        whenFlushFails = action;
    }

    /** Whether {@link #failFlushes} is still to come. */
    public boolean flushWillFail() {
        return failingFlushes > 0;
    }

    /** The next transfers (not flushes) fail with an errno that says nothing about their sectors. */
    public void failTransfers(int count, int errno) {
        hostErrors = count;
        hostErrno = errno;
    }

    /** Whether the next one fails. */
    boolean isFailingTransfers() {
        return hostErrors > 0;
    }

    /** How often a transfer failed as {@link #failTransfers} wants it. */
    public long transferErrors() {
        return transferErrors;
    }

    /** How often a TRANSIENT sector fails at most, from the next {@link #fault} on. */
    public void transientFailures(int most) {
        mostTransientFailures = most;
    }

    /** How long a SLOW sector takes. */
    public void slowness(long nanos) {
        slowNanos = nanos;
    }

    /** How long a STUCK sector takes. */
    public void stuckFor(long nanos) {
        stuckNanos = nanos;
    }

    /** Transfers that hang at this moment. */
    public int hanging() {
        return hanging;
    }

    /** How often a transfer met a fault of the kind. */
    public long hits(Fault fault) {
        return hits.getOrDefault(fault, 0L);
    }

    /** How often an operation failed because the device was gone. */
    public long goneHits() {
        return goneHits;
    }

    /** Another medium is there from now on, or the one before again, as the kernel tells. */
    public void medium(long number) {
        medium = number;
    }

    @Override
    @SuppressWarnings("unchecked")
    public <C> Optional<C> capability(Class<C> type) {
        return type == MediumSequence.class
                ? (Optional<C>) Optional.of((MediumSequence) () -> OptionalLong.of(medium))
                : Optional.empty();
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        int length = target.remaining();
        steps.pause();
        checkWhole("read", offsetBytes, length);
        Sector failing = meet(offsetBytes, length, false);
        if (failing != null) {
            byte[] garbage = new byte[length];
            random.nextBytes(garbage);
            target.put(garbage);
            throw error("read", offsetBytes, length, failing.errno);
        }
        device.read(offsetBytes, target);
        steps.pause();
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        int length = source.remaining();
        steps.pause();
        checkWhole("write", offsetBytes, length);
        Sector failing = meet(offsetBytes, length, true);
        // Sector by sector if it fails, else in two parts at times, so that a crash finds it torn.
        if (failing != null) {
            writeSome(offsetBytes, source);
            throw error("write", offsetBytes, length, failing.errno);
        }
        int half = length > sectorBytes && random.nextBoolean() ? length / 2 / sectorBytes * sectorBytes : length;
        device.write(offsetBytes, source.duplicate().limit(source.position() + half));
        if (half < length) {
            steps.pause();
            device.write(offsetBytes + half, source.duplicate().position(source.position() + half));
        }
        source.position(source.limit());
        written(offsetBytes, length);
        steps.pause();
    }

    private void writeSome(long offsetBytes, ByteBuffer source) throws DeviceException {
        for (int done = 0; done < source.remaining(); done += sectorBytes) {
            Sector sector = sectors.get((offsetBytes + done) / sectorBytes);
            if ((sector == null || !sector.fails(true)) && random.nextBoolean()) {
                int from = source.position() + done;
                device.write(
                        offsetBytes + done,
                        source.duplicate().limit(from + sectorBytes).position(from));
                written(offsetBytes + done, sectorBytes);
            }
        }
    }

    /** Sectors that a write heals are healed. */
    private void written(long offsetBytes, long length) {
        sectors.subMap(offsetBytes / sectorBytes, (offsetBytes + length) / sectorBytes)
                .values()
                .removeIf(sector -> sector.fault == Fault.UNREADABLE);
    }

    /** The sector of the range that fails the transfer, if one does. */
    private Sector meet(long offsetBytes, long length, boolean write) {
        Sector failing = null;
        boolean slow = false;
        boolean stuck = false;
        for (Sector sector : sectors.subMap(offsetBytes / sectorBytes, (offsetBytes + length) / sectorBytes)
                .values()) {
            if (sector.fault == Fault.SLOW) {
                slow = true;
                count(Fault.SLOW);
            } else if (sector.fault == Fault.STUCK) {
                stuck |= sector.failuresLeft-- > 0;
            } else if (sector.fails(write) && failing == null) {
                sector.failuresLeft--;
                failing = sector;
                count(sector.fault);
            }
        }
        if (slow) {
            steps.sleep(slowNanos);
        }
        if (stuck) {
            count(Fault.STUCK);
            hanging++;
            steps.sleep(stuckNanos);
            hanging--;
        }
        return failing;
    }

    private void count(Fault fault) {
        hits.merge(fault, 1L, Long::sum);
    }

    private void checkWhole(String operation, long offsetBytes, long length) throws DeviceException {
        checkThere(operation, offsetBytes, length);
        if (hostErrors > 0) {
            hostErrors--;
            transferErrors++;
            throw error(operation, offsetBytes, length, hostErrno);
        }
    }

    private void checkThere(String operation, long offsetBytes, long length) throws DeviceException {
        if (goneErrno != 0) {
            goneHits++;
            throw error(operation, offsetBytes, length, goneErrno);
        }
    }

    private DeviceException error(String operation, long offsetBytes, long length, int errno) {
        return new DeviceException(name(), operation, offsetBytes, length, errno);
    }

    @Override
    public void flush() throws DeviceException {
        steps.pause();
        checkThere("flush", 0, 0);
        if (failingFlushes > 0) {
            failingFlushes--;
            whenFlushFails.run();
            throw error("flush", 0, 0, flushErrno);
        }
        device.flush();
        steps.pause();
    }

    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        steps.pause();
        checkWhole("discard", offsetBytes, lengthBytes);
        device.discard(offsetBytes, lengthBytes);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        steps.pause();
        checkWhole("zero", offsetBytes, lengthBytes);
        Sector failing = meet(offsetBytes, lengthBytes, true);
        if (failing != null) {
            throw error("zero", offsetBytes, lengthBytes, failing.errno);
        }
        device.zero(offsetBytes, lengthBytes, keepAllocated);
        written(offsetBytes, lengthBytes);
        steps.pause();
    }

    @Override
    public String name() {
        return device.name();
    }

    @Override
    public DeviceTraits traits() {
        return device.traits();
    }

    @Override
    public DeviceIdentity identity() {
        return device.identity();
    }

    @Override
    public void close() {
        device.close();
    }
}
