package io.remap.cli.sessions;

import io.remap.api.Refusal;
import io.remap.api.spi.FrontendProvider;
import io.remap.cli.SimulatedStack;
import io.remap.core.Providers;
import io.remap.testkit.SimCoverage;
import io.remap.testkit.SimulationRun;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Lives of virtual disks whose clients speak NBD: the whole stack but sockets, over the real metadata store. What clients
 * decode is judged. See {@link io.remap.testkit.DiskSimulation} and {@link SessionStack}.
 */
class SessionSimulationTest {
    private static final int LEAST_SEEDS = 200;
    private static final double SECONDS = 10;
    private static final int FULL_SEEDS = 1_500;

    /** As over the stack without sessions. */
    private static final List<String> NOT_HERE = List.of("store failed", "store refused", "spare full");

    private static final List<String> BESIDES =
            List.of("connections cut", "connections half closed", "requests cut off", "session buffers refused");

    /** Before the loggers are made: each simulated fault would be a line. */
    @BeforeAll
    static void silence() {
        for (String part : List.of("core.disk", "metadata", "nbd")) {
            System.setProperty("org.slf4j.simpleLogger.log.io.remap." + part, "off");
        }
    }

    @Test
    void clientsDecodeWhatIsAllowed() throws Refusal {
        Providers providers = Providers.load();
        List<String> required = new ArrayList<>(SimCoverage.REQUIRED);
        required.removeAll(NOT_HERE);
        required.addAll(BESIDES);
        SessionStack stack = new SessionStack(
                new SimulatedStack(providers).withTwoSpares(), providers.require(FrontendProvider.class, "nbd"));
        new SimulationRun("remap-cli", SessionSimulationTest.class, () -> stack)
                .run(LEAST_SEEDS, SECONDS, FULL_SEEDS, required);
    }
}
