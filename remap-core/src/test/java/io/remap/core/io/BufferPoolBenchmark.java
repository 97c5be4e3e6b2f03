package io.remap.core.io;

import io.remap.api.BufferPool;
import io.remap.api.IoBuffer;
import io.remap.api.spi.BufferPoolProvider;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.net.URL;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What it costs to take a buffer and to give it back: one at a time, as many as a batch of requests takes, and with two
 * threads at the same pool. Each pool that is on the class path, by name.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class BufferPoolBenchmark {
    private static final int BATCH = 32;
    private static final long BUDGET_BYTES = 128L << 20;

    @Param({"plain", "fast"})
    String pool;

    @Param({"4096", "1048576"})
    int bytes;

    private BufferPool buffers;

    /** What each thread holds. */
    @State(Scope.Thread)
    public static class Held {
        private final IoBuffer[] buffers = new IoBuffer[BATCH];

        /** Made by JMH. */
        public Held() {}
    }

    /** Made by JMH. */
    public BufferPoolBenchmark() {}

    /** Opens the pool. */
    @Setup
    public void open() throws Exception {
        buffers = provider(pool).open(BUDGET_BYTES);
    }

    /** Frees its memory. */
    @TearDown
    public void close() {
        buffers.close();
    }

    private static BufferPoolProvider provider(String name) throws Exception {
        for (String type : providerTypes()) {
            BufferPoolProvider found = Class.forName(type)
                    .asSubclass(BufferPoolProvider.class)
                    .getConstructor()
                    .newInstance();
            if (found.name().equals(name)) {
                return found;
            }
        }
        throw new IllegalStateException("no module on the class path provides the buffer pool '" + name + "'");
    }

    /** JMH runs from the class path, where providers stand nowhere but in the descriptors of their modules. */
    private static List<String> providerTypes() throws IOException {
        List<String> types = new ArrayList<>();
        for (URL descriptor : Collections.list(ClassLoader.getSystemResources("module-info.class"))) {
            try (InputStream in = descriptor.openStream()) {
                for (ModuleDescriptor.Provides provides :
                        ModuleDescriptor.read(in).provides()) {
                    if (provides.service().equals(BufferPoolProvider.class.getName())) {
                        types.addAll(provides.providers());
                    }
                }
            }
        }
        return types;
    }

    /** One buffer there and back. */
    @Benchmark
    public int one() {
        IoBuffer buffer = buffers.acquire(bytes);
        int length = buffer.lengthBytes();
        buffer.release();
        return length;
    }

    /** A batch of buffers, then all back, oldest first; the time of one. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public void batch(Held held) {
        takeAndGive(held.buffers);
    }

    /** As {@link #batch}, two threads at a time. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    @Threads(2)
    public void batchOfTwoThreads(Held held) {
        takeAndGive(held.buffers);
    }

    private void takeAndGive(IoBuffer[] taken) {
        for (int i = 0; i < taken.length; i++) {
            taken[i] = buffers.acquire(bytes);
        }
        for (IoBuffer buffer : taken) {
            buffer.release();
        }
    }
}
