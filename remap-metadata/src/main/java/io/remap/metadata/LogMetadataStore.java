package io.remap.metadata;

import io.remap.api.Attribute;
import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.FeatureStatus;
import io.remap.api.MapChange;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.Scheduler;
import io.remap.api.spi.Lineage;
import io.remap.api.spi.MetadataCopies;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SparePlan;
import io.remap.api.spi.SpareSlots;
import io.remap.api.spi.TableMove;
import io.remap.metadata.CommitQueue.Commit;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open table: on the spare that it was opened from, and perhaps with a copy on another one ({@link Holders}).
 * Queues commits, and works them off in {@link Turns}, which the jobs of others and a save ({@link Saving}) share, as long
 * as it may write ({@link Standing}).
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>Commits are answered in the order of the calls, each once, in a turn, the last of which is that of
 *       {@link #close()}; never by the thread that is in {@link #commit}.
 *   <li>Only who has a turn touches the logs.
 * </ul>
 *
 * <p>Thread-safe.
 */
final class LogMetadataStore implements MetadataStore {
    private static final Logger LOG = LoggerFactory.getLogger(LogMetadataStore.class);

    private final PairIdentity pair;
    private final Holders holders;
    private final Scheduler scheduler;
    private final Facts facts;
    private final SavedArea savedArea;
    private final CommitQueue queue = new CommitQueue();
    private final Turns turns;
    private final Standing standing;
    private final Saving saving;
    private final CopyKeeper copies;
    private final Figures figures;

    /** The spare that it was opened from, or, once that one was taken out, the one that leads then. */
    private volatile Holder opened;

    private volatile boolean unclean;
    private volatile boolean cleanStopRecorded;

    /**
     * What the opening found.
     *
     * @param cleanStop the store had been closed in order
     * @param blocksReplayed blocks of the log that were applied
     * @param copiesWhole copies of the table whose header was whole, 1 or 2
     * @param superblocksWhole how many of the four superblocks are whole
     */
    record Facts(boolean cleanStop, int blocksReplayed, int copiesWhole, int superblocksWhole) {}

    /** @param opened the spare that it was opened from: the first one, or one with a copy of the table */
    LogMetadataStore(Holder opened, boolean readOnly, Environment environment, Facts facts) {
        this.opened = opened;
        this.pair = opened.superblock().pair();
        this.holders = new Holders(opened, environment);
        this.scheduler = environment.scheduler();
        this.savedArea = opened.saved();
        this.facts = facts;
        this.turns = new Turns(scheduler, this::isMoreWaiting, this::work);
        this.standing = new Standing(turns, readOnly, this::name);
        this.saving = new Saving(holders, this::fail);
        long now = environment.time().wallMillis();
        MetadataCopies.State atOpening = new MetadataCopies.State(
                CopyKeeper.COPIES,
                readOnly ? facts.copiesWhole() : CopyKeeper.COPIES,
                Identities.COUNT,
                facts.superblocksWhole(),
                now,
                opened.log().view().header().writtenMillis(),
                0,
                0);
        this.copies = new CopyKeeper(this, environment, atOpening);
        this.figures = new Figures(holders, queue, copies, facts);
    }

    /** Whose table decides now. */
    Holder lead() {
        return holders.lead();
    }

    /** Whether it may be written. */
    Standing standing() {
        return standing;
    }

    /** The spares with the table: the one that leads, and the one with the copy. */
    List<Holder> holders() {
        return holders.all();
    }

    /** In a turn: states the table anew on both. */
    void rewrite() throws DeviceException {
        holders.rewrite();
    }

    private String name() {
        return opened.device().name();
    }

    private CommitLog log() {
        return holders.lead().log();
    }

    @Override
    public int openedFrom() {
        return opened.index();
    }

    @Override
    public Optional<String> leadName() {
        return Optional.of(lead().device().name());
    }

    @Override
    public long term() {
        return Holders.term(generation());
    }

    @Override
    public void whenLeftBehind(Runnable remember) {
        holders.whenLeftBehind(remember);
    }

    @Override
    public void whenTableMoves(Consumer<TableMove> told) {
        holders.moves().tell(told);
    }

    @Override
    public void spread(Map<Integer, BlockDevice> present, Consumer<Refusal> listener) {
        Map<Integer, BlockDevice> there = Map.copyOf(present);
        inTurn(() -> spreadNow(there), listener);
    }

    private Refusal spreadNow(Map<Integer, BlockDevice> present) {
        Refusal refused = standing.refusalToWrite();
        if (refused != null) {
            return refused;
        }
        try {
            holders.spread(present);
            copies.saved();
            return null;
        } catch (DeviceException e) {
            fail(e);
            return standing.refusalToWrite();
        } catch (RuntimeException e) {
            standing.failed(e);
            return standing.refusalToWrite();
        }
    }

    @Override
    public PairIdentity pair() {
        return pair;
    }

    @Override
    public SparePlan plan() {
        return opened.layout().sparePlan();
    }

    @Override
    public long generation() {
        return log().generation();
    }

    @Override
    public long generationOnAll() {
        return holders.generationOnAll();
    }

    @Override
    public Lineage lineage() {
        return log().lineage();
    }

    @Override
    public RemapTable table() {
        return holders.tables().map();
    }

    @Override
    public void badSlots(SlotRunVisitor visitor) {
        holders.tables().visitBad(visitor);
    }

    @Override
    public void seals(SealVisitor visitor) {
        holders.tables().visitSeals(visitor);
    }

    @Override
    public SpareSlots slots() {
        return opened.layout().spareSlots();
    }

    @Override
    public List<SpareMember> members() {
        return holders.tables().members();
    }

    @Override
    public void changeMembers(List<SpareMember> members, Consumer<Refusal> listener) {
        List<SpareMember> wanted = List.copyOf(members);
        Tables.checkMembers(wanted);
        inTurn(() -> changeMembersNow(wanted), listener);
    }

    /** In a turn; gives why not, {@code null} if it is durable. */
    private Refusal changeMembersNow(List<SpareMember> members) {
        Refusal refused = standing.refusalToWrite();
        if (refused != null) {
            return refused;
        }
        if (!holders.canGoOnWith(members)) {
            return new Refusal(
                    Refusal.Kind.USAGE,
                    "spare " + lead().index()
                            + " holds the table of the mappings, and no other spare that stays has a copy"
                            + " of it; add one with 'remap spare add' first");
        }
        for (SpareMember former : members()) {
            boolean stays = members.stream().anyMatch(member -> member.index() == former.index());
            if (!stays && holders.tables().uses(former.index())) {
                return new Refusal(
                        Refusal.Kind.USAGE,
                        "spare " + former.index() + " is in use: sectors stand on it; evacuate it first");
            }
        }
        try {
            holders.changeMembers(members);
            if (members.stream().noneMatch(member -> member.index() == opened.index())) {
                opened = holders.lead();
            }
            copies.saved();
            return null;
        } catch (CommitLog.NotCommitted e) {
            return new Refusal(Refusal.Kind.DEVICE_FAILED, "the spares could not be stated anew: " + e.getMessage(), e);
        } catch (DeviceException e) {
            fail(e);
            return new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e);
        } catch (RuntimeException e) {
            standing.failed(e);
            return standing.refusalToWrite();
        }
    }

    @Override
    public void commit(List<MapChange> changes, CommitListener listener) {
        Tables present = holders.tables();
        changes.forEach(change -> present.check(change, pair));
        if (changes.isEmpty()) {
            throw new IllegalArgumentException("a commit without changes");
        }
        Outcome refused =
                changes.stream().anyMatch(present::hasNoPlaceFor) ? Outcome.NOT_COMMITTED : standing.refusal();
        if (refused == null && !turns.offer(() -> queue.offer(new Commit(changes, listener)))) {
            refused = Outcome.NOT_COMMITTED;
        }
        if (refused != null) {
            Outcome outcome = refused;
            scheduler.execute(() -> listener.committed(outcome, null));
        }
    }

    private boolean isMoreWaiting() {
        return !queue.isEmpty() || saving.isUnderWay();
    }

    /** A turn: one group of commits, one job, and a piece of a save if no commit waits. */
    private void work() {
        workOnce();
        // A job may have come to a store that must not write, or this turn after the end.
        if (standing.mayWrite() && queue.isEmpty() && holders.isFilling()) {
            checkpointAhead();
        }
        turns.runJob();
        if (queue.isEmpty()) {
            saving.writeOn(standing.failure());
        }
    }

    /** Runs the job in a turn, when nobody else touches the log; otherwise gives why it never runs. */
    Refusal inTurn(Runnable job) {
        if (turns.add(job)) {
            return null;
        }
        return turns.isClosed()
                ? standing.stopping()
                : new Refusal(
                        Refusal.Kind.BUSY,
                        name() + ": " + Turns.MAX_JOBS + " changes of the metadata wait already; try later");
    }

    /** As the other, for a change that tells how it ended. */
    private void inTurn(Supplier<Refusal> change, Consumer<Refusal> listener) {
        Refusal full = inTurn(() -> listener.accept(change.get()));
        if (full != null) {
            Refusal why = standing.refusalToWrite();
            scheduler.execute(() -> listener.accept(why != null ? why : full));
        }
    }

    /** Keeps the spare from being given up until {@link #endReading}; {@code false} if it is given up already. */
    boolean beginReading() {
        return turns.beginReading();
    }

    void endReading() {
        turns.endReading();
    }

    @Override
    public boolean stoppedInOrder() {
        return facts.cleanStop();
    }

    @Override
    public Map<String, byte[]> saved() {
        SavedArea.Found found = savedArea.found();
        return found == null ? Map.of() : found.sections();
    }

    @Override
    public int saveCapacityBytes() {
        return saving.capacityBytes();
    }

    @Override
    public void save(Map<String, byte[]> sections, SaveListener listener) {
        ByteBuffer encoded = SavedArea.encode(sections, saveCapacityBytes());
        String refused = null;
        if (encoded == null) {
            refused = "more than the " + saveCapacityBytes() + " bytes that there is room for";
        } else if (!standing.mayWrite() || !turns.offer(() -> saving.offer(encoded, listener))) {
            refused = standing.mayWrite() ? "the save before is still under way" : "metadata is " + status().text();
        }
        if (refused != null) {
            String why = refused;
            scheduler.execute(() -> listener.ended(why));
        }
    }

    /** Nobody waits just now: make room before the log is full. */
    private void checkpointAhead() {
        try {
            holders.checkpointAhead();
        } catch (DeviceException e) {
            fail(e);
        }
    }

    private void workOnce() {
        List<Commit> group = queue.takeGroup();
        if (group.isEmpty()) {
            return;
        }
        List<Commit> accepted = new ArrayList<>(group.size());
        List<MapChange> changes = new ArrayList<>();
        Tables changed = holders.tables();
        for (Commit commit : group) {
            Tables with = changed;
            for (MapChange change : commit.changes()) {
                with = with.with(change);
            }
            boolean seals = commit.changes().stream().anyMatch(change -> change.kind() == MapChange.Kind.SEAL);
            long limit = seals ? holders.sealLimit() : holders.entryLimit();
            boolean full = with.entries() > limit && with.entries() > changed.entries();
            // The members may have changed while it waited.
            boolean homeless = commit.changes().stream().anyMatch(changed::hasNoPlaceFor);
            if (standing.failure() == null && (full || homeless)) {
                tell(commit, Outcome.NOT_COMMITTED);
                continue;
            }
            changed = with;
            accepted.add(commit);
            changes.addAll(commit.changes());
        }
        if (!accepted.isEmpty()) {
            Outcome outcome = standing.failure() != null ? Outcome.STORE_FAILED : commitGroup(changes, changed);
            accepted.forEach(commit -> tell(commit, outcome));
        }
    }

    private Outcome commitGroup(List<MapChange> changes, Tables changed) {
        try {
            holders.commit(changes, changed);
            return Outcome.DURABLE;
        } catch (CommitLog.NotCommitted e) {
            LOG.warn("{}: a change of the map was taken back: {}", name(), e.getMessage());
            return Outcome.NOT_COMMITTED;
        } catch (DeviceException e) {
            fail(e);
            return Outcome.STORE_FAILED;
        } catch (RuntimeException e) {
            standing.failed(e);
            return Outcome.STORE_FAILED;
        }
    }

    /** In a turn: the lead has failed; the copy, if there is one, takes its place. */
    void fail(DeviceException error) {
        fail(holders.lead(), error);
    }

    /** In a turn: one of the two has failed; the other one goes on. */
    void fail(Holder failed, DeviceException error) {
        try {
            if (failed == holders.lead()) {
                holders.takeOver(error);
            } else if (failed == holders.copy()) {
                holders.leaveCopyBehind(error);
            }
        } catch (DeviceException e) {
            standing.failed(e);
        }
    }

    @Override
    public void whenTakenOver(Runnable stop) {
        standing.whenTakenOver(stop);
    }

    private void tell(Commit commit, Outcome outcome) {
        figures.ended(outcome);
        if (outcome == Outcome.DURABLE) {
            copies.saved();
        }
        try {
            commit.listener()
                    .committed(
                            outcome,
                            outcome == Outcome.DURABLE ? holders.tables().map() : null);
        } catch (RuntimeException e) {
            LOG.error("a listener of a commit failed", e);
        }
    }

    @Override
    public FeatureStatus status() {
        return standing.status(holders.alone());
    }

    @Override
    public List<Attribute> attributes() {
        return figures.attributes();
    }

    @Override
    public Optional<MetadataCopies> copies() {
        return Optional.of(copies);
    }

    @Override
    public void stopIsUnclean() {
        unclean = true;
    }

    @Override
    public void close() {
        boolean first = turns.beginLast();
        try {
            while (!queue.isEmpty()) {
                workOnce();
            }
            boolean more = true;
            while (more) {
                more = turns.runJob();
            }
            while (saving.isUnderWay()) {
                saving.writeOn(standing.failure());
            }
            if (first && standing.failure() == null && !standing.isReadOnly() && !unclean) {
                markClean();
            }
        } finally {
            turns.end();
        }
    }

    @Override
    public boolean cleanStopRecorded() {
        return cleanStopRecorded;
    }

    private void markClean() {
        try {
            holders.markClean();
            cleanStopRecorded = true;
        } catch (DeviceException e) {
            LOG.warn("{}: the clean stop could not be recorded: {}", name(), e.getMessage());
        }
    }
}
