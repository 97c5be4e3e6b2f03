package io.remap.api;

import java.io.IOException;

/**
 * A request of the user was refused before anything was changed. The message says what was expected and what to do next;
 * the kind decides the exit status of the command line.
 */
public final class Refusal extends IOException {
    private static final long serialVersionUID = 1L;

    /** What the operator does next; one exit status each (see {@code remap --help}). */
    public enum Kind {
        /** Look what there is: what was named is not there, or not in the state that it takes. Exit status 1. */
        NOT_SO(1),
        /** Correct the command: wrong option, wrong size, wrong sector size. Exit status 2. */
        USAGE(2),
        /** Correct the environment: missing file, no permission, missing module or tool. Exit status 3. */
        ENVIRONMENT(3),
        /** In use by somebody else: another server, a mount, a port. Exit status 4. */
        BUSY(4),
        /** Not the device that belongs here: other spare, other main, foreign content. Exit status 5. */
        WRONG_DEVICE(5),
        /** The metadata is damaged or newer than this program. Exit status 6. */
        DAMAGED(6),
        /** A device failed during the operation. Exit status 7. */
        DEVICE_FAILED(7);

        private final int exitStatus;

        Kind(int exitStatus) {
            this.exitStatus = exitStatus;
        }

        public int exitStatus() {
            return exitStatus;
        }
    }

    private final Kind kind;

    public Refusal(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    public Refusal(Kind kind, String message, Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }
}
