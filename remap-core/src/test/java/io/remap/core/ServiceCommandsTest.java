package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The commands: what they answer, in plain values, and what they refuse. */
class ServiceCommandsTest {
    private static final int SECTORS = ServiceRig.MAIN_BYTES / ServiceRig.SECTOR_BYTES;

    private final ServiceRig rig = new ServiceRig();

    @AfterEach
    void tearDown() {
        rig.close();
    }

    private static Map<String, Object> arguments(Object... namesAndValues) {
        Map<String, Object> arguments = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            arguments.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return arguments;
    }

    private static Map<?, ?> map(Service service, String command, Object... arguments) throws Refusal {
        Object answer = service.commands().call(command, arguments(arguments));
        assertPlain(command, answer);
        return (Map<?, ?>) answer;
    }

    private static List<?> list(Service service, String command, Object... arguments) throws Refusal {
        Object answer = service.commands().call(command, arguments(arguments));
        assertPlain(command, answer);
        return (List<?>) answer;
    }

    private static String refused(Service service, Refusal.Kind kind, String command, Object... arguments) {
        Refusal refusal = assertThrows(Refusal.class, () -> service.commands().call(command, arguments(arguments)));
        assertEquals(kind, refusal.kind(), refusal.getMessage());
        return refusal.getMessage();
    }

    private static void assertPlain(String where, Object value) {
        if (value instanceof Map<?, ?> map) {
            map.forEach((key, inner) -> assertPlain(where + "." + key, inner));
        } else if (value instanceof List<?> list) {
            list.forEach(inner -> assertPlain(where + "[]", inner));
        } else {
            assertTrue(
                    value == null || value instanceof String || value instanceof Number || value instanceof Boolean,
                    () -> where + " is a " + value.getClass());
        }
    }

    @Test
    void namesAllCommands() throws Exception {
        assertEquals(
                new TreeSet<>(Set.of(
                        "status",
                        "disks",
                        "events",
                        "attributes",
                        "attribute.get",
                        "attribute.set",
                        "avoid.add",
                        "avoid.list",
                        "avoid.remove",
                        "map.list",
                        "map.add",
                        "map.remove",
                        "metadata.status",
                        "metadata.check",
                        "metadata.save",
                        "metadata.sync",
                        "disk.add",
                        "disk.remove",
                        "plugins",
                        "spare.add",
                        "spare.evacuate",
                        "spare.keep",
                        "spare.list",
                        "spare.remove",
                        "spare.set",
                        "stop",
                        "stop.wait")),
                rig.start().commands().names());
    }

    /** Who calls a command has nothing else to read. */
    @Test
    void theListOfTheCommandsIsThatOfTheTable() throws Exception {
        String source = Files.readString(Path.of("src/main/java/io/remap/core/CommandTable.java"));
        List<String> listed = found("<li>\\{@code ([a-z.]+)}(?: \\{@code ([^}]*)})? →", source);
        assertEquals(
                List.copyOf(rig.start().commands().names()),
                listed.stream().map(line -> line.split(" ", -1)[0]).sorted().toList());
        assertEquals(found("put\\(\"([a-z.]+)\", List\\.of\\(([^)]*)\\)", source), listed);
    }

    /** Each command, and the words of its arguments. */
    private static List<String> found(String pattern, String source) {
        return Pattern.compile(pattern)
                .matcher(source)
                .results()
                .map(result -> result.group(1) + " "
                        + String.valueOf(result.group(2))
                                .replaceAll("null|[^A-Za-z ]", "")
                                .strip())
                .toList();
    }

    @Test
    void statusTellsTheService() throws Exception {
        Service service = rig.start("a");
        Map<?, ?> status = map(service, "status");
        assertEquals("rig", status.get("name"));
        assertEquals(ProcessHandle.current().pid(), status.get("pid"));
        assertEquals("plain", status.get("transport"));
        assertEquals("inline", status.get("ioEngine"));
        assertEquals("plain", status.get("bufferPool"));
        assertEquals(3, status.get("connections"));
        assertEquals(List.of("unix:/run/a.sock"), status.get("listeners"));
        Map<?, ?> metadata = (Map<?, ?>) ((List<?>) status.get("features")).get(0);
        assertEquals("metadata", metadata.get("name"));
        assertEquals("started", metadata.get("state"));
        assertEquals("enabled", metadata.get("text"));
        assertEquals(status.get("disks"), list(service, "disks"));
    }

