package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.ByteSize;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.WitnessTag;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SpareMember;
import io.remap.core.disk.TrackedDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens pairs for a service: checks at every start that main and its spare belong together, formats a blank spare,
 * and leaves a witness, so that a main is never served without the spare that holds some of its sectors.
 *
 * <p>The rules, in the order in which they are asked:
 *
 * <ol>
 *   <li>The spare shares no byte with main, has sectors no larger, and survives what main survives.
 *   <li>What is a spare is not served as a main, and what is known as a main is not formatted: they were swapped.
 *   <li>A main with a witness is served with the spare of that pair only, and only if that spare is not older than the
 *       witness, and after a clean stop the very one that was stopped: {@link LastStop}.
 *   <li>A spare of a pair is taken only by the main of that pair: same size, same sectors, and the witness or the name;
 *       the name of a main that could carry a witness is enough only while no sector stands on the spare.
 *   <li>A main that was written without us since the last clean stop is not written ({@link MainCheck}), unless the user
 *       knows.
 *   <li>A blank spare is formatted; anything else on it is the user's.
 *   <li>The witness is durable before a mapping can be made.
 * </ol>
 *
 * <p>Thread-safe: it keeps nothing between calls.
 */
final class PairOpening implements PairOpener {
    private static final Logger LOG = LoggerFactory.getLogger(PairOpening.class);

    /** What may as well be a main. */
    private static final Set<SpareContent.Kind> NONE_OF_OURS =
            Set.of(SpareContent.Kind.BLANK, SpareContent.Kind.FOREIGN, SpareContent.Kind.UNREADABLE);

    private final Providers providers;
    private final Devices devices;
    private final Witnesses witnesses;
    private final Environment environment;

    PairOpening(Providers providers, Devices devices, Witnesses witnesses, Environment environment) {
        this.providers = providers;
        this.devices = devices;
        this.witnesses = witnesses;
        this.environment = environment;
    }

    @Override
    public PairDevices openDevices(DiskSpec spec) throws Refusal, DeviceException {
        OpenOptions openMain = new OpenOptions(
                spec.readOnly(), true, spec.door(), spec.sectorBytes(), OptionalLong.empty(), spec.force());
        BlockDevice main = devices.open(spec.main(), openMain);
        BlockDevice spare = null;
        try {
            PairGeometry.refuseSize(main);
            PairGeometry.refuseCoarse(main, main.traits().logicalSectorBytes());
            List<String> notices = new ArrayList<>();
            if (!main.direct().traits().direct() && !main.traits().losesContentOnPowerCut()) {
                notices.add(main.name() + " takes no direct I/O: a write error may show only at the next flush");
            }
            Optional<SpareChoice> choice = chooseSpare(spec, main, notices);
            if (choice.isPresent()) {
                spare = openSpare(
                        spec.main(), main, choice.get().uri, choice.get().createBytes, spec.readOnly(), spec.force());
                PairGeometry.sharedDisk(main, spare)
                        .filter(n -> !spec.spares().isEmpty())
                        .ifPresent(notices::add);
            }
            List<DeviceUri> others = new ArrayList<>(spec.spares());
            choice.ifPresent(first -> others.remove(first.uri));
            return new PairDevices(
                    spec,
                    TrackedDevice.of(main),
                    Optional.ofNullable(spare).map(TrackedDevice::of),
                    choice.map(SpareChoice::uri),
                    others,
                    notices);
        } catch (Refusal | DeviceException | RuntimeException e) {
            if (spare != null) {
                spare.close();
            }
            main.close();
            throw e;
        }
    }

    /** Which spare, and how large it is to be made if it is to be made. */
    private record SpareChoice(DeviceUri uri, OptionalLong createBytes) {}

