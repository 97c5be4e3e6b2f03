package io.remap.metadata;

import io.remap.api.Attribute;
import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.Scheduler;
import io.remap.api.Seal;
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
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open spare: queues commits, and lets one task of the scheduler at a time work them off.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>Commits are answered in the order of the calls, each once, by the task or by {@link #close()}; never by the thread
 *       that is in {@link #commit}.
 *   <li>While commits wait, a task is {@code scheduled} or somebody is {@code executing}; one at a time executes, and only
 *       it touches the log.
 *   <li>Once {@code failure} is set nothing is written any more.
 * </ul>
 */
final class LogMetadataStore implements MetadataStore {
    private static final Logger LOG = LoggerFactory.getLogger(LogMetadataStore.class);

    /** How the store stands, for its whole life. */
    private enum Mode {
        READ_ONLY,
        WRITABLE,
        CLOSED
    }

    private final PairIdentity pair;
    private final Holders holders;
    private final Scheduler scheduler;
    private final Facts facts;
    private final SavedArea savedArea;
    private final CommitQueue queue = new CommitQueue();
    private final AtomicLong commits = new AtomicLong();
    private final AtomicLong notCommitted = new AtomicLong();
    private final CopyKeeper copies;
    private final Object lock = new Object();
    /** What else needs a turn, after the commits that wait. Guarded by the lock, as all below. */
    private final Deque<Runnable> jobs = new ArrayDeque<>();

    /** The spare that it was opened from, or, once that one was taken out, the one that leads then. */
    private volatile Holder opened;

    private volatile Mode mode;
    private volatile DeviceException failure;
    private volatile boolean unclean;
    private volatile boolean cleanStopRecorded;
    private volatile boolean takenOver;
    private volatile Runnable whenTakenOver = () -> {};
    private boolean scheduled;
    private boolean executing;
    private boolean reading;
    /** The save under way, guarded by {@link #lock}. */
    private SaveListener saving;
    /** What it saves, and where it is just now; {@code null} if it has not begun, touched in a turn only. */
    private ByteBuffer savedBytes;

    private Holder savingTo;

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
        this.mode = readOnly ? Mode.READ_ONLY : Mode.WRITABLE;
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
    }

    /** Whose table decides now. */
    Holder lead() {
        return holders.lead();
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
        if (!inTurn(() -> listener.accept(spreadNow(there)))) {
            scheduler.execute(() -> listener.accept(refusalToWrite()));
        }
    }

    private Refusal spreadNow(Map<Integer, BlockDevice> present) {
        Refusal refused = refusalToWrite();
        if (refused != null) {
            return refused;
        }
        try {
            holders.spread(present);
            copies.saved();
            return null;
        } catch (DeviceException e) {
            fail(e);
            return refusalToWrite();
        } catch (RuntimeException e) {
            failForGood(inProgram(e));
            return refusalToWrite();
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
        checkMembers(wanted);
        if (!inTurn(() -> listener.accept(changeMembersNow(wanted)))) {
            scheduler.execute(() -> listener.accept(refusalToWrite()));
        }
    }

    /** A list that no header can name is a mistake of the caller. */
    private static void checkMembers(List<SpareMember> members) {
        int last = -1;
        for (SpareMember member : members) {
            if (member.index() <= last) {
                throw new IllegalArgumentException("spares out of order: " + members);
            }
            last = member.index();
        }
        if (members.isEmpty()) {
            throw new IllegalArgumentException("a pair without spares");
        }
    }

    /** In a turn; gives why not, {@code null} if it is durable. */
    private Refusal changeMembersNow(List<SpareMember> members) {
        Refusal refused = refusalToWrite();
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
            failForGood(inProgram(e));
            return refusalToWrite();
        }
    }

    @Override
    public void commit(List<MapChange> changes, CommitListener listener) {
        changes.forEach(this::check);
        if (changes.isEmpty()) {
            throw new IllegalArgumentException("a commit without changes");
        }
        Outcome refused;
        synchronized (lock) {
            refused = changes.stream().anyMatch(change -> namesNoMember(change, holders.tables()))
                    ? Outcome.NOT_COMMITTED
                    : refusal();
            if (refused == null && !queue.offer(new Commit(changes, listener))) {
                refused = Outcome.NOT_COMMITTED;
            }
            if (refused == null) {
                scheduleIfIdle();
            }
        }
        if (refused != null) {
            Outcome outcome = refused;
            scheduler.execute(() -> listener.committed(outcome, null));
        }
    }

    private Outcome refusal() {
        return switch (mode) {
            case READ_ONLY, CLOSED -> Outcome.NOT_COMMITTED;
            case WRITABLE -> failure != null ? Outcome.STORE_FAILED : null;
        };
    }

    /** A change that names what does not exist is a mistake of the caller. */
    private void check(MapChange change) {
        long place = change.place();
        boolean set = change.kind() == MapChange.Kind.SET;
        long units = (pair.mainSizeBytes() + Place.UNIT_BYTES - 1) >> Place.UNIT_SHIFT;
        int sectors = Place.fullMask(pair.sectorBytes());
        boolean outside = set && change.firstUnit() + change.lengthUnits() > units;
        boolean noSuchSector = set && ((Place.onSlotMask(place) | Place.lostMask(place)) & ~sectors) != 0;
        long slots = holders.tables().slotsOf(Place.spare(place));
        if (outside || noSuchSector || (slots > 0 && endSlot(change) > slots)) {
            throw new IllegalArgumentException(
                    "no such change of this pair: " + change + " to " + Place.toString(place));
        }
    }

    /** One more than the last slot that it names, 0 if it names none. */
    private static long endSlot(MapChange change) {
        return switch (change.kind()) {
            case SET -> Place.hasSlot(change.place()) ? Place.slot(change.place()) + change.lengthUnits() : 0;
            case BAD_SLOT -> change.firstUnit() + change.lengthUnits();
            case SEAL -> Math.max(change.firstUnit() << Seal.REGION_SHIFT, Seal.slot(change.place())) + 1;
            case OPEN -> ((change.firstUnit() + change.lengthUnits() - 1) << Seal.REGION_SHIFT) + 1;
        };
    }

    /** Whether it names a spare that the pair does not have, or not any more: a race that its caller cannot avoid. */
    private static boolean namesNoMember(MapChange change, Tables tables) {
        boolean namesSlot = change.kind() != MapChange.Kind.SET || Place.hasSlot(change.place());
        return namesSlot && tables.slotsOf(Place.spare(change.place())) == 0;
    }

    private void scheduleIfIdle() {
        if (!scheduled && !executing && (!queue.isEmpty() || !jobs.isEmpty() || saving != null)) {
            scheduled = true;
            scheduler.execute(this::work);
        }
    }

    /** The task: one group, then again as long as there is work, so that others get their turn between. */
    private void work() {
        synchronized (lock) {
            scheduled = false;
            if (executing) {
                return;
            }
            executing = true;
        }
        try {
            workOnce();
            // A job may have come to a store that must not write, or this turn after the end.
            if (mode == Mode.WRITABLE && queue.isEmpty() && failure == null && holders.isFilling()) {
                checkpointAhead();
            }
            runJob();
            if (queue.isEmpty()) {
                saveOn();
            }
        } finally {
            stopExecuting();
        }
    }

    private boolean runJob() {
        Runnable job;
        synchronized (lock) {
            job = jobs.poll();
        }
        if (job == null) {
            return false;
        }
        try {
            job.run();
        } catch (RuntimeException e) {
            LOG.error("a job of the metadata failed", e);
        }
        return true;
    }

    /** Runs the job in a turn, when nobody else touches the log; {@code false} if the store is closed: it does not run. */
    boolean inTurn(Runnable job) {
        synchronized (lock) {
            if (mode == Mode.CLOSED) {
                return false;
            }
            jobs.add(job);
            scheduleIfIdle();
            return true;
        }
    }

    /** Keeps the spare from being given up until {@link #endReading}; {@code false} if it is given up already. */
    boolean beginReading() {
        synchronized (lock) {
            if (mode == Mode.CLOSED) {
                return false;
            }
            reading = true;
            return true;
        }
    }

    void endReading() {
        synchronized (lock) {
            reading = false;
            lock.notifyAll();
        }
    }

    boolean isReadOnly() {
        return mode == Mode.READ_ONLY;
    }

    /** Why nothing can be written, {@code null} if it can. */
    Refusal refusalToWrite() {
        DeviceException error = failure;
        if (error != null) {
            return new Refusal(
                    Refusal.Kind.DEVICE_FAILED, "the metadata has failed, and is not written: " + error.getMessage());
        }
        return switch (mode) {
            case READ_ONLY -> new Refusal(Refusal.Kind.USAGE, name() + " is open read-only: nothing is written");
            case CLOSED -> new Refusal(Refusal.Kind.BUSY, name() + ": the spare is being given up");
            case WRITABLE -> null;
        };
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
        Holder other = holders.copy();
        int ofLead = holders.lead().saved().capacityBytes();
        return other == null ? ofLead : Math.min(ofLead, other.saved().capacityBytes());
    }

    @Override
    public void save(Map<String, byte[]> sections, SaveListener listener) {
        ByteBuffer encoded = SavedArea.encode(sections, saveCapacityBytes());
        String refused;
        synchronized (lock) {
            if (encoded == null) {
                refused = "more than the " + saveCapacityBytes() + " bytes that there is room for";
            } else if (mode != Mode.WRITABLE || failure != null) {
                refused = "metadata is " + status().text();
            } else if (saving != null) {
                refused = "the save before is still under way";
            } else {
                refused = null;
                savedBytes = encoded;
                saving = listener;
                scheduleIfIdle();
            }
        }
        if (refused != null) {
            String why = refused;
            scheduler.execute(() -> listener.ended(why));
        }
    }

    /** Writes a piece of the save under way, if there is one. A place that cannot be written is no failure of the store. */
    private void saveOn() {
        SaveListener listener;
        synchronized (lock) {
            listener = saving;
        }
        if (listener == null) {
            return;
        }
        String why = failure != null ? failure.getMessage() : saveOnNow();
        if (why != null) {
            synchronized (lock) {
                saving = null;
            }
            listener.ended(why);
        }
    }

    /** Gives {@code null} while there is more to do, else how it ended: empty if all is saved. */
    private String saveOnNow() {
        if (savingTo == null) {
            savingTo = holders.lead();
            savingTo.saved().begin(savedBytes);
        }
        Holder to = savingTo;
        Holder other = holders.copy();
        if (to != holders.lead() && to != other) {
            // It may be closed by now. What it has stands where nobody looks.
            savingTo = null;
            return "the spare that it was being written to was left behind";
        }
        String why = null;
        try {
            if (to.saved().writeOn(to.log())) {
                why = "";
            }
        } catch (DeviceException e) {
            why = e.getMessage();
            if (to.log().flushFailed() || e.errorClass() == ErrorClass.RESERVED) {
                fail(to, e);
            }
        }
        other = holders.copy();
        if (why != null && why.isEmpty() && other != null && other != to && to == holders.lead()) {
            savingTo = other;
            other.saved().begin(savedBytes);
            return null;
        }
        if (why != null) {
            savingTo = null;
        }
        return why;
    }

    private void stopExecuting() {
        synchronized (lock) {
            executing = false;
            lock.notifyAll();
            scheduleIfIdle();
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
            Tables present = changed;
            boolean homeless = commit.changes().stream().anyMatch(change -> namesNoMember(change, present));
            if (failure == null && (full || homeless)) {
                tell(commit, Outcome.NOT_COMMITTED);
                continue;
            }
            changed = with;
            accepted.add(commit);
            changes.addAll(commit.changes());
        }
        if (!accepted.isEmpty()) {
            Outcome outcome = failure != null ? Outcome.STORE_FAILED : commitGroup(changes, changed);
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
            failForGood(inProgram(e));
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
            failForGood(e);
        }
    }

    /** A mistake of ours. What it has left half done is not known, so that nobody goes on from there. */
    private DeviceException inProgram(RuntimeException error) {
        LOG.error("{}: an error in the program", name(), error);
        return new DeviceException(
                name(), "write", 0, 0, Errno.NONE, ErrorClass.INTERNAL, "an error in the program: " + error, error);
    }

    private void failForGood(DeviceException error) {
        failure = error;
        LOG.error("{}: no mapping can be made any more: {}", name(), error.getMessage());
        if (error.errorClass() == ErrorClass.RESERVED) {
            takenOver = true;
            whenTakenOver.run();
        }
    }

    @Override
    public void whenTakenOver(Runnable stop) {
        whenTakenOver = stop;
        if (takenOver) {
            stop.run();
        }
    }

    private void tell(Commit commit, Outcome outcome) {
        (outcome == Outcome.DURABLE ? commits : notCommitted).incrementAndGet();
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
        DeviceException error = failure;
        if (mode == Mode.CLOSED) {
            return FeatureStatus.of("metadata", FeatureState.STOPPED, "");
        }
        if (error != null) {
            return FeatureStatus.of("metadata", FeatureState.FAILED, error.getMessage());
        }
        if (mode == Mode.READ_ONLY) {
            return FeatureStatus.of("metadata", FeatureState.STARTED, "read-only");
        }
        return FeatureStatus.of("metadata", FeatureState.STARTED, holders.alone());
    }

    @Override
    public List<Attribute> attributes() {
        return List.of(
                number(
                        "copies-valid",
                        "count",
                        "Whole copies of the table, two on each spare that has it, when they were last read",
                        () -> (long) copies.state().copiesValid()),
                number(
                        "verifications",
                        "count",
                        "How often all copies were read since the start",
                        () -> copies.state().verifications()),
                number(
                        "repairs",
                        "count",
                        "How often damaged ones were written anew then",
                        () -> copies.state().repairs()),
                number("generation", "count", "Generation of the newest durable table", this::generation),
                number("log-used", "blocks", "Blocks of the log in use", () -> (long) log().usedBlocks()),
                number("log-size", "blocks", "Blocks of the log", () ->
                        (long) lead().layout().logBlocks()),
                number("commits", "count", "Commits that became durable since the start", commits::get),
                number("commits-refused", "count", "Commits that did not, since the start", notCommitted::get),
                number("commits-waiting", "count", "Commits that wait for their turn", () -> (long) queue.size()),
                number("compactions", "count", "Tables written since the start", () -> log().checkpoints()),
                number("log-replayed", "blocks", "Blocks of the log that the start replayed", () ->
                        (long) facts.blocksReplayed()),
                number("copies-found", "count", "Whole copies of the table at the start; 2 again since then", () ->
                        (long) facts.copiesWhole()),
                number(
                        "superblocks",
                        "count",
                        "Whole superblocks of these spares, four on each, when they were last read",
                        () -> (long) copies.state().superblocksValid()),
                number(
                        "mappings",
                        "count",
                        "Entries of the table, bad slots included",
                        () -> holders.tables().entries()),
                number("mapping-limit", "count", "Most entries that the spare holds", holders::entryLimit),
                Attribute.readOnly(
                        "metadata.spares",
                        "text",
                        "Numbers of the spares with the table, the leading one first",
                        holders::where),
                Attribute.readOnly(
                        "metadata.clean-stop", "flag", "Whether the last stop was in order", facts::cleanStop));
    }

    private static Attribute number(String name, String unit, String doc, java.util.function.LongSupplier value) {
        return Attribute.readOnly("metadata." + name, unit, doc, value::getAsLong);
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
        boolean wasWritable;
        synchronized (lock) {
            wasWritable = mode == Mode.WRITABLE;
            mode = Mode.CLOSED;
            awaitTurn();
            executing = true;
        }
        try {
            while (!queue.isEmpty()) {
                workOnce();
            }
            boolean more = true;
            while (more) {
                more = runJob();
            }
            while (isSaving()) {
                saveOn();
            }
            if (wasWritable && failure == null && !unclean) {
                markClean();
            }
        } finally {
            stopExecuting();
        }
    }

    @Override
    public boolean cleanStopRecorded() {
        return cleanStopRecorded;
    }

    private boolean isSaving() {
        synchronized (lock) {
            return saving != null;
        }
    }

    /** Waits until nobody executes. An interrupt is kept for later: the file I/O of the caller must not see it. */
    private void awaitTurn() {
        boolean interrupted = false;
        while (executing || reading) {
            try {
                lock.wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
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
