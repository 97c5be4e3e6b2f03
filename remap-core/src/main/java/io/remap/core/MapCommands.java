package io.remap.core;

import io.remap.api.DiskError;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.core.disk.MapEntry;
import io.remap.core.disk.VirtualDisk;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/** The commands on the map of a disk: list, add, remove. */
final class MapCommands {
    static final int MAX_LIST_ENTRIES = 10_000;
    static final int DEFAULT_LIST_ENTRIES = 1_000;

    /** So long a command waits for a move; shorter than the patience of its client. */
    static final long MOVE_WAIT_MILLIS = 590_000;

    private final DiskTable disks;
    private final long moveWaitMillis;

    MapCommands(DiskTable disks, long moveWaitMillis) {
        this.disks = disks;
        this.moveWaitMillis = moveWaitMillis;
    }

    private ServedDisk disk(Arguments arguments) throws Refusal {
        return disks.disk(arguments.text("disk", ""));
    }

    private static long sectors(VirtualDisk disk) {
        return disk.traits().sizeBytes() / disk.traits().sectorBytes();
    }

    Map<String, Object> list(Arguments arguments) throws Refusal {
        ServedDisk served = disk(arguments);
        VirtualDisk disk = served.disk();
        long sectors = sectors(disk);
        long first = arguments.number("first", 0, sectors - 1, 0);
        int limit = (int) arguments.number("limit", 1, MAX_LIST_ENTRIES, DEFAULT_LIST_ENTRIES);
        List<Map<String, Object>> entries = new ArrayList<>();
        long end = sectors;
        for (MapEntry entry : disk.mappings(first, limit)) {
            entries.add(show(entry));
            end = entry.range().endSector();
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", served.name());
        answer.put("sectorBytes", disk.traits().sectorBytes());
        answer.put("entries", entries);
        answer.put("next", entries.size() == limit && end < sectors ? end : null);
        return answer;
    }

    private static Map<String, Object> show(MapEntry entry) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("first", entry.range().firstSector());
        shown.put("length", entry.range().lengthSectors());
        shown.put("state", PlainValues.word(entry.state()));
        if (entry.spareOffsetBytes() >= 0) {
            shown.put("spareOffsetBytes", entry.spareOffsetBytes());
        }
        return shown;
    }

    Map<String, Object> add(Arguments arguments) throws Refusal {
        ServedDisk served = disk(arguments);
        SectorRange range = range(served, arguments);
        boolean unreadable = arguments.flag("unreadable");
        return move(served, range, done -> served.disk().mapAdd(range, unreadable, done), "onto the spare");
    }

    Map<String, Object> remove(Arguments arguments) throws Refusal {
        ServedDisk served = disk(arguments);
        SectorRange range = range(served, arguments);
        return move(served, range, done -> served.disk().mapRemove(range, done), "back to main");
    }

    private static SectorRange range(ServedDisk served, Arguments arguments) throws Refusal {
        long sectors = sectors(served.disk());
        long first = arguments.number("first", 0, sectors - 1);
        return new SectorRange(first, arguments.number("length", 1, sectors - first));
    }

    private Map<String, Object> move(
            ServedDisk served, SectorRange range, Consumer<Consumer<DiskError>> start, String where) throws Refusal {
        var immovable = served.immovable();
        if (immovable.isPresent()) {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, immovable.get());
        }
        CompletableFuture<DiskError> end = new CompletableFuture<>();
        start.accept(end::complete);
        DiskError error;
        try {
            error = end.get(moveWaitMillis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new Refusal(
                    Refusal.Kind.DEVICE_FAILED,
                    range + " of disk '" + served.name() + "' are still being moved after " + moveWaitMillis / 1000
                            + " s; that goes on, 'map list' shows how far it is",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Refusal(Refusal.Kind.DEVICE_FAILED, "interrupted; the move of " + range + " goes on", e);
        } catch (ExecutionException e) {
            throw new IllegalStateException("a failure is a result here", e);
        }
        if (error != DiskError.NONE) {
            throw refusal(error, range + " of disk '" + served.name() + "' were not all moved " + where);
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", served.name());
        answer.put("first", range.firstSector());
        answer.put("length", range.lengthSectors());
        return answer;
    }

    private static Refusal refusal(DiskError error, String what) {
        return switch (error) {
            case NO_SPACE -> new Refusal(Refusal.Kind.ENVIRONMENT, what + ": the spare has no free slot");
            case SHUTDOWN -> new Refusal(Refusal.Kind.BUSY, what + ": the disk is stopping");
            case READ_ONLY -> new Refusal(Refusal.Kind.USAGE, what + ": the disk is served read-only");
            case INVALID -> new Refusal(Refusal.Kind.USAGE, what + ": they are not on the disk");
            case NONE, IO, NOT_SUPPORTED ->
                new Refusal(
                        Refusal.Kind.DEVICE_FAILED,
                        what + ": a sector could not be read, written or recorded; 'map list' shows what was moved"
                                + " before, the log of the service says why it stopped");
        };
    }
}
