package io.remap.nbd;

import io.remap.api.Disk;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * A disk in memory that trusts nobody: a request that a frontend should have refused fails the test. Requests end at once,
 * or, if {@link #deferred}, when the test ends them.
 */
final class FakeDisk implements Disk {
    /** What a request looked like when it was submitted. */
    record Seen(
            DiskRequest.Operation operation, long offset, long length, boolean fua, boolean keep, boolean fastOnly) {}

    static final int SECTOR_BYTES = 512;

    final byte[] content;
    final List<Seen> seen = new ArrayList<>();
    final List<DiskRequest> waiting = new ArrayList<>();
    boolean deferred;
    boolean refusesWrites;
    /** READs get pages where they are welcome. */
    boolean givesPages;

    /** How much less the pages have than was asked for. */
    int pipeBytesMissing;

    final List<FakePipe> pipes = new ArrayList<>();
    Function<DiskRequest, DiskError> errors = request -> DiskError.NONE;
    private final DiskTraits traits;

    FakeDisk(int sizeBytes) {
        this(new DiskTraits(sizeBytes, SECTOR_BYTES, 4096, false, false));
    }

    FakeDisk(DiskTraits traits) {
        this.traits = traits;
        this.content = new byte[(int) Math.min(traits.sizeBytes(), 8 << 20)];
    }

    @Override
    public String name() {
        return "fake";
    }

    @Override
    public DiskTraits traits() {
        return traits;
    }

    @Override
    public boolean takesWrites() {
        return !traits.readOnly() && !refusesWrites;
    }

    @Override
    public void submit(DiskRequest request) {
        if (request.operation != DiskRequest.Operation.FLUSH
                && (request.offsetBytes < 0
                        || request.lengthBytes < 0
                        || request.offsetBytes > traits.sizeBytes() - request.lengthBytes)) {
            throw new AssertionError("beyond the end: " + request.offsetBytes + "+" + request.lengthBytes);
        }
        if (request.pages != null || (request.pagesWelcome && request.operation != DiskRequest.Operation.READ)) {
            throw new AssertionError("pages of another request");
        }
        if (request.operation.changesData() && traits.readOnly()) {
            throw new AssertionError("changes a read-only disk");
        }
        seen.add(new Seen(
                request.operation,
                request.offsetBytes,
                request.lengthBytes,
                request.fua,
                request.keepAllocated,
                request.fastOnly));
        if (deferred) {
            waiting.add(request);
        } else {
            end(request);
        }
    }

    /** Ends the request that waits at an index. */
    void end(int index) {
        end(waiting.remove(index));
    }

    private void end(DiskRequest request) {
        DiskError error = errors.apply(request);
        if (error == DiskError.NONE) {
            int offset = (int) request.offsetBytes;
            int length = (int) request.lengthBytes;
            switch (request.operation) {
                case READ -> read(request, offset, length);
                case WRITE -> data(request).get(content, offset, length);
                case WRITE_ZEROES -> Arrays.fill(content, offset, offset + length, (byte) 0);
                default -> {}
            }
        }
        request.complete(error, error == DiskError.NONE ? -1 : request.offsetBytes);
    }

    private void read(DiskRequest request, int offset, int length) {
        if (givesPages && request.pagesWelcome) {
            FakePipe pipe = new FakePipe(Arrays.copyOfRange(content, offset, offset + length - pipeBytesMissing));
            pipes.add(pipe);
            request.pages = pipe;
            // Nobody may send this.
            data(request).put(new byte[length]);
        } else {
            data(request).put(content, offset, length);
        }
    }

    private static ByteBuffer data(DiskRequest request) {
        return request.buffer.data().clear();
    }
}
