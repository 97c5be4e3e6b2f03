package io.remap.core.disk;

import io.remap.api.DeviceException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What one writer has written to a {@link TrackedDevice}, and how much of it a flush has made durable. Several writers of
 * one device have accounts of their own, so that what puts the writes of one in doubt is no doubt for another one that has
 * none under way.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>{@link #isFlushed} means that every write acknowledged so far was acknowledged before the beginning of a flush that
 *       succeeded.
 *   <li>A doubt ends only by {@link #settle} for it, with no other one since, and never if it is {@code hopeless}.
 *   <li>Every write that was acknowledged and not flushed is in the ledger, or there is none and a doubt is hopeless.
 * </ul>
 *
 * <p>Thread-safe.
 */
final class WriteAccount {
    /** Writes acknowledged so far, and one for whoever had the device before. */
    private final AtomicLong written;
    /** Writes that a successful flush covered. */
    private final AtomicLong flushed = new AtomicLong();

    /** Device events so far that concern it: a write that one falls into may be lost although it succeeded. */
    private final AtomicLong events = new AtomicLong();

    private volatile DeviceException lastEvent;

    /** Set before the first client, together. */
    private Ledger ledger;

    private Runnable inDoubt = () -> {};

    // Changed under the monitor of this object.
    private volatile DeviceException doubt;
    private volatile long doubts;
    private volatile boolean hopeless;
    private volatile boolean othersUnflushed;

    /** @param dirty a process that died may have left its writes in the cache */
    WriteAccount(boolean dirty) {
        written = new AtomicLong(dirty ? 1 : 0);
        othersUnflushed = dirty;
    }

    /** Another one of the same device; what this one does not know to be durable counts for it as well. */
    WriteAccount apart() {
        WriteAccount other = new WriteAccount(othersUnflushed);
        other.doubt = doubt;
        other.hopeless = doubt != null;
        return other;
    }

    void keep(Ledger newLedger, Runnable newInDoubt) {
        ledger = newLedger;
        inDoubt = newInDoubt;
    }

    /** The ledger holds all that others may have left in the cache, and what became of it is not known. */
    void takeOver(DeviceException reason) {
        synchronized (this) {
            othersUnflushed = false;
            hopeless = false;
            doubt = null;
            written.incrementAndGet();
        }
        latch(reason);
    }

    Ledger ledger() {
        return ledger;
    }

    /** A write goes to the device now: gives what {@link #ended} needs. */
    int begins(long offsetBytes, long lengthBytes) {
        return ledger == null ? 0 : ledger.begins(offsetBytes, lengthBytes);
    }

    void ended(int underWay) {
        if (ledger != null) {
            ledger.ended(underWay);
        }
    }

    boolean isFlushed() {
        return flushed.get() == written.get();
    }

    boolean isClean() {
        return doubt == null && isFlushed() && !ledgerIsCrowded();
    }

    boolean ledgerIsCrowded() {
        return ledger != null && ledger.isCrowded();
    }

    boolean canBeVerified() {
        return ledger != null && !hopeless;
    }

    DeviceException doubt() {
        return doubt;
    }

    long doubts() {
        return doubts;
    }

    long events() {
        return events.get();
    }

    DeviceException lastEvent() {
        return lastEvent;
    }

    /** What was in the cache of the device may be lost. */
    void noteEvent(DeviceException error) {
        lastEvent = error;
        events.incrementAndGet();
        if (!isFlushed()) {
            latch(error);
        }
    }

    /** A write has succeeded that began at this count of events. */
    void noteWritten(long eventsBefore) {
        written.incrementAndGet();
        if (events.get() != eventsBefore) {
            latch(lastEvent);
        }
    }

    void latch(DeviceException error) {
        synchronized (this) {
            doubts++;
            hopeless |= ledger == null || othersUnflushed;
            if (doubt == null) {
                doubt = error;
            }
        }
        if (!hopeless) {
            inDoubt.run();
        }
    }

    /** In the ledger, if there is one; {@code began} is a position of it. */
    void record(long began, long offsetBytes, ByteBuffer data, int from, boolean firm) {
        if (ledger != null) {
            ledger.data(began, offsetBytes, data, from, firm);
        }
    }

    void recordZeros(long began, long offsetBytes, long lengthBytes, boolean firm) {
        if (ledger != null) {
            ledger.zeros(began, offsetBytes, lengthBytes, firm);
        }
    }

    void recordNothing(long began, long offsetBytes, long lengthBytes) {
        if (ledger != null) {
            ledger.nothing(began, offsetBytes, lengthBytes);
        }
    }

    /**
     * What a sync covers that begins now.
     *
     * @param account whose writes
     * @param written how many of them
     * @param recorded up to which position of the ledger
     * @param doubts how many there were
     */
    record Covered(WriteAccount account, long written, long recorded, long doubts) {
        /** The sync has succeeded; does nothing if a doubt stands, or has come up since. */
        void flushed() {
            account.settle(this, doubts, false);
        }
    }

    Covered covered() {
        long before = doubts;
        long count = written.get();
        return new Covered(this, count, ledger == null ? 0 : ledger.publishedEnd(), before);
    }

    /**
     * A sync has succeeded.
     *
     * @param doubtsBefore {@link #doubts} when what it proves was looked at
     * @param settles it ends the doubt that stands
     * @return {@code false} if another doubt has come up since, or one stands
     */
    synchronized boolean settle(Covered sync, long doubtsBefore, boolean settles) {
        if (doubts != doubtsBefore || (doubt != null && !settles)) {
            return false;
        }
        doubt = null;
        flushed.accumulateAndGet(sync.written, Math::max);
        othersUnflushed = false;
        if (ledger != null) {
            ledger.release(sync.recorded);
        }
        return true;
    }
}
