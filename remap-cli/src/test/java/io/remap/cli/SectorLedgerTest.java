package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.cli.DemoCheck.UnreadableException;
import io.remap.cli.SectorLedger.Finding;
import java.io.IOException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The demo must see whatever a server could do wrong: here each wrong is done to it. */
class SectorLedgerTest {
    private static final int BYTES = 512;
    private static final int SECTORS = 1000;

    private final SectorLedger ledger = new SectorLedger(42, SECTORS, BYTES);
    private final byte[] disk = new byte[SECTORS * BYTES];
    private int unreadableSector = -1;

    private void write(int first, int count) {
        byte[] data = ledger.begin(first, count);
        System.arraycopy(data, 0, disk, first * BYTES, data.length);
        ledger.acknowledge(first, count);
    }

    private DemoCheck check() throws IOException {
        return DemoCheck.readAll(ledger, (offset, length) -> {
            if (unreadableSector >= 0
                    && offset <= (long) unreadableSector * BYTES
                    && (long) unreadableSector * BYTES < offset + length) {
                throw new UnreadableException(new IOException("EIO"));
            }
            return Arrays.copyOfRange(disk, (int) offset, (int) offset + length);
        });
    }

    private void assertBroken(String what) throws IOException {
        NotSo broken = assertThrows(NotSo.class, check()::requireKept);
        assertTrue(broken.getMessage().contains(what), broken.getMessage());
    }

    @Test
    void aFaithfulDiskKeepsEveryPromise() throws Exception {
        write(0, SECTORS);
        write(10, 100);
        DemoCheck check = check();
        check.requireKept();
        assertEquals(SECTORS, check.right());
        assertEquals(0, check.unreadable());
    }

    @Test
    void aSectorNeverWrittenHoldsZeros() throws Exception {
        check().requireKept();
        disk[5 * BYTES] = 1;
        assertBroken("sector 5 holds something that was never written there");
    }

    @Test
    void seesALostWrite() throws Exception {
        write(0, SECTORS);
        byte[] before = Arrays.copyOfRange(disk, 7 * BYTES, 8 * BYTES);
        write(7, 1);
        System.arraycopy(before, 0, disk, 7 * BYTES, BYTES);
        assertBroken("sector 7 holds the content of an older write");
    }

    @Test
    void seesZerosAndTheContentOfANeighbour() throws Exception {
        write(0, SECTORS);
        System.arraycopy(disk, 8 * BYTES, disk, 7 * BYTES, BYTES);
        assertBroken("sector 7 holds something that was never written there");
        Arrays.fill(disk, 7 * BYTES, 8 * BYTES, (byte) 0);
        assertBroken("sector 7 holds zeros");
    }

    @Test
    void seesASingleWrongBit() throws Exception {
        write(0, SECTORS);
        disk[SECTORS * BYTES - 1] ^= 1;
        assertBroken("1 of " + SECTORS + " sectors");
    }

    @Test
    void aWriteThatWasUnderWayMayBeThereOrNotButNotChangeLater() throws Exception {
        write(0, SECTORS);
        byte[] under = ledger.begin(20, 2);
        System.arraycopy(under, 0, disk, 20 * BYTES, BYTES);
        assertEquals(2, ledger.underWay());
        DemoCheck check = check();
        check.requireKept();
        assertEquals(1, check.underWay());
        assertEquals(SECTORS - 1, check.right());
        assertEquals(0, ledger.underWay());
        System.arraycopy(under, BYTES, disk, 21 * BYTES, BYTES);
        assertBroken("sector 21 holds something that was never written there");
    }

    @Test
    void unreadableOnlyWhereTheMediumIsAndUntilItIsWritten() throws Exception {
        write(0, SECTORS);
        unreadableSector = 333;
        assertBroken("sector 333 answers EIO");
        ledger.allowUnreadable(333, 1);
        DemoCheck check = check();
        check.requireKept();
        assertEquals(1, check.unreadable());
        assertEquals(SECTORS - 1, check.right());
        write(333, 1);
        assertFalse(ledger.mayBeUnreadable(333));
        assertBroken("sector 333 answers EIO");
    }

    @Test
    void contentsDifferBySeedSectorAndVersion() {
        SectorLedger other = new SectorLedger(43, SECTORS, BYTES);
        byte[] first = ledger.begin(0, 2);
        assertFalse(Arrays.equals(first, other.begin(0, 2)));
        assertFalse(Arrays.equals(Arrays.copyOfRange(first, 0, BYTES), Arrays.copyOfRange(first, BYTES, 2 * BYTES)));
        ledger.acknowledge(0, 2);
        assertEquals(Finding.RIGHT, ledger.check(0, first, 0));
        ledger.begin(0, 1);
        assertThrows(IllegalStateException.class, () -> ledger.begin(0, 1));
    }
}