    @Test
    void statusTellsTheDisk() throws Exception {
        Map<?, ?> disk = (Map<?, ?>) list(rig.start("a"), "disks").get(0);
        assertEquals("a", disk.get("name"));
        assertEquals("a", disk.get("exportName"));
        assertEquals((long) ServiceRig.MAIN_BYTES, disk.get("sizeBytes"));
        assertEquals(ServiceRig.SECTOR_BYTES, disk.get("sectorBytes"));
        assertEquals(false, disk.get("readOnly"));
        assertEquals("a-main", ((Map<?, ?>) disk.get("main")).get("name"));
        Map<?, ?> spare = (Map<?, ?>) disk.get("spare");
        assertEquals((long) ServiceRig.SPARE_BYTES, ((Map<?, ?>) spare.get("traits")).get("sizeBytes"));
        assertEquals(
                List.of("metadata", "health", "witness"),
                ((List<?>) disk.get("features"))
                        .stream()
                                .map(feature -> ((Map<?, ?>) feature).get("name"))
                                .toList());
        assertEquals("00000000-0000-0001-0000-000000000002", disk.get("pairUuid"));
        assertEquals(0L, ((Map<?, ?>) disk.get("counters")).get("io.reads"));
        assertEquals(List.of("nbd:unix:/run/a.sock/a"), disk.get("uris"));
        assertEquals(List.of("attach nbd:unix:/run/a.sock/a"), disk.get("attachCommands"));
        assertEquals(List.of("devices noticed", "metadata noticed"), disk.get("notices"));
        assertEquals("", disk.get("flushFailed"));
    }

    @Test
    void statusAnswersWhileTheServiceStarts() throws Exception {
        rig.at("open devices a", () -> {
            Map<?, ?> status = (Map<?, ?>) rig.commands.call("status", Map.of());
            assertEquals(List.of(), status.get("disks"));
            rig.events.add("asked with I/O path " + status.get("transport"));
            assertThrows(Refusal.class, () -> rig.commands.call("disk.add", Map.of("main", "mem:b")));
        });
        rig.at("open control", () -> {
            Map<?, ?> status = (Map<?, ?>) rig.commands.call("status", Map.of());
            assertEquals("", status.get("transport"));
            rig.events.add("asked without I/O path");
        });
        rig.start("a");
        assertTrue(rig.events.contains("asked without I/O path"), rig.events.toString());
        assertTrue(rig.events.contains("asked with I/O path plain"), rig.events.toString());
    }

    @Test
    void refusesWhatDoesNotFit() throws Exception {
        Service service = rig.start("a");
        assertTrue(refused(service, Refusal.Kind.USAGE, "fly").startsWith("there is no command 'fly'; there are ["));
        assertEquals(
                "status takes no argument 'x'; it takes none", refused(service, Refusal.Kind.USAGE, "status", "x", 1));
        assertEquals(
                "map.list takes no argument 'lmit'; there are disk, first, limit",
                refused(service, Refusal.Kind.USAGE, "map.list", "lmit", 1));
        assertEquals(
                "map.list needs 'limit': a whole number from 1 to 10000, found '10001'",
                refused(service, Refusal.Kind.USAGE, "map.list", "limit", 10_001));
        assertEquals(
                "map.list needs 'first': a whole number from 0 to " + (SECTORS - 1) + ", found '" + SECTORS + "'",
                refused(service, Refusal.Kind.USAGE, "map.list", "first", SECTORS));
        assertEquals(
                "map.add needs 'length': a whole number from 1 to 1, found '2'",
                refused(service, Refusal.Kind.USAGE, "map.add", "first", SECTORS - 1, "length", 2));
        assertEquals(
                "map.add needs 'first': a whole number from 0 to " + (SECTORS - 1) + ", found '1.5'",
                refused(service, Refusal.Kind.USAGE, "map.add", "first", 1.5, "length", 1));
        assertEquals(
                "map.add needs 'unreadable': true or false, found 'yes'",
                refused(service, Refusal.Kind.USAGE, "map.add", "first", 1, "length", 1, "unreadable", "yes"));
        assertEquals(
                "attribute.get needs 'name': a text of 1 to 4096 characters",
                refused(service, Refusal.Kind.USAGE, "attribute.get"));
        assertEquals(
                "there is no disk 'b'; there are a", refused(service, Refusal.Kind.NOT_SO, "map.list", "disk", "b"));
        assertEquals(
                "sectors 8+8 of disk 'a' are not avoided; 'remap avoid list a' shows what is",
                refused(service, Refusal.Kind.NOT_SO, "avoid.remove", "first", 8, "length", 8));
        map(service, "avoid.add", "first", 8, "length", 8);
        assertTrue(refused(service, Refusal.Kind.NOT_SO, "map.add", "first", 8, "length", 1)
                .endsWith("'remap avoid remove a 8+8' ends that"));
        assertEquals(
                "disk 'a' has no spare 5: see 'remap spare list a'",
                refused(service, Refusal.Kind.NOT_SO, "spare.set", "spare", 5, "standby", true));
    }

