package io.remap.core.device;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/**
 * The faults of a simulated disk by place. Immutable but for what happened to each fault, which {@link SimFaults} guards.
 *
 * <p>Invariants: {@code faults} ascends by start; {@code maxEnds[i]} is the largest end of the faults up to {@code i}.
 */
final class SimFaultMap {
    /** A fault and what happened to it, guarded by the {@link SimFaults} that owns it. */
    static final class Live {
        final SimFault fault;
        /** Bytes that were healed by a write. */
        final RangeSet healed = new RangeSet();
        /** Failed reads that were counted. */
        long spent;

        Live(SimFault fault) {
            this.fault = fault;
        }

        boolean isFresh() {
            return healed.isEmpty() && spent == 0;
        }
    }

    private final Live[] faults;
    private final long[] starts;
    private final long[] maxEnds;
    /** The device is not there at all. */
    final boolean gone;

    SimFaultMap(Collection<Live> all, boolean gone) {
        faults = all.toArray(Live[]::new);
        Arrays.sort(faults, Comparator.comparingLong(live -> live.fault.startBytes()));
        starts = new long[faults.length];
        maxEnds = new long[faults.length];
        long maxEnd = 0;
        for (int i = 0; i < faults.length; i++) {
            starts[i] = faults[i].fault.startBytes();
            maxEnd = Math.max(maxEnd, faults[i].fault.endBytes());
            maxEnds[i] = maxEnd;
        }
        this.gone = gone;
    }

    List<Live> all() {
        return List.of(faults);
    }

    /** Whether a fault lies in the range; allocates nothing. */
    boolean touches(long startBytes, long endBytes) {
        int last = lastBefore(endBytes);
        return last >= 0 && maxEnds[last] > startBytes;
    }

    /** The faults that lie in the range, in no particular order. */
    List<Live> touching(long startBytes, long endBytes) {
        List<Live> found = new ArrayList<>();
        for (int i = lastBefore(endBytes); i >= 0 && maxEnds[i] > startBytes; i--) {
            if (faults[i].fault.endBytes() > startBytes) {
                found.add(faults[i]);
            }
        }
        return found;
    }

    /** Index of the last fault that begins before the byte, -1 if there is none. */
    private int lastBefore(long endBytes) {
        int low = 0;
        int high = starts.length - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (starts[middle] < endBytes) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return high;
    }
}
