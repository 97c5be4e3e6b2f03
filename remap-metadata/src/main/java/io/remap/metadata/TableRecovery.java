package io.remap.metadata;

import io.remap.api.DeviceException;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.RemapTable;
import io.remap.api.Seal;
import io.remap.metadata.Headers.Candidate;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * Finds the committed state of a spare: the newest generation whose table is whole, and its log. Writes nothing, so that it
 * can be repeated after a crash at any moment.
 *
 * <p>What cannot be read is not absent: wherever an unreadable block could hold a committed change, that is a doubt, and a
 * store with doubts is opened for reading only.
 *
 * <p>A generation whose log never began may be what a repair was about to put in place of one that ended with a clean stop.
 * If it states the same, by the same session, the one before it is what counts still, and its clean stop with it.
 */
final class TableRecovery {
    /**
     * What was found.
     *
     * @param tables the state
     * @param header the generation it rests on
     * @param arena the arena of that generation
     * @param copiesWhole copies of that arena whose header was whole, 1 or 2
     * @param logBlocks blocks of the log that are whole, BEGIN included
     * @param commitsReplayed those of them that were applied
     * @param clean the last record says that the store was closed in order
     * @param highestNumber no generation ever had a higher number
     * @param copies of arena A and B, with the blocks that their newest headers replace
     * @param doubts why writing must be refused; empty if all is certain
     */
    record Found(
            Tables tables,
            ArenaHeader header,
            int arena,
            int copiesWhole,
            int logBlocks,
            int commitsReplayed,
            boolean clean,
            long highestNumber,
            List<ArenaCopy[]> copies,
            List<String> doubts) {
        /** What a save proves to be missing: its header says how far the log was durable when it was written. */
        Optional<String> falsifiedBy(SavedArea.Found saved) {
            if (saved != null && saved.generation().equals(header.generation()) && saved.logBlocks() > logBlocks) {
                return Optional.of("log block " + (logBlocks + 1) + " of generation "
                        + header.generation().number() + " is damaged in both copies, and " + saved.logBlocks()
                        + " were durable");
            }
            return Optional.empty();
        }
    }

    private final BlockIo io;
    private final Layout layout;
    private final UUID pairUuid;
    private final List<String> doubts = new ArrayList<>();
    private boolean unreadableTable;

    private TableRecovery(BlockIo io, Layout layout, UUID pairUuid) {
        this.io = io;
        this.layout = layout;
        this.pairUuid = pairUuid;
    }

    /** @throws Damage if not even a read-only table can be had */
    static Found recover(BlockIo io, Superblock superblock) throws Damage, DeviceException {
        return new TableRecovery(io, superblock.layout(), superblock.pair().pairUuid()).recover(superblock);
    }

    /**
     * Who began the newest generation, and whether its log ends with a clean stop.
     *
     * @param header of that generation, which may not be whole behind it
     * @param stopped whether a clean stop is the last that stands there
     */
    record Owner(ArenaHeader header, boolean stopped) {}

    /** Reads headers and the newest log only, so that it may be asked while the owner writes. */
    static Optional<Owner> owner(BlockIo io, Superblock superblock) throws Damage, DeviceException {
        TableRecovery recovery =
                new TableRecovery(io, superblock.layout(), superblock.pair().pairUuid());
        List<Candidate> candidates =
                Headers.read(io, recovery.layout, recovery.pairUuid).candidates();
        if (candidates.isEmpty()) {
            return Optional.empty();
        }
        Candidate newest = candidates.get(0);
        List<ArenaCopy[]> copies = recovery.copies(candidates);
        LogReader log = recovery.log(newest, copies);
        // Each record states the whole place of its units: what the table says before does not matter here.
        log.replay(Tables.empty(recovery.layout), new ArrayList<>());
        boolean stopped = log.clean();
        Optional<Candidate> before = log.hasAnyBlock() ? Optional.empty() : before(newest, candidates);
        if (before.isPresent()) {
            stopped = recovery.endsWithStop(before.get(), copies);
        }
        return Optional.of(new Owner(newest.header(), stopped));
    }

