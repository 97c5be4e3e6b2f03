package io.remap.nbd;

import static io.remap.nbd.Client.CACHE;
import static io.remap.nbd.Client.DISC;
import static io.remap.nbd.Client.FAST_ZERO;
import static io.remap.nbd.Client.FLUSH;
import static io.remap.nbd.Client.FUA;
import static io.remap.nbd.Client.NO_HOLE;
import static io.remap.nbd.Client.READ;
import static io.remap.nbd.Client.TRIM;
import static io.remap.nbd.Client.WRITE;
import static io.remap.nbd.Client.WRITE_ZEROES;
import static io.remap.nbd.Client.ask;
import static io.remap.nbd.Client.join;
import static io.remap.nbd.Client.request;
import static io.remap.nbd.Client.write;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.DiskTraits;
import io.remap.nbd.Client.Reply;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests and replies, command by command and error by error, against doc/proto.md. */
class TransmissionTest {
    private static final int SIZE = 1 << 20;
    private static final int EPERM = 1;
    private static final int EIO = 5;
    private static final int EINVAL = 22;
    private static final int ENOSPC = 28;
    private static final int ENOTSUP = 95;
    private static final int ESHUTDOWN = 108;
    private static final long FAR = 1L << 62;

    private final FakeDisk disk = new FakeDisk(SIZE);
    private TestTransport transport = Client.go(new TestTransport(disk), "disk");

    @AfterEach
    void close() {
        disk.errors = request -> DiskError.NONE;
        while (!disk.waiting.isEmpty()) {
            disk.end(0);
        }
        transport.close();
    }

    private void serve(FakeDisk other) {
        transport.close();
        transport = Client.go(new TestTransport(other), "disk");
    }

    private static byte[] random(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }

    private static void assertError(int errno, Reply reply) {
        assertEquals(errno, reply.errno());
    }

    // --- each command

    @ParameterizedTest
    @CsvSource({"0, 1", "1, 511", "4096, 4096", "777, 100000", "0, 1048576", "1048575, 1"})
    void readsWhatWasWritten(int offset, int length) {
        byte[] data = random(length);
        assertError(0, ask(transport, WRITE, 0, offset, length, data));
        assertArrayEquals(data, Arrays.copyOfRange(disk.content, offset, offset + length));
        Reply reply = ask(transport, READ, 0, offset, length);
        assertError(0, reply);
        assertArrayEquals(data, reply.payload());
        assertEquals(length, transport.count("nbd.read-bytes"));
        assertEquals(length, transport.count("nbd.written-bytes"));
        assertEquals(1, transport.count("nbd.requests.read"));
        assertEquals(1, transport.count("nbd.requests.write"));
        assertEquals(0, transport.count("nbd.errors"));
        assertFalse(transport.session.busy());
    }

    @ParameterizedTest
    @CsvSource({"0, READ", "1, WRITE", "3, FLUSH", "4, TRIM", "5, CACHE", "6, WRITE_ZEROES"})
    void everyCommandReachesTheDiskAsItIs(int type, Operation operation) {
        byte[] payload = type == WRITE ? new byte[700] : new byte[0];
        assertError(0, ask(transport, type, 0, 300, 700, payload));
        assertError(0, ask(transport, type, FUA, 300, 700, payload));
        List<FakeDisk.Seen> expected = List.of(
                new FakeDisk.Seen(operation, 300, 700, false, false, false),
                new FakeDisk.Seen(operation, 300, 700, true, false, false));
        assertEquals(expected, disk.seen);
    }

    @Test
    void writeZeroesHasFlagsOfItsOwn() {
        Arrays.fill(disk.content, (byte) 1);
        assertError(0, ask(transport, WRITE_ZEROES, NO_HOLE, 10, 20));
        assertError(0, ask(transport, WRITE_ZEROES, FAST_ZERO, 40, 20));
        assertError(0, ask(transport, WRITE_ZEROES, FAST_ZERO | NO_HOLE | FUA, 70, 20));
        assertEquals(
                List.of(
                        new FakeDisk.Seen(Operation.WRITE_ZEROES, 10, 20, false, true, false),
                        new FakeDisk.Seen(Operation.WRITE_ZEROES, 40, 20, false, false, true),
                        new FakeDisk.Seen(Operation.WRITE_ZEROES, 70, 20, true, true, true)),
                disk.seen);
    }

