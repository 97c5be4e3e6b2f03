package io.remap.core.disk;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What the ledger of unflushed writes adds to a write: entered as under way, recorded with the checksums of its sectors,
 * taken out. Run with {@code ./check bench jmh LedgerBenchmark}.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class LedgerBenchmark {
    private static final int SECTOR_BYTES = 512;
    private static final int RING_BYTES = 8 << 20;
    /** More than the memory next to a core. */
    private static final int DISK_BYTES = 64 << 20;

    @Param({"4096", "1048576"})
    int bytes;

    /** Whether it is in a mapped file. */
    @Param({"false", "true"})
    boolean lasting;

    private Path directory;
    private Ledger ledger;
    private ByteBuffer data;
    private long offset;

    /** Made by JMH. */
    public LedgerBenchmark() {}

    /** An empty ledger. */
    @Setup
    public void open() throws Exception {
        directory = Files.createTempDirectory("ledger");
        LedgerMemory memory = lasting
                ? LedgerMemory.of(
                        directory.resolve("ring"),
                        RING_BYTES,
                        SECTOR_BYTES,
                        new LedgerMemory.Key(new UUID(1, 2), new UUID(3, 4), new UUID(5, 6), new UUID(5, 7)))
                : LedgerMemory.unnamed(RING_BYTES);
        ledger = new Ledger(memory, SECTOR_BYTES, () -> {});
        data = ByteBuffer.allocateDirect(bytes);
    }

    /** Removes the file. */
    @TearDown
    public void close() throws Exception {
        Files.deleteIfExists(directory.resolve("ring"));
        Files.delete(directory);
    }

    /** One write of so many bytes; the flush that gives room costs next to nothing. */
    @Benchmark
    public int record() {
        offset = (offset + bytes) & (DISK_BYTES - 1);
        int records = Ledger.recordsOfData(offset, bytes);
        if (!ledger.promise(records)) {
            ledger.release(ledger.publishedEnd());
            ledger.promise(records);
        }
        long began = ledger.now();
        int underWay = ledger.begins(offset, bytes);
        ledger.data(began, offset, data.clear(), 0, true);
        ledger.ended(underWay);
        return underWay;
    }
}
