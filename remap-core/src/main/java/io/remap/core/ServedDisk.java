package io.remap.core;

import io.remap.api.Attribute;
import io.remap.api.BlockDevice;
import io.remap.api.BufferPool;
import io.remap.api.DeviceException;
import io.remap.api.DiskTraits;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.spi.FeatureCommand;
import io.remap.api.spi.HealthProvider;
import io.remap.api.spi.MetadataCopies;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.TableMove;
import io.remap.core.ServiceStatus.DeviceStatus;
import io.remap.core.ServiceStatus.DiskStatus;
import io.remap.core.disk.DiskEvent;
import io.remap.core.disk.DiskParts;
import io.remap.core.disk.DiskSummary;
import io.remap.core.disk.HealthMemory;
import io.remap.core.disk.LedgerFiles;
import io.remap.core.disk.Saved;
import io.remap.core.disk.TrackedDevice;
import io.remap.core.disk.VirtualDisk;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One disk of a service and its phases: DEVICES → METADATA → MAPPING → HEALTH, and back. What is saved beside the mappings
 * is read when the mapping stands, and saved for the last time when it has gone.
 *
 * <p>Invariants: an object that {@link #start} returned stands in all phases; one that it did not return has left nothing
 * open. After the stop has begun it shows its last state and touches none of its parts. Thread-safe.
 */
final class ServedDisk {
    /** How long a save that somebody asked for waits for health. */
    private static final long GIVE_MILLIS = 2_000;

    private static final Logger LOG = LoggerFactory.getLogger(ServedDisk.class);

    private final DiskSpec spec;
    private final ServiceParts service;
    private final StartStack stack;
    private final FeatureTracker health;
    private final HealthMemory healthMemory = new HealthMemory();

    /** Another one once the spare was taken out that the table was read from. */
    private volatile PairDevices devices;

    private PairMetadata metadata;
    private VirtualDisk disk;
    private Lifetime lifetime;
    private MemberChanges memberChanges;
    private Autosave autosave;
    private StopNote stopNote;
    private MainComparison comparison;
    private MainMemory mainMemory;
    /** Numbers of spares that failed to hold the table. */
    private final Set<Integer> withoutTable = ConcurrentHashMap.newKeySet();

    private boolean stoppedInOrder;
    private LedgerFiles ledgerFiles = LedgerFiles.none("without a spare nothing says whose it is");

    /** Its last state, once the stop has begun. */
    private volatile DiskStatus last;

    private volatile boolean stopBegun;
    private volatile long drainMillis;

    private ServedDisk(DiskSpec spec, ServiceParts service) {
        this.spec = spec;
        this.service = service;
        String owner = "disk '" + spec.name() + "'";
        this.stack = new StartStack(owner);
        this.health = new FeatureTracker(
                owner, StatusReport.HEALTH, service.environment(), service.own().featureTimeoutMillis());
    }

    /**
     * Starts a disk, wholly or not at all.
     *
     * @throws Refusal also for a device that failed meanwhile ({@link Refusal.Kind#DEVICE_FAILED})
     */
    static ServedDisk start(DiskSpec spec, ServiceParts service) throws Refusal {
        ServedDisk disk = new ServedDisk(spec, service);
        try {
            disk.startPhases();
            return disk;
        } catch (Refusal | RuntimeException e) {
            disk.undo(e);
            throw e;
        } catch (DeviceException e) {
            disk.undo(e);
            throw new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e);
        }
    }

    private void undo(Exception cause) {
        if (metadata != null) {
            // Nobody has flushed main.
            metadata.stopIsUnclean();
        }
        Exception failure = stack.unwind();
        if (failure != null) {
            cause.addSuppressed(failure);
        }
    }

    /** The order of the start; that of the stop is its reverse. */
    private void startPhases() throws Refusal, DeviceException {
        startDevices();
        startMetadata();
        startMapping();
        startHealth();
        LOG.info(
                "disk '{}' stands: main {}, spare {}, metadata {}, health {}",
                name(),
                devices.main().name(),
                devices.spare().map(BlockDevice::name).orElse("none"),
                metadata.metadata().text(),
                health.status().text());
    }

    private void startDevices() throws Refusal, DeviceException {
        devices = service.pairs().openDevices(spec);
        stack.push("devices", this::closeDevices);
    }

    private void startMetadata() throws Refusal, DeviceException {
        metadata = service.pairs().openMetadata(devices, service.settings(), this::findLedgers);
        stack.push("metadata", this::closeMetadata);
        long seconds = service.own().verifySeconds();
        Optional<MetadataCopies> copies = metadata.store().flatMap(MetadataStore::copies);
        if (seconds > 0 && copies.isPresent() && !metadata.readOnly()) {
            VerifyTimer timer = VerifyTimer.start(
                    name(), copies.get(), service.environment().scheduler(), seconds);
            stack.push("verification of the metadata", timer::close);
        }
    }

    private void startMapping() throws Refusal {
        Optional<MetadataStore> store = metadata.store();
        Refusal unflushed = flushDevices();
        stack.push("autosave", this::closeAutosave);
        BufferPool recoveryBuffers = service.io().openRecoveryBuffers();
        stack.push("buffer pool of recovery", recoveryBuffers::close);
        disk = VirtualDisk.open(
                new DiskParts(
                        name(),
                        devices.main(),
                        store.map(s -> metadata.further()
                                        .forDisk(devices.spare().orElseThrow(), s, devices.orderOfOpened()))
                                .orElse(List.of()),
                        store,
                        service.policy(),
                        service.io().engine(),
                        recoveryBuffers,
                        service.environment(),
                        spec.readOnly() || metadata.readOnly(),
                        service.own().returnPauseMillis(),
                        service.own().ledger().in(ledgerFiles)),
                service.own().checksumIdleMillis());
        store.ifPresent(this::startMemberChanges);
        disk.answerWithin(service.own().deadlineMillis(), service.own().bufferBudgetBytes() / 4);
        disk.holdWhileAway(service.own().holdAwayMillis());
        if (unflushed != null && !disk.tookOver()) {
            disk.close(0);
            throw unflushed;
        }
        comparison = new MainComparison(disk, devices.main(), metadata.mainCheck(), service.environment());
        stack.push("virtual disk", this::closeMapping);
        store.ifPresent(this::startAutosave);
        stack.push("comparison of main", comparison::close);
        comparison.start(this::saveSoon);
    }

    private void startMemberChanges(MetadataStore store) {
        memberChanges = new MemberChanges(store);
        disk.spareSteering()
                .whenStandbyTakesOver(index ->
                        memberChanges.change(MemberChanges.of(index, member -> member.standby(false)), refusal -> {
                            if (refusal != null) {
                                LOG.warn(
                                        "disk '{}': spare {} stands by again after the next start: {}",
                                        name(),
                                        index,
                                        refusal.getMessage());
                            }
                        }));
    }

    private void startAutosave(MetadataStore store) {
        lifetime = new Lifetime(disk.counters());
        List<Saved> parts = new ArrayList<>(List.of(
                disk.events(), lifetime, healthMemory, disk.watchedUnits(), disk.unreadableUnits(), disk.avoided()));
        if (disk.traits().readOnly()) {
            // Nothing is saved, but what was saved counts: areas to leave alone before all.
            Autosave.restore(name(), store.saved(), parts);
            return;
        }
        stopNote = new StopNote(metadata.unwitnessedStop());
        mainMemory = new MainMemory(comparison::foundChanged);
        parts.addAll(List.of(stopNote, mainMemory, metadata.further()));
        autosave = new Autosave(
                name(), store, parts, service.environment(), service.own().autosavePauseMillis(), lease());
        autosave.start();
        boolean first = disk.events().newest(0, 1).isEmpty();
        disk.events()
                .note(
                        first || store.stoppedInOrder() ? DiskEvent.Kind.STARTED : DiskEvent.Kind.STARTED_AFTER_CRASH,
                        "");
        store.whenTableMoves(this::noteTableMove);
        if (metadata.unwitnessedStop() != 0) {
            // The witness of main claims a stop that is over: the spare has to say so before the next start asks.
            autosave.saveNow();
        }
    }

    private void noteTableMove(TableMove move) {
        boolean copied = move.kind() == TableMove.Kind.COPIED;
        disk.events()
                .note(
                        copied ? DiskEvent.Kind.TABLE_COPIED : DiskEvent.Kind.TABLE_LEFT_BEHIND,
                        "spare " + move.spare() + (move.detail().isEmpty() ? "" : ": " + move.detail()));
        if (!copied) {
            copyTableElsewhere(move.spare());
        }
    }

    /** The one that failed gets no copy again before the next start, or before somebody adds or removes a spare. */
    private void copyTableElsewhere(int leftBehind) {
        withoutTable.add(leftBehind);
        Map<Integer, BlockDevice> others = metadata.further().forTable();
        others.keySet().removeAll(withoutTable);
        if (!others.isEmpty()) {
            metadata.store().orElseThrow().spread(others, refusal -> {
                if (refusal != null) {
                    LOG.warn("disk '{}': the table is on one spare: {}", name(), refusal.getMessage());
                }
            });
        }
    }

    private Optional<Lease> lease() {
        long beatMillis = service.own().heartbeatMillis();
        if (beatMillis == 0) {
            return Optional.empty();
        }
        Lease lease = new Lease(service.environment().time(), beatMillis, disk::leaseIsOver);
        disk.askBeforeChanges(lease::isOver);
        return Optional.of(lease);
    }

    /**
     * What is kept beside the mappings is saved at the next opportunity, as far as there is a spare: what was found
     * about main outlives a crash, and the next start finds what it asks for.
     */
    void saveSoon() {
        if (autosave != null) {
            autosave.saveNow();
        }
    }

    private void closeAutosave() {
        if (autosave != null) {
            if (stoppedInOrder) {
                disk.events().note(DiskEvent.Kind.STOPPED, "");
                stampSpares();
                noteStop(metadata.store().orElseThrow());
            }
            autosave.close();
        }
    }

    /** Nobody writes any more: a copy of a further spare that was made before is not taken for it from now on. */
    private void stampSpares() {
        if (metadata.further().open().isEmpty()) {
            return;
        }
        try {
            service.pairs().stampSpares(devices, metadata, memberChanges);
        } catch (Refusal | DeviceException e) {
            LOG.warn("disk '{}': older copies of its spares cannot be told: {}", name(), e.getMessage());
        }
    }

    /** What the last save says: which stop this is, and what main holds. Both devices are flushed, and nobody writes. */
    private void noteStop(MetadataStore store) {
        long drawn = service.environment().random().nextLong();
        long id = drawn == 0 ? 1 : drawn;
        stopNote.stopping(id, store.generation());
        long millis = service.own().fingerprintMillis();
        if (millis > 0) {
            List<Fingerprint.Block> open = comparison.rest();
            long seed = open.isEmpty()
                    ? service.environment().random().nextLong()
                    : metadata.mainCheck().print().orElseThrow().seed();
            FingerprintTaker taker = new FingerprintTaker(
                    devices.main(),
                    disk.traits().sectorBytes(),
                    disk.recentWrites(),
                    disk::sectorsOnMain,
                    service.environment().time());
            mainMemory.stopping(taker.take(id, store.generation(), open, seed, millis));
        }
    }

    /** The witness tells of a clean stop only after the spare does. */
    private void closeMetadata() {
        metadata.close();
        boolean told = autosave != null && stopNote.id() != 0 && autosave.lastSaved();
        if (told && metadata.store().orElseThrow().cleanStopRecorded()) {
            service.pairs().noteStop(devices, metadata, stopNote.id());
        }
    }

    /** Where ledgers are that a killed process has left. */
    private void findLedgers(PairIdentity pair, UUID found, UUID session) {
        Optional<Path> directory = HostPaths.runDirectory();
        try {
            ledgerFiles = directory.isEmpty()
                    ? LedgerFiles.none("XDG_RUNTIME_DIR is not set")
                    : LedgerFiles.in(directory.get(), pair.pairUuid(), HostPaths.bootId(), found, session);
        } catch (IOException e) {
            ledgerFiles = LedgerFiles.none(e.toString());
        }
    }

    /**
     * What a process before this one wrote is durable before the first client sees it; the store has seen to the spare that
     * it stands on.
     *
     * @return why that is not so, and nobody may be served unless the ledger of that process tells what was lost
     */
    private Refusal flushDevices() {
        if (spec.readOnly()) {
            return null;
        }
        Stream<TrackedDevice> further = metadata.further().open().stream().map(FurtherSpares.Open::device);
        return Stream.concat(Stream.of(devices.main()), further)
                .filter(device -> !device.traits().readOnly())
                .map(ServedDisk::flush)
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
    }

    private static Refusal flush(TrackedDevice device) {
        try {
            device.flush();
            return null;
        } catch (DeviceException e) {
            return new Refusal(
                    Refusal.Kind.DEVICE_FAILED,
                    e.getMessage()
                            + ": what was written to it before this start may be lost. Check what it holds and start"
                            + " again, or serve it with --read-only to copy what is there",
                    e);
        }
    }

    private void startHealth() {
        stack.push("health", health::close);
        health.start(
                service.providers(),
                HealthProvider.class,
                service.own().health(),
                provider -> provider.open(disk.watched(healthMemory), service.environment(), service.settings()),
                service.own().healthDelayMillis());
    }

    private void closeMapping() throws IOException {
        boolean ended = false;
        try {
            ended = disk.close(drainMillis, hangMillis());
        } finally {
            stoppedInOrder = ended && doubt().isEmpty();
            if (!stoppedInOrder) {
                metadata.stopIsUnclean();
            }
        }
        if (!ended && doubt().isEmpty()) {
            throw new IOException("devices have not answered what was under way when it stopped, within "
                    + (drainMillis + hangMillis()) + " ms");
        }
    }

    /** How long a stop waits for devices that do not answer: the other half is for flushing, saving and closing. */
    private long hangMillis() {
        return service.own().saveTimeoutMillis() / 2;
    }

    /** The time that clients had at a stop is over. */
    void endRequests() {
        disk.endRequests();
    }

    private void closeDevices() throws DeviceException {
        Optional<DeviceException> doubt = doubt();
        devices.close();
        if (doubt.isPresent()) {
            throw doubt.get();
        }
    }

    /** Why acknowledged writes may be lost, if they may. */
    private Optional<DeviceException> doubt() {
        return devices.main()
                .doubt()
                .or(() -> devices.spare().flatMap(TrackedDevice::doubt))
                .or(() -> disk == null ? Optional.empty() : disk.doubt());
    }

    /**
     * Drains, flushes, saves and closes it. Once only.
     *
     * @return what did not go in order, the first of several; {@code null} if all did
     */
    Exception stop(long drainTimeoutMillis) {
        stopBegun = true;
        drainMillis = drainTimeoutMillis;
        try {
            last = report(List.of(), List.of(), "stopping");
        } catch (RuntimeException e) {
            LOG.warn("disk '{}' cannot tell its last state", name(), e);
        }
        Exception failure = stack.unwind();
        LOG.info("disk '{}' stopped{}", name(), failure == null ? "" : ", but not in order");
        return failure;
    }

    String name() {
        return spec.name();
    }

    /** As clients ask for it. */
    String exportName() {
        return spec.effectiveExportName();
    }

    /** Whether {@link #stop} was called. */
    boolean isStopped() {
        return stopBegun;
    }

    /** What it waits for in its stop, empty if it does not. */
    String stopping() {
        return stack.stopping();
    }

    VirtualDisk disk() {
        return disk;
    }

    PairOpener pairs() {
        return service.pairs();
    }

    /** As {@link #saveSoon}. */
    void saveNow() {
        saveSoon();
    }

    /** Saves what is kept beside the mappings, and waits for it. */
    Autosave.Saves saveAndWait() throws Refusal {
        if (autosave == null) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "disk '" + name() + "' saves nothing: it has no spare, or is served read-only; see 'remap status'");
        }
        giveHealth();
        return autosave.saveAndWait();
    }

    /** What health knows by now; one that does not answer costs what it has learned since it last gave something. */
    private void giveHealth() throws Refusal {
        try {
            Bounded.call(
                    service.environment().scheduler(),
                    GIVE_MILLIS,
                    () -> {
                        healthMemory.ask();
                        return true;
                    },
                    late -> {});
        } catch (InterruptedException e) {
            throw new Refusal(Refusal.Kind.BUSY, "disk '" + name() + "': interrupted before it was saved", e);
        } catch (Exception e) {
            LOG.warn("disk '{}': health did not say what it has learned lately: {}", name(), StartStack.reason(e));
        }
    }

    PairDevices devices() {
        return devices;
    }

    PairMetadata metadata() {
        return metadata;
    }

    /**
     * The pair states a spare no more: what was open of it is the caller's to close.
     *
     * @param wasOpened whether the table was read from it; from now on it is from another one
     */
    Optional<TrackedDevice> takeOut(int index, boolean wasOpened) {
        Optional<FurtherSpares.Open> further = metadata.further().remove(index);
        if (!wasOpened) {
            return further.map(FurtherSpares.Open::device);
        }
        PairDevices former = devices;
        int leading = metadata.store().orElseThrow().openedFrom();
        FurtherSpares.Open next = metadata.further().promote(leading);
        devices = former.withSpare(next.device(), next.uri());
        return former.spare();
    }

    /** Only of a disk that has a store. */
    MemberChanges memberChanges() {
        return memberChanges;
    }

    /** Why no sector can be moved to the spare or back, empty if it can. */
    Optional<String> immovable() {
        if (disk.isReadOnly()) {
            return Optional.of("disk '" + name() + "' is served read-only");
        }
        FeatureStatus state = metadata.metadata();
        return state.state() == FeatureState.STARTED
                ? Optional.empty()
                : Optional.of("disk '" + name() + "' cannot keep mappings: metadata is " + state.text());
    }

    /** What it shows of itself, named within the disk. */
    List<Attribute> attributes() {
        if (stopBegun) {
            return List.of();
        }
        List<Attribute> all = new ArrayList<>(disk.attributes());
        metadata.store().map(MetadataStore::attributes).ifPresent(all::addAll);
        if (lifetime != null) {
            all.addAll(lifetime.attributes());
        }
        all.addAll(comparison.attributes());
        all.addAll(health.attributes());
        return all;
    }

    /** What its features answer. */
    List<FeatureCommand> featureCommands() {
        return health.commands();
    }

    /** Features of this disk: metadata, health, witness. */
    private List<FeatureStatus> features() {
        return List.of(metadataWithParts(), health.status(), metadata.witness());
    }

    private FeatureStatus metadataWithParts() {
        FeatureStatus state = metadata.metadata();
        if (autosave == null) {
            return state;
        }
        List<FeatureStatus> parts = new ArrayList<>(state.parts());
        parts.add(autosave.status());
        return new FeatureStatus(state.name(), state.state(), state.detail(), parts);
    }

    /** How it stands; does not block. */
    DiskStatus status(List<String> uris, List<String> attachCommands) {
        DiskStatus frozen = last;
        return frozen != null ? frozen : report(uris, attachCommands, "");
    }

    private DiskStatus report(List<String> uris, List<String> attachCommands, String notice) {
        DiskTraits traits = disk.traits();
        DiskSummary summary = disk.summary();
        Optional<MetadataStore> store = metadata.store();
        Map<String, Object> counters = new LinkedHashMap<>();
        disk.attributes()
                .forEach(attribute ->
                        counters.put(attribute.name(), attribute.get().get()));
        List<String> notices = new ArrayList<>(devices.notices());
        notices.addAll(metadata.notices());
        comparison.foundNow().ifPresent(notices::add);
        disk.noticeOfStart().ifPresent(notices::add);
        if (!notice.isEmpty()) {
            notices.add(notice);
        }
        return new DiskStatus(
                name(),
                exportName(),
                traits.sizeBytes(),
                traits.sectorBytes(),
                disk.isReadOnly(),
                device(devices.main()),
                devices.spare().map(ServedDisk::device),
                features(),
                store.map(s -> s.pair().pairUuid().toString()).orElse(""),
                store.map(MetadataStore::generation).orElse(0L),
                summary.mappedSectors(),
                summary.zeroSectors(),
                summary.unreadableSectors(),
                summary.lostSectors(),
                summary.avoidedSectors(),
                summary.slots(),
                summary.freeSlots(),
                summary.badSlots(),
                store.map(s -> s.plan().mappingLimit()).orElse(0L),
                store.flatMap(MetadataStore::copies).map(MetadataCopies::state),
                doubt().map(Throwable::getMessage).orElse(""),
                summary.ledger().orElse(""),
                summary.away(),
                counters,
                uris,
                attachCommands,
                notices);
    }

    private static DeviceStatus device(BlockDevice device) {
        return new DeviceStatus(device.name(), device.identity().stableId(), device.traits());
    }
}
