package io.remap.core;

import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.api.spi.CommandArguments;
import java.util.List;
import java.util.Map;

/** The arguments of one command; whatever does not fit is refused with the command, the argument and what was expected. */
final class Arguments implements CommandArguments {
    private static final int MAX_TEXT_CHARS = 4096;

    private final String command;
    private final Map<String, Object> given;

    /**
     * Arguments for a command.
     *
     * @param known names that the command takes
     */
    Arguments(String command, List<String> known, Map<String, Object> given) throws Refusal {
        this.command = command;
        this.given = given;
        for (String name : given.keySet()) {
            if (!known.contains(name)) {
                throw refusal("takes no argument '" + name + "'; "
                        + (known.isEmpty() ? "it takes none" : "there are " + String.join(", ", known)));
            }
        }
    }

    private Refusal refusal(String why) {
        return new Refusal(Refusal.Kind.USAGE, command + " " + why);
    }

    private Refusal expected(String name, String what) {
        Object found = given.get(name);
        return refusal("needs '" + name + "': " + what + (found == null ? "" : ", found '" + found + "'"));
    }

    @Override
    public boolean has(String name) {
        return given.get(name) != null;
    }

    /** A text that must be there. */
    @Override
    public String text(String name) throws Refusal {
        if (given.get(name) instanceof String text && !text.isEmpty() && text.length() <= MAX_TEXT_CHARS) {
            return text;
        }
        throw expected(name, "a text of 1 to " + MAX_TEXT_CHARS + " characters");
    }

    /** A text, or what holds without it. */
    @Override
    public String text(String name, String otherwise) throws Refusal {
        return has(name) ? text(name) : otherwise;
    }

    /** A text, number or truth value, as the user wrote it. */
    String scalar(String name) throws Refusal {
        Object value = given.get(name);
        boolean scalar = value instanceof String || value instanceof Number || value instanceof Boolean;
        if (scalar && value.toString().length() <= MAX_TEXT_CHARS) {
            return value.toString();
        }
        throw expected(name, "a text, a number or a truth value");
    }

    /** A whole number within a range that must be there. */
    @Override
    public long number(String name, long min, long max) throws Refusal {
        Object value = given.get(name);
        if (value instanceof Integer || value instanceof Long) {
            long number = ((Number) value).longValue();
            if (number >= min && number <= max) {
                return number;
            }
        }
        throw expected(name, "a whole number from " + min + " to " + max);
    }

    /** A whole number within a range, or what holds without it. */
    @Override
    public long number(String name, long min, long max, long otherwise) throws Refusal {
        return has(name) ? number(name, min, max) : otherwise;
    }

    /** The sectors from {@code first} on, as many as {@code length}, of so many that there are. */
    SectorRange range(long sectors) throws Refusal {
        long first = number("first", 0, sectors - 1);
        return new SectorRange(first, number("length", 1, sectors - first));
    }

    /** A truth value, false if it is not given. */
    @Override
    public boolean flag(String name) throws Refusal {
        if (has(name) && !(given.get(name) instanceof Boolean)) {
            throw expected(name, "true or false");
        }
        return Boolean.TRUE.equals(given.get(name));
    }
}
