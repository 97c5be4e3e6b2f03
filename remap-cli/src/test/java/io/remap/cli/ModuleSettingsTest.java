package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.core.Providers;
import io.remap.core.Providers.OwnedSetting;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is mistyped in a setting of any module is told before anything is opened. */
class ModuleSettingsTest {
    /** The name of a program or device: it is looked for when it is needed. */
    private static final Set<String> FREE_TEXT = Set.of("smart.program", "smart.device");

    static Stream<OwnedSetting> ofModules() throws Refusal {
        return Providers.load().ownedSettings().stream()
                .filter(owned -> !owned.owner().equals("service"))
                .filter(owned -> !FREE_TEXT.contains(owned.setting().name()));
    }

    @ParameterizedTest
    @MethodSource("ofModules")
    void aValueThatCannotBeIsRefusedByName(OwnedSetting owned) throws Refusal {
        String name = owned.setting().name();
        Refusal refusal =
                assertThrows(Refusal.class, () -> Providers.load().check(new Settings(Map.of(name, "no such value"))));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertTrue(refusal.getMessage().contains(name), refusal::getMessage);
    }

    @ParameterizedTest
    @MethodSource("ofModules")
    void theDefaultIsNot(OwnedSetting owned) throws Refusal {
        Settings chosen =
                new Settings(Map.of(owned.setting().name(), owned.setting().defaultValue()));
        assertDoesNotThrow(() -> Providers.load().check(chosen));
    }

    @Test
    void thereAreSome() throws Refusal {
        assertTrue(ofModules().count() > 30);
    }
}
