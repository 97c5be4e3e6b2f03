package io.remap.core.disk;

import io.remap.api.Environment;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import java.util.concurrent.TimeUnit;

/**
 * One spare of a virtual disk: the device, how to tell whether it lives, its slots, and what was written to them and not
 * flushed. Thread-safe.
 */
final class Spare {
    /** How long a spare that did not answer is passed over where another one has a slot. */
    private static final long PASSED_OVER_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** Its number in a place. */
    final int index;

    final TrackedDevice device;
    final VirtualDisk.Side side;
    final SlotAllocator allocator;
    final UnflushedWrites writes;
    /** Before its slots, set before its first transfer; {@code null}: nothing of it is sealed, nor will be. */
    SlotGate gate;

    /** The device past the gate. */
    final TrackedDevice unguarded;

    private final SpareSlots slots;
    private final Environment environment;

    /** Its place in the order in which the user named the spares, for those of equal priority. */
    final int order;

    private volatile SpareMember.Use use;
    private volatile boolean closed;
    private volatile boolean passedOver;
    private volatile long passedOverUntilNanos;

    /** Reads a few places of it. */
    Spare(VirtualDisk disk, MetadataStore store, SpareDevice member, LedgerLimits limits) {
        this.index = member.stated().index();
        // The store has an account of its own there.
        this.device = TrackedDevice.of(member.device()).apart().direct();
        this.device.syncUnder(disk.environment.scheduler().newLock());
        this.unguarded = device.unguarded();
        this.slots = member.slots();
        this.use = member.stated().use();
        this.order = member.order();
        this.environment = disk.environment;
        this.allocator = new SlotAllocator(store, index, slots);
        // What it asks is whether the device answers, and not with what.
        this.side = disk.side(device, unguarded);
        this.writes = UnflushedWrites.ofSpare(disk, this, limits);
    }

    /** First byte of a slot on the device. */
    long offsetOf(long slot) {
        return slots.offsetBytes(slot);
    }

    SpareSlots slots() {
        return slots;
    }

    void putGate(SlotGate newGate) {
        gate = newGate;
        device.guard(newGate);
    }

    /** Whether it is to be emptied: it gets no more slots. */
    boolean isLeaving() {
        return use.leaving();
    }

    SpareMember.Use use() {
        return use;
    }

    void setUse(SpareMember.Use newUse) {
        use = newUse;
    }

    /** Whether it is being taken out: it gets no slots whatever happens. */
    boolean isClosed() {
        return closed;
    }

    void setClosed(boolean isClosed) {
        closed = isClosed;
    }

    /** It did not answer: others come first for a while. */
    void passOver() {
        passedOverUntilNanos = environment.time().nanoTime() + PASSED_OVER_NANOS;
        passedOver = true;
    }

    boolean isPassedOver() {
        if (passedOver && environment.time().nanoTime() - passedOverUntilNanos >= 0) {
            passedOver = false;
        }
        return passedOver;
    }

    /** Whether nothing is acknowledged that could be lost with its cache. */
    boolean isClean() {
        return device.isClean();
    }
}
