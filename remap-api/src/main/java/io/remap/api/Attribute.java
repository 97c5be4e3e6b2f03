package io.remap.api;

import java.util.Optional;
import java.util.function.Supplier;

/**
 * One named value that a running product shows and, if it has a setter, lets be changed.
 *
 * @param name path segments joined by dots, lower case, the unit last: {@code remap.redirected-writes}
 * @param unit for example {@code bytes}, {@code ms}, {@code count}, {@code text}
 * @param doc one sentence
 * @param get the value now: a String, Long, Double or Boolean; must not block
 * @param set changes it, if it can be changed
 */
public record Attribute(String name, String unit, String doc, Supplier<Object> get, Optional<Setter> set) {
    /** Changes an attribute. */
    @FunctionalInterface
    public interface Setter {
        /** Takes the value as the user wrote it; refuses one that does not fit, and changes nothing then. */
        void set(String text) throws Refusal;
    }

    public static Attribute readOnly(String name, String unit, String doc, Supplier<Object> get) {
        return new Attribute(name, unit, doc, get, Optional.empty());
    }

    public static Attribute settable(String name, String unit, String doc, Supplier<Object> get, Setter set) {
        return new Attribute(name, unit, doc, get, Optional.of(set));
    }
}
