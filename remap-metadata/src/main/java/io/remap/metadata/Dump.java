package io.remap.metadata;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.MapChange;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.Seal;
import io.remap.api.spi.MetadataTools.DumpSink;
import io.remap.api.spi.SpareMember;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;

/** Shows what is in force on a spare, piece by piece. Used once. */
final class Dump {
    private final BlockDevice device;
    private final DumpSink sink;
    private Layout layout;
    /** Number of the spare that is read. */
    private int own;

    Dump(BlockDevice device, DumpSink sink) {
        this.device = device;
        this.sink = sink;
    }

    void write() throws Damage, Refusal, DeviceException {
        Identities identities = Identities.read(device);
        if (identities.first() != null && identities.first().member() != 0) {
            further(identities);
            return;
        }
        Superblock superblock = LogMetadataProvider.identify(device, identities, true);
        BlockIo io = LogMetadataProvider.blockIo(device, superblock);
        TableRecovery.Found found = LogMetadataProvider.recover(io, superblock, SavedArea.find(io, superblock));
        superblocks(identities);
        table(io, superblock, found);
    }

    /** What the generation in force states, and its log. */
    private void table(BlockIo io, Superblock superblock, TableRecovery.Found found) throws Damage, DeviceException {
        layout = superblock.layout();
        own = superblock.member();
        headers(io, superblock.pair().pairUuid());
        members(found);
        log(io, found);
        entries(found.tables().map());
        found.tables().visitBad((spare, first, length) -> {
            Map<String, Object> piece = new LinkedHashMap<>();
            piece.put("spare", spare);
            piece.put("firstSlot", first);
            piece.put("slots", length);
            sink.piece("badSlots", piece);
        });
        found.tables().visitSeals((region, seal) -> {
            Map<String, Object> piece = new LinkedHashMap<>();
            describeSeal(region, seal, piece);
            sink.piece("sealedRegions", piece);
        });
        found.doubts().forEach(this::doubt);
    }

    /** Why more than what is shown may be in force. */
    private void doubt(String what) {
        Map<String, Object> piece = new LinkedHashMap<>();
        piece.put("what", what);
        sink.piece("doubts", piece);
    }

    /** A further spare: what it says of itself, and the copy of the table on it, if there is one. */
    private void further(Identities identities) throws Damage, Refusal, DeviceException {
        Superblock superblock = identities.first();
        if (superblock.version().tooNew()) {
            throw new Refusal(Refusal.Kind.DAMAGED, device.name() + ": " + Inspection.tooNew(superblock));
        }
        superblocks(identities);
        BlockIo io = LogMetadataProvider.blockIo(device, superblock);
        TableRecovery.Found copy = superblock.version().isSpread() ? copyOfTable(io, superblock) : null;
        if (copy != null) {
            table(io, superblock, copy);
            return;
        }
        Map<String, Object> piece = new LinkedHashMap<>();
        piece.put("spare", superblock.member());
        piece.put("id", superblock.memberId().toString());
        piece.put("slots", superblock.layout().slots());
        piece.put(
                "stamp",
                MemberStamp.read(io, superblock.layout(), superblock.pair().pairUuid()));
        sink.piece("members", piece);
        MemberExamination.lostTable(io, superblock).ifPresent(this::doubt);
    }

    private static TableRecovery.Found copyOfTable(BlockIo io, Superblock superblock) throws DeviceException {
        try {
            return LogMetadataProvider.recover(io, superblock, SavedArea.find(io, superblock));
        } catch (Damage e) {
            // None that could count: another spare tells.
            return null;
        }
    }

    /** The spares of the pair, as the generation in force states them. */
    private void members(TableRecovery.Found found) {
        for (SpareMember member : found.tables().members()) {
            Map<String, Object> piece = new LinkedHashMap<>();
            piece.put("spare", member.index());
            piece.put("id", member.id().toString());
            piece.put("state", member.leaving() ? "leaving" : member.use().standby() ? "standby" : "active");
            piece.put("priority", member.use().priority());
            piece.put("slots", member.slots());
            piece.put("stamp", member.seen());
            piece.put("table", member.table());
            sink.piece("members", piece);
        }
    }

