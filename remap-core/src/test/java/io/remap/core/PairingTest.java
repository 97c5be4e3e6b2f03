package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.Errno;
import io.remap.api.FeatureState;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SparePlan;
import io.remap.core.device.FileDeviceProvider;
import io.remap.core.device.MemoryDeviceProvider;
import io.remap.core.sim.SimDeviceProvider;
import io.remap.testkit.MemoryMetadata;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A main is served with the spare that it belongs to, or not at all. */
class PairingTest {
    private static final int MAIN_BYTES = 1 << 20;
    private static final int SPARE_BYTES = 4 << 20;

    @TempDir
    Path directory;

    private final SystemEnvironment system = SystemEnvironment.start();
    private final ScriptedMetadata metadata = new ScriptedMetadata();
    private Path state;
    private Path main;
    private Path spare;
    private byte[] content;
    private Pairing pairing;

    /** The tables are a double's; what stands on a spare can be said by the test. */
    private static final class ScriptedMetadata implements MetadataProvider {
        private final MemoryMetadata tables = new MemoryMetadata();
        private SpareContent.Kind found;
        private DeviceException unreadable;

        @Override
        public String name() {
            return tables.name();
        }

        @Override
        public String description() {
            return tables.description();
        }

        @Override
        public SpareContent inspect(BlockDevice device) {
            return found == null
                    ? tables.inspect(device)
                    : new SpareContent(found, "as the test says", Optional.empty());
        }

        @Override
        public Optional<PairIdentity> pairOnSpare(BlockDevice device) throws DeviceException {
            if (unreadable != null) {
                throw unreadable;
            }
            return tables.pairOnSpare(device);
        }

        @Override
        public SparePlan plan(long spareSizeBytes, int spareSectorBytes) throws Refusal {
            return tables.plan(spareSizeBytes, spareSectorBytes);
        }

        @Override
        public void format(BlockDevice device, PairIdentity pair, Environment environment) {
            tables.format(device, pair, environment);
            found = null;
        }

        @Override
        public MetadataStore open(
                BlockDevice device, Optional<Lineage> writing, Environment environment, Settings settings)
                throws Refusal {
            return tables.open(device, writing, environment, settings);
        }
    }

    @BeforeEach
    void setUp() throws Exception {
        state = directory.resolve("state");
        main = directory.resolve("disk.img");
        spare = newSpare("spare.img");
        content = new byte[MAIN_BYTES];
        new Random(1).nextBytes(content);
        Files.write(main, content);
        pairing = pairing(state);
    }

    @AfterEach
    void tearDown() throws Exception {
        system.close();
        assertArrayEquals(content, Files.readAllBytes(main), "pairing writes nothing to main");
    }

    private Pairing pairing(Path stateDirectory) throws Exception {
        Providers providers = Providers.of(
                List.of(metadata, new FileDeviceProvider(), new MemoryDeviceProvider(), new SimDeviceProvider()));
        return new Pairing(providers, stateDirectory, system.environment());
    }

    private Path newSpare(String name) throws Exception {
        Path file = directory.resolve(name);
        Files.write(file, new byte[SPARE_BYTES]);
        return file;
    }

    private static DeviceUri uri(Path file) throws Refusal {
        return DeviceUri.parse(file.toString());
    }

    private DiskSpec with(Path spareFile) throws Refusal {
        return DiskSpec.of(uri(main), Optional.of(uri(spareFile)));
    }

    private DiskSpec withSectors(Path spareFile, int sectorBytes) throws Refusal {
        return new DiskSpec(
                uri(main),
                List.of(uri(spareFile)),
                false,
                "d",
                "",
                false,
                Door.AUTO,
                OptionalInt.of(sectorBytes),
                false,
                false,
                false,
                false,
                false,
                false);
    }

    private DiskSpec alone() throws Refusal {
        return aloneAt(main.toString());
    }

    private static DiskSpec aloneAt(String place) throws Refusal {
        return new DiskSpec(
                DeviceUri.parse(place),
                List.of(),
                true,
                "d",
                "",
                false,
                Door.AUTO,
                OptionalInt.empty(),
                false,
                false,
                false,
                false,
                false,
                false);
    }

