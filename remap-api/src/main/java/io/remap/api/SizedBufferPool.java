package io.remap.api;

import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Page-aligned direct memory in size classes that double, from a page to the largest buffer; a buffer is charged with the
 * whole of its class. Once it has seen the load, neither {@code acquire} nor {@code release} allocates or locks. Buffer
 * pools of providers differ in the {@link MemorySource} only.
 *
 * <p>Invariants: {@code bytesInUse <= allocatedBytes <= budgetBytes} (the page of headroom and alignment of each buffer
 * comes on top); memory is given out only after {@code bytesInUse} was charged for it. So where the budget allows a
 * buffer and no memory is left for it, free buffers of other classes exist, and are freed. The source may have less than the
 * budget: what it has no memory for waits like what the budget does not allow, as long as somebody has a buffer to give
 * back; so somebody who waits is woken by a later release, and not before.
 */
public final class SizedBufferPool implements BufferPool {
    /** Smallest size class. */
    static final int MIN_CLASS_BYTES = IoBuffer.ALIGNMENT_BYTES;

    /** Most callbacks that wait for memory. Requests in flight are bounded long before: more is a programming error. */
    static final int MAX_WAITERS = 1 << 16;

    private static final int MIN_CLASS_SHIFT = Integer.numberOfTrailingZeros(MIN_CLASS_BYTES);
    private static final Logger LOG = LoggerFactory.getLogger(SizedBufferPool.class);

    private final long budgetBytes;
    private final MemorySource source;
    private final SizeClass[] classes;
    private final AtomicLong bytesInUse = new AtomicLong();
    private final AtomicLong allocatedBytes = new AtomicLong();
    private final Counter hits = new Counter();
    private final Counter misses = new Counter();
    private final Counter refusals = new Counter();
    private final ArrayDeque<Runnable> waiters = new ArrayDeque<>();
    /** What a thread was refused last, so that it is not put to sleep if just that came back meanwhile. */
    private final ThreadLocal<Long> refusedBytes = new ThreadLocal<>();

    private volatile boolean haveWaiters;
    private volatile boolean closed;
    private volatile boolean lackTold;

    /**
     * Begins without memory.
     *
     * @param budgetBytes at least a page
     * @param source closed with the pool
     */
    public SizedBufferPool(long budgetBytes, MemorySource source) {
        if (budgetBytes < MIN_CLASS_BYTES) {
            throw new IllegalArgumentException("a budget of " + budgetBytes + " bytes is less than a page");
        }
        this.budgetBytes = budgetBytes;
        this.source = source;
        long largest = Math.min(budgetBytes, MAX_BUFFER_BYTES);
        classes = new SizeClass[classOf((int) largest) + 1];
        for (int i = 0; i < classes.length; i++) {
            // The last class is cut to the budget, so that every length within the budget can be had.
            int capacity = (int) Math.min((long) MIN_CLASS_BYTES << i, largest);
            classes[i] = new SizeClass(this, capacity, (int) Math.min(budgetBytes / capacity, Integer.MAX_VALUE - 8));
        }
    }

    private static int classOf(int lengthBytes) {
        return Math.max(0, Integer.SIZE - Integer.numberOfLeadingZeros(lengthBytes - 1) - MIN_CLASS_SHIFT);
    }

    @Override
    public IoBuffer acquire(int lengthBytes) {
        if (lengthBytes < 1 || lengthBytes > MAX_BUFFER_BYTES || lengthBytes > budgetBytes) {
            throw new IllegalArgumentException(
                    "a buffer of " + lengthBytes + " bytes; expected 1 to " + Math.min(MAX_BUFFER_BYTES, budgetBytes));
        }
        if (closed) {
            throw new IllegalStateException("the buffer pool is closed");
        }
        SizeClass sizeClass = classes[classOf(lengthBytes)];
        if (!charge(bytesInUse, sizeClass.capacityBytes)) {
            return refuse(sizeClass);
        }
        SizedBuffer buffer = sizeClass.takeFree();
        if (buffer != null) {
            hits.increment();
        } else {
            try {
                buffer = allocate(sizeClass);
            } catch (OutOfMemoryError e) {
                return refuseForLack(sizeClass, e);
            }
            if (buffer == null) {
                returnCharge(sizeClass.capacityBytes);
                return refuse(sizeClass);
            }
            misses.increment();
        }
        return buffer.hand(lengthBytes);
    }

    private IoBuffer refuse(SizeClass sizeClass) {
        return refuse(sizeClass.capacityBytes);
    }

    /** Whoever asks to be called is so at once, if the budget allows so many bytes by then. */
    private IoBuffer refuse(long bytes) {
        refusals.increment();
        refusedBytes.set(bytes);
        return null;
    }

