package io.remap.iopt;

import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.unix.Buffer;
import io.netty.channel.uring.IoUringIoEvent;
import io.netty.channel.uring.IoUringIoHandle;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringIoHandlerConfig;
import io.netty.channel.uring.IoUringIoOps;
import io.remap.api.Attribute;
import io.remap.api.Counter;
import io.remap.api.DescriptorTransfers;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.Errno;
import io.remap.api.spi.IoEngine;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads and writes of direct devices through one io_uring, on one thread: as many under way as the disk can take, and no
 * thread that waits. What a page cache answers, what the ring cannot do (devices without a descriptor, flushes, zeroing),
 * and what does not come from an event loop is done by another engine.
 *
 * <p>A transfer that hangs must not hold up others. What the kernel cannot begin without waiting it gives to threads of its
 * own: 4 a processor unless it is told another limit, and to one after the other for writes to the same regular file, on
 * file systems that do not say that direct ones may run side by side (io_wq_hash_work). So the ring has as many threads as
 * there are workers, and writes to files are left to the workers.
 *
 * <p>Invariants: {@code underWay[tag]} is the transfer that the ring has under that tag, and {@code freeTags} holds the
 * others; both, and everything else that is not final and thread-safe, belong to the thread of the ring. Whoever makes
 * {@code awake} true lets that thread look; it makes it false before its last look.
 */
final class UringIoEngine implements IoEngine, LoopThread.Workers {
    /** Most transfers that the ring has at a time; more wait in the queue. */
    static final int DEPTH = 1024;

    /** Most that wait: as many as requests can be under way in one service. */
    static final int MAX_WAITING = 1 << 16;

    private static final Logger LOG = LoggerFactory.getLogger(UringIoEngine.class);

    /** IORING_OP_READ and IORING_OP_WRITE of linux/io_uring.h. */
    private static final byte READ = 22;

    private static final byte WRITE = 23;
    private static final long CLOSE_MILLIS = 30_000;
    private static final long IDLE_CHECK_MILLIS = 10;

    private final MultiThreadIoEventLoopGroup group;
    private final IoEventLoop ring;
    private final IoRegistration registration;
    private final IoEngine others;
    private final CachedDevices devices = new CachedDevices();
    private final TransferQueue waiting = new TransferQueue(MAX_WAITING);
    private final AtomicBoolean awake = new AtomicBoolean();
    private final Runnable look = this::look;
    private final Counter transfers = new Counter();
    private final Counter shortTransfers = new Counter();

    private final DeviceIo[] underWay = new DeviceIo[DEPTH];
    private final short[] freeTags = new short[DEPTH];
    private int free = DEPTH;
    private boolean turnBegun;
    private volatile boolean closed;
    private volatile boolean broken;

    private UringIoEngine(IoEngine others, int threadLimit) {
        this.others = others;
        this.group = new MultiThreadIoEventLoopGroup(
                1,
                (ThreadFactory) loop -> new LoopThread(loop, "remap-uring"),
                IoUringIoHandler.newFactory(new IoUringIoHandlerConfig()
                        .setRingSize(DEPTH)
                        .setMaxBoundedWorker(threadLimit)
                        .setMaxUnboundedWorker(threadLimit)));
        this.ring = group.next();
        for (int i = 0; i < DEPTH; i++) {
            freeTags[i] = (short) i;
        }
        this.registration =
                ring.register(new Completions()).syncUninterruptibly().getNow();
    }

    /**
     * Takes {@code others} over.
     *
     * @param threadLimit most threads of the kernel that wait for a device
     */
    static UringIoEngine over(IoEngine others, int threadLimit) {
        return new UringIoEngine(others, threadLimit);
    }

    @Override
    public void submit(DeviceIo io) {
        if (closed) {
            throw new IllegalStateException("the I/O engine is closed");
        }
        if (Thread.currentThread() instanceof LoopThread loop && !loop.isLost() && isForRing(io)) {
            loop.collect(this, io);
            if (ring.inEventLoop()) {
                wake();
            }
        } else {
            others.submit(io);
        }
    }

    private boolean isForRing(DeviceIo io) {
        CachedDevices.Entry device = devices.of(io.device);
        return !broken
                && device.direct
                && (io.operation == DeviceIo.Operation.READ
                        || (io.operation == DeviceIo.Operation.WRITE && device.blockDevice));
    }

    @Override
    public void take(DeviceIo[] collected, int count) {
        for (int i = 0; i < count; i++) {
            // Taken out first: what is submitted to the others is collected in the same array.
            DeviceIo io = collected[i];
            collected[i] = null;
            if (closed || !waiting.offer(io)) {
                others.submit(io);
            }
        }
        wake();
    }

    private void wake() {
        if (!awake.get() && awake.compareAndSet(false, true)) {
            try {
                ring.execute(look);
            } catch (RejectedExecutionException e) {
                doWithoutRing(e);
            }
        }
    }

    /** The thread of the ring has ended, as the kernel refused a call: the others do what waits, and whatever comes. */
    private void doWithoutRing(RejectedExecutionException cause) {
        if (!broken && !closed) {
            LOG.error("io_uring has failed, direct transfers are executed by workers from now on", cause);
        }
        broken = true;
        // Before the queue is emptied: who found it true put his transfer there before that.
        awake.set(false);
        for (DeviceIo io = waiting.poll(); io != null; io = waiting.poll()) {
            others.submit(io);
        }
    }

