package io.remap.api.spi;

import io.remap.api.Refusal;
import java.util.Map;
import java.util.SortedSet;

/** The commands of a running service, independent of how they arrive. Thread-safe. */
public interface ControlCommands {
    /** The names that {@link #call} knows. */
    SortedSet<String> names();

    /**
     * Executes a command; may take as long as the command does.
     *
     * @param name for example {@code status} or {@code map.list}
     * @param arguments strings, numbers, booleans, lists and maps of these
     * @return a value of the same kinds
     * @throws Refusal if there is no such command, its arguments do not fit, or it refuses
     */
    Object call(String name, Map<String, Object> arguments) throws Refusal;
}
