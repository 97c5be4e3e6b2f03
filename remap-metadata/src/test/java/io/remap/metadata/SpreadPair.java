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
 * A first spare, a further one, and perhaps a third, opened as core opens them: which table counts, what is refused, and what main remembers. One
 * test at a time.
 */
final class SpreadPair {
    static final UUID ID = new UUID(7, 8);
    static final int INDEX = 3;
    static final UUID THIRD_ID = new UUID(7, 9);
    static final int THIRD = 5;
    private static final int LOG_BLOCKS = 4;

    final LogMetadataProvider provider = new LogMetadataProvider(LOG_BLOCKS);
    /** The generation that main remembers. */
    long witness;
    /** Units whose commit was acknowledged. */
    final Set<Long> acknowledged = new HashSet<>();
    /** Both holders have all that was acknowledged: the table was spread, and neither was left behind since. */
    boolean bothWhole;
    /** The unit whose commit is under way, -1 for none. */
    long underWay = -1;

    CrashDevice first;
    CrashDevice further;
    /** One that has no table until another one goes; {@code null} if there is none. */
    CrashDevice third;

    Opened opened;
    private int openings = 10;

    /** Of three, the table on the first two. */
    static SpreadPair ofThree() throws Exception {
        SpreadPair pair = formatted();
        pair.third = new CrashDevice("third", Bench.SPARE_BYTES, 512);
        pair.provider.formatMember(pair.third, Bench.PAIR, THIRD, THIRD_ID, Bench.environment(new Bench.Tasks(), 6));
        List<SpareMember> members = new ArrayList<>(pair.opened.store().members());
        members.add(new SpareMember(
                THIRD,
                THIRD_ID,
                SpareMember.Use.PLAIN,
                pair.provider.member(pair.third).orElseThrow().slots().count(),
                -1));
        pair.change(members);
        pair.spread();
        return pair;
    }

    /** Both formatted and stated, nothing spread yet. */
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
        return left(firstLeft, furtherLeft, null);
    }

    /** What is left of three; {@code null} for those that are not. */
    SpreadPair left(CrashDevice firstLeft, CrashDevice furtherLeft, CrashDevice thirdLeft) {
        SpreadPair left = new SpreadPair();
        left.first = firstLeft;
        left.further = furtherLeft;
        left.third = thirdLeft;
        left.witness = witness;
        left.acknowledged.addAll(acknowledged);
        left.underWay = underWay;
        return left;
    }

    /** Opens what is there for writing. */
    void open() throws Refusal, DeviceException {
        Map<Integer, BlockDevice> there = there();
        Map<Integer, TableCopy> tables = new TreeMap<>();
        for (Map.Entry<Integer, BlockDevice> one : there.entrySet()) {
            provider.table(one.getValue()).ifPresent(table -> tables.put(one.getKey(), table));
        }
        TableCopy chosen = tables.values().stream()
                .reduce((one, other) -> other.countsBefore(one) ? other : one)
                .orElseThrow(() -> new Refusal(Refusal.Kind.DAMAGED, "no table"));
        for (TableCopy other : tables.values()) {
            if (other.index() != chosen.index() && other.leftBehind(chosen.index())) {
                throw new Refusal(Refusal.Kind.WRONG_DEVICE, "a fork");
            }
            if (chosen.index() == 0 && other.seen(0) > chosen.generation()) {
                throw new Refusal(Refusal.Kind.WRONG_DEVICE, "the first spare is older");
            }
        }
        if (chosen.generation() < witness) {
            throw new Refusal(Refusal.Kind.WRONG_DEVICE, "older than main remembers");
        }
        for (int index : there.keySet()) {
            if (chosen.members().stream().noneMatch(member -> member.index() == index)) {
                throw new Refusal(Refusal.Kind.WRONG_DEVICE, "spare " + index + " was taken out");
            }
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
        rememberAlways();
    }

    /** Main remembers the generation now, and whenever a table is left behind. */
    void rememberAlways() {
        witness = opened.store().generationOnAll();
        rememberWhenLeftBehind();
    }

    /** Main remembers the generation whenever a table is left behind. */
    void rememberWhenLeftBehind() {
        opened.store().whenLeftBehind(() -> {
            bothWhole = false;
            witness = opened.store().generationOnAll();
        });
    }

    /** Whether main remembers a newer generation than the table on a spare has. */
    boolean witnessKnows(CrashDevice spare) throws Refusal, DeviceException {
        return provider.table(spare).map(table -> table.generation() < witness).orElse(true);
    }

    private Map<Integer, BlockDevice> there() {
        Map<Integer, BlockDevice> there = new TreeMap<>();
        if (first != null) {
            there.put(0, first);
        }
        if (further != null) {
            there.put(INDEX, further);
        }
        if (third != null) {
            there.put(THIRD, third);
        }
        return there;
    }

    /** Has the copy made on what is there. */
    void spread() {
        Map<Integer, BlockDevice> others = there();
        others.remove(opened.store().openedFrom());
        List<Refusal> ended = new ArrayList<>();
        opened.store().spread(others, ended::add);
        opened.tasks().runAll();
        if (ended.size() != 1 || ended.get(0) != null) {
            throw new AssertionError("spread: " + ended);
        }
        bothWhole = holders().size() == 2;
    }

    void change(List<SpareMember> members) {
        Refusal refused = tryChange(members);
        if (refused != null) {
            throw new AssertionError("members: " + refused);
        }
    }

    /** Gives why it is not durable, {@code null} if it is. */
    Refusal tryChange(List<SpareMember> members) {
        List<Refusal> ended = new ArrayList<>();
        opened.store().changeMembers(members, ended::add);
        opened.tasks().runAll();
        if (ended.size() != 1) {
            throw new AssertionError("members: " + ended);
        }
        return ended.get(0);
    }

    /** Takes a spare out of the pair; gives why not. */
    Refusal remove(int index) {
        return tryChange(opened.store().members().stream()
                .filter(member -> member.index() != index)
                .toList());
    }

    /** The numbers that are stated and not there: a start would ask for them. */
    List<Integer> missing() {
        return opened.store().members().stream()
                .map(SpareMember::index)
                .filter(index -> !there().containsKey(index))
                .toList();
    }

    /** Maps a unit that was not mapped, to a slot of the first spare. */
    Outcome commit(long unit) {
        return commit(unit, 0);
    }

    /** Maps a unit that was not mapped. */
    Outcome commit(long unit, int spare) {
        underWay = unit;
        Outcome outcome = opened.commit(List.of(MapChange.set(unit, 1, Place.onSlot(spare, unit, 0xff, 0))));
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
