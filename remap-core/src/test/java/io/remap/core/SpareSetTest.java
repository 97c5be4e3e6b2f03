package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import io.remap.api.spi.TableCopy;
import io.remap.core.disk.TrackedDevice;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.TaskQueue;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Which of several spares the table is taken from, and the first spare where it is not that one. */
class SpareSetTest {
    private static final PairIdentity PAIR = new PairIdentity(new UUID(1, 2), 1 << 20, 512, "main");
    private static final UUID ID = new UUID(7, 8);
    private static final int INDEX = 3;
    private static final long SLOTS = 16;
    private static final long SEEN = 40;
    private static final DeviceUri FIRST = uri("first");
    private static final DeviceUri FURTHER = uri("further");

    private final Environment environment = new TaskQueue().environment(new Random(1));
    private final Map<String, TableCopy> tables = new HashMap<>();
    private final List<String> notices = new ArrayList<>();
    private SpareContent.Kind found = SpareContent.Kind.SPARE;
    private boolean furtherIsKnown = true;
    private long stampOfFirst = SEEN;
    private long slotsOfFirst = SLOTS;
    private List<SpareMember> members = List.of(
            new SpareMember(0, SpareMember.FIRST_ID, SpareMember.Use.PLAIN, SLOTS, SEEN, true),
            new SpareMember(INDEX, ID, SpareMember.Use.PLAIN, SLOTS, 50, true));
    private final SpareSet spares;

    SpareSetTest() throws Refusal {
        BlockDeviceProvider memory = (BlockDeviceProvider) Proxy.newProxyInstance(
                BlockDeviceProvider.class.getClassLoader(),
                new Class<?>[] {BlockDeviceProvider.class},
                (proxy, method, args) -> switch (method.getName()) {
                    case "name" -> "mem";
                    case "open" -> device((DeviceUri) args[0]);
                    default -> null;
                });
        spares = new SpareSet(
                metadata(), new Devices(Providers.of(List.of(memory))), environment, (uri, createBytes) -> device(uri));
    }

    private static DeviceUri uri(String name) {
        try {
            return DeviceUri.parse("mem:" + name);
        } catch (Refusal e) {
            throw new AssertionError(e);
        }
    }

    private static BlockDevice device(DeviceUri uri) {
        return new MemoryDevice(uri.path(), 1 << 16, 512);
    }

    private MetadataProvider metadata() {
        return (MetadataProvider) Proxy.newProxyInstance(
                MetadataProvider.class.getClassLoader(),
                new Class<?>[] {MetadataProvider.class},
                (proxy, method, args) -> {
                    boolean isFirst = ((BlockDevice) args[0]).name().equals("first");
                    return switch (method.getName()) {
                        case "table" -> Optional.ofNullable(tables.get(((BlockDevice) args[0]).name()));
                        case "member" ->
                            isFirst || !furtherIsKnown ? Optional.empty() : Optional.of(identity(INDEX, ID, SLOTS, 50));
                        case "firstSpare" -> Optional.of(identity(0, SpareMember.FIRST_ID, slotsOfFirst, stampOfFirst));
                        case "inspect" -> new SpareContent(found, "EIO", Optional.of(PAIR));
                        case "stampMember" -> null;
                        default -> throw new UnsupportedOperationException(method.getName());
                    };
                });
    }

    private static SpareIdentity identity(int index, UUID id, long slots, long stamp) {
        return new SpareIdentity(PAIR, index, id, SpareSlots.of(0, slots, 4096), stamp);
    }

    /** Opened from the further spare. */
    private MetadataStore store() {
        return (MetadataStore) Proxy.newProxyInstance(
                MetadataStore.class.getClassLoader(),
                new Class<?>[] {MetadataStore.class},
                (proxy, method, args) -> switch (method.getName()) {
                    case "members" -> members;
                    case "openedFrom" -> INDEX;
                    case "pair" -> PAIR;
                    case "saved" -> Map.of();
                    case "term", "generation" -> 0L;
                    case "slots" -> SpareSlots.of(0, SLOTS, 4096);
                    case "changeMembers" -> changeMembers(args);
                    default -> throw new UnsupportedOperationException(method.getName());
                });
    }

    @SuppressWarnings("unchecked")
    private Object changeMembers(Object... args) {
        members = (List<SpareMember>) args[0];
        ((Consumer<Refusal>) args[1]).accept(null);
        return null;
    }

    private void table(DeviceUri uri, int index, long generation, long term, boolean certain) {
        tables.put(uri.path(), new TableCopy(index, generation, term, members, certain));
    }

