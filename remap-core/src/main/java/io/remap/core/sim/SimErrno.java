package io.remap.core.sim;

import io.remap.api.Errno;
import io.remap.api.Refusal;

/** The error numbers that a simulated disk can give, by their names. */
final class SimErrno {
    /** Largest error number of Linux is 133. */
    private static final int MAX_ERRNO = 133;

    private SimErrno() {}

    /** The number of a name such as {@code ENODATA}. */
    static int parse(String name) throws Refusal {
        for (int errno = 1; errno <= MAX_ERRNO; errno++) {
            if (Errno.name(errno).equals(name)) {
                return errno;
            }
        }
        throw new Refusal(
                Refusal.Kind.USAGE,
                "'" + name
                        + "' is no errno that a disk gives: expected EIO, ENODATA, EILSEQ, EREMOTEIO, ETIMEDOUT, ENODEV,"
                        + " ENXIO, …");
    }
}
