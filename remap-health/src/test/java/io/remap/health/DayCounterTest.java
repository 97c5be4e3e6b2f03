package io.remap.health;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.health.record.Notebook;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What happened within a day is counted, and nothing else. */
class DayCounterTest {
    private final DayCounter counter = new DayCounter("faults");

    private static long hours(long hours) {
        return TimeUnit.HOURS.toMillis(hours);
    }

    @Test
    void aDayLaterItIsOver() {
        for (long hour = 100; hour < 130; hour++) {
            counter.add(hours(hour));
        }
        assertEquals(24, counter.sum(hours(129)));
        assertEquals(1, counter.sum(hours(152)));
        assertEquals(0, counter.sum(hours(153)));
    }

    @Test
    void whatAClockThatWasAheadCountedIsOverOnceItIsPutRight() {
        counter.add(hours(24 * 10));
        assertEquals(1, counter.sum(hours(24 * 10)));
        assertEquals(0, counter.sum(hours(24 * 9)));
        counter.add(hours(24 * 9));
        assertEquals(1, counter.sum(hours(24 * 9)));
    }

    @Test
    void itComesBackAsItWasAndTakesNothingThatMakesNoSense() {
        for (long hour = 100; hour < 105; hour++) {
            counter.add(hours(hour));
            counter.add(hours(hour));
        }
        Notebook writer = new Notebook("disk", 1000, List.of(counter));
        String damaged = new String(writer.write(), StandardCharsets.US_ASCII)
                + "faults -24 7\nfaults 103 -7\nfaults 103 0\nfaults 103 " + Long.MAX_VALUE
                + "\nfaults 103\nfaults x 1\nfaults 79 5\nother 103 1\n";
        DayCounter restored = new DayCounter("faults");
        new Notebook("disk", 1000, List.of(restored)).read(damaged.getBytes(StandardCharsets.US_ASCII));
        assertEquals(10, restored.sum(hours(104)));
        assertEquals(counter.lines(), restored.lines());
    }
}
