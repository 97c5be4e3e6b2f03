package io.remap.api.spi;

import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import java.util.List;

/**
 * Base of every role that a module may fill. A provider is a name and one verb that returns something closeable; what
 * the verb needs are its parameters. Within one role names are unique; a duplicate is an error of the installation.
 */
public interface Provider {
    /** Lower-case name by which it is chosen, unique within its role. */
    String name();

    /** One line for {@code remap plugins list}. */
    String description();

    /** The settings that it reads, so that a mistyped one can be refused and all of them listed. */
    default List<Setting> settings() {
        return List.of();
    }

    /**
     * Reads its settings, and refuses values that cannot be. Asked of every module before anything is opened, whether it is chosen
     * or not: so a mistyped value is told to the user, and is not a module that turns out to be missing later.
     *
     * @throws Refusal {@link Refusal.Kind#USAGE}, with the name of the setting, what is expected, and what was found
     */
    default void check(Settings settings) throws Refusal {}
}
