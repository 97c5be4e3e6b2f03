package io.remap.metadata;

import io.remap.testkit.CrashDevice;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/** Blocks with a right checksum and wrong content: what only a mistake or malice writes. */
final class Forge {
    private Forge() {}

    /** The block at an offset. */
    static ByteBuffer block(CrashDevice device, long offsetBytes) {
        return ByteBuffer.wrap(device.peek(offsetBytes, Block.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Changes the block at an offset, and gives it the checksum of what it is then. */
    static void edit(CrashDevice device, long offsetBytes, Consumer<ByteBuffer> edit) {
        ByteBuffer block = block(device, offsetBytes);
        edit.accept(block);
        put(device, offsetBytes, block);
    }

    /** Puts a block to an offset, with the checksum of that place. */
    static void put(CrashDevice device, long offsetBytes, ByteBuffer block) {
        Block.seal(block, offsetBytes);
        device.poke(offsetBytes, bytes(block));
    }

    /** Changes all four superblocks. */
    static void editSuperblocks(CrashDevice device, Consumer<ByteBuffer> edit) {
        for (int place = 0; place < Identities.COUNT; place++) {
            edit(device, Layout.identityOffset(place, device.traits().sizeBytes()), edit);
        }
    }

    /** What a block holds. */
    static byte[] bytes(ByteBuffer block) {
        byte[] bytes = new byte[Block.BYTES];
        block.get(0, bytes);
        return bytes;
    }
}
