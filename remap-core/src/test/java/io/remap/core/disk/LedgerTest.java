package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** {@link Ledger} and {@link LedgerIndex}: what may stand in a sector, by what was recorded of it. */
class LedgerTest {
    private static final int SECTOR = 512;
    private static final int UNIT = 4096;
    private static final int RECORDS = 64;

    private int halfFull;
    private final Ledger ledger = new Ledger(RECORDS * Ledger.RECORD_BYTES, SECTOR, () -> halfFull++);

    private static ByteBuffer content(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return ByteBuffer.allocateDirect(length).put(bytes).flip();
    }

    private boolean write(long began, long offset, int length, int value) {
        return data(began, offset, content(length, value), true);
    }

    private boolean data(long began, long offset, ByteBuffer data, boolean firm) {
        boolean room = ledger.promise(Ledger.recordsOfData(offset, data.remaining()));
        if (room) {
            ledger.data(began, offset, data, 0, firm);
        }
        return room;
    }

    private boolean zeros(long began, long offset, long length) {
        boolean room = ledger.promise(Ledger.recordsOfRange(offset, length));
        if (room) {
            ledger.zeros(began, offset, length, true);
        }
        return room;
    }

    private void trim(long offset, long length) {
        assertTrue(ledger.promise(Ledger.recordsOfRange(offset, length)));
        ledger.nothing(ledger.now(), offset, length);
    }

    private boolean accepts(long unit, int sector, int value) {
        return new LedgerIndex(ledger).claims(unit).accepts(sector, content(SECTOR, value));
    }

    private int claimed(long unit) {
        return new LedgerIndex(ledger).claims(unit).claimedMask();
    }

    @Test
    void newestCounts() {
        assertTrue(write(ledger.now(), 0, UNIT, 1));
        assertTrue(write(ledger.now(), 2 * SECTOR, SECTOR, 2));
        assertEquals(0xff, claimed(0));
        assertTrue(accepts(0, 1, 1));
        assertFalse(accepts(0, 1, 2));
        assertTrue(accepts(0, 2, 2));
        assertFalse(accepts(0, 2, 1));
        assertEquals(0, claimed(1));
    }

    @Test
    void ofWritesThatOverlappedInTimeEitherMayStand() {
        long began = ledger.now();
        write(began, 0, UNIT, 1);
        write(began, 0, UNIT, 2);
        assertTrue(accepts(0, 0, 1));
        assertTrue(accepts(0, 0, 2));
        write(ledger.now(), 0, UNIT, 3);
        assertFalse(accepts(0, 0, 1));
        assertFalse(accepts(0, 0, 2));
        assertTrue(accepts(0, 0, 3));
    }

    @Test
    void failedWriteMayStandAndClaimsNothing() {
        data(ledger.now(), UNIT, content(SECTOR, 9), false);
        assertEquals(0, claimed(1));
        write(ledger.now(), 0, SECTOR, 1);
        data(ledger.now(), 0, content(SECTOR, 2), false);
        assertEquals(1, claimed(0));
        assertTrue(accepts(0, 0, 1));
        assertTrue(accepts(0, 0, 2));
        write(ledger.now(), 0, SECTOR, 3);
        assertFalse(accepts(0, 0, 2));
    }

    @Test
    void trimDropsAndZerosAreZeros() {
        write(ledger.now(), 0, 4 * UNIT, 1);
        assertTrue(zeros(ledger.now(), 3 * SECTOR, 2 * UNIT));
        assertEquals(0xff, claimed(1));
        assertTrue(accepts(0, 2, 1));
        assertTrue(accepts(0, 3, 0));
        assertTrue(accepts(1, 7, 0));
        assertTrue(accepts(2, 2, 0));
        assertTrue(accepts(2, 3, 1));
        long began = ledger.now();
        assertTrue(ledger.promise(Ledger.recordsOfRange(UNIT + SECTOR, SECTOR)));
        ledger.nothing(began, UNIT + SECTOR, SECTOR);
        assertEquals(0xff & ~2, claimed(1));
        // A write that began before the trim ended may have been trimmed.
        write(began, UNIT + SECTOR, SECTOR, 4);
        assertEquals(0xff & ~2, claimed(1));
        write(ledger.now(), UNIT + SECTOR, SECTOR, 5);
        assertEquals(0xff, claimed(1));
    }

    @Test
    void edgesOfAWriteAreSectorsOfTheirUnits() {
        ByteBuffer data = content(UNIT + 2 * SECTOR, 6).position(0);
        assertTrue(data(ledger.now(), 3 * UNIT - SECTOR, data, true));
        assertEquals(data.limit(), data.position());
        assertEquals(0x80, claimed(2));
        assertEquals(0xff, claimed(3));
        assertEquals(0x01, claimed(4));
        assertArrayEquals(new long[] {2, 5}, new LedgerIndex(ledger).ranges(10));
        assertEquals(10, ledger.sectors());
    }

