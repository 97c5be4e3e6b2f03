package io.remap.health.score;

import io.remap.health.record.History;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * When the spare will be full, if it goes on as it did. The growth is the median of the slopes between all pairs of days of
 * the last 90 (Theil and Sen), which a single bad day does not bend; the quarter of the slopes below and above it give the
 * range. Errors come in bursts, so this is a rough guess, and with less than a week of days, or no growth, it is none.
 *
 * @param state unknown, no-growth or estimated
 * @param days until the spare is full; -1 if that is not told
 * @param earliestDays by the faster quarter of the slopes, -1 if not told
 * @param latestDays by the slower quarter, -1 if not told, or if by that it never is
 * @param why what it rests on
 */
public record Forecast(String state, long days, long earliestDays, long latestDays, String why) {
    static final int MIN_DAYS = 7;
    private static final int MAX_DAYS = 90;

    /** The estimate for a spare. */
    public static Forecast of(List<History.Day> history, long slots) {
        if (slots == 0) {
            return none("unknown", "there is no spare");
        }
        List<History.Day> days = history.subList(Math.max(0, history.size() - MAX_DAYS), history.size());
        if (days.size() < MIN_DAYS) {
            return none("unknown", "only " + days.size() + " days were watched, " + MIN_DAYS + " are needed");
        }
        List<Double> slopes = new ArrayList<>();
        for (int i = 0; i < days.size(); i++) {
            for (int j = i + 1; j < days.size(); j++) {
                slopes.add((double) (days.get(j).usedSlots() - days.get(i).usedSlots())
                        / (days.get(j).day() - days.get(i).day()));
            }
        }
        Collections.sort(slopes);
        double median = slopes.get(slopes.size() / 2);
        long left = slots - days.get(days.size() - 1).usedSlots();
        String basis = days.size() + " days, median growth of " + String.format(java.util.Locale.ROOT, "%.1f", median)
                + " slots a day";
        if (median <= 0) {
            return none("no-growth", basis);
        }
        return new Forecast(
                "estimated",
                daysFor(left, median),
                daysFor(left, slopes.get(slopes.size() * 3 / 4)),
                daysFor(left, slopes.get(slopes.size() / 4)),
                basis);
    }

    private static Forecast none(String state, String why) {
        return new Forecast(state, -1, -1, -1, why);
    }

    private static long daysFor(long slots, double perDay) {
        return perDay <= 0 ? -1 : (long) Math.ceil(Math.max(0, slots) / perDay);
    }

    /** As a map. */
    public Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("state", state);
        map.put("days", days < 0 ? null : days);
        map.put("earliestDays", earliestDays < 0 ? null : earliestDays);
        map.put("latestDays", latestDays < 0 ? null : latestDays);
        map.put("method", "Theil-Sen: " + why);
        return map;
    }
}
