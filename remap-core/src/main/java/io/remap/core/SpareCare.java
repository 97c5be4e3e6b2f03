package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareOwner;
import io.remap.api.spi.TableCopy;
import io.remap.core.disk.TrackedDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.UUID;

/**
 * To see and mend the metadata of a spare that nobody serves. A spare is held exclusively meanwhile, so that no server
 * starts on it; where one serves it, {@link Refusal.Kind#BUSY} says so, and the server itself can be asked. Only
 * {@link #repair} opens for writing.
 */
public final class SpareCare {
    /** How much a check reads, see {@link MetadataTools.Level}. */
    public enum Level {
        QUICK,
        STANDARD,
        /** Also every sector that stands on the spare, and what main has beside them. */
        FULL
    }

    /**
     * A further spare, as a check found it.
     *
     * @param spare its number
     * @param device where it is; empty if it is missing
     * @param state {@code present}, {@code older} (a copy from before it was served last), {@code twice} or {@code missing}
     * @param slots how many it has
     * @param usedUnits units that stand on it; empty if the table was not read
     * @param parts what it says of itself, copy by copy; empty if it is not present
     */
    public record CheckedSpare(
            int spare,
            Optional<String> device,
            String state,
            long slots,
            Optional<Long> usedUnits,
            List<MetadataReport.Part> parts) {}

    /**
     * What a check found.
     *
     * @param spare the spare, as the user named it
     * @param level how much was read
     * @param service the service that was asked, empty if the spare was read by this process
     * @param report what was found, findings on slots and main included
     * @param further the further spares of the pair, by number
     * @param sectorsRead sectors on the spares, and of main beside them, that were read
     * @param sectorsUnreadable those that could not be read
     * @param sectorsRotten those on the spares that were read, and are not what their checksums say
     */
    public record Checked(
            String spare,
            Level level,
            Optional<String> service,
            MetadataReport report,
            List<CheckedSpare> further,
            long sectorsRead,
            long sectorsUnreadable,
            long sectorsRotten) {
        /** As maps, lists, strings, numbers and booleans, by the names of the components. */
        public Map<String, Object> toMap() {
            return PlainValues.ofRecord(this);
        }
    }

    private final Providers providers;
    private final Devices devices;
    private final Witnesses witnesses;
    private final Environment environment;

    /** Cares for spares of these providers; the witnesses of mains are in this directory. */
    public SpareCare(Providers providers, Path stateDirectory, Environment environment) {
        this.providers = providers;
        this.devices = new Devices(providers);
        this.witnesses = new Witnesses(stateDirectory);
        this.environment = environment;
    }

    /**
     * Checks a spare with the further spares of its pair, and with {@code main} whether they belong together. Writes nothing.
     *
     * @param further devices of further spares; those that are where they were the last time need not be named
     * @throws Refusal {@link Refusal.Kind#BUSY} if it is served, {@link Refusal.Kind#WRONG_DEVICE} if it is no spare, or a
     *     device is no further spare of its pair
     */
    public Checked check(DeviceUri spare, List<DeviceUri> further, Optional<DeviceUri> main, Level level)
            throws Refusal, DeviceException {
        try (BlockDevice device = devices.open(spare, exclusive(true))) {
            MetadataReport report = requireTools()
                    .check(
                            device.direct(),
                            level == Level.QUICK ? MetadataTools.Level.QUICK : MetadataTools.Level.STANDARD);
            List<Finding> findings = new ArrayList<>(report.findings());
            // Of a newer format not even main is known.
            boolean knowsMain =
                    report.pair().filter(pair -> pair.sectorBytes() > 0).isPresent();
            if (main.isEmpty() || !knowsMain) {
                return withSpares(device, further, Optional.empty(), report, findings, level);
            }
            // Only looked at: main may be served without this spare, which is the very thing to find out.
            OpenOptions look = new OpenOptions(
                    true,
                    false,
                    Door.AUTO,
                    OptionalInt.of(Math.max(
                            DeviceTraits.MIN_SECTOR_BYTES, report.pair().get().sectorBytes())),
                    OptionalLong.empty(),
                    false);
            try (BlockDevice mainDevice = devices.open(main.get(), look)) {
                compare(mainDevice, device, report, findings);
                return withSpares(device, further, Optional.of(mainDevice), report, findings, level);
            }
        }
    }

