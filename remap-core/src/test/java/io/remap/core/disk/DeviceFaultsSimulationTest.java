package io.remap.core.disk;

import io.remap.testkit.SimulationRun;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Lives of virtual disks whose devices drop off, are reset, and fail as a whole, while no sector is ever bad: not one
 * sector of a spare is spent, and none counts as unreadable or lost.
 */
class DeviceFaultsSimulationTest {
    private static final int LEAST_SEEDS = 400;
    private static final double SECONDS = 15;
    private static final int FULL_SEEDS = 10_000;

    private static final List<String> REQUIRED = List.of(
            "boots",
            "device gone",
            "errors in a row",
            "link resets",
            "reads",
            "reads failed",
            "writes",
            "writes failed",
            "flushes",
            "flushes failed",
            "drop-off.held",
            "drop-off.resumed",
            "ledger.verifications",
            "ledger.verified-sectors");

    @Test
    void noSectorOfTheSpareIsSpentOnADevice() {
        new SimulationRun("remap-core", DeviceFaultsSimulationTest.class, SimulatedVirtualDisk::new)
                .ofDeviceFaults()
                .run(LEAST_SEEDS, SECONDS, FULL_SEEDS, REQUIRED);
    }
}
