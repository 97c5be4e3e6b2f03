package io.remap.cli;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import io.remap.api.spi.TableCopy;
import io.remap.core.disk.SpareDevice;
import io.remap.core.disk.TrackedDevice;
import io.remap.testkit.TaskQueue;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Two spares of a pair in a simulation, with slots and a table on each. A table that is left behind is so for a moment only: the
 * next start takes the newer one, and has the other follow.
 *
 * @param first the first spare
 * @param second the further one
 */
record TwoSpares(BlockDevice first, BlockDevice second) {
    private static final int INDEX = 1;
    private static final UUID ID = new UUID(0, 1);

    TwoSpares(List<BlockDevice> spares) {
        this(spares.get(0), spares.get(1));
    }

    /** Makes both spares of a pair, before anything else happens. */
    void format(MetadataProvider metadata, PairIdentity pair) throws Refusal, DeviceException {
        TaskQueue tasks = new TaskQueue();
        Environment environment = tasks.environment(new SplittableRandom(1));
        metadata.format(first, pair, environment);
        SpareSlots slots = metadata.formatMember(second, pair, INDEX, ID, environment);
        MetadataStore store = metadata.open(first, false, environment, Settings.defaults());
        SpareMember further = new SpareMember(INDEX, ID, SpareMember.Use.PLAIN, slots.count(), -1);
        AtomicReference<Refusal> refused = new AtomicReference<>();
        store.changeMembers(List.of(store.members().get(0), further), refused::set);
        tasks.runAll();
        store.spread(Map.of(INDEX, second), refused::set);
        tasks.runAll();
        store.close();
        if (refused.get() != null) {
            throw refused.get();
        }
    }

    /**
     * A pair that is open.
     *
     * @param slotsOfFirst where those of the first spare are
     * @param slotsOfSecond where those of the second are
     * @param secondAt where that begins if it is thought to be behind the first
     */
    record Opened(
            MetadataStore store,
            List<SpareDevice> spares,
            SpareSlots slotsOfFirst,
            SpareSlots slotsOfSecond,
            long secondAt) {
        /** Where a slot is, those of the second spare behind those of the first. */
        long slotOffsetBytes(long slot) {
            long ofFirst = slotsOfFirst.count();
            return slot < ofFirst
                    ? slotsOfFirst.offsetBytes(slot)
                    : secondAt + slotsOfSecond.offsetBytes(slot - ofFirst);
        }
    }

    /** Opens the table that counts, and has the other one follow. */
    Opened open(MetadataProvider metadata, Environment environment) throws Refusal, DeviceException {
        Optional<TableCopy> onFirst = metadata.table(first);
        Optional<TableCopy> onSecond = metadata.table(second);
        boolean secondLeads = onSecond.isPresent()
                && (onFirst.isEmpty() || onSecond.get().term() > onFirst.get().term());
        int lead = secondLeads ? INDEX : 0;
        int other = secondLeads ? 0 : INDEX;
        if ((secondLeads ? onFirst : onSecond)
                .filter(copy -> copy.leftBehind(lead))
                .isPresent()) {
            throw new AssertionError("the tables of both spares have gone on without each other");
        }
        TrackedDevice leading = TrackedDevice.of(secondLeads ? second : first);
        TrackedDevice following = TrackedDevice.of(secondLeads ? first : second);
        following.flush();
        SpareSlots slotsOfFirst =
                metadata.firstSpare(first).map(SpareIdentity::slots).orElseThrow();
        SpareSlots slotsOfSecond =
                metadata.member(second).map(SpareIdentity::slots).orElseThrow();
        MetadataStore store = metadata.open(leading, false, environment, Settings.defaults());
        store.spread(Map.of(other, following.direct()), refusal -> {});
        SpareMember member = store.members().stream()
                .filter(each -> each.index() == other)
                .findFirst()
                .orElseThrow();
        return new Opened(
                store,
                List.of(
                        SpareDevice.openedFrom(leading, store),
                        new SpareDevice(
                                member, following, secondLeads ? slotsOfFirst : slotsOfSecond, SpareDevice.UNORDERED)),
                slotsOfFirst,
                slotsOfSecond,
                first.traits().sizeBytes());
    }
}