    @Test
    void commandsWithoutPayloadMayBeLong() {
        serve(new FakeDisk(new DiskTraits(Long.MAX_VALUE & -512, 512, 4096, false, false)));
        for (int type : new int[] {TRIM, CACHE}) {
            assertError(0, ask(transport, type, 0, FAR, 0xffffffffL));
        }
    }

    @Test
    void cookiesAreEchoedWhole() {
        byte[] sent =
                join(request(FLUSH, 0, -1, 0, 0), request(FLUSH, 0, Long.MIN_VALUE, 0, 0), request(FLUSH, 0, 0, 0, 0));
        transport.send(sent);
        assertEquals(
                java.util.Set.of(-1L, Long.MIN_VALUE, 0L),
                Client.replies(transport.received(), Map.of()).keySet());
    }

    // --- what is refused

    @ParameterizedTest
    @CsvSource({
        "0, 22", "1, 28", "4, 22", "5, 22", "6, 28",
    })
    void beyondTheEnd(int type, int errno) {
        byte[] payload = type == WRITE ? new byte[4] : new byte[0];
        for (long offset :
                new long[] {SIZE - 3, SIZE, SIZE + 1, Long.MAX_VALUE - 3, Long.MAX_VALUE, -1, -4, Long.MIN_VALUE}) {
            assertError(errno, ask(transport, type, 0, offset, 4, payload));
        }
        assertEquals(List.of(), disk.seen);
        assertError(0, ask(transport, type, 0, SIZE - 4, 4, payload));
        assertEquals(8, transport.count("nbd.errors"));
    }