    private static DiskSpec changed(DiskSpec spec, boolean readOnly, boolean force, boolean adopt, boolean noWitness) {
        return new DiskSpec(
                spec.main(),
                spec.spares(),
                spec.withoutSpare(),
                spec.name(),
                "",
                readOnly,
                Door.AUTO,
                OptionalInt.empty(),
                force,
                adopt,
                false,
                noWitness,
                false,
                false);
    }

    /** Goes through both phases and closes; gives what the second left. */
    private PairMetadata open(DiskSpec spec) throws Refusal, DeviceException {
        try (PairDevices devices = pairing.opening().openDevices(spec);
                PairMetadata opened =
                        pairing.opening().openMetadata(devices, Settings.defaults(), (pair, found, session) -> {})) {
            return opened;
        }
    }

    private Refusal refused(DiskSpec spec, Refusal.Kind kind) {
        Refusal refusal = assertThrows(Refusal.class, () -> open(spec));
        assertEquals(kind, refusal.kind(), refusal.getMessage());
        return refusal;
    }

    private static void assertSays(Refusal refusal, String... parts) {
        for (String part : parts) {
            assertTrue(refusal.getMessage().contains(part), refusal.getMessage());
        }
    }

    @Test
    void aBlankSpareIsFormattedAndTheNextStartKnowsIt() throws Exception {
        PairMetadata first = open(with(spare));
        assertTrue(first.notices().get(0).contains("formatted the blank spare"));
        assertEquals(FeatureState.STARTED, first.witness().state());
        assertEquals(List.of(), open(with(spare)).notices());
    }

    @Test
    void aKnownMainIsNotServedWithoutItsSpare() throws Exception {
        open(with(spare));
        assertSays(refused(alone(), Refusal.Kind.WRONG_DEVICE), "spare.img", "remap forget");
        DiskSpec sidecar = DiskSpec.of(uri(main), Optional.empty());
        assertSays(refused(sidecar, Refusal.Kind.WRONG_DEVICE), "disk.img.spare is not there", "remap forget");
        assertFalse(Files.exists(directory.resolve("disk.img.spare")));
        assertSays(refused(with(newSpare("blank.img")), Refusal.Kind.WRONG_DEVICE), "is blank", "spare.img");
        refused(changed(alone(), true, true, true, true), Refusal.Kind.WRONG_DEVICE);
    }

    @Test
    void aKnownMainIsNotServedWithTheSpareOfAnotherPair() throws Exception {
        open(with(spare));
        Path other = directory.resolve("other.img");
        Files.write(other, content);
        Path otherSpare = newSpare("other-spare.img");
        open(DiskSpec.of(uri(other), Optional.of(uri(otherSpare))));
        assertSays(refused(with(otherSpare), Refusal.Kind.WRONG_DEVICE), "is of pair", "spare.img");
    }

    /** Who swaps them would have clients write over the table of the pair. */
    @Test
    void aSpareIsNotServedAsAMain() throws Exception {
        open(with(spare));
        DiskSpec swapped = DiskSpec.of(uri(spare), Optional.of(uri(newSpare("another.img"))));
        assertSays(refused(swapped, Refusal.Kind.WRONG_DEVICE), "spare.img", "is the spare of pair", "--force");
        DiskSpec alone = new DiskSpec(
                uri(spare),
                List.of(),
                true,
                "d",
                "",
                false,
                Door.AUTO,
                OptionalInt.empty(),
                false,
                false,
                false,
                false,
                false,
                false);
        refused(alone, Refusal.Kind.WRONG_DEVICE);
        open(changed(alone, true, false, false, false));
        open(changed(alone, false, true, false, false));
        Refusal created = assertThrows(
                Refusal.class, () -> pairing.create(uri(spare), uri(newSpare("third.img")), options(false)));
        assertSays(created, "is the spare of pair", "--force");
    }

