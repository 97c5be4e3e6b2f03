package io.remap.iopt;

import io.remap.api.Attribute;
import io.remap.api.Refusal;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;

/** Counts without contention, and can be set back to 0 by the user. What is counted while it is set back may be lost. */
final class Counter {
    private final LongAdder sum = new LongAdder();

    void increment() {
        sum.increment();
    }

    void add(long count) {
        sum.add(count);
    }

    long value() {
        return sum.sum();
    }

    /** Shows it. */
    Attribute attribute(String name, String doc) {
        return attribute(name, "count", doc, sum::sum, sum::reset);
    }

    /** Something that is counted: it can be set to 0 and to nothing else. */
    static Attribute attribute(String name, String unit, String doc, Supplier<Object> get, Runnable reset) {
        return Attribute.settable(name, unit, doc, get, text -> {
            if (!text.strip().equals("0")) {
                throw new Refusal(
                        Refusal.Kind.USAGE, name + ": expected 0, which sets the counter back, found '" + text + "'");
            }
            reset.run();
        });
    }
}
