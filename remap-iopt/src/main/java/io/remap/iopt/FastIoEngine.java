package io.remap.iopt;

import io.remap.api.Attribute;
import io.remap.api.CachedReads;
import io.remap.api.Counter;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.Environment;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.Pace;
import io.remap.api.PagePipe;
import io.remap.api.spi.IoEngine;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Executes transfers without making an event loop wait. On a {@link LoopThread} a read that the page cache can answer is
 * done at once, and so is what has been quick of late, small writes into the page cache above all; if such a one hangs for
 * once, another thread takes the loop over. Everything else is collected and handed over to workers. Large reads come as
 * pages of the cache where the requester takes them. On any other thread a transfer is executed by the caller, who may
 * block.
 *
 * <p>Nothing is allocated and no lock is taken for a transfer.
 *
 * <p>Invariant: {@code ended} never exceeds {@code begun}; they are equal if and only if nothing is under way. A submitter
 * counts, then looks at {@code closed}; the closer sets it, then counts. The full fence between makes that one of both
 * sees the other.
 */
final class FastIoEngine implements IoEngine {
    /** Writes from here on are timed apart from small ones. */
    private static final int LARGE_WRITE_BYTES = 64 << 10;

    private static final Logger LOG = LoggerFactory.getLogger(FastIoEngine.class);

    /**
     * Limits of an engine.
     *
     * @param workerLimit most workers, each of which may hang at a device
     * @param inlineReadBytes longest read that a loop tries itself
     * @param pagesMinBytes shortest read that is given as pages, 0 if none is
     * @param closeMillis how long a close waits for transfers under way
     */
    record Limits(int workerLimit, int inlineReadBytes, int pagesMinBytes, long closeMillis) {}

    private final Environment environment;
    private final Limits limits;
    private final CachedDevices devices = new CachedDevices();
    private final Handed handed = new Handed();
    private final IoWorkers workers;

    private final Counter readsInline = new Counter();
    private final Counter readsMissed = new Counter();
    private final Counter readsByWorker = new Counter();
    private final Counter readsByPages = new Counter();
    private final Counter inline = new Counter();
    private final Counter byWorker = new Counter();
    private final Counter byCaller = new Counter();

    private final LongAdder begun = new LongAdder();
    private final LongAdder ended = new LongAdder();
    private final Object allEnded = new Object();
    private volatile boolean closed;

    FastIoEngine(Environment environment, Limits limits) {
        this.environment = environment;
        this.limits = limits;
        this.workers = new IoWorkers(environment, limits.workerLimit(), handed);
    }

    @Override
    public void submit(DeviceIo io) {
        begun.increment();
        VarHandle.fullFence();
        if (closed) {
            end();
            throw new IllegalStateException("the I/O engine is closed");
        }
        Thread thread = Thread.currentThread();
        if (thread instanceof LoopThread loop && !loop.isLost()) {
            CachedDevices.Entry device = devices.of(io.device);
            if (!readAtOnce(io, device.reads) && !isQuick(io, device, loop)) {
                loop.collect(workers, io);
            }
            return;
        }
        try {
            byCaller.increment();
            if (thread instanceof WorkerThread worker && worker.workers() == workers) {
                worker.goesOn(io);
            }
            io.completed(perform(io));
        } finally {
            end();
        }
    }

    /** Executes what was quick of late on the loop; {@code false} if it was not. The watch finds one that is not any more. */
    private boolean isQuick(DeviceIo io, CachedDevices.Entry device, LoopThread loop) {
        Pace pace = handed.paceOf(io);
        if (pace.isSlow()) {
            return false;
        }
        long startNanos = environment.time().nanoTime();
        // Without the watch nobody would notice that it hangs.
        if (!isInMemory(io, device, startNanos) || !workers.watch().isThere() || !loop.beginTransfer(pace)) {
            return false;
        }
        DeviceException error;
        try {
            workers.watch().begin(loop);
            error = perform(io);
        } catch (RuntimeException | Error e) {
            error = internalError(io, e);
        } finally {
            boolean lost = !loop.endTransfer();
            pace.note(environment.time().nanoTime() - startNanos);
            if (lost) {
                pace.hung();
            }
        }
        inline.increment();
        try {
            io.completed(error);
        } finally {
            end();
        }
        return true;
    }

    private boolean isInMemory(DeviceIo io, CachedDevices.Entry device, long nowNanos) {
        if (io.operation != DeviceIo.Operation.READ) {
            return true;
        }
        try {
            return device.isInMemory(io.offsetBytes, io.data.remaining(), nowNanos);
        } catch (RuntimeException e) {
            workers.failed("a look at the page cache", e);
            return false;
        }
    }

    /** What is wrong with a read is told by the worker that it goes to then. */
    private boolean tryRead(CachedReads reads, long offsetBytes, ByteBuffer data) {
        try {
            return reads.tryRead(offsetBytes, data);
        } catch (RuntimeException e) {
            workers.failed("a read of the page cache", e);
            return false;
        }
    }

    /** Whether the page cache had all of it. */
    private boolean readAtOnce(DeviceIo io, CachedReads reads) {
        if (reads == null || io.operation != DeviceIo.Operation.READ || !isTriedByLoop(io)) {
            return false;
        }
        if (!tryRead(reads, io.offsetBytes, io.data)) {
            readsMissed.increment();
            return false;
        }
        readsInline.increment();
        try {
            io.completed(null);
        } finally {
            end();
        }
        return true;
    }

