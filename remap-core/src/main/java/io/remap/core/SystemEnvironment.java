package io.remap.core;

import io.remap.api.Environment;

/** The real time, threads and randomness of this process. Closing it ends its threads. */
public final class SystemEnvironment implements AutoCloseable {
    private SystemEnvironment() {}

    /** Starts the threads. */
    public static SystemEnvironment start() {
        return Unbuilt.value(SystemEnvironment.class);
    }

    /** What is passed around. */
    public Environment environment() {
        return Unbuilt.value(SystemEnvironment.class);
    }

    /** Lets tasks that run end, drops those that wait, and ends the threads; waits at most five seconds for them. */
    @Override
    public void close() {
        Unbuilt.value(SystemEnvironment.class);
    }
}