    private Checked withSpares(
            BlockDevice spare,
            List<DeviceUri> further,
            Optional<BlockDevice> main,
            MetadataReport report,
            List<Finding> findings,
            Level level)
            throws Refusal, DeviceException {
        boolean readable = report.verdict() != Verdict.UNUSABLE;
        if (!readable || !holdsTable(spare)) {
            for (DeviceUri uri : further) {
                findings.add(lookAt(uri, spare, report));
            }
            return checked(spare.name(), level, Optional.empty(), report, findings, List.of(), 0, 0, 0);
        }
        if (level == Level.QUICK) {
            int opened = providers
                    .metadata()
                    .member(spare.direct())
                    .map(SpareIdentity::index)
                    .orElse(0);
            SpareOwner owner = providers.metadata().owner(spare.direct()).orElse(null);
            List<SpareMember> stated = owner == null ? List.of() : owner.members();
            Map<Integer, DeviceUri> places = FurtherSpares.found(owner == null ? Map.of() : owner.saved());
            MemberCheck check = new MemberCheck(Optional.empty(), pairOf(report).sectorBytes());
            try (FoundSpares found =
                    find(new MemberSearch(pairOf(report).pairUuid(), opened, stated, places), further)) {
                addMembers(found, check);
            }
            return finished(spare.name(), level, Optional.empty(), report, findings, check);
        }
        try (MetadataStore store = providers.metadata().open(spare.direct(), true, environment, Settings.defaults())) {
            MemberCheck check =
                    new MemberCheck(Optional.of(store.table()), store.pair().sectorBytes());
            try (FoundSpares found = find(MemberSearch.of(store), further)) {
                addMembers(found, check);
                addRivals(TableRivals.of(store, TrackedDevice.of(spare), providers.metadata()), found, check, findings);
                if (level == Level.FULL) {
                    readSectors(spare, main, store, found.members, check);
                }
            }
            return finished(spare.name(), level, Optional.empty(), report, findings, check);
        }
    }

    /** What another spare of a pair could do where no table can be loaded from the one that is checked. */
    private Finding lookAt(DeviceUri uri, BlockDevice checked, MetadataReport report) throws Refusal, DeviceException {
        try (BlockDevice other = devices.open(uri, exclusive(true))) {
            Optional<UUID> pair = report.pair().map(PairIdentity::pairUuid);
            SpareIdentity identity = providers
                    .metadata()
                    .identity(other.direct())
                    .filter(found ->
                            pair.isEmpty() || pair.get().equals(found.pair().pairUuid()))
                    .orElseThrow(() ->
                            new Refusal(Refusal.Kind.WRONG_DEVICE, other.name() + " is no other spare of this pair"));
            String which = other.name() + " (spare " + identity.index() + ")";
            Optional<TableCopy> table = providers.metadata().table(other.direct());
            if (table.isEmpty()) {
                return new Finding(Severity.NOTE, "no table can be loaded from " + which + " either", "");
            }
            return new Finding(
                    Severity.NOTE,
                    which + " has a table" + (table.get().certain() ? "" : ", which is not certain")
                            + ", of generation " + table.get().generation(),
                    "'remap check " + ShellWords.device(other.name()) + " --spare "
                            + ShellWords.device(checked.name()) + "' tells how it stands; 'remap serve MAIN --spare "
                            + ShellWords.device(checked.name()) + " --spare " + ShellWords.device(other.name())
                            + "', with --adopt if that asks for it, goes on from it");
        }
    }

