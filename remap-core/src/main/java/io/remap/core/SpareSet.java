package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import io.remap.api.spi.TableCopy;
import io.remap.core.disk.SpareDevice;
import io.remap.core.disk.TrackedDevice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Finds the further spares of a pair, and makes new ones. What the leading table states counts; a device is taken for a member
 * only if it says the same pair, number and id. Stateless.
 */
final class SpareSet {
    /** A new generation of a large table on a slow spare takes seconds. */
    private static final long STATE_MILLIS = 120_000;
    /** What may be a spare of any pair. */
    private static final Set<SpareContent.Kind> UNTOLD =
            Set.of(SpareContent.Kind.UNREADABLE, SpareContent.Kind.DAMAGED, SpareContent.Kind.TOO_NEW);

    private final MetadataProvider metadata;
    private final Devices devices;
    private final Environment environment;
    private final SpareOpener opener;

    /** Opens a spare of a main, after it is certain that the two share nothing. */
    @FunctionalInterface
    interface SpareOpener {
        BlockDevice open(DeviceUri spare, OptionalLong createBytes) throws Refusal, DeviceException;
    }

    SpareSet(MetadataProvider metadata, Devices devices, Environment environment, SpareOpener opener) {
        this.metadata = metadata;
        this.devices = devices;
        this.environment = environment;
        this.opener = opener;
    }

