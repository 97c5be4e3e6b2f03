package io.remap.core.sim;

import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Keeps a read-modify-write of sectors apart from other writes of the same sectors. Whole writes pass each other, as on a
 * disk. Thread-safe.
 *
 * <p>Invariant: of two passes that overlap at most one waits for the other, the later one; so nobody waits in a circle.
 */
final class SectorGate {
    /** A write under way, or one that waits. */
    static final class Pass {
        private final long start;
        private final long end;
        private final boolean alone;

        private Pass(long start, long end, boolean alone) {
            this.start = start;
            this.end = end;
            this.alone = alone;
        }

        private boolean disturbs(Pass other) {
            return (alone || other.alone) && start < other.end && other.start < end;
        }
    }

    /** In the order of their coming; guarded by this. */
    private final Set<Pass> passes = new LinkedHashSet<>();

    /** Waits for the writes that came before and must not be met. */
    synchronized Pass enter(long start, long end, boolean alone) {
        Pass pass = new Pass(start, end, alone);
        passes.add(pass);
        boolean interrupted = false;
        while (mustWait(pass)) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return pass;
    }

    private boolean mustWait(Pass pass) {
        for (Pass before : passes) {
            if (before == pass) {
                return false;
            }
            if (before.disturbs(pass)) {
                return true;
            }
        }
        throw new IllegalStateException("a pass that is not there");
    }

    synchronized void leave(Pass pass) {
        passes.remove(pass);
        notifyAll();
    }
}
