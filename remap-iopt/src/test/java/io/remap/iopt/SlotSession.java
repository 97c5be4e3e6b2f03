package io.remap.iopt;

import io.remap.api.Session;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;

/**
 * A session that allocates nothing: a fixed number of slots, each for one request of {@link #REQUEST_BYTES} and a reply of
 * {@link #REPLY_BYTES} zeros. It wants nothing while no slot is free.
 */
final class SlotSession implements Session {
    static final int REQUEST_BYTES = 16;
    static final int REPLY_BYTES = 4096;

    private final Events events;
    private final Consumer<Slot> starter;
    private final ByteBuffer received = ByteBuffer.allocateDirect(4096);

    /** Guards all below. */
    private final Deque<Slot> free = new ArrayDeque<>();

    private final Deque<Slot> finished = new ArrayDeque<>();
    private final Deque<Slot> sending = new ArrayDeque<>();
    private boolean starved;

    /** @param starter what starting a request does; it, or somebody later, calls {@link Slot#complete} */
    SlotSession(Events events, int slots, Consumer<Slot> starter) {
        this.events = events;
        this.starter = starter;
        for (int i = 0; i < slots; i++) {
            free.add(new Slot());
        }
    }

    /** One request. */
    final class Slot implements Work {
        private final ByteBuffer reply = ByteBuffer.allocateDirect(REPLY_BYTES);

        @Override
        public void start() {
            starter.accept(this);
        }

        void complete() {
            reply.clear();
            synchronized (free) {
                finished.add(this);
            }
            events.repliesReady();
        }
    }

    @Override
    public ByteBuffer wanted() {
        synchronized (free) {
            starved = free.isEmpty();
            return starved ? null : received;
        }
    }

    @Override
    public void received(int lengthBytes) {
        // Decoded when it is polled.
    }

    @Override
    public Work poll() {
        synchronized (free) {
            if (free.isEmpty() || received.position() < REQUEST_BYTES) {
                return null;
            }
            received.flip().position(REQUEST_BYTES);
            received.compact();
            return free.remove();
        }
    }

    @Override
    public void inputEnded() {
        events.finished(false);
    }

    @Override
    public int replies(ByteBuffer[] into) {
        synchronized (free) {
            while (sending.size() < into.length && !finished.isEmpty()) {
                sending.add(finished.remove());
            }
            int count = 0;
            for (int left = sending.size(); left > 0; left--) {
                Slot slot = sending.remove();
                into[count++] = slot.reply;
                sending.add(slot);
            }
            return count;
        }
    }

    @Override
    public void sent(long lengthBytes) {
        boolean goOn;
        synchronized (free) {
            while (!sending.isEmpty() && !sending.peek().reply.hasRemaining()) {
                free.add(sending.remove());
            }
            goOn = starved && !free.isEmpty();
            if (goOn) {
                starved = false;
            }
        }
        if (goOn) {
            events.inputReady();
        }
    }

    @Override
    public void shutdown() {
        // Nothing is refused here.
    }

    @Override
    public boolean busy() {
        return false;
    }

    @Override
    public void close() {
        // Nothing is held.
    }
}
