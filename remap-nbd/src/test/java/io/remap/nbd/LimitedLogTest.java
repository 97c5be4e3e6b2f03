package io.remap.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.TimeSource;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.helpers.MessageFormatter;

/** Clients cannot fill a log, and what was left out is said. */
class LimitedLogTest {
    private final List<String> lines = new ArrayList<>();
    private long nowNanos = 7;
    private final LimitedLog log = new LimitedLog(logger(), new TimeSource() {
        @Override
        public long nanoTime() {
            return nowNanos;
        }

        @Override
        public long wallMillis() {
            throw new UnsupportedOperationException();
        }
    });

    private Logger logger() {
        return (Logger) Proxy.newProxyInstance(
                Logger.class.getClassLoader(), new Class<?>[] {Logger.class}, (proxy, method, arguments) -> {
                    assertEquals("warn", method.getName());
                    Object[] values = arguments[1] instanceof Object[] array
                            ? array
                            : java.util.Arrays.copyOfRange(arguments, 1, arguments.length);
                    lines.add(MessageFormatter.arrayFormat((String) arguments[0], values)
                            .getMessage());
                    return null;
                });
    }

    private List<String> written() {
        List<String> result = List.copyOf(lines);
        lines.clear();
        return result;
    }

    private void warn(int times) {
        for (int i = 0; i < times; i++) {
            log.warn("x");
        }
    }

    @Test
    void aPeriodHasSoManyLinesAndTheNextOneSaysHowManyWereLeftOut() {
        warn(LimitedLog.MAX_LINES);
        assertEquals(Collections.nCopies(LimitedLog.MAX_LINES, "x"), written());
        warn(3);
        nowNanos += LimitedLog.PERIOD_NANOS - 1;
        warn(2);
        assertEquals(List.of(), written());
        nowNanos++;
        warn(LimitedLog.MAX_LINES + 1);
        List<String> next = new ArrayList<>(Collections.nCopies(LimitedLog.MAX_LINES, "x"));
        next.set(0, "x (5 lines like this were left out before)");
        assertEquals(next, written());
        nowNanos += 10 * LimitedLog.PERIOD_NANOS;
        warn(2);
        assertEquals(List.of("x (1 lines like this were left out before)", "x"), written());
    }
}
