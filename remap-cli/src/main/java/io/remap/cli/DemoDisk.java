package io.remap.cli;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * The failing disk of the demo: an image file, and a map file that says which of its sectors fail and how (the devices of
 * scheme {@code sim:} read it, also while they are open). Failing places are spread over the disk by a seed.
 */
final class DemoDisk {
    static final int SECTOR_BYTES = 512;

    /** How a place fails, as the map file says it. */
    enum Fault {
        /** Unreadable until it is written: the drive has reallocated it then. */
        HEALS_ON_WRITE("read-bad-heals-on-write", "unreadable until they are written", true),
        /** Neither reads nor takes writes any more. */
        DEAD("read-and-write-bad", "neither readable nor writable", true),
        /** Reads well, but takes no writes. */
        WRITE_BAD("write-bad", "readable but not writable", false);

        private final String mode;
        final String meaning;
        final boolean unreadable;

        Fault(String mode, String meaning, boolean unreadable) {
            this.mode = mode;
            this.meaning = meaning;
            this.unreadable = unreadable;
        }
    }

    /** A failing place. */
    record Place(int first, int count, Fault fault) {}

    private static final int PLACES = 24;
    private static final int MAX_PLACE_SECTORS = 40;

    private final Path image;
    private final Path map;
    private final int sectors;
    private final List<Place> places = new ArrayList<>();

    /** Plans the disk in a directory; nothing is made yet. */
    DemoDisk(Path directory, int sectors, long seed) {
        this.image = directory.resolve("disk.img");
        this.map = directory.resolve("disk.map");
        this.sectors = sectors;
        Random random = new Random(seed);
        int strip = sectors / PLACES;
        for (int index = 0; index < PLACES; index++) {
            int count = 1 + random.nextInt(MAX_PLACE_SECTORS);
            int first = index * strip + random.nextInt(strip - count);
            places.add(new Place(first, count, Fault.values()[index % Fault.values().length]));
        }
    }

    /** Makes it: all zeros, and no sector fails yet. */
    void create() throws IOException {
        try (FileChannel file = FileChannel.open(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            file.write(java.nio.ByteBuffer.allocate(1), (long) sectors * SECTOR_BYTES - 1);
        }
        Files.writeString(map, "");
    }

    /** As {@code remap serve} takes it, in the directory of the disk. */
    String uri() {
        return "sim:" + image.getFileName() + "?faults=" + map.getFileName();
    }

    int sectors() {
        return sectors;
    }

    /** The failing places of the first or the second half of the demo: every other one. */
    List<Place> places(int half) {
        List<Place> chosen = new ArrayList<>();
        for (int index = 0; index < places.size(); index++) {
            if (index / Fault.values().length % 2 == half) {
                chosen.add(places.get(index));
            }
        }
        return chosen;
    }

    /** From now on these places fail, besides those that fail already. */
    void fail(List<Place> more) throws IOException {
        Path lock = map.resolveSibling(map.getFileName() + ".lock");
        try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                var held = channel.lock()) {
            StringBuilder text = new StringBuilder(Files.readString(map));
            for (Place place : more) {
                text.append((long) place.first() * SECTOR_BYTES)
                        .append(' ')
                        .append((long) place.count() * SECTOR_BYTES)
                        .append(' ')
                        .append(place.fault().mode)
                        .append('\n');
            }
            Path edited = map.resolveSibling(map.getFileName() + ".new");
            Files.writeString(edited, text);
            Files.move(edited, map, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
