package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.api.TimeSource;
import io.remap.core.Fingerprint.Block;
import io.remap.core.Fingerprint.Kind;
import io.remap.core.disk.RecentWrites;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.LongToIntFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes the fingerprint of main when nobody writes to it any more and all is flushed. Bounded in time: what is not read by then
 * is not part of it, and at most one read that fails is waited for longer. Sectors that stand on the spare, are lost or cannot be read are left out.
 */
final class FingerprintTaker {
    private static final Logger LOG = LoggerFactory.getLogger(FingerprintTaker.class);

    private final BlockDevice main;
    private final int sectorBytes;
    private final RecentWrites recentWrites;
    private final LongToIntFunction sectorsOnMain;
    private final TimeSource time;

    /**
     * @param sectorBytes of the virtual disk
     * @param sectorsOnMain the mask of the sectors of a unit that stand on main, and of which nobody knows that they cannot be
     *     read
     */
    FingerprintTaker(
            BlockDevice main,
            int sectorBytes,
            RecentWrites recentWrites,
            LongToIntFunction sectorsOnMain,
            TimeSource time) {
        this.main = main;
        this.sectorBytes = sectorBytes;
        this.recentWrites = recentWrites;
        this.sectorsOnMain = sectorsOnMain;
        this.time = time;
    }

    /**
     * Takes it.
     *
     * @param open blocks of the fingerprint before that nobody has compared so far: as long as they were not written they stay
     *     as they were, so that a change is found later
     * @param seed for the random blocks: the one of {@code open}, if there are any
     * @param budgetMillis how long reading may take
     */
    Fingerprint take(long stopId, long generation, List<Block> open, long seed, long budgetMillis) {
        long mainBytes = main.traits().sizeBytes();
        Map<Long, Block> before = new HashMap<>();
        for (Block block : open) {
            if (!recentWrites.wasWritten(block.unit())) {
                before.put(block.unit(), block);
            }
        }
        MainBlocks reader = new MainBlocks(main, sectorBytes);
        long deadline = time.nanoTime() + TimeUnit.MILLISECONDS.toNanos(budgetMillis);
        reader.endWhen(() -> time.nanoTime() - deadline >= 0);
        List<Block> blocks = new ArrayList<>();
        try {
            for (Map.Entry<Long, Kind> chosen : choose(mainBytes, seed).entrySet()) {
                if (time.nanoTime() - deadline >= 0) {
                    break;
                }
                Block block = before.get(chosen.getKey());
                if (block == null && !isUnsteady(chosen.getKey())) {
                    block = reader.read(chosen.getValue(), chosen.getKey(), sectorsOnMain.applyAsInt(chosen.getKey()));
                }
                if (block != null && block.mask() != 0) {
                    blocks.add(new Block(chosen.getValue(), block.unit(), block.mask(), block.digest()));
                }
            }
        } catch (DeviceException e) {
            LOG.warn(
                    "{}: the fingerprint of main ends after {} blocks: {}", main.name(), blocks.size(), e.getMessage());
        }
        return new Fingerprint(stopId, generation, mainBytes, reader.modifiedNanos(), seed, false, sectorBytes, blocks);
    }

    /** What a drive gives for a discarded range may change by itself. */
    private boolean isUnsteady(long unit) {
        return main.traits().blockDevice() && recentWrites.mayBeDiscarded(unit);
    }

    /** The units, each once, in the order of their worth; random ones by ascending number. */
    private Map<Long, Kind> choose(long mainBytes, long seed) {
        long units = (mainBytes + Place.UNIT_BYTES - 1) >> Place.UNIT_SHIFT;
        Map<Long, Kind> chosen = new LinkedHashMap<>();
        addEdges(chosen, units, Fingerprint.NEAR_EDGE_BYTES >> Place.UNIT_SHIFT, Kind.NEAR_EDGE);
        recentWrites.newestFirst().forEach(unit -> {
            if (unit < units) {
                chosen.putIfAbsent(unit, Kind.RECENT);
            }
        });
        addEdges(chosen, units, Fingerprint.EDGE_BYTES >> Place.UNIT_SHIFT, Kind.EDGE);
        new SplittableRandom(seed)
                .longs(Fingerprint.RANDOM_BLOCKS, 0, units)
                .sorted()
                .forEach(unit -> chosen.putIfAbsent(unit, Kind.RANDOM));
        return chosen;
    }

    private static void addEdges(Map<Long, Kind> chosen, long units, long edgeUnits, Kind kind) {
        for (long unit = 0; unit < Math.min(units, edgeUnits); unit++) {
            chosen.putIfAbsent(unit, kind);
        }
        for (long unit = Math.max(0, units - edgeUnits); unit < units; unit++) {
            chosen.putIfAbsent(unit, kind);
        }
    }
}
