package io.remap.core.sim;

import io.remap.api.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes down each operation of a simulated disk and what was decided about it, in the order of the decisions: one line
 * each, as text or as JSON. No times stand in it, so that the same operations and the same seed give the same trace.
 *
 * <p>Invariants: the file and the one before it, with the suffix {@code .1}, have at most the bytes that were said together;
 * each open begins anew. A trace that cannot be written ends, and the disk goes on. Not thread-safe: its owner guards it.
 */
final class SimTrace implements AutoCloseable {
    /** How lines look. */
    enum Format {
        TEXT,
        JSON
    }

    static final long MIN_BYTES = 64 << 10;
    static final long MAX_BYTES = 1L << 40;
    static final long DEFAULT_BYTES = 64 << 20;

    private static final String BEFORE = ".1";
    private static final Logger LOG = LoggerFactory.getLogger(SimTrace.class);

    private final Path path;
    private final Format format;
    private final long halfBytes;
    private FileChannel file;
    private long writtenBytes;

    /** Begins a trace; whatever was in the file is gone. */
    static SimTrace begin(Path path, Format format, long maxBytes) throws IOException {
        SimTrace trace = new SimTrace(path, format, maxBytes);
        Files.deleteIfExists(trace.before());
        trace.beginFile();
        return trace;
    }

    private SimTrace(Path path, Format format, long maxBytes) {
        this.path = path;
        this.format = format;
        this.halfBytes = maxBytes / 2;
    }

    private Path before() {
        return path.resolveSibling(path.getFileName() + BEFORE);
    }

    private void beginFile() throws IOException {
        file = FileChannel.open(
                path, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
        writtenBytes = 0;
    }

    /** An operation of a client. */
    void operation(SimVerdict verdict) {
        String outcome = verdict.hangs ? "hangs" : verdict.errno == Errno.NONE ? "ok" : Errno.name(verdict.errno);
        if (format == Format.JSON) {
            add("{\"number\":" + verdict.number + ",\"operation\":\"" + verdict.operation.word + "\",\"offset\":"
                    + verdict.startBytes + ",\"length\":" + (verdict.endBytes - verdict.startBytes) + ",\"outcome\":\""
                    + outcome + "\",\"delayMillis\":" + verdict.delayMillis + ",\"causes\":["
                    + verdict.causes.stream().map(SimJson::quote).collect(Collectors.joining(",")) + "]}");
        } else {
            add(verdict.number + " " + verdict.operation.word + " " + verdict.startBytes + " "
                    + (verdict.endBytes - verdict.startBytes) + " " + outcome
                    + (verdict.delayMillis == 0 ? "" : " delay=" + verdict.delayMillis)
                    + verdict.causes.stream().map(cause -> " [" + cause + "]").collect(Collectors.joining()));
        }
    }

    /** Something that was done to the disk by hand. */
    void command(String what) {
        add(format == Format.JSON ? "{\"command\":" + SimJson.quote(what) + "}" : "- " + what);
    }

    private void add(String line) {
        if (file == null) {
            return;
        }
        ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
        try {
            if (writtenBytes + bytes.remaining() > halfBytes) {
                file.close();
                Files.move(path, before(), StandardCopyOption.REPLACE_EXISTING);
                beginFile();
            }
            writtenBytes += bytes.remaining();
            while (bytes.hasRemaining()) {
                file.write(bytes);
            }
        } catch (IOException e) {
            LOG.warn("the trace {} ends here, it cannot be written: {}", path, e.toString());
            close();
        }
    }

    @Override
    public void close() {
        if (file != null) {
            try {
                file.close();
            } catch (IOException e) {
                LOG.debug("the trace {} cannot be closed: {}", path, e.toString());
            }
            file = null;
        }
    }
}
