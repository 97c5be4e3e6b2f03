package io.remap.api.spi;

import io.remap.api.Refusal;
import io.remap.api.Settings;

/** Provides the rules for errors. */
public interface FaultPolicyProvider extends Provider {
    FaultPolicy open(Settings settings) throws Refusal;
}
