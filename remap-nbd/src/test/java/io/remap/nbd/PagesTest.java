package io.remap.nbd;

import static io.remap.nbd.Client.FLUSH;
import static io.remap.nbd.Client.READ;
import static io.remap.nbd.Client.WRITE;
import static io.remap.nbd.Client.ask;
import static io.remap.nbd.Client.request;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.remap.api.DiskError;
import io.remap.api.Session;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Replies whose payload is pages in a pipe: header, pages, and everything given back when both have left. */
class PagesTest {
    private static final int SIZE = 1 << 20;
    private static final int HEADER_BYTES = 16;

    private final FakeDisk disk = new FakeDisk(SIZE);
    private final TestTransport transport = new TestTransport(disk);
    private final ByteBuffer[] gather = new ByteBuffer[Session.MAX_GATHER];

    @BeforeEach
    void start() {
        new Random(1).nextBytes(disk.content);
        disk.givesPages = true;
        transport.takesPages = true;
        Client.go(transport, "disk");
    }

    @AfterEach
    void close() {
        while (!disk.waiting.isEmpty()) {
            disk.end(0);
        }
        transport.close();
        disk.pipes.forEach(pipe -> assertEquals(1, pipe.releases, "releases of a pipe"));
    }

    private byte[] content(int offset, int length) {
        return Arrays.copyOfRange(disk.content, offset, offset + length);
    }

    private void assertNothingIsKept() {
        assertEquals(0, transport.pool.bytesInUse());
        assertFalse(transport.session.busy());
        disk.pipes.forEach(pipe -> assertEquals(1, pipe.releases, "releases of a pipe"));
    }

    private void stalledReads(int... lengths) {
        transport.clientStalls = true;
        for (int i = 0; i < lengths.length; i++) {
            transport.send(request(READ, 0, i, 0, lengths[i]));
        }
    }

    @Test
    void areSentInsteadOfTheBuffer() {
        assertArrayEquals(
                content(512, 65536), ask(transport, READ, 0, 512, 65536).payload());
        assertEquals(1, disk.pipes.size());
        assertEquals(65536, transport.count("nbd.read-bytes"));
        assertNothingIsKept();
    }

    @Test
    void areWelcomeForReadsAlone() {
        // FakeDisk refuses a request of another kind that says so, and one that has pages already.
        for (int i = 0; i < 3; i++) {
            ask(transport, READ, 0, 0, 1000);
            ask(transport, WRITE, 0, 0, 1000, new byte[1000]);
            ask(transport, FLUSH, 0, 0, 0);
        }
        assertEquals(3, disk.pipes.size());
        disk.givesPages = false;
        assertArrayEquals(content(0, 2000), ask(transport, READ, 0, 0, 2000).payload());
        assertEquals(3, disk.pipes.size());
    }

    @Test
    void areNotWelcomeWhereTheTransportCannotSendThem() {
        try (TestTransport other = new TestTransport(disk)) {
            Client.go(other, "disk");
            assertArrayEquals(content(0, 1000), ask(other, READ, 0, 0, 1000).payload());
            assertEquals(0, disk.pipes.size());
        }
    }

    @Test
    void aReadOfNothingHasNone() {
        Client.Reply reply = ask(transport, READ, 0, 512, 0);
        assertEquals(0, reply.errno());
        assertEquals(0, reply.payload().length);
        assertEquals(0, disk.pipes.size());
        assertNothingIsKept();
    }

    /** What is sent then would be another request's reply in the client's eyes. */
    @Test
    void ofAnotherLengthAreNotSentAndEverythingIsGivenBack() {
        disk.deferred = true;
        stalledReads(1000, 2000, 3000);
        disk.givesPages = false;
        disk.end(0);
        disk.givesPages = true;
        disk.pipeBytesMissing = 1;
        disk.end(0);
        disk.pipeBytesMissing = 0;
        disk.end(0);
        IllegalStateException thrown =
                assertThrows(IllegalStateException.class, () -> transport.session.replies(gather));
        assertEquals("a READ of 2000 bytes was given pages of 1999", thrown.getMessage());
        transport.session.close();
        assertEquals(0, transport.pool.bytesInUse());
        assertEquals(2, disk.pipes.size());
    }

