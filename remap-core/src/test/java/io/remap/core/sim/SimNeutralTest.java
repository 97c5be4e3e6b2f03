package io.remap.core.sim;

import io.remap.api.BlockDevice;
import io.remap.testkit.BlockDeviceContract;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** The contract holds with every mode and state in the list, as long as none is in force; with cache, trace and latency. */
class SimNeutralTest extends BlockDeviceContract {
    private static final String NEVER = " from=ms:1000000000\n";

    @TempDir
    Path folder;

    private SimFixture fixture;

    @Override
    protected BlockDevice open() throws IOException {
        fixture = new SimFixture(folder);
        StringBuilder list = new StringBuilder();
        for (SimFault.Mode mode : SimFault.Mode.values()) {
            String argument = switch (mode.takes) {
                case NONE, OPTIONAL_NUMBER -> mode == SimFault.Mode.TRANSIENT ? " p=0.5" : "";
                case NUMBER -> " 1000";
                case MASK -> " ff";
                case PLACE, LENGTH -> " 0";
            };
            list.append("0 4M ").append(mode.word).append(argument).append(NEVER);
        }
        for (String state : new String[] {
            "gone",
            "down",
            "hangs",
            "read-only",
            "link-reset 5",
            "size 512",
            "identity X",
            "flush-fails",
            "flush-lies",
            "power-cut"
        }) {
            list.append(state).append(NEVER);
        }
        Files.writeString(fixture.list(), list);
        fixture.open("physical=4096&cache=64K&seed=9&trace=" + folder.resolve("trace"));
        return fixture.device;
    }

    @AfterEach
    void closeFixture() {
        fixture.close();
    }
}
