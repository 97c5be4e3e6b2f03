package io.remap.iopt;

import io.netty.channel.IoEvent;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import io.remap.api.ListenAddress;
import io.remap.api.SessionFactory;
import io.remap.api.spi.Transport;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Accepts the connections of one listening socket, on one of the loops, and spreads them over all. */
final class Acceptor implements Transport.Listener, EpollIoHandle {
    /** Most connections that are taken at a time. */
    private static final int MAX_ACCEPTS = 16;

    /** After an error (out of descriptors, mostly) the next connection waits so long in the queue of the system. */
    private static final long BACK_OFF_MILLIS = 200;

    private static final Logger log = LoggerFactory.getLogger(Acceptor.class);

    private final FastTransport transport;
    private final ListeningSocket socket;
    private final SessionFactory sessions;
    private final Loop loop;

    /** By the thread of the loop. */
    private IoRegistration registration;

    private volatile boolean closed;

    Acceptor(FastTransport transport, ListeningSocket socket, SessionFactory sessions, Loop loop) {
        this.transport = transport;
        this.socket = socket;
        this.sessions = sessions;
        this.loop = loop;
    }

    @Override
    public ListenAddress address() {
        return socket.address();
    }

    @Override
    public void start() {
        loop.execute(this::register);
    }

    private void register() {
        if (!closed) {
            loop.events().register(this).addListener(future -> {
                if (future.isSuccess()) {
                    registration = (IoRegistration) future.getNow();
                    listen();
                } else if (!closed) {
                    log.error("{}: connections cannot be accepted", address(), future.cause());
                }
            });
        }
    }

    /** It is here that epoll is told of the socket for the first time, and may have no room for it. */
    private void listen() {
        try {
            listenForConnections(EpollIoOps.EPOLLIN);
        } catch (RuntimeException e) {
            transport.warn(address() + ": connections cannot be accepted yet, trying again: " + e.getMessage());
            registration.cancel();
            registration = null;
            later(this::register);
        }
    }

    private void later(Runnable task) {
        transport.scheduler().schedule(() -> loop.execute(task), BACK_OFF_MILLIS);
    }

    /** Level-triggered: what is not taken at once is told of again. */
    private void listenForConnections(EpollIoOps ops) {
        synchronized (socket) {
            // Without a registration it is about to be registered, and listens then.
            if (!closed && registration != null) {
                registration.submit(ops);
            }
        }
    }

    @Override
    public FileDescriptor fd() {
        return socket.socket();
    }

    Loop loop() {
        return loop;
    }

    /** The thread of the loop hangs in a transfer. This is the one that took over. */
    void adopt() {
        IoRegistration old = registration;
        registration = null;
        if (old != null) {
            old.cancel();
            register();
        }
    }

    @Override
    public void handle(IoRegistration handled, IoEvent event) {
        if (!loop.isThisThread()) {
            return;
        }
        try {
            for (int i = 0; i < MAX_ACCEPTS; i++) {
                ListeningSocket.Accepted accepted = socket.accept();
                if (accepted == null) {
                    return;
                }
                transport.admit(accepted, socket, sessions);
            }
        } catch (IOException e) {
            transport.warn(address() + ": a connection could not be accepted, trying again: " + e.getMessage());
            listenForConnections(EpollIoOps.EPOLLET);
            later(() -> listenForConnections(EpollIoOps.EPOLLIN));
        }
    }

    @Override
    public void close() {
        synchronized (socket) {
            if (closed) {
                return;
            }
            closed = true;
        }
        socket.close();
        transport.stopped(this);
        try {
            loop.execute(() -> {
                if (registration != null) {
                    registration.cancel();
                }
            });
        } catch (OutOfMemoryError e) {
            log.debug("{}: its loop never had a thread, so nothing is registered: {}", address(), e.toString());
        }
    }
}