    private static PairIdentity pairOf(MetadataReport report) {
        return report.pair().orElseThrow();
    }

    /** Whether a table is on it, or is expected there: each pair is made with one on its first spare. */
    private boolean holdsTable(BlockDevice spare) throws Refusal, DeviceException {
        return providers.metadata().member(spare.direct()).isEmpty()
                || providers.metadata().table(spare.direct()).isPresent();
    }

    /** Other tables of the pair that speak against this one. */
    private void addRivals(TableRivals rivals, FoundSpares found, MemberCheck check, List<Finding> findings)
            throws Refusal {
        for (MemberCheck.Member member : found.members) {
            tableOf(member, check)
                    .flatMap(table -> rivals.against(member.name(), table))
                    .ifPresent(against -> findings.add(new Finding(Severity.ERROR, against, "")));
        }
    }

    /** Empty also if it is not there, or fails. */
    private Optional<TableCopy> tableOf(MemberCheck.Member member, MemberCheck check) throws Refusal {
        int number = member.stated().index();
        if (member.device().isEmpty() || check.hasFailed(number)) {
            return Optional.empty();
        }
        try {
            return providers.metadata().table(member.device().get().direct());
        } catch (DeviceException e) {
            check.addFailed(number, e);
            return Optional.empty();
        }
    }

    /** The further spares of a pair; the devices are closed with this. */
    private record FoundSpares(List<MemberCheck.Member> members, List<BlockDevice> open) implements AutoCloseable {
        @Override
        public void close() {
            open.forEach(BlockDevice::close);
        }
    }

    private FoundSpares find(MemberSearch search, List<DeviceUri> named) throws Refusal, DeviceException {
        List<BlockDevice> open = new ArrayList<>();
        try {
            Map<MemberSearch.Candidate, BlockDevice> candidates = new LinkedHashMap<>();
            for (DeviceUri uri : named) {
                BlockDevice device = devices.open(uri, exclusive(true));
                open.add(device);
                SpareIdentity identity = providers
                        .metadata()
                        .identity(device.direct())
                        .filter(search::states)
                        .orElseThrow(() -> new Refusal(
                                Refusal.Kind.WRONG_DEVICE, device.name() + " is no other spare of this pair"));
                candidates.put(new MemberSearch.Candidate(device.name(), identity), device);
            }
            Map<DeviceUri, String> failed = new LinkedHashMap<>();
            for (DeviceUri uri : search.placesBeside(List.copyOf(candidates.keySet()))) {
                openRemembered(uri, search, open, candidates).ifPresent(why -> failed.put(uri, why));
            }
            List<MemberCheck.Member> members = new ArrayList<>();
            for (MemberSearch.Found found : search.among(List.copyOf(candidates.keySet()))) {
                members.add(member(found, candidates, failed.get(search.placeOf(found.stated()))));
            }
            return new FoundSpares(members, open);
        } catch (Refusal | DeviceException | RuntimeException e) {
            open.forEach(BlockDevice::close);
            throw e;
        }
    }

    private static MemberCheck.Member member(
            MemberSearch.Found found, Map<MemberSearch.Candidate, BlockDevice> candidates, String failure) {
        if (found.state() == MemberSearch.State.PRESENT) {
            MemberSearch.Candidate candidate = found.candidate().orElseThrow();
            return MemberCheck.Member.present(
                    found.stated(),
                    candidates.get(candidate),
                    candidate.identity().slots());
        }
        return MemberCheck.Member.absent(
                found.stated(),
                found.state(),
                found.candidate().map(MemberSearch.Candidate::name).orElse(""),
                failure == null ? found.detail() : failure);
    }

