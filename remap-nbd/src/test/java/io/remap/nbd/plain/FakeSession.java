package io.remap.nbd.plain;

import io.remap.api.Session;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A session that does what a test says, in the very call where the test wants it. It wants bytes and ignores them, has the
 * {@link #works} and the {@link #replies} that it is given, and checks that one thread at a time is at a side.
 */
class FakeSession implements Session {
    final Events events;
    final Queue<Work> works = new ConcurrentLinkedQueue<>();
    final Queue<ByteBuffer> replies = new ConcurrentLinkedQueue<>();
    final AtomicInteger polls = new AtomicInteger();
    final AtomicInteger received = new AtomicInteger();
    final AtomicInteger inputEnds = new AtomicInteger();
    final AtomicInteger asksForReplies = new AtomicInteger();
    final AtomicInteger shutdowns = new AtomicInteger();
    final AtomicInteger closes = new AtomicInteger();
    final Queue<String> violations = new ConcurrentLinkedQueue<>();
    volatile boolean wantsNothing;
    volatile boolean busy;

    private final AtomicBoolean inputSide = new AtomicBoolean();
    private final AtomicBoolean outputSide = new AtomicBoolean();

    FakeSession(Events events) {
        this.events = events;
    }

    /** Answers from any thread. */
    final void answer(String text) {
        replies.add(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
        events.repliesReady();
    }

    /** Has one more work. */
    final void decoded(Work work) {
        works.add(work);
        events.inputReady();
    }

    /** For a test to override: what happens while the session is asked for work. */
    void polled() {}

    /** For a test to override: what happens while the session is asked where bytes go. */
    void asked() {}

    private void at(AtomicBoolean side, Runnable action) {
        if (!side.compareAndSet(false, true)) {
            violations.add("two threads at one side");
        }
        if (closes.get() > 0) {
            violations.add("used after its close");
        }
        action.run();
        side.set(false);
    }

    @Override
    public final ByteBuffer wanted() {
        at(inputSide, this::asked);
        return wantsNothing ? null : ByteBuffer.allocate(16);
    }

    @Override
    public final void received(int lengthBytes) {
        at(inputSide, () -> received.addAndGet(lengthBytes));
    }

    @Override
    public final void inputEnded() {
        at(inputSide, inputEnds::incrementAndGet);
    }

    @Override
    public final Work poll() {
        polls.incrementAndGet();
        at(inputSide, this::polled);
        return works.poll();
    }

    @Override
    public final int replies(ByteBuffer[] into) {
        int[] count = {0};
        at(outputSide, () -> {
            asksForReplies.incrementAndGet();
            for (ByteBuffer reply : replies) {
                into[count[0]++] = reply;
            }
        });
        return count[0];
    }

    @Override
    public final void sent(long lengthBytes) {
        at(outputSide, () -> replies.removeIf(reply -> !reply.hasRemaining()));
    }

    @Override
    public final void shutdown() {
        shutdowns.incrementAndGet();
    }

    @Override
    public final boolean busy() {
        return busy;
    }

    @Override
    public final void close() {
        at(inputSide, () -> at(outputSide, closes::incrementAndGet));
    }
}
