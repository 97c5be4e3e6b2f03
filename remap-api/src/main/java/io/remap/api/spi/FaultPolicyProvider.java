package io.remap.api.spi;

import io.remap.api.Refusal;
import io.remap.api.Settings;

/**
 * Provides the rules for errors. They are opened anew when a setting of theirs is changed while the service runs, and asked
 * for each error: so they hold no state of a disk.
 */
public interface FaultPolicyProvider extends Provider {
    FaultPolicy open(Settings settings) throws Refusal;
}
