package io.remap.testkit;

import io.remap.api.PagePipe;
import io.remap.api.Session;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A session of a toy protocol, to test transports with: each request is answered with itself, in a manner that the
 * request asks for. A request is a header ({@link #HEADER_BYTES}: payload length, {@link Manner}, tag) and a payload.
 *
 * <p>It checks that it is used as {@link Session} says, and {@link Shared#violations} has what it found.
 */
public final class EchoSession implements Session {
    public static final int HEADER_BYTES = 16;
    public static final int MAX_PAYLOAD_BYTES = 32 << 20;

    /** Requests that may be under way; small, so that tests reach it. */
    public static final int IN_FLIGHT_LIMIT = 48;

    private static final int STAGING_BYTES = 64 << 10;

    /** How a request is answered. */
    public enum Manner {
        /** Within {@link Session.Work#start}. */
        AT_ONCE(0),
        /** By the session itself when it is polled, without any work. */
        BY_ITSELF(1),
        /** When the test takes it from {@link Shared#held}, or by {@link Shared#carrier}, and completes it. */
        HELD(2),
        /** Within start, which blocks until {@link Shared#release}. */
        BLOCKED(3),
        /** Within start, after which the session is over. */
        LAST(4),
        /** Not: the session is over at once. */
        ABRUPT(5),
        /** Not: start throws. */
        BROKEN(6),
        /** Within start, the payload by {@link Session#pages} if {@link Shared#pipes} are there. */
        PAGES(7);

        private final int code;

        Manner(int code) {
            this.code = code;
        }

        /** As it stands in a header. */
        int code() {
            return code;
        }

        static Manner of(int code) {
            for (Manner manner : values()) {
                if (manner.code == code) {
                    return manner;
                }
            }
            throw new IllegalArgumentException("received other bytes than were sent: manner " + code);
        }
    }

    /** What the sessions of one test have in common. */
    public static final class Shared {
        public final BlockingQueue<EchoSession.Echo> held = new LinkedBlockingQueue<>();
        /** Takes those that would be {@link #held}, within {@link Work#start}. */
        public volatile Consumer<Echo> carrier;

        public final CountDownLatch release = new CountDownLatch(1);
        public final AtomicInteger blocked = new AtomicInteger();
        public final AtomicInteger opened = new AtomicInteger();
        public final AtomicInteger closed = new AtomicInteger();
        /** Makes a pipe with these bytes in it; {@code null}: the transport under test says that it takes none. */
        public volatile Function<ByteBuffer, PagePipe> pipes;
        /** Pipes that were made and not released. */
        public final AtomicInteger pipesOut = new AtomicInteger();

        public final Queue<String> violations = new ConcurrentLinkedQueue<>();
    }

    private final Shared shared;
    private final Events events;

    // Input side.
    private final AtomicBoolean inputSide = new AtomicBoolean();
    private final ByteBuffer staging = ByteBuffer.allocateDirect(STAGING_BYTES);
    private final Deque<Echo> decoded = new ArrayDeque<>();
    private Echo incomplete;
    private boolean intoPayload;
    private boolean ended;

    // Output side.
    private final AtomicBoolean outputSide = new AtomicBoolean();
    private final Queue<Reply> ready = new ConcurrentLinkedQueue<>();
    /** The one with pages is the last. */
    private final Deque<Reply> sending = new ArrayDeque<>();

    private long unsentInBuffers;

    private final AtomicInteger unanswered = new AtomicInteger();
    private final AtomicInteger inFlight = new AtomicInteger();
    private final AtomicBoolean starved = new AtomicBoolean();
    private final AtomicBoolean finished = new AtomicBoolean();
    private volatile boolean endedForAll;
    private volatile boolean shutdown;
    private volatile boolean closed;

    public EchoSession(Shared shared, Events events) {
        this.shared = shared;
        this.events = events;
        shared.opened.incrementAndGet();
        if (events.takesPages() != (shared.pipes != null)) {
            shared.violations.add(
                    "takesPages() is " + events.takesPages() + "; TransportContract.pipes() says otherwise");
        }
    }

    /** What is sent for a request; {@code pages} may be {@code null}. */
    private record Reply(ByteBuffer bytes, PagePipe pages) {
        boolean hasLeft() {
            return !bytes.hasRemaining() && (pages == null || pages.remainingBytes() == 0);
        }
    }

    /** One request and its answer. */
    public final class Echo implements Work {
        private final Manner manner;
        private final ByteBuffer bytes;

        Echo(Manner manner, ByteBuffer bytes) {
            this.manner = manner;
            this.bytes = bytes;
        }

        public long tag() {
            return bytes.getLong(8);
        }

        @Override
        public void start() {
            switch (manner) {
                case AT_ONCE, PAGES -> complete();
                case BY_ITSELF -> throw new AssertionError("this is no work");
                case HELD -> {
                    Consumer<Echo> carrier = shared.carrier;
                    if (carrier == null) {
                        shared.held.add(this);
                    } else {
                        carrier.accept(this);
                    }
                }
                case BLOCKED -> {
                    shared.blocked.incrementAndGet();
                    await(shared.release);
                    complete();
                }
                case LAST -> {
                    complete();
                    finish();
                }
                case ABRUPT -> events.finished(true);
                case BROKEN -> throw new IllegalStateException("as the test asked for");
                default -> throw new AssertionError(manner);
            }
        }

        /** Answers. */
        public void complete() {
            bytes.flip();
            ready.add(new Reply(bytes, manner == Manner.PAGES ? pages() : null));
            if (closed) {
                releasePages(ready);
            }
            inFlight.decrementAndGet();
            if (starved.compareAndSet(true, false)) {
                events.inputReady();
            }
            events.repliesReady();
        }

        /** The payload in a pipe, and other bytes where it was. */
        private PagePipe pages() {
            Function<ByteBuffer, PagePipe> pipes = shared.pipes;
            if (pipes == null || bytes.remaining() == HEADER_BYTES) {
                return null;
            }
            PagePipe pages = pipes.apply(bytes.slice(HEADER_BYTES, bytes.remaining() - HEADER_BYTES));
            shared.pipesOut.incrementAndGet();
            bytes.put(HEADER_BYTES, new byte[bytes.remaining() - HEADER_BYTES]).limit(HEADER_BYTES);
            return pages;
        }
    }

    private void releasePages(Queue<Reply> replies) {
        for (Reply reply = replies.poll(); reply != null; reply = replies.poll()) {
            if (reply.pages != null) {
                reply.pages.release();
                shared.pipesOut.decrementAndGet();
            }
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError("a transport interrupts no thread that carries out work", e);
        }
    }

    private void enter(AtomicBoolean side, String method) {
        if (!side.compareAndSet(false, true)) {
            shared.violations.add(method + ": two threads at one side");
        }
        if (closed) {
            shared.violations.add(method + ": after close");
        }
    }

    @Override
    public ByteBuffer wanted() {
        enter(inputSide, "wanted");
        try {
            if (ended || finished.get()) {
                return null;
            }
            if (!decoded.isEmpty()) {
                starved.set(true);
                if (inFlight.get() < IN_FLIGHT_LIMIT && starved.compareAndSet(true, false)) {
                    events.inputReady();
                }
                return null;
            }
            intoPayload = incomplete != null && incomplete.bytes.remaining() > STAGING_BYTES;
            return intoPayload ? incomplete.bytes : staging;
        } finally {
            inputSide.set(false);
        }
    }

    @Override
    public void received(int lengthBytes) {
        enter(inputSide, "received");
        if (intoPayload) {
            decodedIfWhole();
        } else {
            staging.flip();
            boolean more = true;
            while (more) {
                more = decode();
            }
            staging.compact();
        }
        inputSide.set(false);
    }

    private boolean decode() {
        if (incomplete == null) {
            if (staging.remaining() < HEADER_BYTES) {
                return false;
            }
            int lengthBytes = staging.getInt(staging.position());
            if (lengthBytes < 0 || lengthBytes > MAX_PAYLOAD_BYTES) {
                shared.violations.add("received other bytes than were sent");
                events.finished(true);
                return false;
            }
            Manner manner = Manner.of(staging.getInt(staging.position() + 4));
            incomplete = new Echo(manner, ByteBuffer.allocateDirect(HEADER_BYTES + lengthBytes));
        }
        int lengthBytes = Math.min(staging.remaining(), incomplete.bytes.remaining());
        incomplete.bytes.put(staging.slice(staging.position(), lengthBytes));
        staging.position(staging.position() + lengthBytes);
        return decodedIfWhole() && staging.hasRemaining();
    }

    private boolean decodedIfWhole() {
        if (incomplete.bytes.hasRemaining()) {
            return false;
        }
        unanswered.incrementAndGet();
        decoded.add(incomplete);
        incomplete = null;
        return true;
    }

    @Override
    public void inputEnded() {
        enter(inputSide, "inputEnded");
        ended = true;
        endedForAll = true;
        if (unanswered.get() == 0) {
            finish();
        }
        inputSide.set(false);
    }

    private void finish() {
        if (finished.compareAndSet(false, true)) {
            events.finished(false);
        }
    }

    @Override
    public Work poll() {
        enter(inputSide, "poll");
        Echo next = null;
        if (inFlight.get() < IN_FLIGHT_LIMIT) {
            next = decoded.poll();
            if (next != null) {
                inFlight.incrementAndGet();
            }
        }
        inputSide.set(false);
        if (next != null && next.manner == Manner.BY_ITSELF) {
            next.complete();
            return poll();
        }
        return next;
    }

    @Override
    public int replies(ByteBuffer[] into) {
        enter(outputSide, "replies");
        while (sending.size() < into.length && lastPages() == null && !ready.isEmpty()) {
            sending.add(ready.poll());
        }
        int count = 0;
        unsentInBuffers = 0;
        for (Reply reply : sending) {
            if (reply.bytes.hasRemaining() || reply.pages == null) {
                into[count++] = reply.bytes;
                unsentInBuffers += reply.bytes.remaining();
            }
        }
        outputSide.set(false);
        return count;
    }

    private PagePipe lastPages() {
        return sending.isEmpty() ? null : sending.peekLast().pages;
    }

    @Override
    public PagePipe pages() {
        enter(outputSide, "pages");
        PagePipe pages = lastPages();
        outputSide.set(false);
        return pages;
    }

    @Override
    public void sent(long lengthBytes) {
        enter(outputSide, "sent");
        long before = unsentInBuffers;
        unsentInBuffers =
                sending.stream().mapToLong(reply -> reply.bytes.remaining()).sum();
        long fromPages = lengthBytes - (before - unsentInBuffers);
        PagePipe pages = lastPages();
        if (pages != null && fromPages >= 0 && fromPages <= pages.remainingBytes()) {
            pages.taken((int) fromPages);
        } else if (fromPages != 0) {
            shared.violations.add(
                    "sent: told " + lengthBytes + " bytes, " + (before - unsentInBuffers) + " left buffers");
        }
        while (!sending.isEmpty() && sending.peek().hasLeft()) {
            Reply left = sending.remove();
            if (left.pages != null) {
                left.pages.release();
                shared.pipesOut.decrementAndGet();
            }
            if (unanswered.decrementAndGet() == 0 && endedForAll) {
                finish();
            }
        }
        outputSide.set(false);
    }

    @Override
    public void shutdown() {
        shutdown = true;
    }

    /** Whether it was told to refuse new requests. */
    public boolean isShutDown() {
        return shutdown;
    }

    @Override
    public boolean busy() {
        return unanswered.get() > 0;
    }

    @Override
    public void close() {
        if (inputSide.get() || outputSide.get()) {
            shared.violations.add("close: while a side is used");
        }
        if (!closed) {
            closed = true;
            releasePages(sending);
            releasePages(ready);
            shared.closed.incrementAndGet();
        }
    }
}
