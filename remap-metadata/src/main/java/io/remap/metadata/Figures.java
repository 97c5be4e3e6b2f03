package io.remap.metadata;

import io.remap.api.Attribute;
import io.remap.api.spi.MetadataStore.Outcome;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * What a store shows of itself: counts of its commits since the start, what the opening found, and how it stands.
 *
 * <p>Thread-safe. Each figure is one of the moment in which it is asked for; two of them need not fit together.
 */
final class Figures {
    private final Holders holders;
    private final CommitQueue queue;
    private final CopyKeeper copies;
    private final LogMetadataStore.Facts facts;
    private final AtomicLong commits = new AtomicLong();
    private final AtomicLong notCommitted = new AtomicLong();

    Figures(Holders holders, CommitQueue queue, CopyKeeper copies, LogMetadataStore.Facts facts) {
        this.holders = holders;
        this.queue = queue;
        this.copies = copies;
        this.facts = facts;
    }

    /** A commit that waited has ended. */
    void ended(Outcome outcome) {
        (outcome == Outcome.DURABLE ? commits : notCommitted).incrementAndGet();
    }

    private CommitLog log() {
        return holders.lead().log();
    }

    List<Attribute> attributes() {
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
                number("generation", "count", "Generation of the newest durable table", () -> log().generation()),
                number("log-used", "blocks", "Blocks of the log in use", () -> (long) log().usedBlocks()),
                number("log-size", "blocks", "Blocks of the log", () ->
                        (long) holders.lead().layout().logBlocks()),
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

    private static Attribute number(String name, String unit, String doc, LongSupplier value) {
        return Attribute.readOnly("metadata." + name, unit, doc, value::getAsLong);
    }
}
