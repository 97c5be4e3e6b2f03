package io.remap.nbd;

import io.remap.api.DiskRequest.Operation;

/**
 * The numbers of the NBD protocol, from doc/proto.md of the NBD project, whose names they carry. Every integer on the wire
 * is big-endian.
 */
final class Protocol {
    // --- handshake

    static final long NBDMAGIC = 0x4e42444d41474943L;
    static final long IHAVEOPT = 0x49484156454f5054L;
    static final long REPLY_MAGIC = 0x3e889045565a9L;

    /** Magic, option, length. */
    static final int OPTION_HEADER_BYTES = 16;
    /** Magic, option, reply type, length. */
    static final int OPTION_REPLY_HEADER_BYTES = 20;
    /** What follows size and flags in the answer to EXPORT_NAME if the client did not wave it. */
    static final int EXPORT_NAME_PADDING_BYTES = 124;
    /** Longest string: names, descriptions, error texts. */
    static final int MAX_STRING_BYTES = 4096;

    static final int FLAG_FIXED_NEWSTYLE = 1;
    static final int FLAG_NO_ZEROES = 1 << 1;

    static final int OPT_EXPORT_NAME = 1;
    static final int OPT_ABORT = 2;
    static final int OPT_LIST = 3;
    static final int OPT_INFO = 6;
    static final int OPT_GO = 7;

    static final int REP_ACK = 1;
    static final int REP_SERVER = 2;
    static final int REP_INFO = 3;
    static final int REP_ERR_UNSUP = 1 << 31 | 1;
    static final int REP_ERR_INVALID = 1 << 31 | 3;
    static final int REP_ERR_UNKNOWN = 1 << 31 | 6;
    static final int REP_ERR_SHUTDOWN = 1 << 31 | 7;
    static final int REP_ERR_TOO_BIG = 1 << 31 | 9;

    static final int INFO_EXPORT = 0;
    static final int INFO_NAME = 1;
    static final int INFO_DESCRIPTION = 2;
    static final int INFO_BLOCK_SIZE = 3;

    // --- transmission flags of an export

    static final int FLAG_HAS_FLAGS = 1;
    static final int FLAG_READ_ONLY = 1 << 1;
    static final int FLAG_SEND_FLUSH = 1 << 2;
    static final int FLAG_SEND_FUA = 1 << 3;
    static final int FLAG_ROTATIONAL = 1 << 4;
    static final int FLAG_SEND_TRIM = 1 << 5;
    static final int FLAG_SEND_WRITE_ZEROES = 1 << 6;
    static final int FLAG_CAN_MULTI_CONN = 1 << 8;
    static final int FLAG_SEND_CACHE = 1 << 10;
    static final int FLAG_SEND_FAST_ZERO = 1 << 11;

    // --- requests and replies

    static final int REQUEST_MAGIC = 0x25609513;
    static final int SIMPLE_REPLY_MAGIC = 0x67446698;

    /** Magic, flags, type, cookie, offset, length. */
    static final int REQUEST_BYTES = 28;
    /** Magic, error, cookie. */
    static final int SIMPLE_REPLY_BYTES = 16;

    static final int CMD_DISC = 2;

    static final int CMD_FLAG_FUA = 1;
    static final int CMD_FLAG_NO_HOLE = 1 << 1;
    static final int CMD_FLAG_FAST_ZERO = 1 << 4;

    static final int EPERM = 1;
    static final int EIO = 5;
    static final int EINVAL = 22;
    static final int ENOSPC = 28;
    static final int ENOTSUP = 95;
    static final int ESHUTDOWN = 108;

    /** Requests that are answered. FUA is taken on each of them, since it is advertised. */
    enum Command {
        READ(0, Operation.READ, CMD_FLAG_FUA),
        WRITE(1, Operation.WRITE, CMD_FLAG_FUA),
        FLUSH(3, Operation.FLUSH, CMD_FLAG_FUA),
        TRIM(4, Operation.TRIM, CMD_FLAG_FUA),
        CACHE(5, Operation.CACHE, CMD_FLAG_FUA),
        WRITE_ZEROES(6, Operation.WRITE_ZEROES, CMD_FLAG_FUA | CMD_FLAG_NO_HOLE | CMD_FLAG_FAST_ZERO);

        private static final Command[] BY_TYPE = new Command[7];

        static {
            for (Command command : values()) {
                BY_TYPE[command.type] = command;
            }
        }

        final int type;
        final Operation operation;
        /** Flags that it knows. */
        final int flags;

        Command(int type, Operation operation, int flags) {
            this.type = type;
            this.operation = operation;
            this.flags = flags;
        }

        /** The command of a type, {@code null} if it is none of these. */
        static Command of(int type) {
            return type < BY_TYPE.length ? BY_TYPE[type] : null;
        }

        boolean hasPayload() {
            return this == READ || this == WRITE;
        }
    }

    private Protocol() {}
}
