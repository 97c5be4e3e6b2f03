package io.remap.cli.sessions;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * The client's half of NBD as bytes, written from doc/proto.md and not from the server: handshake and requests to send, and
 * what is received taken apart in whatever pieces it comes. Whatever a server must not send is an {@link AssertionError}.
 */
final class ClientWire {
    private static final long NBDMAGIC = 0x4e42444d41474943L;
    private static final long IHAVEOPT = 0x49484156454f5054L;
    private static final long OPTION_REPLY_MAGIC = 0x3e889045565a9L;
    private static final int REQUEST_MAGIC = 0x25609513;
    private static final int SIMPLE_REPLY_MAGIC = 0x67446698;

    private static final int GO = 7;
    private static final int ACK = 1;
    private static final int INFO = 3;
    private static final int INFO_HEADER_BYTES = 20;
    private static final int REPLY_BYTES = 16;
    private static final int GREETING_BYTES = 18;
    private static final int COMMAND_FLAG_FUA = 1;
    private static final int COMMAND_FLAG_NO_HOLE = 2;

    /** Told what was received. */
    interface Listener {
        /** A request was answered. A successful READ: its payload stands in the buffer of the request. */
        void answered(DiskRequest request, DiskError error);
    }

    private enum Phase {
        GREETING,
        OPTION_REPLY,
        REPLY,
        PAYLOAD
    }

    private final Listener listener;
    private final Map<Long, DiskRequest> waiting = new HashMap<>();
    private final ByteArrayOutputStream received = new ByteArrayOutputStream();
    private Phase phase = Phase.GREETING;
    private int needed = GREETING_BYTES;
    private DiskRequest reading;
    private long cookies;

    ClientWire(Listener listener) {
        this.listener = listener;
    }

    /** Flags and GO for an export, without waiting for the greeting. */
    static ByteBuffer begin(String export) {
        byte[] name = export.getBytes(StandardCharsets.UTF_8);
        int length = 4 + name.length + 2;
        return ByteBuffer.allocate(4 + 16 + length)
                .putInt(3)
                .putLong(IHAVEOPT)
                .putInt(GO)
                .putInt(length)
                .putInt(name.length)
                .put(name)
                .putShort((short) 0)
                .flip();
    }

    /** A request, with the payload of a WRITE. */
    ByteBuffer request(DiskRequest request) {
        long cookie = 0x5a00_0000_0000_0000L + ++cookies;
        waiting.put(cookie, request);
        boolean write = request.operation == Operation.WRITE;
        boolean flush = request.operation == Operation.FLUSH;
        int payload = write ? (int) request.lengthBytes : 0;
        int flags = (request.fua ? COMMAND_FLAG_FUA : 0)
                | (request.operation == Operation.WRITE_ZEROES && request.keepAllocated ? COMMAND_FLAG_NO_HOLE : 0);
        ByteBuffer bytes = ByteBuffer.allocate(28 + payload)
                .putInt(REQUEST_MAGIC)
                .putShort((short) flags)
                .putShort(type(request.operation))
                .putLong(cookie)
                .putLong(flush ? 0 : request.offsetBytes)
                .putInt(flush ? 0 : (int) request.lengthBytes);
        if (write) {
            bytes.put(request.buffer.data().duplicate().clear().limit(payload));
        }
        return bytes.flip();
    }

    private static short type(Operation operation) {
        return switch (operation) {
            case READ -> 0;
            case WRITE -> 1;
            case FLUSH -> 3;
            case TRIM -> 4;
            case CACHE -> 5;
            case WRITE_ZEROES -> 6;
        };
    }

    /** Takes what the server sent. */
    void received(ByteBuffer bytes) {
        while (bytes.hasRemaining()) {
            int count = Math.min(needed - received.size(), bytes.remaining());
            for (int i = 0; i < count; i++) {
                received.write(bytes.get());
            }
            if (received.size() == needed) {
                ByteBuffer piece = ByteBuffer.wrap(received.toByteArray());
                if (phase != Phase.OPTION_REPLY || piece.capacity() > INFO_HEADER_BYTES || piece.getInt(16) == 0) {
                    received.reset();
                    take(piece);
                } else {
                    needed = INFO_HEADER_BYTES + piece.getInt(16);
                }
            }
        }
    }

    private void take(ByteBuffer piece) {
        switch (phase) {
            case GREETING -> {
                require(piece.getLong() == NBDMAGIC && piece.getLong() == IHAVEOPT, "no greeting");
                expect(Phase.OPTION_REPLY, INFO_HEADER_BYTES);
            }
            case OPTION_REPLY -> {
                require(piece.getLong() == OPTION_REPLY_MAGIC && piece.getInt() == GO, "no reply to GO");
                int type = piece.getInt();
                require(type == ACK || type == INFO, "GO was answered with " + type);
                expect(type == ACK ? Phase.REPLY : Phase.OPTION_REPLY, type == ACK ? REPLY_BYTES : INFO_HEADER_BYTES);
            }
            case REPLY -> takeReply(piece);
            case PAYLOAD -> {
                reading.buffer.data().clear().put(piece).clear();
                expect(Phase.REPLY, REPLY_BYTES);
                listener.answered(reading, DiskError.NONE);
            }
        }
    }

    private void takeReply(ByteBuffer piece) {
        require(piece.getInt() == SIMPLE_REPLY_MAGIC, "no reply");
        DiskError error = error(piece.getInt());
        long cookie = piece.getLong();
        DiskRequest request = waiting.remove(cookie);
        require(request != null, "a reply to nothing that waits: cookie " + cookie);
        if (request.operation == Operation.READ && error == DiskError.NONE) {
            reading = request;
            expect(Phase.PAYLOAD, (int) request.lengthBytes);
        } else {
            listener.answered(request, error);
        }
    }

    private void expect(Phase next, int bytes) {
        phase = next;
        needed = bytes;
    }

    private static DiskError error(int errno) {
        return switch (errno) {
            case 0 -> DiskError.NONE;
            case 1 -> DiskError.READ_ONLY;
            case 5 -> DiskError.IO;
            case 22 -> DiskError.INVALID;
            case 28 -> DiskError.NO_SPACE;
            case 95 -> DiskError.NOT_SUPPORTED;
            case 108 -> DiskError.SHUTDOWN;
            default -> throw new AssertionError("no error of NBD: " + errno);
        };
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
