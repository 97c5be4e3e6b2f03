package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.ErrorClass;
import io.remap.api.MapChange;
import io.remap.api.Refusal;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.TableMove;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The table on one spare, or on two: the <i>lead</i>, which decides, and a <i>copy</i> on another one, which follows. Each is
 * whole by itself, with generations of its own.
 *
 * <p>What is committed is durable on the lead first, then on the copy, then it ends as such. So both always have all that was
 * acknowledged, and at most one commit beyond it that was not; which one a start takes does not matter as long as nothing is
 * acknowledged without the other. Before that happens the other is <i>left behind</i>: the one that goes on says so in a
 * generation of a new {@link #term}, and whoever remembers the generation of the pair is told. One that is left behind is
 * never taken for what counts: beside the other its term is lower, and alone it is older than what is remembered. Two that
 * left each other behind are a fork.
 *
 * <p>One caller at a time, but for the getters.
 */
final class Holders {
    private static final Logger LOG = LoggerFactory.getLogger(Holders.class);

    /** Generations of a term: no opening gets so far. */
    private static final int TERM_BITS = 40;

    private final Environment environment;
    private final TableMoves moves = new TableMoves();
    private volatile Holder lead;
    /** The other one, {@code null} if there is none. */
    private volatile Holder copy;
    /** What both say. */
    private volatile Tables settled;
    /** Why there is no copy, for people; empty if nothing was lost. */
    private volatile String alone = "";

    private volatile Runnable whenLeftBehind = () -> {};

    /** The superblocks of both say that regions may be sealed. */
    private boolean sealsDeclared;

    Holders(Holder lead, Environment environment) {
        this.lead = lead;
        this.environment = environment;
        this.settled = lead.log().tables();
    }

    /** How often a copy was left behind, by the generation of the table that has counted since. */
    static long term(long generation) {
        return generation >>> TERM_BITS;
    }

    /** The highest generation of the term of these two. */
    private static long endOfTerm(long one, long other) {
        return ((Math.max(term(one), term(other)) + 1) << TERM_BITS) - 1;
    }

    Holder lead() {
        return lead;
    }

    Holder copy() {
        return copy;
    }

    /** The lead, then the copy, if there is one. */
    List<Holder> all() {
        Holder other = copy;
        return other == null ? List.of(lead) : List.of(lead, other);
    }

    Tables tables() {
        return settled;
    }

    String alone() {
        return alone;
    }

    TableMoves moves() {
        return moves;
    }

    void whenLeftBehind(Runnable remember) {
        whenLeftBehind = remember;
    }

    /** Numbers of the spares with a table in force, for people. */
    String where() {
        Holder other = copy;
        return other == null ? Integer.toString(lead.index()) : lead.index() + ", " + other.index();
    }

    /** Most entries; a copy that cannot hold as many is left behind when it comes to that. */
    long entryLimit() {
        return lead.layout().entryLimit();
    }

    /** Entries up to which regions are sealed: mappings, and the copy of the table, come first. */
    long sealLimit() {
        Holder other = copy;
        long limit = other == null
                ? entryLimit()
                : Math.min(entryLimit(), other.layout().entryLimit());
        return limit - limit / 8;
    }

    /** As {@link CommitLog#commit}. */
    void commit(List<MapChange> changes, Tables changed) throws CommitLog.NotCommitted, DeviceException {
        leaveUnseenBehind();
        if (!sealsDeclared && changes.stream().anyMatch(change -> change.kind() == MapChange.Kind.SEAL)) {
            declareSealed();
        }
        try {
            lead.log().commit(changes, as(lead, changed));
        } catch (DeviceException e) {
            takeOver(e);
            // Its arenas may be the smaller ones: then the commit is refused, and nothing of it is written there.
            lead.log().commit(changes, as(lead, changed));
        }
        if (copy != null && changed.entries() > copy.layout().entryLimit()) {
            leaveBehind(copy.index(), "the table does not fit it any more");
        }
        follow(other -> other.log().commit(changes, as(other, changed)));
        settle();
    }

    /** Before the first seal: a program that knows none would write to what is sealed. */
    private void declareSealed() throws CommitLog.NotCommitted, DeviceException {
        declare(lead, Superblock.Version.SEALED);
        follow(other -> declare(other, Superblock.Version.SEALED));
        sealsDeclared = true;
    }

    /** One that was stated, and that nobody has shown us, must not be taken for what counts. */
    private void leaveUnseenBehind() throws DeviceException {
        for (SpareMember member : lead.log().tables().members()) {
            if (isUnseen(member)) {
                leaveBehind(member.index(), "it is not there");
            }
        }
    }

    private boolean isUnseen(SpareMember stated) {
        Holder other = copy;
        boolean seen = stated.index() == lead.index() || (other != null && stated.index() == other.index());
        return stated.table() && !seen;
    }

    /** The content with the members as the holder states them. */
    private static Tables as(Holder holder, Tables content) {
        return content.stating(holder.log().tables().members());
    }

    private void settle() {
        settled = lead.log().tables();
    }

    /** Something that is done to the copy after it was done to the lead. */
    private interface Step {
        void with(Holder other) throws CommitLog.NotCommitted, DeviceException;
    }

    /** A copy that does not follow is left behind, before anything ends. */
    private void follow(Step step) throws DeviceException {
        Holder other = copy;
        if (other == null) {
            return;
        }
        try {
            step.with(other);
        } catch (CommitLog.NotCommitted e) {
            leaveBehind(other.index(), e.getMessage());
        } catch (DeviceException e) {
            refuseTakenOver(e);
            leaveBehind(other.index(), e.getMessage());
        }
    }

    private static void refuseTakenOver(DeviceException error) throws DeviceException {
        if (error.errorClass() == ErrorClass.RESERVED) {
            throw error;
        }
    }

    /** The lead goes on without the table on another spare, durably. */
    private void leaveBehind(int index, String why) throws DeviceException {
        leaveBehind(index, why, 0);
    }

    private void leaveBehind(int index, String why, long begun) throws DeviceException {
        stateLeftBehind(index, begun);
        goesOnAlone(index, why);
    }

    /**
     * Has the lead state it; main does not remember it yet.
     *
     * @param begun a generation that may stand on the other one although its log does not go on from there
     */
    private void stateLeftBehind(int index, long begun) throws DeviceException {
        Holder other = copy;
        boolean isCopy = other != null && other.index() == index;
        long reached = Math.max(begun, isCopy ? other.log().generation() : 0);
        if (isCopy) {
            copy = null;
        }
        state(lead, lead.log().tables().members(), index, endOfTerm(lead.log().generation(), reached));
        settle();
    }

    /** The lead has no copy any more, durably. */
    private void goesOnAlone(int leftBehind, String why) {
        alone = "spare " + leftBehind + " was left behind: " + why;
        LOG.warn("{}: the table is on spare {} alone; {}", lead.device().name(), lead.index(), alone);
        remember();
        moves.note(new TableMove(TableMove.Kind.LEFT_BEHIND, leftBehind, why));
    }

    /** The copy takes the place of the lead, which has failed, and is left behind; throws if that cannot be. */
    void takeOver(DeviceException error) throws DeviceException {
        refuseTakenOver(error);
        Holder next = copy;
        if (next == null) {
            throw error;
        }
        Holder failed = lead;
        try {
            long above = endOfTerm(failed.log().generation(), next.log().generation());
            state(next, next.log().tables().members(), failed.index(), above);
        } catch (DeviceException e) {
            error.addSuppressed(e);
            throw error;
        }
        lead = next;
        copy = null;
        settle();
        goesOnAlone(failed.index(), error.getMessage());
    }

    /** The copy has failed beside the commits. */
    void leaveCopyBehind(DeviceException error) throws DeviceException {
        follow(other -> {
            throw error;
        });
    }

    private void remember() {
        try {
            whenLeftBehind.run();
        } catch (RuntimeException e) {
            LOG.error("that a table was left behind is remembered nowhere else", e);
        }
    }

    /** Has a holder state members, one of them as left behind, in a generation above a number. */
    private static void state(Holder holder, List<SpareMember> members, int leftBehind, long above)
            throws DeviceException {
        holder.log().raise(above);
        try {
            holder.log()
                    .changeMembers(members.stream()
                            .map(member -> member.index() == leftBehind ? member.table(false) : member)
                            .toList());
        } catch (CommitLog.NotCommitted e) {
            throw certain(e);
        }
    }

    /** A holder that cannot state who holds the table cannot go on, though its log could. */
    private static DeviceException certain(CommitLog.NotCommitted taken) {
        if (taken.getCause() instanceof DeviceException cause) {
            return cause;
        }
        throw new IllegalStateException(taken);
    }

    private static boolean isAmong(List<SpareMember> members, Holder holder) {
        return members.stream().anyMatch(member -> member.index() == holder.index());
    }

    /** Whether the table is on one of these spares: those that are left out may go. */
    boolean canGoOnWith(List<SpareMember> members) {
        Holder other = copy;
        return isAmong(members, lead) || (other != null && isAmong(members, other));
    }

    /**
     * As {@link CommitLog#changeMembers}; where the table is stays as it is, but for a spare that is left out. Of the two one
     * stays, {@link #canGoOnWith}.
     */
    void changeMembers(List<SpareMember> members) throws CommitLog.NotCommitted, DeviceException {
        if (copy != null && !isAmong(members, copy)) {
            stateLeftBehind(copy.index(), 0);
            alone = "";
            remember();
        }
        declare(members);
        if (!isAmong(members, lead)) {
            handOver(members);
        } else if (copy != null && copy.index() == 0) {
            // The first spare before the other one, which states its generation.
            follow(first -> first.log().changeMembers(stated(members, first)));
            try {
                changeMembersOfLead(members);
            } catch (CommitLog.NotCommitted e) {
                if (copy != null) {
                    leaveBehind(copy.index(), "it states other spares");
                }
                throw e;
            }
        } else {
            changeMembersOfLead(members);
            follow(copied -> copied.log().changeMembers(stated(members, copied)));
        }
        settle();
    }

    /** Before a generation names no first spare, programs that do not know of that are kept from opening it. */
    private void declare(List<SpareMember> members) throws CommitLog.NotCommitted, DeviceException {
        if (Tables.hasFirst(members)) {
            return;
        }
        int features = Tables.featuresOf(members);
        boolean leadStays = isAmong(members, lead);
        declare(leadStays ? lead : copy, features);
        if (leadStays) {
            follow(other -> declare(other, features));
        }
    }

    /** Nothing rests on it yet. Should the device have failed, what is written next finds it. */
    private static void declare(Holder holder, int features) throws CommitLog.NotCommitted {
        try {
            Holder.declare(holder.device(), features);
        } catch (Damage | Refusal | DeviceException e) {
            throw new CommitLog.NotCommitted(e.getMessage(), e);
        }
    }

    /** The lead is left out: the copy states the others, itself as the one with the table, and leads from then on. */
    private void handOver(List<SpareMember> members) throws CommitLog.NotCommitted, DeviceException {
        Holder next = copy;
        long above = endOfTerm(lead.log().generation(), next.log().generation());
        next.log().raise(above);
        try {
            next.log().changeMembers(stated(members, next));
        } catch (DeviceException e) {
            refuseTakenOver(e);
            // It may say by now that it goes on alone, in the term that it was to begin: the lead does so in a later
            // one.
            leaveBehind(next.index(), e.getMessage(), above + 1);
            throw new CommitLog.NotCommitted(e.getMessage(), e);
        } catch (CommitLog.NotCommitted e) {
            // Undone, but in a generation of the term that it was to begin: a lead that went on in the one before
            // would be the older of the two once it is alone.
            leaveBehind(next.index(), e.getMessage(), above + 1);
            throw e;
        }
        lead = next;
        copy = null;
        alone = "";
        settle();
        remember();
    }

    private void changeMembersOfLead(List<SpareMember> members) throws CommitLog.NotCommitted, DeviceException {
        try {
            lead.log().changeMembers(stated(members, lead));
        } catch (DeviceException e) {
            takeOver(e);
            lead.log().changeMembers(stated(members, lead));
        }
    }

    /** Members as one of the two states them: where the table is, and how new the first spare is, only we know. */
    private List<SpareMember> stated(List<SpareMember> members, Holder by) {
        List<SpareMember> result = new ArrayList<>();
        for (SpareMember member : members) {
            boolean table = member.index() == lead.index() || (copy != null && member.index() == copy.index());
            result.add(member.index() == 0 ? firstAs(member, by).table(table) : member.table(table));
        }
        return result;
    }

    /** The first spare, as one of the two states it: where it has no table, it may have grown meanwhile. */
    private SpareMember firstAs(SpareMember first, Holder by) {
        if (by.index() == 0) {
            return first.slots(by.layout().slots()).seen(0);
        }
        for (Holder holder : copy == null ? List.of(lead) : List.of(lead, copy)) {
            if (holder.index() == 0) {
                return first.slots(holder.layout().slots()).seen(holder.log().generation());
            }
        }
        SpareMember known = by.log().tables().members().get(0);
        return known.index() == 0 && known.seen() > 0
                ? first.slots(Math.max(known.slots(), first.slots())).seen(known.seen())
                : first;
    }

    /** Each of the two counts for itself. */
    long generationOnAll() {
        Holder other = copy;
        long ofLead = lead.log().generation();
        return other == null ? ofLead : Math.min(ofLead, other.log().generation());
    }

    /** As {@link CommitLog#markClean}, of both; the copy must not look older than the lead afterwards. */
    void markClean() throws DeviceException {
        follow(other -> {
            if (other.log().generation() < lead.log().generation()) {
                other.log().raise(lead.log().generation());
                other.log().checkpointAhead();
            }
            other.log().markClean();
        });
        lead.log().markClean();
    }

    /** Makes room in whichever log is filling, while nobody waits. */
    void checkpointAhead() throws DeviceException {
        if (lead.log().isFilling()) {
            try {
                lead.log().checkpointAhead();
            } catch (DeviceException e) {
                takeOver(e);
            }
        }
        follow(other -> {
            if (other.log().isFilling()) {
                other.log().checkpointAhead();
            }
        });
    }

    /** States the table anew in a new generation of each. */
    void rewrite() throws DeviceException {
        lead.log().checkpointAhead();
        follow(other -> other.log().checkpointAhead());
    }

    boolean isFilling() {
        Holder other = copy;
        return lead.log().isFilling() || (other != null && other.log().isFilling());
    }

    /**
     * Sees to a copy on one of the spares that are there: on the one that was stated, or else on the first that takes it. What
     * is stated and not there is left behind.
     *
     * @param present by number, the lead not among them
     */
    void spread(Map<Integer, BlockDevice> present) throws DeviceException {
        for (SpareMember member : List.copyOf(lead.log().tables().members())) {
            if (isUnseen(member)) {
                BlockDevice device = copy == null ? present.get(member.index()) : null;
                if (device == null) {
                    leaveBehind(member.index(), "it is not there");
                } else {
                    attach(member, device);
                }
            }
        }
        for (SpareMember member : List.copyOf(lead.log().tables().members())) {
            BlockDevice device = present.get(member.index());
            if (copy == null && device != null && member.index() != lead.index() && !member.leaving()) {
                attach(member, device);
            }
        }
        settle();
    }

    /** The lead states the copy before it begins: one that was begun and is not stated would never be left behind. */
    private void attach(SpareMember member, BlockDevice device) throws DeviceException {
        Tables content = lead.log().tables();
        Holder added;
        try {
            Holder.declare(lead.device(), content.features());
            added = Holder.prepare(
                    device, lead.superblock().pair().pairUuid(), member.index(), content, lead.log(), environment);
        } catch (Damage | Refusal e) {
            cannotAttach(member, e.getMessage());
            return;
        } catch (DeviceException e) {
            if (lead.log().flushFailed() || e.device().equals(lead.device().name())) {
                throw e;
            }
            cannotAttach(member, e.getMessage());
            return;
        }
        stateCopy(member);
        copy = added;
        // It has what its content needs, which may be without a seal just now.
        sealsDeclared = false;
        follow(other -> {
            Tables asCopy = content.stating(stated(lead.log().tables().members(), other));
            other.log().begin(asCopy, lead.log().generation());
        });
        if (copy == null) {
            return;
        }
        alone = "";
        if (added.index() == 0) {
            restateFirst();
        }
        LOG.info("{}: a copy of the table is on spare {}", device.name(), added.index());
        if (!member.table()) {
            moves.note(new TableMove(TableMove.Kind.COPIED, added.index(), ""));
        }
    }

    private void cannotAttach(SpareMember member, String why) throws DeviceException {
        if (member.table()) {
            leaveBehind(member.index(), why);
        } else {
            LOG.warn("{}: no copy of the table on spare {}: {}", lead.device().name(), member.index(), why);
        }
    }

    private void stateCopy(SpareMember member) throws DeviceException {
        if (!member.table()) {
            restate(lead.log().tables().members().stream()
                    .map(one -> one.index() == member.index() ? one.table(true) : one)
                    .toList());
        }
    }

    /** How new the first spare is now, so that no older copy of it is taken for it. */
    private void restateFirst() throws DeviceException {
        restate(stated(lead.log().tables().members(), lead));
    }

    private void restate(List<SpareMember> members) throws DeviceException {
        try {
            lead.log().changeMembers(members);
        } catch (CommitLog.NotCommitted e) {
            throw certain(e);
        }
    }
}
