package io.remap.core;

import io.remap.api.Attribute;
import io.remap.api.Refusal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The attributes of everything that runs, as one tree by their dotted names. Holds nothing: it asks the running products
 * each time, so that what comes and goes is seen at once. Thread-safe.
 */
final class AttributeTree {
    private static final Logger LOG = LoggerFactory.getLogger(AttributeTree.class);

    private final Supplier<List<Attribute>> source;

    AttributeTree(Supplier<List<Attribute>> source) {
        this.source = source;
    }

    /** By name; of two with the same name the first. */
    private SortedMap<String, Attribute> all() {
        SortedMap<String, Attribute> byName = new TreeMap<>();
        source.get().forEach(attribute -> byName.putIfAbsent(attribute.name(), attribute));
        return byName;
    }

    /** Those whose name begins so, by name. */
    List<Map<String, Object>> list(String prefix) {
        List<Map<String, Object>> shown = new ArrayList<>();
        all().forEach((name, attribute) -> {
            if (name.startsWith(prefix)) {
                shown.add(show(attribute));
            }
        });
        return shown;
    }

    Map<String, Object> get(String name) throws Refusal {
        return show(find(name));
    }

    /** Changes one, and shows it afterwards. */
    Map<String, Object> set(String name, String text) throws Refusal {
        Attribute attribute = find(name);
        if (attribute.set().isEmpty()) {
            throw new Refusal(Refusal.Kind.USAGE, "attribute '" + name + "' cannot be set");
        }
        attribute.set().get().set(text);
        LOG.info("attribute {} set to {}", name, text.replaceAll("\\p{Cntrl}", "?"));
        return show(attribute);
    }

    private Attribute find(String name) throws Refusal {
        Attribute attribute = all().get(name);
        if (attribute == null) {
            throw new Refusal(
                    Refusal.Kind.NOT_SO, "there is no attribute '" + name + "'; the command 'attributes' lists them");
        }
        return attribute;
    }

    private static Map<String, Object> show(Attribute attribute) {
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("name", attribute.name());
        shown.put("unit", attribute.unit());
        shown.put("doc", attribute.doc());
        shown.put("value", value(attribute));
        shown.put("settable", attribute.set().isPresent());
        return shown;
    }

    /** One that cannot tell must not hide the others. */
    private static Object value(Attribute attribute) {
        try {
            return attribute.get().get();
        } catch (RuntimeException e) {
            LOG.debug("attribute {} has no value", attribute.name(), e);
            return null;
        }
    }
}
