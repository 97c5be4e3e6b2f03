package io.remap.health.alert;

import java.util.Locale;

/** How bad it is, the mildest first. */
public enum Severity {
    /** Worth knowing. */
    INFO,
    /** The disk began to fail, or something is not as it should be. */
    WARNING,
    /** It fails; the data should have a copy elsewhere. */
    DEGRADED,
    /** It is likely to fail soon: replace it now. */
    REPLACE,
    /** Data is lost, or will be with the next error. */
    CRITICAL;

    /** As it is written outside. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
