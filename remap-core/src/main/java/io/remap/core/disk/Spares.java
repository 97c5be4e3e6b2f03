package io.remap.core.disk;

import io.remap.api.Place;
import io.remap.api.spi.SpareMember;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.StringJoiner;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * The spares of a virtual disk by their numbers. A place may name one that is not there: its sectors cannot be reached, and
 * keep their places.
 *
 * <p>Their slots are named by slot ids, see {@link Place}.
 *
 * <p>Thread-safe: readers see one immutable array; whoever adds or removes one makes another.
 */
final class Spares {
    private volatile Spare[] byIndex = {};
    /** Those that are there, in the order in which they are asked for slots. */
    private volatile List<Spare> byRank = List.of();
    /** Told of one that stood by and is used from now on. Must not block. */
    private volatile Consumer<Spare> whenTookOver = spare -> {};

    static long id(int spare, long slot) {
        return Place.slotId(spare, slot);
    }

    /** Of the slot of a place that has one. */
    static long idOf(long place) {
        return id(Place.spare(place), Place.slot(place));
    }

    static int spareOf(long id) {
        return Place.spareOfId(id);
    }

    static long slotOf(long id) {
        return Place.slotOfId(id);
    }

    /** The spare of this number, {@code null} if it is not there. */
    Spare get(int index) {
        Spare[] all = byIndex;
        return index < all.length ? all[index] : null;
    }

    /** One that must be there. */
    Spare require(int index) {
        Spare spare = get(index);
        if (spare == null) {
            throw new IllegalStateException("there is no spare " + index);
        }
        return spare;
    }

    /** Those that are there, by number. */
    List<Spare> all() {
        return Arrays.stream(byIndex).filter(Objects::nonNull).toList();
    }

    /** The numbers of all that are there, one bit each. */
    int mask() {
        int mask = 0;
        for (Spare spare : byIndex) {
            mask |= spare == null ? 0 : 1 << spare.index;
        }
        return mask;
    }

    synchronized void add(Spare spare) {
        if (get(spare.index) != null) {
            throw new IllegalStateException("there is a spare " + spare.index + " already");
        }
        Spare[] changed = Arrays.copyOf(byIndex, Math.max(byIndex.length, spare.index + 1));
        changed[spare.index] = spare;
        byIndex = changed;
        rank();
    }

    private void rank() {
        byRank = all().stream()
                .sorted(Comparator.comparingInt((Spare spare) -> -spare.use().priority())
                        .thenComparingInt(spare -> spare.order)
                        .thenComparingInt(spare -> spare.index))
                .toList();
    }

    /** @param how gives what it is for from now on for what it is for now */
    synchronized void setUse(Spare spare, UnaryOperator<SpareMember.Use> how) {
        spare.setUse(how.apply(spare.use()));
        rank();
    }

    /** The same of the one of this number, if it is there. */
    void setUse(int index, UnaryOperator<SpareMember.Use> how) {
        Spare spare = get(index);
        if (spare != null) {
            setUse(spare, how);
        }
    }

    /** Whether the one of this number, if it is there, gets no slots whatever happens. */
    void setClosed(int index, boolean closed) {
        Spare spare = get(index);
        if (spare != null) {
            spare.setClosed(closed);
        }
    }

    void whenTookOver(Consumer<Spare> told) {
        whenTookOver = told;
    }

    synchronized void remove(Spare spare) {
        Spare[] changed = byIndex.clone();
        changed[spare.index] = null;
        byIndex = changed;
        rank();
    }

    /** First byte of the slot of a place on its spare, -1 if that is not there. */
    long offsetOf(long place) {
        Spare spare = get(Place.spare(place));
        return spare == null ? -1 : spare.offsetOf(Place.slot(place));
    }

    /**
     * A slot of its own, as an id, or -1 if none is free: of the first spare by rank that answers and is to be kept; then of
     * one that stood by, which does so no longer; then of one that did not answer just now.
     *
     * @param leavingToo rather of one that is to be emptied than of none: for what has no other place to go
     * @param but of none of these, by number, one bit each
     */
    long allocate(boolean leavingToo, int but) {
        long id = allocate(false, false, false, but);
        id = id >= 0 ? id : allocate(false, true, false, but);
        id = id >= 0 ? id : allocate(false, false, true, but);
        id = id >= 0 ? id : allocate(false, true, true, but);
        return id >= 0 || !leavingToo ? id : allocate(true, false, false, but);
    }

    private long allocate(boolean leaving, boolean standby, boolean passedOver, int but) {
        for (Spare spare : byRank) {
            SpareMember.Use use = spare.use();
            if ((but >>> spare.index & 1) == 0
                    && !spare.isClosed()
                    && use.leaving() == leaving
                    && (use.standby() == standby || leaving)
                    && spare.isPassedOver() == passedOver) {
                long slot = spare.allocator.allocate();
                if (slot >= 0) {
                    if (standby) {
                        takeOver(spare);
                    }
                    return id(spare.index, slot);
                }
            }
        }
        return -1;
    }

    private void takeOver(Spare spare) {
        synchronized (this) {
            if (!spare.use().standby()) {
                return;
            }
            setUse(spare, now -> new SpareMember.Use(now.leaving(), false, now.priority()));
        }
        whenTookOver.accept(spare);
    }

    /** For people, what keeps the other spares of the pair, as it states them, from giving slots. */
    String whyTookOver(Spare standby, List<SpareMember> members) {
        StringJoiner why = new StringJoiner(", ", "spare " + standby.index + ": ", "");
        for (SpareMember stated : members) {
            Spare spare = get(stated.index());
            if (stated.index() == standby.index || (spare != null && spare.use().standby())) {
                continue;
            }
            String how = "is full";
            if (spare == null) {
                how = "is missing";
            } else if (spare.isLeaving()) {
                how = "is to be emptied";
            } else if (spare.allocator.freeSlots() > 0) {
                how = "does not answer";
            }
            why.add("spare " + stated.index() + " " + how);
        }
        return why.toString();
    }

    /** Whether a spare other than these, by number, one bit each, has a free slot, and did not fail to answer just now. */
    boolean anotherHasRoom(int than) {
        for (Spare spare : byIndex) {
            if (spare != null
                    && (than >>> spare.index & 1) == 0
                    && !spare.isLeaving()
                    && !spare.isClosed()
                    && !spare.isPassedOver()
                    && spare.allocator.freeSlots() > 0) {
                return true;
            }
        }
        return false;
    }

    /** Whether any has a free slot for what has no other place to go. */
    boolean haveRoom() {
        for (Spare spare : byIndex) {
            if (spare != null && !spare.isClosed() && spare.allocator.freeSlots() > 0) {
                return true;
            }
        }
        return false;
    }

    /** Takes a slot back that no record names; one of a spare that is not there is nobody's. */
    void free(long id) {
        ifThere(id, spare -> spare.allocator.free(slotOf(id)));
    }

    /** The next slot that its spare hands out is this one, or one before it, if it is free then. */
    void rewind(long id) {
        ifThere(id, spare -> spare.allocator.rewind(slotOf(id)));
    }

    /** A slot that was handed out is bad: it is never handed out again. */
    void markBad(long id) {
        ifThere(id, spare -> spare.allocator.markBad(slotOf(id)));
    }

    private void ifThere(long id, Consumer<Spare> action) {
        Spare spare = get(spareOf(id));
        if (spare != null) {
            action.accept(spare);
        }
    }
}
