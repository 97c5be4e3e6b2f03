package io.remap.api.spi;

import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import io.remap.api.DiskError;
import io.remap.api.DiskTraits;
import io.remap.api.SectorRange;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Consumer;

/**
 * A virtual disk as its health sees it. Whoever watches may read main past every cache, at places where main holds the
 * content, and learns what clients met. It never gets hold of the map: what it finds it gives back, and the disk decides
 * under its own rules ({@link #judge}, {@link #relocate}).
 *
 * <p>Thread-safe. Nothing here holds up a client but a judgement or a move of the sectors that the client wants.
 */
public interface WatchedDisk {
    /** Longest {@link #probe}. */
    int MAX_PROBE_BYTES = 1 << 20;

    /** Longest {@link #read}. */
    int MAX_READ_BYTES = 1 << 20;

    /** Most bytes that {@link #remember} takes. */
    int MAX_MEMORY_BYTES = 96 << 10;

    /** The name of the disk. */
    String name();

    /** What is fixed about the virtual disk. */
    DiskTraits traits();

    /** Main as the user named it. */
    String mainName();

    /** What is fixed about main. */
    DeviceTraits mainTraits();

    /**
     * Parts of a range that may be probed.
     *
     * @param ranges in order: what stands on main, and is neither known as unreadable nor still unflushed
     * @param later something was left out only for the moment: it is being moved, or was written and not flushed
     */
    record Probeable(List<SectorRange> ranges, boolean later) {
        public Probeable {
            ranges = List.copyOf(ranges);
        }
    }

    /** What of a range may be probed now. Advice: the map may change meanwhile, which costs a useless probe. */
    Probeable probeable(SectorRange range);

    /**
     * Reads from main, past every cache, once, and drops what it read. Blocks until the device answers; holds no range. If it
     * fails, and took long, the disk sees with a few reads of its own whether the area is dead: then it is {@link #avoided}
     * when this returns.
     *
     * @param range at most {@link #MAX_PROBE_BYTES}, from {@link #probeable}
     * @throws DeviceException which says nothing yet: {@link #judge} does
     * @throws IllegalStateException the disk has been closed
     */
    void probe(SectorRange range) throws DeviceException;

    /** What the disk itself says about sectors that could not be probed. */
    enum Judgement {
        /** They were read, if need be with retries. */
        READABLE,
        /** Some are unreadable or lost: it is noted in the map, and clients are told. */
        UNREADABLE,
        /** Nothing was decided: the device or the host is at fault. */
        UNDECIDED
    }

    /**
     * Has the disk read sectors from the medium with all its retries, and decide about them as for a client.
     *
     * @param range at most {@link #MAX_READ_BYTES}
     * @param failedReads how many probes of the first unit of the range have failed: if it is readable after all, they count
     *     as errors that were recovered ({@link Trouble#RECOVERED})
     * @param done told once, by a thread of the scheduler
     */
    void judge(SectorRange range, int failedReads, Consumer<Judgement> done);

    /** Whether weak sectors are to be moved at all. It is for the policy to say, not for health. */
    boolean movesWeak();

    /**
     * Has the disk move weak sectors that stand on main to the spare with their content. When, and how many, is for health
     * to say.
     *
     * @param done told once, by a thread of the scheduler; {@link DiskError#READ_ONLY}: it takes no moves; another error:
     *     some could not be read, or no mapping could be made
     */
    void relocate(SectorRange range, Consumer<DiskError> done);

    /** Told what was read. */
    @FunctionalInterface
    interface ReadListener {
        /**
         * Called once, by a thread of the scheduler.
         *
         * @param content of the range, the listener's own; empty after an error
         */
        void ended(DiskError error, ByteBuffer content);
    }

    /** Reads from the virtual disk as a client does, at most {@link #MAX_READ_BYTES}. */
    void read(SectorRange range, ReadListener done);

    /**
     * What clients ask of the disk.
     *
     * @param requests submitted so far
     * @param outstanding under way now
     */
    record ClientLoad(long requests, long outstanding) {}

