package io.remap.testkit;

import io.remap.api.BlockDevice;
import io.remap.testkit.FaultyDevice.Fault;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;
import java.util.random.RandomGenerator;

/**
 * The spares of a simulation: devices that fail, vanish and lose what they had not flushed each for itself. Sectors are numbered
 * over all of them, those of a second one behind those of the first, as {@link SimProduct.Running#slotOffsetBytes} does it.
 */
final class SimSpares {
    private record Spare(MemoryDevice medium, FaultyDevice device, long firstSector) {}

    private final List<Spare> spares = new ArrayList<>();
    private final BlockDevice door;

    /** @param sizesBytes one device for each of them */
    SimSpares(List<Integer> sizesBytes, int sectorBytes, Supplier<RandomGenerator> randoms, FaultyDevice.Steps steps) {
        long firstSector = 0;
        for (int sizeBytes : sizesBytes) {
            String name = spares.isEmpty() ? "spare" : "spare " + (spares.size() + 1);
            MemoryDevice medium = new MemoryDevice(name, sizeBytes, sectorBytes);
            FaultyDevice device = new FaultyDevice(medium, randoms.get(), steps);
            // A policy may blame a slot after two failures: there are enough of them.
            device.transientFailures(1);
            spares.add(new Spare(medium, device, firstSector));
            firstSector += sizeBytes / sectorBytes;
        }
        door = spares.size() == 1
                ? spares.get(0).device
                : new JoinedDevice(spares.stream().map(Spare::device).toList());
    }

    /** What the product is given. */
    BlockDevice door() {
        return door;
    }

    /** The action gets the device and its medium. */
    void whenFlushFails(BiConsumer<FaultyDevice, MemoryDevice> action) {
        for (Spare spare : spares) {
            spare.device.whenFlushFails(() -> action.accept(spare.device, spare.medium));
        }
    }

    /** One of them; draws only where there is a choice. */
    FaultyDevice any(RandomGenerator random) {
        return spares.get(spares.size() == 1 ? 0 : random.nextInt(spares.size())).device;
    }

    MemoryDevice mediumOf(FaultyDevice device) {
        return spares.stream()
                .filter(spare -> spare.device == device)
                .findFirst()
                .orElseThrow()
                .medium;
    }

    private Spare at(long sector) {
        for (int i = spares.size() - 1; i > 0; i--) {
            if (sector >= spares.get(i).firstSector) {
                return spares.get(i);
            }
        }
        return spares.get(0);
    }

    void fault(long firstSector, long lengthSectors, Fault kind) {
        Spare spare = at(firstSector);
        spare.device.fault(firstSector - spare.firstSector, lengthSectors, kind);
    }

    boolean isFaulty(long sector) {
        Spare spare = at(sector);
        return spare.device.isFaulty(sector - spare.firstSector);
    }

    /** Changes a sector behind the back of everybody, on stable storage. */
    void poke(long sector, byte[] bytes) {
        Spare spare = at(sector);
        spare.medium.poke((sector - spare.firstSector) * bytes.length, bytes);
    }

    void powerCut(RandomGenerator random) {
        spares.forEach(spare -> spare.medium.powerCut(random));
    }

    /** Whatever passes by itself is over. */
    void endPassingTrouble() {
        for (Spare spare : spares) {
            spare.device.comeBack();
            spare.device.failFlushes(0, 0);
            spare.device.failTransfers(0, 0);
        }
    }

    boolean has(Predicate<FaultyDevice> property) {
        return spares.stream().anyMatch(spare -> property.test(spare.device));
    }

    long sum(ToLongFunction<FaultyDevice> count) {
        return spares.stream()
                .mapToLong(spare -> count.applyAsLong(spare.device))
                .sum();
    }
}
