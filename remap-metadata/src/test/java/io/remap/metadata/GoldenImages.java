package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareMember;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/**
 * Spares as a version of the format wrote them: every later version must read the same from them. The images of a version
 * are made once, by {@link #main} of the program that had it, and never again.
 */
final class GoldenImages {
    static final String PRESENT = "1.1";

    private static final List<String> NAMES_OF_1_0 = List.of("formatted", "clean", "killed", "replaced");

    /** The images of one spare alone that are kept, by the versions that wrote them; see {@link GoldenSpreadTest} for several. */
    static final Map<String, List<String>> NAMES = Map.of(
            "1.0",
            NAMES_OF_1_0,
            PRESENT,
            Stream.concat(NAMES_OF_1_0.stream(), Stream.of("sealed", "members")).toList());

    private GoldenImages() {}

    /** Writes the images of the present format into a directory, each with what it says as text. */
    public static void main(String[] arguments) throws Exception {
        Path directory = Files.createDirectories(Path.of(arguments[0]));
        for (String name : NAMES.get(PRESENT)) {
            CrashDevice spare = Bench.formatted(name.equals("replaced") ? 3 : 0);
            switch (name) {
                case "formatted" -> {}
                case "clean" -> {
                    try (Opened opened = Bench.open(spare)) {
                        mapAllKinds(opened);
                    }
                }
                case "killed" -> {
                    try (Opened opened = Bench.open(spare)) {
                        mapAllKinds(opened);
                    }
                    Opened opened = Bench.open(spare);
                    commit(opened, Bench.map(77, 70), Bench.unmap(5));
                    commit(opened, MapChange.badSlot(0, 90, 3));
                }
                case "replaced" -> {
                    try (Opened opened = Bench.open(spare)) {
                        long arenaB = Layout.tryPlan(Bench.SPARE_BYTES, 4096, 3)
                                .arenaOffsets()
                                .b0();
                        // The header of the next generation, and its first log block, cannot be written in copy 0.
                        spare.makeUnwritable(arenaB, 4096);
                        mapAllKinds(opened);
                        for (int i = 0; i < 5; i++) {
                            commit(opened, Bench.map(200 + i, 200 + i));
                        }
                        spare.heal();
                    }
                }
                case "sealed" -> {
                    try (Opened opened = Bench.open(spare)) {
                        mapAllKinds(opened);
                        commit(
                                opened,
                                MapChange.seal(0, Seal.of(0, 350, 77)),
                                MapChange.seal(1, Seal.of(0, 351, 0xffff)));
                        commit(opened, MapChange.open(0, 1, 1));
                        commit(opened, MapChange.seal(1, Seal.of(0, 352, 3)));
                    }
                }
                case "members" -> {
                    try (Opened opened = Bench.open(spare)) {
                        mapAllKinds(opened);
                        changeMembers(opened);
                        commit(opened, MapChange.set(500, 3, Place.onSlot(1, 20, 0xff, 0)));
                    }
                }
                default -> throw new IllegalStateException(name);
            }
            save(spare, directory.resolve(name + ".img.gz"));
            try (Opened opened = Bench.open(new LogMetadataProvider(), spare, true, 7)) {
                Files.writeString(directory.resolve(name + ".txt"), text(opened.store()));
            }
        }
    }

    /** Whole units, parts of units, runs, lost sectors, zeros, bad slots; changed and taken back. */
    private static void mapAllKinds(Opened opened) {
        commit(opened, Bench.map(5, 3), Bench.map(6, 4), MapChange.set(100, 40, Place.onSlot(0, 10, 0xff, 0)));
        commit(opened, MapChange.set(9, 1, Place.onSlot(0, 60, 0x0f, 0x30)), MapChange.badSlot(0, 61, 1));
        commit(opened, MapChange.set(300, 2, Place.lost(0xff)), MapChange.set(400, 1, Place.zero(0)));
        commit(opened, MapChange.set(110, 5, Place.MAIN));
    }

    /** A spare that is chosen first, one that stands by, and one that is being emptied. */
    private static void changeMembers(Opened opened) {
        SpareMember first = opened.store().members().get(0);
        List<SpareMember> members = List.of(
                first.priority(SpareMember.MAX_PRIORITY),
                new SpareMember(1, new UUID(1, 1), new SpareMember.Use(false, true, 0), 500, 0),
                new SpareMember(7, new UUID(7, 7), new SpareMember.Use(true, false, 3), 900, 0));
        List<Refusal> refusals = new ArrayList<>();
        opened.store().changeMembers(members, refusals::add);
        opened.tasks().runAll();
        if (refusals.size() != 1 || refusals.get(0) != null) {
            throw new IllegalStateException("the change of the members ended as " + refusals);
        }
    }

    private static void commit(Opened opened, MapChange... changes) {
        MetadataStore.Outcome outcome = opened.commit(changes);
        if (outcome != MetadataStore.Outcome.DURABLE) {
            throw new IllegalStateException("the commit ended as " + outcome);
        }
    }

    /** What a spare says, for people and for comparing. */
    static String text(MetadataStore store) {
        StringBuilder text = new StringBuilder();
        text.append(store.pair()).append('\n').append(Bench.text(store.table()).replace("; ", "\n"));
        text.append("bad slots ").append(Bench.badSlots(store)).append('\n');
        store.seals((region, seal) -> text.append("region " + region + " sealed by slot " + Seal.slot(seal)
                + " of spare " + Seal.spare(seal) + ", tag " + Seal.tag(seal) + "\n"));
        if (store.members().size() > 1) {
            store.members()
                    .forEach(member -> text.append("spare " + member.index() + " " + member.id() + ": " + member.use()
                            + ", " + member.slots() + " slots\n"));
        }
        return text.toString();
    }

    static void save(BlockDevice spare, Path file) throws IOException {
        ByteBuffer all = ByteBuffer.allocate(Math.toIntExact(spare.traits().sizeBytes()));
        spare.read(0, all);
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
            out.write(all.array());
        }
    }

    /** A device with the content of an image. */
    static CrashDevice load(String version, String name) throws IOException {
        try (InputStream in = new GZIPInputStream(resource(version, name + ".img.gz"))) {
            byte[] all = in.readAllBytes();
            CrashDevice device = new CrashDevice("golden-" + version + "-" + name, all.length, 512);
            device.write(0, ByteBuffer.wrap(all));
            device.flush();
            return device;
        }
    }

    /** What the image said when it was made. */
    static String expected(String version, String name) throws IOException {
        try (InputStream in = resource(version, name + ".txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static InputStream resource(String version, String file) {
        InputStream in = GoldenImages.class.getResourceAsStream("/golden/" + version + "/" + file);
        if (in == null) {
            throw new IllegalStateException("no golden image " + version + "/" + file);
        }
        return in;
    }
}