    /** Gives why it cannot be looked at; empty if it could, whatever is there. */
    private Optional<String> openRemembered(
            DeviceUri uri,
            MemberSearch search,
            List<BlockDevice> open,
            Map<MemberSearch.Candidate, BlockDevice> candidates) {
        try {
            BlockDevice device = devices.open(uri, exclusive(true));
            open.add(device);
            Optional<SpareIdentity> identity =
                    providers.metadata().identity(device.direct()).filter(search::states);
            identity.ifPresent(which -> candidates.put(new MemberSearch.Candidate(device.name(), which), device));
            return identity.isPresent() ? Optional.empty() : Optional.of("another device is at " + uri);
        } catch (Refusal | DeviceException e) {
            return Optional.of(e.getMessage());
        }
    }

    private void addMembers(FoundSpares found, MemberCheck check) throws Refusal {
        MetadataTools tools = requireTools();
        for (MemberCheck.Member member : found.members) {
            check.add(member, device -> tools.checkBeside(device.direct()));
            Optional<TableCopy> table = tableOf(member, check);
            if (member.device().isPresent() && !check.hasFailed(member.stated().index())) {
                check.addTable(member, table);
            }
        }
    }

    /** Reads what stands on the spares, and beside it on main; also on devices that are served. */
    static void readSectors(
            BlockDevice first,
            Optional<? extends BlockDevice> main,
            MetadataStore store,
            List<MemberCheck.Member> further,
            MemberCheck check)
            throws DeviceException {
        check.readSectors(first, store.openedFrom(), store.slots(), store);
        for (MemberCheck.Member member : further) {
            if (member.device().isPresent() && !check.hasFailed(member.stated().index())) {
                check.readSectors(
                        member.device().get(),
                        member.stated().index(),
                        member.slots().orElseThrow(),
                        store);
            }
        }
        if (main.isPresent()) {
            check.readBeside(main.get());
        }
    }

    /** All that was found, of the first spare and of the others. */
    static Checked finished(
            String spare,
            Level level,
            Optional<String> service,
            MetadataReport report,
            List<Finding> findings,
            MemberCheck check) {
        findings.addAll(check.findings());
        return checked(
                spare,
                level,
                service,
                report,
                findings,
                check.spares(),
                check.sectorsRead(),
                check.sectorsUnreadable(),
                check.sectorsRotten());
    }

    private static Checked checked(
            String spare,
            Level level,
            Optional<String> service,
            MetadataReport report,
            List<Finding> findings,
            List<CheckedSpare> further,
            long sectorsRead,
            long sectorsUnreadable,
            long sectorsRotten) {
        findings.sort(Comparator.comparing(Finding::severity));
        MetadataReport whole = new MetadataReport(
                report.verdict(),
                report.pair(),
                report.format(),
                report.generation(),
                report.mappings(),
                report.cleanStop(),
                report.parts(),
                findings);
        return new Checked(spare, level, service, whole, further, sectorsRead, sectorsUnreadable, sectorsRotten);
    }

    private void compare(BlockDevice main, BlockDevice spare, MetadataReport report, List<Finding> findings)
            throws Refusal, DeviceException {
        PairIdentity pair = report.pair().orElseThrow();
        String which = "name the main that this spare belongs to (then it was " + pair.mainStableId() + ")";
        if (pair.mainSizeBytes() != main.traits().sizeBytes()
                || pair.sectorBytes() != main.traits().logicalSectorBytes()) {
            findings.add(new Finding(
                    Severity.ERROR,
                    "the spare belongs to a main of " + pair.mainSizeBytes() + " bytes with sectors of "
                            + pair.sectorBytes() + ", but " + main.name() + " has "
                            + main.traits().sizeBytes() + " bytes with sectors of "
                            + main.traits().logicalSectorBytes(),
                    which));
        }
        Optional<Witness> witness = witnesses.find(main);
        if (witness.isEmpty()) {
            boolean sameName = pair.mainStableId().equals(main.identity().stableId());
            findings.add(new Finding(
                    sameName ? Severity.NOTE : Severity.WARNING,
                    main.name() + " carries no witness of a spare on this host"
                            + (sameName ? "" : ", and has another name than when the spare was made"),
                    sameName ? "the next 'remap serve' leaves one" : which));
        } else if (!witness.get().isOf(pair) || witness.get().ofOther()) {
            findings.add(new Finding(
                    Severity.ERROR,
                    main.name() + " belongs to " + witness.get().wanted() + ", not to this one",
                    "check that spare; to give up what stands on it: remap forget " + ShellWords.device(main.name())));
        } else if (report.verdict() != Verdict.UNUSABLE && holdsTable(spare)) {
            compareLastStop(main, spare, witness.get(), findings);
        }
    }

