package io.remap.core.sim;

import io.remap.api.ByteSize;
import io.remap.api.DeviceTraits;
import io.remap.api.Refusal;
import io.remap.core.sim.SimFault.Mode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Makes a simulated disk: its image, if there is none, and beside it the list of its faults, which {@code sim:IMAGE} takes
 * by itself. What exists is never changed; either both are made or neither.
 */
public final class SimCreation {
    private static final long MAX_BANDS = SimFaultFile.MAX_FAULTS;
    private static final int SECTOR_BYTES = DeviceTraits.MIN_SECTOR_BYTES;
    private static final double PERCENT = 100;

    private SimCreation() {}

    /**
     * A head of the drive that reads nothing any more.
     *
     * @param head which one, from 1
     * @param heads how many there are
     * @param bandBytes how much one head has before the next one follows
     */
    public record DeadHead(int head, int heads, long bandBytes) {}

    /**
     * What is wanted. Places come from the list, the dead head and the seed together.
     *
     * @param image path of the image
     * @param sizeBytes of a new image; empty: it exists
     * @param badSectors how many sectors of 512 bytes fail
     * @param badPercent or which share of them
     * @param list a list of faults, of badblocks, or a map of ddrescue
     * @param blockBytes unit of a list of badblocks
     * @param deadHead if one is dead
     * @param seed of the places
     * @param mode how the places fail that do not say it
     * @param bursts places as on disks in the field; otherwise small clusters anywhere
     * @param overMillis time after each open in which the places of the seed go bad, one after the other; only in bursts
     */
    public record Wish(
            Path image,
            OptionalLong sizeBytes,
            OptionalLong badSectors,
            OptionalDouble badPercent,
            Optional<Path> list,
            OptionalInt blockBytes,
            Optional<DeadHead> deadHead,
            long seed,
            String mode,
            boolean bursts,
            long overMillis) {}

    /**
     * What was made.
     *
     * @param list of the faults
     * @param sizeBytes of the image
     * @param faults lines of the list
     * @param badSectors sectors of 512 bytes in them
     * @param unrescuedSectors of a map of ddrescue: how many of them it calls bad, not scraped, not trimmed, never tried
     */
    public record Made(Path list, long sizeBytes, int faults, long badSectors, Map<String, Long> unrescuedSectors) {}