    /** Cheap enough to be asked before every probe. */
    ClientLoad load();

    /**
     * What stands where. Takes time that grows with the map.
     *
     * @param unreadableSectors that could not be read the last time
     * @param lostSectors whose content is gone until they are written
     * @param slots of all spares that are there, 0 without one
     * @param freeSlots that nobody uses
     * @param redirects whether failing writes are redirected now
     */
    record Figures(long unreadableSectors, long lostSectors, long slots, long freeSlots, boolean redirects) {}

    /** See {@link Figures}. */
    Figures figures();

    /** Why sectors cannot be read now. */
    enum Cause {
        /** The last attempt failed; the next one may not. */
        UNREADABLE,
        /** Their content is gone until they are written. */
        LOST,
        /** They stand on main in an area in which nobody reads: see {@link AvoidedArea}. */
        AVOIDED
    }

    /**
     * Sectors that read with an error.
     *
     * @param range where on the virtual disk
     * @param cause why
     */
    record Damage(SectorRange range, Cause cause) {}

    /** The damage from a sector on, in order, at most so many runs. */
    List<Damage> damage(long firstSector, int limit);

    /** Most areas that {@link #avoided} names. */
    int MAX_AVOIDED = 256;

    /**
     * An area in which main is left alone, by clients and by probes ({@link #probeable} leaves it out). What stands on a spare
     * is served there all the same.
     *
     * @param range where on the virtual disk
     * @param found dead by probes; otherwise a person named it, and nothing is known of it
     * @param sinceMillis since 1970
     */
    record AvoidedArea(SectorRange range, boolean found, long sinceMillis) {}

    /** The avoided areas, in order; cheap. */
    List<AvoidedArea> avoided();

    /** What went wrong in the service of clients. */
    enum Trouble {
        /** Sectors turned out to be unreadable; also by {@link #judge}. */
        UNREADABLE,
        /** A unit was read after errors; also by {@link #judge}. */
        RECOVERED,
        /** A unit reads, but had too many errors for that to be relied on: it should be moved. Told again with each error. */
        WEAK,
        /** A write that failed went to the spare. */
        REDIRECTED,
        /**
         * A read of a client on main takes longer than {@link #noticeSlowReads} says; told while it is under way. A suspicion of
         * these units and no more: it may have waited for others, or main may be slow as a whole.
         */
        SLOW,
        /** An area of main is avoided from now on; also by {@link #probe}. */
        AVOIDED,
        /** An error of a device as a whole. */
        DEVICE_FAULT,
        /** A flush failed. */
        FLUSH_FAILED
    }

    /** Told of trouble. */
    @FunctionalInterface
    interface TroubleListener {
        /**
         * Called by threads that serve clients: must return at once.
         *
         * @param sectors where; {@code null} if it has no place
         */
        void met(Trouble trouble, SectorRange sectors);
    }

    /** Has the listener told from now on; one at a time, {@code null} for none. */
    void listen(TroubleListener listener);

    /** Slow reads of clients are not told of. */
    long NO_READ_IS_SLOW = Long.MAX_VALUE;

    /**
     * Has reads of clients on main that take longer told as {@link Trouble#SLOW}, at most a few at once. As reads are looked at
     * from time to time, one that takes less is never told of, and one that takes half a second more surely is.
     *
     * @param nanos {@link #NO_READ_IS_SLOW}, as in the beginning: none are
     */
    void noticeSlowReads(long nanos);

    /** What was remembered last, perhaps by an earlier process; empty if nothing was. */
    byte[] memory();

    /**
     * Keeps something over restarts, in place of all before: it is saved on the spare within a while, and at the stop. A
     * disk without a spare keeps it as long as it is served.
     *
     * @param state at most {@link #MAX_MEMORY_BYTES}; not changed any more
     */
    void remember(byte[] state);

    /**
     * Has this called, by any thread, before everything is saved because somebody asked for it: it is to {@link #remember} what is
     * known by now, within a second.
     */
    void whenSaving(Runnable remember);

    /** Notes something in the events of the disk, for people. */
    void note(String what);
}
