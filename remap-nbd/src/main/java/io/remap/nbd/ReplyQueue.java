package io.remap.nbd;

import io.remap.api.IoBuffer;
import io.remap.api.PagePipe;
import io.remap.api.Session;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Replies on their way out: finished requests from any thread in, batches of buffers out.
 *
 * <p>Requests enter by a lock-free stack that the output side takes as a whole. A batch is the headers of all replies
 * without payload in one buffer, and then one buffer for each reply with payload, its header before it in the headroom;
 * replies may leave in any order. A reply whose payload is pages ends its batch: of its buffer the header alone is sent, and
 * the pages follow. The next batch is made when the last one has left.
 *
 * <p>Invariants: a request without payload is recycled when its header is copied, one with payload when it has left; {@code
 * pages} are those of the last request of the batch, until they have left; after {@link #close} nothing holds a buffer or
 * a pipe.
 */
final class ReplyQueue {
    private static final NbdRequest CLOSED = new NbdRequest(null);

    private final InFlight inFlight;
    private final Session.Events events;
    private final ClientProgress progress;
    private final AtomicReference<NbdRequest> finished = new AtomicReference<>();

    /** Taken from the stack, oldest first, not in a batch yet. */
    private NbdRequest first;

    private NbdRequest last;

    private final ByteBuffer headers;
    private int headerCount;
    /** The batch, from {@link #next} to {@link #end} not sent yet; {@code requests} where the buffer is a payload. */
    private final ByteBuffer[] batch = new ByteBuffer[Session.MAX_GATHER];

    private final NbdRequest[] requests = new NbdRequest[Session.MAX_GATHER];
    private int next;
    private int end;
    private PagePipe pages;
    /** Whether {@link #replies} gave all that comes before the pages. */
    private boolean pagesFollow;

    private long unsentBytes;

    /** {@code headers}: memory for the headers of {@link InFlight#MAX_REQUESTS} replies. */
    ReplyQueue(InFlight inFlight, Session.Events events, ClientProgress progress, ByteBuffer headers) {
        this.inFlight = inFlight;
        this.events = events;
        this.progress = progress;
        this.headers = headers;
    }

    /** Queues the reply of a request; {@code false} if the session is closed. Any thread. */
    boolean push(NbdRequest request) {
        NbdRequest top;
        do {
            top = finished.get();
            if (top == CLOSED) {
                return false;
            }
            request.next = top;
        } while (!finished.compareAndSet(top, request));
        if (top == null) {
            // Otherwise whoever pushed onto the empty stack tells, and the output side takes all.
            events.repliesReady();
        }
        return true;
    }

    int replies(ByteBuffer[] into) {
        if (next == end) {
            nextBatch();
        }
        int count = Math.min(end - next, into.length);
        pagesFollow = pages != null && next + count == end;
        if (pagesFollow && !batch[end - 1].hasRemaining()) {
            // Their header has left.
            count--;
        }
        System.arraycopy(batch, next, into, 0, count);
        return count;
    }

    PagePipe pages() {
        return pagesFollow ? pages : null;
    }

    private void nextBatch() {
        takeFinished();
        headers.clear();
        headerCount = 0;
        unsentBytes = 0;
        next = 1;
        end = 1;
        while (first != null && end < Session.MAX_GATHER && pages == null) {
            NbdRequest request = first;
            NbdRequest following = request.next;
            if (request.answersWithPayload()) {
                addPayload(request);
            } else {
                putHeader(headers, request);
                headerCount++;
                inFlight.recycle(request);
            }
            first = following;
        }
        headers.flip();
        unsentBytes += headers.remaining();
        batch[0] = headers;
        next = headerCount > 0 ? 0 : 1;
        if (next < end) {
            progress.repliesBegun();
        }
    }

    private void addPayload(NbdRequest request) {
        int length = request.buffer.lengthBytes();
        PagePipe instead = request.diskRequest.pages;
        if (instead != null) {
            int pagesBytes = instead.remainingBytes();
            if (pagesBytes != length) {
                throw new IllegalStateException("a READ of " + length + " bytes was given pages of " + pagesBytes);
            }
            pages = instead;
            unsentBytes += pagesBytes;
            length = 0;
        }
        ByteBuffer bytes = headerBefore(request);
        bytes.limit(bytes.limit() + length);
        batch[end] = bytes;
        requests[end] = request;
        unsentBytes += bytes.remaining();
        end++;
    }

    /** The header of the reply, where it stands right before the payload. */
    private static ByteBuffer headerBefore(NbdRequest request) {
        ByteBuffer bytes = request.buffer.withHeadroom();
        int start = IoBuffer.HEADROOM_BYTES - Protocol.SIMPLE_REPLY_BYTES;
        bytes.limit(IoBuffer.HEADROOM_BYTES).position(start);
        putHeader(bytes, request);
        return bytes.position(start);
    }

    private static void putHeader(ByteBuffer into, NbdRequest request) {
        into.putInt(Protocol.SIMPLE_REPLY_MAGIC).putInt(request.errno).putLong(request.cookie);
    }

    /** Appends what is on the stack, which has the newest on top, to the list. */
    private void takeFinished() {
        if (finished.get() == null) {
            return;
        }
        NbdRequest taken = finished.getAndSet(null);
        NbdRequest newest = taken;
        NbdRequest oldest = null;
        while (taken != null) {
            NbdRequest below = taken.next;
            taken.next = oldest;
            oldest = taken;
            taken = below;
        }
        if (first == null) {
            first = oldest;
        } else {
            last.next = oldest;
        }
        last = newest;
    }

    void sent(long lengthBytes) {
        unsentBytes -= lengthBytes;
        if (unsentBytes < 0) {
            throw new IllegalArgumentException("sent " + -unsentBytes + " bytes more than there were");
        }
        if (pages != null) {
            pages.taken(Math.toIntExact(pages.remainingBytes() - (unsentBytes - unsentInBuffers())));
        }
        while (next < end && !batch[next].hasRemaining()) {
            if (next == 0) {
                inFlight.answered(headerCount);
            } else {
                if (pages != null && next == end - 1) {
                    if (pages.remainingBytes() > 0) {
                        break;
                    }
                    pages = null;
                }
                NbdRequest request = requests[next];
                requests[next] = null;
                batch[next] = null;
                inFlight.releasePayload(request);
                inFlight.recycle(request);
                inFlight.answered(1);
            }
            next++;
        }
        progress.repliesLeft(lengthBytes);
        if (next == end) {
            progress.repliesSent();
        }
    }

    private long unsentInBuffers() {
        long bytes = 0;
        for (int i = next; i < end; i++) {
            bytes += batch[i].remaining();
        }
        return bytes;
    }

    /** Releases every buffer and pipe, also those of requests that finish later. Once. */
    void close() {
        releaseAll(finished.getAndSet(CLOSED));
        releaseAll(first);
        first = null;
        for (int i = Math.max(next, 1); i < end; i++) {
            inFlight.releasePayload(requests[i]);
        }
        next = end;
        pages = null;
        pagesFollow = false;
    }

    private void releaseAll(NbdRequest list) {
        for (NbdRequest request = list; request != null; request = request.next) {
            inFlight.releasePayload(request);
        }
    }
}
