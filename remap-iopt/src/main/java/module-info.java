/** The fast path below the frontend: the Netty epoll transport, pooled direct buffers and the I/O engine. */
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
}
