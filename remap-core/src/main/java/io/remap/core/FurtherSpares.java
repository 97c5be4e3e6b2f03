package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import io.remap.core.disk.Saved;
import io.remap.core.disk.SpareDevice;
import io.remap.core.disk.TrackedDevice;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The spares of one disk beside the one that its table was read from: those that are open, and by what names they were found, which is saved so that
 * the next start finds them by itself.
 *
 * <p>Invariants: what is open is a member of the pair by its own word and by that of the table; a number that was taken out is given to no
 * other device while this is open, as transfers to the former one may still be under way, and name it by its number. Thread-safe.
 */
final class FurtherSpares implements Saved, AutoCloseable {
    static final String SECTION = "spares";

    private static final Logger LOG = LoggerFactory.getLogger(FurtherSpares.class);

    /**
     * One that is open.
     *
     * @param member as the table states it
     * @param device which is closed with this
     * @param slots where its slots lie
     * @param uri by which it was found
     * @param order as in {@link SpareDevice}
     */
    record Open(SpareMember member, TrackedDevice device, SpareSlots slots, DeviceUri uri, int order) {
        SpareDevice forDisk() {
            return new SpareDevice(member, device, slots, order);
        }
    }

    private final TreeMap<Integer, Open> byIndex = new TreeMap<>();
    /** Of members that are not there: where they were found the last time. */
    private final TreeMap<Integer, DeviceUri> remembered = new TreeMap<>();
    /** Numbers of those that were taken out. */
    private final Set<Integer> former = new HashSet<>();
    /** Taken out, and still open. */
    private final List<BlockDevice> retired = new ArrayList<>();

    /** Takes one that was opened; it is closed with this. */
    synchronized void add(Open spare) {
        byIndex.put(spare.member().index(), spare);
        remembered.remove(spare.member().index());
    }

    /** Goes on remembering where one was that is not there. */
    synchronized void remember(int index, DeviceUri uri) {
        remembered.put(index, uri);
    }

    /** Forgets one, and gives it if it was open: it is the caller's to close. */
    synchronized Optional<Open> remove(int index) {
        former.add(index);
        remembered.remove(index);
        return Optional.ofNullable(byIndex.remove(index));
    }

    /** The number is given to no other device, whatever becomes of a change whose end nobody waited for. */
    synchronized void spend(int index) {
        former.add(index);
    }

    /**
     * A number for one more.
     *
     * @param members of the pair now; one that is open and none of them may be one whose removal nobody waited for
     */
    synchronized int freeIndex(List<SpareMember> members) throws Refusal {
        Set<Integer> taken = new HashSet<>(former);
        taken.addAll(byIndex.keySet());
        members.forEach(member -> taken.add(member.index()));
        for (int index = 1; index < SpareMember.MAX_MEMBERS; index++) {
            if (!taken.contains(index)) {
                return index;
            }
        }
        throw new Refusal(
                Refusal.Kind.USAGE,
                "a pair has at most " + SpareMember.MAX_MEMBERS + " spares"
                        + (members.size() < SpareMember.MAX_MEMBERS
                                ? "; the numbers of those that were removed are free again after the next start"
                                : ""));
    }

    /** One that was taken out is closed with this all the same. */
    synchronized void retire(BlockDevice device) {
        retired.add(device);
    }

    /** Takes one out of these, as the table is read from it from now on; where it is stays remembered. */
    synchronized Open promote(int index) {
        Open promoted = byIndex.remove(index);
        remembered.put(index, promoted.uri());
        return promoted;
    }

    /** By number. */
    synchronized List<Open> open() {
        return List.copyOf(byIndex.values());
    }

    /** Those that could have a copy of the table, by number. */
    synchronized Map<Integer, BlockDevice> forTable() {
        Map<Integer, BlockDevice> devices = new TreeMap<>();
        byIndex.forEach((index, spare) -> devices.put(index, spare.device().direct()));
        return devices;
    }

    /** All spares of a disk, the one that the table was read from before the others. */
    List<SpareDevice> forDisk(TrackedDevice opened, MetadataStore store, int orderOfOpened) {
        List<SpareDevice> all = new ArrayList<>();
        all.add(SpareDevice.openedFrom(opened, store, orderOfOpened));
        open().forEach(spare -> all.add(spare.forDisk()));
        return all;
    }

    @Override
    public String section() {
        return SECTION;
    }

    /** A line for each: number, tab, name. */
    @Override
    public synchronized byte[] save() {
        TreeMap<Integer, DeviceUri> names = new TreeMap<>(remembered);
        byIndex.forEach((index, spare) -> names.put(index, spare.uri()));
        StringBuilder text = new StringBuilder();
        names.forEach(
                (index, uri) -> text.append(index).append('\t').append(uri).append('\n'));
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** They were looked for before the pair was opened. */
    @Override
    public void restore(byte[] saved) {}

    /** Where the members were found the last time, by number; a line that makes no sense is left out. */
    static Map<Integer, DeviceUri> found(Map<String, byte[]> sections) {
        Map<Integer, DeviceUri> result = new TreeMap<>();
        byte[] saved = sections.getOrDefault(SECTION, new byte[0]);
        for (String line : new String(saved, StandardCharsets.UTF_8).split("\n", -1)) {
            int tab = line.indexOf('\t');
            try {
                if (tab > 0) {
                    result.put(Integer.parseInt(line.substring(0, tab)), DeviceUri.parse(line.substring(tab + 1)));
                }
            } catch (NumberFormatException | Refusal e) {
                LOG.info("a saved name of a spare makes no sense and is left out: {}", line);
            }
        }
        return result;
    }

    @Override
    public synchronized void close() {
        byIndex.values().forEach(spare -> spare.device().close());
        byIndex.clear();
        retired.forEach(BlockDevice::close);
        retired.clear();
    }
}
