package io.remap.health.alert;

import io.remap.api.Refusal;
import io.remap.health.record.Remembered;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The alerts of a disk. People are told of growth, not of a state: when an alert comes up, when it reaches the next limit,
 * when it gets worse than what they acknowledged, and when it is over. A value that they took as the baseline is no alert.
 * Both fall with the value: once it is less, growth from there is told of, be it to less than they had known.
 *
 * <p>Invariants: at most one alert of a key that is not resolved; at most {@link #MAX_KEYS} keys, and {@link #MAX_OVER}
 * resolved alerts, the newest. Thread-safe; whoever is told is told outside the monitor.
 */
public final class AlertBook implements Remembered {
    static final int MAX_KEYS = 64;
    static final int MAX_OVER = 64;
    private static final int MAX_TEXT_CHARS = 400;

    /** Told what people should be told. */
    @FunctionalInterface
    public interface Listener {
        /** By the thread that measured; must not block. */
        void told(Alert alert);
    }

    private final Listener listener;
    private final Map<String, Alert> active = new LinkedHashMap<>();
    private final Map<String, Long> baseline = new LinkedHashMap<>();
    private final Deque<Alert> over = new ArrayDeque<>();
    private long lastId;

    /** An empty one. */
    public AlertBook(Listener listener) {
        this.listener = listener;
    }

    /**
     * Takes a measurement.
     *
     * @param severity how bad the value is; {@code null}: it is all right
     * @param step which limit it has reached, ascending
     * @param slack how much it goes up and down without that it means anything: as much above the baseline, or above what was
     *     acknowledged, is no growth
     */
    public void measure(String key, Severity severity, long value, int step, long slack, String text, long nowMillis) {
        Alert told;
        synchronized (this) {
            Alert before = active.get(key);
            baseline.computeIfPresent(key, (same, known) -> Math.min(known, value));
            if (severity == null || isKnown(baseline.get(key), value, slack)) {
                told = before == null ? null : close(before, nowMillis);
            } else if (before == null) {
                told = raise(key, severity, value, step, text, nowMillis);
            } else {
                told = again(before.knownAtMost(value), severity, value, step, slack, text, nowMillis);
            }
        }
        if (told != null) {
            listener.told(told);
        }
    }

    private static boolean isKnown(Long baseline, long value, long slack) {
        return baseline != null && value <= baseline + slack;
    }

    /** Which limit the alert of a key has reached, 0 if there is none. */
    synchronized int step(String key) {
        Alert alert = active.get(key);
        return alert == null ? 0 : alert.step();
    }

    private Alert raise(String key, Severity severity, long value, int step, String text, long nowMillis) {
        if (active.size() >= MAX_KEYS) {
            return null;
        }
        Alert alert = new Alert(
                ++lastId, key, severity, Alert.State.OPEN, value, step, -1, nowMillis, nowMillis, shortened(text));
        active.put(key, alert);
        return alert;
    }

    private Alert again(
            Alert before, Severity severity, long value, int step, long slack, String text, long nowMillis) {
        Alert now = before.measured(severity, value, step, shortened(text));
        boolean worse = severity.compareTo(before.severity()) > 0 || step > before.step();
        if (before.state() == Alert.State.ACKNOWLEDGED) {
            worse |= value > before.known() + slack;
        }
        if (worse) {
            now = now.in(Alert.State.OPEN, nowMillis);
        }
        active.put(before.key(), now);
        return worse ? now : null;
    }

    private Alert close(Alert alert, long nowMillis) {
        active.remove(alert.key());
        Alert resolved = alert.in(Alert.State.RESOLVED, nowMillis);
        over.addFirst(resolved);
        if (over.size() > MAX_OVER) {
            over.removeLast();
        }
        return resolved;
    }

    private static String shortened(String text) {
        return text.length() <= MAX_TEXT_CHARS ? text : text.substring(0, MAX_TEXT_CHARS);
    }

    /** Somebody knows of it: nothing is told before it gets worse. */
    public synchronized Alert acknowledge(long id, long nowMillis) throws Refusal {
        Alert alert = find(id).in(Alert.State.ACKNOWLEDGED, nowMillis);
        active.put(alert.key(), alert);
        return alert;
    }

    /** It was dealt with: what is measured now is the baseline, and only more is an alert. */
    public synchronized Alert resolve(long id, long nowMillis) throws Refusal {
        Alert alert = find(id);
        baseline.put(alert.key(), alert.value());
        return close(alert, nowMillis);
    }

    /** Takes everything as it is now as the baseline; how many alerts are over by that. */
    public synchronized int acceptAll(long nowMillis) {
        List<Alert> all = List.copyOf(active.values());
        for (Alert alert : all) {
            baseline.put(alert.key(), alert.value());
            close(alert, nowMillis);
        }
        return all.size();
    }

    private Alert find(long id) throws Refusal {
        return active.values().stream()
                .filter(alert -> alert.id() == id)
                .findFirst()
                .orElseThrow(() -> new Refusal(
                        Refusal.Kind.NOT_SO, "no open alert has the number " + id + "; see 'remap alerts list'"));
    }

    /** Those that are not over, the gravest first, then the newest of the others. */
    public synchronized List<Alert> list() {
        List<Alert> all = new ArrayList<>(active.values());
        all.sort((a, b) -> b.severity().compareTo(a.severity()));
        all.addAll(over);
        return all;
    }

    /** Alerts that nobody has acknowledged. */
    public synchronized long open() {
        return active.values().stream()
                .filter(alert -> alert.state() == Alert.State.OPEN)
                .count();
    }

    @Override
    public String word() {
        return "alert";
    }

    @Override
    public synchronized List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add("id " + lastId);
        baseline.forEach((key, value) -> lines.add("baseline " + key + " " + value));
        active.values().forEach(alert -> lines.add(line(alert)));
        over.forEach(alert -> lines.add(line(alert)));
        return lines;
    }

    private static String line(Alert a) {
        return a.id() + " " + a.key() + " " + a.severity() + " " + a.state() + " " + a.value() + " " + a.step() + " "
                + a.known() + " " + a.raisedMillis() + " " + a.changedMillis() + " "
                + URLEncoder.encode(a.text(), StandardCharsets.UTF_8);
    }

    @Override
    public synchronized void restore(String[] words) {
        switch (words[0]) {
            case "id" -> lastId = Long.parseLong(words[1]);
            case "baseline" -> {
                if (baseline.size() < MAX_KEYS) {
                    baseline.put(words[1], Long.parseLong(words[2]));
                }
            }
            default -> restoreAlert(words);
        }
    }

    private void restoreAlert(String[] words) {
        Alert alert = new Alert(
                Long.parseLong(words[0]),
                words[1],
                Severity.valueOf(words[2]),
                Alert.State.valueOf(words[3]),
                Long.parseLong(words[4]),
                Integer.parseInt(words[5]),
                Long.parseLong(words[6]),
                Long.parseLong(words[7]),
                Long.parseLong(words[8]),
                URLDecoder.decode(words[9], StandardCharsets.UTF_8));
        if (alert.state() != Alert.State.RESOLVED && active.size() < MAX_KEYS) {
            active.put(alert.key(), alert);
        } else if (over.size() < MAX_OVER) {
            over.addLast(alert);
        }
    }
}
