package io.remap.api.listen;

import java.io.IOException;

/** Somebody who may not connect; the message says who and why. */
public final class Unwelcome extends IOException {
    private static final long serialVersionUID = 1;

    Unwelcome(String message) {
        super(message);
    }
}
