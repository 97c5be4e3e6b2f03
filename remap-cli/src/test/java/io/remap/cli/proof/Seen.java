package io.remap.cli.proof;

import io.remap.api.DiskError;
import io.remap.api.DiskRequest.Operation;
import io.remap.testkit.ReferenceMap;
import io.remap.testkit.ReferenceMap.AfterPowerCut;
import java.util.Arrays;
import java.util.List;

/**
 * What a disk showed when it was read whole.
 *
 * @param sectors for each sector the contents that its words show (bit <i>i</i>: stamp <i>i</i>, the sign: something else),
 *     or {@link #FAILED}
 */
record Seen(List<Long> sectors) {
    static final long FAILED = 0;

    private static final int SECTOR = CrashStack.SECTOR_BYTES;
    private static final int UNIT = CrashStack.UNIT_BYTES;

    /** Reads everything, unit by unit, and sector by sector where that fails. */
    static Seen of(CrashStack stack, long lastStamp) {
        long[] sectors = new long[CrashStack.MAIN_BYTES / SECTOR];
        for (int offset = 0; offset < CrashStack.MAIN_BYTES; offset += UNIT) {
            if (!read(stack, offset, UNIT, lastStamp, sectors)) {
                for (int at = offset; at < offset + UNIT; at += SECTOR) {
                    read(stack, at, SECTOR, lastStamp, sectors);
                }
            }
        }
        return new Seen(Arrays.stream(sectors).boxed().toList());
    }

    private static boolean read(CrashStack stack, int offset, int length, long lastStamp, long[] sectors) {
        boolean[] whole = {false};
        stack.submit(0, Operation.READ, offset, length, false, error -> whole[0] = error == DiskError.NONE);
        stack.runAll();
        for (int at = 0; at < length; at += SECTOR) {
            sectors[(offset + at) / SECTOR] = whole[0]
                    ? ReferenceMap.stampsIn(stack.buffer(0).slice(at, SECTOR), (long) offset + at, lastStamp)
                    : FAILED;
        }
        return whole[0];
    }

    /** Throws unless all of it is allowed. */
    void check(AfterPowerCut allowed) {
        for (int sector = 0; sector < sectors.size(); sector++) {
            long shown = sectors.get(sector);
            boolean failed = shown == FAILED;
            if (failed ? !mayFail(allowed, sector) : allowed.mustFail().get(sector)) {
                throw new Violation("sector " + sector + (failed ? " cannot be read" : " is lost, but was read"));
            }
            long stamps = 0;
            for (long stamp : allowed.stamps().get(sector)) {
                stamps |= 1L << stamp;
            }
            if ((shown & ~stamps) != 0) {
                throw new Violation("sector " + sector + " shows " + text(shown) + ", allowed is " + text(stamps));
            }
        }
    }

    private static boolean mayFail(AfterPowerCut allowed, int sector) {
        return allowed.mayFail().get(sector) || allowed.mustFail().get(sector);
    }

    private static String text(long stamps) {
        StringBuilder text = new StringBuilder();
        for (int stamp = 0; stamp < Long.SIZE - 1; stamp++) {
            if ((stamps >> stamp & 1) != 0) {
                text.append(text.length() == 0 ? "" : " and ").append(stamp == 0 ? "zeros" : "write " + stamp);
            }
        }
        return stamps < 0 ? text + " and what was never written" : text.toString();
    }
}
