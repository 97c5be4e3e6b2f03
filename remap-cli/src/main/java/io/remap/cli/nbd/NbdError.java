package io.remap.cli.nbd;

import java.io.IOException;

/** The server answered a command with an error; the connection goes on. */
public final class NbdError extends IOException {
    private static final long serialVersionUID = 1L;

    public static final int EPERM = 1;
    public static final int EIO = 5;
    public static final int EINVAL = 22;
    public static final int ENOSPC = 28;
    public static final int ESHUTDOWN = 108;

    private final int code;

    NbdError(String command, long offsetBytes, long lengthBytes, int code) {
        super(command + " of bytes " + offsetBytes + "+" + lengthBytes + ": the server answered " + name(code));
        this.code = code;
    }

    /** The error number as the protocol defines it. */
    public int code() {
        return code;
    }

    private static String name(int code) {
        return switch (code) {
            case EPERM -> "EPERM";
            case EIO -> "EIO";
            case EINVAL -> "EINVAL";
            case ENOSPC -> "ENOSPC";
            case ESHUTDOWN -> "ESHUTDOWN";
            default -> "error " + code;
        };
    }
}
