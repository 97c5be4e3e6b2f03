package io.remap.core.disk;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * Exclusive locks on ranges of units, granted in the order of arrival among those that overlap. Only the holder of a
 * range may change the map there, or give a verdict about it.
 *
 * <p>Waiting is a continuation: nobody blocks. Invariants: {@code claims} is in order of arrival; a claim is granted
 * exactly if no earlier one that is still there overlaps it.
 */
final class RangeLock {
    /** Most claims at a time, granted and waiting. */
    static final int MAX_CLAIMS = 4096;

    private final Executor executor;
    private final Set<Claim> claims = new LinkedHashSet<>();

    RangeLock(Executor executor) {
        this.executor = executor;
    }

    /** A claim on a range; identity is what counts. */
    static final class Claim {
        final long firstUnit;
        final long endUnit;
        private final Consumer<Claim> granted;
        private boolean isGranted;

        private Claim(long firstUnit, long endUnit, Consumer<Claim> granted) {
            this.firstUnit = firstUnit;
            this.endUnit = endUnit;
            this.granted = granted;
        }

        private boolean overlaps(Claim other) {
            return firstUnit < other.endUnit && other.firstUnit < endUnit;
        }
    }

    /**
     * Claims a range.
     *
     * @param granted run on the executor when the range is the caller's, with what to {@link #release}
     * @return {@code false} if too many wait already
     */
    boolean acquire(long firstUnit, long endUnit, Consumer<Claim> granted) {
        Claim claim = new Claim(firstUnit, endUnit, granted);
        synchronized (claims) {
            if (claims.size() >= MAX_CLAIMS) {
                return false;
            }
            claim.isGranted = claims.stream().noneMatch(claim::overlaps);
            claims.add(claim);
        }
        if (claim.isGranted) {
            executor.execute(() -> granted.accept(claim));
        }
        return true;
    }

    /** Gives a granted range back. */
    void release(Claim claim) {
        List<Claim> next = new ArrayList<>();
        synchronized (claims) {
            if (!claim.isGranted || !claims.remove(claim)) {
                throw new IllegalStateException("released a range that was not held");
            }
            for (Claim waiting : claims) {
                if (!waiting.isGranted && waiting.overlaps(claim) && isFirst(waiting)) {
                    waiting.isGranted = true;
                    next.add(waiting);
                }
            }
        }
        for (Claim waiting : next) {
            executor.execute(() -> waiting.granted.accept(waiting));
        }
    }

    private boolean isFirst(Claim claim) {
        for (Iterator<Claim> earlier = claims.iterator(); earlier.hasNext(); ) {
            Claim other = earlier.next();
            if (other == claim) {
                return true;
            }
            if (other.overlaps(claim)) {
                return false;
            }
        }
        throw new IllegalStateException("a claim is waiting that is not listed");
    }

    /** Claims at this moment, granted and waiting; for tests. */
    int size() {
        synchronized (claims) {
            return claims.size();
        }
    }
}
