package io.remap.core.disk;

import io.remap.testkit.SimCoverage;
import io.remap.testkit.SimulationRun;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Lives of virtual disks over the metadata double, each from its seed: see {@link io.remap.testkit.DiskSimulation}. */
class VirtualDiskSimulationTest {
    private static final int LEAST_SEEDS = 1_000;
    private static final double SECONDS = 30;
    private static final int FULL_SEEDS = 8_000;

    @Test
    void answersAreAllowedAndErrorsExplained() {
        List<String> required = new ArrayList<>(SimCoverage.REQUIRED);
        required.addAll(List.of(
                "remap.evacuated-units",
                "areas avoided",
                "areas used again",
                "dead areas",
                "remap.restored-unreadable-sectors",
                "remap.still-unreadable-sectors",
                "avoid.reads",
                "avoid.writes",
                "avoid.found-areas",
                "checksums.sealings",
                "checksums.openings",
                "checksums.lost-slots",
                "rotten slots",
                "watch.healed-units"));
        new SimulationRun("remap-core", VirtualDiskSimulationTest.class, SimulatedVirtualDisk::new)
                .run(LEAST_SEEDS, SECONDS, FULL_SEEDS, required);
    }
}
