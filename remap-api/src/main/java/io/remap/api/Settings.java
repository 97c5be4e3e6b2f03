package io.remap.api;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The values that the user chose, over the defaults of the {@link Setting}s. Immutable. */
public final class Settings {
    private final Map<String, String> chosen;

    /** Takes values by the names of their settings. */
    public Settings(Map<String, String> chosen) {
        this.chosen = Map.copyOf(chosen);
    }

    public static Settings defaults() {
        return new Settings(Map.of());
    }

    public String text(Setting setting) {
        return chosen.getOrDefault(setting.name(), setting.defaultValue());
    }

    /** A whole number within a range; refused with the range if it is none. */
    public long number(Setting setting, long min, long max) throws Refusal {
        String value = text(setting);
        try {
            long number = Long.parseLong(value);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Refused below with the range.
        }
        throw new Refusal(
                Refusal.Kind.USAGE,
                "setting " + setting.name() + ": expected a number from " + min + " to " + max + ", found '" + value
                        + "'");
    }

    /** {@code on}/{@code true} or {@code off}/{@code false}. */
    public boolean flag(Setting setting) throws Refusal {
        return switch (text(setting)) {
            case "on", "true" -> true;
            case "off", "false" -> false;
            default ->
                throw new Refusal(
                        Refusal.Kind.USAGE,
                        "setting " + setting.name() + ": expected on or off, found '" + text(setting) + "'");
        };
    }

    /** Refuses values for settings that nobody knows; {@code known} holds all names. */
    public void refuseUnknown(Set<String> known) throws Refusal {
        for (String name : new TreeMap<>(chosen).keySet()) {
            if (!known.contains(name)) {
                throw new Refusal(Refusal.Kind.USAGE, "no setting is named '" + name + "'; there are " + known);
            }
        }
    }
}
