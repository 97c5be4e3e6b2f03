package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.WitnessTag;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareIdentity;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Finds out which of some devices belong together. Opens them for reading, disturbs nobody, and writes nothing; a device that
 * cannot be looked at is named and left out.
 */
public final class Discovery {
    /** How sure it is that two devices are a pair, the surest first. */
    public enum Confidence {
        /** Main names this spare, and nothing speaks against it. */
        CERTAIN,
        /** Main names it but was written since; or its name or its content are those that the spare remembers. */
        LIKELY,
        /** Only the sizes fit. */
        POSSIBLE,
        /** Something shows that they are not, or not any more: they must not be served together. */
        NOT
    }

    /**
     * A main and a first spare that may be a pair, with the further spares that belong to it.
     *
     * @param main as it was named
     * @param spare as it was named: the first spare, which holds the mappings
     * @param members the further spares of the pair, by number
     * @param complete whether all of them are there
     * @param pairUuid of the spare
     * @param confidence how sure it is
     * @param reasons what speaks for it, one sentence each
     * @param against what speaks against it
     * @param arguments of {@code remap} that serve it, without further spares that are not there; empty with {@link
     *     Confidence#NOT}, and where a further spare is there twice
     */
    public record Pair(
            String main,
            String spare,
            List<Member> members,
            boolean complete,
            String pairUuid,
            Confidence confidence,
            List<String> reasons,
            List<String> against,
            List<String> arguments) {}

    /**
     * A further spare of a pair.
     *
     * @param number its number
     * @param device where it is; empty if it is missing, or there twice
     * @param state {@code present}, {@code older}, {@code twice} or {@code missing}
     * @param detail why it is not present
     */
    public record Member(int number, Optional<String> device, String state, String detail) {}

    /** A device of which there is something to say, and what. */
    public record Remark(String device, String what) {}

    /**
     * What was found.
     *
     * @param pairs the surest first
     * @param alone spares and mains that belong to a device that is not among these
     * @param skipped devices that could not be looked at
     */
    public record Result(List<Pair> pairs, List<Remark> alone, List<Remark> skipped) {
        /** As maps, lists, strings, numbers and booleans, by the names of the components. */
        public Map<String, Object> toMap() {
            return PlainValues.ofRecord(this);
        }
    }

    /** Most devices that are looked at. */
    public static final int MAX_DEVICES = 1024;

    private static final long CHECK_MILLIS = 500;
    /** Blocks of main that are as they were: so many are no chance. */
    private static final int TELLING_BLOCKS = 32;

    private final Providers providers;
    private final Devices devices;
    private final Witnesses witnesses;
    private final Environment environment;

    private final List<Remark> skipped = new ArrayList<>();
    /** What the first spares state that could be read. */
    private final List<MemberSearch> stated = new ArrayList<>();

    /** A device that is open. */
    private record Open(
            DeviceUri uri,
            BlockDevice device,
            Optional<PairIdentity> spareOf,
            Optional<SpareIdentity> member,
            Optional<Witness> witness) {
        boolean isFirst() {
            return spareOf.isPresent() && member.isEmpty();
        }

        /** As short as it is understood. */
        String name() {
            return nameOf(uri);
        }
    }

    private static String nameOf(DeviceUri uri) {
        boolean plain = uri.scheme().equals("file") && uri.parameters().isEmpty() && !uri.isPart();
        return plain && uri.path().matches("[^:?]+") ? uri.path() : uri.toString();
    }

    /** Looks at devices of these providers; the witnesses of mains are in this directory. */
    public Discovery(Providers providers, Path stateDirectory, Environment environment) {
        this.providers = providers;
        this.devices = new Devices(providers);
        this.witnesses = new Witnesses(stateDirectory);
        this.environment = environment;
    }

