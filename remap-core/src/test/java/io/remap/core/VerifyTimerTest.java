package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.spi.MetadataCopies;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class VerifyTimerTest {
    private static final long INTERVAL_SECONDS = 3600;

    private final List<Runnable> due = new ArrayList<>();
    private final List<Long> delays = new ArrayList<>();
    private final List<MetadataCopies.Listener> asked = new ArrayList<>();
    private int cancelled;

    private final Scheduler scheduler = new Scheduler() {
        @Override
        public void execute(Runnable task) {
            task.run();
        }

        @Override
        public Cancellable schedule(Runnable task, long delayMillis) {
            due.add(task);
            delays.add(delayMillis);
            return () -> cancelled++;
        }
    };

    private final MetadataCopies copies = new MetadataCopies() {
        @Override
        public State state() {
            throw new UnsupportedOperationException("nobody asks");
        }

        @Override
        public void verify(boolean repair, Listener listener) {
            assertTrue(repair);
            asked.add(listener);
        }

        @Override
        public void rewrite(Listener listener) {
            throw new UnsupportedOperationException("nobody asks");
        }
    };

    @Test
    void oneReadingAfterTheOtherAndThePauseBetween() {
        VerifyTimer timer = VerifyTimer.start("d", copies, scheduler, INTERVAL_SECONDS);
        assertEquals(0, asked.size(), "not at once: the opening has just read everything");
        due.get(0).run();
        assertEquals(1, asked.size());
        assertEquals(1, due.size(), "the next one waits for the end of this");
        asked.get(0).ended(null, new Refusal(Refusal.Kind.DEVICE_FAILED, "gone"));
        due.get(1).run();
        assertEquals(2, asked.size(), "a failure ends nothing");
        assertEquals(List.of(3_600_000L, 3_600_000L), delays);
        timer.close();
        assertEquals(1, cancelled);
        asked.get(1).ended(null, new Refusal(Refusal.Kind.BUSY, "closed"));
        assertEquals(2, due.size(), "nothing more after the end");
    }
}
