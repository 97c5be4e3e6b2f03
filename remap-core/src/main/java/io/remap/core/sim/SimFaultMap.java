package io.remap.core.sim;

import io.remap.core.device.RangeSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * What is wrong with a simulated disk, by place, and its states as a whole. Immutable but for what happened to each fault
 * and state, which the monitor {@link SimFaults#verdicts} guards.
 *
 * <p>Invariants: {@code faults} ascends by start; {@code maxEnds[i]} is the largest end of the faults up to {@code i}.
 */
final class SimFaultMap {
    /** A fault, the bytes that it reaches, and what happened to it. */
    static final class Live {
        final SimFault fault;
        /** The range, widened to whole physical sectors where it is the medium that fails. */
        final long startBytes;

        final long endBytes;
        /** Bytes that were healed, by a write or by hand. */
        final RangeSet healed = new RangeSet();
        /** Those of them that were healed by hand: they do not relapse. */
        final RangeSet ended = new RangeSet();
        /** How often it has failed of the times that it is allowed to. */
        long spent;
        /** How often it has asked chance; from the open on. */
        long draws;
        /** The operation with which a healed one is bad again, 0 if none; from the open on. */
        long relapseAt;

        Live(SimFault fault) {
            this(fault, 1);
        }

        Live(SimFault fault, int physicalBytes) {
            this.fault = fault;
            long unit = fault.mode().isOfMedium() ? physicalBytes : 1;
            this.startBytes = fault.startBytes() / unit * unit;
            this.endBytes = (fault.endBytes() + unit - 1) / unit * unit;
        }

        /** Where the part of a range begins that is its. */
        long from(long rangeStartBytes) {
            return Math.max(rangeStartBytes, startBytes);
        }

        /** And where it ends. */
        long to(long rangeEndBytes) {
            return Math.min(rangeEndBytes, endBytes);
        }

        boolean isFresh() {
            return healed.isEmpty() && spent == 0;
        }

        /** As on the first day. */
        void refresh() {
            ended.clear();
            relapse();
        }

        /** Bad again, but for what was ended by hand. */
        void relapse() {
            healed.clear();
            ended.ranges().forEach(healed::add);
            spent = 0;
            relapseAt = 0;
        }

        /** There is no fault here any more. */
        void end(long from, long to) {
            ended.add(from, to);
            healed.add(from, to);
        }

        /** Whether it is healed somewhere for a while only. */
        boolean isRemission() {
            return fault.mode() == SimFault.Mode.RELAPSES && !healed.ranges().equals(ended.ranges());
        }
    }

    /** A state of the device and what happened to it. */
    static final class LiveState {
        final SimState state;
        /** Made by hand: what happens to it outlives the process. */
        final boolean byHand;
        /** Whether its time runs, for those that have one. */
        boolean begun;
        /** And from when on, in milliseconds since the open, so below 0 if it began before. */
        long beganMillis;
        /** How often it has done what it does a number of times. */
        long spent;

        LiveState(SimState state, boolean byHand) {
            this.state = state;
            this.byHand = byHand;
        }

        /** It is in force; whether that is where its time begins. */
        boolean begin(long nowMillis) {
            if (begun || state.kind() != SimState.Kind.LINK_RESET) {
                return false;
            }
            begun = true;
            beganMillis = nowMillis;
            return true;
        }

        /** Whether it has done all that it was to do. */
        boolean isOver(long nowMillis) {
            return switch (state.kind()) {
                case LINK_RESET -> begun && nowMillis - beganMillis >= TimeUnit.SECONDS.toMillis(state.argument());
                case FLUSH_FAILS -> state.argument() != 0 && spent >= state.argument();
                case POWER_CUT -> spent > 0;
                case DOWN, HANGS, READ_ONLY, SIZE, IDENTITY, FLUSH_LIES -> false;
            };
        }
    }

    private final Live[] faults;
    private final long[] starts;
    private final long[] maxEnds;
    /** The states of the device, in the order in which they were given. */
    final List<LiveState> states;

    SimFaultMap(Collection<Live> all, List<LiveState> states) {
        faults = all.toArray(Live[]::new);
        Arrays.sort(faults, Comparator.comparingLong(live -> live.startBytes));
        starts = new long[faults.length];
        maxEnds = new long[faults.length];
        long maxEnd = 0;
        for (int i = 0; i < faults.length; i++) {
            starts[i] = faults[i].startBytes;
            maxEnd = Math.max(maxEnd, faults[i].endBytes);
            maxEnds[i] = maxEnd;
        }
        this.states = List.copyOf(states);
    }

    List<Live> all() {
        return List.of(faults);
    }

    /** Whether a fault lies in the range; allocates nothing. */
    boolean touches(long startBytes, long endBytes) {
        int last = lastBefore(endBytes);
        return last >= 0 && maxEnds[last] > startBytes;
    }

    /** The faults that lie in the range, in the same order each time. */
    List<Live> touching(long startBytes, long endBytes) {
        List<Live> found = new ArrayList<>();
        for (int i = lastBefore(endBytes); i >= 0 && maxEnds[i] > startBytes; i--) {
            if (faults[i].endBytes > startBytes) {
                found.add(faults[i]);
            }
        }
        return found;
    }

    /** The bytes of the range that cannot be read as things stand, whatever the time. */
    RangeSet unreadable(long startBytes, long endBytes) {
        RangeSet bad = new RangeSet();
        for (Live live : touching(startBytes, endBytes)) {
            if (live.fault.mode().isUnreadable()) {
                long to = Math.min(endBytes, live.endBytes);
                long at = live.healed.firstOutside(Math.max(startBytes, live.startBytes), to);
                while (at < to) {
                    long end = live.healed.firstInside(at, to);
                    bad.add(at, end);
                    at = live.healed.firstOutside(end, to);
                }
            }
        }
        return bad;
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
