package io.remap.health.impact;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Finds the partitions of a disk: GPT (UEFI specification, 5.3), its backup where the first header cannot be read, or MBR
 * with its chain of logical partitions. Every number is checked against the size of the disk; a table that makes no sense is
 * no table.
 */
final class PartitionTable {
    private static final int MBR_ENTRIES_AT = 446;
    private static final int MBR_ENTRY_BYTES = 16;
    private static final int MBR_SIGNATURE_AT = 510;
    private static final int MBR_SIGNATURE = 0xaa55;
    private static final int PROTECTIVE = 0xee;
    private static final List<Integer> EXTENDED = List.of(0x05, 0x0f, 0x85);
    private static final int MAX_PARTITIONS = 128;
    /** "EFI PART", little-endian. */
    private static final long GPT_SIGNATURE = 0x5452415020494645L;

    private final Reader reader;
    private final long sizeBytes;
    private final int sectorBytes;
    private final List<Partition> found = new ArrayList<>();

    private PartitionTable(Reader reader, long sizeBytes, int sectorBytes) {
        this.reader = reader;
        this.sizeBytes = sizeBytes;
        this.sectorBytes = sectorBytes;
    }

    /** The partitions, none if there is no table. */
    static List<Partition> of(Reader reader, long sizeBytes, int sectorBytes) {
        PartitionTable table = new PartitionTable(reader, sizeBytes, sectorBytes);
        table.look();
        return List.copyOf(table.found);
    }

    private void look() {
        Optional<ByteBuffer> mbr = reader.read(0, sectorBytes);
        boolean legacy = mbr.isPresent() && isMbr(mbr.get());
        if (mbr.isPresent() && !legacy) {
            return;
        }
        boolean gpt = mbr.isEmpty() || (mbr.get().get(MBR_ENTRIES_AT + 4) & 0xff) == PROTECTIVE;
        if (gpt && (readGpt(sectorBytes) || readGpt(sizeBytes - sectorBytes))) {
            return;
        }
        if (legacy) {
            readMbr(mbr.get());
        }
    }

    private static boolean isMbr(ByteBuffer sector) {
        return (sector.getShort(MBR_SIGNATURE_AT) & 0xffff) == MBR_SIGNATURE;
    }

    private void add(int number, long firstSector, long sectors) {
        boolean fits = firstSector > 0
                && sectors > 0
                && firstSector < sizeBytes / sectorBytes
                && sectors <= sizeBytes / sectorBytes - firstSector;
        if (fits && found.size() < MAX_PARTITIONS) {
            found.add(new Partition(number, firstSector * sectorBytes, sectors * sectorBytes));
        }
    }

    private boolean readGpt(long headerAt) {
        Optional<ByteBuffer> header = reader.read(headerAt, sectorBytes);
        if (header.isEmpty() || header.get().getLong(0) != GPT_SIGNATURE) {
            return false;
        }
        long entriesAt = header.get().getLong(72);
        int count = Math.min(MAX_PARTITIONS, header.get().getInt(80));
        int entryBytes = header.get().getInt(84);
        if (entriesAt < 1
                || entriesAt >= sizeBytes / sectorBytes
                || count < 1
                || entryBytes < 128
                || entryBytes > 4096
                || Integer.bitCount(entryBytes) != 1) {
            return false;
        }
        int bytes = (count * entryBytes + sectorBytes - 1) / sectorBytes * sectorBytes;
        Optional<ByteBuffer> entries = entriesAt * sectorBytes > sizeBytes - bytes
                ? Optional.empty()
                : reader.read(entriesAt * sectorBytes, bytes);
        if (entries.isEmpty()) {
            return false;
        }
        for (int i = 0; i < count; i++) {
            int at = i * entryBytes;
            boolean used = entries.get().getLong(at) != 0 || entries.get().getLong(at + 8) != 0;
            long first = entries.get().getLong(at + 32);
            if (used) {
                add(i + 1, first, entries.get().getLong(at + 40) - first + 1);
            }
        }
        return true;
    }

    private void readMbr(ByteBuffer mbr) {
        for (int i = 0; i < 4; i++) {
            int at = MBR_ENTRIES_AT + i * MBR_ENTRY_BYTES;
            int type = mbr.get(at + 4) & 0xff;
            long first = mbr.getInt(at + 8) & 0xffffffffL;
            if (EXTENDED.contains(type)) {
                readLogical(first);
            } else if (type != 0) {
                add(i + 1, first, mbr.getInt(at + 12) & 0xffffffffL);
            }
        }
    }

    /** Each link names one partition, and the next link; both relative, to the link and to the first of them. */
    private void readLogical(long extendedFirst) {
        long link = extendedFirst;
        for (int number = 5; number < MAX_PARTITIONS && link < sizeBytes / sectorBytes; number++) {
            Optional<ByteBuffer> sector = reader.read(link * sectorBytes, sectorBytes);
            if (sector.isEmpty() || !isMbr(sector.get())) {
                return;
            }
            long first = sector.get().getInt(MBR_ENTRIES_AT + 8) & 0xffffffffL;
            if (sector.get().get(MBR_ENTRIES_AT + 4) != 0) {
                add(number, link + first, sector.get().getInt(MBR_ENTRIES_AT + 12) & 0xffffffffL);
            }
            long next = sector.get().getInt(MBR_ENTRIES_AT + MBR_ENTRY_BYTES + 8) & 0xffffffffL;
            if (next == 0 || extendedFirst + next <= link) {
                return;
            }
            link = extendedFirst + next;
        }
    }
}
