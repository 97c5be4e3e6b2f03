package io.remap.core.disk;

import java.util.Arrays;

/**
 * A set of slots, by number. Takes memory only where some of 2^18 neighbours are in it and some are not, so that one high
 * number costs no more than a low one. Not thread-safe.
 */
final class SlotSet {
    private static final int PAGE_SHIFT = 18;
    private static final int PAGE_SLOTS = 1 << PAGE_SHIFT;
    private static final long[] FULL = full();

    private final long slots;

    /** {@code null}: none of them; {@link #FULL}: all of them, and it is nobody's to change. */
    private final long[][] pages;

    private final int[] sizes;
    private long size;

    /** @param slots above the highest number */
    SlotSet(long slots) {
        this.slots = slots;
        this.pages = new long[Math.toIntExact((slots + PAGE_SLOTS - 1) >> PAGE_SHIFT)][];
        this.sizes = new int[pages.length];
    }

    private static long[] full() {
        long[] page = new long[PAGE_SLOTS / Long.SIZE];
        Arrays.fill(page, -1L);
        return page;
    }

    private static int page(long slot) {
        return (int) (slot >> PAGE_SHIFT);
    }

    private static int word(long slot) {
        return ((int) slot >> 6) & (PAGE_SLOTS / Long.SIZE - 1);
    }

    boolean get(long slot) {
        long[] page = pages[page(slot)];
        return page != null && (page[word(slot)] >>> slot & 1) != 0;
    }

    void set(long slot) {
        setInWord(slot, slot + 1);
    }

    private void setInWord(long from, long to) {
        int index = page(from);
        if (pages[index] == FULL) {
            return;
        }
        if (pages[index] == null) {
            pages[index] = new long[PAGE_SLOTS / Long.SIZE];
        }
        long mask = (-1L << from) & (-1L >>> -to);
        int more = Long.bitCount(mask & ~pages[index][word(from)]);
        pages[index][word(from)] |= mask;
        size += more;
        sizes[index] += more;
        if (sizes[index] == PAGE_SLOTS) {
            pages[index] = FULL;
        }
    }

    void set(long from, long to) {
        long slot = from;
        while (slot < to) {
            boolean whole = (slot & (PAGE_SLOTS - 1)) == 0 && to - slot >= PAGE_SLOTS;
            if (whole) {
                int index = page(slot);
                size += PAGE_SLOTS - sizes[index];
                sizes[index] = PAGE_SLOTS;
                pages[index] = FULL;
                slot += PAGE_SLOTS;
            } else {
                long end = Math.min(to, (slot | (Long.SIZE - 1)) + 1);
                setInWord(slot, end);
                slot = end;
            }
        }
    }

    void clear(long slot) {
        if (!get(slot)) {
            return;
        }
        int index = page(slot);
        if (pages[index] == FULL) {
            pages[index] = FULL.clone();
        }
        pages[index][word(slot)] &= ~(1L << slot);
        size--;
        if (--sizes[index] == 0) {
            pages[index] = null;
        }
    }

    /** Whether it has one of these. */
    boolean hasAny(long from, long to) {
        long slot = from;
        while (slot < to) {
            long[] page = pages[page(slot)];
            if (page == null) {
                slot = ((slot >> PAGE_SHIFT) + 1) << PAGE_SHIFT;
            } else if (page[word(slot)] == 0) {
                slot = (slot | (Long.SIZE - 1)) + 1;
            } else if (get(slot)) {
                return true;
            } else {
                slot++;
            }
        }
        return false;
    }

    /** The first one from this on that is not in it, -1 if there is none. */
    long nextFree(long from) {
        long slot = from;
        while (slot < slots) {
            long[] page = pages[page(slot)];
            if (page == null) {
                return slot;
            }
            if (page == FULL) {
                slot = ((slot >> PAGE_SHIFT) + 1) << PAGE_SHIFT;
                continue;
            }
            long free = ~page[word(slot)] & (-1L << slot);
            if (free != 0) {
                long found = (slot & -Long.SIZE) + Long.numberOfTrailingZeros(free);
                return found < slots ? found : -1;
            }
            slot = (slot | (Long.SIZE - 1)) + 1;
        }
        return -1;
    }

    /** The last one that is not in it, -1 if there is none. */
    long lastFree() {
        long slot = slots - 1;
        while (slot >= 0) {
            long[] page = pages[page(slot)];
            if (page == null) {
                return slot;
            }
            if (page == FULL) {
                slot = ((slot >> PAGE_SHIFT) << PAGE_SHIFT) - 1;
                continue;
            }
            long free = ~page[word(slot)] & (-1L >>> (Long.SIZE - 1 - (slot & (Long.SIZE - 1))));
            if (free != 0) {
                return (slot & -Long.SIZE) + Long.SIZE - 1 - Long.numberOfLeadingZeros(free);
            }
            slot = (slot & -Long.SIZE) - 1;
        }
        return -1;
    }

    long size() {
        return size;
    }
}
