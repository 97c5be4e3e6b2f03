package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** People are told of what begins, and not of each that follows. */
class LogLimitTest {
    /** Any number may stand for the moment of the start. */
    private long nowNanos = Long.MAX_VALUE - LogLimit.QUIET_NANOS / 2;

    private final LogLimit limit = new LogLimit();

    @Test
    void theFirstAreToldThenFewAndAllAgainAfterAQuietDay() {
        for (int day = 0; day < 3; day++) {
            int told = 0;
            for (int i = 1; i <= 1000; i++) {
                boolean now = limit.admits(nowNanos++);
                assertTrue(now || i > LogLimit.IN_FULL, "number " + i);
                told += now ? 1 : 0;
            }
            assertEquals(LogLimit.IN_FULL + 5, told, "32, 64, 128, 256, 512");
            nowNanos += LogLimit.QUIET_NANOS;
        }
    }

    @Test
    void whatGoesOnDayByDayIsNotToldAnew() {
        for (int i = 0; i < LogLimit.IN_FULL; i++) {
            limit.admits(nowNanos);
        }
        nowNanos += LogLimit.QUIET_NANOS - 1;
        assertFalse(limit.admits(nowNanos));
        nowNanos += LogLimit.QUIET_NANOS - 1;
        assertFalse(limit.admits(nowNanos));
    }
}
