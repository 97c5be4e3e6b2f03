package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import io.remap.api.spi.TableCopy;
import io.remap.core.SpareCare.CheckedSpare;
import io.remap.core.disk.SealedSlots;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a check finds of the spares of a pair beside the first one, and of the sectors that stand on any. Collects, and writes
 * nothing. Used once, by one thread.
 */
final class MemberCheck {
    /**
     * A further spare that is stated.
     *
     * @param stated as the first one states it
     * @param state {@code present}, {@code older}, {@code twice} or {@code missing}
     * @param name the device; empty if it is missing
     * @param detail why it is not present
     * @param device with {@code present}: it is the caller's to close
     * @param slots with {@code present}: where its slots lie
     */
    record Member(
            SpareMember stated,
            String state,
            String name,
            String detail,
            Optional<BlockDevice> device,
            Optional<SpareSlots> slots) {
        static Member present(SpareMember stated, BlockDevice device, SpareSlots slots) {
            return new Member(
                    stated,
                    PlainValues.word(MemberSearch.State.PRESENT),
                    device.name(),
                    "",
                    Optional.of(device),
                    Optional.of(slots));
        }

        static Member absent(SpareMember stated, MemberSearch.State state, String name, String detail) {
            return new Member(stated, PlainValues.word(state), name, detail, Optional.empty(), Optional.empty());
        }
    }

    /** Reads what a further spare says of itself. */
    @FunctionalInterface
    interface OwnMetadata {
        MetadataReport check(BlockDevice spare) throws Refusal, DeviceException;
    }

    private final Optional<RemapTable> table;
    private final int sectorBytes;
    private final List<Finding> findings = new ArrayList<>();
    private final List<CheckedSpare> spares = new ArrayList<>();
    /** Numbers of those whose device as a whole failed. */
    private final Set<Integer> failed = new HashSet<>();

    private long sectorsRead;
    private long sectorsUnreadable;
    private long sectorsRotten;

    /** @param table what stands where; empty if it was not read */
    MemberCheck(Optional<RemapTable> table, int sectorBytes) {
        this.table = table;
        this.sectorBytes = sectorBytes;
    }

    List<Finding> findings() {
        return findings;
    }

    List<CheckedSpare> spares() {
        return spares;
    }

    long sectorsRead() {
        return sectorsRead;
    }

    long sectorsUnreadable() {
        return sectorsUnreadable;
    }

    long sectorsRotten() {
        return sectorsRotten;
    }

    /** Says how a further spare stands. */
    void add(Member member, OwnMetadata own) {
        int number = member.stated.index();
        Optional<Long> used = table.map(entries -> entries.unitsOn(number));
        List<Part> parts = List.of();
        if (member.device.isPresent()) {
            parts = parts(member.device.get(), number, own);
        } else {
            addMissing(member, used);
        }
        spares.add(new CheckedSpare(
                number,
                member.name.isEmpty() ? Optional.empty() : Optional.of(member.name),
                member.state,
                member.stated.slots(),
                used,
                parts));
    }

    private void addMissing(Member member, Optional<Long> used) {
        boolean inUse = used.isEmpty() || used.get() > 0;
        String means = used.map(units -> units == 0
                        ? "nothing stands on it, but the pair is not served for writing without it or --missing-spares"
                        : units + " units of 4096 bytes stand on it, which answer with errors until it is back")
                .orElse("what stands on it answers with errors until it is back");
        findings.add(new Finding(
                inUse ? Severity.ERROR : Severity.WARNING,
                "spare " + member.stated.index() + " is not there (" + member.detail + "): " + means,
                "attach it, and name it with --spare; if it is gone for good: 'remap serve' with --missing-spares, then"
                        + " 'remap spare remove' with --lose"));
    }

    private List<Part> parts(BlockDevice device, int number, OwnMetadata own) {
        try {
            MetadataReport report = own.check(device);
            for (Finding finding : report.findings()) {
                if (finding.severity() != Severity.NOTE) {
                    findings.add(
                            new Finding(finding.severity(), "spare " + number + ": " + finding.what(), finding.hint()));
                }
            }
            return report.parts();
        } catch (Refusal e) {
            findings.add(new Finding(Severity.ERROR, "spare " + number + ": " + e.getMessage(), ""));
            return List.of();
        } catch (DeviceException e) {
            addFailed(number, e);
            return List.of();
        }
    }

