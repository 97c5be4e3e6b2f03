package io.remap.nbd.plain;

import io.remap.api.ListenAddress;
import io.remap.api.SessionFactory;
import io.remap.api.spi.Transport;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.Semaphore;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Accepts the connections of one listening socket, on a thread of its own. */
final class Acceptor implements Transport.Listener {
    /** After an error (out of descriptors, mostly) the next connection waits so long in the queue of the system. */
    private static final long BACK_OFF_MILLIS = 200;

    private static final long JOIN_MILLIS = 1_000;

    private static final Logger log = LoggerFactory.getLogger(Acceptor.class);

    private final PlainTransport transport;
    private final ListenAddress address;
    private final ListeningSocket socket;
    private final Runnable cleanUp;
    private final SessionFactory sessions;

    /** A permit lets the thread try again. */
    private final Semaphore again = new Semaphore(0);

    private final Thread thread;
    private volatile boolean closed;

    /**
     * Made, but not started.
     *
     * @param cleanUp what to do when it stopped listening
     */
    Acceptor(
            PlainTransport transport,
            ListenAddress address,
            ListeningSocket socket,
            Runnable cleanUp,
            SessionFactory sessions) {
        this.transport = transport;
        this.address = address;
        this.socket = socket;
        this.cleanUp = cleanUp;
        this.sessions = sessions;
        this.thread = new Thread(this::acceptAll, "remap-plain-accept-" + address);
        thread.setDaemon(true);
    }

    @Override
    public void start() {
        thread.start();
    }

    @Override
    public ListenAddress address() {
        return address;
    }

    private void acceptAll() {
        while (!closed) {
            Wire accepted;
            try {
                accepted = socket.accept();
            } catch (ClosedChannelException e) {
                log.debug("{}: no longer listening", address);
                return;
            } catch (IOException e) {
                backOff(e.getMessage());
                continue;
            } catch (RuntimeException e) {
                // Whatever a library makes of who connects: nobody else can be let in if this thread ends.
                backOff(e.toString());
                continue;
            }
            transport.admit(accepted, address, sessions);
        }
    }

    private void backOff(String reason) {
        transport.warn(address + ": a connection could not be accepted, trying again: " + reason);
        transport.scheduler().schedule(again::release, BACK_OFF_MILLIS);
        again.acquireUninterruptibly();
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        again.release();
        try {
            socket.close();
        } catch (IOException e) {
            log.debug("{}: closing: {}", address, e.toString());
        }
        awaitThread();
        cleanUp.run();
        transport.stopped(this);
    }

    /** As long as a thread is on its way out of accept(2), the system goes on to take connections. */
    private void awaitThread() {
        try {
            thread.join(JOIN_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