    private void superblocks(Identities identities) {
        int place = 0;
        for (Identities.Found one : identities.found()) {
            Map<String, Object> piece = new LinkedHashMap<>();
            piece.put("place", place++);
            piece.put("offsetBytes", one.offsetBytes());
            piece.put("state", one.state().name().toLowerCase(Locale.ROOT));
            if (one.superblock() != null) {
                describe(one.superblock(), piece);
            }
            sink.piece("superblocks", piece);
        }
    }

    private static void describe(Superblock superblock, Map<String, Object> piece) {
        Superblock.Version version = superblock.version();
        piece.put("format", version.major() + "." + version.minor());
        piece.put("compatFeatures", version.compat());
        piece.put("readOnlyCompatFeatures", version.roCompat());
        piece.put("incompatFeatures", version.incompat());
        piece.put("pairUuid", superblock.pair().pairUuid().toString());
        piece.put("member", superblock.member());
        piece.put("mainSizeBytes", superblock.pair().mainSizeBytes());
        piece.put("sectorBytes", superblock.pair().sectorBytes());
        piece.put("mainStableId", superblock.pair().mainStableId());
        piece.put("createdMillis", superblock.createdMillis());
        Layout layout = superblock.layout();
        if (layout == null) {
            // Of a newer format, of which only the frame is known.
            return;
        }
        piece.put("sizeBytes", layout.sizeBytes());
        piece.put("granuleBytes", layout.granuleBytes());
        piece.put("tableBlocks", layout.tableBlocks());
        piece.put("logBlocks", layout.logBlocks());
        piece.put("reserveBlocks", layout.reserveBlocks());
        for (int arena = 0; arena < 2; arena++) {
            for (int copy = 0; copy < 2; copy++) {
                piece.put(
                        "arena" + (arena == 0 ? "A" : "B") + copy + "OffsetBytes",
                        layout.arenaOffsets().of(arena, copy));
            }
        }
        piece.put("frontSlotsOffsetBytes", layout.frontSlotsOffset());
        piece.put("frontSlots", layout.frontSlots());
        piece.put("backSlotsOffsetBytes", layout.backSlotsOffset());
        piece.put("backSlots", layout.backSlots());
        piece.put("grownSlotsOffsetBytes", layout.grownSlotsOffset());
        piece.put("grownSlots", layout.grownSlots());
    }

    private void headers(BlockIo io, UUID pair) throws DeviceException {
        for (int arena = 0; arena < 2; arena++) {
            for (ArenaCopy copy : Formatter.arena(layout, arena)) {
                for (int place = 0; place < Layout.HEADER_PLACES; place++) {
                    header(io, pair, copy, place);
                }
            }
        }
    }

    /** A second place that was never used is left out. */
    private void header(BlockIo io, UUID pair, ArenaCopy copy, int place) throws DeviceException {
        long offset = copy.headerOffset(place);
        Map<String, Object> piece = new LinkedHashMap<>();
        piece.put("arena", copy.arena == 0 ? "A" : "B");
        piece.put("copy", copy.copy);
        piece.put("place", place);
        piece.put("offsetBytes", offset);
        try {
            ArenaHeader header = ArenaHeader.decode(io.read(offset), pair, layout, offset);
            if (header != null) {
                piece.put("state", "whole");
                piece.put("generation", header.generation().number());
                piece.put("nonce", Long.toHexString(header.generation().nonce()));
                piece.put("session", header.lineage().session().toString());
                piece.put("ancestor", header.lineage().ancestor().toString());
                piece.put("tableBlocks", header.tableBlocks());
                piece.put("entries", header.entries());
                piece.put("tableCrc", Integer.toHexString(header.tableCrc()));
                piece.put("writtenMillis", header.writtenMillis());
                piece.put("firstPlaceAbandoned", header.firstPlaceAbandoned());
                piece.put("replacedBlocks", header.replaced().toString());
            } else if (Block.isZero(io.block(0), 0, Block.BYTES)) {
                if (place > 0) {
                    return;
                }
                piece.put("state", "zero");
            } else {
                piece.put("state", "other");
            }
        } catch (Damage e) {
            piece.put("state", "broken");
            piece.put("detail", e.getMessage());
        } catch (DeviceException e) {
            CopyCheck.refuseDeviceError(e);
            piece.put("state", "unreadable");
            piece.put("detail", e.getMessage());
        }
        sink.piece("headers", piece);
    }