    @Test
    void aMainIsNotFormattedAsASpare() throws Exception {
        open(with(spare));
        Path other = directory.resolve("other.img");
        Files.write(other, content);
        // Nothing stands on it where a spare would have something; but it is known.
        Path blankMain = newSpare("blank-main.img");
        open(DiskSpec.of(uri(blankMain), Optional.of(uri(newSpare("its-spare.img")))));
        DiskSpec swapped = DiskSpec.of(uri(other), Optional.of(uri(blankMain)));
        assertSays(refused(swapped, Refusal.Kind.WRONG_DEVICE), "blank-main.img", "its-spare.img", "remap forget");
        Refusal created = assertThrows(Refusal.class, () -> pairing.create(uri(other), uri(blankMain), options(false)));
        assertSays(created, "its-spare.img", "remap forget");
        pairing.forget(uri(blankMain));
        open(swapped);
    }

    @Test
    void aMainThatCannotTellWhetherItIsASpareIsServed() throws Exception {
        metadata.unreadable = new DeviceException("disk.img", "read", 0, 4096, Errno.ENODEV);
        open(with(spare));
    }

    private static Pairing.CreateOptions options(boolean force) {
        return new Pairing.CreateOptions(force, false, OptionalInt.empty(), OptionalLong.empty());
    }

    @Test
    void whatIsForgottenMayBePairedAnew() throws Exception {
        open(with(spare));
        assertEquals(1, pairing.forget(uri(main)).size());
        assertEquals(List.of(), pairing.forget(uri(main)));
        open(alone());
        open(with(newSpare("new.img")));
    }

    @Test
    void aSpareIsTakenByTheMainItWasMadeForOnly() throws Exception {
        open(with(spare));
        Path copy = directory.resolve("copy.img");
        Files.write(copy, content);
        DiskSpec swapped = DiskSpec.of(uri(copy), Optional.of(uri(spare)));
        assertSays(refused(swapped, Refusal.Kind.WRONG_DEVICE), "was made for", "--adopt");
        open(changed(swapped, false, false, true, false));
        Path larger = directory.resolve("larger.img");
        Files.write(larger, new byte[2 * MAIN_BYTES]);
        DiskSpec grown = changed(DiskSpec.of(uri(larger), Optional.of(uri(spare))), false, false, true, false);
        assertSays(refused(grown, Refusal.Kind.WRONG_DEVICE), String.valueOf(MAIN_BYTES));
    }

    @Test
    void aWitnessThatMainCarriesMovesWithIt() throws Exception {
        open(with(spare));
        Path moved = directory.resolve("moved.img");
        Files.move(main, moved);
        boolean carries;
        try (BlockDevice device = new FileDeviceProvider().open(uri(moved), OpenOptions.inspect())) {
            carries = device.capability(io.remap.api.WitnessTag.class).isPresent();
        }
        DiskSpec spec = DiskSpec.of(uri(moved), Optional.of(uri(spare)));
        if (carries) {
            assertEquals(FeatureState.STARTED, open(spec).witness().state());
        } else {
            refused(spec, Refusal.Kind.WRONG_DEVICE);
        }
        Files.move(moved, main);
    }

    @Test
    void aSpareThatIsOlderThanTheWitnessIsRefused() throws Exception {
        open(with(spare));
        UUID pair;
        try (PairDevices devices = pairing.opening().openDevices(with(spare))) {
            pair = metadata.inspect(devices.spare().orElseThrow())
                    .pair()
                    .orElseThrow()
                    .pairUuid();
            new Witnesses(state)
                    .leave(
                            devices.main(),
                            new Witness(
                                    pair, 1_000_000, 0, "spare.img", "", Optional.empty(), Optional.empty(), false));
        }
        assertSays(refused(with(spare), Refusal.Kind.WRONG_DEVICE), "older", "1000000");
    }

