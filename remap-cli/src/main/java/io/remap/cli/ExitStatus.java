package io.remap.cli;

import io.remap.api.Refusal;

/** The exit statuses of the command line; 1 to 7 are those of {@link Refusal.Kind}. */
final class ExitStatus {
    static final int OK = 0;
    /** What was asked for is not so: it differs, is not there, or was not done. */
    static final int NOT_SO = Refusal.Kind.NOT_SO.exitStatus();

    static final int USAGE = Refusal.Kind.USAGE.exitStatus();
    static final int ENVIRONMENT = Refusal.Kind.ENVIRONMENT.exitStatus();
    /** A mapping may be missing, or the table cannot be read. */
    static final int DAMAGED = Refusal.Kind.DAMAGED.exitStatus();

    static final int DEVICE_FAILED = Refusal.Kind.DEVICE_FAILED.exitStatus();
    /** A mistake in this program. */
    static final int INTERNAL = 8;

    private ExitStatus() {}
}
