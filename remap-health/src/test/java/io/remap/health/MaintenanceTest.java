package io.remap.health;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.TimeSource;
import io.remap.health.record.Notebook;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Maintenance ends, whatever the clock does. */
class MaintenanceTest {
    private static final long DAY_MILLIS = TimeUnit.DAYS.toMillis(1);
    private static final long HOUR_MILLIS = TimeUnit.HOURS.toMillis(1);

    private long now = 20_000 * DAY_MILLIS;
    private final TimeSource time = new TimeSource() {
        @Override
        public long nanoTime() {
            throw new AssertionError("it outlives the process");
        }

        @Override
        public long wallMillis() {
            return now;
        }
    };
    private final Maintenance maintenance = new Maintenance(time);

    private Maintenance restored(String more) {
        Maintenance other = new Maintenance(time);
        String saved = new String(new Notebook("disk", 1000, List.of(maintenance)).write(), StandardCharsets.US_ASCII);
        new Notebook("disk", 1000, List.of(other)).read((saved + more).getBytes(StandardCharsets.US_ASCII));
        return other;
    }

    @Test
    void itEndsWhenItsTimeIsOverOrSomebodySaysSo() {
        assertFalse(maintenance.isOn());
        maintenance.begin(3600);
        assertEquals(now + HOUR_MILLIS, maintenance.untilMillis());
        now += HOUR_MILLIS - 1;
        assertTrue(maintenance.isOn());
        assertTrue(restored("").isOn());
        now++;
        assertFalse(maintenance.isOn());
        maintenance.begin(3600);
        maintenance.begin(0);
        assertEquals(0, maintenance.untilMillis());
        assertFalse(restored("").isOn());
    }

    @Test
    void afterAClockThatWasAheadItLastsNoLongerThanItWasTo() {
        now += 365 * DAY_MILLIS;
        maintenance.begin(3600);
        Maintenance before = restored("");
        now -= 365 * DAY_MILLIS;
        for (Maintenance one : List.of(maintenance, before)) {
            assertEquals(now + HOUR_MILLIS, one.untilMillis());
        }
        now += HOUR_MILLIS;
        assertFalse(maintenance.isOn());
        assertFalse(before.isOn());
    }

    @Test
    void ofAnEarlierProgramItLastsAWeekAtMost() {
        Maintenance old = restored("maintenance " + (now + 500 * DAY_MILLIS) + "\n");
        assertEquals(now + 7 * DAY_MILLIS, old.untilMillis());
    }

    @Test
    void whatMakesNoSenseIsLeftOut() {
        maintenance.begin(3600);
        Maintenance other = restored("maintenance " + (now + DAY_MILLIS) + " " + Long.MAX_VALUE + "\nmaintenance "
                + (now + DAY_MILLIS) + " -1\nmaintenance x 1\n");
        assertEquals(now + HOUR_MILLIS, other.untilMillis());
    }
}
