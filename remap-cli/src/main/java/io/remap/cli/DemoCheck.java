package io.remap.cli;

import io.remap.cli.SectorLedger.Finding;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** Reads a disk sector by sector through a client and compares it with what the ledger promises. Not thread-safe. */
final class DemoCheck {
    /** Reads a part of the disk; an error of the medium is an {@link UnreadableException}, all else ends the check. */
    @FunctionalInterface
    interface Reader {
        byte[] read(long offsetBytes, int lengthBytes) throws IOException;
    }

    /** The disk answered EIO. */
    static final class UnreadableException extends IOException {
        private static final long serialVersionUID = 1L;

        UnreadableException(IOException cause) {
            super(cause);
        }
    }

    private static final int REQUEST_SECTORS = 512;
    /** Broken promises that are told one by one. */
    private static final int MAX_TOLD = 5;

    private final SectorLedger ledger;
    private final Reader reader;
    private final Map<Finding, Integer> found = new EnumMap<>(Finding.class);
    private final List<String> broken = new ArrayList<>();
    private int unreadable;
    private int brokenSectors;

    private DemoCheck(SectorLedger ledger, Reader reader) {
        this.ledger = ledger;
        this.reader = reader;
    }

    /** Reads the whole disk; {@link #requireKept} tells whether every promise was kept. */
    static DemoCheck readAll(SectorLedger ledger, Reader reader) throws IOException {
        DemoCheck check = new DemoCheck(ledger, reader);
        for (int first = 0; first < ledger.sectors(); first += REQUEST_SECTORS) {
            check.read(first, Math.min(REQUEST_SECTORS, ledger.sectors() - first));
        }
        return check;
    }

    /** A request that fails is halved down to the sector, as any client may do. */
    private void read(int first, int count) throws IOException {
        byte[] data;
        try {
            data = reader.read((long) first * ledger.sectorBytes(), count * ledger.sectorBytes());
        } catch (UnreadableException e) {
            if (count > 1) {
                read(first, count / 2);
                read(first + count / 2, count - count / 2);
            } else if (ledger.mayBeUnreadable(first)) {
                unreadable++;
            } else {
                tell("sector " + first + " answers EIO, although it is good or was written since");
            }
            return;
        }
        for (int index = 0; index < count; index++) {
            Finding finding = ledger.check(first + index, data, index * ledger.sectorBytes());
            found.merge(finding, 1, Integer::sum);
            if (finding != Finding.RIGHT && finding != Finding.UNDER_WAY) {
                tell("sector " + (first + index) + " holds "
                        + switch (finding) {
                            case STALE -> "the content of an older write";
                            case ZEROS -> "zeros";
                            default -> "something that was never written there";
                        }
                        + " instead of its last acknowledged write");
            }
        }
    }

    private void tell(String what) {
        brokenSectors++;
        if (broken.size() < MAX_TOLD) {
            broken.add(what);
        }
    }

    /** Sectors with the content of their last acknowledged write. */
    int right() {
        return found.getOrDefault(Finding.RIGHT, 0);
    }

    /** Sectors with the content of a write that was under way when the server was killed. */
    int underWay() {
        return found.getOrDefault(Finding.UNDER_WAY, 0);
    }

    /** Sectors that answered EIO, and may. */
    int unreadable() {
        return unreadable;
    }

    void requireKept() throws NotSo {
        if (brokenSectors > 0) {
            throw new NotSo("a promise was broken for " + brokenSectors + " of " + ledger.sectors() + " sectors: "
                    + String.join("; ", broken));
        }
    }
}
