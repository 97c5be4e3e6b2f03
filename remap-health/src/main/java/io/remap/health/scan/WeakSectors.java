package io.remap.health.scan;

import io.remap.api.SectorRange;
import io.remap.health.record.Remembered;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Sectors that can still be read, with pains, and wait to be moved, within a budget of each hour and day: a disk that gets
 * worse all over must not fill the spare before its writes need it.
 *
 * <p>Invariants: at most {@link #MAX_WAITING} wait; what comes beyond is found again by the next pass. Not thread-safe.
 */
final class WeakSectors implements Remembered {
    static final int MAX_WAITING = 4096;
    private static final int MAX_SAVED = 512;

    private final int perHour;
    private final int perDay;
    private final Map<Long, SectorRange> waiting = new LinkedHashMap<>();
    private final Window hour = new Window(TimeUnit.HOURS.toMillis(1));
    private final Window day = new Window(TimeUnit.DAYS.toMillis(1));

    /** What was moved since the window opened. */
    private static final class Window {
        private final long lengthMillis;
        private long openedMillis;
        private long moved;

        private Window(long lengthMillis) {
            this.lengthMillis = lengthMillis;
        }

        private long waitMillis(long nowMillis, int most) {
            if (nowMillis - openedMillis >= lengthMillis || nowMillis < openedMillis) {
                openedMillis = nowMillis;
                moved = 0;
            }
            return moved < most ? 0 : openedMillis + lengthMillis - nowMillis;
        }
    }

    WeakSectors(int perHour, int perDay) {
        this.perHour = perHour;
        this.perDay = perDay;
    }

    /** One unit, or a part of it. */
    void add(SectorRange range) {
        if (waiting.size() < MAX_WAITING) {
            waiting.putIfAbsent(range.firstSector(), range);
        }
    }

    /** How long the budget has nothing left, 0 if it has. */
    long waitMillis(long nowMillis) {
        return Math.max(hour.waitMillis(nowMillis, perHour), day.waitMillis(nowMillis, perDay));
    }

    /** Takes the first; its move counts in any case. */
    Optional<SectorRange> take(long nowMillis) {
        if (waiting.isEmpty() || waitMillis(nowMillis) > 0) {
            return Optional.empty();
        }
        SectorRange first = waiting.values().iterator().next();
        waiting.remove(first.firstSector());
        hour.moved++;
        day.moved++;
        return Optional.of(first);
    }

    int waiting() {
        return waiting.size();
    }

    @Override
    public String word() {
        return "weak";
    }

    @Override
    public List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add("budget " + hour.openedMillis + " " + hour.moved + " " + day.openedMillis + " " + day.moved);
        waiting.values().stream()
                .limit(MAX_SAVED)
                .forEach(range -> lines.add(range.firstSector() + " " + range.lengthSectors()));
        return lines;
    }

    @Override
    public void restore(String[] words) {
        if (words[0].equals("budget")) {
            hour.openedMillis = Long.parseLong(words[1]);
            hour.moved = Long.parseLong(words[2]);
            day.openedMillis = Long.parseLong(words[3]);
            day.moved = Long.parseLong(words[4]);
        } else {
            add(new SectorRange(Long.parseLong(words[0]), Long.parseLong(words[1])));
        }
    }
}