    @Test
    void sectorsOnASpareAreNotMixedWithAFileThatHasNoWitnessOfThem() throws Exception {
        open(with(spare));
        pairing.forget(uri(main));
        open(with(spare));
        CountDownLatch committed = new CountDownLatch(1);
        boolean carries;
        try (PairDevices devices = pairing.opening().openDevices(with(spare));
                PairMetadata opened =
                        pairing.opening().openMetadata(devices, Settings.defaults(), (pair, found, session) -> {})) {
            carries = devices.main().capability(io.remap.api.WitnessTag.class).isPresent();
            MapChange change = MapChange.set(3, 1, Place.onSlot(0, 7, 0xff, 0));
            opened.store().orElseThrow().commit(List.of(change), (outcome, table) -> committed.countDown());
            assertTrue(committed.await(10, TimeUnit.SECONDS));
        }
        assertEquals(FeatureState.STARTED, open(with(spare)).witness().state());
        pairing.forget(uri(main));
        if (carries) {
            assertSays(refused(with(spare), Refusal.Kind.WRONG_DEVICE), "1 units", "no witness", "--adopt");
        }
        assertEquals(
                FeatureState.STARTED,
                open(changed(with(spare), false, false, true, false)).witness().state());
    }

    @Test
    void aWitnessThatCannotBeReadRefusesRatherThanPermits() throws Exception {
        for (String text : List.of("", "remap-witness=2\npair=x\n", "remap-witness=1\npair=nonsense\ngeneration=1\n")) {
            assertEquals(
                    Witness.UNKNOWN_PAIR,
                    Witness.decode(text.getBytes(StandardCharsets.UTF_8)).pairUuid(),
                    text);
        }
        try (PairDevices devices = pairing.opening().openDevices(with(spare))) {
            new Witnesses(state)
                    .leave(
                            devices.main(),
                            new Witness(Witness.UNKNOWN_PAIR, 0, 0, "", "", Optional.empty(), Optional.empty(), false));
        }
        refused(with(spare), Refusal.Kind.WRONG_DEVICE);
        refused(alone(), Refusal.Kind.WRONG_DEVICE);
    }

    @Test
    void aSpareThatSharesBytesWithMainIsRefused() throws Exception {
        assertSays(refused(with(main), Refusal.Kind.USAGE), "share bytes");
        Path link = directory.resolve("link.img");
        Files.createLink(link, main);
        assertSays(refused(with(link), Refusal.Kind.USAGE), "share bytes");
        DiskSpec overlapping = DiskSpec.of(
                DeviceUri.parse(main + "?length=512K"), Optional.of(DeviceUri.parse(main + "?offset=508K")));
        assertSays(refused(overlapping, Refusal.Kind.USAGE), "share bytes");
    }

    @Test
    void aSpareThatDoesNotFitIsRefused() throws Exception {
        DiskSpec coarse = DiskSpec.of(uri(main), Optional.of(DeviceUri.parse("mem:coarse?size=4M&sector=4096")));
        assertSays(refused(coarse, Refusal.Kind.USAGE), "4096", "--sector-size 4096");
        DiskSpec volatileSpare = DiskSpec.of(uri(main), Optional.of(DeviceUri.parse("mem:fine?size=4M")));
        assertSays(refused(volatileSpare, Refusal.Kind.USAGE), "in memory", "--force");
        open(changed(volatileSpare, false, true, false, false));
    }

    @Test
    void whatIsNotBlankIsTheUsers() throws Exception {
        metadata.found = SpareContent.Kind.FOREIGN;
        assertSays(refused(with(spare), Refusal.Kind.WRONG_DEVICE), "as the test says", "--force");
        for (SpareContent.Kind kind :
                List.of(SpareContent.Kind.DAMAGED, SpareContent.Kind.TOO_NEW, SpareContent.Kind.UNREADABLE)) {
            metadata.found = kind;
            Refusal refusal = refused(with(spare), Refusal.Kind.DAMAGED);
            assertSays(refusal, "as the test says", "is not served without it");
            boolean maybeNew = kind == SpareContent.Kind.UNREADABLE;
            String create = "remap create " + main + " --spare " + spare + " --force";
            assertEquals(maybeNew, refusal.getMessage().contains(create), refusal.getMessage());
        }
        Refusal sectors = refused(withSectors(spare, 4096), Refusal.Kind.DAMAGED);
        assertSays(sectors, " --spare " + spare + " --sector-size 4096 --force");
        // What the message says.
        pairing.create(
                uri(main),
                uri(spare),
                new Pairing.CreateOptions(true, false, OptionalInt.of(4096), OptionalLong.empty()));
        open(withSectors(spare, 4096));
        metadata.found = SpareContent.Kind.UNREADABLE;
        Refusal known = refused(withSectors(spare, 4096), Refusal.Kind.DAMAGED);
        assertFalse(known.getMessage().contains("--force"), known.getMessage());
    }