    @ParameterizedTest
    @CsvSource({"0, 0xfffe", "1, 0xfffe", "3, 0xfffe", "4, 0xfffe", "5, 0xfffe", "6, 0xffec"})
    void unknownFlagsAreInvalid(int type, String invalid) {
        byte[] payload = type == WRITE ? new byte[600] : new byte[0];
        for (int bit = 0; bit < 16; bit++) {
            int flag = 1 << bit;
            int expected = (flag & Integer.decode(invalid)) != 0 ? EINVAL : 0;
            assertError(expected, ask(transport, type, flag, 0, 600, payload));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {7, 8, 9, 100, 32768, 65535})
    void unknownCommandsAreInvalid(int type) {
        assertError(EINVAL, ask(transport, type, 0, 0, 512));
        assertEquals(1, transport.count("nbd.requests.unknown"));
        assertError(0, ask(transport, FLUSH, 0, 0, 0));
    }

    @Test
    void readOnlyRefusesChangesAndConsumesThem() {
        serve(new FakeDisk(new DiskTraits(SIZE, 512, 4096, true, false)));
        assertError(EPERM, ask(transport, WRITE, 0, 0, 100_000, new byte[100_000]));
        assertError(EPERM, ask(transport, TRIM, 0, 0, 512));
        assertError(EPERM, ask(transport, WRITE_ZEROES, NO_HOLE, 0, 512));
        assertError(0, ask(transport, READ, 0, 0, 512));
        assertError(0, ask(transport, FLUSH, 0, 0, 0));
        assertError(0, ask(transport, CACHE, 0, 0, 512));
    }

    @ParameterizedTest
    @ValueSource(ints = {READ, WRITE})
    void nothingIsReadOrWrittenAtOnce(int type) {
        assertError(0, ask(transport, type, FUA, 0, 0));
        assertError(0, ask(transport, type, 0, SIZE, 0));
        assertError(type == READ ? EINVAL : ENOSPC, ask(transport, type, 0, SIZE + 1, 0));
        assertEquals(List.of(), disk.seen);
    }

    @ParameterizedTest
    @ValueSource(ints = {TRIM, CACHE, WRITE_ZEROES})
    void lengthZeroIsNoReasonToLeave(int type) {
        assertError(0, ask(transport, type, 0, 5, 0));
    }

    @Test
    void payloadLimitIsExact() {
        int most = 32 << 20;
        serve(new FakeDisk(new DiskTraits(1L << 40, 512, 4096, false, false)));
        assertError(EINVAL, ask(transport, READ, 0, 0, most + 1));
        assertError(EINVAL, ask(transport, READ, 0, 0, 0xffffffffL));
        assertError(EINVAL, ask(transport, WRITE, 0, 0, most + 1, new byte[most + 1]));
        FakeDisk large = new FakeDisk(new DiskTraits(1L << 40, 512, 4096, false, false));
        large.errors = request -> DiskError.IO;
        serve(large);
        assertError(EIO, ask(transport, WRITE, 0, 0, most, new byte[most]));
        assertError(EIO, ask(transport, READ, 0, 0, most));
        assertEquals(2, large.seen.size());
    }

    @Test
    void writeThatIsFarTooLongEndsIt() {
        transport.send(request(WRITE, 0, 1, 0, Transmission.MAX_DISCARDED_BYTES + 1));
        transport.assertEnds(true);
    }

    @Test
    void wrongMagicEndsIt() {
        disk.deferred = true;
        transport.send(join(request(READ, 0, 1, 0, 512), new byte[28]));
        transport.assertEnds(true);
        assertEquals(1, transport.count("nbd.violations"));
        assertEquals(null, transport.session.wanted());
    }

    @ParameterizedTest
    @EnumSource(DiskError.class)
    void errorsOfTheDiskHaveTheirErrno(DiskError error) {
        disk.errors = request -> error;
        int expected = switch (error) {
            case NONE -> 0;
            case IO -> EIO;
            case NO_SPACE -> ENOSPC;
            case READ_ONLY -> EPERM;
            case INVALID -> EINVAL;
            case NOT_SUPPORTED -> EINVAL;
            case SHUTDOWN -> ESHUTDOWN;
        };
        assertError(expected, ask(transport, READ, 0, 0, 512));
        assertError(expected, ask(transport, WRITE, 0, 0, 512, new byte[512]));
        assertError(expected, ask(transport, FLUSH, 0, 0, 0));
        assertError(
                error == DiskError.NOT_SUPPORTED ? ENOTSUP : expected, ask(transport, WRITE_ZEROES, FAST_ZERO, 0, 512));
        assertEquals(0, transport.pool.bytesInUse());
    }

    // --- order, limits, the end

    @Test
    void repliesLeaveInTheOrderInWhichRequestsEnd() {
        disk.deferred = true;
        for (int i = 0; i < 50; i++) {
            disk.content[i] = (byte) i;
            transport.send(request(READ, 0, i, i, 1));
        }
        assertTrue(transport.session.busy());
        Random order = new Random(1);
        while (!disk.waiting.isEmpty()) {
            int chosen = order.nextInt(disk.waiting.size());
            long offset = disk.waiting.get(chosen).offsetBytes;
            disk.end(chosen);
            transport.pump();
            Map<Long, Reply> replies = Client.replies(transport.received(), Map.of(offset, 1));
            assertEquals(java.util.Set.of(offset), replies.keySet());
            assertArrayEquals(new byte[] {(byte) offset}, replies.get(offset).payload());
        }
        assertFalse(transport.session.busy());
    }

    @Test
    void repliesAreGathered() {
        disk.deferred = true;
        byte[][] requests = new byte[100][];
        Arrays.setAll(requests, i -> i % 2 == 0 ? write(i, i, (byte) i) : request(READ, 0, i, i, 1));
        transport.send(join(requests));
        int told = transport.repliesReady;
        while (!disk.waiting.isEmpty()) {
            disk.end(0);
        }
        assertEquals(told + 1, transport.repliesReady, "told once, until they are taken");
        transport.pump();
        assertEquals(51, transport.largestGather, "50 payloads, and all other replies in one piece");
        assertEquals(100, transport.received().remaining() / 16 - 3, "100 headers and 50 bytes");
    }

    @Test
    void requestsInFlightAreLimited() {
        disk.deferred = true;
        byte[][] requests = new byte[InFlight.MAX_REQUESTS + 3][];
        Arrays.setAll(requests, i -> request(FLUSH, 0, i, 0, 0));
        transport.send(join(requests));
        assertEquals(InFlight.MAX_REQUESTS, disk.waiting.size());
        assertEquals(null, transport.session.wanted());
        transport.clientStalls = true;
        disk.end(5);
        transport.pump();
        assertEquals(InFlight.MAX_REQUESTS - 1, disk.waiting.size(), "a reply that waits holds its slot");
        assertEquals(0, transport.inputReady);
        transport.clientStalls = false;
        transport.pump();
        assertTrue(transport.inputReady > 0);
        assertEquals(InFlight.MAX_REQUESTS, disk.waiting.size());
        while (!disk.waiting.isEmpty()) {
            disk.end(0);
            transport.pump();
        }
        assertEquals(
                requests.length, Client.replies(transport.received(), Map.of()).size());
        assertTrue(transport.session.wanted() != null);
    }

    @Test
    void bytesInFlightAreLimited() {
        disk.deferred = true;
        int count = InFlight.MAX_BYTES / SIZE;
        byte[][] requests = new byte[count + 1][];
        Arrays.setAll(requests, i -> request(READ, 0, i, 0, SIZE));
        transport.send(join(requests));
        assertEquals(count, disk.waiting.size());
        assertEquals(InFlight.MAX_BYTES, transport.pool.bytesInUse());
        disk.errors = request -> DiskError.IO;
        disk.end(0);
        assertTrue(transport.inputReady > 0, "room was made by a read that failed");
        transport.pump();
        assertEquals(count, disk.waiting.size());
        while (!disk.waiting.isEmpty()) {
            disk.end(0);
        }
        transport.pump();
        assertEquals(count + 1, Client.replies(transport.received(), Map.of()).size());
    }

    @Test
    void memoryOfOthersIsWaitedFor() {
        transport.close();
        transport = Client.go(new TestTransport(SIZE, new io.remap.api.Export("disk", "", disk)), "disk");
        var others = transport.pool.acquire(SIZE - 1000);
        transport.send(join(write(1, 0, random(600)), write(2, 0, random(2000)), request(FLUSH, 0, 3, 0, 0)));
        assertEquals(1, Client.replies(transport.received(), Map.of()).size());
        assertEquals(null, transport.session.wanted());
        int told = transport.inputReady;
        others.release();
        assertEquals(told + 1, transport.inputReady);
        transport.pump();
        assertEquals(2, Client.replies(transport.received(), Map.of()).size());
        assertArrayEquals(random(2000), Arrays.copyOf(disk.content, 2000));
    }

    /** A transport forgets what it was told before it asks, and goes on only if it is told after that. */
    @Test
    void roomMadeBeforeTheTransportAsksIsToldAfterThat() {
        transport.close();
        transport = Client.go(new TestTransport(SIZE, new io.remap.api.Export("disk", "", disk)), "disk");
        var others = transport.pool.acquire(SIZE);
        transport.send(request(READ, 0, 1, 0, 512));
        assertEquals(null, transport.session.poll(), "held back");
        others.release();
        int told = transport.inputReady;
        assertEquals(null, transport.session.wanted());
        assertEquals(told + 1, transport.inputReady);
        transport.pump();
        assertEquals(1, Client.replies(transport.received(), Map.of(1L, 512)).size());
    }

    @Test
    void shutdownAnswersWhatIsUnderWayAndRefusesTheRest() {
        disk.deferred = true;
        byte[] half = write(2, 0, random(1000));
        transport.send(join(request(FLUSH, 0, 1, 0, 0), Arrays.copyOf(half, 500)));
        transport.session.shutdown();
        assertTrue(transport.session.busy());
        transport.send(join(
                Arrays.copyOfRange(half, 500, half.length), write(3, 0, random(40_000)), request(READ, 0, 4, 0, 9)));
        disk.end(0);
        transport.pump();
        Map<Long, Reply> replies = Client.replies(transport.received(), Map.of());
        assertEquals(0, replies.get(1L).errno());
        assertEquals(ESHUTDOWN, replies.get(2L).errno());
        assertEquals(ESHUTDOWN, replies.get(3L).errno());
        assertEquals(ESHUTDOWN, replies.get(4L).errno());
        assertFalse(transport.session.busy());
        transport.assertGoesOn();
        assertEquals(1, disk.seen.size());
    }

    @Test
    void shutdownWakesWhoWaitsForMemory() {
        transport.close();
        transport = Client.go(new TestTransport(SIZE, new io.remap.api.Export("disk", "", disk)), "disk");
        var others = transport.pool.acquire(SIZE);
        transport.send(request(READ, 0, 1, 0, 512));
        transport.session.shutdown();
        assertTrue(transport.inputReady > 0);
        transport.pump();
        assertEquals(
                ESHUTDOWN,
                Client.replies(transport.received(), Map.of()).get(1L).errno());
        others.release();
    }

    @Test
    void disconnectWaitsForWhatIsUnderWay() {
        disk.deferred = true;
        transport.send(join(request(READ, 0, 1, 0, 5), write(2, 0, (byte) 7), request(DISC, 0xff, 9, -1, 77)));
        transport.assertGoesOn();
        assertEquals(null, transport.session.wanted(), "nothing is wanted after a goodbye");
        disk.end(0);
        transport.assertGoesOn();
        disk.end(0);
        transport.assertEnds(false);
        transport.pump();
        assertEquals(2, Client.replies(transport.received(), Map.of(1L, 5)).size());
        assertFalse(transport.session.busy());
    }

    @Test
    void disconnectWithNothingUnderWayIsTheEnd() {
        transport.send(request(DISC, 0, 0, 0, 0));
        transport.assertEnds(false);
    }

    @Test
    void endOfInputAnswersWhatIsComplete() {
        disk.deferred = true;
        byte[][] requests = new byte[InFlight.MAX_REQUESTS + 2][];
        Arrays.setAll(requests, i -> request(FLUSH, 0, i, 0, 0));
        transport.send(join(join(requests), Arrays.copyOf(write(999, 0, random(50_000)), 20_000)));
        transport.session.inputEnded();
        transport.assertGoesOn();
        while (!disk.waiting.isEmpty()) {
            disk.end(0);
            transport.pump();
        }
        transport.assertEnds(false);
        assertEquals(
                requests.length, Client.replies(transport.received(), Map.of()).size());
        assertEquals(0, transport.pool.bytesInUse(), "the incomplete request is dropped");
    }

    @Test
    void endOfInputWithNothingUnderWayIsTheEnd() {
        transport.session.inputEnded();
        transport.assertEnds(false);
        TestTransport other = new TestTransport(disk);
        other.session.inputEnded();
        other.assertEnds(false);
        other.close();
    }

    // --- where bytes stand

    @Test
    void largePayloadIsReceivedIntoItsBuffer() {
        byte[] data = random(200_000);
        byte[] sent = write(1, 0, data);
        transport.receiveBytes = () -> 1000;
        transport.send(Arrays.copyOf(sent, 1000));
        ByteBuffer into = transport.session.wanted();
        assertEquals(200_000 - 972, into.remaining(), "exactly the rest");
        assertTrue(into.isDirect());
        transport.receiveBytes = () -> Integer.MAX_VALUE;
        transport.send(Arrays.copyOfRange(sent, 1000, sent.length));
        assertArrayEquals(data, Arrays.copyOf(disk.content, data.length));
        assertEquals(28, transport.session.wanted().remaining(), "after a large WRITE only the next header");
        transport.send(write(2, 0, random(100_000)));
        assertArrayEquals(random(100_000), Arrays.copyOf(disk.content, 100_000));
        transport.send(request(FLUSH, 0, 3, 0, 0));
        assertEquals(SessionMemory.RECEIVE_BYTES, transport.session.wanted().remaining());
    }

    @Test
    void headerAndPayloadOfARepliedReadAreOnePiece() {
        disk.deferred = true;
        transport.send(request(READ, 0, 42, 0, 777));
        disk.end(0);
        ByteBuffer[] gather = new ByteBuffer[4];
        assertEquals(1, transport.session.replies(gather));
        assertEquals(16 + 777, gather[0].remaining());
        assertTrue(gather[0].isDirect());
        assertEquals(1, transport.session.replies(gather), "the same as long as it was not sent");
        assertEquals(16 + 777, gather[0].remaining());
        transport.pump();
        assertEquals(0, transport.pool.bytesInUse());
    }
}
