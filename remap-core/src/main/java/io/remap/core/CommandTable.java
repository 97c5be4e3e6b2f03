package io.remap.core;

import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.ControlCommands;
import io.remap.api.spi.FeatureCommand;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeoutException;

/**
 * The commands of a service by name, with their arguments; those in brackets may be left out, {@code disk} if there
 * is only one.
 *
 * <ul>
 *   <li>{@code status} → {@link ServiceStatus#toMap()}
 *   <li>{@code disks} → the {@code disks} of the status
 *   <li>{@code attributes} {@code [prefix]} → list of {@code {name, unit, doc, value, settable}}
 *   <li>{@code attribute.get} {@code name} → one of these
 *   <li>{@code attribute.set} {@code name value} → the same, afterwards
 *   <li>{@code map.list} {@code [disk] [first] [limit]} → {@code {disk, sectorBytes, entries: [{first, length, state,
 *       …}], next}}; {@code next} is the sector to go on with, {@code null} at the end
 *   <li>{@code map.add} {@code [disk] first length [unreadable]} → {@code {disk, first, length}} when it is durable
 *   <li>{@code map.remove} {@code [disk] first length} → the same
 *   <li>{@code avoid.list} {@code [disk]} → {@code {disk, sectorBytes, spareUnits, spareBudgetUnits, regions:
 *       [{first, length, origin, sinceMillis, retryMillis, retries}]}}; {@code origin} is {@code asked} or {@code
 *       found}
 *   <li>{@code avoid.add} {@code [disk] first length} → the same, afterwards
 *   <li>{@code avoid.remove} {@code [disk] first length} → the same, afterwards
 *   <li>{@code metadata.status} {@code [disk]} → {@code {disk, metadata, pairUuid, generation, mappings,
 *       mappingLimit, copies}}
 *   <li>{@code metadata.check} {@code [disk] [level]} → {@link SpareCare.Checked#toMap()} when all copies were read
 *   <li>{@code metadata.save} {@code [disk]} → {@code {disk, written, ageMillis, bytes, sections: [{name, bytes}]}},
 *       when it is durable
 *   <li>{@code metadata.sync} {@code [disk]} → as {@code metadata.status}, when all was written anew and read back
 *   <li>{@code spare.list} {@code [disk]} → {@code {disk, spares: [{spare, device, stableId, state, priority, slots,
 *       freeSlots, badSlots, usedSlots, holdsTable}]}}
 *   <li>{@code spare.add} {@code [disk] spare [createBytes] [force] [priority] [standby]} → as {@code spare.list},
 *       when it is durable; here {@code spare} is the device, for the others its number
 *   <li>{@code spare.set} {@code [disk] spare [priority] [standby]} → as {@code spare.list}, when it is durable
 *   <li>{@code spare.evacuate} {@code [disk] spare} → as {@code spare.list}, with {@code {movedUnits, leftUnits,
 *       goesOn, takenBack}}, when nothing more can be moved, or when that takes too long and goes on
 *   <li>{@code spare.keep} {@code [disk] spare} → as {@code spare.list}, when it is durable
 *   <li>{@code spare.remove} {@code [disk] spare [lose]} → as {@code spare.list}, when it is durable
 *   <li>{@code events} {@code [disk] [after] [limit]} → {@code {disk, sectorBytes, events: [{number, firstMillis,
 *       lastMillis, count, kind, sectors, detail}]}}, the newest with a number above {@code after}, oldest first
 *   <li>{@code disk.add} {@code main [spare] [name] [export] [readOnly] [acceptMainChanges]} → the disk's status
 *   <li>{@code disk.remove} {@code disk} → {@code {removed: name}}
 *   <li>{@code plugins} → list of {@code {role, name, module, description}}
 *   <li>{@code stop} → {@code {stopping: true}}; the owner of the service is told by {@link Service#stopRequested()}
 *   <li>{@code stop.wait} {@code timeoutMillis} → {@code {ended, failure}} when the disks are stopped or the time is
 *       over; {@code failure} is {@code null} if they ended in order
 * </ul>
 *
 * <p>The features of a disk bring their own for as long as they stand, see {@link FeatureCommand}; with {@code
 * [disk]} as here. A test compares this list with the table.
 */
final class CommandTable implements ControlCommands {
    private static final long MAX_STOP_WAIT_MILLIS = 3_600_000;
    private static final int MAX_EVENTS_SHOWN = 1024;

    /** Carries a command out. */
    @FunctionalInterface
    private interface Body {
        Object run(Arguments arguments) throws Refusal;
    }

    private record Command(List<String> arguments, Body body) {}

    private final SortedMap<String, Command> commands = new TreeMap<>();
    private final Service service;

