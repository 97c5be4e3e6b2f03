package io.remap.metadata;

/** What stands on the spare contradicts the format. The message says where and what; never a device error. */
final class Damage extends Exception {
    private static final long serialVersionUID = 1L;

    Damage(String message) {
        super(message);
    }
}