    /** The records in force; each block from the copy that has it whole. */
    private void log(BlockIo io, TableRecovery.Found found) throws Damage, DeviceException {
        ArenaCopy[] copies = found.copies().get(found.arena());
        for (int position = 0; position < found.logBlocks(); position++) {
            ByteBuffer block = read(io, copies, found.header().generation(), position);
            for (int record = 0; record < LogBlock.count(block); record++) {
                int at = LogBlock.recordAt(record);
                Map<String, Object> piece = new LinkedHashMap<>();
                piece.put("sequence", position + 1);
                piece.put("record", record);
                byte kind = block.get(at + Entry.KIND_AT);
                switch (kind) {
                    case Entry.SET -> describeSet(Entry.decode(block, at), piece);
                    case Entry.BAD_SLOT -> describeBad(Entry.decode(block, at), piece);
                    case Entry.SEAL -> {
                        MapChange change = Entry.decode(block, at);
                        piece.put("kind", "seal");
                        describeSeal(change.firstUnit(), change.place(), piece);
                    }
                    case Entry.OPEN -> describeOpen(Entry.decode(block, at), piece);
                    case Entry.BEGIN -> piece.put("kind", "begin");
                    case Entry.CLEAN -> piece.put("kind", "clean");
                    default -> piece.put("kind", Byte.toString(kind));
                }
                sink.piece("log", piece);
            }
        }
    }

    private static ByteBuffer read(BlockIo io, ArenaCopy[] copies, Generation generation, int position)
            throws Damage, DeviceException {
        for (ArenaCopy copy : copies) {
            long offset = copy.offset(copy.logBody(position));
            try {
                ByteBuffer block = io.read(offset);
                if (LogBlock.isValid(block, generation, position + 1L, offset)) {
                    return block;
                }
            } catch (DeviceException e) {
                CopyCheck.refuseDeviceError(e);
            }
        }
        throw new Damage("log block " + (position + 1) + " was whole, and is not any more");
    }

    private void describeSet(MapChange change, Map<String, Object> piece) {
        piece.put("kind", change.place() == Place.MAIN ? "unmap" : "set");
        describe(change.firstUnit(), change.lengthUnits(), change.place(), piece);
    }

    private static void describeBad(MapChange change, Map<String, Object> piece) {
        piece.put("kind", "bad-slot");
        piece.put("spare", Place.spare(change.place()));
        piece.put("firstSlot", change.firstUnit());
        piece.put("slots", change.lengthUnits());
    }

    private static void describeSeal(long region, long seal, Map<String, Object> piece) {
        piece.put("spare", Seal.spare(seal));
        piece.put("firstSlot", region << Seal.REGION_SHIFT);
        piece.put("slots", Seal.REGION_SLOTS);
        piece.put("slotOfChecksums", Seal.slot(seal));
    }

    private static void describeOpen(MapChange change, Map<String, Object> piece) {
        piece.put("kind", "open");
        piece.put("spare", Place.spare(change.place()));
        piece.put("firstSlot", change.firstUnit() << Seal.REGION_SHIFT);
        piece.put("slots", change.lengthUnits() << Seal.REGION_SHIFT);
    }

    private void entries(RemapTable map) {
        RemapTable.Cursor cursor = new RemapTable.Cursor();
        for (boolean found = cursor.seek(map, 0); found; found = cursor.next()) {
            Map<String, Object> piece = new LinkedHashMap<>();
            describe(cursor.firstUnit(), cursor.lengthUnits(), cursor.place(), piece);
            sink.piece("entries", piece);
        }
    }

    private void describe(long firstUnit, long units, long place, Map<String, Object> piece) {
        piece.put("firstUnit", firstUnit);
        piece.put("units", units);
        if (Place.hasSlot(place)) {
            piece.put("spare", Place.spare(place));
            piece.put("firstSlot", Place.slot(place));
            if (Place.spare(place) == own) {
                piece.put("slotOffsetBytes", layout.slotOffsetBytes(Place.slot(place)));
            }
            piece.put("onSlotMask", Place.onSlotMask(place));
        }
        piece.put("lostMask", Place.lostMask(place));
        piece.put("zero", Place.isZero(place));
    }
}
