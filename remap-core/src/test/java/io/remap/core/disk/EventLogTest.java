package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Errno;
import io.remap.api.SectorRange;
import io.remap.core.disk.DiskEvent.Kind;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class EventLogTest {
    private static final Optional<DiskEvent.Cause> CAUSE = Optional.of(DiskEvent.Cause.of("read", Errno.EIO, 3));

    private long now = 1_000_000;
    private final EventLog log = new EventLog(() -> now);

    private void unreadable(long first, long length) {
        log.note(Kind.UNREADABLE, Optional.of(new SectorRange(first, length)), CAUSE, "");
    }

    private List<DiskEvent> all() {
        return log.newest(0, Integer.MAX_VALUE);
    }

    @Test
    void whatGoesOnIsOneEvent() {
        for (int i = 0; i < 100_000; i++) {
            unreadable(5000 + i % 300, 1);
            now++;
        }
        List<DiskEvent> events = all();
        assertTrue(events.size() < 15, events.size() + " events");
        assertEquals(100_000, events.stream().mapToLong(DiskEvent::count).sum());
        DiskEvent last = events.get(events.size() - 1);
        assertTrue(last.sectors().orElseThrow().firstSector() >= 5000);
        assertEquals(now - 1, last.lastMillis());
    }

    @Test
    void ofLongOnesTheNewestAreSavedThatHaveRoom() {
        for (int i = 0; i < EventLog.MAX_EVENTS; i++) {
            log.note(Kind.DEVICE_FAULT, Optional.empty(), CAUSE, "é".repeat(DiskEvent.MAX_DETAIL_CHARS));
            now += EventLog.JOIN_MILLIS + 1;
        }
        byte[] saved = log.save();
        assertTrue(saved.length <= EventLog.MAX_SAVED_BYTES, saved.length + " bytes");
        EventLog later = new EventLog(() -> now);
        later.restore(saved);
        List<DiskEvent> restored = later.newest(0, Integer.MAX_VALUE);
        assertTrue(restored.size() > EventLog.MAX_EVENTS / 4, restored.size() + " events");
        assertEquals(log.newest(0, restored.size()), restored);
    }

    @Test
    void whatIsElsewhereLaterOrElseIsAnotherEvent() {
        unreadable(100, 8);
        unreadable(108, 8);
        unreadable(117, 1);
        log.note(Kind.DEVICE_FAULT, "gone");
        log.note(Kind.DEVICE_FAULT, "gone\nstill\tgone");
        unreadable(110, 2);
        now += EventLog.JOIN_MILLIS + 1;
        unreadable(110, 2);
        List<DiskEvent> events = all();
        assertEquals(4, events.size(), events.toString());
        assertEquals(new SectorRange(100, 16), events.get(0).sectors().orElseThrow());
        assertEquals(3, events.get(0).count());
        assertEquals(new SectorRange(117, 1), events.get(1).sectors().orElseThrow());
        assertEquals("gone still gone", events.get(2).detail());
        assertEquals(2, events.get(2).count());
        assertEquals(new SectorRange(110, 2), events.get(3).sectors().orElseThrow());
    }

    @Test
    void keepsTheNewestAndIsRestored() {
        for (int i = 0; i < 3 * EventLog.MAX_EVENTS; i++) {
            unreadable(10L * i, 1);
        }
        log.note(Kind.STOPPED, "ä".repeat(1000));
        assertEquals(EventLog.MAX_EVENTS, all().size());
        assertEquals(
                3L * EventLog.MAX_EVENTS + 1, all().get(EventLog.MAX_EVENTS - 1).number());
        assertEquals(2, log.newest(3L * EventLog.MAX_EVENTS - 1, 100).size());
        assertEquals(Kind.STOPPED, log.newest(0, 1).get(0).kind());

        EventLog next = new EventLog(() -> now);
        next.restore(log.save());
        assertEquals(all(), next.newest(0, Integer.MAX_VALUE));
        next.note(Kind.STARTED, "");
        assertEquals(3L * EventLog.MAX_EVENTS + 2, next.newest(0, 1).get(0).number());
        assertTrue(log.save().length < 400_000, "fits the saved area: " + log.save().length);
    }

    @Test
    void readsWhatAnEarlierVersionWroteAndLeavesOutWhatALaterOneDid() {
        List<String> lines = List.of(
                "1\t10\t20\t3\tUNREADABLE\t100\t8\tsome detail",
                "2\t10\t20\t3\tOF_TOMORROW\t100\t8\tread\t5\t3\twhat",
                "3\t10\t20\t3\tUNREADABLE\t100\t8\tread\t5\t3\tother detail");
        log.restore(String.join("\n", lines).getBytes(StandardCharsets.UTF_8));
        assertEquals(2, all().size());
        assertEquals("some detail", all().get(0).detail());
        assertEquals(Optional.empty(), all().get(0).cause());
        assertEquals("other detail", all().get(1).detail());
        assertEquals(CAUSE, all().get(1).cause());
    }

    @Test
    void leavesOutWhatIsNoEvent() {
        log.restore("\nnonsense\n1\t2\n".getBytes(StandardCharsets.UTF_8));
        assertEquals(List.of(), all());
        log.restore(new byte[0]);
        assertEquals(List.of(), all());
    }
}