    /** The device of a further spare as a whole failed: what stands on the others is told all the same. */
    void addFailed(int number, DeviceException why) {
        if (failed.add(number)) {
            findings.add(new Finding(
                    Severity.ERROR,
                    "spare " + number + ": " + why.getMessage() + ": what stands on it is out of reach",
                    "attach it anew and check again; if it is gone for good: 'remap serve' with --missing-spares, then"
                            + " 'remap spare remove' with --lose"));
        }
    }

    /** Whether its device can be asked nothing more. */
    boolean hasFailed(int number) {
        return failed.contains(number);
    }

    /**
     * Notes that the table on a further spare is not what is stated of it. The one that was opened has all that was
     * acknowledged, so that nothing is lost as long as that one lives.
     *
     * @param table what can be loaded from it
     */
    void addTable(Member member, Optional<TableCopy> table) {
        if (member.stated.table() && table.filter(TableCopy::certain).isEmpty()) {
            findings.add(new Finding(
                    Severity.WARNING,
                    "spare " + member.stated.index() + " (" + member.name
                            + ") is stated to have a copy of the table, and "
                            + (table.isEmpty() ? "none can be loaded from it" : "that on it is not certain")
                            + ": the table is on the spare that is checked alone",
                    "'remap serve' with both writes the copy anew"));
        }
    }

    /** Reads every sector that stands on a spare, and compares it with its checksum if there is one. */
    void readSectors(BlockDevice spare, int number, SpareSlots slots, MetadataStore store) throws DeviceException {
        SealedSlots sealed = new SealedSlots(store, spare, number, slots);
        SlotReading.Result result =
                new SlotReading(table.orElseThrow(), sectorBytes).readSlots(spare, number, slots, sealed);
        sectorsRead += result.read();
        String where = number == 0 ? "the spare" : "spare " + number;
        String hint = "restore them from a backup by writing them: the write goes to another slot";
        addUnreadable(
                result.unreadable(), Severity.ERROR, " stand on " + where + " and cannot be read there", hint, where);
        SlotReading.Places rotten = result.rotten();
        addRanges(
                rotten, Severity.ERROR, " stand on " + where + " and are not what was written there (checksum)", hint);
        addMore(rotten, "are not what was written there, on " + where, where);
        sectorsRotten += rotten.sectors();
        if (sealed.unclaimedRegions() > 0) {
            findings.add(new Finding(
                    Severity.WARNING,
                    "of " + sealed.unclaimedRegions() + " regions of 256 KiB on " + where
                            + " the checksums cannot be read: rot there is not noticed",
                    "serve the disk with checksum-idle-seconds: they are sealed anew"));
        }
    }

    /** Reads what main has beside sectors that stand on a spare. */
    void readBeside(BlockDevice main) throws DeviceException {
        SlotReading.Result result = new SlotReading(table.orElseThrow(), sectorBytes).readBeside(main);
        sectorsRead += result.read();
        addUnreadable(
                result.unreadable(),
                Severity.WARNING,
                " stand on main beside sectors that do not, and cannot be read there",
                "they answer EIO until they are written; that write goes to the spare",
                "main");
    }

    private void addUnreadable(SlotReading.Places places, Severity severity, String what, String hint, String where) {
        addRanges(places, severity, what, hint);
        addMore(places, "cannot be read on " + where, where);
        sectorsUnreadable += places.sectors();
    }

    private void addRanges(SlotReading.Places places, Severity severity, String what, String hint) {
        for (SectorRange range : places.ranges()) {
            findings.add(new Finding(severity, range + what, hint));
        }
    }

    /** Says of how many the ranges do not tell. */
    private void addMore(SlotReading.Places places, String what, String where) {
        long more = places.sectors()
                - places.ranges().stream().mapToLong(SectorRange::lengthSectors).sum();
        if (more > 0) {
            findings.add(new Finding(
                    Severity.ERROR, more + " more sectors " + what, "replace " + where + ": copy everything off"));
        }
    }
}
