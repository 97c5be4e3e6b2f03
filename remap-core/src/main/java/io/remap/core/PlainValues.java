package io.remap.core;

import io.remap.api.FeatureStatus;
import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * Records as maps, lists, strings, numbers and booleans, for everybody who does not know our classes. The keys are the
 * names of the components, so they cannot drift from the documentation of the records.
 */
final class PlainValues {
    private PlainValues() {}

    /** An absent value is {@code null}; a state is in lower case; a feature has its text beside its fields. */
    static Object of(Object value) {
        if (value == null || value instanceof String || value instanceof Number || value instanceof Boolean) {
            return value;
        }
        if (value instanceof Optional<?> optional) {
            return of(optional.orElse(null));
        }
        if (value instanceof Enum<?> constant) {
            return word(constant);
        }
        if (value instanceof UUID uuid) {
            return uuid.toString();
        }
        if (value instanceof List<?> list) {
            return list.stream().map(PlainValues::of).toList();
        }
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> plain = new LinkedHashMap<>();
            map.forEach((key, inner) -> plain.put(key.toString(), of(inner)));
            return plain;
        }
        if (value instanceof Record record) {
            return ofRecord(record);
        }
        throw new IllegalArgumentException("no plain value: " + value.getClass());
    }

    static Map<String, Object> ofRecord(Record record) {
        Map<String, Object> plain = new LinkedHashMap<>();
        for (RecordComponent component : record.getClass().getRecordComponents()) {
            try {
                plain.put(component.getName(), of(component.getAccessor().invoke(record)));
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException("the accessors of a public record can be called", e);
            }
        }
        if (record instanceof FeatureStatus feature) {
            plain.put("text", feature.text());
        }
        return plain;
    }

    /** A constant as it is written outside: {@code UNREADABLE_ON_SPARE} is {@code unreadable-on-spare}. */
    static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
