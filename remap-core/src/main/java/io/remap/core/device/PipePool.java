package io.remap.core.device;

import io.remap.api.IndexStack;
import io.remap.api.PagePipe;
import io.remap.core.libc.Libc;

/**
 * The pipes that carry pages of one device. Those that came back empty wait here for the next reply; one that came back
 * with bytes in it is closed, so that nobody meets the rest of another's reply.
 *
 * <p>Invariants: a pipe is in the stack or out, never both; one in the stack has no bytes, and after {@link #close} no
 * descriptors either. Thread-safe, without locks; allocates when a pipe is out for the first time.
 */
final class PipePool implements AutoCloseable {
    /**
     * Most pipes of a device, each with two descriptors: as many as the default memory of transfers has requests of {@link
     * PagePipe#MAX_BYTES}. Who finds none reads in the ordinary way.
     */
    static final int MAX_PIPES = 128;

    /** What a pipe has from the start, but for a user who has too much in pipes. */
    private static final int USUAL_CAPACITY_BYTES = 64 << 10;

    private static final int PAGE_BYTES = 4096;
    private static final int NONE = -1;

    private final Libc libc;
    private final IndexStack here = new IndexStack(MAX_PIPES);
    private final Pipe[] pipes = new Pipe[MAX_PIPES];
    private volatile boolean closed;

    PipePool(Libc libc) {
        this.libc = libc;
        for (int index = MAX_PIPES - 1; index >= 0; index--) {
            here.push(index);
        }
    }

    /** One of the pipes; not thread-safe. Its descriptors are opened when it is needed. */
    final class Pipe implements PagePipe {
        private final int index;
        private final int[] ends = {NONE, NONE};
        private int capacityBytes;
        private int remainingBytes;
        private boolean out;

        private Pipe(int index) {
            this.index = index;
        }

        @Override
        public int descriptor() {
            return ends[0];
        }

        /** The end to write to. */
        int inlet() {
            return ends[1];
        }

        /** So many bytes were put in. */
        void filled(int lengthBytes) {
            remainingBytes += lengthBytes;
        }

        @Override
        public int remainingBytes() {
            return remainingBytes;
        }

        @Override
        public void taken(int lengthBytes) {
            if (lengthBytes < 0 || lengthBytes > remainingBytes) {
                throw new IllegalArgumentException(
                        lengthBytes + " bytes taken from a pipe that holds " + remainingBytes);
            }
            remainingBytes -= lengthBytes;
        }

        @Override
        public void release() {
            if (!out) {
                throw new IllegalStateException("a pipe is released that was released before");
            }
            if (remainingBytes > 0) {
                closeEnds();
            }
            giveBack(this);
        }

        /** Whether it is open, and has so many bytes of room; it is empty. */
        private boolean hasRoom(int neededBytes) {
            if (ends[0] == NONE) {
                if (libc.pipe(ends, Libc.O_NONBLOCK | Libc.O_CLOEXEC) < 0) {
                    return false;
                }
                capacityBytes = 0;
            }
            if (neededBytes > capacityBytes) {
                int result = libc.setPipeBytes(ends[1], Math.max(neededBytes, USUAL_CAPACITY_BYTES));
                if (result < 0 && neededBytes < USUAL_CAPACITY_BYTES) {
                    result = libc.setPipeBytes(ends[1], neededBytes);
                }
                capacityBytes = Math.max(capacityBytes, result);
            }
            return neededBytes <= capacityBytes;
        }

        private void closeEnds() {
            if (ends[0] != NONE) {
                libc.close(ends[0]);
                libc.close(ends[1]);
                ends[0] = NONE;
                ends[1] = NONE;
            }
            remainingBytes = 0;
        }
    }

    /** An empty pipe with room for the pages of a range, {@code null} if there is none. */
    Pipe take(long offsetBytes, int lengthBytes) {
        int index = here.pop();
        if (index < 0) {
            return null;
        }
        Pipe pipe = pipes[index];
        if (pipe == null) {
            pipe = new Pipe(index);
            pipes[index] = pipe;
        }
        pipe.out = true;
        // Each page takes one place, whatever part of it is wanted.
        int pages = (int) (offsetBytes % PAGE_BYTES + lengthBytes + PAGE_BYTES - 1) / PAGE_BYTES;
        if (!pipe.hasRoom(pages * PAGE_BYTES)) {
            giveBack(pipe);
            return null;
        }
        return pipe;
    }

    private void giveBack(Pipe pipe) {
        pipe.out = false;
        here.push(pipe.index);
        // After the push: either this one or the closer finds it.
        if (closed) {
            closeThoseHere();
        }
    }

    /** Those that are out are closed when they are released. Idempotent. */
    @Override
    public void close() {
        closed = true;
        closeThoseHere();
    }

    private void closeThoseHere() {
        for (int index = here.pop(); index >= 0; index = here.pop()) {
            if (pipes[index] != null) {
                pipes[index].closeEnds();
            }
        }
    }
}
