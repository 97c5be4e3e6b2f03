package io.remap.cli;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.BitSet;

/**
 * What a client of a disk may rely on: the content that each sector must have, by the writes that were acknowledged.
 *
 * <p>Every write of a sector has another content, made from the seed, the sector and a version that counts its writes; so
 * an old content, that of another sector, and zeros are all told from the right one.
 *
 * <p>Invariants:
 *
 * <ul>
 *   <li>a write that is under way ({@link #begin} without {@link #acknowledge}) leaves each of its sectors with the old
 *       or the new content; which one, the next {@link #check} finds out, and from then on it must stay so;
 *   <li>a sector may only be unreadable if it was said to be ({@link #allowUnreadable}) and no write to it was
 *       acknowledged since.
 * </ul>
 *
 * Thread-safe.
 */
final class SectorLedger {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    /** What a sector was found to be. */
    enum Finding {
        /** The content of the last acknowledged write. */
        RIGHT,
        /** The content of a write that was never acknowledged, and was under way when the server went. */
        UNDER_WAY,
        /** The content of a write before the last acknowledged one: a lost write. */
        STALE,
        /** Zeros. */
        ZEROS,
        /** Something that was never written there. */
        FOREIGN
    }

    private final long seed;
    private final int sectorBytes;
    private final int[] versions;
    private final BitSet underWay = new BitSet();
    private final BitSet mayBeUnreadable = new BitSet();

    SectorLedger(long seed, int sectors, int sectorBytes) {
        this.seed = seed;
        this.sectorBytes = sectorBytes;
        this.versions = new int[sectors];
    }

    int sectors() {
        return versions.length;
    }

    int sectorBytes() {
        return sectorBytes;
    }

    /** Makes the next content of so many sectors, to be written. None of them may be under way. */
    synchronized byte[] begin(int first, int count) {
        ByteBuffer data = ByteBuffer.allocate(count * sectorBytes);
        for (int sector = first; sector < first + count; sector++) {
            if (underWay.get(sector)) {
                throw new IllegalStateException("a write of sector " + sector + " is under way already");
            }
            underWay.set(sector);
            data.put(content(sector, versions[sector] + 1));
        }
        return data.array();
    }

    /** The write was acknowledged: from now on this content must be found. */
    synchronized void acknowledge(int first, int count) {
        for (int sector = first; sector < first + count; sector++) {
            versions[sector]++;
        }
        underWay.clear(first, first + count);
        mayBeUnreadable.clear(first, first + count);
    }

    /** The medium lost these sectors: they answer an error until they are written. */
    synchronized void allowUnreadable(int first, int count) {
        mayBeUnreadable.set(first, first + count);
    }

    synchronized boolean mayBeUnreadable(int sector) {
        return mayBeUnreadable.get(sector);
    }

    /** How many sectors may answer an error now. */
    synchronized int unreadableAllowed() {
        return mayBeUnreadable.cardinality();
    }

    /** How many sectors have a write under way whose fate is not known. */
    synchronized int underWay() {
        return underWay.cardinality();
    }

    /** Compares what was read from a sector with what it must hold. */
    synchronized Finding check(int sector, byte[] data, int offset) {
        byte[] found = Arrays.copyOfRange(data, offset, offset + sectorBytes);
        int version = versions[sector];
        if (underWay.get(sector) && Arrays.equals(found, content(sector, version + 1))) {
            versions[sector]++;
            underWay.clear(sector);
            mayBeUnreadable.clear(sector);
            return Finding.UNDER_WAY;
        }
        if (Arrays.equals(found, content(sector, version))) {
            underWay.clear(sector);
            return Finding.RIGHT;
        }
        if (Arrays.equals(found, content(sector, 0))) {
            return Finding.ZEROS;
        }
        for (int older = version - 1; older > 0; older--) {
            if (Arrays.equals(found, content(sector, older))) {
                return Finding.STALE;
            }
        }
        return Finding.FOREIGN;
    }

    /** Version 0 is a sector that was never written: zeros. */
    private byte[] content(int sector, int version) {
        ByteBuffer content = ByteBuffer.allocate(sectorBytes).order(ByteOrder.LITTLE_ENDIAN);
        if (version == 0) {
            return content.array();
        }
        long state = seed ^ mix(sector * GOLDEN + version);
        while (content.hasRemaining()) {
            state += GOLDEN;
            content.putLong(mix(state));
        }
        return content.array();
    }

    /** The finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators). */
    private static long mix(long value) {
        long mixed = (value ^ (value >>> 30)) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
        return mixed ^ (mixed >>> 31);
    }
}
