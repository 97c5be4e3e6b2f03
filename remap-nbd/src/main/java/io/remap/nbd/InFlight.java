package io.remap.nbd;

import io.remap.api.BufferPool;
import io.remap.api.IoBuffer;
import io.remap.api.PagePipe;
import io.remap.api.Session;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What one session holds: its request objects and the bytes of their payloads, both limited.
 *
 * <p>Invariants: the input side alone claims, the output side alone recycles; bytes are counted from the claim to the
 * release of the buffer; a request counts as under way until its reply is queued, and as unanswered until its reply left.
 */
final class InFlight {
    /** Most requests from header to reply; the queue depth of the Linux client. A power of two. */
    static final int MAX_REQUESTS = 128;
    /** Most bytes of payload: the largest request. Rounded up by a pool this is at most half of the default budget. */
    static final int MAX_BYTES = NbdExport.MAX_PAYLOAD_BYTES;

    /** Added to {@link #underWay} once no more requests come. */
    private static final int ENDING = 1 << 30;

    private final BufferPool pool;
    private final InputGate gate;
    private final Session.Events events;
    private final MemoryPressure pressure;
    private final MemoryPrecedence precedence;
    private final Runnable poolMayHaveMemory = this::poolMayHaveMemory;

    /** Ring from output side to input side. It never overflows, as it holds all requests that there are. */
    private final NbdRequest[] free = new NbdRequest[MAX_REQUESTS];

    private int head;
    private volatile int tail;
    private int created;

    private final AtomicLong heldBytes = new AtomicLong();
    private final AtomicInteger underWay = new AtomicInteger();
    private final AtomicInteger unanswered = new AtomicInteger();
    private volatile boolean askedPool;
    /** From a refusal of memory until the request is claimed; written by the input side. */
    private volatile boolean waitsForMemory;
    /** Written before {@link #waitsForMemory} is set. */
    private volatile long waitsSinceNanos;

    InFlight(BufferPool pool, InputGate gate, Session.Events events, MemoryPressure pressure) {
        this.pool = pool;
        this.gate = gate;
        this.events = events;
        this.pressure = pressure;
        this.precedence = pressure.precedence();
    }

    /** Counts with those who may wait for memory from now on, until {@link #close}. */
    void begin() {
        precedence.add(this);
    }

    /** Claims nothing any more. */
    void close() {
        precedence.remove(this);
    }

    /**
     * A request with a buffer of so many bytes (none for 0), or {@code null} if a limit is reached; then the gate tells
     * when to try again. Input side.
     */
    NbdRequest claim(Transmission owner, int bytes) {
        NbdRequest request = tryClaim(owner, bytes);
        if (request == null) {
            gate.waitForRoom();
            request = tryClaim(owner, bytes);
            if (request != null) {
                gate.goOn();
            }
        }
        return request;
    }

    private NbdRequest tryClaim(Transmission owner, int bytes) {
        boolean fresh = head == tail;
        if ((fresh && created == MAX_REQUESTS) || heldBytes.get() + bytes > MAX_BYTES) {
            return null;
        }
        IoBuffer buffer = null;
        if (bytes > 0) {
            boolean admitted = precedence.admits(this);
            buffer = admitted ? pool.acquire(bytes) : null;
            if (buffer == null) {
                waitForMemory(admitted);
                return null;
            }
            heldBytes.addAndGet(bytes);
        }
        if (waitsForMemory) {
            waitsForMemory = false;
            precedence.claimed(this);
        }
        NbdRequest request;
        if (fresh) {
            created++;
            request = new NbdRequest(owner);
        } else {
            request = free[head & (MAX_REQUESTS - 1)];
            head++;
        }
        request.buffer = buffer;
        return request;
    }

    /** {@code refused}: by the pool, which is asked to tell; else another session has precedence, and its end is told. */
    private void waitForMemory(boolean refused) {
        if (!waitsForMemory) {
            waitsSinceNanos = precedence.nanoTime();
            waitsForMemory = true;
        }
        pressure.begins();
        precedence.begins();
        if (refused) {
            askPool();
        }
    }

    private void askPool() {
        if (!askedPool) {
            askedPool = true;
            pool.whenReleased(poolMayHaveMemory);
        }
    }

    private void poolMayHaveMemory() {
        askedPool = false;
        gate.roomMade();
    }

    /** The request may be claimed again. Output side. */
    void recycle(NbdRequest request) {
        int end = tail;
        free[end & (MAX_REQUESTS - 1)] = request;
        tail = end + 1;
        gate.roomMade();
    }

    /** Gives back the buffer of a request and the pages, if it has them. Whoever owns the request. */
    void releasePayload(NbdRequest request) {
        PagePipe pages = request.diskRequest.pages;
        if (pages != null) {
            request.diskRequest.pages = null;
            pages.release();
        }
        IoBuffer buffer = request.buffer;
        if (buffer != null) {
            request.buffer = null;
            int bytes = buffer.lengthBytes();
            buffer.release();
            heldBytes.addAndGet(-bytes);
            gate.roomMade();
        }
    }

    /** A request is complete and will be answered. Input side. */
    void begun() {
        unanswered.incrementAndGet();
        underWay.incrementAndGet();
    }

    /** The reply of a request is queued. Any thread. */
    void queued() {
        if (underWay.decrementAndGet() == ENDING) {
            events.finished(false);
        }
    }

    /** The replies of so many requests have left. Output side. */
    void answered(int count) {
        unanswered.addAndGet(-count);
    }

    /** No more requests come: the session is over when those under way are queued. Input side, once. */
    void finishWhenIdle() {
        if (underWay.getAndAdd(ENDING) == 0) {
            events.finished(false);
        }
    }

    boolean busy() {
        return unanswered.get() > 0;
    }

    /** Whether there is no memory for the next request. Any thread. */
    boolean waitsForMemory() {
        return waitsForMemory;
    }

    /** How long it has waited for memory, if it does. Any thread. */
    long waitedNanos(long nowNanos) {
        return nowNanos - waitsSinceNanos;
    }

    /** No other session has precedence any more. Any thread. */
    void mayClaim() {
        gate.roomMade();
    }

    /** Whether no request is between its acceptance and its queued reply, at a disk. Any thread. */
    boolean nothingUnderWay() {
        return (underWay.get() & ~ENDING) == 0;
    }

    /** Bytes of payload, received, at a disk or to be sent. Any thread. */
    long heldBytes() {
        return heldBytes.get();
    }
}
