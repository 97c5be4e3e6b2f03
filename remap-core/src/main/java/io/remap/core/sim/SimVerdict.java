package io.remap.core.sim;

import io.remap.api.Errno;
import io.remap.core.sim.SimWindow.Moment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What happens to one operation. Made by {@link SimModel}, and not changed after that.
 *
 * <p>Invariant: {@code failAtBytes} lies in the range, or at its end where nothing fails.
 */
final class SimVerdict {
    /** What a client wants. */
    enum Operation {
        READ("read"),
        WRITE("write"),
        ZERO("zero"),
        DISCARD("discard"),
        FLUSH("flush");

        final String word;

        Operation(String word) {
            this.word = word;
        }

        boolean changesData() {
            return this == WRITE || this == ZERO || this == DISCARD;
        }
    }

    /** A part of the range with which the drive does something else than it says. */
    record Effect(SimFault fault, long startBytes, long endBytes) {}

    final Operation operation;
    final long startBytes;
    final long endBytes;
    /** Which operation of the device it is, from 1. */
    final long number;

    /** When the faults had their say; empty: they had none, as nothing is there or they are disabled. */
    Optional<Moment> judged = Optional.empty();
    /** Until something changes there is no answer; then it is decided anew. */
    boolean hangs;
    /** The error, {@link Errno#NONE} if there is none. */
    int errno = Errno.NONE;
    /** The first byte that fails: what lies before it is done. */
    long failAtBytes;
    /** How long it takes. */
    long delayMillis;
    /** A flush that is acknowledged and not made. */
    boolean lies;
    /** The power goes before it, with this seed; 0: it does not. */
    long powerCut;
    /** Silent mistakes. */
    final List<Effect> effects = new ArrayList<>();
    /** Lines of the faults and states that had a part in it. */
    final List<String> causes = new ArrayList<>();

    SimVerdict(Operation operation, long startBytes, long endBytes, long number) {
        this.operation = operation;
        this.startBytes = startBytes;
        this.endBytes = endBytes;
        this.number = number;
        this.failAtBytes = endBytes;
    }

    void failAt(long byteOffset, int error) {
        if (errno == Errno.NONE || byteOffset < failAtBytes) {
            failAtBytes = byteOffset;
            errno = error;
        }
    }

    void takes(long millis) {
        delayMillis = Math.max(delayMillis, millis);
    }
}