    CommandTable(Service service) {
        this.service = service;
        AttributeTree attributes = new AttributeTree(service::attributes);
        MapCommands map = new MapCommands(service.disks, Patience.COMMAND_MILLIS);
        put("status", List.of(), a -> service.status().toMap());
        put("disks", List.of(), a -> PlainValues.of(service.status().disks()));
        put("attributes", List.of("prefix"), a -> attributes.list(a.text("prefix", "")));
        put("attribute.get", List.of("name"), a -> attributes.get(a.text("name")));
        put("attribute.set", List.of("name", "value"), a -> attributes.set(a.text("name"), a.scalar("value")));
        put("map.list", List.of("disk", "first", "limit"), map::list);
        put("map.add", List.of("disk", "first", "length", "unreadable"), map::add);
        put("map.remove", List.of("disk", "first", "length"), map::remove);
        AvoidCommands avoid = new AvoidCommands(service.disks);
        put("avoid.list", List.of("disk"), avoid::list);
        put("avoid.add", List.of("disk", "first", "length"), avoid::add);
        put("avoid.remove", List.of("disk", "first", "length"), avoid::remove);
        MetadataCommands metadata = new MetadataCommands(service.disks, service.spec.name());
        put("metadata.status", List.of("disk"), metadata::status);
        put("metadata.check", List.of("disk", "level"), metadata::check);
        put("metadata.save", List.of("disk"), metadata::save);
        put("metadata.sync", List.of("disk"), metadata::sync);
        SpareCommands spares = new SpareCommands(service.disks);
        put("spare.list", List.of("disk"), spares::list);
        put("spare.add", List.of("disk", "spare", "createBytes", "force", "priority", "standby"), spares::add);
        put("spare.set", List.of("disk", "spare", "priority", "standby"), spares::set);
        put("spare.evacuate", List.of("disk", "spare"), spares::evacuate);
        put("spare.keep", List.of("disk", "spare"), spares::keep);
        put("spare.remove", List.of("disk", "spare", "lose"), spares::remove);
        put("events", List.of("disk", "after", "limit"), this::events);
        put("disk.add", List.of("main", "spare", "name", "export", "readOnly", "acceptMainChanges"), this::addDisk);
        put("disk.remove", List.of("disk"), this::removeDisk);
        put("plugins", List.of(), a -> PlainValues.of(service.providers.describe()));
        put("stop", List.of(), this::stop);
        put("stop.wait", List.of("timeoutMillis"), this::awaitStop);
    }

    private void put(String name, List<String> arguments, Body body) {
        commands.put(name, new Command(arguments, body));
    }

    @Override
    public SortedSet<String> names() {
        SortedSet<String> names = new TreeSet<>(commands.keySet());
        for (ServedDisk disk : service.disks.disks()) {
            disk.featureCommands().forEach(command -> names.add(command.name()));
        }
        return Collections.unmodifiableSortedSet(names);
    }

    @Override
    public Object call(String name, Map<String, Object> arguments) throws Refusal {
        Command command = commands.get(name);
        return command == null
                ? callFeature(name, arguments)
                : command.body.run(new Arguments(name, command.arguments, arguments));
    }

    /** A command that a feature of a disk answers; {@code disk} says of which, as everywhere. */
    private Object callFeature(String name, Map<String, Object> given) throws Refusal {
        if (!names().contains(name)) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "there is no command '" + name + "'; there are " + names()
                            + "; a feature that is absent or has failed brings none");
        }
        ServedDisk disk = service.disks.disk(given.get("disk") instanceof String chosen ? chosen : "");
        for (FeatureCommand command : disk.featureCommands()) {
            if (command.name().equals(name)) {
                List<String> arguments = new ArrayList<>(command.arguments());
                arguments.add("disk");
                return command.body().run(new Arguments(name, arguments, given));
            }
        }
        throw new Refusal(
                Refusal.Kind.ENVIRONMENT,
                "disk '" + disk.name() + "' does not answer " + name + ": see 'remap status' for its features");
    }

    private Object events(Arguments arguments) throws Refusal {
        ServedDisk served = service.disks.disk(arguments.text("disk", ""));
        long after = arguments.number("after", 0, Long.MAX_VALUE, 0);
        int limit = (int) arguments.number("limit", 1, MAX_EVENTS_SHOWN, MAX_EVENTS_SHOWN);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", served.name());
        answer.put("sectorBytes", served.disk().traits().sectorBytes());
        answer.put("events", PlainValues.of(served.disk().events().newest(after, limit)));
        return answer;
    }

    private Object addDisk(Arguments arguments) throws Refusal {
        DeviceUri main = DeviceUri.parse(arguments.text("main"));
        Optional<DeviceUri> spare =
                arguments.has("spare") ? Optional.of(DeviceUri.parse(arguments.text("spare"))) : Optional.empty();
        DiskSpec plain = DiskSpec.of(main, spare);
        return PlainValues.of(service.addDisk(new DiskSpec(
                main,
                plain.spares(),
                plain.withoutSpare(),
                arguments.text("name", plain.name()),
                arguments.text("export", plain.exportName()),
                arguments.flag("readOnly"),
                plain.door(),
                plain.sectorBytes(),
                plain.force(),
                plain.adopt(),
                arguments.flag("acceptMainChanges"),
                plain.noWitness(),
                plain.takeOver(),
                plain.missingSpares())));
    }

    private Object removeDisk(Arguments arguments) throws Refusal {
        String disk = arguments.text("disk");
        service.removeDisk(disk);
        return Map.of("removed", disk);
    }

    private Object stop(Arguments arguments) {
        service.requestStop();
        return Map.of("stopping", true);
    }

    private Object awaitStop(Arguments arguments) throws Refusal {
        Map<String, Object> answer = new LinkedHashMap<>();
        try {
            Optional<Exception> failure =
                    service.awaitDisksStopped(arguments.number("timeoutMillis", 0, MAX_STOP_WAIT_MILLIS));
            answer.put("ended", true);
            answer.put("failure", failure.map(StartStack::reason).orElse(null));
        } catch (TimeoutException e) {
            answer.put("ended", false);
            answer.put("failure", null);
        }
        return answer;
    }
}