    @Test
    void anErrorIsAnsweredWithoutThem() {
        disk.errors = request -> DiskError.IO;
        assertEquals(5, ask(transport, READ, 0, 0, 1000).errno());
        assertNothingIsKept();
    }

    @Test
    void endABatch() {
        disk.deferred = true;
        stalledReads(1000, 2000, 3000, 4000);
        disk.givesPages = false;
        disk.end(0);
        disk.givesPages = true;
        disk.end(0);
        disk.end(0);
        disk.givesPages = false;
        disk.end(0);
        assertEquals(2, transport.session.replies(gather));
        assertEquals(HEADER_BYTES + 1000, gather[0].remaining());
        assertEquals(HEADER_BYTES, gather[1].remaining(), "of the second one the header alone");
        assertSame(disk.pipes.get(0), transport.session.pages());
        assertEquals(1, transport.session.replies(new ByteBuffer[1]));
        assertNull(transport.session.pages(), "a header has to leave before");
        transport.clientStalls = false;
        transport.pump();
        Map<Long, Client.Reply> replies =
                Client.replies(transport.received(), Map.of(0L, 1000, 1L, 2000, 2L, 3000, 3L, 4000));
        replies.forEach((cookie, reply) ->
                assertArrayEquals(content(0, 1000 * (cookie.intValue() + 1)), reply.payload(), "cookie " + cookie));
        assertEquals(4, replies.size());
        assertNothingIsKept();
    }

    @Test
    void leaveInPartsAfterTheirHeader() {
        stalledReads(1000);
        FakePipe pipe = disk.pipes.get(0);
        assertEquals(1, transport.session.replies(gather));
        gather[0].position(gather[0].position() + 10);
        transport.session.sent(10);
        assertEquals(1000, pipe.remainingBytes());
        assertEquals(1, transport.session.replies(gather));
        assertSame(pipe, transport.session.pages());
        // The rest of the header and a part of the pages, told at once.
        gather[0].position(gather[0].limit());
        transport.session.sent(HEADER_BYTES - 10 + 300);
        assertEquals(700, pipe.remainingBytes());
        assertEquals(0, transport.session.replies(gather), "the header has left");
        assertSame(pipe, transport.session.pages());
        assertEquals(1000, transport.pool.bytesInUse());
        transport.session.sent(0);
        transport.session.sent(699);
        assertEquals(1, pipe.remainingBytes());
        assertThrows(IllegalArgumentException.class, () -> transport.session.sent(2));
    }

    @Test
    void areGivenBackWhenTheLastByteHasLeft() {
        stalledReads(1000, 1000);
        assertEquals(1, transport.session.replies(gather));
        gather[0].position(gather[0].limit());
        transport.session.sent(HEADER_BYTES + 999);
        assertEquals(2000, transport.pool.bytesInUse());
        assertEquals(0, disk.pipes.get(0).releases);
        transport.session.sent(1);
        assertEquals(1000, transport.pool.bytesInUse());
        assertEquals(1, disk.pipes.get(0).releases);
        assertEquals(1, transport.session.replies(gather));
        assertSame(disk.pipes.get(1), transport.session.pages());
    }

    @Test
    void thatWereNotSentAreGivenBackAtTheEnd() {
        disk.deferred = true;
        stalledReads(1000, 1000, 1000, 1000);
        disk.end(0);
        disk.end(0);
        assertEquals(1, transport.session.replies(gather));
        gather[0].position(gather[0].limit());
        transport.session.sent(HEADER_BYTES + 500);
        disk.end(0);
        transport.session.close();
        assertNull(transport.session.pages());
        disk.pipes.forEach(pipe -> assertEquals(1, pipe.releases, "amid sending, in the batch, and queued"));
        assertEquals(1000, transport.pool.bytesInUse());
        disk.end(0);
        assertEquals(4, disk.pipes.size());
        assertEquals(0, transport.pool.bytesInUse());
    }
}
