package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Between the store and its device, breaks one rule of the write order on purpose: what the explorer must notice. It is as
 * if the store had left the step out.
 */
final class BuggyDevice implements BlockDevice {
    /** The rule that is broken. */
    enum Bug {
        /** The record does not wait for the data. */
        NO_FLUSH_AFTER_DATA,
        /** The answer does not wait for the record. */
        NO_FLUSH_AFTER_RECORD,
        /** Opening does not make durable what it found. */
        NO_FLUSH_AFTER_TABLE,
        /** The data is written after the record. */
        RECORD_BEFORE_DATA,
        /** Every log block goes to the first place of its log. */
        LOG_REWRITTEN_IN_PLACE,
        /** Headers of both arenas go to the same place: a new generation overwrites the one that it replaces. */
        TABLE_REPLACED_IN_PLACE
    }

    private enum Kind {
        DATA,
        RECORD,
        TABLE,
        OTHER
    }

    private record Held(long offset, ByteBuffer data) {}

    private final BlockDevice device;
    private final Bug bug;
    private final Layout layout;
    private final List<Held> held = new ArrayList<>();
    private Kind last = Kind.OTHER;

    BuggyDevice(BlockDevice device, Bug bug, Layout layout) {
        this.device = device;
        this.bug = bug;
        this.layout = layout;
    }

    private static Kind kindOf(ByteBuffer data) {
        long magic = data.duplicate().order(ByteOrder.LITTLE_ENDIAN).getLong(data.position());
        if (magic == LogBlock.MAGIC) {
            return Kind.RECORD;
        }
        if (magic == ArenaHeader.MAGIC || magic == TableBlock.MAGIC) {
            return Kind.TABLE;
        }
        return magic == Superblock.MAGIC ? Kind.OTHER : Kind.DATA;
    }

    @Override
    public void write(long offsetBytes, ByteBuffer source) throws DeviceException {
        Kind kind = kindOf(source);
        if (bug == Bug.RECORD_BEFORE_DATA && kind == Kind.DATA) {
            ByteBuffer copy = ByteBuffer.allocateDirect(source.remaining());
            held.add(new Held(offsetBytes, copy.put(source).flip()));
            return;
        }
        last = kind;
        device.write(place(kind, offsetBytes), source);
        if (kind == Kind.RECORD && !held.isEmpty() && isSecondCopy(offsetBytes)) {
            device.flush();
            for (Held one : held) {
                device.write(one.offset, one.data);
            }
            held.clear();
        }
    }

    private boolean isSecondCopy(long offsetBytes) {
        return offsetBytes >= Layout.identityOffset(2, layout.sizeBytes());
    }

    private long place(Kind kind, long offsetBytes) {
        for (int arena = 0; arena < 2; arena++) {
            for (ArenaCopy copy : Formatter.arena(layout, arena)) {
                long log = copy.offset(copy.logBody(0));
                boolean inLog =
                        offsetBytes >= log && offsetBytes < log + (long) layout.logBlocks() * layout.granuleBytes();
                if (bug == Bug.LOG_REWRITTEN_IN_PLACE && kind == Kind.RECORD && inLog) {
                    return log;
                }
            }
        }
        boolean inB = isIn(layout.arenaOffsets().b0(), offsetBytes)
                || isIn(layout.arenaOffsets().b1(), offsetBytes);
        return bug == Bug.TABLE_REPLACED_IN_PLACE && inB ? offsetBytes - layout.arenaBytes() : offsetBytes;
    }

    private boolean isIn(long arenaOffset, long offsetBytes) {
        return offsetBytes >= arenaOffset && offsetBytes < arenaOffset + layout.arenaBytes();
    }

    @Override
    public void read(long offsetBytes, ByteBuffer target) throws DeviceException {
        device.read(offsetBytes, target);
    }

    @Override
    public void flush() throws DeviceException {
        boolean dropped = switch (bug) {
            case NO_FLUSH_AFTER_DATA -> last == Kind.DATA;
            case NO_FLUSH_AFTER_RECORD -> last == Kind.RECORD;
            case NO_FLUSH_AFTER_TABLE -> last == Kind.TABLE;
            default -> false;
        };
        if (!dropped) {
            device.flush();
        }
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
    public void discard(long offsetBytes, long lengthBytes) throws DeviceException {
        device.discard(offsetBytes, lengthBytes);
    }

    @Override
    public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException {
        device.zero(offsetBytes, lengthBytes, keepAllocated);
    }

    @Override
    public void close() {
        device.close();
    }
}