    /** So that the command can be repeated as its refusal says; a file that was there before stays. */
    @Test
    void aSpareThatWasMadeAndRefusedIsGone() throws Exception {
        Path made = directory.resolve("made.img");
        Pairing.CreateOptions options =
                new Pairing.CreateOptions(false, false, OptionalInt.empty(), OptionalLong.of(1 << 20));
        metadata.found = SpareContent.Kind.FOREIGN;
        assertThrows(Refusal.class, () -> pairing.create(uri(main), uri(made), options));
        assertFalse(Files.exists(made));
        metadata.found = null;
        assertThrows(Refusal.class, () -> pairing.create(uri(main), uri(spare), options));
        assertTrue(Files.exists(spare));
        pairing.create(uri(main), uri(made), options);
    }

    @Test
    void theSectorSizeThatAnImageWasPairedWithIsSaid() throws Exception {
        pairing.create(
                uri(main),
                uri(spare),
                new Pairing.CreateOptions(false, false, OptionalInt.of(4096), OptionalLong.empty()));
        assertSays(
                refused(with(spare), Refusal.Kind.WRONG_DEVICE),
                "sectors of 4096 bytes",
                "is opened with sectors of 512",
                "--sector-size 4096");
        open(withSectors(spare, 4096));
        Path larger = directory.resolve("larger.img");
        Files.write(larger, new byte[2 * MAIN_BYTES]);
        Refusal other = refused(DiskSpec.of(uri(larger), Optional.of(uri(spare))), Refusal.Kind.WRONG_DEVICE);
        assertSays(other, "name the main that it belongs to");
    }

    @Test
    void readOnlyWritesNothing() throws Exception {
        DiskSpec sidecar = changed(DiskSpec.of(uri(main), Optional.empty()), true, false, false, false);
        PairMetadata opened = open(sidecar);
        assertTrue(opened.readOnly());
        assertEquals(Optional.empty(), opened.store());
        refused(changed(with(spare), true, false, false, false), Refusal.Kind.USAGE);
        try (var files = Files.list(directory)) {
            assertEquals(2, files.count(), "disk.img and spare.img");
        }
    }

    @Test
    void anImageGetsASidecarAndABlockDeviceOrMemoryDoesNot() throws Exception {
        PairMetadata opened = open(DiskSpec.of(uri(main), Optional.empty()));
        assertTrue(opened.store().isPresent());
        assertEquals(SpareSizing.sidecarBytes(MAIN_BYTES), Files.size(directory.resolve("disk.img.spare")), "its size");
        DiskSpec memory = DiskSpec.of(DeviceUri.parse("mem:m?size=1M"), Optional.empty());
        assertSays(refused(memory, Refusal.Kind.USAGE), "--spare");
    }

    @Test
    void aNewPairNeedsAWitnessOrTheUsersWord() throws Exception {
        // A part carries no tag, so its witness goes to the state directory; here that is below a file.
        pairing = pairing(Files.createFile(directory.resolve("file")));
        DeviceUri part = DeviceUri.parse(main + "?length=512K");
        DiskSpec spec = DiskSpec.of(part, Optional.of(uri(spare)));
        assertSays(refused(spec, Refusal.Kind.ENVIRONMENT), "witness", "--no-witness");
        // The format was done; the pair exists, and is served although nothing on this host remembers it.
        assertEquals(FeatureState.FAILED, open(spec).witness().state());
        DiskSpec told = DiskSpec.of(part, Optional.of(uri(newSpare("fresh.img"))));
        assertEquals(
                FeatureState.FAILED,
                open(changed(told, false, false, false, true)).witness().state());
    }

