package io.remap.metadata;

import io.remap.api.DeviceException;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.MetadataTools;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * The target of the image fuzzer: an input is a list of edits of an image that the product has made. What was edited gets its
 * checksums again, unless an edit says otherwise: else no input would come past the first of them. Then the image is looked at
 * in all ways that there are; whatever it holds, it is taken or refused, within a bounded number of operations.
 *
 * <p>An input: which image (1 byte), what is done (1), then edits: which block (1), flags (1), where (2, little-endian), bytes
 * less one (1), bytes.
 */
public final class ImageFuzz {
    /** The edit is made in the other copy of the block too. */
    private static final int BOTH_COPIES = 1;
    /** The checksum of the block stays what it was. */
    private static final int UNSEALED = 2;

    private static final int MANNERS = 4;
    private static final int SLOT = 3;
    private static final int LONGEST_EDIT = 16;
    private static final int EDIT_HEADER_BYTES = 5;
    private static final int MOST_EDITS = 64;
    /** Many times what an image as large as this one needs. */
    private static final long MOST_OPERATIONS = 20_000;

    private static final long MOST_PIECES = 200_000;
    private static final long SEED = 5;
    private static final LogMetadataProvider PROVIDER = new LogMetadataProvider(Specimen.LOG_BLOCKS);
    private static final List<Image> IMAGES = images();

    /**
     * An image to begin with.
     *
     * @param blocks where each of its blocks stands, in one place or two
     * @param headers those of them that are headers of the newest arena
     * @param tables those that are its table, in order
     * @param logs those that are its log, in order
     */
    private record Image(
            CrashDevice spare,
            List<List<Long>> blocks,
            List<Long> headers,
            List<List<Long>> tables,
            List<List<Long>> logs) {}

    private ImageFuzz() {}

