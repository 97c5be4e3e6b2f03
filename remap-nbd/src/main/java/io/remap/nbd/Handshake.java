package io.remap.nbd;

import io.remap.api.DiskTraits;
import io.remap.api.Export;
import io.remap.api.Exports;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Fixed newstyle negotiation (doc/proto.md, "Newstyle negotiation"): takes the client's flags and then options, one at a
 * time, until an export is granted. Input side of one session.
 *
 * <p>Invariants: no disk is touched before an export is granted, and its size and flags alone are then; what is kept of a
 * client is one option of at most {@link #MAX_OPTION_BYTES}; a message is consumed whole, also when it is refused.
 */
final class Handshake {
    /** Longest data of an option; a longer one ends the connection. Holds a name of the longest kind with its list. */
    static final int MAX_OPTION_BYTES = 8 << 10;
    /** Most options of one connection. */
    static final int MAX_OPTIONS = 32;
    /** Most exports in the answer to LIST. */
    static final int MAX_LISTED_EXPORTS = 1024;
    /** A receive buffer of this size holds the longest message. */
    static final int RECEIVE_BYTES = Protocol.OPTION_HEADER_BYTES + MAX_OPTION_BYTES;

    private static final int CLIENT_FLAGS_BYTES = 4;
    private static final int KNOWN_FLAGS = Protocol.FLAG_FIXED_NEWSTYLE | Protocol.FLAG_NO_ZEROES;
    private static final int MAX_QUOTED_CHARS = 40;

    /** What came of the bytes. */
    enum Outcome {
        /** The message is not complete. */
        MORE,
        /** One message was taken; {@link #takeReply} has the answer. */
        ANSWERED,
        /** The same, and after the answer the transmission begins with {@link #granted}. */
        GRANTED,
        /** The same, and after the answer the client wants to leave. */
        ABORTED,
        /** The connection has to end without an answer; {@link #refusal} says why. */
        REFUSED
    }

    private final Exports exports;
    private final ByteArrayOutputStream reply = new ByteArrayOutputStream();
    private boolean flagsTaken;
    private boolean withoutZeroes;
    private boolean shuttingDown;
    private int options;
    private Export granted;
    private String refusal = "";

    Handshake(Exports exports) {
        this.exports = exports;
    }

    /** What the server says first. */
    static ByteBuffer greeting() {
        return ByteBuffer.allocate(18)
                .putLong(Protocol.NBDMAGIC)
                .putLong(Protocol.IHAVEOPT)
                .putShort((short) KNOWN_FLAGS)
                .flip();
    }

    /** The answer to the message that was taken last; empty for the client's flags. */
    ByteBuffer takeReply() {
        ByteBuffer bytes = ByteBuffer.wrap(reply.toByteArray());
        reply.reset();
        return bytes;
    }

    Export granted() {
        return granted;
    }

    String refusal() {
        return refusal;
    }

    /** Takes the next message, if it is complete between position and limit. */
    Outcome consume(ByteBuffer in, boolean shutdown) {
        shuttingDown = shutdown;
        if (!flagsTaken) {
            return in.remaining() < CLIENT_FLAGS_BYTES ? Outcome.MORE : takeFlags(in.getInt());
        }
        if (in.remaining() < Protocol.OPTION_HEADER_BYTES) {
            return Outcome.MORE;
        }
        int at = in.position();
        long length = Integer.toUnsignedLong(in.getInt(at + 12));
        if (in.getLong(at) != Protocol.IHAVEOPT) {
            return refuse("expected an option, found 0x" + Long.toHexString(in.getLong(at)));
        }
        if (length > MAX_OPTION_BYTES) {
            return refuse("option of " + length + " bytes, the limit is " + MAX_OPTION_BYTES);
        }
        if (options == MAX_OPTIONS) {
            return refuse("more than " + MAX_OPTIONS + " options");
        }
        if (in.remaining() < Protocol.OPTION_HEADER_BYTES + length) {
            return Outcome.MORE;
        }
        options++;
        ByteBuffer data = in.slice(at + Protocol.OPTION_HEADER_BYTES, (int) length);
        in.position(at + Protocol.OPTION_HEADER_BYTES + (int) length);
        return takeOption(in.getInt(at + 8), data);
    }

    private Outcome takeFlags(int flags) {
        if ((flags & ~KNOWN_FLAGS) != 0) {
            return refuse("client flags 0x" + Integer.toHexString(flags) + " were not offered");
        }
        flagsTaken = true;
        withoutZeroes = (flags & Protocol.FLAG_NO_ZEROES) != 0;
        return Outcome.ANSWERED;
    }

    private Outcome takeOption(int option, ByteBuffer data) {
        if (option == Protocol.OPT_ABORT) {
            answer(option, Protocol.REP_ACK);
            return Outcome.ABORTED;
        }
        if (option == Protocol.OPT_EXPORT_NAME) {
            return exportName(data);
        }
        if (shuttingDown) {
            return error(option, Protocol.REP_ERR_SHUTDOWN, "the server is stopping");
        }
        return switch (option) {
            case Protocol.OPT_LIST -> list(data);
            case Protocol.OPT_INFO, Protocol.OPT_GO -> info(option, data);
            default ->
                error(
                        option,
                        Protocol.REP_ERR_UNSUP,
                        "option " + Integer.toUnsignedString(option) + " is not known here");
        };
    }

    /** EXPORT_NAME has no error reply: what cannot be served ends the connection. */
    private Outcome exportName(ByteBuffer data) {
        if (shuttingDown) {
            return refuse("the server is stopping");
        }
        Optional<String> name = string(data);
        Optional<Export> export = name.flatMap(exports::find);
        if (export.isEmpty()) {
            return refuse("no export " + quoted(name.orElse("(no valid name)")));
        }
        granted = export.get();
        DiskTraits traits = granted.disk().traits();
        ByteBuffer answer = ByteBuffer.allocate(10 + (withoutZeroes ? 0 : Protocol.EXPORT_NAME_PADDING_BYTES));
        answer.putLong(traits.sizeBytes()).putShort((short) NbdExport.transmissionFlags(granted.disk()));
        reply.writeBytes(answer.array());
        return Outcome.GRANTED;
    }

    private Outcome list(ByteBuffer data) {
        if (data.hasRemaining()) {
            return error(Protocol.OPT_LIST, Protocol.REP_ERR_INVALID, "LIST takes no data");
        }
        List<Export> all = exports.list();
        if (all.size() > MAX_LISTED_EXPORTS) {
            return error(Protocol.OPT_LIST, Protocol.REP_ERR_TOO_BIG, "too many exports to list them");
        }
        for (Export export : all) {
            byte[] name = bytes(export.name());
            byte[] length = ByteBuffer.allocate(4).putInt(name.length).array();
            answer(Protocol.OPT_LIST, Protocol.REP_SERVER, length, name, bytes(export.description()));
        }
        answer(Protocol.OPT_LIST, Protocol.REP_ACK);
        return Outcome.ANSWERED;
    }

    /** INFO and GO: length and name of the export, count and types of the information asked for. */
    private Outcome info(int option, ByteBuffer data) {
        int size = data.remaining();
        long nameBytes = size < 6 ? 0 : Integer.toUnsignedLong(data.getInt());
        if (size < 6 || nameBytes > size - 6) {
            return error(option, Protocol.REP_ERR_INVALID, "the lengths in the option do not fit");
        }
        Optional<String> name = string(data.slice(4, (int) nameBytes));
        data.position(4 + (int) nameBytes);
        int requests = Short.toUnsignedInt(data.getShort());
        if (data.remaining() != 2 * requests) {
            return error(option, Protocol.REP_ERR_INVALID, "the lengths in the option do not fit");
        }
        if (name.isEmpty()) {
            return error(option, Protocol.REP_ERR_INVALID, "the export name is no valid string");
        }
        Optional<Export> export = exports.find(name.get());
        if (export.isEmpty()) {
            String what = name.get().isEmpty() ? "no default export" : "no export " + quoted(name.get());
            return error(option, Protocol.REP_ERR_UNKNOWN, what + "; LIST gives the names");
        }
        describe(option, export.get(), data);
        answer(option, Protocol.REP_ACK);
        if (option == Protocol.OPT_INFO) {
            return Outcome.ANSWERED;
        }
        granted = export.get();
        return Outcome.GRANTED;
    }

    /** Each kind of information once, in the order of its number; unknown kinds are ignored. */
    private void describe(int option, Export export, ByteBuffer requests) {
        boolean wantsName = false;
        boolean wantsDescription = false;
        boolean wantsBlockSize = false;
        while (requests.hasRemaining()) {
            int type = Short.toUnsignedInt(requests.getShort());
            wantsName |= type == Protocol.INFO_NAME;
            wantsDescription |= type == Protocol.INFO_DESCRIPTION;
            wantsBlockSize |= type == Protocol.INFO_BLOCK_SIZE;
        }
        DiskTraits traits = export.disk().traits();
        ByteBuffer size = ByteBuffer.allocate(10);
        size.putLong(traits.sizeBytes()).putShort((short) NbdExport.transmissionFlags(export.disk()));
        answerInfo(option, Protocol.INFO_EXPORT, size.array());
        if (wantsName) {
            answerInfo(option, Protocol.INFO_NAME, bytes(export.name()));
        }
        if (wantsDescription && !export.description().isEmpty()) {
            answerInfo(option, Protocol.INFO_DESCRIPTION, bytes(export.description()));
        }
        if (wantsBlockSize) {
            ByteBuffer sizes = ByteBuffer.allocate(12).putInt(NbdExport.MIN_BLOCK_BYTES);
            sizes.putInt(NbdExport.preferredBytes(traits)).putInt(NbdExport.MAX_PAYLOAD_BYTES);
            answerInfo(option, Protocol.INFO_BLOCK_SIZE, sizes.array());
        }
    }

    private void answerInfo(int option, int type, byte[] content) {
        answer(
                option,
                Protocol.REP_INFO,
                ByteBuffer.allocate(2).putShort((short) type).array(),
                content);
    }

    private Outcome error(int option, int type, String message) {
        answer(option, type, bytes(message));
        return Outcome.ANSWERED;
    }

    private Outcome refuse(String why) {
        refusal = why;
        return Outcome.REFUSED;
    }

    private void answer(int option, int type, byte[]... parts) {
        int length = 0;
        for (byte[] part : parts) {
            length += part.length;
        }
        ByteBuffer header = ByteBuffer.allocate(Protocol.OPTION_REPLY_HEADER_BYTES);
        header.putLong(Protocol.REPLY_MAGIC).putInt(option).putInt(type).putInt(length);
        reply.writeBytes(header.array());
        for (byte[] part : parts) {
            reply.writeBytes(part);
        }
    }

    /** A string as the protocol allows it: well-formed UTF-8 without NUL, not too long. */
    private static Optional<String> string(ByteBuffer bytes) {
        if (bytes.remaining() > Protocol.MAX_STRING_BYTES) {
            return Optional.empty();
        }
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
            return text.indexOf('\0') >= 0 ? Optional.empty() : Optional.of(text);
        } catch (CharacterCodingException e) {
            return Optional.empty();
        }
    }

    /** UTF-8, cut at a character so that the protocol's limit holds. */
    private static byte[] bytes(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length <= Protocol.MAX_STRING_BYTES) {
            return bytes;
        }
        int end = Protocol.MAX_STRING_BYTES;
        while ((bytes[end] & 0xc0) == 0x80) {
            end--;
        }
        return Arrays.copyOf(bytes, end);
    }

    /** A client's text, as it was decoded, safe to show: short and without control characters. */
    private static String quoted(String text) {
        StringBuilder safe = new StringBuilder("'");
        text.codePoints().limit(MAX_QUOTED_CHARS).forEach(c -> safe.appendCodePoint(isShown(c) ? c : '?'));
        return safe.append(text.codePointCount(0, text.length()) > MAX_QUOTED_CHARS ? "…'" : "'")
                .toString();
    }

    private static boolean isShown(int codePoint) {
        int type = Character.getType(codePoint);
        return type != Character.CONTROL
                && type != Character.FORMAT
                && type != Character.LINE_SEPARATOR
                && type != Character.PARAGRAPH_SEPARATOR;
    }
}