    @Test
    void whatSharesBytesWithAKnownMainIsKnownToo() throws Exception {
        // The witness of a part is a file of the state directory.
        DeviceUri part = DeviceUri.parse(main + "?offset=128K&length=512K");
        open(DiskSpec.of(part, Optional.of(uri(spare))));
        for (String shares : List.of("", "?length=256K", "?offset=256K&length=64K", "?offset=512K")) {
            Refusal refusal = refused(aloneAt(main + shares), Refusal.Kind.WRONG_DEVICE);
            assertSays(refusal, "spare.img", "made for path:" + main, "shares bytes", "remap forget");
        }
        open(aloneAt(main + "?length=128K"));
        open(aloneAt(main + "?offset=640K"));
        Refusal asSpare = assertThrows(
                Refusal.class,
                () -> pairing.create(
                        uri(newMain("other.img")),
                        uri(main),
                        new Pairing.CreateOptions(false, false, OptionalInt.empty(), OptionalLong.empty())));
        assertSays(asSpare, "is a main", "shares bytes");
        open(DiskSpec.of(part, Optional.of(uri(spare))));
    }

    private Path newMain(String name) throws Exception {
        return Files.write(directory.resolve(name), content);
    }

    /** Of the same size, and by the same file, but other bytes of it. */
    @Test
    void aMainThatBeginsElsewhereIsAnotherOne() throws Exception {
        open(DiskSpec.of(DeviceUri.parse(main + "?length=512K"), Optional.of(uri(spare))));
        DiskSpec shifted = DiskSpec.of(DeviceUri.parse(main + "?offset=64K&length=512K"), Optional.of(uri(spare)));
        assertSays(refused(shifted, Refusal.Kind.WRONG_DEVICE), "was made for path:" + main, "nothing tells");
    }

    @Test
    void whatIsForgottenIsForgottenForAllThatSharesItsBytes() throws Exception {
        DiskSpec part = DiskSpec.of(DeviceUri.parse(main + "?length=512K"), Optional.of(uri(spare)));
        DiskSpec second = DiskSpec.of(DeviceUri.parse(main + "?offset=512K"), Optional.of(uri(newSpare("second.img"))));
        open(part);
        open(second);
        List<String> forgotten = pairing.forget(uri(main));
        assertEquals(2, forgotten.size(), forgotten.toString());
        assertTrue(String.join(" ", forgotten).contains("second.img"), forgotten.toString());
        open(alone());
    }

    @Test
    void createFormatsAndKeepsWhatIsThere() throws Exception {
        Pairing.CreateOptions plain =
                new Pairing.CreateOptions(false, false, OptionalInt.empty(), OptionalLong.empty());
        Pairing.CreateOptions force = new Pairing.CreateOptions(true, false, OptionalInt.empty(), OptionalLong.empty());
        metadata.found = SpareContent.Kind.FOREIGN;
        assertEquals(
                Refusal.Kind.WRONG_DEVICE,
                assertThrows(Refusal.class, () -> pairing.create(uri(main), uri(spare), plain))
                        .kind());
        Pairing.Created created = pairing.create(uri(main), uri(spare), force);
        assertEquals(MAIN_BYTES, created.pair().mainSizeBytes());
        Refusal again =
                assertThrows(Refusal.class, () -> pairing.create(uri(main), uri(newSpare("second.img")), force));
        assertSays(again, "has a spare already", "remap forget");
        open(with(spare));
    }

    @Test
    void createMakesTheSpareOnlyIfItWouldDo() throws Exception {
        Path made = directory.resolve("made.img");
        Pairing.CreateOptions tiny =
                new Pairing.CreateOptions(false, false, OptionalInt.empty(), OptionalLong.of(4096));
        assertThrows(Refusal.class, () -> pairing.create(uri(main), uri(made), tiny));
        assertFalse(Files.exists(made));
        pairing.create(
                uri(main),
                uri(made),
                new Pairing.CreateOptions(false, false, OptionalInt.empty(), OptionalLong.of(SPARE_BYTES)));
        assertEquals(SPARE_BYTES, Files.size(made));
        open(with(made));
    }
}