    private static List<Image> images() {
        try {
            return List.of(
                    image(Specimen.uncleanlyStopped()),
                    image(Specimen.cleanlyStopped()),
                    image(Specimen.withReplacedBlocks()));
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static Image image(Specimen specimen) {
        List<List<Long>> blocks = new ArrayList<>();
        List<Long> superblocks = new ArrayList<>();
        for (int i = 0; i < Identities.COUNT; i++) {
            superblocks.add(Layout.identityOffset(i, Bench.SPARE_BYTES));
        }
        blocks.add(superblocks);
        blocks.add(List.of(Layout.SAVED_AT));
        List<Long> headers = List.of();
        List<List<Long>> tables = new ArrayList<>();
        List<List<Long>> logs = new ArrayList<>();
        for (Specimen.Copies block : specimen.blocks()) {
            blocks.add(block.offsets());
            switch (block.kind()) {
                case HEADER -> headers = block.offsets();
                case TABLE -> tables.add(block.offsets());
                case LOG, LOG_END -> logs.add(block.offsets());
                case OLDER_HEADER -> {}
            }
        }
        return new Image(specimen.spare(), blocks, headers, tables, logs);
    }

    /** Called by the fuzzer, and with each input that is kept. */
    public static void fuzzerTestOneInput(byte[] input) {
        if (input.length < 2) {
            return;
        }
        ByteBuffer script = ByteBuffer.wrap(input).order(ByteOrder.LITTLE_ENDIAN);
        Image image = IMAGES.get(Math.floorMod(script.get(), IMAGES.size()));
        int manner = Byte.toUnsignedInt(script.get());
        CrashDevice spare = image.spare.copy();
        edit(script, image, spare);
        long[] operations = {0};
        spare.observe((operation, offset, length) -> {
            if (++operations[0] > MOST_OPERATIONS) {
                throw new AssertionError("it does not end: more than " + MOST_OPERATIONS + " operations");
            }
        });
        try {
            look(spare, manner);
        } catch (Refusal | DeviceException e) {
            // As it should be.
        }
    }

    /** One input for each image, block, manner and reach, from which a fuzzer goes on. */
    static List<byte[]> seeds() {
        List<byte[]> seeds = new ArrayList<>();
        for (int image = 0; image < IMAGES.size(); image++) {
            for (int block = 0; block < IMAGES.get(image).blocks.size(); block++) {
                for (int manner = 0; manner < MANNERS; manner++) {
                    // The field at 48 is the first one after what all blocks have in common; in a table, at 64.
                    byte at = (byte) (48 + (block + manner) % 3 * 16);
                    seeds.add(new byte[] {(byte) image, (byte) manner, (byte) block, BOTH_COPIES, at, 0, 0, 1});
                }
            }
        }
        return seeds;
    }

    // --- edits

    private static void edit(ByteBuffer script, Image image, CrashDevice spare) {
        Set<Long> toSeal = new LinkedHashSet<>();
        for (int i = 0; i < MOST_EDITS && script.remaining() > EDIT_HEADER_BYTES; i++) {
            List<Long> offsets = image.blocks.get(Math.floorMod(script.get(), image.blocks.size()));
            int flags = script.get();
            int at = Short.toUnsignedInt(script.getShort()) % Block.BYTES;
            int length = Math.min(Byte.toUnsignedInt(script.get()) % LONGEST_EDIT + 1, script.remaining());
            byte[] bytes = new byte[Math.min(length, Block.BYTES - at)];
            script.get(bytes);
            List<Long> edited = (flags & BOTH_COPIES) != 0
                    ? offsets
                    : offsets.subList(0, 1 + Math.floorMod(flags >> 2, 2) % offsets.size());
            for (long offset : edited) {
                byte[] block = spare.peek(offset, Block.BYTES);
                System.arraycopy(bytes, 0, block, at, bytes.length);
                spare.poke(offset, block);
                if ((flags & UNSEALED) == 0) {
                    toSeal.add(offset);
                }
            }
        }
        if (!toSeal.isEmpty()) {
            seal(image, spare, toSeal);
        }
    }

    /** From the inside out: a header names the checksum of its table, a log block that of the one before. */
    private static void seal(Image image, CrashDevice spare, Set<Long> toSeal) {
        for (int copy = 0; copy < 2; copy++) {
            if (toSeal.stream().anyMatch(flat(image.tables, copy)::contains)) {
                sealTable(image, spare, copy);
                toSeal.add(image.headers.get(copy));
            }
            for (int i = 1; i < image.logs.size(); i++) {
                if (toSeal.contains(image.logs.get(i - 1).get(copy))) {
                    ByteBuffer before = block(spare, image.logs.get(i - 1).get(copy));
                    ByteBuffer block = block(spare, image.logs.get(i).get(copy));
                    block.putInt(LogBlock.PREVIOUS_CRC_AT, Block.bodyCrc(before));
                    put(spare, image.logs.get(i).get(copy), block);
                    toSeal.add(image.logs.get(i).get(copy));
                }
            }
        }
        for (long offset : toSeal) {
            ByteBuffer block = block(spare, offset);
            Block.seal(block, offset);
            put(spare, offset, block);
        }
    }

    private static List<Long> flat(List<List<Long>> blocks, int copy) {
        return blocks.stream().map(offsets -> offsets.get(copy)).toList();
    }

    private static void sealTable(Image image, CrashDevice spare, int copy) {
        CRC32C crc = new CRC32C();
        for (List<Long> offsets : image.tables) {
            ByteBuffer block = block(spare, offsets.get(copy));
            int count = Math.max(0, Math.min(TableBlock.MAX_ENTRIES, TableBlock.count(block)));
            crc.update(block.slice(TableBlock.ENTRIES_AT, count * Entry.BYTES));
        }
        ByteBuffer header = block(spare, image.headers.get(copy));
        header.putInt(ArenaHeader.TABLE_CRC_AT, (int) crc.getValue());
        put(spare, image.headers.get(copy), header);
    }

    private static ByteBuffer block(CrashDevice spare, long offset) {
        return ByteBuffer.wrap(spare.peek(offset, Block.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static void put(CrashDevice spare, long offset, ByteBuffer block) {
        byte[] bytes = new byte[Block.BYTES];
        block.get(0, bytes);
        spare.poke(offset, bytes);
    }

    // --- what is done with it

    private static void look(CrashDevice spare, int manner) throws Refusal, DeviceException {
        switch (manner % MANNERS) {
            case 0 -> {
                PROVIDER.inspect(spare);
                PROVIDER.pairOnSpare(spare);
                read(Bench.open(PROVIDER, spare, true, SEED));
                requireUntouched(spare);
            }
            case 1 -> {
                MetadataTools tools = PROVIDER.tools().orElseThrow();
                tools.check(spare, MetadataTools.Level.QUICK);
                tools.check(spare, MetadataTools.Level.STANDARD);
                requireUntouched(spare);
            }
            case 2 -> {
                long[] pieces = {0};
                PROVIDER.tools().orElseThrow().dump(spare, (kind, values) -> {
                    if (++pieces[0] > MOST_PIECES) {
                        throw new AssertionError("a dump does not end: more than " + MOST_PIECES + " pieces");
                    }
                });
                requireUntouched(spare);
            }
            default -> write(spare);
        }
    }

    private static void requireUntouched(CrashDevice spare) {
        if (spare.operations(Operation.WRITE) > 0) {
            throw new AssertionError("looking at it has written to it");
        }
    }

    private static void read(Opened opened) {
        Bench.text(opened.store().table());
        Bench.badSlots(opened.store());
        opened.store().saved();
        opened.close();
    }

    /** What is opened for writing takes a commit, and shows it to the next opening. */
    private static void write(CrashDevice spare) throws Refusal, DeviceException {
        Opened opened;
        try {
            opened = Bench.open(PROVIDER, spare, false, SEED);
        } catch (Refusal e) {
            requireUntouched(spare);
            throw e;
        }
        long units = opened.store().pair().mainSizeBytes() / Place.UNIT_BYTES;
        if (units == 0 || opened.store().plan().slots() <= SLOT) {
            opened.close();
            return;
        }
        Outcome outcome = opened.commit(Bench.map(units - 1, SLOT));
        String stated = Bench.text(opened.store().table());
        opened.close();
        if (outcome != Outcome.STORE_FAILED) {
            Opened again = Bench.open(PROVIDER, spare, true, SEED + 1);
            String found = Bench.text(again.store().table());
            if (!found.equals(stated)) {
                throw new AssertionError("stated: " + stated + "; found: " + found);
            }
        }
    }
}