    /**
     * Of several named spares the one whose table counts: the first one, unless a copy on another one has gone on without it.
     *
     * @throws Refusal {@link Refusal.Kind#USAGE} if none or more than one may be it
     */
    DeviceUri first(List<DeviceUri> named) throws Refusal, DeviceException {
        List<DeviceUri> candidates = new ArrayList<>();
        Map<DeviceUri, TableCopy> tables = new LinkedHashMap<>();
        for (DeviceUri uri : named) {
            try (BlockDevice look = devices.open(uri, OpenOptions.inspect())) {
                if (metadata.member(look.direct()).isEmpty()) {
                    candidates.add(uri);
                }
                metadata.table(look.direct()).ifPresent(table -> tables.put(uri, table));
            }
        }
        if (candidates.size() > 1) {
            for (DeviceUri uri : candidates) {
                refuseUntold(uri, content(uri));
            }
        }
        if (candidates.size() > 1 || (candidates.isEmpty() && tables.isEmpty())) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    candidates.isEmpty()
                            ? "none of the spares named holds the table of the mappings of a pair: name the others too"
                            : "of " + candidates
                                    + " only one can be the first spare, and the others are no further ones:"
                                    + " add a new spare to a disk that is served with 'remap spare add'");
        }
        DeviceUri chosen = candidates.isEmpty() ? null : candidates.get(0);
        for (Map.Entry<DeviceUri, TableCopy> other : tables.entrySet()) {
            TableCopy present = tables.get(chosen);
            boolean nothingYet = chosen == null || (present == null && !isBlank(chosen));
            // Where neither comes before the other it is the first spare, or else whichever.
            if (nothingYet || (present != null && other.getValue().countsBefore(present))) {
                chosen = other.getKey();
            }
        }
        return chosen;
    }

    /** A blank device among members is a mistake that others tell better. */
    private boolean isBlank(DeviceUri uri) throws Refusal, DeviceException {
        SpareContent content = content(uri);
        refuseUntold(uri, content);
        return content.kind() == SpareContent.Kind.BLANK;
    }

    private SpareContent content(DeviceUri uri) throws Refusal, DeviceException {
        try (BlockDevice look = devices.open(uri, OpenOptions.inspect())) {
            return metadata.inspect(look.direct());
        }
    }

    /** Among spares it may well be one of them: nobody may be told to make it one. */
    private static void refuseUntold(DeviceUri uri, SpareContent content) throws Refusal {
        if (UNTOLD.contains(content.kind())) {
            String name = Discovery.nameOf(uri);
            throw new Refusal(
                    Refusal.Kind.DAMAGED,
                    "which spare " + name + " is cannot be told: " + PairMatch.describe(content)
                            + ". It may hold sectors of main, so see that it can be read; or go on without it, and what"
                            + " stands on it answers with errors: leave out --spare " + ShellWords.quoted(name)
                            + ", with --missing-spares");
        }
    }

    /**
     * Opens the members of a pair beside the first one. Writes to none.
     *
     * @param opened the spare that the table was read from
     * @param named devices that the user named, that one not among them
     * @param order all that he named: of equal priority who comes first there gets the next sector
     * @param look that table
     * @param missingToo go on without those that are not there: what stands on them answers with errors
     * @param adopt the user's word that what he named was served last, where nothing on it says how new it is
     * @param notices gets a line for each that is missing, or taken by that word
     * @throws Refusal {@link Refusal.Kind#WRONG_DEVICE} if one is missing, or a device is not what it was named for
     */
    FurtherSpares openAll(
            TrackedDevice opened,
            List<DeviceUri> named,
            List<DeviceUri> order,
            MetadataStore look,
            boolean missingToo,
            boolean adopt,
            List<String> notices)
            throws Refusal, DeviceException {
        FurtherSpares result = new FurtherSpares();
        try {
            Map<UUID, SpareMember> wanted = new LinkedHashMap<>();
            look.members().stream()
                    .filter(member -> member.index() != look.openedFrom())
                    .forEach(member -> wanted.put(member.id(), member));
            for (DeviceUri uri : named) {
                openNamed(uri, order.indexOf(uri), look, wanted, adopt, notices, result);
            }
            Map<Integer, DeviceUri> remembered = FurtherSpares.found(look.saved());
            for (SpareMember member : List.copyOf(wanted.values())) {
                DeviceUri uri = remembered.get(member.index());
                Optional<String> why = uri == null
                        ? Optional.of("where it was is not known")
                        : tryRemembered(uri, look, wanted, member, result);
                if (why.isPresent()) {
                    noteMissing(member, uri, why.get(), missingToo, result, notices);
                }
            }
            TableRivals rivals = TableRivals.of(look, opened, metadata);
            for (FurtherSpares.Open open : result.open()) {
                refuseOtherTable(open.device(), rivals);
            }
            return result;
        } catch (Refusal | DeviceException | RuntimeException e) {
            result.close();
            throw e;
        }
    }

    private void openNamed(
            DeviceUri uri,
            int order,
            MetadataStore look,
            Map<UUID, SpareMember> wanted,
            boolean adopt,
            List<String> notices,
            FurtherSpares result)
            throws Refusal, DeviceException {
        PairIdentity pair = look.pair();
        BlockDevice device = opener.open(uri, OptionalLong.empty());
        try {
            SpareIdentity identity = identity(device, look)
                    .orElseThrow(() -> new Refusal(
                            Refusal.Kind.WRONG_DEVICE,
                            device.name() + " is no further spare of a pair: to make it one of a disk that is served,"
                                    + " 'remap spare add'"));
            SpareMember member = wanted.get(identity.id());
            if (!identity.pair().pairUuid().equals(pair.pairUuid()) || member == null || !identity.is(member)) {
                throw new Refusal(
                        Refusal.Kind.WRONG_DEVICE,
                        device.name() + " is spare " + identity.index() + " of the pair "
                                + identity.pair().pairUuid()
                                + (identity.pair().pairUuid().equals(pair.pairUuid())
                                        ? ", and was taken out of it, or is named twice"
                                        : ", not of " + pair.pairUuid()));
            }
            Optional<String> old = isOld(identity, member);
            boolean byWord = adopt && identity.stamp() < 0;
            if (old.isPresent() && !byWord) {
                throw new Refusal(Refusal.Kind.WRONG_DEVICE, device.name() + " " + old.get());
            }
            if (old.isPresent()) {
                notices.add(device.name() + " is taken for spare " + member.index()
                        + " as it was served last, by your word (--adopt): " + whyUnknown(member));
            }
            take(member, device, identity.slots(), uri, order, wanted, result);
        } catch (Refusal | DeviceException | RuntimeException e) {
            device.close();
            throw e;
        }
    }

    private static void take(
            SpareMember member,
            BlockDevice device,
            SpareSlots slots,
            DeviceUri uri,
            int order,
            Map<UUID, SpareMember> wanted,
            FurtherSpares result)
            throws Refusal {
        if (slots.count() < member.slots()) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    device.name() + " has " + slots.count() + " slots, and had " + member.slots()
                            + " when it was served last");
        }
        wanted.remove(member.id());
        result.add(new FurtherSpares.Open(member, TrackedDevice.of(device), slots, uri.absolute(), order));
    }

    /** Where it was the last time; gives why it is not there now. */
    private Optional<String> tryRemembered(
            DeviceUri uri,
            MetadataStore look,
            Map<UUID, SpareMember> wanted,
            SpareMember member,
            FurtherSpares result) {
        PairIdentity pair = look.pair();
        try {
            BlockDevice device = opener.open(uri, OptionalLong.empty());
            try {
                Optional<SpareIdentity> identity = identity(device, look)
                        .filter(found -> found.pair().pairUuid().equals(pair.pairUuid()) && found.is(member));
                Optional<String> not = identity.isEmpty()
                        ? Optional.of("another device is there")
                        : isOld(identity.get(), member).map(why -> device.name() + " " + why);
                if (not.isPresent()) {
                    device.close();
                    return not;
                }
                take(member, device, identity.get().slots(), uri, SpareDevice.UNORDERED, wanted, result);
                return Optional.empty();
            } catch (Refusal | DeviceException | RuntimeException e) {
                device.close();
                throw e;
            }
        } catch (Refusal | DeviceException e) {
            return Optional.of(e.getMessage());
        }
    }

    /** A copy of the table that is not behind the one that is open: the sectors of the two do not go together. */
    private void refuseOtherTable(TrackedDevice device, TableRivals rivals) throws Refusal, DeviceException {
        Optional<String> against = metadata.table(device.direct()).flatMap(copy -> rivals.against(device.name(), copy));
        if (against.isPresent()) {
            throw new Refusal(Refusal.Kind.WRONG_DEVICE, against.get());
        }
    }

    /** Which spare of the pair it is: the first one too, where the table was opened from a copy. */
    private Optional<SpareIdentity> identity(BlockDevice device, MetadataStore look) throws Refusal, DeviceException {
        Optional<SpareIdentity> further = metadata.member(device.direct());
        if (further.isPresent() || look.openedFrom() == 0) {
            return further;
        }
        Optional<SpareIdentity> first = metadata.firstSpare(device.direct());
        boolean doubtful = first.isPresent()
                && metadata.table(device.direct()).filter(TableCopy::certain).isEmpty();
        // A generation that is in doubt may hide newer ones: too low a number says nothing then.
        return first.map(found -> doubtful && isBehind(found, look) ? found.stamped(-1) : found);
    }

    private static boolean isBehind(SpareIdentity identity, MetadataStore look) {
        return look.members().stream()
                .anyMatch(
                        member -> identity.is(member) && isOld(identity, member).isPresent());
    }

    /** A stamp never gets lower, though generations are counted by each spare with the table for itself. */
    private static long aboveAll(MetadataStore store, long atLeast) {
        return store.members().stream()
                .filter(member -> member.index() != 0)
                .mapToLong(member -> member.seen() + 1)
                .reduce(atLeast, Math::max);
    }

    /** Why nothing on a spare says how new it is: the first one has its table in place of stamps. */
    private static String whyUnknown(SpareMember member) {
        return member.index() == 0 ? "its table cannot be loaded" : "both its stamps are damaged";
    }

    /** Why it is not as it was when it was served last. */
    static Optional<String> isOld(SpareIdentity identity, SpareMember member) {
        if (identity.stamp() >= member.seen()) {
            return Optional.empty();
        }
        String which = "is spare " + identity.index();
        return Optional.of(
                identity.stamp() < 0
                        ? which
                                + ", and nothing on it says how new it is: " + whyUnknown(member)
                                + ". If you know that it is the one that was served last: name it with --spare, and"
                                + " --adopt; else name that one"
                        : which + " as it was before: it was stamped " + identity.stamp() + ", and last "
                                + member.seen() + "; name the device that was served last");
    }

    private static void noteMissing(
            SpareMember member,
            DeviceUri uri,
            String why,
            boolean missingToo,
            FurtherSpares result,
            List<String> notices)
            throws Refusal {
        String which = "spare " + member.index() + (uri == null ? "" : ", the last time " + uri + ",")
                + " is not there (" + why + ")";
        if (!missingToo) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    which + ": attach it and name it with --spare; or serve without it by --missing-spares, and what"
                            + " stands on it answers with errors");
        }
        if (uri != null) {
            result.remember(member.index(), uri);
        }
        notices.add(which + ": what stands on it answers with errors until it is back or written anew"
                + (member.index() == 0 ? ", the table is read from a copy" : "")
                + ". If it is gone for good: 'remap spare remove' with --lose");
    }

    /**
     * Makes a device a further spare. It counts once the store states it.
     *
     * @param force its content may go
     * @param use what it is for
     * @param index its number
     */
    FurtherSpares.Open add(
            DeviceUri uri, OptionalLong createBytes, boolean force, SpareMember.Use use, MetadataStore store, int index)
            throws Refusal, DeviceException {
        // Its account is settled by the flush of the format.
        if (createBytes.isPresent()) {
            // Said before the file is made.
            metadata.plan(createBytes.getAsLong(), Place.UNIT_BYTES);
        }
        TrackedDevice device = TrackedDevice.of(opener.open(uri, createBytes));
        try {
            metadata.plan(device.traits().sizeBytes(), device.traits().physicalSectorBytes());
            SpareContent content = metadata.inspect(device.direct());
            if (content.kind() != SpareContent.Kind.BLANK && !force) {
                throw new Refusal(
                        Refusal.Kind.WRONG_DEVICE,
                        device.name() + " is not blank: " + PairMatch.describe(content)
                                + ". To destroy that and make it a spare: --force");
            }
            UUID id = new UUID(
                    environment.random().nextLong(), environment.random().nextLong());
            SpareSlots slots = metadata.formatMember(device.direct(), store.pair(), index, id, environment);
            long stamp = aboveAll(store, store.generation());
            metadata.stampMember(device.direct(), stamp);
            SpareMember member = new SpareMember(index, id, use, slots.count(), stamp);
            return new FurtherSpares.Open(member, device, slots, uri.absolute(), SpareDevice.UNORDERED);
        } catch (Refusal | DeviceException | RuntimeException e) {
            device.close();
            Devices.discard(uri, createBytes);
            throw e;
        }
    }

    /**
     * Stamps the spares that are open, {@code opened} from which the table comes among them unless it is the first one, and
     * has that stated: what is older than this is not taken for them any more. Of those that have grown the new slots are
     * stated with it. Waits until that is durable.
     *
     * @param changes states it, after the changes that are under way
     */
    void stamp(TrackedDevice opened, FurtherSpares further, MetadataStore store, long atLeast, MemberChanges changes)
            throws Refusal, DeviceException {
        long stamp = aboveAll(store, atLeast);
        Map<Integer, Long> slots = new HashMap<>();
        if (store.openedFrom() != 0) {
            metadata.stampMember(opened.direct(), stamp);
            slots.put(store.openedFrom(), store.slots().count());
        }
        for (FurtherSpares.Open open : further.open()) {
            if (open.member().index() != 0) {
                metadata.stampMember(open.device().direct(), stamp);
            }
            slots.put(open.member().index(), open.slots().count());
        }
        if (slots.isEmpty()) {
            return;
        }
        await(listener -> changes.change(
                members -> members.stream()
                        .map(member -> slots.containsKey(member.index())
                                ? stamped(member, stamp).slots(slots.get(member.index()))
                                : member)
                        .toList(),
                listener));
    }

    /** The first spare has the generation of its table in place of a stamp. */
    private static SpareMember stamped(SpareMember member, long stamp) {
        return member.index() == 0 ? member : member.seen(stamp);
    }

    /** Has the table copied to one of the spares that are open, and waits until that is durable. */
    static void spread(FurtherSpares further, MetadataStore store) throws Refusal {
        await(listener -> store.spread(further.forTable(), listener));
    }

    private static void await(Consumer<Consumer<Refusal>> start) throws Refusal {
        CompletableFuture<Optional<Refusal>> ended = new CompletableFuture<>();
        start.accept(refusal -> ended.complete(Optional.ofNullable(refusal)));
        Optional<Refusal> refused = Patience.await(
                ended,
                STATE_MILLIS,
                "the spares of the pair have not been stated in " + STATE_MILLIS + " ms",
                "the spares of the pair are still being stated");
        if (refused.isPresent()) {
            throw refused.get();
        }
    }
}
