package io.remap.api;

import java.util.List;

/**
 * State of a feature and its parts, as {@code status} shows it.
 *
 * @param name for people, for example {@code I/O-opt}
 * @param state where it stands
 * @param detail why it failed, or what is worth knowing; may be empty
 * @param parts the features it consists of
 */
public record FeatureStatus(String name, FeatureState state, String detail, List<FeatureStatus> parts) {
    public FeatureStatus {
        parts = List.copyOf(parts);
    }

    public static FeatureStatus of(String name, FeatureState state, String detail, FeatureStatus... parts) {
        return new FeatureStatus(name, state, detail, List.of(parts));
    }

    /** One word and the reason: {@code enabled}, {@code absent}, {@code starting}, {@code failed: …}, {@code stopped}. */
    public String text() {
        String word = switch (state) {
            case ABSENT -> "absent";
            case STARTING -> "starting";
            case STARTED -> "enabled";
            case FAILED -> "failed";
            case STOPPED -> "stopped";
        };
        if (detail.isEmpty()) {
            return word;
        }
        return state == FeatureState.FAILED ? word + ": " + detail : word + " (" + detail + ")";
    }
}