    private void compareLastStop(BlockDevice main, BlockDevice spare, Witness witness, List<Finding> findings)
            throws Refusal, DeviceException {
        try (MetadataStore look = providers.metadata().open(spare.direct(), true, environment, Settings.defaults())) {
            LastStop.difference(witness, look)
                    .ifPresent(difference -> findings.add(new Finding(
                            Severity.ERROR,
                            "beside " + main.name() + " the spare is a wrong one: it " + difference,
                            "use the devices that were served together last")));
        }
    }

    /**
     * Shows all that is in force, piece by piece. Writes nothing.
     *
     * @throws Refusal as {@link #check}, and {@link Refusal.Kind#DAMAGED} if the table cannot be read
     */
    public void dump(DeviceUri spare, MetadataTools.DumpSink sink) throws Refusal, DeviceException {
        try (BlockDevice device = devices.open(spare, exclusive(true))) {
            requireTools().dump(device.direct(), sink);
        }
    }

    /**
     * Writes what is damaged anew from the copies that are whole, and checks it then. A spare that is sound is not
     * written to.
     *
     * @throws Refusal as {@link #check}, and {@link Refusal.Kind#DAMAGED} if it is not certain what the mappings are
     */
    public Checked repair(DeviceUri spare) throws Refusal, DeviceException {
        try (BlockDevice device = devices.open(spare, exclusive(false))) {
            if (device.traits().readOnly()) {
                throw new Refusal(
                        Refusal.Kind.ENVIRONMENT, device.name() + " is read-only: make it writable to repair it");
            }
            if (holdsTable(device)) {
                Ownership.require(providers.metadata(), device.direct(), environment, false);
            }
            MetadataReport report = requireTools().repair(device.direct(), environment);
            return checked(
                    device.name(),
                    Level.STANDARD,
                    Optional.empty(),
                    report,
                    new ArrayList<>(report.findings()),
                    List.of(),
                    0,
                    0,
                    0);
        }
    }

    /**
     * Makes slots of the room that a spare has got since it was formatted, first or further.
     *
     * @throws Refusal as {@link #repair}
     */
    public MetadataTools.Grown grow(DeviceUri spare) throws Refusal, DeviceException {
        try (BlockDevice device = devices.open(spare, exclusive(false))) {
            if (device.traits().readOnly()) {
                throw new Refusal(
                        Refusal.Kind.ENVIRONMENT, device.name() + " is read-only: make it writable to grow it");
            }
            if (holdsTable(device)) {
                Ownership.require(providers.metadata(), device.direct(), environment, false);
            }
            return requireTools().grow(device.direct());
        }
    }

    /** Which device this is, without disturbing who has it: by it a service that serves it is found. */
    public String stableId(DeviceUri uri) throws Refusal, DeviceException {
        try (BlockDevice device = devices.open(uri, OpenOptions.inspect())) {
            return device.identity().stableId();
        }
    }

    private static OpenOptions exclusive(boolean readOnly) {
        return new OpenOptions(readOnly, true, Door.AUTO, OptionalInt.empty(), OptionalLong.empty(), false);
    }

    private MetadataTools requireTools() throws Refusal {
        MetadataProvider provider = providers.metadata();
        return provider.tools()
                .orElseThrow(() -> new Refusal(
                        Refusal.Kind.ENVIRONMENT,
                        "the metadata module '" + provider.name() + "' offers no check and no repair"));
    }
}
