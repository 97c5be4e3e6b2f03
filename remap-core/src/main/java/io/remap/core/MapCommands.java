package io.remap.core;

import io.remap.api.DiskError;
import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.core.disk.AvoidedRegions;
import io.remap.core.disk.MapEntry;
import io.remap.core.disk.MapSteering;
import io.remap.core.disk.VirtualDisk;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/** The commands on the map of a disk: list, add, remove. */
final class MapCommands {
    static final int MAX_LIST_ENTRIES = 10_000;
    static final int DEFAULT_LIST_ENTRIES = 1_000;

    private final DiskTable disks;
    private final long moveWaitMillis;

    MapCommands(DiskTable disks, long moveWaitMillis) {
        this.disks = disks;
        this.moveWaitMillis = moveWaitMillis;
    }

    private ServedDisk disk(Arguments arguments) throws Refusal {
        return disks.disk(arguments.text("disk", ""));
    }

    static long sectors(VirtualDisk disk) {
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
        for (MapEntry entry : disk.map().entries(first, limit)) {
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
        if (entry.spare() > 0) {
            shown.put("spare", entry.spare());
        }
        if (entry.spareOffsetBytes() >= 0) {
            shown.put("spareOffsetBytes", entry.spareOffsetBytes());
        }
        return shown;
    }

    Map<String, Object> add(Arguments arguments) throws Refusal {
        ServedDisk served = disk(arguments);
        SectorRange range = arguments.range(sectors(served.disk()));
        boolean unreadable = arguments.flag("unreadable");
        Map<String, Object> answer = move(
                served,
                range,
                ended -> served.disk().map().add(range, unreadable, ended),
                "onto the spare",
                unreadable ? "" : "; if it cannot be read, --unreadable gives its content up");
        if (unreadable) {
            answer.put("lostSectors", lostSectors(served.disk(), range));
        }
        return answer;
    }

    private static long lostSectors(VirtualDisk disk, SectorRange range) {
        long lost = 0;
        for (long next = range.firstSector(); next < range.endSector(); ) {
            List<MapEntry> entries = disk.map().entries(next, DEFAULT_LIST_ENTRIES);
            if (entries.isEmpty()) {
                break;
            }
            for (MapEntry entry : entries) {
                long first = Math.max(entry.range().firstSector(), range.firstSector());
                next = entry.range().endSector();
                if (entry.state() == MapEntry.State.LOST) {
                    lost += Math.max(0, Math.min(next, range.endSector()) - first);
                }
            }
        }
        return lost;
    }

    /** As the commands take it. */
    private static String words(SectorRange range) {
        return range.firstSector() + "+" + range.lengthSectors();
    }

    Map<String, Object> remove(Arguments arguments) throws Refusal {
        ServedDisk served = disk(arguments);
        SectorRange range = arguments.range(sectors(served.disk()));
        return move(
                served,
                range,
                ended -> served.disk().map().remove(range, ended),
                "back to main",
                "; if main does not take it, it stays on the spare");
    }

    /** How a move ended. */
    private record End(DiskError error, long firstFailedByte) {}

    private Map<String, Object> move(
            ServedDisk served, SectorRange range, Consumer<MapSteering.MoveListener> start, String where, String hint)
            throws Refusal {
        Optional<String> immovable = served.immovable();
        if (immovable.isPresent()) {
            throw new Refusal(Refusal.Kind.ENVIRONMENT, immovable.get());
        }
        Optional<AvoidedRegions.Region> avoided = served.disk().avoided().meeting(range);
        if (avoided.isPresent()) {
            throw new Refusal(
                    Refusal.Kind.NOT_SO,
                    range + " of disk '" + served.name() + "' cannot be moved: main is left alone in "
                            + served.disk().avoided().sectors(avoided.get()) + "; 'remap avoid remove "
                            + ShellWords.quoted(served.name()) + ' '
                            + words(served.disk().avoided().sectors(avoided.get())) + "' ends that");
        }
        CompletableFuture<End> ended = new CompletableFuture<>();
        start.accept((error, place) -> ended.complete(new End(error, place)));
        String what = range + " of disk '" + served.name() + "'";
        End end = Patience.await(
                ended,
                moveWaitMillis,
                what + " are still being moved after " + moveWaitMillis
                        + " ms; that goes on, and 'remap map list " + ShellWords.quoted(served.name())
                        + "' shows how far it is",
                "the move of " + what + " goes on");
        if (end.error != DiskError.NONE) {
            throw refusal(end, served.disk(), what + " were not all moved " + where, hint);
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", served.name());
        answer.put("first", range.firstSector());
        answer.put("length", range.lengthSectors());
        return answer;
    }

    private static Refusal refusal(End end, VirtualDisk disk, String what, String hint) {
        return switch (end.error) {
            case NO_SPACE -> new Refusal(Refusal.Kind.ENVIRONMENT, what + ": the spare has no free slot");
            case SHUTDOWN -> new Refusal(Refusal.Kind.BUSY, what + ": the disk is stopping");
            case READ_ONLY -> new Refusal(Refusal.Kind.USAGE, what + ": the disk is served read-only");
            case INVALID -> new Refusal(Refusal.Kind.USAGE, what + ": they are not on the disk");
            case NONE, IO, NOT_SUPPORTED -> {
                String place = end.firstFailedByte < 0
                        ? ""
                        : " at sector " + end.firstFailedByte / disk.traits().sectorBytes();
                yield new Refusal(
                        Refusal.Kind.DEVICE_FAILED,
                        what + ": an error" + place + " ended it" + hint + ". What was moved before stays moved");
            }
        };
    }
}
