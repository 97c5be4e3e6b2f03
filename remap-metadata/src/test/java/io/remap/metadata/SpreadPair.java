package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.TableCopy;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

/**
 * A first spare and a further one, opened as core opens them: which table counts, what is refused, and what main remembers. One
 * test at a time.
 */
final class SpreadPair {
    static final UUID ID = new UUID(7, 8);
    static final int INDEX = 3;
    private static final int LOG_BLOCKS = 4;

    final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    /** The generation that main remembers. */
    long witness;
    /** Units whose commit was acknowledged. */
    final Set<Long> acknowledged = new HashSet<>();
    /** The unit whose commit is under way, -1 for none. */
    long underWay = -1;

    CrashDevice first;
    CrashDevice further;
    Opened opened;
    private int openings = 10;

    /** Both formatted and stated, nothing spread yet, and closed. */
    static SpreadPair formatted() throws Exception {
        SpreadPair pair = new SpreadPair();
        pair.first = Bench.formatted(LOG_BLOCKS);
        pair.further = new CrashDevice("further", Bench.SPARE_BYTES, 512);
        pair.provider.formatMember(pair.further, Bench.PAIR, INDEX, ID, Bench.environment(new Bench.Tasks(), 5));
        pair.opened = Bench.open(pair.provider, pair.first, false, 3);
        pair.witness = pair.opened.store().generation();
        long slots = pair.provider.member(pair.further).orElseThrow().slots().count();
        pair.change(List.of(
                pair.opened.store().members().get(0), new SpareMember(INDEX, ID, SpareMember.Use.PLAIN, slots, -1)));
        return pair;
    }

    /** What is left after a power cut: of both, or of one alone. */
    SpreadPair left(CrashDevice firstLeft, CrashDevice furtherLeft) {
        SpreadPair left = new SpreadPair();
        left.first = firstLeft;
        left.further = furtherLeft;
        left.witness = witness;
        left.acknowledged.addAll(acknowledged);
        left.underWay = underWay;
        return left;
    }

    /** Opens what is there for writing. */
    void open() throws Refusal, DeviceException {
        Map<Integer, BlockDevice> there = new TreeMap<>();
        Map<Integer, TableCopy> tables = new TreeMap<>();
        if (first != null) {
            there.put(0, first);
        }
        if (further != null) {
            there.put(INDEX, further);
        }
        for (Map.Entry<Integer, BlockDevice> one : there.entrySet()) {
            provider.table(one.getValue()).ifPresent(table -> tables.put(one.getKey(), table));
        }
        TableCopy chosen = tables.values().stream()
                .reduce((one, other) -> other.term() > one.term() ? other : one)
                .orElseThrow(() -> new Refusal(Refusal.Kind.DAMAGED, "no table"));
        for (TableCopy other : tables.values()) {
            if (other.index() != chosen.index() && other.leftBehind(chosen.index())) {
                throw new Refusal(Refusal.Kind.WRONG_DEVICE, "a fork");
            }
            if (chosen.index() == 0 && other.firstSeen() > chosen.generation()) {
                throw new Refusal(Refusal.Kind.WRONG_DEVICE, "the first spare is older");
            }
        }
        if (chosen.generation() < witness) {
            throw new Refusal(Refusal.Kind.WRONG_DEVICE, "older than main remembers");
        }
        for (SpareMember member : chosen.members()) {
            if (member.index() == 0 && chosen.index() != 0 && first != null) {
                Optional<TableCopy> old = Optional.ofNullable(tables.get(0));
                if (old.isEmpty() || old.get().generation() < member.seen()) {
                    throw new Refusal(Refusal.Kind.WRONG_DEVICE, "the first spare is older than the other one knows");
                }
            }
        }
        opened = Bench.open(provider, there.get(chosen.index()), false, ++openings);
        spread();
        witness = opened.store().generation();
        opened.store().whenLeftBehind(() -> witness = opened.store().generation());
    }

    /** Has the copy made on what is there. */
    void spread() {
        Map<Integer, BlockDevice> others = new TreeMap<>();
        if (first != null && opened.store().openedFrom() != 0) {
            others.put(0, first);
        }
        if (further != null && opened.store().openedFrom() == 0) {
            others.put(INDEX, further);
        }
        List<Refusal> ended = new ArrayList<>();
        opened.store().spread(others, ended::add);
        opened.tasks().runAll();
        if (ended.size() != 1 || ended.get(0) != null) {
            throw new AssertionError("spread: " + ended);
        }
    }

    void change(List<SpareMember> members) {
        List<Refusal> ended = new ArrayList<>();
        opened.store().changeMembers(members, ended::add);
        opened.tasks().runAll();
        if (ended.size() != 1 || ended.get(0) != null) {
            throw new AssertionError("members: " + ended);
        }
    }

    /** Maps a unit that was not mapped. */
    Outcome commit(long unit) {
        underWay = unit;
        Outcome outcome = opened.commit(List.of(MapChange.set(unit, 1, Place.onSlot(0, unit, 0xff, 0))));
        underWay = -1;
        if (outcome == Outcome.DURABLE) {
            acknowledged.add(unit);
        }
        return outcome;
    }

    void close() {
        if (opened != null) {
            opened.close();
            opened = null;
        }
    }

    /** What the table maps, which must be what was acknowledged, with the one under way or without. */
    void assertTable() {
        Set<Long> mapped = new HashSet<>();
        for (long unit = 0; unit < 60; unit++) {
            if (Place.hasSlot(opened.store().table().placeOf(unit))) {
                mapped.add(unit);
            }
        }
        Set<Long> allowed = new HashSet<>(acknowledged);
        allowed.add(underWay);
        if (!mapped.containsAll(acknowledged) || !allowed.containsAll(mapped)) {
            throw new AssertionError("mapped " + mapped + ", acknowledged " + acknowledged + ", under way " + underWay);
        }
        acknowledged.addAll(mapped);
        underWay = -1;
    }

    /** Numbers of the spares with a table in force. */
    List<Integer> holders() {
        return opened.store().members().stream()
                .filter(SpareMember::table)
                .map(SpareMember::index)
                .toList();
    }
}