    private Optional<SpareChoice> chooseSpare(DiskSpec spec, BlockDevice main, List<String> notices)
            throws Refusal, DeviceException {
        if (!spec.spares().isEmpty()) {
            DeviceUri first = spec.spares().size() == 1
                    ? spec.spares().get(0)
                    : spareSet(spec, main).first(spec.spares());
            return Optional.of(new SpareChoice(first, OptionalLong.empty()));
        }
        if (spec.withoutSpare()) {
            PairMatch.refuseWithoutSpare(main, witnesses.find(main), "without it");
            notices.add("served without a spare: a sector that fails stays failed");
            return Optional.empty();
        }
        if (main.traits().blockDevice()
                || spec.main().isPart()
                || main.identity().backing().startsWith("mem:")) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    main.name() + " needs a spare: --spare DEVICE (how large: remap size "
                            + ShellWords.device(spec.main().toString()) + "), or --no-spare to serve it as it is");
        }
        DeviceUri sidecar = new DeviceUri("file", spec.main().path() + ".spare", Map.of(), 0, DeviceUri.TO_END);
        if (Path.of(sidecar.path()).toFile().exists()) {
            notices.add("spare: " + sidecar.path() + ", found beside main");
            return Optional.of(new SpareChoice(sidecar, OptionalLong.empty()));
        }
        PairMatch.refuseWithoutSpare(
                main, witnesses.find(main), "without it, and its sidecar " + sidecar.path() + " is not there");
        if (spec.readOnly() || providers.all(MetadataProvider.class).isEmpty()) {
            notices.add("served without a spare: "
                    + (spec.readOnly() ? "it has none, and read-only needs none" : "no metadata module is there"));
            return Optional.empty();
        }
        long bytes = SpareSizing.sidecarBytes(main.traits().sizeBytes());
        notices.add("made the spare " + sidecar.path() + " (" + ByteSize.format(bytes) + ") beside main");
        return Optional.of(new SpareChoice(sidecar, OptionalLong.of(bytes)));
    }

    private SpareSet spareSet(DiskSpec spec, BlockDevice main) throws Refusal {
        return new SpareSet(
                providers.metadata(),
                devices,
                environment,
                (uri, createBytes) -> openSpare(spec.main(), main, uri, createBytes, spec.readOnly(), spec.force()));
    }

    @Override
    public FurtherSpares.Open addSpare(
            PairDevices pair,
            PairMetadata open,
            DeviceUri uri,
            OptionalLong createBytes,
            boolean force,
            SpareMember.Use use)
            throws Refusal, DeviceException {
        SpareSet set = new SpareSet(providers.metadata(), devices, environment, (spare, bytes) -> {
            BlockDevice device = openSpare(pair.spec().main(), pair.main(), spare, bytes, false, force);
            try {
                refuseInUse(pair, open, device, force);
                return device;
            } catch (Refusal | DeviceException | RuntimeException e) {
                device.close();
                throw e;
            }
        });
        MetadataStore store = open.store().orElseThrow();
        return set.add(uri, createBytes, force, use, store, open.further().freeIndex(store.members()));
    }

    private void refuseInUse(PairDevices pair, PairMetadata open, BlockDevice device, boolean force)
            throws Refusal, DeviceException {
        // Parts of one file are opened beside each other: nothing else tells.
        PairGeometry.refuseOverlap("spare", pair.spare().orElseThrow(), device.identity(), device.name());
        for (FurtherSpares.Open further : open.further().open()) {
            PairGeometry.refuseOverlap("spare", further.device(), device.identity(), device.name());
        }
        if (!force) {
            refuseMainAsSpare(device, providers.metadata().inspect(device.direct()));
        }
    }

    @Override
    public void stampSpares(PairDevices pair, PairMetadata open, MemberChanges changes)
            throws Refusal, DeviceException {
        MetadataStore store = open.store().orElseThrow();
        spareSet(pair.spec(), pair.main())
                .stamp(pair.spare().orElseThrow(), open.further(), store, store.generation() + 1, changes);
    }

    @Override
    public void spreadTable(PairMetadata open) throws Refusal {
        SpareSet.spread(open.further(), open.store().orElseThrow());
    }

    @Override
    public void eraseSpare(BlockDevice device, PairIdentity pair, int index) throws Refusal, DeviceException {
        providers.metadata().eraseMember(device.direct(), pair, index);
    }

    @Override
    public MetadataReport checkSpare(BlockDevice further) throws Refusal, DeviceException {
        MetadataProvider metadata = providers.metadata();
        return metadata.tools()
                .orElseThrow(() -> new Refusal(
                        Refusal.Kind.ENVIRONMENT, "the metadata module '" + metadata.name() + "' offers no check"))
                .checkBeside(further.direct());
    }

    /**
     * Opens the spare after it is certain that it is not main: two exclusive openings of one device tell less. Where both
     * are parts of one file or device, main holds it for both.
     */
    BlockDevice openSpare(
            DeviceUri mainUri,
            BlockDevice main,
            DeviceUri uri,
            OptionalLong createBytes,
            boolean readOnly,
            boolean force)
            throws Refusal, DeviceException {
        if (createBytes.isEmpty()) {
            try (BlockDevice look = devices.open(uri, OpenOptions.inspect())) {
                PairGeometry.refuseOverlap("main", main, look.identity(), look.name());
            }
        }
        boolean exclusive = !arePartsOfOne(mainUri, uri);
        int sectorBytes = main.traits().logicalSectorBytes();
        BlockDevice spare = devices.open(
                uri, new OpenOptions(readOnly, exclusive, Door.AUTO, OptionalInt.empty(), createBytes, force));
        try {
            if (spare.direct().traits().alignmentBytes() > sectorBytes) {
                spare.close();
                spare = devices.open(
                        uri,
                        new OpenOptions(
                                readOnly, exclusive, Door.BUFFERED, OptionalInt.empty(), OptionalLong.empty(), force));
            }
            PairGeometry.refuseMisfit(main, spare, force);
            PairGeometry.refuseCoarse(spare, sectorBytes);
            if (spare.traits().readOnly() && !readOnly) {
                throw new Refusal(
                        Refusal.Kind.ENVIRONMENT,
                        "spare " + spare.name() + " is read-only: make it writable, or serve with --read-only");
            }
            return spare;
        } catch (Refusal | DeviceException | RuntimeException e) {
            spare.close();
            Devices.discard(uri, createBytes);
            throw e;
        }
    }

    private static boolean arePartsOfOne(DeviceUri main, DeviceUri spare) {
        if (!main.isPart() || !spare.isPart()) {
            return false;
        }
        try {
            return Files.isSameFile(Path.of(main.path()), Path.of(spare.path()));
        } catch (IOException | InvalidPathException e) {
            // One of them is no file, or out of reach.
            return false;
        }
    }

    @Override
    public PairMetadata openMetadata(PairDevices pair, Settings settings, Succession succession)
            throws Refusal, DeviceException {
        Optional<Witness> witness = witnesses.find(pair.main());
        if (witness.isEmpty() && !pair.spec().readOnly() && !pair.spec().force()) {
            refuseSpareAsMain(pair.main());
        }
        if (pair.spare().isEmpty()) {
            return withoutSpare(pair);
        }
        MetadataProvider metadata = providers.metadata();
        TrackedDevice spare = pair.spare().get();
        Optional<String> takenOver = Ownership.require(
                metadata, spare.direct(), environment, pair.spec().takeOver());
        SpareContent content = metadata.inspect(spare.direct());
        refuseMainAsSpare(spare, content);
        PairMatch.refuseWrongContent(pair, content, witness);
        List<String> notices = new ArrayList<>(takenOver.stream().toList());
        boolean fresh = content.kind() == SpareContent.Kind.BLANK;
        Examined examined = fresh
                ? formatBlank(metadata, pair, notices)
                : examine(
                        metadata,
                        pair,
                        witness,
                        takenOver.isPresent() || pair.spec().adopt(),
                        settings,
                        notices);
        MetadataStore store = null;
        try {
            long unwitnessedStop = takeBackStop(pair, witness);
            Optional<Lineage> writing = pair.spec().readOnly() ? Optional.empty() : Optional.of(newLineage(witness));
            writing.ifPresent(lineage -> succession.follows(examined.pair, examined.session, lineage.session()));
            store = metadata.open(spare.direct(), writing, environment, settings);
            int openedFrom = store.openedFrom();
            // So that a start from another spare finds it.
            pair.spareUri().ifPresent(uri -> examined.further.remember(openedFrom, uri.absolute()));
            if (!pair.spec().readOnly()) {
                SpareSet.spread(examined.further, store);
                spareSet(pair.spec(), pair.main())
                        .stamp(spare, examined.further, store, store.generation(), new MemberChanges(store));
                MetadataStore opened = store;
                store.whenLeftBehind(() -> rememberTable(pair, opened));
            }
            FeatureStatus left = witnessOf(pair, store);
            if (left.state() == FeatureState.FAILED && fresh) {
                PairMatch.requireWitness(pair.main(), left, pair.spec().noWitness());
                notices.add("no witness could be left on this host: " + left.detail());
            }
            return new PairMetadata(
                    Optional.of(store),
                    pair.spec().readOnly(),
                    store.status(),
                    left,
                    unwitnessedStop,
                    examined.mainCheck,
                    examined.further,
                    notices);
        } catch (Refusal | DeviceException | RuntimeException e) {
            if (store != null) {
                store.close();
            }
            examined.further.close();
            throw e;
        }
    }

    private Examined formatBlank(MetadataProvider metadata, PairDevices pair, List<String> notices)
            throws Refusal, DeviceException {
        TrackedDevice spare = pair.spare().orElseThrow();
        if (!pair.namedFurther().isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    spare.name()
                            + " is blank, and the other spares named belong to a pair: leave it out, and add it"
                            + " with 'remap spare add' to the disk that is served");
        }
        metadata.plan(spare.traits().sizeBytes(), spare.traits().physicalSectorBytes());
        PairIdentity made = newPair(pair.main());
        metadata.format(spare.direct(), made, environment);
        notices.add("formatted the blank spare " + PairGeometry.sized(spare));
        return new Examined(MainCheck.NONE, new FurtherSpares(), made, Lineage.UNKNOWN);
    }

    private PairMetadata withoutSpare(PairDevices pair) {
        boolean built = !providers.all(MetadataProvider.class).isEmpty();
        return new PairMetadata(
                Optional.empty(),
                pair.spec().readOnly(),
                FeatureStatus.of("metadata", FeatureState.ABSENT, built ? "no spare" : "no module provides it"),
                FeatureStatus.of("witness", FeatureState.ABSENT, "no spare"),
                0,
                MainCheck.NONE,
                new FurtherSpares(),
                List.of());
    }

    /** What an opening is known by, and what main remembered as it began. */
    private Lineage newLineage(Optional<Witness> witness) {
        UUID session = randomUuid();
        return witness.flatMap(Witness::session)
                .map(remembered -> new Lineage(session, remembered))
                .orElse(Lineage.first(session));
    }

    private UUID randomUuid() {
        return new UUID(environment.random().nextLong(), environment.random().nextLong());
    }

    /**
     * A pair that was looked at.
     *
     * @param mainCheck how main compares
     * @param further the further spares, which are open
     * @param pair which one it is
     * @param session of the opening before this one
     */
    private record Examined(MainCheck mainCheck, FurtherSpares further, PairIdentity pair, UUID session) {}

    /**
     * Looks at a pair that was used before: whether the spare is the one that main remembers, and main what the spare
     * remembers, and whether the further spares are there. Writes nothing.
     *
     * @param hadByAnother the user says that another host has had it last, or that the spare is main's whoever had it
     */
    private Examined examine(
            MetadataProvider metadata,
            PairDevices pair,
            Optional<Witness> witness,
            boolean hadByAnother,
            Settings settings,
            List<String> notices)
            throws Refusal, DeviceException {
        try (MetadataStore look = metadata.open(pair.spare().orElseThrow().direct(), true, environment, settings)) {
            if (witness.isPresent()) {
                LastStop.refuseOther(pair, witness.get(), look, hadByAnother);
            } else {
                refuseWithoutWitness(pair, look);
            }
            MainCheck check = MainCheck.atOpening(
                    pair.main(),
                    look,
                    witness.isPresent(),
                    environment.time(),
                    ServiceSettings.mainCheckMillis(settings));
            boolean changed = check.difference().isPresent();
            if (changed && !pair.spec().readOnly() && !pair.spec().acceptMainChanges()) {
                throw PairMatch.mainChanged(pair, check.difference().get());
            }
            if (changed) {
                notices.add("main " + pair.main().name() + " "
                        + check.difference().get() + (pair.spec().readOnly() ? "" : "; accepted"));
            }
            FurtherSpares further = spareSet(pair.spec(), pair.main())
                    .openAll(
                            pair.spare().orElseThrow(),
                            pair.namedFurther(),
                            pair.spec().spares(),
                            look,
                            pair.spec().missingSpares(),
                            pair.spec().adopt(),
                            notices);
            return new Examined(
                    changed && !pair.spec().readOnly() ? MainCheck.NONE : check,
                    further,
                    look.pair(),
                    look.lineage().session());
        }
    }

    /**
     * A file that carries no witness although it could is another one by the same name, an old copy, or was forgotten: with
     * sectors of a spare it would be a mix of two disks.
     */
    private static void refuseWithoutWitness(PairDevices pair, MetadataStore look) throws Refusal {
        boolean couldCarry = pair.main()
                .capability(WitnessTag.class)
                .filter(WitnessTag::isOwn)
                .isPresent();
        if (couldCarry && !pair.spec().adopt() && !pair.spec().noWitness()) {
            PairMatch.refuseSectorsOfAnother(pair, look.pair(), look.table());
        }
    }

    /**
     * The witness no longer tells of a clean stop, before the spare changes: see {@link LastStop}.
     *
     * @return id of the stop that it goes on telling of, as it cannot be written; 0 if there is none
     */
    private long takeBackStop(PairDevices pair, Optional<Witness> witness) {
        if (pair.spec().readOnly() || witness.flatMap(Witness::stop).isEmpty()) {
            return 0;
        }
        FeatureStatus left = witnesses.leave(pair.main(), witness.get().withoutStop());
        return left.state() == FeatureState.FAILED ? witness.get().stop().get().id() : 0;
    }

    @Override
    public void noteStop(PairDevices pair, PairMetadata closed, long stopId) {
        MetadataStore store = closed.store().orElseThrow();
        FeatureStatus left = witnesses.leave(
                pair.main(), witness(pair, store).stopped(new Witness.Stop(stopId, TableDigest.of(store))));
        if (left.state() == FeatureState.FAILED) {
            LOG.warn("{}: the clean stop could not be noted: {}", pair.main().name(), left.detail());
        }
    }

    /** A copy of the table was left behind: main must not be served with it alone. */
    private void rememberTable(PairDevices pair, MetadataStore store) {
        FeatureStatus left = witnesses.leave(pair.main(), witness(pair, store));
        if (left.state() == FeatureState.FAILED) {
            LOG.warn(
                    "{}: a copy of the table was left behind, and the witness could not be told: {}",
                    pair.main().name(),
                    left.detail());
        }
    }

    private FeatureStatus witnessOf(PairDevices pair, MetadataStore store) {
        if (pair.spec().readOnly()) {
            return FeatureStatus.of("witness", FeatureState.ABSENT, "read-only writes none");
        }
        return witnesses.leave(pair.main(), witness(pair, store));
    }

    private static Witness witness(PairDevices pair, MetadataStore store) {
        return Witness.of(
                        store.pair(),
                        store.generationOnAll(),
                        store.table().mappedUnits(),
                        store.leadName().orElse(pair.spare().orElseThrow().name()))
                .openedBy(store.lineage().session());
    }

    /** A main that nothing is known of may be a spare; a failing one that cannot tell is none. */
    void refuseSpareAsMain(BlockDevice main) throws Refusal {
        for (MetadataProvider metadata : providers.all(MetadataProvider.class)) {
            try {
                PairMatch.refuseSpareAsMain(main, metadata.pairOnSpare(main.direct()));
            } catch (DeviceException e) {
                LOG.info("whether it is a spare cannot be told: {}", e.getMessage());
            }
        }
    }

    /** Asked before what stands on it: the way out of foreign content would destroy a known main. */
    void refuseMainAsSpare(BlockDevice spare, SpareContent content) throws Refusal {
        if (NONE_OF_OURS.contains(content.kind())) {
            PairMatch.refuseMainAsSpare(spare, witnesses.find(spare));
        }
    }

    PairIdentity newPair(BlockDevice main) {
        return new PairIdentity(
                randomUuid(),
                main.traits().sizeBytes(),
                main.traits().logicalSectorBytes(),
                main.identity().stableId());
    }
}