    /** Looks at the devices, once. */
    public Result find(List<DeviceUri> among) throws Refusal {
        if (among.size() > MAX_DEVICES) {
            throw new Refusal(Refusal.Kind.USAGE, "at most " + MAX_DEVICES + " devices are looked at; name fewer");
        }
        List<MetadataProvider> found = providers.all(MetadataProvider.class);
        if (found.isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "no module provides metadata: put remap-metadata on the module path");
        }
        List<Open> open = new ArrayList<>();
        try {
            for (DeviceUri uri : among) {
                open(uri, found.get(0)).ifPresent(open::add);
            }
            return compare(open, found.get(0));
        } finally {
            open.forEach(one -> one.device.close());
        }
    }

    private Optional<Open> open(DeviceUri uri, MetadataProvider metadata) {
        BlockDevice device = null;
        try {
            device = devices.open(uri, OpenOptions.inspect());
            return Optional.of(new Open(
                    uri,
                    device,
                    metadata.pairOnSpare(device.direct()),
                    metadata.member(device.direct()),
                    witnesses.find(device)));
        } catch (Refusal | DeviceException e) {
            if (device != null) {
                device.close();
            }
            skipped.add(new Remark(uri.toString(), e.getMessage()));
            return Optional.empty();
        }
    }

    private Result compare(List<Open> open, MetadataProvider metadata) {
        List<Pair> pairs = new ArrayList<>();
        List<Remark> alone = new ArrayList<>();
        for (Open spare : open) {
            if (spare.isFirst()) {
                List<Pair> itsPairs = pairsOf(spare, open, metadata);
                pairs.addAll(itsPairs);
                if (itsPairs.isEmpty()) {
                    PairIdentity pair = spare.spareOf.get();
                    alone.add(new Remark(
                            spare.name(),
                            "is the spare of pair " + pair.pairUuid() + ", whose main (" + pair.mainSizeBytes()
                                    + " bytes, then " + pair.mainStableId() + ") is not among these devices"));
                }
            }
        }
        for (Open further : open) {
            further.member
                    .filter(identity -> stated.stream().noneMatch(search -> search.states(identity)))
                    .ifPresent(identity -> alone.add(new Remark(further.name(), lone(identity, open))));
        }
        for (Open main : open) {
            boolean waits = main.witness
                    .filter(w -> open.stream()
                            .noneMatch(o ->
                                    o.isFirst() && o.spareOf.filter(w::isOf).isPresent()))
                    .isPresent();
            if (waits) {
                alone.add(new Remark(
                        main.name(),
                        "belongs to " + main.witness.get().wanted() + ", which is not among these devices"));
            }
        }
        pairs.sort(
                Comparator.comparing(Pair::confidence).thenComparing(Pair::main).thenComparing(Pair::spare));
        return new Result(pairs, alone, List.copyOf(skipped));
    }

    /** Of a further spare that no first one asks for. */
    private static String lone(SpareIdentity identity, List<Open> open) {
        String which =
                "is spare " + identity.index() + " of pair " + identity.pair().pairUuid();
        boolean firstIsThere = open.stream()
                .anyMatch(one -> one.isFirst()
                        && one.spareOf
                                .orElseThrow()
                                .pairUuid()
                                .equals(identity.pair().pairUuid()));
        return firstIsThere
                ? which + ", and was taken out of it: nothing stands on it any more"
                : which + ", whose first spare, which holds the mappings, is not among these devices";
    }

    /** The further spares of a pair, those too that are where they were the last time. */
    private List<MemberSearch.Found> membersOf(MetadataStore look, List<Open> open, MetadataProvider metadata) {
        MemberSearch search = MemberSearch.of(look);
        stated.add(search);
        List<MemberSearch.Candidate> candidates = new ArrayList<>();
        for (Open one : open) {
            one.member.ifPresent(identity -> candidates.add(new MemberSearch.Candidate(one.name(), identity)));
        }
        for (DeviceUri place : search.placesBeside(candidates)) {
            lookAt(place, metadata)
                    .filter(candidate -> search.states(candidate.identity()))
                    .ifPresent(candidates::add);
        }
        return search.among(candidates);
    }

    /** What cannot be looked at where it was is missing there. */
    private Optional<MemberSearch.Candidate> lookAt(DeviceUri uri, MetadataProvider metadata) {
        try (BlockDevice device = devices.open(uri, OpenOptions.inspect())) {
            return metadata.member(device.direct()).map(identity -> new MemberSearch.Candidate(nameOf(uri), identity));
        } catch (Refusal | DeviceException e) {
            return Optional.empty();
        }
    }

    private List<Pair> pairsOf(Open spare, List<Open> open, MetadataProvider metadata) {
        List<Pair> pairs = new ArrayList<>();
        try (MetadataStore look = metadata.open(spare.device.direct(), true, environment, Settings.defaults())) {
            List<MemberSearch.Found> members = membersOf(look, open, metadata);
            for (Open main : open) {
                if (main.spareOf.isEmpty() && !main.device.identity().overlaps(spare.device.identity())) {
                    judge(main, spare, look, members).ifPresent(pairs::add);
                }
            }
        } catch (Refusal | DeviceException e) {
            skipped.add(new Remark(spare.name(), "its table cannot be read: " + e.getMessage()));
        }
        return pairs;
    }

    /** Empty if there is nothing that would have anybody think of a pair. */
    private Optional<Pair> judge(Open main, Open spare, MetadataStore look, List<MemberSearch.Found> members) {
        PairIdentity pair = look.pair();
        boolean named = main.witness.filter(w -> w.isOf(pair)).isPresent();
        boolean fits = fits(main.device, pair);
        boolean sameName = pair.mainStableId().equals(main.device.identity().stableId());
        if (!named && (!fits || (main.witness.isPresent() && !sameName))) {
            return Optional.empty();
        }
        List<String> reasons = new ArrayList<>();
        List<String> against = new ArrayList<>();
        if (named) {
            reasons.add("main carries, or this host keeps, a witness that names this pair");
            LastStop.difference(main.witness.get(), look).ifPresent(how -> against.add("the spare " + how));
        } else if (main.witness.isPresent()) {
            against.add("main belongs to " + main.witness.get().wanted());
        }
        if (sameName) {
            reasons.add("the spare was made for " + pair.mainStableId() + ", and main is that device");
        }
        if (fits) {
            reasons.add("main has the size that the spare was made for");
        } else {
            against.add("main has " + main.device.traits().sizeBytes() + " bytes, and the spare was made for one of "
                    + pair.mainSizeBytes() + ", sectors of " + pair.sectorBytes());
        }
        boolean mayServe = against.isEmpty();
        MainCheck check =
                fits ? MainCheck.atOpening(main.device, look, named, environment.time(), CHECK_MILLIS) : MainCheck.NONE;
        boolean written = check.difference().isPresent();
        check.difference().ifPresent(how -> against.add("main " + how));
        boolean telling = !written && check.compared() >= TELLING_BLOCKS;
        if (telling) {
            reasons.add(check.compared() + " blocks of main are as the spare remembers them of the last clean stop");
        }
        Confidence confidence = Confidence.NOT;
        if (mayServe && named) {
            confidence = written ? Confidence.LIKELY : Confidence.CERTAIN;
        } else if (mayServe && !written) {
            confidence = sameName || telling ? Confidence.LIKELY : Confidence.POSSIBLE;
        }
        members.stream()
                .filter(member -> member.state() != MemberSearch.State.PRESENT)
                .forEach(member -> against.add(missing(member, look)));
        boolean servable = confidence != Confidence.NOT
                && members.stream().noneMatch(member -> member.state() == MemberSearch.State.TWICE);
        List<String> arguments = servable ? arguments(main, spare, look, named, written, members) : List.of();
        return Optional.of(new Pair(
                main.name(),
                spare.name(),
                members.stream().map(Discovery::shown).toList(),
                isComplete(members),
                pair.pairUuid().toString(),
                confidence,
                reasons,
                against,
                arguments));
    }

    private static boolean isComplete(List<MemberSearch.Found> members) {
        return members.stream().allMatch(member -> member.state() == MemberSearch.State.PRESENT);
    }

    private static Member shown(MemberSearch.Found found) {
        return new Member(
                found.stated().index(),
                found.candidate().map(MemberSearch.Candidate::name),
                PlainValues.word(found.state()),
                found.detail());
    }

    private static String missing(MemberSearch.Found found, MetadataStore look) {
        long units = look.table().unitsOn(found.stated().index());
        return "spare " + found.stated().index() + " is not there, on which "
                + (units == 0 ? "nothing stands" : units + " units of 4096 bytes stand") + " (" + found.detail() + ")";
    }

    /** An image file takes any sector size. */
    private static boolean fits(BlockDevice main, PairIdentity pair) {
        return main.traits().sizeBytes() == pair.mainSizeBytes()
                && (!main.traits().blockDevice() || main.traits().logicalSectorBytes() == pair.sectorBytes());
    }

    private static List<String> arguments(
            Open main,
            Open spare,
            MetadataStore look,
            boolean named,
            boolean written,
            List<MemberSearch.Found> members) {
        List<String> arguments = new ArrayList<>(List.of("serve", main.name(), "--spare", spare.name()));
        for (MemberSearch.Found member : members) {
            if (member.state() == MemberSearch.State.PRESENT) {
                arguments.addAll(
                        List.of("--spare", member.candidate().orElseThrow().name()));
            }
        }
        if (!isComplete(members)) {
            arguments.add("--missing-spares");
        }
        if (!main.device.traits().blockDevice() && look.pair().sectorBytes() != DeviceTraits.MIN_SECTOR_BYTES) {
            arguments.addAll(
                    List.of("--sector-size", Integer.toString(look.pair().sectorBytes())));
        }
        boolean sameName =
                look.pair().mainStableId().equals(main.device.identity().stableId());
        boolean couldCarry = main.device
                .capability(WitnessTag.class)
                .filter(WitnessTag::isOwn)
                .isPresent();
        if (!named && (!sameName || (couldCarry && !look.table().isEmpty()))) {
            arguments.add("--adopt");
        }
        if (written) {
            arguments.add("--read-only");
        }
        return arguments;
    }
}