    private boolean isTriedByLoop(DeviceIo read) {
        return read.data.remaining() <= limits.inlineReadBytes() && !takesPages(read);
    }

    private boolean takesPages(DeviceIo read) {
        int length = read.data.remaining();
        return read.pagesWelcome
                && limits.pagesMinBytes() > 0
                && length >= limits.pagesMinBytes()
                && length <= PagePipe.MAX_BYTES;
    }

    /** Executes a transfer. An error in the program is an answer too: whoever waits for the transfer has to be told. */
    private DeviceException perform(DeviceIo io) {
        try {
            if (io.operation == DeviceIo.Operation.READ && takesPages(io)) {
                CachedReads reads = devices.of(io.device).reads;
                PagePipe pages = reads == null ? null : reads.tryPages(io.offsetBytes, io.data.remaining());
                if (pages != null) {
                    readsByPages.increment();
                    io.pages = pages;
                    return null;
                }
            }
            return io.perform();
        } catch (RuntimeException | Error e) {
            workers.failed("a transfer to " + io.device.name(), e);
            return internalError(io, e);
        }
    }

    /** What loops handed over, executed by workers. Nobody is there who could be thrown at. */
    private final class Handed implements IoWorkers.Execution {
        @Override
        public Pace paceOf(DeviceIo io) {
            CachedDevices.Entry device = devices.of(io.device);
            if (device.direct) {
                return device.waiting;
            }
            return switch (io.operation) {
                case WRITE -> io.data.remaining() < LARGE_WRITE_BYTES ? device.smallWrites : device.largeWrites;
                // What a loop tried in vain waits.
                case READ -> device.reads == null || isTriedByLoop(io) ? device.waiting : device.largeReads;
                default -> device.waiting;
            };
        }

        @Override
        public void carryOut(DeviceIo io) {
            byWorker.increment();
            if (io.operation == DeviceIo.Operation.READ) {
                readsByWorker.increment();
            }
            DeviceException error = perform(io);
            try {
                io.completed(error);
            } catch (RuntimeException | Error e) {
                workers.failed("the completion of a transfer", e);
            } finally {
                end();
            }
        }
    }

    static DeviceException internalError(DeviceIo io, Throwable cause) {
        return new DeviceException(
                io.device.name(),
                io.operation.name().toLowerCase(Locale.ROOT),
                io.offsetBytes,
                io.lengthBytes,
                Errno.NONE,
                ErrorClass.INTERNAL,
                "an error in the program: " + cause,
                cause);
    }

    private void end() {
        ended.increment();
        VarHandle.fullFence();
        if (closed) {
            synchronized (allEnded) {
                allEnded.notifyAll();
            }
        }
    }

    @Override
    public List<Attribute> attributes() {
        return List.of(
                readsInline.attribute("engine.reads-inline", "Reads that the page cache answered on the event loop."),
                readsMissed.attribute("engine.reads-missed", "Reads that would have made the event loop wait."),
                readsByWorker.attribute("engine.reads-by-worker", "Reads that workers executed."),
                readsByPages.attribute("engine.reads-by-pages", "Reads that were given as pages of the page cache."),
                inline.attribute("engine.quick-inline", "Quick transfers that the event loop executed itself."),
                workers.lostLoops.attribute(
                        "engine.loops-rescued",
                        "Times that such a one hung, and another thread took the event loop over."),
                byWorker.attribute("engine.by-worker", "Transfers that workers executed for event loops."),
                byCaller.attribute("engine.by-caller", "Transfers that other threads executed themselves."),
                workers.batches.attribute("engine.batches", "Times that an event loop handed transfers over."),
                Attribute.readOnly(
                        "engine.batch-mean", "count", "Transfers handed over at a time, on average.", this::meanBatch),
                workers.overflows.attribute(
                        "engine.overflows", "Transfers that found more than " + IoWorkers.MAX_WAITING + " waiting."),
                workers.heldUp.attribute(
                        "engine.held-up", "Times that a worker was held up and another one took its place."),
                Attribute.readOnly("engine.workers", "count", "Workers now.", () -> (long) workers.threads()),
                Counter.attribute(
                        "engine.workers-most",
                        "count",
                        "Most workers so far.",
                        () -> (long) workers.mostThreads(),
                        workers::resetMostThreads));
    }

    private double meanBatch() {
        long batches = workers.batches.value();
        return batches == 0 ? 0 : (double) workers.handedOver.value() / batches;
    }

    /** Waits for transfers under way, but not for ever: one that hangs at a device ends when the device answers. */
    @Override
    public void close() {
        closed = true;
        VarHandle.fullFence();
        long startNanos = environment.time().nanoTime();
        boolean interrupted = false;
        synchronized (allEnded) {
            long leftMillis = limits.closeMillis();
            while (isBusy() && leftMillis > 0) {
                try {
                    allEnded.wait(leftMillis);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
                long passedNanos = environment.time().nanoTime() - startNanos;
                leftMillis = limits.closeMillis() - TimeUnit.NANOSECONDS.toMillis(passedNanos);
            }
        }
        if (isBusy()) {
            LOG.warn("transfers are still under way after {} ms: a device may not answer", limits.closeMillis());
        }
        workers.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Sums what ended first: if what began until later is no more, nothing was under way in between. */
    private boolean isBusy() {
        long endedBefore = ended.sum();
        return begun.sum() != endedBefore;
    }
}