    private boolean endsWithStop(Candidate candidate, List<ArenaCopy[]> copies) throws DeviceException {
        try {
            LogReader log = log(candidate, copies);
            log.replay(Tables.empty(layout), new ArrayList<>());
            return log.clean();
        } catch (Damage e) {
            return false;
        }
    }

    /** The generation in the other arena that the same session has begun. */
    private static Optional<Candidate> before(Candidate newest, List<Candidate> candidates) {
        return candidates.stream()
                .filter(other -> other.arena != newest.arena && other.number() < newest.number())
                .findFirst()
                .filter(other -> other.header().lineage().equals(newest.header().lineage()));
    }

    private LogReader log(Candidate candidate, List<ArenaCopy[]> copies) throws Damage, DeviceException {
        return new LogReader(
                io, layout, candidate.header().generation(), copies.get(candidate.arena), candidate.byCopy);
    }

    /** As the other; where the log begins is told by a copy without a header of the generation too. */
    private LogReader log(Candidate candidate, List<ArenaCopy[]> copies, Superblock superblock)
            throws Damage, DeviceException {
        LogReader log = log(candidate, copies);
        if (log.isBeginUnknown() && Begins.neverBegan(io, superblock, candidate.arena, candidate.number())) {
            log.settleBegin();
        }
        return log;
    }

    private Found recover(Superblock superblock) throws Damage, DeviceException {
        Headers headers = Headers.read(io, layout, pairUuid);
        long begun = Begins.highest(io, superblock, headers);
        doubts.addAll(headers.doubts());
        List<Candidate> candidates = headers.candidates();
        if (candidates.isEmpty()) {
            throw new Damage("no arena has a readable header");
        }
        List<ArenaCopy[]> copies = copies(candidates);
        Candidate chosen = candidates.get(0);
        Tables table = loadTable(chosen, copies.get(chosen.arena));
        if (table == null) {
            // A crash while this generation was being written leaves the one before it, in the other arena, in force.
            refuseIfInForce(chosen, copies, superblock);
            // Others in its arena were being written over, so they were not in force either.
            int arena = chosen.arena;
            chosen = candidates.stream()
                    .filter(candidate -> candidate.arena != arena)
                    .findFirst()
                    .orElseThrow(() -> new Damage(
                            "the table of generation " + candidates.get(0).number() + " is damaged in both copies"));
            table = loadTable(chosen, copies.get(chosen.arena));
            if (table == null) {
                throw new Damage("the tables of the generations "
                        + candidates.get(0).number() + " and " + chosen.number() + " are damaged in both copies");
            }
        }
        Begins.refuseOlder(begun, chosen);
        LogReader log = log(chosen, copies, superblock);
        Tables tables = log.replay(table, doubts);
        if (doubts.isEmpty() && !log.hasAnyBlock()) {
            Optional<Candidate> before = before(chosen, candidates).filter(other -> other.number() >= begun);
            LogReader its = before.isPresent() ? stopBefore(chosen, before.get(), copies) : null;
            if (its != null) {
                chosen = before.get();
                log = its;
            }
        }
        check(tables, superblock);
        if (tables.entries() > layout.entryLimit()) {
            // The next generation would not fit its arena.
            doubts.add(
                    "the mappings have " + tables.entries() + " entries, and there is room for " + layout.entryLimit());
        }
        return new Found(
                tables,
                chosen.header(),
                chosen.arena,
                (chosen.byCopy[0] == null ? 0 : 1) + (chosen.byCopy[1] == null ? 0 : 1),
                log.wholeBlocks(),
                log.blocksReplayed(),
                log.clean(),
                headers.highestPossibleNumber(),
                copies,
                doubts);
    }

    /**
     * The log of the generation before a new one that was not begun, if it ended with a clean stop and the new one states the
     * same tables; {@code null} if not, or not for certain.
     */
    private LogReader stopBefore(Candidate chosen, Candidate before, List<ArenaCopy[]> copies) throws DeviceException {
        try {
            Tables table = loadTable(before, copies.get(before.arena));
            if (table == null) {
                return null;
            }
            List<String> doubtsBefore = new ArrayList<>();
            LogReader log = log(before, copies);
            Tables stopped = log.replay(table, doubtsBefore);
            boolean same = log.clean() && doubtsBefore.isEmpty() && Checkpoint.isOf(stopped, chosen.header());
            return same ? log : null;
        } catch (Damage e) {
            return null;
        }
    }

