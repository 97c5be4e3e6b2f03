package io.remap.nbd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Export;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same conversation in pieces of every size, and nonsense of every kind. A failure names its seed. */
class PiecesTest {
    private static final int SIZE = 1 << 20;
    private static final int SEEDS = 2000;

    /** A conversation, what the disk holds after it, and how much each READ gives. */
    @SuppressWarnings("ArrayRecordComponent")
    private record Script(byte[] bytes, byte[] content, Map<Long, Integer> reads, Map<Long, Integer> errors) {}

    /** Requests of all kinds, each on a range of its own, so that their order does not matter. */
    private static Script script(Random random, int requests, int size) {
        byte[][] parts = new byte[requests + 2][];
        parts[0] = Client.flags(3);
        parts[1] = Client.info(Client.GO, "disk", 3);
        byte[] content = new byte[size];
        Map<Long, Integer> reads = new HashMap<>();
        Map<Long, Integer> errors = new HashMap<>();
        int slot = size / requests;
        for (int i = 0; i < requests; i++) {
            long cookie = random.nextLong();
            int length = 1 + random.nextInt(random.nextInt(8) == 0 ? slot : Math.min(slot, 600));
            int offset = i * slot + random.nextInt(slot - length + 1);
            int error = 0;
            switch (random.nextInt(8)) {
                case 0 -> {
                    parts[i + 2] = Client.request(Client.READ, 0, cookie, offset, length);
                    reads.put(cookie, length);
                }
                case 1 -> parts[i + 2] = Client.request(Client.FLUSH, 0, cookie, 0, 0);
                case 2 -> parts[i + 2] = Client.request(Client.WRITE_ZEROES, 0, cookie, offset, length);
                case 3 -> {
                    parts[i + 2] = Client.request(77, 0, cookie, offset, length);
                    error = 22;
                }
                case 4 -> {
                    parts[i + 2] = Client.write(cookie, size - length + 1, new byte[length]);
                    error = 28;
                }
                default -> {
                    byte[] data = new byte[length];
                    random.nextBytes(data);
                    parts[i + 2] = Client.write(cookie, offset, data);
                    System.arraycopy(data, 0, content, offset, length);
                }
            }
            errors.put(cookie, error);
        }
        return new Script(Client.join(parts), content, reads, errors);
    }

    private static void check(Script script, FakeDisk disk, TestTransport transport, String seed) {
        ByteBuffer bytes = transport.received();
        bytes.position(18 + 20 + 12 + 20 + 14 + 20);
        Map<Long, Client.Reply> replies = Client.replies(bytes, script.reads);
        assertEquals(script.errors.keySet(), replies.keySet(), seed);
        replies.forEach((cookie, reply) -> assertEquals(script.errors.get(cookie), reply.errno(), seed));
        assertArrayEquals(script.content, disk.content, seed);
        assertFalse(transport.session.busy(), seed);
        assertEquals(0, transport.pool.bytesInUse(), seed);
    }

    @Test
    void cutAtEveryByte() {
        Script script = script(new Random(1), 12, 4096);
        for (int cut = 1; cut < script.bytes.length; cut++) {
            FakeDisk disk = new FakeDisk(4096);
            TestTransport transport = new TestTransport(disk);
            transport.send(Arrays.copyOf(script.bytes, cut));
            transport.send(Arrays.copyOfRange(script.bytes, cut, script.bytes.length));
            check(script, disk, transport, "cut at " + cut);
            transport.close();
        }
    }

    @Test
    void oneByteAtATime() {
        Script script = script(new Random(2), 40, SIZE);
        FakeDisk disk = new FakeDisk(SIZE);
        TestTransport transport = new TestTransport(disk);
        transport.receiveBytes = () -> 1;
        transport.sendBytes = () -> 1;
        transport.send(script.bytes);
        check(script, disk, transport, "one byte at a time");
        transport.close();
    }

