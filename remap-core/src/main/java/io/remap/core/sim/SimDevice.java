package io.remap.core.sim;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.MediumSequence;
import io.remap.api.WitnessTag;
import io.remap.core.device.BlockRanges;
import io.remap.core.device.RangeSet;
import io.remap.core.sim.SimVerdict.Effect;
import io.remap.core.sim.SimVerdict.Operation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.LongConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A disk that fails as {@link SimModel} decides, in front of the image that holds its content.
 *
 * <p>Behaves like a disk: a read that touches a failing sector fails as a whole; a write that touches one has written the
 * sectors before it and none after, and fails. Errors come with their own request, so it counts as a direct device.
 *
 * <p>Invariant: an operation waits on its own thread and holds nothing meanwhile, so it delays no other one.
 */
final class SimDevice implements BlockDevice {
    /** How long an operation that waits looks away. */
    static final long LOOK_MILLIS = 20;

    private static final Logger LOG = LoggerFactory.getLogger(SimDevice.class);

    private final String name;
    private final BlockDevice image;
    private final SimMedium medium;
    private final SimModel model;
    private final LongConsumer pauseMillis;
    private final boolean readsPrefix;
    private final DeviceTraits traits;
    private final DeviceIdentity identity;
    private volatile AutoCloseable control = () -> {};
    private volatile boolean closed;

    /**
     * Takes image and model over.
     *
     * @param image through the page cache, so that any sector can be reached alone
     * @param pauseMillis lets the calling thread pass so much time
     * @param readsPrefix a read that fails has filled the buffer with what lies before the failing sector
     */
    SimDevice(
            String name,
            BlockDevice image,
            SimMedium medium,
            SimModel model,
            LongConsumer pauseMillis,
            boolean readsPrefix,
            int physicalBytes) {
        this.name = name;
        this.image = image;
        this.medium = medium;
        this.model = model;
        this.pauseMillis = pauseMillis;
        this.readsPrefix = readsPrefix;
        DeviceTraits of = image.traits();
        this.traits = new DeviceTraits(
                model.stateNow(SimState.Kind.SIZE).map(SimState::argument).orElse(of.sizeBytes()),
                of.logicalSectorBytes(),
                Math.max(of.physicalSectorBytes(), physicalBytes),
                of.logicalSectorBytes(),
                true,
                of.readOnly(),
                of.rotational(),
                of.losesContentOnPowerCut(),
                of.blockDevice());
        this.identity = identityNow();
    }

    private DeviceIdentity identityNow() {
        DeviceIdentity of = image.identity();
        return new DeviceIdentity(
                model.stateNow(SimState.Kind.IDENTITY)
                        .map(state -> "serial:" + state.text())
                        .orElse(of.stableId()),
                of.backing(),
                of.backingStableId(),
                of.startBytes(),
                traits.sizeBytes(),
                of.physicalDisk());
    }