    /** The copies with what their newest headers say. */
    private List<ArenaCopy[]> copies(List<Candidate> candidates) throws Damage {
        List<ArenaCopy[]> copies = List.of(Formatter.arena(layout, 0), Formatter.arena(layout, 1));
        for (int i = candidates.size() - 1; i >= 0; i--) {
            Candidate candidate = candidates.get(i);
            for (int copy = 0; copy < 2; copy++) {
                if (candidate.byCopy[copy] != null) {
                    copies.get(candidate.arena)[copy].take(candidate.byCopy[copy]);
                }
            }
        }
        return copies;
    }

    /**
     * The newest generation was in force if anything was appended to it. Where its log begins with BEGIN, its table was read
     * back from both copies before that: a place of BEGIN that holds nothing of it says that it was being written, and what
     * cannot be read of its table is a sector that the power cut tore. Without that word an unreadable table is a doubt.
     */
    private void refuseIfInForce(Candidate newest, List<ArenaCopy[]> copies, Superblock superblock)
            throws Damage, DeviceException {
        LogReader log = log(newest, copies, superblock);
        if (log.hasAnyBlock()) {
            throw new Damage("the table of generation " + newest.number() + " is damaged in both copies");
        }
        boolean neverBegan = superblock.version().has(Superblock.Version.BEGIN_BLOCKS) && log.neverBegan();
        if (unreadableTable && !neverBegan) {
            doubts.add("the table of generation " + newest.number() + " cannot be read in either copy");
        }
    }

    /** The table of a generation, each block from either copy; {@code null} if a block is whole in neither. */
    private Tables loadTable(Candidate candidate, ArenaCopy[] copies) throws Damage, DeviceException {
        ArenaHeader header = candidate.header();
        Tables.Loader loader = new Tables.Loader(header.members());
        CRC32C crc = new CRC32C();
        long entries = 0;
        for (int first = 0; first < header.tableBlocks(); first += BlockIo.CHUNK_BLOCKS) {
            int count = Math.min(BlockIo.CHUNK_BLOCKS, header.tableBlocks() - first);
            if (!loadChunk(candidate, copies, first, count)) {
                return null;
            }
            for (int i = 0; i < count; i++) {
                ByteBuffer block = io.block(i);
                crc.update(TableBlock.entries(block));
                entries += TableBlock.count(block);
                for (int entry = 0; entry < TableBlock.count(block); entry++) {
                    loader.add(Entry.decode(block, TableBlock.ENTRIES_AT + entry * Entry.BYTES));
                }
            }
        }
        if (entries != header.entries() || (int) crc.getValue() != header.tableCrc()) {
            return null;
        }
        return loader.tables();
    }

    private boolean loadChunk(Candidate candidate, ArenaCopy[] copies, int first, int count) throws DeviceException {
        Generation generation = candidate.header().generation();
        int preferred = candidate.byCopy[0] != null ? 0 : 1;
        boolean whole = tryRead(copies[preferred], first, 0, count);
        for (int i = 0; i < count; i++) {
            boolean unreadable = false;
            boolean valid = whole && isValid(copies[preferred], generation, first + i, i);
            for (int copy = 0; !valid && copy < 2; copy++) {
                if (candidate.byCopy[copy] == null) {
                    continue;
                }
                if (tryRead(copies[copy], first + i, i, 1)) {
                    valid = isValid(copies[copy], generation, first + i, i);
                } else {
                    unreadable = true;
                }
            }
            if (!valid) {
                unreadableTable |= unreadable;
                return false;
            }
        }
        return true;
    }

    private boolean isValid(ArenaCopy copy, Generation generation, int body, int index) {
        return TableBlock.isValid(io.block(index), generation, body, copy.offset(body));
    }

