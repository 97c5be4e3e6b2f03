package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataCopies;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools.Level;
import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the copies of an open store again, and writes what is damaged anew from the table in memory.
 *
 * <p>Reading goes on beside the commits, a few blocks at a time; only the glance at what is in force, and writing, take a
 * turn of the store. One verification is under way at a time.
 */
final class CopyKeeper implements MetadataCopies {
    static final int COPIES = 2;
    /** Most verifications that wait for the one under way. */
    static final int MAX_WAITING = 16;

    private static final Logger LOG = LoggerFactory.getLogger(CopyKeeper.class);

    private record Request(boolean repair, Listener listener) {}

    private final LogMetadataStore store;
    private final Environment environment;

    private final Deque<Request> waiting = new ArrayDeque<>();
    private Request current;
    /** Of the current request; its tasks follow one another. */
    private Verification verification;
    /** What the verification reads. */
    private Holder verified;

    private volatile State state;

    CopyKeeper(LogMetadataStore store, Environment environment, State atOpening) {
        this.store = store;
        this.environment = environment;
        this.state = atOpening;
    }

    private BlockDevice device() {
        return store.lead().device();
    }

    @Override
    public State state() {
        return state;
    }

    /** A change of the table became durable. */
    void saved() {
        State now = state;
        state = new State(
                now.copies(),
                now.copiesValid(),
                now.superblocks(),
                now.superblocksValid(),
                now.verifiedMillis(),
                environment.time().wallMillis(),
                now.verifications(),
                now.repairs());
    }

    @Override
    public void verify(boolean repair, Listener listener) {
        Request request = new Request(repair, listener);
        boolean taken;
        boolean first;
        synchronized (waiting) {
            taken = waiting.size() < MAX_WAITING;
            first = taken && current == null;
            if (first) {
                current = request;
            } else if (taken) {
                waiting.add(request);
            }
        }
        if (!taken) {
            Refusal refusal = new Refusal(
                    Refusal.Kind.BUSY, device().name() + ": " + MAX_WAITING + " verifications wait already; try later");
            environment.scheduler().execute(() -> listener.ended(null, refusal));
        } else if (first) {
            start();
        }
    }

    private void start() {
        if (!store.inTurn(this::begin)) {
            environment.scheduler().execute(() -> end(null, stopping()));
        }
    }

    private Refusal stopping() {
        return new Refusal(Refusal.Kind.BUSY, device().name() + ": the spare is being given up");
    }

    /** In a turn of the store. */
    private void begin() {
        if (!store.isReadOnly()) {
            verified = store.lead();
            verification = new Verification(
                    verified.device(), verified.superblock(), verified.log().view());
        }
        environment.scheduler().execute(this::step);
    }

    private void step() {
        if (!store.beginReading()) {
            end(null, stopping());
            return;
        }
        boolean more;
        MetadataReport report = null;
        try {
            more = verification != null && verification.step();
            if (verification == null) {
                // Nobody writes to it, so it can be looked at as if it were not open.
                report = Examination.of(device(), Level.STANDARD);
            }
        } catch (DeviceException e) {
            end(null, new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e));
            return;
        } catch (Refusal e) {
            end(null, e);
            return;
        } finally {
            store.endReading();
        }
        if (report != null) {
            end(report, null);
        } else if (more) {
            environment.scheduler().execute(this::step);
        } else if (!store.inTurn(this::conclude)) {
            end(null, stopping());
        }
    }

    /** In a turn of the store: what is in force does not change now. */
    private void conclude() {
        CommitLog log = verified.log();
        if (verified != store.lead()) {
            end(
                    null,
                    new Refusal(
                            Refusal.Kind.BUSY,
                            verified.device().name() + " has failed, and its table was left behind: verify again"));
            return;
        }
        MetadataReport report =
                verification.report(log.view().header(), log.tables().entries());
        boolean superseded = report.generation() != verification.generation();
        int copies = superseded ? COPIES : verification.copiesValid();
        int superblocks = verification.superblocksWhole();
        Refusal refusal = null;
        boolean repaired = false;
        if (report.verdict() != Verdict.SOUND) {
            report.findings().forEach(finding -> LOG.warn("{}: {}", device().name(), finding.what()));
            refusal = current.repair ? refusalToRepair(report) : null;
            if (current.repair && refusal == null) {
                try {
                    if (!superseded && verification.needsGeneration()) {
                        log.checkpointAhead();
                        if (verification.hasBadHeader()) {
                            // It is in the other arena now.
                            log.checkpointAhead();
                        }
                        copies = COPIES;
                        saved();
                    }
                    if (verification.superblocksCanBeRepaired()) {
                        superblocks = log.repairSuperblocks(verification.identities());
                    }
                    repaired = true;
                    LOG.warn("{}: what was damaged was written anew", device().name());
                } catch (DeviceException e) {
                    store.fail(e);
                    refusal = new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e);
                }
            }
        }
        State before = state;
        state = new State(
                COPIES,
                copies,
                Identities.COUNT,
                superblocks,
                environment.time().wallMillis(),
                before.savedMillis(),
                before.verifications() + 1,
                before.repairs() + (repaired ? 1 : 0));
        end(report, refusal);
    }

    private Refusal refusalToRepair(MetadataReport report) {
        return report.verdict() == Verdict.READ_ONLY
                ? new Refusal(
                        Refusal.Kind.DAMAGED, device().name() + ": what stands there is not ours; nothing is written")
                : store.refusalToWrite();
    }

    private void end(MetadataReport report, Refusal refusal) {
        Request ended;
        boolean more;
        synchronized (waiting) {
            ended = current;
            verification = null;
            current = waiting.poll();
            more = current != null;
        }
        ended.listener.ended(report, refusal);
        if (more) {
            start();
        }
    }

    @Override
    public void rewrite(Listener listener) {
        if (!store.inTurn(() -> listener.ended(null, rewriteNow()))) {
            environment.scheduler().execute(() -> listener.ended(null, stopping()));
        }
    }

    private Refusal rewriteNow() {
        Refusal refusal = store.refusalToWrite();
        if (refusal != null) {
            return refusal;
        }
        try {
            store.lead().log().checkpointAhead();
        } catch (DeviceException e) {
            store.fail(e);
            return new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e);
        }
        State now = state;
        long wall = environment.time().wallMillis();
        state = new State(
                COPIES,
                COPIES,
                now.superblocks(),
                now.superblocksValid(),
                wall,
                wall,
                now.verifications(),
                now.repairs());
        return null;
    }
}
