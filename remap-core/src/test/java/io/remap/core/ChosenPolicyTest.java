package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Attribute;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.core.io.StandardFaultPolicyProvider;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Each setting of the rules is an attribute; what is set there holds from the next error on. */
class ChosenPolicyTest {
    private static ChosenPolicy policy(Map<String, String> settings) throws Refusal {
        return new ChosenPolicy(new StandardFaultPolicyProvider(), new Settings(settings));
    }

    private static Attribute attribute(ChosenPolicy policy, String name) {
        return policy.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .findAny()
                .orElseThrow();
    }

    private static void set(ChosenPolicy policy, String name, String value) throws Refusal {
        attribute(policy, name).set().orElseThrow().set(value);
    }

    @Test
    void showsWhatWasChosenAndTheDefaults() throws Refusal {
        ChosenPolicy policy = policy(Map.of("error-threshold", "7"));
        assertEquals("7", attribute(policy, "policy.error-threshold").get().get());
        assertEquals("writes+weak", attribute(policy, "policy.auto-remap").get().get());
        assertEquals(
                new StandardFaultPolicyProvider().settings().size(),
                policy.attributes().size());
        assertEquals(7, policy.errorThreshold());
    }

    @Test
    void whatIsSetHoldsBesideWhatWasSetBefore() throws Refusal {
        ChosenPolicy policy = policy(Map.of("error-threshold", "7"));
        set(policy, "policy.auto-remap", "off");
        set(policy, "policy.spread-regions", "5");
        set(policy, "policy.hold-off-ms", "10");
        assertEquals(7, policy.errorThreshold());
        assertFalse(policy.redirectsWrites());
        assertEquals(5, policy.spreadRegions());
        assertEquals(10, policy.holdOffMillis(1));
        assertEquals("off", attribute(policy, "policy.auto-remap").get().get());
    }

    @Test
    void whatIsRefusedChangesNothing() throws Refusal {
        ChosenPolicy policy = policy(Map.of());
        Refusal refusal = assertThrows(Refusal.class, () -> set(policy, "policy.error-threshold", "0"));
        assertTrue(refusal.getMessage().contains("1 to 1000"), refusal.getMessage());
        assertEquals(3, policy.errorThreshold());
        assertEquals("3", attribute(policy, "policy.error-threshold").get().get());
        set(policy, "policy.read-attempts", "2");
        assertEquals(3, policy.errorThreshold());
    }
}
