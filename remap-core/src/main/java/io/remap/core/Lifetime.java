package io.remap.core;

import io.remap.api.Attribute;
import io.remap.core.disk.Saved;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** Counters over the whole life of a pair: those of this start, on top of what was saved before it. Thread-safe. */
final class Lifetime implements Saved {
    private static final String PREFIX = "lifetime.";

    private final List<Attribute> counted;
    private volatile SortedMap<String, Long> before = new TreeMap<>();

    /** @param counted counters that begin at 0 with each start */
    Lifetime(List<Attribute> counted) {
        this.counted = List.copyOf(counted);
    }

    @Override
    public String section() {
        return "lifetime";
    }

    @Override
    public byte[] save() {
        SortedMap<String, Long> now = new TreeMap<>(before);
        counted.forEach(attribute -> now.put(attribute.name(), total(attribute)));
        StringBuilder text = new StringBuilder();
        now.forEach((name, value) -> text.append(name).append('=').append(value).append('\n'));
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void restore(byte[] saved) {
        SortedMap<String, Long> read = new TreeMap<>();
        for (String line : new String(saved, StandardCharsets.UTF_8).split("\n", -1)) {
            int equals = line.indexOf('=');
            if (equals > 0) {
                read.put(line.substring(0, equals), Long.parseLong(line.substring(equals + 1)));
            }
        }
        before = read;
    }

    private long total(Attribute counter) {
        long now = counter.get().get() instanceof Number number ? number.longValue() : 0;
        return before.getOrDefault(counter.name(), 0L) + now;
    }

    List<Attribute> attributes() {
        return counted.stream()
                .map(counter -> Attribute.readOnly(
                        PREFIX + counter.name(),
                        counter.unit(),
                        counter.doc() + ", since the pair was made",
                        () -> total(counter)))
                .toList();
    }
}