    /** Reads blocks into the buffer; {@code false} if they do not lie together or sectors of them are unreadable. */
    private boolean tryRead(ArenaCopy copy, int firstBody, int toIndex, int count) throws DeviceException {
        return (count == 1 || copy.isContiguous(firstBody, count))
                && io.tryRead(copy.offset(firstBody), toIndex, count);
    }

    /** What the state must be in any case, whatever bytes led to it. */
    private void check(Tables tables, Superblock superblock) throws Damage {
        long stated = tables.slotsOf(superblock.member());
        if (stated > layout.slots()) {
            throw new Damage(
                    "spare " + superblock.member() + " is stated with " + stated + " slots, and has " + layout.slots());
        }
        long units = (superblock.pair().mainSizeBytes() + Place.UNIT_BYTES - 1) >> Place.UNIT_SHIFT;
        int sectors = Place.fullMask(superblock.pair().sectorBytes());
        int most = Math.toIntExact(tables.entries());
        long[] firstSlots = new long[most];
        long[] lengths = new long[most];
        int count = 0;
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(tables.map(), 0); found; found = cursor.next()) {
            long place = cursor.place();
            if (cursor.endUnit() > units || ((Place.onSlotMask(place) | Place.lostMask(place)) & ~sectors) != 0) {
                throw new Damage("unit " + cursor.firstUnit() + " is mapped (" + Place.toString(place)
                        + "), but main does not have such sectors");
            }
            if (Place.hasSlot(place)) {
                refuseNoSuchSlots(tables, Place.spare(place), Place.slot(place), cursor.lengthUnits());
                firstSlots[count] = Place.slotId(Place.spare(place), Place.slot(place));
                lengths[count++] = cursor.lengthUnits();
            }
        }
        for (boolean found = cursor.seek(tables.bad(), 0); found; found = cursor.next()) {
            long id = cursor.firstUnit();
            refuseNoSuchSlots(tables, Place.spareOfId(id), Place.slotOfId(id), cursor.lengthUnits());
        }
        for (boolean found = cursor.seek(tables.seals(), 0); found; found = cursor.next()) {
            long seal = cursor.place();
            long region = Tables.regionOf(cursor.firstUnit());
            refuseNoSuchSlots(tables, Seal.spare(seal), region << Seal.REGION_SHIFT, 1);
            refuseNoSuchSlots(tables, Seal.spare(seal), Seal.slot(seal), 1);
            firstSlots[count] = Place.slotId(Seal.spare(seal), Seal.slot(seal));
            lengths[count++] = 1;
        }
        checkSlots(Arrays.copyOf(firstSlots, count), Arrays.copyOf(lengths, count));
    }

    private static void refuseNoSuchSlots(Tables tables, int spare, long firstSlot, long lengthSlots) throws Damage {
        long slots = tables.slotsOf(spare);
        if (firstSlot + lengthSlots > slots) {
            throw new Damage("slot " + (firstSlot + lengthSlots - 1) + " of spare " + spare + " is named, but that has "
                    + slots + " slots");
        }
    }

    private static void checkSlots(long[] firstSlots, long[] lengths) throws Damage {
        // The id of a slot has 37 bits and the length of a run 25: both fit one long that sorts by the slot.
        long[] runs = new long[firstSlots.length];
        for (int i = 0; i < runs.length; i++) {
            runs[i] = firstSlots[i] << 25 | lengths[i];
        }
        Arrays.sort(runs);
        long end = 0;
        for (long run : runs) {
            long first = run >>> 25;
            if (first < end) {
                throw new Damage(
                        "slot " + Place.slotOfId(first) + " of spare " + Place.spareOfId(first) + " is used twice");
            }
            end = first + (run & (1 << 25) - 1);
        }
    }

    /** Records of a log block, applied to tables. */
    static Tables apply(Tables tables, ByteBuffer block) throws Damage {
        Tables result = tables;
        for (int i = 0; i < LogBlock.count(block); i++) {
            int at = LogBlock.recordAt(i);
            if (Entry.isMark(block, at)) {
                continue;
            }
            MapChange change = Entry.decode(block, at);
            result = result.with(change);
        }
        return result;
    }
}
