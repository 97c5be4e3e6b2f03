package io.remap.iopt;

import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.epoll.Native;
import io.netty.channel.unix.FileDescriptor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One event loop, and the connections that want its attention although no event came for them.
 *
 * <p>Those are attended to by an event too (of an eventfd(2)), not as tasks of the loop: it runs tasks for as long as there
 * are any, up to a second, before it looks for events again, and a connection that has to let others have their turn asks
 * for attention again and again.
 *
 * <p>Invariants: a connection is on the list of those that wait at most once; while the list is not empty, the bell has
 * been rung or a task that rings it is queued. The eventfd is written by the thread of the loop alone, which also closes it,
 * so that the number cannot be another file's by then.
 */
final class Loop implements EpollIoHandle {
    /** Memory for what passes by buffers that are not direct: the handshake. */
    private static final int SCRATCH_BYTES = 64 << 10;

    private static final Logger log = LoggerFactory.getLogger(Loop.class);

    private final IoEventLoop events;
    private final FileDescriptor bell = Native.newEventFd();
    private final AtomicReference<Connection> waiting = new AtomicReference<>();
    private final Runnable ring = this::ring;
    private final AtomicBoolean started = new AtomicBoolean();
    private ByteBuffer scratch;

    Loop(IoEventLoop events) {
        this.events = events;
    }

    /** Begins to hear the bell, if it does not yet. */
    void start() {
        if (!started.compareAndSet(false, true)) {
            return;
        }
        events.register(this).addListener(future -> {
            if (future.isSuccess()) {
                ((IoRegistration) future.getNow()).submit(EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLET));
            }
        });
    }

    IoEventLoop events() {
        return events;
    }

    boolean isThisThread() {
        return events.inEventLoop();
    }

    /** Direct memory for the thread of the loop, empty. */
    ByteBuffer scratch() {
        if (scratch == null) {
            scratch = ByteBuffer.allocateDirect(SCRATCH_BYTES);
        }
        return scratch.clear();
    }

    /** Has the connection attended to soon, after whatever events there are. Any thread; does not wait. */
    void attend(Connection connection) {
        if (!connection.beginToWait()) {
            return;
        }
        Connection first;
        do {
            first = waiting.get();
            connection.nextWaiting = first;
        } while (!waiting.compareAndSet(first, connection));
        if (first == null) {
            if (isThisThread()) {
                ring();
            } else {
                execute(ring);
            }
        }
    }

    /** Runs a task on the thread of the loop, or not at all once the loop has ended; then nothing is left to be done. */
    void execute(Runnable task) {
        try {
            events.execute(task);
        } catch (RejectedExecutionException e) {
            log.debug("the loop has ended: {}", e.toString());
        }
    }

    private void ring() {
        if (bell.isOpen()) {
            Native.eventFdWrite(bell.intValue(), 1);
        }
    }

    @Override
    public FileDescriptor fd() {
        return bell;
    }

    @Override
    public void handle(IoRegistration registration, IoEvent event) {
        Connection connection = waiting.getAndSet(null);
        while (connection != null) {
            Connection next = connection.nextWaiting;
            connection.nextWaiting = null;
            connection.attendTo();
            connection = next;
        }
    }

    /** The loop ends; or it never began. */
    @Override
    public void close() throws IOException {
        bell.close();
    }
}
