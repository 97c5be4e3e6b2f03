package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataCopies;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareMember;
import io.remap.core.SpareCare.Level;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** The commands on the metadata of a disk: status, check, save, sync. */
final class MetadataCommands {
    private final DiskTable disks;
    private final String serviceName;

    MetadataCommands(DiskTable disks, String serviceName) {
        this.disks = disks;
        this.serviceName = serviceName;
    }

    Map<String, Object> status(Arguments arguments) throws Refusal {
        return status(disks.disk(arguments.text("disk", "")));
    }

    private static Map<String, Object> status(ServedDisk disk) throws Refusal {
        FeatureStatus feature = disk.metadata().metadata();
        MetadataStore store = store(disk);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", disk.name());
        answer.put("metadata", feature.text());
        answer.put("pairUuid", store.pair().pairUuid().toString());
        answer.put("generation", store.generation());
        answer.put("mappings", store.table().extents());
        answer.put("mappingLimit", store.plan().mappingLimit());
        answer.put("copies", PlainValues.of(store.copies().map(MetadataCopies::state)));
        return answer;
    }

    private static MetadataStore store(ServedDisk disk) throws Refusal {
        return disk.metadata()
                .store()
                .orElseThrow(() -> new Refusal(
                        Refusal.Kind.USAGE,
                        "disk '" + disk.name() + "' has no metadata: "
                                + disk.metadata().metadata().text()));
    }

    private static MetadataCopies copies(ServedDisk disk) throws Refusal {
        return store(disk)
                .copies()
                .orElseThrow(() -> new Refusal(
                        Refusal.Kind.ENVIRONMENT, "the metadata of disk '" + disk.name() + "' keeps no copies"));
    }

    Map<String, Object> check(Arguments arguments) throws Refusal {
        ServedDisk disk = disks.disk(arguments.text("disk", ""));
        Level level = level(arguments.text("level", "standard"));
        MetadataReport report = await(disk, listener -> copies(disk).verify(false, listener));
        MetadataStore store = store(disk);
        MemberCheck check =
                new MemberCheck(Optional.of(store.table()), store.pair().sectorBytes());
        List<MemberCheck.Member> further = further(disk, store);
        BlockDevice first = disk.devices().spare().orElseThrow();
        try {
            for (MemberCheck.Member member : further) {
                check.add(member, disk.pairs()::checkSpare);
            }
            if (level == Level.FULL) {
                SpareCare.readSectors(first, Optional.of(disk.devices().main()), store, further, check);
            }
        } catch (DeviceException e) {
            throw new Refusal(Refusal.Kind.DEVICE_FAILED, e.getMessage(), e);
        }
        return SpareCare.finished(
                        first.name(),
                        level == Level.FULL ? Level.FULL : Level.STANDARD,
                        Optional.of(serviceName),
                        report,
                        new ArrayList<>(report.findings()),
                        check)
                .toMap();
    }

    /** Those that are served, and those that the disk is served without. */
    private static List<MemberCheck.Member> further(ServedDisk disk, MetadataStore store) {
        Map<Integer, FurtherSpares.Open> open = new LinkedHashMap<>();
        disk.metadata().further().open().forEach(one -> open.put(one.member().index(), one));
        List<MemberCheck.Member> members = new ArrayList<>();
        for (SpareMember stated : store.members()) {
            FurtherSpares.Open one = open.get(stated.index());
            if (one != null) {
                members.add(MemberCheck.Member.present(stated, one.device(), one.slots()));
            } else if (stated.index() != store.openedFrom()) {
                members.add(MemberCheck.Member.absent(
                        stated, MemberSearch.State.MISSING, "", "the disk is served without it"));
            }
        }
        return members;
    }

    private static Level level(String word) throws Refusal {
        for (Level level : Level.values()) {
            if (level.name().toLowerCase(Locale.ROOT).equals(word)) {
                return level;
            }
        }
        throw new Refusal(Refusal.Kind.USAGE, "metadata.check: no level '" + word + "': quick, standard or full");
    }

    /** Saves what is not saved with each change. */
    Map<String, Object> save(Arguments arguments) throws Refusal {
        ServedDisk disk = disks.disk(arguments.text("disk", ""));
        Autosave.Saves saved = disk.saveAndWait();
        List<Map<String, Object>> sections = new ArrayList<>();
        long bytes = 0;
        for (Map.Entry<String, byte[]> section : saved.sections().entrySet()) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("name", section.getKey());
            one.put("bytes", section.getValue().length);
            sections.add(one);
            bytes += section.getValue().length;
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", disk.name());
        answer.put("written", saved.written());
        answer.put(
                "ageMillis", saved.ageMillis().isPresent() ? saved.ageMillis().getAsLong() : null);
        answer.put("bytes", bytes);
        answer.put("sections", sections);
        return answer;
    }

    /** Writes the table anew, then reads everything and repairs what is damaged still. */
    Map<String, Object> sync(Arguments arguments) throws Refusal {
        ServedDisk disk = disks.disk(arguments.text("disk", ""));
        await(disk, listener -> copies(disk).rewrite(listener));
        await(disk, listener -> copies(disk).verify(true, listener));
        return status(disk);
    }

    /** Starts something on copies. */
    @FunctionalInterface
    private interface Start {
        void with(MetadataCopies.Listener listener) throws Refusal;
    }

    private static MetadataReport await(ServedDisk disk, Start start) throws Refusal {
        CompletableFuture<Optional<MetadataReport>> ended = new CompletableFuture<>();
        start.with((report, refusal) -> {
            if (refusal != null) {
                ended.completeExceptionally(refusal);
            } else {
                ended.complete(Optional.ofNullable(report));
            }
        });
        String stillRead = "the metadata of disk '" + disk.name() + "' is still being read";
        return Patience.await(
                        ended,
                        Patience.COMMAND_MILLIS,
                        stillRead + " after " + Patience.COMMAND_MILLIS + " ms: the spare answers slowly or not at all",
                        stillRead)
                .orElse(null);
    }
}
