package io.remap.cli;

/** What was asked for is not so; the message says what is. Ends a command with {@link ExitStatus#NOT_SO}. */
final class NotSo extends Exception {
    private static final long serialVersionUID = 1L;

    NotSo(String message) {
        super(message);
    }
}
