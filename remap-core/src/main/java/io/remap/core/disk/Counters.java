package io.remap.core.disk;

import io.remap.api.Attribute;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;

/** What a virtual disk counts. */
final class Counters {
    final LongAdder reads = new LongAdder();
    final LongAdder writes = new LongAdder();
    final LongAdder flushes = new LongAdder();
    final LongAdder readBytes = new LongAdder();
    final LongAdder writtenBytes = new LongAdder();
    final LongAdder wholeRequests = new LongAdder();
    final LongAdder splitRequests = new LongAdder();
    final LongAdder remappedSegments = new LongAdder();
    final LongAdder parkedRequests = new LongAdder();
    final LongAdder failedRequests = new LongAdder();
    final LongAdder readRecoveries = new LongAdder();
    final LongAdder recoveredReads = new LongAdder();
    final LongAdder writeRecoveries = new LongAdder();
    final LongAdder redirectedWrites = new LongAdder();
    final LongAdder avoidedReads = new LongAdder();
    final LongAdder foundAreas = new LongAdder();
    final LongAdder endedAreas = new LongAdder();
    final LongAdder avoidedWrites = new LongAdder();
    final LongAdder sealings = new LongAdder();
    final LongAdder openings = new LongAdder();
    final LongAdder mismatches = new LongAdder();
    final LongAdder rottenSlots = new LongAdder();
    final LongAdder newUnreadableSectors = new LongAdder();
    final LongAdder restoredUnreadableSectors = new LongAdder();
    final LongAdder stillUnreadableSectors = new LongAdder();
    final LongAdder newLostSectors = new LongAdder();
    final LongAdder badSlots = new LongAdder();
    final LongAdder evacuatedUnits = new LongAdder();
    final LongAdder droppedHints = new LongAdder();
    final LongAdder returnedUnits = new LongAdder();
    final LongAdder returnsForLackOfTime = new LongAdder();
    final LongAdder repeatedReturnCopies = new LongAdder();
    final LongAdder refusedReturns = new LongAdder();
    final LongAdder abandonedReturns = new LongAdder();
    final LongAdder droppedReturns = new LongAdder();
    final LongAdder deviceFaults = new LongAdder();
    final LongAdder hostShortages = new LongAdder();
    final LongAdder overdueRequests = new LongAdder();
    final LongAdder slowReads = new LongAdder();
    final LongAdder refusedRequests = new LongAdder();
    final LongAdder lateWrites = new LongAdder();
    final LongAdder heldRequests = new LongAdder();
    final LongAdder resumedRequests = new LongAdder();
    final LongAdder heldWrites = new LongAdder();
    final Verified verifiedOnMain = new Verified();
    final Verified verifiedOnSpare = new Verified();
    final LongAdder rewrittenSectors = new LongAdder();
    final LongAdder movedSectors = new LongAdder();
    final LongAdder lostUnflushedSectors = new LongAdder();

    /** What the verifications of one device found. */
    static final class Verified {
        final LongAdder verifications = new LongAdder();
        final LongAdder sectors = new LongAdder();
        final LongAdder lostSectors = new LongAdder();
    }

    List<Attribute> attributes() {
        return Stream.of(ofRequests(), ofReturns(), ofDevices(), ofAvoidedAreas(), ofChecksums(), ofLedgers())
                .flatMap(List::stream)
                .toList();
    }

    private List<Attribute> ofRequests() {
        return List.of(
                count("io.reads", "READ requests", reads),
                count("io.writes", "WRITE, TRIM and WRITE_ZEROES requests", writes),
                count("io.flushes", "FLUSH requests", flushes),
                Attribute.readOnly("io.read-bytes", "bytes", "Bytes asked for by READ", readBytes::sum),
                Attribute.readOnly("io.written-bytes", "bytes", "Bytes given by WRITE", writtenBytes::sum),
                count("io.whole", "Requests that were one segment", wholeRequests),
                count("io.split", "Requests that were cut into several segments", splitRequests),
                count("io.remapped", "Segments that were on the spare", remappedSegments),
                count("io.parked", "Times that a request waited for a range that was being moved", parkedRequests),
                count("io.failed", "Requests answered with an error", failedRequests),
                count("recovery.reads", "READs that went through recovery", readRecoveries),
                count("recovery.recovered-reads", "Units that were read after errors", recoveredReads),
                count("recovery.writes", "Writes that went through recovery", writeRecoveries),
                count("remap.redirected-writes", "Writes redirected to the spare", redirectedWrites),
                count("remap.new-unreadable-sectors", "Sectors found unreadable", newUnreadableSectors),
                count(
                        "remap.restored-unreadable-sectors",
                        "Sectors known as unreadable from before the start",
                        restoredUnreadableSectors),
                count(
                        "remap.still-unreadable-sectors",
                        "Tries of one read that found a sector as unreadable as before the start",
                        stillUnreadableSectors),
                count("remap.new-lost-sectors", "Sectors whose content was lost", newLostSectors),
                count("remap.bad-slots", "Slots of the spares found bad", badSlots),
                count("remap.evacuated-units", "Units of 4096 bytes moved from a spare to others", evacuatedUnits),
                count(
                        "remap.forgotten-unreadable-sectors",
                        "Times that an unreadable sector was not remembered, since too many are",
                        droppedHints));
    }

