package io.remap.health.alert;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Something that people should know of.
 *
 * @param id unique for the disk, never used again
 * @param key what it is about, for example {@code bad-units}
 * @param severity how bad
 * @param state where it stands
 * @param value what was measured
 * @param step which of the limits of its key the value has reached; with the next one people are told again
 * @param known the value that was acknowledged, or the least that was measured after it; -1 before that
 * @param raisedMillis when it came up, since 1970
 * @param changedMillis when people were told last, or it was acknowledged or resolved
 * @param text what it is and what to do, one line
 */
public record Alert(
        long id,
        String key,
        Severity severity,
        State state,
        long value,
        int step,
        long known,
        long raisedMillis,
        long changedMillis,
        String text) {
    /** Where an alert stands. */
    public enum State {
        OPEN,
        /** Somebody knows; it opens again when it gets worse. */
        ACKNOWLEDGED,
        /** It is over. */
        RESOLVED;

        /** As it is written outside. */
        public String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    Alert in(State newState, long nowMillis) {
        long acknowledged = newState == State.OPEN ? known : value;
        return new Alert(id, key, severity, newState, value, step, acknowledged, raisedMillis, nowMillis, text);
    }

    Alert measured(Severity newSeverity, long newValue, int newStep, String newText) {
        return new Alert(id, key, newSeverity, state, newValue, newStep, known, raisedMillis, changedMillis, newText);
    }

    Alert knownAtMost(long measured) {
        return new Alert(
                id, key, severity, state, value, step, Math.min(known, measured), raisedMillis, changedMillis, text);
    }

    /** As a map. */
    public Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("id", id);
        map.put("key", key);
        map.put("severity", severity.word());
        map.put("state", state.word());
        map.put("value", value);
        map.put("raisedMillis", raisedMillis);
        map.put("changedMillis", changedMillis);
        map.put("text", text);
        return map;
    }
}