    private DeviceUri chosen() throws Exception {
        DeviceUri chosen = spares.first(List.of(FIRST, FURTHER));
        assertEquals(chosen, spares.first(List.of(FURTHER, FIRST)), "as they are named");
        return chosen;
    }

    /** Whoever makes it a new spare then, as for a blank one, destroys what stands on it. */
    @Test
    void aSpareOfWhichNothingCanBeToldIsNotTakenForANewOne() throws Exception {
        table(FURTHER, INDEX, SEEN, 0, true);
        assertEquals(FURTHER, chosen());
        for (SpareContent.Kind kind :
                List.of(SpareContent.Kind.UNREADABLE, SpareContent.Kind.DAMAGED, SpareContent.Kind.TOO_NEW)) {
            found = kind;
            for (boolean known : List.of(true, false)) {
                furtherIsKnown = known;
                Refusal refusal = assertThrows(Refusal.class, this::chosen);
                assertEquals(Refusal.Kind.DAMAGED, refusal.kind());
                assertTrue(
                        refusal.getMessage().contains("leave out --spare mem:first, with --missing-spares"),
                        refusal.getMessage());
                assertTrue(refusal.getMessage().contains("EIO"), refusal.getMessage());
            }
        }
        found = SpareContent.Kind.FOREIGN;
        assertTrue(assertThrows(Refusal.class, this::chosen).getMessage().contains("remap spare add"));
    }

    @Test
    void aTableInDoubtComesBehindACertainOneOfItsTerm() throws Exception {
        for (boolean firstCertain : List.of(true, false)) {
            for (boolean furtherCertain : List.of(true, false)) {
                for (long term = 0; term < 2; term++) {
                    table(FIRST, 0, SEEN, 0, firstCertain);
                    table(FURTHER, INDEX, SEEN, term, furtherCertain);
                    boolean further = term > 0 || (furtherCertain && !firstCertain);
                    assertEquals(further ? FURTHER : FIRST, chosen());
                    table(FIRST, 0, SEEN, 2, firstCertain);
                    assertEquals(FIRST, chosen(), "its term is the higher one");
                }
            }
        }
        tables.remove("first");
        assertEquals(FURTHER, chosen(), "it lost its table");
    }

    private FurtherSpares openFirst(boolean adopt) throws Exception {
        return spares.openAll(
                TrackedDevice.of(device(FURTHER)), List.of(FIRST), List.of(FIRST), store(), false, adopt, notices);
    }

    private void assertTakenByWordOnly() throws Exception {
        notices.clear();
        Refusal refusal = assertThrows(Refusal.class, () -> openFirst(false));
        assertEquals(Refusal.Kind.WRONG_DEVICE, refusal.kind());
        assertTrue(refusal.getMessage().contains("its table cannot be loaded"), refusal.getMessage());
        assertTrue(refusal.getMessage().contains("--adopt"), refusal.getMessage());
        try (FurtherSpares taken = openFirst(true)) {
            assertEquals(0, taken.open().get(0).member().index());
        }
        assertEquals(1, notices.size());
        assertTrue(notices.get(0).contains("its table cannot be loaded"), notices.get(0));
    }

    @Test
    void aFirstSpareThatLostItsTableIsTakenByTheWordOfTheUser() throws Exception {
        stampOfFirst = -1;
        assertTakenByWordOnly();
    }

    @Test
    void ofAFirstSpareInDoubtALowGenerationSaysNothing() throws Exception {
        table(FIRST, 0, SEEN, 0, false);
        openFirst(false).close();
        assertEquals(List.of(), notices, "as new as was stated");
        stampOfFirst = SEEN - 1;
        table(FIRST, 0, SEEN - 1, 0, false);
        assertTakenByWordOnly();
        // One that is certain is an older copy, whatever the user says.
        table(FIRST, 0, SEEN - 1, 0, true);
        for (boolean adopt : List.of(false, true)) {
            Refusal refusal = assertThrows(Refusal.class, () -> openFirst(adopt));
            assertTrue(refusal.getMessage().contains("as it was before"), refusal.getMessage());
        }
    }

    @Test
    void aFirstSpareThatHasGrownIsStatedSo() throws Exception {
        slotsOfFirst = SLOTS + 4;
        MetadataStore store = store();
        try (FurtherSpares taken = openFirst(false)) {
            spares.stamp(TrackedDevice.of(device(FURTHER)), taken, store, 60, new MemberChanges(store));
        }
        assertEquals(
                List.of(SLOTS + 4, SLOTS),
                members.stream().map(SpareMember::slots).toList());
        assertEquals(List.of(SEEN, 60L), members.stream().map(SpareMember::seen).toList());
    }
}