    /** Makes it. */
    public static Made create(Wish wish) throws Refusal {
        Path list = SimFiles.faults(wish.image());
        if (Files.exists(list)) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, list + " exists: remove it if these faults are not wanted any more");
        }
        Mode mode = SimConfig.modeOf(wish.mode())
                .orElseThrow(() ->
                        new Refusal(Refusal.Kind.USAGE, "--mode " + wish.mode() + ": expected " + SimConfig.modes()));
        try {
            long size = sizeOf(wish);
            SimFaultFile.Content listed = listed(wish, size, mode);
            List<SimFault> faults = places(wish, listed.faults(), size, mode);
            write(wish, list, size, listed.states(), faults);
            long bytes = faults.stream()
                    .mapToLong(fault -> fault.endBytes() - fault.startBytes())
                    .sum();
            Map<String, Long> unrescued = new LinkedHashMap<>();
            listed.unrescuedBytes().forEach((name, its) -> unrescued.put(name, its / SECTOR_BYTES));
            return new Made(list, size, faults.size(), bytes / SECTOR_BYTES, unrescued);
        } catch (Refusal e) {
            throw e;
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    wish.image() + " or its list of faults cannot be made: " + SimDeviceProvider.reason(e),
                    e);
        }
    }

    private static long sizeOf(Wish wish) throws IOException {
        boolean exists = Files.exists(wish.image());
        if (exists == wish.sizeBytes().isPresent()) {
            throw new Refusal(
                    exists ? Refusal.Kind.ENVIRONMENT : Refusal.Kind.USAGE,
                    exists
                            ? wish.image() + " exists: leave --size away to take it as it is, or name another file"
                            : wish.image() + " does not exist: say with --size how large it shall be");
        }
        long size = exists ? Files.size(wish.image()) : wish.sizeBytes().getAsLong();
        if (size < SECTOR_BYTES || size % SECTOR_BYTES != 0) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "a disk has whole sectors of " + SECTOR_BYTES + " bytes, and at least one; " + size
                            + " is not that");
        }
        return size;
    }

    private static SimFaultFile.Content listed(Wish wish, long size, Mode mode) throws IOException {
        return wish.list().isPresent()
                ? SimFaultFile.read(wish.list().get(), size, SECTOR_BYTES, wish.blockBytes(), mode)
                : SimFaultFile.Content.none();
    }

    private static List<SimFault> places(Wish wish, List<SimFault> listed, long size, Mode mode) throws Refusal {
        List<SimFault> faults = new ArrayList<>(listed);
        if (wish.deadHead().isPresent()) {
            faults.addAll(bands(wish.deadHead().get(), size, mode));
        }
        double share = wish.badPercent().orElse(0) / PERCENT;
        long sectors = wish.badSectors().orElse(Math.round(share * size / SECTOR_BYTES));
        if (sectors > SimFaultSeed.MAX_BAD_SECTORS) {
            throw new Refusal(
                    Refusal.Kind.USAGE, sectors + " bad sectors are too many: at most " + SimFaultSeed.MAX_BAD_SECTORS);
        }
        if (sectors > 0) {
            faults.addAll(
                    wish.bursts()
                            ? SimBursts.faults(wish.seed(), sectors * SECTOR_BYTES, size, mode, wish.overMillis())
                            : SimFaultSeed.faults(
                                    wish.image().toString(),
                                    wish.seed(),
                                    sectors,
                                    SimConfig.DEFAULT_CLUSTER,
                                    size,
                                    SECTOR_BYTES,
                                    mode));
        }
        return faults;
    }

    /** Every so many bands of the disk belong to the same head. */
    private static List<SimFault> bands(DeadHead dead, long size, Mode mode) throws Refusal {
        long band = dead.bandBytes();
        boolean fits =
                dead.head() >= 1 && dead.head() <= dead.heads() && band >= SECTOR_BYTES && band % SECTOR_BYTES == 0;
        // So that the last band of the disk and as many as there are heads fit in a number.
        fits = fits && dead.heads() <= (Long.MAX_VALUE - size) / band;
        if (!fits || size / band / dead.heads() > MAX_BANDS) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "a dead head: expected HEAD/HEADS, for example 2/8, and a band of whole sectors, at most "
                            + MAX_BANDS + " of them, and no more than 8 EiB for all heads together");
        }
        List<SimFault> faults = new ArrayList<>();
        for (long start = (dead.head() - 1) * band; start < size; start += dead.heads() * band) {
            faults.add(new SimFault(start, Math.min(size, start + band), mode, 0));
        }
        return faults;
    }

    private static void write(Wish wish, Path list, long size, List<SimState> states, List<SimFault> faults)
            throws IOException {
        if (wish.sizeBytes().isPresent()) {
            try (FileChannel image =
                    FileChannel.open(wish.image(), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                // Sparse: what was never written takes no space.
                image.write(ByteBuffer.allocate(1), size - 1);
            } catch (FileAlreadyExistsException e) {
                throw e;
            } catch (IOException e) {
                Files.deleteIfExists(wish.image());
                throw e;
            }
        }
        StringBuilder text = new StringBuilder("# Faults of a simulated disk of " + ByteSize.format(size) + ", seed "
                + wish.seed() + ". START LENGTH MODE; see docs/SIM.md\n");
        states.forEach(state -> text.append(state).append('\n'));
        faults.forEach(fault -> text.append(fault).append('\n'));
        try {
            Files.write(list, text.toString().getBytes(StandardCharsets.UTF_8), StandardOpenOption.CREATE_NEW);
        } catch (IOException e) {
            if (!(e instanceof FileAlreadyExistsException)) {
                Files.deleteIfExists(list);
            }
            if (wish.sizeBytes().isPresent()) {
                Files.deleteIfExists(wish.image());
            }
            throw e;
        }
    }
}
