package io.remap.api;

import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;

/**
 * Counts without contention, and can be set back to 0 by the user. What is counted while it is set back may be lost.
 * Thread-safe; neither allocates nor locks once its threads were seen.
 */
public final class Counter {
    private final LongAdder sum = new LongAdder();

    /** Begins at 0. */
    public Counter() {}

    /** Counts one. */
    public void increment() {
        sum.increment();
    }

    /** Counts several. */
    public void add(long count) {
        sum.add(count);
    }

    /** The count so far. */
    public long value() {
        return sum.sum();
    }

    /** Shows it. */
    public Attribute attribute(String name, String doc) {
        return attribute(name, "count", doc, sum::sum, sum::reset);
    }

    /** Something that is counted: it can be set to 0 and to nothing else. */
    public static Attribute attribute(String name, String unit, String doc, Supplier<Object> get, Runnable reset) {
        return Attribute.settable(name, unit, doc, get, text -> {
            if (!text.strip().equals("0")) {
                throw new Refusal(
                        Refusal.Kind.USAGE, name + ": expected 0, which sets the counter back, found '" + text + "'");
            }
            reset.run();
        });
    }
}
