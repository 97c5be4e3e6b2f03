package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataCopies;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools.Level;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the copies of an open store again, on both spares that have the table, and writes what is damaged anew from the table
 * in memory.
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
    /** Of the current request; its tasks follow one another. Empty of a store that is read-only. */
    private List<Reading> readings = List.of();

    /** Which of them is under way. */
    private int reading;

    /** Of what was found, all but the figures of the copies. */
    private volatile State state;

    /** How many copies and superblocks of a spare were whole when they were last read or written. */
    private record Whole(int copies, int superblocks) {}

    private final Map<Holder, Whole> whole = new ConcurrentHashMap<>();

    /** A spare that is being read. */
    private static final class Reading {
        private final Holder holder;
        private final Verification verification;
        private DeviceException failure;

        Reading(Holder holder) {
            this.holder = holder;
            this.verification = new Verification(
                    holder.device(), holder.superblock(), holder.log().view());
        }
    }

    /** What was found on one spare, and whether it was mended. */
    private record Found(MetadataReport report, boolean repaired, Refusal refusal) {}

    CopyKeeper(LogMetadataStore store, Environment environment, State atOpening) {
        this.store = store;
        this.environment = environment;
        this.state = atOpening;
        whole.put(store.lead(), new Whole(atOpening.copiesValid(), atOpening.superblocksValid()));
    }

    private BlockDevice device() {
        return store.lead().device();
    }

    /** The copies on both spares that have the table. */
    @Override
    public State state() {
        State now = state;
        int spares = 0;
        int copies = 0;
        int superblocks = 0;
        for (Holder holder : store.holders()) {
            // One that was just begun was read back.
            Whole its = whole.getOrDefault(holder, new Whole(COPIES, holder.superblocksWhole()));
            spares++;
            copies += its.copies;
            superblocks += its.superblocks;
        }
        return new State(
                spares * COPIES,
                copies,
                spares * Identities.COUNT,
                superblocks,
                now.verifiedMillis(),
                now.savedMillis(),
                now.verifications(),
                now.repairs());
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
        Refusal refused = store.inTurn(this::begin);
        if (refused != null) {
            environment.scheduler().execute(() -> end(null, refused));
        }
    }

    /** In a turn of the store. */
    private void begin() {
        readings = store.standing().isReadOnly()
                ? List.of()
                : store.holders().stream().map(Reading::new).toList();
        reading = 0;
        environment.scheduler().execute(this::step);
    }

    private void step() {
        if (!store.beginReading()) {
            end(null, store.standing().stopping());
            return;
        }
        MetadataReport report = null;
        try {
            if (readings.isEmpty()) {
                // Nobody writes to it, so it can be looked at as if it were not open.
                report = Examination.of(device(), Level.STANDARD);
            } else {
                stepOn(readings.get(reading));
            }
        } catch (DeviceException e) {
            end(null, new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e));
            return;
        } catch (Refusal e) {
            end(null, e);
            return;
        } catch (RuntimeException e) {
            // Whoever waits, and the next verification, must not wait for ever for that.
            LOG.error("{}: a verification fails by an error in the program", device().name(), e);
            end(null, new Refusal(Refusal.Kind.DEVICE_FAILED, device().name() + ": an error in the program: " + e, e));
            return;
        } finally {
            store.endReading();
        }
        if (report != null) {
            end(report, null);
        } else if (reading < readings.size()) {
            environment.scheduler().execute(this::step);
        } else {
            Refusal refused = store.inTurn(this::conclude);
            if (refused != null) {
                end(null, refused);
            }
        }
    }

    /** That one of two fails as a whole, or was taken out meanwhile, keeps nobody from reading the other one. */
    private void stepOn(Reading one) {
        boolean more = false;
        try {
            more = store.holders().contains(one.holder) && one.verification.step();
        } catch (DeviceException e) {
            one.failure = e;
        } catch (IllegalStateException e) {
            if (store.holders().contains(one.holder)) {
                throw e;
            }
            // Closed in this very moment.
        }
        reading += more ? 0 : 1;
    }

    /** In a turn of the store: what is in force does not change now. */
    private void conclude() {
        List<MetadataReport> reports = new ArrayList<>();
        Refusal refusal = null;
        boolean repaired = false;
        for (Reading one : readings) {
            Found found = conclude(one);
            if (found.report != null) {
                reports.add(one == readings.get(0) ? found.report : ofOther(one.holder.index(), found.report));
            }
            repaired |= found.repaired;
            refusal = refusal == null ? found.refusal : refusal;
        }
        State before = state;
        state = new State(
                before.copies(),
                before.copiesValid(),
                before.superblocks(),
                before.superblocksValid(),
                environment.time().wallMillis(),
                before.savedMillis(),
                before.verifications() + 1,
                before.repairs() + (repaired ? 1 : 0));
        end(reports.size() == readings.size() ? together(reports) : null, refusal);
    }

    private Found conclude(Reading one) {
        Holder holder = one.holder;
        String name = holder.device().name();
        if (one.failure != null) {
            return new Found(
                    null, false, new Refusal(Refusal.Kind.DEVICE_FAILED, one.failure.getMessage(), one.failure));
        }
        if (!store.holders().contains(holder)) {
            return new Found(
                    null, false, new Refusal(Refusal.Kind.BUSY, name + " has the table no more: verify again"));
        }
        CommitLog log = holder.log();
        Verification verification = one.verification;
        MetadataReport report =
                verification.report(log.view().header(), log.tables().entries());
        boolean superseded = report.generation() != verification.generation();
        int copies = superseded ? COPIES : verification.copiesValid();
        int superblocks = verification.superblocksWhole();
        Refusal refusal = null;
        boolean repaired = false;
        if (report.verdict() != Verdict.SOUND) {
            report.findings().forEach(finding -> LOG.warn("{}: {}", name, finding.what()));
            refusal = current.repair ? refusalToRepair(name, report) : null;
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
                        superblocks = repairSuperblocks(verification, log);
                    }
                    repaired = true;
                    LOG.warn("{}: what was damaged was written anew", name);
                } catch (DeviceException e) {
                    store.fail(holder, e);
                    refusal = new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e);
                }
            }
        }
        whole.keySet().retainAll(store.holders());
        whole.put(holder, new Whole(copies, superblocks));
        return new Found(report, repaired, refusal);
    }

    /** A feature may have been declared since they were read: an older epoch must not take the place of a newer one. */
    private static int repairSuperblocks(Verification verification, CommitLog log) throws DeviceException {
        verification.readSuperblocks();
        return verification.superblocksCanBeRepaired()
                ? log.repairSuperblocks(verification.identities())
                : verification.superblocksWhole();
    }

    /** What was found on the spare that does not lead, so that it is not taken for the leading one. */
    private static MetadataReport ofOther(int index, MetadataReport report) {
        String which = "spare " + index + ": ";
        return new MetadataReport(
                report.verdict(),
                report.pair(),
                report.format(),
                report.generation(),
                report.mappings(),
                report.cleanStop(),
                report.parts().stream()
                        .map(part -> new Part(
                                which + part.name(),
                                part.offsetBytes(),
                                part.generation(),
                                part.state(),
                                part.inForce(),
                                part.detail()))
                        .toList(),
                report.findings().stream()
                        .map(finding -> new Finding(finding.severity(), which + finding.what(), finding.hint()))
                        .toList());
    }

    /** Of both spares: the worst verdict, and all parts. */
    private static MetadataReport together(List<MetadataReport> reports) {
        MetadataReport lead = reports.get(0);
        return new MetadataReport(
                reports.stream()
                        .map(MetadataReport::verdict)
                        .max(Comparator.naturalOrder())
                        .orElseThrow(),
                lead.pair(),
                lead.format(),
                lead.generation(),
                lead.mappings(),
                lead.cleanStop(),
                reports.stream().flatMap(report -> report.parts().stream()).toList(),
                reports.stream()
                        .flatMap(report -> report.findings().stream())
                        .sorted(Comparator.comparing(Finding::severity))
                        .toList());
    }

    private Refusal refusalToRepair(String name, MetadataReport report) {
        return report.verdict() == Verdict.READ_ONLY
                ? new Refusal(Refusal.Kind.DAMAGED, name + ": what stands there is not ours; nothing is written")
                : store.standing().refusalToWrite();
    }

    private void end(MetadataReport report, Refusal refusal) {
        Request ended;
        boolean more;
        synchronized (waiting) {
            ended = current;
            readings = List.of();
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
        Refusal refused = store.inTurn(() -> listener.ended(null, rewriteNow()));
        if (refused != null) {
            environment.scheduler().execute(() -> listener.ended(null, refused));
        }
    }

    private Refusal rewriteNow() {
        Refusal refusal = store.standing().refusalToWrite();
        if (refusal != null) {
            return refusal;
        }
        try {
            store.rewrite();
        } catch (DeviceException e) {
            store.fail(e);
            return new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e);
        }
        for (Holder holder : store.holders()) {
            whole.computeIfPresent(holder, (each, its) -> new Whole(COPIES, its.superblocks));
        }
        State now = state;
        long wall = environment.time().wallMillis();
        state = new State(
                now.copies(),
                now.copiesValid(),
                now.superblocks(),
                now.superblocksValid(),
                wall,
                wall,
                now.verifications(),
                now.repairs());
        return null;
    }
}