    // --- the map

    @Test
    void movesSectorsToTheSpareAndBack() throws Exception {
        Service service = rig.start("a");
        assertEquals(
                Map.of("disk", "a", "first", 16L, "length", 8L), map(service, "map.add", "first", 16, "length", 8L));
        Map<?, ?> listed = map(service, "map.list");
        assertEquals("a", listed.get("disk"));
        assertEquals(ServiceRig.SECTOR_BYTES, listed.get("sectorBytes"));
        assertNull(listed.get("next"));
        assertTrue(listed.containsKey("next"));
        Map<?, ?> entry = (Map<?, ?>) ((List<?>) listed.get("entries")).get(0);
        assertEquals(16L, entry.get("first"));
        assertEquals(8L, entry.get("length"));
        assertEquals("spare", entry.get("state"));
        assertTrue((long) entry.get("spareOffsetBytes") > 0);
        assertEquals(8L, service.status().disks().get(0).mappedSectors());

        assertEquals(
                Map.of("disk", "a", "first", 16L, "length", 8L),
                map(service, "map.remove", "disk", "a", "first", 16, "length", 8));
        assertEquals(List.of(), map(service, "map.list").get("entries"));
    }

    @Test
    void listsTheMapInPages() throws Exception {
        Service service = rig.start("a");
        for (int sector : List.of(0, 64, SECTORS - 8)) {
            map(service, "map.add", "first", sector, "length", 8);
        }
        Map<?, ?> page = map(service, "map.list", "limit", 2);
        assertEquals(72L, page.get("next"));
        page = map(service, "map.list", "limit", 1, "first", page.get("next"));
        assertEquals(1, ((List<?>) page.get("entries")).size());
        assertNull(page.get("next"), "the last sector was listed");
    }

    @Test
    void saysWhereAMoveFailed() throws Exception {
        Service service = rig.start("a");
        rig.badSector = 24;
        assertEquals(
                "sectors 24+1 of disk 'a' were not all moved onto the spare: an error at sector 24 ended it;"
                        + " if it cannot be read, --unreadable gives its content up. What was moved before stays moved",
                refused(service, Refusal.Kind.DEVICE_FAILED, "map.add", "first", 24, "length", 1));
        Map<?, ?> added = map(service, "map.add", "first", 20, "length", 8, "unreadable", true);
        assertEquals(1L, added.get("lostSectors"));
        Map<?, ?> entry =
                (Map<?, ?>) ((List<?>) map(service, "map.list", "first", 24).get("entries")).get(0);
        assertEquals("lost", entry.get("state"));
        assertFalse(entry.containsKey("spareOffsetBytes"));
    }

    @Test
    void doesNotWaitForEverForAMove() throws Exception {
        Service service = rig.start("a");
        rig.hangAt("write a-spare");
        MapCommands impatient = new MapCommands(service.disks, 50);
        Refusal refusal = assertThrows(
                Refusal.class,
                () -> impatient.add(
                        new Arguments("map.add", List.of("first", "length"), arguments("first", 0, "length", 8))));
        assertTrue(refusal.getMessage().contains("are still being moved after 50 ms"), refusal.getMessage());
    }

    @Test
    void refusesToMoveWhatCannotBeRecorded() throws Exception {
        Service service = rig.start("a");
        int[] flushes = {0};
        rig.at("flush a-spare", () -> {
            // That of the data is good, that of the record is not.
            if (flushes[0]++ > 0) {
                throw new DeviceException("a-spare", "flush", 0, 0, Errno.EIO);
            }
        });
        refused(service, Refusal.Kind.DEVICE_FAILED, "map.add", "first", 0, "length", 8);
        String then = refused(service, Refusal.Kind.ENVIRONMENT, "map.add", "first", 0, "length", 8);
        assertTrue(
                then.startsWith("disk 'a' cannot keep mappings: metadata is failed: a-spare: flush failed: EIO"), then);
    }

    @Test
    void asksWhichDiskIfThereAreSeveral() throws Exception {
        Service service = rig.start("a", "b");
        assertEquals("say which disk: there are a, b", refused(service, Refusal.Kind.USAGE, "map.list"));
        assertEquals("b", map(service, "map.list", "disk", "b").get("disk"));
    }

    // --- attributes