    @Test
    void whatWasOnlyTrimmedIsInNoRange() {
        trim(0, 40 * UNIT);
        trim(60 * UNIT + SECTOR, SECTOR);
        assertArrayEquals(new long[0], new LedgerIndex(ledger).ranges(10));
        write(ledger.now(), 5 * UNIT, UNIT, 1);
        zeros(ledger.now(), 39 * UNIT, 3 * UNIT);
        write(ledger.now(), 60 * UNIT, SECTOR, 1);
        LedgerIndex index = new LedgerIndex(ledger);
        assertArrayEquals(new long[] {5, 6, 39, 42, 60, 61}, index.ranges(10));
        assertTrue(index.has(5));
        assertFalse(index.has(6));
        trim(0, 40 * UNIT);
        index.advance();
        assertEquals(0, index.claims(5).claimedMask());
        assertEquals(0, index.claims(39).claimedMask());
        assertEquals(0xff, index.claims(40).claimedMask());
    }

    @Test
    void longRunsAreAboutEachOfTheirUnits() {
        zeros(ledger.now(), 1000L * UNIT, 8192L * UNIT);
        LedgerIndex index = new LedgerIndex(ledger);
        for (long unit : new long[] {1000, 2047, 2048, 5000, 9191}) {
            assertTrue(index.has(unit));
            assertEquals(0xff, index.claims(unit).claimedMask());
        }
        for (long unit : new long[] {0, 999, 9192, 20_000}) {
            assertFalse(index.has(unit));
            assertEquals(0, index.claims(unit).claimedMask());
        }
    }

    @Test
    void isARingThatRefusesWhenItIsFull() {
        for (int lap = 0; lap < 3; lap++) {
            for (int i = 0; i < RECORDS; i++) {
                assertTrue(write(ledger.now(), (long) i * UNIT, SECTOR, lap));
            }
            assertTrue(ledger.isCrowded());
            assertFalse(write(ledger.now(), 0, SECTOR, 7));
            assertFalse(zeros(ledger.now(), 0, UNIT));
            assertTrue(accepts(5, 0, lap));
            assertEquals(lap + 1, halfFull);
            ledger.release(ledger.publishedEnd());
            assertEquals(0, ledger.records());
            assertEquals(0, claimed(5));
        }
    }

    @Test
    void roomThatWasPromisedIsNobodyElses() {
        assertTrue(ledger.promise(RECORDS - 1));
        assertTrue(ledger.isCrowded());
        assertFalse(ledger.promise(2));
        assertTrue(write(ledger.now(), 0, SECTOR, 1));
        assertFalse(write(ledger.now(), 0, SECTOR, 2));
        ledger.takeBack(1);
        assertTrue(write(ledger.now(), 0, SECTOR, 3));
        assertTrue(accepts(0, 0, 3));
    }

    @Test
    void longWritesEndAtUnitsAfterHalfOfTheLedger() {
        assertEquals(RECORDS / 2 * UNIT, ledger.endOfRecordable(0));
        assertEquals(RECORDS / 2 * UNIT, ledger.endOfRecordable(SECTOR));
        assertEquals((RECORDS / 2 + 1) * UNIT, ledger.endOfRecordable(UNIT));
    }

    @Test
    void releasesOnlyWhatWasCovered() {
        write(ledger.now(), 0, UNIT, 1);
        long covered = ledger.publishedEnd();
        write(ledger.now(), UNIT, UNIT, 2);
        ledger.release(covered);
        assertEquals(0, claimed(0));
        assertEquals(0xff, claimed(1));
    }

    @Test
    void indexTakesInWhatCameLater() {
        write(ledger.now(), 0, UNIT, 1);
        LedgerIndex index = new LedgerIndex(ledger);
        write(ledger.now(), 0, UNIT, 2);
        index.advance();
        assertTrue(index.isComplete());
        assertFalse(index.claims(0).accepts(0, content(SECTOR, 1)));
        assertTrue(index.claims(0).accepts(0, content(SECTOR, 2)));
    }

    @Test
    void rangesAreJoinedOverTheSmallestGaps() {
        for (long unit : new long[] {0, 1, 10, 12, 50, 90}) {
            write(ledger.now(), unit * UNIT, UNIT, 1);
        }
        LedgerIndex index = new LedgerIndex(ledger);
        assertArrayEquals(new long[] {0, 2, 10, 11, 12, 13, 50, 51, 90, 91}, index.ranges(5));
        assertArrayEquals(new long[] {0, 2, 10, 13, 50, 51, 90, 91}, index.ranges(4));
        assertArrayEquals(new long[] {0, 13, 50, 51, 90, 91}, index.ranges(3));
        assertArrayEquals(new long[] {0, 91}, index.ranges(1));
    }

    /** As ext4 has them, with a seed of its own: their CRC32C is the same, whatever they hold. */
    @Test
    void blocksThatEndWithTheirOwnChecksumAreToldApart() {
        for (int seed : new int[] {0, 0x1234567}) {
            data(ledger.now(), 0, sealed(seed, 1), true);
            LedgerIndex.UnitClaims claims = new LedgerIndex(ledger).claims(0);
            assertTrue(claims.accepts(0, sealed(seed, 1)));
            assertFalse(claims.accepts(0, sealed(seed, 2)));
        }
    }

    private static ByteBuffer sealed(int seed, int value) {
        ByteBuffer block = content(SECTOR, value).order(ByteOrder.LITTLE_ENDIAN);
        CRC32C own = new CRC32C();
        own.update(seed);
        own.update(block.duplicate().limit(SECTOR - Integer.BYTES));
        return block.putInt(SECTOR - Integer.BYTES, (int) own.getValue());
    }
}
