package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.FaultPolicy;
import io.remap.api.spi.FaultPolicyProvider;
import io.remap.api.spi.MetadataProvider;
import io.remap.core.Providers;
import io.remap.testkit.SimCoverage;
import io.remap.testkit.SimulationRun;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Lives of virtual disks over the real metadata store: what was acknowledged is found again after a clean stop, a killed
 * process and a power cut. See {@link io.remap.testkit.DiskSimulation}.
 */
class StackSimulationTest {
    private static final int LEAST_SEEDS = 300;
    private static final double SECONDS = 30;
    private static final int FULL_SEEDS = 3_000;

    /** The metadata double can be told to do these; the smallest spare of the format has too many slots to fill. */
    private static final List<String> NOT_HERE = List.of("store failed", "store refused", "spare full");

    /** Before the loggers are made: each simulated fault would be a line. */
    @BeforeAll
    static void silence() {
        System.setProperty("org.slf4j.simpleLogger.log.io.remap.core.disk", "off");
        System.setProperty("org.slf4j.simpleLogger.log.io.remap.metadata", "off");
    }

    @Test
    void acknowledgedIsFoundAgain() throws Refusal {
        Providers providers = Providers.load();
        List<String> required = new ArrayList<>(SimCoverage.REQUIRED);
        required.removeAll(NOT_HERE);
        required.addAll(List.of(
                "remap.restored-unreadable-sectors",
                "remap.still-unreadable-sectors",
                SimulatedStack.LED_BY_SECOND,
                SimulatedStack.ON_SECOND,
                "watch.healed-units"));
        MetadataProvider metadata = providers.require(MetadataProvider.class, "log");
        FaultPolicy policy =
                providers.require(FaultPolicyProvider.class, "standard").open(Settings.defaults());
        FaultPolicy healing = SimulatedStack.healing(providers);
        new SimulationRun(
                        "remap-cli",
                        StackSimulationTest.class,
                        () -> new SimulatedStack(metadata, policy)
                                .healingBy(healing)
                                .remembering()
                                .withTwoSpares())
                .run(LEAST_SEEDS, SECONDS, FULL_SEEDS, required);
    }
}