    /** Pieces of any size, requests that end in any order, a small memory, and a client that stalls now and then. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void piecesOfAnySize(long seed) {
        piecesOfAnySize(seed, false);
    }

    @ParameterizedTest
    @ValueSource(longs = {21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40})
    void piecesOfAnySizeWithPages(long seed) {
        piecesOfAnySize(seed, true);
    }

    private static void piecesOfAnySize(long seed, boolean withPages) {
        Random random = new Random(seed);
        Script script = script(random, 20 + random.nextInt(300), SIZE);
        FakeDisk disk = new FakeDisk(SIZE);
        disk.deferred = true;
        TestTransport transport = new TestTransport(64 << 10, new Export("disk", "", disk));
        transport.takesPages = withPages;
        int largest = 1 << random.nextInt(18);
        transport.receiveBytes = () -> 1 + random.nextInt(largest);
        transport.sendBytes = () -> 1 + random.nextInt(largest);
        transport.send(script.bytes);
        while (transport.left() > 0 || !disk.waiting.isEmpty() || transport.session.busy()) {
            transport.clientStalls = random.nextInt(4) == 0;
            disk.givesPages = withPages && random.nextInt(3) > 0;
            if (!disk.waiting.isEmpty()) {
                disk.end(random.nextInt(disk.waiting.size()));
            } else {
                assertTrue(transport.clientStalls || transport.session.busy() || transport.left() > 0, "seed " + seed);
            }
            transport.pump();
        }
        check(script, disk, transport, "seed " + seed);
        assertEquals(withPages, !disk.pipes.isEmpty(), "seed " + seed);
        assertTrue(disk.pipes.stream().allMatch(pipe -> pipe.releases == 1), "seed " + seed);
        transport.close();
    }

    /** Damaged conversations: the session answers or ends, it never throws, hangs or keeps a buffer. */
    @Test
    void nonsense() {
        int ended = 0;
        int answered = 0;
        for (long seed = 0; seed < SEEDS; seed++) {
            Random random = new Random(seed);
            byte[] bytes = damaged(random, script(random, 1 + random.nextInt(20), 32 << 10).bytes);
            FakeDisk disk = new FakeDisk(32 << 10);
            disk.deferred = random.nextBoolean();
            TestTransport transport = new TestTransport(256 << 10, new Export("disk", "", disk));
            int largest = 1 << random.nextInt(14);
            transport.receiveBytes = () -> 1 + random.nextInt(largest);
            try {
                transport.send(bytes);
                boolean hold = random.nextInt(4) == 0;
                while (!hold && !disk.waiting.isEmpty()) {
                    disk.end(random.nextInt(disk.waiting.size()));
                    transport.pump();
                }
                if (!hold) {
                    transport.session.inputEnded();
                    transport.pump();
                    assertTrue(transport.finished, "neither answered nor ended");
                    assertTrue(transport.abrupt || !transport.session.busy(), "does not end");
                }
                transport.session.close();
                while (!disk.waiting.isEmpty()) {
                    disk.end(0);
                }
                transport.close();
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed + ": " + e, e);
            }
            ended += transport.abrupt ? 1 : 0;
            answered += transport.count("nbd.exports-granted") > 0 ? 1 : 0;
        }
        assertTrue(ended > SEEDS / 10 && answered > SEEDS / 10, ended + " cut off, " + answered + " granted");
    }

    private static byte[] damaged(Random random, byte[] bytes) {
        int kind = random.nextInt(5);
        if (kind == 0) {
            byte[] noise = new byte[random.nextInt(20_000)];
            random.nextBytes(noise);
            return noise;
        }
        byte[] result = bytes.clone();
        int from = kind == 1 ? 0 : 24 + random.nextInt(100);
        for (int i = 1 + random.nextInt(6); i > 0; i--) {
            int at = from + random.nextInt(Math.max(1, result.length - from));
            if (at < result.length) {
                result[at] = random.nextInt(3) == 0 ? (byte) (random.nextInt(3) - 1) : (byte) random.nextInt();
            }
        }
        return kind == 2 ? Arrays.copyOf(result, random.nextInt(result.length)) : result;
    }
}