    /** The budget allows the buffer, and the source has no memory. Others who wait for it are not woken: it has none for them. */
    private IoBuffer refuseForLack(SizeClass sizeClass, OutOfMemoryError lack) {
        long othersBytes = bytesInUse.get() - sizeClass.capacityBytes;
        if (bytesInUse.addAndGet(-sizeClass.capacityBytes) == 0 && haveWaiters) {
            // Nobody else will.
            wakeWaiters();
        }
        if (othersBytes == 0) {
            throw lack;
        }
        if (!lackTold) {
            lackTold = true;
            LOG.warn(
                    "no memory for buffers beyond {} bytes, although {} are allowed; what needs more waits: {}",
                    allocatedBytes,
                    budgetBytes,
                    lack.getMessage());
        }
        // Met when less is in use than now.
        return refuse(budgetBytes - othersBytes + 1);
    }

    private boolean charge(AtomicLong account, int bytes) {
        long now;
        do {
            now = account.get();
            if (now + bytes > budgetBytes) {
                return false;
            }
        } while (!account.compareAndSet(now, now + bytes));
        return true;
    }

    /**
     * New memory; {@code null} if other threads took what was free, in which case they use it.
     *
     * @throws OutOfMemoryError if the source has none, even after all that is free was given back to it
     */
    private SizedBuffer allocate(SizeClass sizeClass) {
        while (!charge(allocatedBytes, sizeClass.capacityBytes)) {
            SizedBuffer own = sizeClass.takeFree();
            if (own != null) {
                return own;
            }
            if (!freeOne()) {
                return null;
            }
        }
        SizedBuffer buffer = sizeClass.takeEmpty();
        while (true) {
            try {
                buffer.allocate(source);
                return buffer;
            } catch (OutOfMemoryError e) {
                if (!freeOne()) {
                    discard(buffer);
                    throw e;
                }
            }
        }
    }

    /** Frees a buffer that nobody holds, a large one first. */
    private boolean freeOne() {
        for (int i = classes.length - 1; i >= 0; i--) {
            SizedBuffer buffer = classes[i].takeFree();
            if (buffer != null) {
                discard(buffer);
                return true;
            }
        }
        return false;
    }

    private void discard(SizedBuffer buffer) {
        buffer.sizeClass.putEmpty(buffer);
        allocatedBytes.addAndGet(-buffer.sizeClass.capacityBytes);
    }

    /** Called by the last release. */
    void takeBack(SizedBuffer buffer) {
        int bytes = buffer.sizeClass.capacityBytes;
        if (closed) {
            discard(buffer);
        } else {
            buffer.sizeClass.putFree(buffer);
            if (closed) {
                freeAll();
            }
        }
        returnCharge(bytes);
    }

    private void returnCharge(int bytes) {
        bytesInUse.addAndGet(-bytes);
        if (haveWaiters) {
            wakeWaiters();
        }
    }

    @Override
    public void whenReleased(Runnable callback) {
        synchronized (waiters) {
            if (waiters.size() >= MAX_WAITERS) {
                throw new IllegalStateException("more than " + MAX_WAITERS + " callbacks wait for memory");
            }
            waiters.add(callback);
            haveWaiters = true;
        }
        Long refused = refusedBytes.get();
        refusedBytes.remove();
        if (bytesInUse.get() + (refused == null ? budgetBytes : refused) <= budgetBytes) {
            wakeWaiters();
        }
    }

    /** All of them, since a small want may be met where a large one waits on. */
    private void wakeWaiters() {
        Runnable[] woken;
        synchronized (waiters) {
            woken = waiters.toArray(Runnable[]::new);
            waiters.clear();
            haveWaiters = false;
        }
        for (Runnable callback : woken) {
            try {
                callback.run();
            } catch (RuntimeException e) {
                LOG.error("a callback of the buffer pool ended with a programming error", e);
            }
        }
    }

    @Override
    public long bytesInUse() {
        return bytesInUse.get();
    }

    @Override
    public List<Attribute> attributes() {
        return List.of(
                hits.attribute("buffers.hits", "Buffers that were there when they were wanted."),
                misses.attribute("buffers.misses", "Buffers whose memory had to be allocated."),
                refusals.attribute("buffers.refusals", "Times that no memory was left, and a transfer had to wait."),
                Attribute.readOnly(
                        "buffers.allocated-bytes",
                        "bytes",
                        "Memory of buffers, given out or kept for the next transfers.",
                        this::allocatedBytes));
    }

    /** Memory of buffers, out or free. */
    public long allocatedBytes() {
        return allocatedBytes.get();
    }

    @Override
    public void close() {
        closed = true;
        synchronized (waiters) {
            waiters.clear();
            haveWaiters = false;
        }
        freeAll();
        source.close();
    }

    private void freeAll() {
        boolean freed;
        do {
            freed = freeOne();
        } while (freed);
    }
}
