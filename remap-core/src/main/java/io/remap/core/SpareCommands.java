package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.DiskError;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.core.disk.DiskEvent;
import io.remap.core.disk.SpareSteering.SpareSummary;
import io.remap.core.disk.TrackedDevice;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import java.util.function.UnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The commands on the spares of a disk that is served: list, add, set, evacuate, keep, remove. Members change one after the
 * other, under the monitor; nobody has that while a spare is emptied, which may take hours and be taken back meanwhile.
 */
final class SpareCommands {
    private static final Logger LOG = LoggerFactory.getLogger(SpareCommands.class);

    private final DiskTable disks;

    SpareCommands(DiskTable disks) {
        this.disks = disks;
    }

    private ServedDisk disk(Arguments arguments) throws Refusal {
        ServedDisk served = disks.disk(arguments.text("disk", ""));
        store(served);
        return served;
    }

    private static MetadataStore store(ServedDisk served) throws Refusal {
        return served.metadata()
                .store()
                .orElseThrow(() ->
                        new Refusal(Refusal.Kind.USAGE, "disk '" + served.name() + "' is served without a spare"));
    }

    private static ServedDisk requireWritable(ServedDisk served) throws Refusal {
        Optional<String> immovable = served.immovable();
        if (immovable.isPresent()) {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, immovable.get());
        }
        return served;
    }

    Map<String, Object> list(Arguments arguments) throws Refusal {
        return list(disk(arguments));
    }

    private static Map<String, Object> list(ServedDisk served) throws Refusal {
        List<Map<String, Object>> shown = new ArrayList<>();
        Map<Integer, SpareSummary> summaries = new LinkedHashMap<>();
        served.disk().spareSteering().summaries().forEach(summary -> summaries.put(summary.index(), summary));
        for (SpareMember member : store(served).members()) {
            SpareSummary summary = summaries.get(member.index());
            boolean present = summary != null && summary.present();
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("spare", member.index());
            one.put("device", present ? summary.name() : null);
            one.put("stableId", present ? summary.stableId() : null);
            one.put("state", state(summary));
            one.put("priority", (present ? summary.use() : member.use()).priority());
            one.put("slots", member.slots());
            one.put("freeSlots", present ? summary.freeSlots() : 0);
            one.put("badSlots", present ? summary.badSlots() : 0);
            one.put("usedSlots", summary == null ? 0 : summary.usedUnits());
            one.put("holdsTable", member.table());
            shown.add(one);
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", served.name());
        answer.put("spares", shown);
        return answer;
    }

    private static String state(SpareSummary summary) {
        if (summary == null || !summary.present()) {
            return "missing";
        }
        if (summary.doubt().isPresent()) {
            return "in doubt: " + summary.doubt().get();
        }
        SpareMember.Use use = summary.use();
        return use.leaving() ? "leaving" : use.standby() ? "standby" : "active";
    }

    synchronized Map<String, Object> add(Arguments arguments) throws Refusal {
        ServedDisk served = requireWritable(disk(arguments));
        DeviceUri uri = DeviceUri.parse(arguments.text("spare"));
        OptionalLong createBytes = arguments.has("createBytes")
                ? OptionalLong.of(arguments.number("createBytes", 1, Long.MAX_VALUE))
                : OptionalLong.empty();
        FurtherSpares.Open added;
        try {
            SpareMember.Use use = new SpareMember.Use(false, arguments.flag("standby"), (int)
                    arguments.number("priority", 0, SpareMember.MAX_PRIORITY, 0));
            added = served.pairs()
                    .addSpare(served.devices(), served.metadata(), uri, createBytes, arguments.flag("force"), use);
        } catch (DeviceException e) {
            throw new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e);
        }
        try {
            state(served, present -> {
                List<SpareMember> members = new ArrayList<>(present);
                members.add(added.member());
                members.sort(Comparator.comparingInt(SpareMember::index));
                return members;
            });
        } catch (Refusal e) {
            if (goesOn(e)) {
                served.metadata().further().spend(added.member().index());
            }
            added.device().close();
            throw e;
        }
        served.metadata().further().add(added);
        served.disk().spareSteering().add(added.forDisk());
        served.disk()
                .events()
                .note(
                        DiskEvent.Kind.SPARE_ADDED,
                        "spare " + added.member().index() + ": "
                                + added.device().name());
        spreadTable(served);
        // The name must be found should this process be killed.
        served.saveNow();
        return list(served);
    }

    /** States the members, durably. */
    private static void state(ServedDisk served, UnaryOperator<List<SpareMember>> how) throws Refusal {
        CompletableFuture<Optional<Refusal>> ended = new CompletableFuture<>();
        served.memberChanges().change(how, refusal -> ended.complete(Optional.ofNullable(refusal)));
        Optional<Refusal> refused = Patience.await(
                ended,
                Patience.COMMAND_MILLIS,
                "the members are still being changed after " + Patience.COMMAND_MILLIS
                        + " ms; that goes on, and 'remap spare list " + ShellWords.quoted(served.name())
                        + "' shows how far it is",
                "the change goes on");
        if (refused.isPresent()) {
            throw refused.get();
        }
    }

    /** Whether it is not known how a change ended: it may come to be stated at any time. */
    private static boolean goesOn(Refusal refusal) {
        return refusal.getCause() instanceof TimeoutException || refusal.getCause() instanceof InterruptedException;
    }

    private static SpareMember member(ServedDisk served, Arguments arguments) throws Refusal {
        long index = arguments.number("spare", 0, SpareMember.MAX_MEMBERS - 1L);
        return store(served).members().stream()
                .filter(member -> member.index() == index)
                .findFirst()
                .orElseThrow(() -> new Refusal(
                        Refusal.Kind.NOT_SO,
                        "disk '" + served.name() + "' has no spare " + index + ": see 'remap spare list "
                                + ShellWords.quoted(served.name()) + "'"));
    }

    /** What the spare is for from now on, durably. That it has taken over meanwhile, which may not be durable yet, stays so. */
    private static void setUse(ServedDisk served, SpareMember spare, UnaryOperator<SpareMember> how) throws Refusal {
        state(served, MemberChanges.of(spare.index(), how));
        for (SpareMember now : store(served).members()) {
            if (now.index() == spare.index()) {
                served.disk()
                        .spareSteering()
                        .setUse(now.index(), use -> how.apply(now.use(use)).use());
            }
        }
    }

    synchronized Map<String, Object> set(Arguments arguments) throws Refusal {
        ServedDisk served = requireWritable(disk(arguments));
        SpareMember spare = member(served, arguments);
        if (!arguments.has("priority") && !arguments.has("standby")) {
            throw new Refusal(Refusal.Kind.USAGE, "spare.set: nothing to set; 'priority' or 'standby' is missing");
        }
        // Only what was asked for: one that stands by may take over at any moment.
        UnaryOperator<SpareMember> how = UnaryOperator.identity();
        if (arguments.has("priority")) {
            int priority = (int) arguments.number("priority", 0, SpareMember.MAX_PRIORITY);
            how = member -> member.priority(priority);
        }
        if (arguments.has("standby")) {
            boolean standby = arguments.flag("standby");
            UnaryOperator<SpareMember> before = how;
            how = member -> before.apply(member).standby(standby);
        }
        setUse(served, spare, how);
        return list(served);
    }

    synchronized Map<String, Object> keep(Arguments arguments) throws Refusal {
        ServedDisk served = requireWritable(disk(arguments));
        setUse(served, member(served, arguments), member -> member.leaving(false));
        return list(served);
    }

    Map<String, Object> evacuate(Arguments arguments) throws Refusal {
        ServedDisk served = requireWritable(disk(arguments));
        SpareMember spare = member(served, arguments);
        synchronized (this) {
            setUse(served, spare, member -> member.leaving(true));
        }
        Ended ended = empty(served, spare, false);
        boolean leaves = store(served).members().stream()
                .anyMatch(member ->
                        member.index() == spare.index() && member.use().leaving());
        Map<String, Object> answer = list(served);
        answer.put("movedUnits", ended.moved);
        answer.put("leftUnits", ended.left);
        answer.put("goesOn", ended.goesOn);
        answer.put("takenBack", !leaves && ended.left > 0);
        return answer;
    }

    /** How an evacuation ended, or how far it is if that took too long to wait for. */
    private record Ended(long moved, long left, DiskError error, boolean goesOn) {}

    private static long usedUnits(ServedDisk served, SpareMember spare) {
        return served.disk().spareSteering().summaries().stream()
                .filter(summary -> summary.index() == spare.index())
                .mapToLong(SpareSummary::usedUnits)
                .sum();
    }

    private static Ended empty(ServedDisk served, SpareMember spare, boolean lose) throws Refusal {
        long before = usedUnits(served, spare);
        CompletableFuture<Ended> end = new CompletableFuture<>();
        served.disk()
                .spareSteering()
                .evacuate(
                        spare.index(),
                        lose,
                        (moved, left, error) -> end.complete(new Ended(moved, left, error, false)));
        Ended ended = Patience.await(
                end,
                Patience.COMMAND_MILLIS,
                e -> {
                    long left = usedUnits(served, spare);
                    return new Ended(Math.max(0, before - left), left, DiskError.NONE, true);
                },
                "the change goes on");
        if (ended.error == DiskError.NONE) {
            return ended;
        }
        String what = "spare " + spare.index() + " of disk '" + served.name() + "' was not emptied: ";
        throw switch (ended.error) {
            case NO_SPACE ->
                new Refusal(
                        Refusal.Kind.ENVIRONMENT,
                        what + "the other spares have no free slot; add one with 'remap spare add'. " + ended.moved
                                + " units were moved");
            case SHUTDOWN -> new Refusal(Refusal.Kind.BUSY, what + "the disk is stopping");
            default ->
                new Refusal(
                        Refusal.Kind.DEVICE_FAILED, what + "an error ended it; " + ended.moved + " units were moved");
        };
    }

    synchronized Map<String, Object> remove(Arguments arguments) throws Refusal {
        ServedDisk served = requireWritable(disk(arguments));
        SpareMember spare = member(served, arguments);
        requireTableElsewhere(served, spare);
        boolean lose = arguments.flag("lose");
        long used = usedUnits(served, spare);
        if (used > 0 && !lose) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "spare " + spare.index() + " is in use: " + used
                            + " units stand on it. 'remap spare evacuate' moves them"
                            + " to the others; --lose gives them up");
        }
        setUse(served, spare, member -> member.leaving(true));
        if (used > 0) {
            served.disk()
                    .events()
                    .note(DiskEvent.Kind.SPARE_GIVEN_UP, "spare " + spare.index() + ": " + used + " units");
            empty(served, spare, true);
        }
        // Whoever has a slot of it by now finds that its mapping is not made, and takes another one.
        served.disk().spareSteering().setClosed(spare.index(), true);
        boolean wasOpened = store(served).openedFrom() == spare.index();
        try {
            state(
                    served,
                    members -> members.stream()
                            .filter(member -> member.index() != spare.index())
                            .toList());
        } catch (Refusal e) {
            if (goesOn(e)) {
                // It gets no slots any more, and its number nobody else, until the next start finds what was stated.
                served.metadata().further().spend(spare.index());
                throw e;
            }
            served.disk().spareSteering().setClosed(spare.index(), false);
            // What was to take the table over, and did not, states it as it is: it must not count for another one.
            spreadTable(served);
            throw e;
        }
        served.disk().spareSteering().remove(spare.index());
        Optional<TrackedDevice> device = served.takeOut(spare.index(), wasOpened);
        if (lose) {
            // It may hang, and what was asked of it may still be under way: it is closed with the disk.
            device.ifPresent(served.metadata().further()::retire);
        } else {
            PairIdentity pair = store(served).pair();
            device.ifPresent(open -> giveBack(served, open, pair, spare.index()));
        }
        spreadTable(served);
        served.disk().events().note(DiskEvent.Kind.SPARE_REMOVED, "spare " + spare.index());
        served.saveNow();
        return list(served);
    }

    /** That there is no copy of the table undoes nothing: the list shows where it is. */
    private static void spreadTable(ServedDisk served) {
        try {
            served.pairs().spreadTable(served.metadata());
        } catch (Refusal e) {
            LOG.warn("disk '{}': the table was not copied to another spare: {}", served.name(), e.getMessage());
        }
    }

    /** Said before anything is given up or moved. */
    private static void requireTableElsewhere(ServedDisk served, SpareMember spare) throws Refusal {
        boolean elsewhere =
                store(served).members().stream().anyMatch(member -> member.index() != spare.index() && member.table());
        if (!elsewhere) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "spare " + spare.index() + " holds the table of the mappings, and no other one has a copy of it:"
                            + " add a spare with 'remap spare add' first; see 'remap spare list'");
        }
    }

    /** It is nobody's spare any more, and says so if it still can. */
    private static void giveBack(ServedDisk served, BlockDevice device, PairIdentity pair, int index) {
        try (device) {
            served.pairs().eraseSpare(device, pair, index);
        } catch (Refusal | DeviceException e) {
            LOG.warn("{}: still says that it is a spare: {}", device.name(), e.getMessage());
        }
    }
}