    @Test
    void showsTheAttributesOfEverythingAsOneTree() throws Exception {
        Service service = rig.start("a");
        List<String> names = list(service, "attributes").stream()
                .map(attribute -> (String) ((Map<?, ?>) attribute).get("name"))
                .toList();
        assertTrue(
                names.containsAll(List.of(
                        "buffers.used-bytes",
                        "control.requests",
                        "disk.a.health.limit",
                        "disk.a.io.reads",
                        "disk.a.remap.free-slots",
                        "nbd.sessions",
                        "transport.connections")),
                names.toString());
        assertEquals(names.stream().sorted().toList(), names);
        assertEquals(
                Map.of("name", "control.requests", "unit", "count", "doc", "Requests.", "value", 7L, "settable", false),
                map(service, "attribute.get", "name", "control.requests"));
        List<?> some = list(service, "attributes", "prefix", "disk.a.health.");
        assertEquals(2, some.size());
        assertNull(((Map<?, ?>) some.get(0)).get("value"), "one that cannot tell hides nothing else");
    }

    @Test
    void changesAnAttribute() throws Exception {
        Service service = rig.start("a");
        Map<?, ?> changed = map(service, "attribute.set", "name", "disk.a.health.limit", "value", 60);
        assertEquals("60", changed.get("value"));
        assertEquals(true, changed.get("settable"));
        assertEquals(
                "health.limit: expected 0 to 100, found '1000'",
                refused(service, Refusal.Kind.USAGE, "attribute.set", "name", "disk.a.health.limit", "value", 1000));
        assertEquals(
                "attribute 'control.requests' cannot be set",
                refused(service, Refusal.Kind.USAGE, "attribute.set", "name", "control.requests", "value", 1));
        assertEquals(
                "there is no attribute 'x'; the command 'attributes' lists them",
                refused(service, Refusal.Kind.NOT_SO, "attribute.get", "name", "x"));
        assertEquals(
                "attribute.set needs 'value': a text, a number or a truth value, found '[]'",
                refused(
                        service,
                        Refusal.Kind.USAGE,
                        "attribute.set",
                        "name",
                        "disk.a.health.limit",
                        "value",
                        List.of()));
    }

    // --- disks, plugins, stop

    @Test
    void addsAndRemovesDisks() throws Exception {
        Service service = rig.start();
        assertEquals("the service has no disk", refused(service, Refusal.Kind.NOT_SO, "map.list"));
        Map<?, ?> added = map(service, "disk.add", "main", "mem:a", "name", "x", "export", "y", "readOnly", true);
        assertEquals("x", added.get("name"));
        assertEquals("y", added.get("exportName"));
        assertEquals(true, added.get("readOnly"));
        assertEquals(
                "disk 'x' is served read-only",
                refused(service, Refusal.Kind.ENVIRONMENT, "map.add", "first", 0, "length", 1));
        assertEquals(Map.of("removed", "x"), map(service, "disk.remove", "disk", "x"));
        assertEquals(List.of(), list(service, "disks"));
    }

    @Test
    void listsThePlugins() throws Exception {
        Map<?, ?> plugin = (Map<?, ?>) list(rig.start(), "plugins").get(0);
        assertEquals(List.of("role", "name", "module", "description"), List.copyOf(plugin.keySet()));
        assertEquals("buffer pool", plugin.get("role"));
    }

    @Test
    void tellsTheOwnerThatAStopWasAskedFor() throws Exception {
        Service service = rig.start("a");
        var asked = service.stopRequested().toCompletableFuture();
        assertFalse(asked.isDone());
        assertEquals(Map.of("stopping", true), map(service, "stop"));
        asked.get(10, TimeUnit.SECONDS);
        assertEquals(1, list(service, "disks").size(), "stopping is the owner's business");
    }

    @Test
    void tellsWhoWaitsForTheStopThatItWasInOrder() throws Exception {
        Service service = rig.start("a");
        Map<?, ?> early = map(service, "stop.wait", "timeoutMillis", 1);
        assertEquals(false, early.get("ended"), "nobody has stopped it");
        assertTrue(service.stop(1000));
        Map<?, ?> answer = map(service, "stop.wait", "timeoutMillis", 10_000);
        assertEquals(true, answer.get("ended"));
        assertNull(answer.get("failure"));
    }

    @Test
    void tellsWhoWaitsForTheStopWhatWentWrong() throws Exception {
        Service service = rig.start("a");
        rig.at("close metadata a", () -> {
            throw new IllegalStateException("metadata broke");
        });
        assertFalse(service.stop(1000));
        Map<?, ?> answer = map(service, "stop.wait", "timeoutMillis", 10_000);
        assertEquals(true, answer.get("ended"));
        assertTrue(answer.get("failure").toString().contains("metadata broke"), answer::toString);
    }
}
