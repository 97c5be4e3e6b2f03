package io.remap.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The client's half of the protocol, written from doc/proto.md and not from the server: bytes to send, replies taken apart. */
final class Client {
    static final int EXPORT_NAME = 1;
    static final int ABORT = 2;
    static final int LIST = 3;
    static final int INFO = 6;
    static final int GO = 7;

    static final int READ = 0;
    static final int WRITE = 1;
    static final int DISC = 2;
    static final int FLUSH = 3;
    static final int TRIM = 4;
    static final int CACHE = 5;
    static final int WRITE_ZEROES = 6;

    static final int FUA = 1;
    static final int NO_HOLE = 2;
    static final int FAST_ZERO = 16;

    /** One reply to an option. */
    record OptionReply(int option, int type, ByteBuffer data) {
        String text() {
            return StandardCharsets.UTF_8.decode(data.duplicate()).toString();
        }
    }

    /** One simple reply. */
    @SuppressWarnings("ArrayRecordComponent")
    record Reply(int errno, byte[] payload) {}

    private Client() {}

    static byte[] flags(int flags) {
        return ByteBuffer.allocate(4).putInt(flags).array();
    }

    static byte[] option(int option, byte... data) {
        return ByteBuffer.allocate(16 + data.length)
                .putLong(0x49484156454F5054L)
                .putInt(option)
                .putInt(data.length)
                .put(data)
                .array();
    }

    static byte[] infoData(byte[] name, int... requests) {
        ByteBuffer data = ByteBuffer.allocate(6 + name.length + 2 * requests.length);
        data.putInt(name.length).put(name).putShort((short) requests.length);
        for (int request : requests) {
            data.putShort((short) request);
        }
        return data.array();
    }

    static byte[] info(int option, String name, int... requests) {
        return option(option, infoData(name.getBytes(StandardCharsets.UTF_8), requests));
    }

    static byte[] request(int type, int flags, long cookie, long offset, long length, byte... payload) {
        return ByteBuffer.allocate(28 + payload.length)
                .putInt(0x25609513)
                .putShort((short) flags)
                .putShort((short) type)
                .putLong(cookie)
                .putLong(offset)
                .putInt((int) length)
                .put(payload)
                .array();
    }

    static byte[] write(long cookie, long offset, byte... payload) {
        return request(WRITE, 0, cookie, offset, payload.length, payload);
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    /** Handshake up to the transmission of an export, its answer checked and taken. */
    static TestTransport go(TestTransport transport, String name) {
        transport.send(join(flags(3), info(GO, name)));
        ByteBuffer answer = transport.received();
        answer.position(18);
        List<OptionReply> replies = optionReplies(answer);
        assertEquals(1, replies.get(replies.size() - 1).type(), "ACK of GO");
        return transport;
    }

    static List<OptionReply> optionReplies(ByteBuffer bytes) {
        List<OptionReply> replies = new ArrayList<>();
        while (bytes.hasRemaining()) {
            assertEquals(0x3e889045565a9L, bytes.getLong(), "magic of an option reply");
            int option = bytes.getInt();
            int type = bytes.getInt();
            int length = bytes.getInt();
            replies.add(new OptionReply(option, type, bytes.slice(bytes.position(), length)));
            bytes.position(bytes.position() + length);
        }
        return replies;
    }

    /** Takes replies apart; {@code readLengths} says how much payload a successful READ of a cookie has. */
    static Map<Long, Reply> replies(ByteBuffer bytes, Map<Long, Integer> readLengths) {
        Map<Long, Reply> replies = new HashMap<>();
        while (bytes.hasRemaining()) {
            assertEquals(0x67446698, bytes.getInt(), "magic of a simple reply");
            int errno = bytes.getInt();
            long cookie = bytes.getLong();
            byte[] payload = new byte[errno == 0 ? readLengths.getOrDefault(cookie, 0) : 0];
            bytes.get(payload);
            assertFalse(replies.containsKey(cookie), "a second reply to cookie " + cookie);
            replies.put(cookie, new Reply(errno, payload));
        }
        return replies;
    }

    /** Sends one request and gives its reply. */
    static Reply ask(TestTransport transport, int type, int flags, long offset, long length, byte... payload) {
        long cookie = 0xfedcba9876543210L;
        transport.send(request(type, flags, cookie, offset, length, payload));
        Map<Long, Reply> replies =
                replies(transport.received(), type == READ ? Map.of(cookie, (int) length) : Map.of());
        assertEquals(1, replies.size(), "replies");
        return replies.get(cookie);
    }
}