    // ---- The thread of the ring

    private void look() {
        awake.set(false);
        LoopThread self = beginTurn();
        try {
            while (free > 0) {
                DeviceIo io = waiting.poll();
                if (io == null) {
                    break;
                }
                begin(io);
            }
        } finally {
            turnBegun = false;
            // The replies of everything that the ring gave back before this leave together.
            self.endTurn();
        }
    }

    private LoopThread beginTurn() {
        LoopThread self = (LoopThread) Thread.currentThread();
        if (!turnBegun) {
            turnBegun = true;
            self.beginTurn();
        }
        return self;
    }

    private void begin(DeviceIo io) {
        DescriptorTransfers device = transfersOf(io);
        if (device == null) {
            others.submit(io);
            return;
        }
        int descriptor;
        try {
            descriptor = device.begin(io);
        } catch (DeviceException e) {
            complete(io, e);
            return;
        } catch (RuntimeException e) {
            // Nobody is there who could be thrown at, and whoever waits for the transfer has to be told.
            complete(io, FastIoEngine.internalError(io, e));
            return;
        }
        short tag = freeTags[--free];
        underWay[tag] = io;
        transfers.increment();
        byte opcode = io.operation == DeviceIo.Operation.READ ? READ : WRITE;
        long address = Buffer.memoryAddress(io.data) + io.data.position();
        IoUringIoOps operation = new IoUringIoOps(
                opcode,
                (byte) 0,
                (short) 0,
                descriptor,
                io.offsetBytes,
                address,
                io.data.remaining(),
                0,
                (long) tag,
                (short) 0,
                (short) 0,
                0,
                0);
        try {
            registration.submit(operation);
        } catch (RuntimeException e) {
            takeBack(tag);
            // It was begun at the device, which has to be told that it is over.
            device.ended(io, 0);
            complete(io, FastIoEngine.internalError(io, e));
        }
    }

    private DeviceIo takeBack(int tag) {
        DeviceIo io = underWay[tag];
        underWay[tag] = null;
        freeTags[free++] = (short) tag;
        return io;
    }

    private static DescriptorTransfers transfersOf(DeviceIo io) {
        return io.device.capability(DescriptorTransfers.class).orElse(null);
    }

    /**
     * What a transfer came to. The host may have had no thread for it (ECANCELED), no memory for the moment, or a signal came
     * in between: of the device that says nothing, so none of it was transferred, and the others execute it.
     */
    static int bytesOrError(int result) {
        return switch (-result) {
            case Errno.ECANCELED, Errno.EAGAIN, Errno.EINTR -> 0;
            default -> result;
        };
    }

    private void end(int tag, int result) {
        beginTurn();
        DeviceIo io = takeBack(tag);
        try {
            int length = io.data.remaining();
            DeviceException error = transfersOf(io).ended(io, result);
            if (error == null && result < length) {
                shortTransfers.increment();
                others.submit(io);
            } else {
                complete(io, error);
            }
        } finally {
            wake();
        }
    }

    /** An error in the program ends one request, and not the turn of all that the ring gives back with it. */
    private static void complete(DeviceIo io, DeviceException error) {
        try {
            io.completed(error);
        } catch (RuntimeException | Error e) {
            LOG.error("{}: an error in the program after a transfer", io.device.name(), e);
        }
    }

    /** What the ring knows of this engine. */
    private final class Completions implements IoUringIoHandle {
        @Override
        public void handle(IoRegistration from, IoEvent event) {
            IoUringIoEvent done = (IoUringIoEvent) event;
            end((int) done.userData(), bytesOrError(done.res()));
        }

        @Override
        public void close() {
            // Nothing of ours is in the ring any more.
        }
    }

    // ---- Any thread

    @Override
    public List<Attribute> attributes() {
        List<Attribute> all = new ArrayList<>(others.attributes());
        all.add(transfers.attribute("engine.uring-transfers", "Reads and writes that were given to the ring."));
        all.add(shortTransfers.attribute(
                "engine.uring-short-transfers",
                "Transfers that came back short, or not begun, and were repeated by a worker."));
        return List.copyOf(all);
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        // In this order: what the ring sent back short is executed by the others.
        try {
            for (long waitedMillis = 0; waitedMillis < CLOSE_MILLIS && !isIdle(); waitedMillis += IDLE_CHECK_MILLIS) {
                ring.schedule(() -> {}, IDLE_CHECK_MILLIS, TimeUnit.MILLISECONDS)
                        .awaitUninterruptibly();
            }
            registration.cancel();
        } catch (RejectedExecutionException e) {
            LOG.warn("io_uring had failed before it was closed: {}", e.toString());
        } finally {
            group.shutdownGracefully(0, CLOSE_MILLIS, TimeUnit.MILLISECONDS).awaitUninterruptibly(CLOSE_MILLIS);
            others.close();
        }
    }

    private boolean isIdle() {
        return ring.submit(() -> free == DEPTH && waiting.size() == 0)
                .syncUninterruptibly()
                .getNow();
    }
}
