package io.remap.nbd.plain;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A socket whose other end is the test: what it receives is given by {@link #arrives}, what it sent is in {@link #sent}. */
final class FakeWire implements Wire {
    private static final byte[] END = {};
    private static final byte[] CLOSED = {};

    /** What each call sent. */
    final List<byte[]> sent = new CopyOnWriteArrayList<>();

    final AtomicInteger reads = new AtomicInteger();
    final AtomicInteger closes = new AtomicInteger();
    final CountDownLatch writes = new CountDownLatch(1);
    /** The client reads nothing: whoever sends waits until the socket is closed. */
    volatile boolean stuck;

    private final CountDownLatch closed = new CountDownLatch(1);
    private final BlockingQueue<byte[]> input = new LinkedBlockingQueue<>();

    /** The client sends at least one byte. */
    void arrives(byte... bytes) {
        input.add(bytes);
    }

    /** The client sends nothing more. */
    void inputEnds() {
        input.add(END);
    }

    @Override
    public String ready() {
        return "a test";
    }

    private static <T> T uninterrupted(Callable<T> wait) {
        try {
            return wait.call();
        } catch (Exception e) {
            throw new AssertionError("a transport interrupts nobody", e);
        }
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        reads.incrementAndGet();
        byte[] bytes = uninterrupted(input::take);
        if (bytes == CLOSED) {
            input.add(CLOSED);
            throw new AsynchronousCloseException();
        }
        into.put(bytes);
        return bytes == END ? -1 : bytes.length;
    }

    @Override
    public long write(ByteBuffer[] from, int count) throws IOException {
        writes.countDown();
        if (stuck) {
            uninterrupted(() -> closed.await(1, TimeUnit.MINUTES));
            throw new AsynchronousCloseException();
        }
        int length = 0;
        for (int i = 0; i < count; i++) {
            length += from[i].remaining();
        }
        ByteBuffer all = ByteBuffer.allocate(length);
        for (int i = 0; i < count; i++) {
            all.put(from[i]);
        }
        sent.add(all.array());
        return length;
    }

    @Override
    public void close() {
        closes.incrementAndGet();
        closed.countDown();
        input.add(CLOSED);
    }
}
