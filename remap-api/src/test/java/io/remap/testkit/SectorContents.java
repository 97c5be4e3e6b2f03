package io.remap.testkit;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * What the sectors of a device hold. Sparse: a sector never set is zeros and costs nothing. A copy costs little, since both
 * share what neither has changed; so thousands of power cuts can be tried from one moment.
 *
 * <p>Not thread-safe.
 */
final class SectorContents {
    private static final int CHUNK_SECTORS = 128;
    private static final VarHandle WORDS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private final Content[][] chunks;
    /** Chunks that no copy shares. */
    private final boolean[] own;

    private final Content zeros;
    private long key;

    /** The bytes of a sector; never changed once they are here. */
    static final class Content {
        final byte[] bytes;
        private final long hash;

        Content(byte[] bytes) {
            this.bytes = bytes;
            this.hash = hash(bytes);
        }

        private static long hash(byte[] bytes) {
            long even = 0x9E3779B97F4A7C15L;
            long odd = 0xC2B2AE3D27D4EB4FL;
            for (int i = 0; i < bytes.length; i += 2 * Long.BYTES) {
                even = Long.rotateLeft(even ^ (long) WORDS.get(bytes, i), 29) * 0xBF58476D1CE4E5B9L;
                odd = Long.rotateLeft(odd ^ (long) WORDS.get(bytes, i + Long.BYTES), 31) * 0x94D049BB133111EBL;
            }
            return even ^ Long.rotateLeft(odd, 17);
        }
    }

    SectorContents(long sectors, int sectorBytes) {
        int count = Math.toIntExact((sectors + CHUNK_SECTORS - 1) / CHUNK_SECTORS);
        this.chunks = new Content[count][];
        this.own = new boolean[count];
        this.zeros = new Content(new byte[sectorBytes]);
    }

    private SectorContents(SectorContents other) {
        this.chunks = other.chunks.clone();
        this.own = new boolean[chunks.length];
        this.zeros = other.zeros;
        this.key = other.key;
    }

    SectorContents copy() {
        Arrays.fill(own, false);
        return new SectorContents(this);
    }

    Content zeros() {
        return zeros;
    }

    Content get(long sector) {
        Content[] chunk = chunks[(int) (sector / CHUNK_SECTORS)];
        Content content = chunk == null ? null : chunk[(int) (sector % CHUNK_SECTORS)];
        return content == null ? zeros : content;
    }

    void put(long sector, Content content) {
        int index = (int) (sector / CHUNK_SECTORS);
        if (!own[index]) {
            chunks[index] = chunks[index] == null ? new Content[CHUNK_SECTORS] : chunks[index].clone();
            own[index] = true;
        }
        key += keyOf(sector, content) - keyOf(sector, get(sector));
        chunks[index][(int) (sector % CHUNK_SECTORS)] = content;
    }

    /** The same for equal contents, and different for others as far as 64 bits go. */
    long key() {
        return key;
    }

    private long keyOf(long sector, Content content) {
        if (content.hash == zeros.hash) {
            return 0;
        }
        long mixed = (content.hash ^ (sector + 1) * 0x9E3779B97F4A7C15L) * 0xBF58476D1CE4E5B9L;
        return (mixed ^ mixed >>> 31) * 0x94D049BB133111EBL;
    }

    boolean sameAs(SectorContents other) {
        for (long sector = 0; sector < (long) chunks.length * CHUNK_SECTORS; sector++) {
            if (!Arrays.equals(get(sector).bytes, other.get(sector).bytes)) {
                return false;
            }
        }
        return true;
    }
}