    private List<Attribute> ofReturns() {
        return List.of(
                count("return.units", "Units of 4096 bytes brought back to main", returnedUnits),
                count(
                        "return.units-out-of-time",
                        "Of them those that had gone to the spare only for lack of time, and came back by themselves",
                        returnsForLackOfTime),
                count(
                        "return.repeated-copies",
                        "Copies to main made again, since a write had gone to the slot meanwhile",
                        repeatedReturnCopies),
                count(
                        "return.refused-units",
                        "Units that went to the spare for lack of time, and stay there since main refuses them",
                        refusedReturns),
                count(
                        "return.abandoned-units",
                        "Units that stay on the spare since bringing them back failed too often for other reasons",
                        abandonedReturns),
                count(
                        "return.forgotten-units",
                        "Units that stay on the spare since too many were waiting to be brought back",
                        droppedReturns));
    }

    private List<Attribute> ofDevices() {
        return List.of(
                count(
                        "deadline.overdue",
                        "Requests answered with an error since their deadline was over",
                        overdueRequests),
                count(
                        "deadline.refused",
                        "Requests answered with an error at once since too much hung or waited at their place",
                        refusedRequests),
                count(
                        "deadline.late-writes",
                        "Writes that went to the spare since main had not answered for a quarter of the deadline",
                        lateWrites),
                count(
                        "deadline.slow-reads",
                        "Reads of main seen at it for longer than scan.slow-millis, which health was told of",
                        slowReads),
                count("drop-off.held", "Times that a request waited for a device that was away", heldRequests),
                count("drop-off.resumed", "Requests that went on when a device was back", resumedRequests),
                count("device.faults", "Errors blamed on a device as a whole", deviceFaults),
                count(
                        "host.shortages",
                        "Transfers given up since this host was short of memory or descriptors for too long",
                        hostShortages));
    }

    private List<Attribute> ofAvoidedAreas() {
        return List.of(
                count("avoid.reads", "READs that failed at once since their area of main is avoided", avoidedReads),
                count(
                        "avoid.writes",
                        "Writes of which some went to the spare at once since their area of main is avoided",
                        avoidedWrites),
                count("avoid.found-areas", "Areas of main that were found dead and are avoided since", foundAreas),
                count(
                        "avoid.ended-areas",
                        "Areas that were found dead, and read again when they were tried",
                        endedAreas));
    }

    private List<Attribute> ofChecksums() {
        return List.of(
                count("checksums.sealings", "Times that a region of a spare was sealed with checksums", sealings),
                count("checksums.openings", "Times that a sealed region was opened, to be written", openings),
                count("checksums.mismatches", "Reads of a spare that did not match their checksum", mismatches),
                count(
                        "checksums.lost-slots",
                        "Slots of spares whose content was given up since it was not what had been written",
                        rottenSlots));
    }

    private List<Attribute> ofLedgers() {
        return List.of(
                count("ledger.held-writes", "Writes that waited for a flush since the ledger was full", heldWrites),
                count(
                        "ledger.verifications",
                        "Times that the ledger of main was verified and main synced anew",
                        verifiedOnMain.verifications),
                count(
                        "ledger.verified-sectors",
                        "Sectors found on main as they were acknowledged",
                        verifiedOnMain.sectors),
                count(
                        "ledger.spare-verifications",
                        "Times that the ledger of the spare was verified and the spare synced anew",
                        verifiedOnSpare.verifications),
                count(
                        "ledger.spare-verified-sectors",
                        "Sectors found on the spare as they were acknowledged",
                        verifiedOnSpare.sectors),
                count(
                        "ledger.spare-lost-sectors",
                        "Of the lost sectors those that had stood on the spare",
                        verifiedOnSpare.lostSectors),
                count(
                        "ledger.rewritten-sectors",
                        "Sectors that main had not, and took when they were written again",
                        rewrittenSectors),
                count("ledger.moved-sectors", "Sectors that main refused, and that went to the spare", movedSectors),
                count(
                        "ledger.lost-sectors",
                        "Sectors that were acknowledged, were not flushed, and stand nowhere",
                        lostUnflushedSectors));
    }

    private static Attribute count(String name, String doc, LongAdder adder) {
        return Attribute.readOnly(name, "count", doc, adder::sum);
    }
}
