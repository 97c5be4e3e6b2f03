package io.remap.core;

import io.remap.api.DeviceUri;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.SpareMember;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** Tells which of some devices are the spares that a table states beside the one that it was read from. Pure. */
final class MemberSearch {
    /** How a member of a pair was found. */
    enum State {
        PRESENT,
        /** Only a copy of it is there, from before it was served last. */
        OLDER,
        /** Two devices say that they are it. */
        TWICE,
        MISSING
    }

    /** A device that says which spare it is. */
    record Candidate(String name, SpareIdentity identity) {}

    /**
     * A member, as it was found.
     *
     * @param stated as the table states it
     * @param state how it was found
     * @param candidate the device; with {@link State#PRESENT} and {@link State#OLDER}
     * @param detail why it is not present; empty if it is
     */
    record Found(SpareMember stated, State state, Optional<Candidate> candidate, String detail) {}

    private final UUID pairUuid;
    private final List<SpareMember> stated;
    private final Map<Integer, DeviceUri> places;

    /** Looks for what an open table states. */
    static MemberSearch of(MetadataStore open) {
        return new MemberSearch(
                open.pair().pairUuid(), open.openedFrom(), open.members(), FurtherSpares.found(open.saved()));
    }

    /**
     * @param opened number of the spare that the table was read from
     * @param stated the spares of the pair, that one among them
     * @param places where they were found the last time, by number
     */
    MemberSearch(UUID pairUuid, int opened, List<SpareMember> stated, Map<Integer, DeviceUri> places) {
        this.pairUuid = pairUuid;
        this.stated = stated.stream().filter(member -> member.index() != opened).toList();
        this.places = places;
    }

    /** Whether a device is one of them, be it an older copy. */
    boolean states(SpareIdentity identity) {
        return identity.pair().pairUuid().equals(pairUuid) && stated.stream().anyMatch(identity::is);
    }

    /** Where those were the last time that are not among these. */
    List<DeviceUri> placesBeside(List<Candidate> candidates) {
        return stated.stream()
                .filter(member -> places.containsKey(member.index()))
                .filter(member ->
                        candidates.stream().noneMatch(one -> isOf(one.identity(), member) && isNew(one, member)))
                .map(member -> places.get(member.index()))
                .toList();
    }

    /** Where a member was the last time, {@code null} if that is not known. */
    DeviceUri placeOf(SpareMember member) {
        return places.get(member.index());
    }

    /** Each member, by number. */
    List<Found> among(List<Candidate> candidates) {
        List<Found> result = new ArrayList<>();
        for (SpareMember member : stated) {
            List<Candidate> all = candidates.stream()
                    .filter(one -> isOf(one.identity(), member))
                    .toList();
            List<Candidate> current =
                    all.stream().filter(one -> isNew(one, member)).toList();
            if (current.size() == 1) {
                result.add(new Found(member, State.PRESENT, Optional.of(current.get(0)), ""));
            } else if (current.size() > 1) {
                result.add(new Found(
                        member,
                        State.TWICE,
                        Optional.empty(),
                        "it is there more than once: "
                                + String.join(
                                        ", ",
                                        current.stream().map(Candidate::name).toList())
                                + " cannot be told from each other, so name the one that was served last"));
            } else if (!all.isEmpty()) {
                result.add(new Found(
                        member,
                        State.OLDER,
                        Optional.of(all.get(0)),
                        all.get(0).name() + " "
                                + SpareSet.isOld(all.get(0).identity(), member).orElseThrow()));
            } else {
                DeviceUri last = places.get(member.index());
                result.add(new Found(
                        member,
                        State.MISSING,
                        Optional.empty(),
                        last == null ? "where it was is not known" : "the last time it was " + last));
            }
        }
        return result;
    }

    private boolean isOf(SpareIdentity identity, SpareMember member) {
        return identity.pair().pairUuid().equals(pairUuid) && identity.is(member);
    }

    private static boolean isNew(Candidate candidate, SpareMember member) {
        return SpareSet.isOld(candidate.identity(), member).isEmpty();
    }
}