    /** What ends with the device, before it. */
    void endsWith(AutoCloseable controlling) {
        control = controlling;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public DeviceTraits traits() {
        return traits;
    }

    @Override
    public DeviceIdentity identity() {
        return identity;
    }

    /** The witness of the image, and which disk is there; nothing that would lead past the faults. */
    @Override
    public <C> Optional<C> capability(Class<C> type) {
        if (type == MediumSequence.class) {
            MediumSequence sequence = this::mediumNow;
            return Optional.of(type.cast(sequence));
        }
        return type == WitnessTag.class ? image.capability(type) : Optional.empty();
    }

    private OptionalLong mediumNow() {
        if (model.stateNow(SimState.Kind.DOWN).isPresent()) {
            return OptionalLong.empty();
        }
        return OptionalLong.of(model.stateNow(SimState.Kind.IDENTITY)
                .map(state -> 1 + Integer.toUnsignedLong(state.text().hashCode()))
                .orElse(0L));
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        requireOpen();
        BlockRanges.checkRead(name, traits, offsetBytes, target);
        checkAddress(target);
        int length = target.remaining();
        SimVerdict verdict = enter(Operation.READ, offsetBytes, length);
        if (verdict != null && verdict.errno != Errno.NONE) {
            if (readsPrefix && verdict.failAtBytes > offsetBytes) {
                medium.read(
                        offsetBytes,
                        target.duplicate().limit(target.position() + (int) (verdict.failAtBytes - offsetBytes)));
            }
            throw failed(verdict);
        }
        int start = target.position();
        medium.read(offsetBytes, target);
        if (verdict != null) {
            for (Effect effect : verdict.effects) {
                corrupt(effect, target, start - offsetBytes);
            }
        }
    }

    /** @param shift from a byte of the device to the byte of the buffer */
    private void corrupt(Effect effect, ByteBuffer target, long shift) {
        int sector = traits.logicalSectorBytes();
        for (long at = effect.startBytes(); at < effect.endBytes(); at += sector) {
            for (int i = 0; i < Long.BYTES; i++) {
                int index = (int) (at + shift) + i;
                byte flips = (byte) (effect.fault().argument() >>> (Long.SIZE - Byte.SIZE * (i + 1)));
                target.put(index, (byte) (target.get(index) ^ flips));
            }
        }
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        requireOpen();
        BlockRanges.check(name, traits, "write", offsetBytes, source.remaining());
        checkAddress(source);
        int length = source.remaining();
        int limit = source.limit();
        int start = source.position();
        change(Operation.WRITE, offsetBytes, length, (from, to, place) -> {
            int first = start + (int) (from - offsetBytes);
            medium.write(
                    place, source.duplicate().limit(first + (int) (to - from)).position(first));
        });
        source.position(limit);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        requireOpen();
        BlockRanges.check(name, traits, "zero", offsetBytes, lengthBytes);
        change(
                Operation.ZERO,
                offsetBytes,
                lengthBytes,
                (from, to, place) -> medium.zero(place, to - from, keepAllocated));
    }

    /** Writes a part of what was given. */
    @FunctionalInterface
    private interface Writer {
        /** The bytes meant for {@code from} to {@code to} go to {@code place}. */
        void write(long from, long to, long place) throws DeviceException;
    }

    private void change(Operation operation, long offset, long length, Writer writer) throws DeviceException {
        SimVerdict verdict = enter(operation, offset, length);
        if (verdict == null) {
            writer.write(offset, offset + length, offset);
            return;
        }
        long end = verdict.failAtBytes;
        RangeSet kept = keptBack(verdict, end);
        for (long at = kept.firstOutside(offset, end); at < end; ) {
            long to = kept.firstInside(at, end);
            writer.write(at, to, at);
            written(verdict, at, to);
            at = kept.firstOutside(to, end);
        }
        for (Effect effect : verdict.effects) {
            if (effect.fault().mode() == SimFault.Mode.MISDIRECT && effect.startBytes() < end) {
                long to = Math.min(end, effect.endBytes());
                long shift = effect.fault().argument() - effect.fault().startBytes();
                writer.write(effect.startBytes(), to, effect.startBytes() + shift);
            }
        }
        if (verdict.errno != Errno.NONE) {
            throw failed(verdict);
        }
    }

    /** The bytes that are acknowledged and not written where they belong. */
    private static RangeSet keptBack(SimVerdict verdict, long end) {
        RangeSet kept = new RangeSet();
        for (Effect effect : verdict.effects) {
            boolean isTorn = effect.fault().mode() == SimFault.Mode.TORN;
            long from = effect.startBytes() + (isTorn ? effect.fault().argument() : 0);
            long to = Math.min(end, effect.endBytes());
            if (from < to) {
                kept.add(from, to);
            }
        }
        return kept;
    }

    private void written(SimVerdict verdict, long from, long to) throws DeviceException {
        if (verdict.judged.isEmpty()) {
            return;
        }
        try {
            if (model.faults.written(from, to, verdict.judged.get(), medium::flushImage)) {
                medium.settle(from, to);
            }
        } catch (DeviceException e) {
            throw e;
        } catch (IOException e) {
            throw stateFailed(verdict.operation, verdict.startBytes, verdict.endBytes - verdict.startBytes, e);
        }
    }

    /** A bad sector stays as bad as it was. */
    @Override
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        requireOpen();
        BlockRanges.check(name, traits, "discard", offsetBytes, lengthBytes);
        requireGood(enter(Operation.DISCARD, offsetBytes, lengthBytes));
        medium.discard(offsetBytes, lengthBytes);
    }

