package io.remap.cli.proof;

/** A promise was broken. An error, since it is thrown from within the product, which deals with exceptions. */
final class Violation extends AssertionError {
    private static final long serialVersionUID = 1L;

    Violation(String message) {
        super(message);
    }

    Violation(String message, Throwable cause) {
        super(message, cause);
    }
}
