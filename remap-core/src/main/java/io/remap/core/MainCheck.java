package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.RemapTable;
import io.remap.api.TimeSource;
import io.remap.api.spi.MetadataStore;
import io.remap.core.Fingerprint.Block;
import io.remap.core.Fingerprint.Kind;
import io.remap.core.disk.VirtualDisk;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/**
 * Compares main with its {@link Fingerprint} of the last clean stop before anything is written: the near edges and the blocks
 * written last, as many as there is time for.
 *
 * <p>Unknown is no mismatch: sectors that cannot be read, or do not stand on main any more; a fingerprint of another
 * generation; a stop that was not in order.
 *
 * @param print the fingerprint that was compared with; empty if none could be
 * @param difference what shows that main was written without us: a sentence about main without its name; empty if nothing did
 * @param compared blocks that were compared
 * @param rest blocks that were not
 */
record MainCheck(Optional<Fingerprint> print, Optional<String> difference, int compared, List<Block> rest) {
    /** Recently written blocks that are compared before the disk is opened. */
    private static final int RECENT_BLOCKS = 32;

    static final MainCheck NONE = new MainCheck(Optional.empty(), Optional.empty(), 0, List.of());

    /** How one block compares. */
    enum Verdict {
        SAME,
        DIFFERENT,
        UNKNOWN
    }

    /**
     * Compares; writes nothing.
     *
     * @param look the spare, opened for reading
     * @param known main is certainly the one that was stopped with it, so that its mtime tells: not a copy of it
     * @param budgetMillis how long it may take; no read begins after it
     */
    static MainCheck atOpening(
            BlockDevice main, MetadataStore look, boolean known, TimeSource time, long budgetMillis) {
        Optional<Fingerprint> found = Fingerprint.find(look.saved());
        if (found.isPresent() && found.get().changed()) {
            return new MainCheck(
                    Optional.empty(),
                    Optional.of("was found changed without remap when it was served last"),
                    0,
                    List.of());
        }
        if (found.isEmpty() || !isOf(found.get(), main, look)) {
            return NONE;
        }
        Fingerprint print = found.get();
        MainBlocks reader = new MainBlocks(main, print.sectorBytes());
        Optional<String> touched = touched(print.modifiedNanos(), reader.modifiedNanos());
        if (known && touched.isPresent()) {
            return new MainCheck(found, touched, 0, List.of());
        }
        return compare(print, reader, look.table(), time, budgetMillis);
    }

    /** Whether nothing can have happened through us since the fingerprint was taken. */
    private static boolean isOf(Fingerprint print, BlockDevice main, MetadataStore look) {
        return print.stopId() != 0
                && look.stoppedInOrder()
                && print.generation() == look.generation()
                && print.mainBytes() == main.traits().sizeBytes()
                && print.sectorBytes() == look.pair().sectorBytes();
    }

    /** An older time says nothing: a flush need not have made the newest one durable before the power went. */
    private static Optional<String> touched(OptionalLong then, OptionalLong now) {
        boolean later = then.isPresent() && now.isPresent() && now.getAsLong() > then.getAsLong();
        return later
                ? Optional.of("was modified at " + instant(now) + ", after the last clean stop (" + instant(then) + ")")
                : Optional.empty();
    }

    private static Instant instant(OptionalLong nanos) {
        return Instant.ofEpochSecond(0, nanos.getAsLong());
    }

    private static MainCheck compare(
            Fingerprint print, MainBlocks reader, RemapTable table, TimeSource time, long budgetMillis) {
        long deadline = time.nanoTime() + TimeUnit.MILLISECONDS.toNanos(budgetMillis);
        reader.endWhen(() -> time.nanoTime() - deadline >= 0);
        List<Block> rest = new ArrayList<>();
        List<Block> different = new ArrayList<>();
        int compared = 0;
        int recent = 0;
        boolean more = true;
        for (Block block : print.blocks()) {
            recent += block.kind() == Kind.RECENT ? 1 : 0;
            boolean wanted = block.kind() == Kind.NEAR_EDGE || (block.kind() == Kind.RECENT && recent <= RECENT_BLOCKS);
            more &= time.nanoTime() - deadline < 0;
            if (!wanted || !more) {
                rest.add(block);
                continue;
            }
            int onMain = VirtualDisk.sectorsOnMain(table, block.unit(), print.sectorBytes(), print.mainBytes());
            try {
                Verdict verdict = compare(block, onMain, reader);
                compared += verdict == Verdict.UNKNOWN ? 0 : 1;
                if (verdict == Verdict.DIFFERENT) {
                    different.add(block);
                }
            } catch (DeviceException e) {
                // The device as a whole: whoever opens it will hear of that.
                more = false;
            }
        }
        Optional<String> difference = different.isEmpty()
                ? Optional.empty()
                : Optional.of(describe(different.size(), compared, different.get(0)));
        return new MainCheck(Optional.of(print), difference, compared, rest);
    }

    /** Compares one block, of which these sectors stand on main now. */
    static Verdict compare(Block block, int onMain, MainBlocks reader) throws DeviceException {
        if ((block.mask() & ~onMain) != 0) {
            return Verdict.UNKNOWN;
        }
        Block now = reader.read(block.kind(), block.unit(), block.mask());
        if (now.mask() != block.mask()) {
            return Verdict.UNKNOWN;
        }
        return now.digest() == block.digest() ? Verdict.SAME : Verdict.DIFFERENT;
    }

    static String describe(int different, int compared, Block first) {
        return "was written without remap since the last clean stop: " + different + " of " + compared
                + " blocks that were compared are different, the first at byte " + first.offsetBytes();
    }
}