    @Override
    public boolean discards() {
        return image.discards();
    }

    @Override
    public void flush() throws DeviceException {
        requireOpen();
        SimVerdict verdict = enter(Operation.FLUSH, 0, 0);
        requireGood(verdict);
        if (verdict == null || !verdict.lies) {
            medium.flush();
        }
    }

    /** Decides, and waits as long as the verdict says. */
    private SimVerdict enter(Operation operation, long offset, long length) throws DeviceException {
        try {
            SimVerdict verdict = decide(operation, offset, length);
            while (verdict != null && verdict.hangs) {
                do {
                    pauseMillis.accept(LOOK_MILLIS);
                    requireOpen();
                } while (model.stillHangs(verdict));
                verdict = decide(operation, offset, length);
            }
            if (verdict != null) {
                pass(verdict.delayMillis);
            }
            return verdict;
        } catch (DeviceException e) {
            throw e;
        } catch (IOException e) {
            throw stateFailed(operation, offset, length, e);
        }
    }

    /** And cuts the power, if that is what happens first. */
    private SimVerdict decide(Operation operation, long offset, long length) throws IOException {
        SimVerdict verdict = model.decide(operation, offset, offset + length);
        if (verdict != null && verdict.powerCut != 0) {
            SimMedium.PowerCut cut = medium.cutPower(model.chance, verdict.powerCut);
            LOG.info(
                    "{}: power cut before operation {}: of {} writes of a sector that were not flushed, {} are lost",
                    name,
                    verdict.number,
                    cut.unflushedSectors(),
                    cut.lostSectors());
        }
        return verdict;
    }

    /** In pieces, so that an end of the device is not waited for. */
    private void pass(long millis) {
        for (long left = millis; left > 0; left -= LOOK_MILLIS) {
            pauseMillis.accept(Math.min(left, LOOK_MILLIS));
            requireOpen();
        }
    }

    private void requireGood(SimVerdict verdict) throws DeviceException {
        if (verdict != null && verdict.errno != Errno.NONE) {
            throw failed(verdict);
        }
    }

    private DeviceException failed(SimVerdict verdict) {
        return new DeviceException(
                name, verdict.operation.word, verdict.startBytes, verdict.endBytes - verdict.startBytes, verdict.errno);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException(name + " is closed");
        }
    }

    /** A disk is strict about the memory of direct transfers, so we are too. */
    private void checkAddress(ByteBuffer buffer) {
        if (buffer.isDirect() && buffer.alignmentOffset(buffer.position(), traits.alignmentBytes()) != 0) {
            throw new IllegalArgumentException(
                    name + ": the buffer is not aligned in memory to " + traits.alignmentBytes());
        }
    }

    private DeviceException stateFailed(Operation operation, long offset, long length, IOException e) {
        return new DeviceException(
                name,
                operation.word,
                offset,
                length,
                Errno.NONE,
                ErrorClass.UNKNOWN,
                "the state of its faults cannot be written: " + e,
                e);
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            control.close();
            model.close();
        } catch (Exception e) {
            LOG.warn("{}: the state of the faults cannot be closed: {}", name, e.toString());
        }
        medium.close();
    }
}
