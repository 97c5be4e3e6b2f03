package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
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
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

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
     * What a check found.
     *
     * @param spare the spare, as the user named it
     * @param level how much was read
     * @param service the service that was asked, empty if the spare was read by this process
     * @param report what was found, findings on slots and main included
     * @param sectorsRead sectors on the spare, and of main beside them, that were read
     * @param sectorsUnreadable those that could not be read
     */
    public record Checked(
            String spare,
            Level level,
            Optional<String> service,
            MetadataReport report,
            long sectorsRead,
            long sectorsUnreadable) {
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
     * Checks a spare, and with {@code main} whether the two belong together. Writes nothing.
     *
     * @throws Refusal {@link Refusal.Kind#BUSY} if it is served, {@link Refusal.Kind#WRONG_DEVICE} if it is no spare
     */
    public Checked check(DeviceUri spare, Optional<DeviceUri> main, Level level) throws Refusal, DeviceException {
        try (BlockDevice device = devices.open(spare, exclusive(true))) {
            MetadataReport report = requireTools()
                    .check(
                            device.direct(),
                            level == Level.QUICK ? MetadataTools.Level.QUICK : MetadataTools.Level.STANDARD);
            List<Finding> findings = new ArrayList<>(report.findings());
            if (main.isEmpty() || report.pair().isEmpty()) {
                return full(device, Optional.empty(), report, findings, level);
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
                return full(device, Optional.of(mainDevice), report, findings, level);
            }
        }
    }

    private Checked full(
            BlockDevice spare, Optional<BlockDevice> main, MetadataReport report, List<Finding> findings, Level level)
            throws Refusal, DeviceException {
        boolean readable = report.verdict() != Verdict.UNUSABLE;
        if (level != Level.FULL || !readable) {
            return checked(spare.name(), level, Optional.empty(), report, findings, 0, 0);
        }
        try (MetadataStore store = requireMetadata().open(spare.direct(), true, environment, Settings.defaults())) {
            return readSectors(spare, main, store, report, findings, Optional.empty());
        }
    }

    /** Reads what stands on the spare, and beside it on main; also on devices that are served. */
    static Checked readSectors(
            BlockDevice spare,
            Optional<? extends BlockDevice> main,
            MetadataStore store,
            MetadataReport report,
            List<Finding> findings,
            Optional<String> service)
            throws DeviceException {
        int sectorBytes = store.pair().sectorBytes();
        SlotReading.Result onSpare = new SlotReading(store.table(), sectorBytes).readSlots(spare, store);
        for (SectorRange range : onSpare.ranges()) {
            findings.add(new Finding(
                    Severity.ERROR,
                    range + " stand on the spare and cannot be read there",
                    "restore them from a backup by writing them: the write goes to another slot"));
        }
        SlotReading.Result beside = new SlotReading.Result(0, 0, List.of());
        if (main.isPresent()) {
            beside = new SlotReading(store.table(), sectorBytes).readBeside(main.get());
            for (SectorRange range : beside.ranges()) {
                findings.add(new Finding(
                        Severity.WARNING,
                        range + " stand on main beside sectors that do not, and cannot be read there",
                        "they answer EIO until they are written; that write goes to the spare"));
            }
        }
        more(onSpare, "spare", findings);
        more(beside, "main", findings);
        return checked(
                spare.name(),
                Level.FULL,
                service,
                report,
                findings,
                onSpare.read() + beside.read(),
                onSpare.unreadable() + beside.unreadable());
    }

    private static void more(SlotReading.Result result, String where, List<Finding> findings) {
        long shown =
                result.ranges().stream().mapToLong(SectorRange::lengthSectors).sum();
        if (result.unreadable() > shown) {
            findings.add(new Finding(
                    Severity.ERROR,
                    (result.unreadable() - shown) + " more sectors cannot be read on the " + where,
                    "replace the " + where + ": copy everything off"));
        }
    }

    static Checked checked(
            String spare,
            Level level,
            Optional<String> service,
            MetadataReport report,
            List<Finding> findings,
            long sectorsRead,
            long sectorsUnreadable) {
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
        return new Checked(spare, level, service, whole, sectorsRead, sectorsUnreadable);
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
        } else if (!witness.get().isOf(pair)) {
            findings.add(new Finding(
                    Severity.ERROR,
                    main.name() + " belongs to " + witness.get().wanted() + ", not to this one",
                    "check that spare; 'remap forget " + main.name() + "' gives up what stands on it"));
        } else if (report.verdict() != Verdict.UNUSABLE) {
            compareLastStop(main, spare, witness.get(), findings);
        }
    }

    private void compareLastStop(BlockDevice main, BlockDevice spare, Witness witness, List<Finding> findings)
            throws Refusal, DeviceException {
        try (MetadataStore look = requireMetadata().open(spare.direct(), true, environment, Settings.defaults())) {
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
            Ownership.require(requireMetadata(), device.direct(), environment, false);
            MetadataReport report = requireTools().repair(device.direct(), environment);
            return checked(
                    device.name(), Level.STANDARD, Optional.empty(), report, new ArrayList<>(report.findings()), 0, 0);
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
        MetadataProvider provider = requireMetadata();
        return provider.tools()
                .orElseThrow(() -> new Refusal(
                        Refusal.Kind.ENVIRONMENT,
                        "the metadata module '" + provider.name() + "' offers no check and no repair"));
    }

    private MetadataProvider requireMetadata() throws Refusal {
        List<MetadataProvider> found = providers.all(MetadataProvider.class);
        if (found.isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "no module provides metadata: put remap-metadata on the module path");
        }
        return found.get(0);
    }
}
