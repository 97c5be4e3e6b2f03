/**
 * The fast path below the frontend: the Netty epoll transport, pooled direct buffers and the I/O engine.
 *
 * @provides io.remap.api.spi.BufferPoolProvider {@code fast}
 * @provides io.remap.api.spi.IoEngineProvider {@code fast}
 * @provides io.remap.api.spi.TransportProvider {@code fast}
 */
module io.remap.iopt {
    requires io.remap.api;
    requires io.netty.buffer;
    requires io.netty.common;
    requires io.netty.transport;
    requires io.netty.transport.classes.epoll;
    requires io.netty.transport.classes.io_uring;
    requires io.netty.transport.unix.common;

    provides io.remap.api.spi.BufferPoolProvider with
            io.remap.iopt.FastBufferPoolProvider;
    provides io.remap.api.spi.IoEngineProvider with
            io.remap.iopt.FastIoEngineProvider;
    provides io.remap.api.spi.TransportProvider with
            io.remap.iopt.FastTransportProvider;
}
