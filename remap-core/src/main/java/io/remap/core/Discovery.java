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
import io.remap.api.spi.TableCopy;
import io.remap.core.disk.TrackedDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

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
     * A main and a spare with the table that may be a pair, with the other spares that belong to it.
     *
     * @param main as it was named
     * @param spare as it was named: the one whose table is read, which is the first one if it is there and counts
     * @param members the other spares of the pair, by number
     * @param complete whether all of them are there
     * @param pairUuid of the spare
     * @param confidence how sure it is
     * @param reasons what speaks for it, one sentence each
     * @param against what speaks against it
     * @param arguments of {@code remap} that serve it, without further spares that are not there; empty with {@link
     *     Confidence#NOT}, and where another spare is there twice
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
     * Another spare of a pair.
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
    /** What the tables state that could be read. */
    private final List<MemberSearch> stated = new ArrayList<>();
    /** Pairs with a table that cannot be read: what it states is not known. */
    private final Set<UUID> unread = new HashSet<>();

    /** A device that is open. */
    private record Open(
            DeviceUri uri,
            BlockDevice device,
            Optional<PairIdentity> spareOf,
            Optional<SpareIdentity> member,
            Optional<TableCopy> table,
            Optional<Witness> witness) {
        /** Whether it has the table, or had to have it. */
        boolean isSource() {
            return spareOf.isPresent() && (number() == 0 || table.isPresent());
        }

        /** Of a spare. */
        int number() {
            return member.map(SpareIdentity::index).orElse(0);
        }

        /** Whether a later table does not know it any more. */
        boolean isTakenOut(List<Open> open) {
            return member.isPresent()
                    && table.isPresent()
                    && open.stream()
                            .filter(other -> other.isOf(member.get().pair()) && other.table.isPresent())
                            .map(other -> other.table.get())
                            .anyMatch(later -> later.term() > table.get().term()
                                    && later.members().stream().noneMatch(member.get()::is));
        }

        boolean isOf(PairIdentity pair) {
            return spareOf.filter(its -> its.pairUuid().equals(pair.pairUuid())).isPresent();
        }

        /** As short as it is understood. */
        String name() {
            return nameOf(uri);
        }
    }

    /** A table of a pair, and the device that it is on. */
    private record NamedTable(String name, TableCopy table) {}

    /** As short as it is understood, and not taken for an option. */
    static String nameOf(DeviceUri uri) {
        boolean plain = uri.scheme().equals("file") && uri.parameters().isEmpty() && !uri.isPart();
        return plain && uri.path().matches("[^:?]+") ? ShellWords.argument(uri.path()) : uri.toString();
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
        MetadataProvider metadata = providers.metadata();
        List<Open> open = new ArrayList<>();
        try {
            for (DeviceUri uri : among) {
                open(uri, metadata).ifPresent(open::add);
            }
            return compare(open, metadata);
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
                    metadata.identity(device.direct()),
                    metadata.table(device.direct()),
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
        List<Judged> found = new ArrayList<>();
        List<Remark> alone = new ArrayList<>();
        List<Open> sources = open.stream()
                .filter(one -> one.isSource() && !one.isTakenOut(open))
                .sorted(Comparator.comparingInt(Open::number))
                .toList();
        for (Open spare : sources) {
            Optional<List<Pair>> itsPairs = pairsOf(spare, open, metadata);
            itsPairs.ifPresent(pairs -> pairs.forEach(pair -> found.add(new Judged(pair, spare.number()))));
            if (itsPairs.filter(List::isEmpty).isPresent()) {
                PairIdentity pair = spare.spareOf.get();
                alone.add(new Remark(
                        spare.name(),
                        "is a spare of pair " + pair.pairUuid() + ", whose main (" + pair.mainSizeBytes()
                                + " bytes, then " + pair.mainStableId() + ") is not among these devices"));
            }
        }
        List<Pair> pairs = bestOf(found);
        for (Open further : open) {
            Optional<SpareIdentity> lone = sources.contains(further) ? Optional.empty() : further.member;
            lone.filter(identity -> stated.stream().noneMatch(search -> search.states(identity)))
                    .ifPresent(identity -> alone.add(new Remark(further.name(), lone(identity, open))));
        }
        for (Open main : open) {
            boolean waits = main.witness
                    .filter(w -> open.stream()
                            .noneMatch(o ->
                                    o.isSource() && o.spareOf.filter(w::isOf).isPresent()))
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

    /** A pair by the table of the spare of a number. */
    private record Judged(Pair pair, int number) {
        /** Whether a better pair of this main says all that there is to say of this spare. */
        boolean isToldBy(Pair better) {
            boolean isPart = better.members.stream()
                    .anyMatch(member -> member.device.filter(pair.spare::equals).isPresent());
            return better.main.equals(pair.main)
                    && better.pairUuid.equals(pair.pairUuid)
                    && (isPart || (number != 0 && pair.confidence == Confidence.NOT));
        }
    }

    /** Of the spares with the table of a pair one is read: the first of them that counts. */
    private static List<Pair> bestOf(List<Judged> found) {
        List<Pair> best = new ArrayList<>();
        for (Judged judged : found.stream()
                .sorted(Comparator.comparing(each -> each.pair.confidence))
                .toList()) {
            if (best.stream().noneMatch(judged::isToldBy)) {
                best.add(judged.pair);
            }
        }
        return best;
    }

    /** Of a further spare that no table asks for. */
    private String lone(SpareIdentity identity, List<Open> open) {
        String which =
                "is spare " + identity.index() + " of pair " + identity.pair().pairUuid();
        if (unread.contains(identity.pair().pairUuid())) {
            return which + ", and a table of that pair cannot be read: whether something stands on it is not known";
        }
        boolean tableIsThere = open.stream().anyMatch(one -> one.isSource() && one.isOf(identity.pair()));
        return tableIsThere
                ? which + ", and was taken out of it: nothing stands on it any more"
                : which + ", whose spares with the table of the mappings are not among these devices";
    }

    /** The other spares of a pair, those too that are where they were the last time. */
    private List<MemberSearch.Found> membersOf(
            MetadataStore look, List<Open> open, MetadataProvider metadata, List<NamedTable> tables) {
        MemberSearch search = MemberSearch.of(look);
        stated.add(search);
        List<MemberSearch.Candidate> candidates = new ArrayList<>();
        for (Open one : open) {
            one.member.ifPresent(identity -> candidates.add(new MemberSearch.Candidate(one.name(), identity)));
        }
        for (DeviceUri place : search.placesBeside(candidates)) {
            lookAt(place, metadata, search, tables).ifPresent(candidates::add);
        }
        return search.among(candidates);
    }

    /** What cannot be looked at where it was is missing there. */
    private Optional<MemberSearch.Candidate> lookAt(
            DeviceUri uri, MetadataProvider metadata, MemberSearch search, List<NamedTable> tables) {
        try (BlockDevice device = devices.open(uri, OpenOptions.inspect())) {
            Optional<SpareIdentity> identity =
                    metadata.identity(device.direct()).filter(search::states);
            if (identity.isPresent()) {
                metadata.table(device.direct()).ifPresent(table -> tables.add(new NamedTable(nameOf(uri), table)));
            }
            return identity.map(which -> new MemberSearch.Candidate(nameOf(uri), which));
        } catch (Refusal | DeviceException e) {
            return Optional.empty();
        }
    }

    /** Empty if its table cannot be read. */
    private Optional<List<Pair>> pairsOf(Open spare, List<Open> open, MetadataProvider metadata) {
        List<Pair> pairs = new ArrayList<>();
        try (MetadataStore look = metadata.open(spare.device.direct(), true, environment, Settings.defaults())) {
            List<NamedTable> tables = new ArrayList<>();
            open.stream()
                    .filter(one -> one.isOf(look.pair()) && !one.isTakenOut(open) && !isOlder(one, look))
                    .forEach(one -> one.table.ifPresent(table -> tables.add(new NamedTable(one.name(), table))));
            List<MemberSearch.Found> members = membersOf(look, open, metadata, tables);
            Optional<String> twin = twin(spare, open);
            Optional<String> rival = twin.isPresent() ? twin : rival(spare, look, tables, metadata);
            for (Open main : open) {
                if (main.spareOf.isEmpty() && !main.device.identity().overlaps(spare.device.identity())) {
                    judge(main, spare, look, members, rival).ifPresent(pairs::add);
                }
            }
        } catch (Refusal | DeviceException e) {
            skipped.add(new Remark(spare.name(), "its table cannot be read: " + e.getMessage()));
            unread.add(spare.spareOf.orElseThrow().pairUuid());
            return Optional.empty();
        }
        return Optional.of(pairs);
    }

    /** A copy of another spare from before says nothing of the table that is read. */
    private static boolean isOlder(Open one, MetadataStore look) {
        return look.members().stream()
                .anyMatch(member -> one.member
                        .filter(identity -> identity.is(member)
                                && SpareSet.isOld(identity, member).isPresent())
                        .isPresent());
    }

    /** Two that are the same spare by all that they say; of first ones main, or the other spares, tell which is older. */
    private static Optional<String> twin(Open spare, List<Open> open) {
        return open.stream()
                .filter(other ->
                        !other.uri.equals(spare.uri) && spare.number() != 0 && other.member.equals(spare.member))
                .findFirst()
                .map(other -> "spare " + spare.number() + " is there more than once: " + spare.name() + " and "
                        + other.name() + " cannot be told from each other, so name the one that was served last");
    }

    /** Why another table of the pair counts, or may count, in place of this one; what is a copy of this spare says nothing. */
    private static Optional<String> rival(
            Open spare, MetadataStore look, List<NamedTable> tables, MetadataProvider metadata)
            throws Refusal, DeviceException {
        TableRivals rivals = TableRivals.of(look, TrackedDevice.of(spare.device), metadata);
        for (NamedTable other : tables) {
            Optional<String> against = other.table.index() == look.openedFrom()
                    ? Optional.empty()
                    : rivals.against(other.name, other.table);
            if (against.isPresent()) {
                return against;
            }
        }
        return Optional.empty();
    }

    /**
     * Empty if there is nothing that would have anybody think of a pair.
     *
     * @param rival another table that speaks against this one
     */
    private Optional<Pair> judge(
            Open main, Open spare, MetadataStore look, List<MemberSearch.Found> members, Optional<String> rival) {
        PairIdentity pair = look.pair();
        boolean named = main.witness.filter(w -> w.isOf(pair) && !w.ofOther()).isPresent();
        boolean fits = fits(main.device, pair);
        boolean sameName = pair.mainStableId().equals(main.device.identity().stableId());
        if (!named && (!fits || (main.witness.isPresent() && !sameName))) {
            return Optional.empty();
        }
        List<String> reasons = new ArrayList<>();
        List<String> against = new ArrayList<>(rival.stream().toList());
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
