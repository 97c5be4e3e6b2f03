package io.remap.iopt;

import io.netty.channel.uring.IoUring;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.IoEngineProvider;
import java.util.List;

/** The engine that gives reads and writes to the kernel by io_uring. Its other settings are those of {@code fast}. */
public final class UringIoEngineProvider implements IoEngineProvider {
    private final FastIoEngineProvider others = new FastIoEngineProvider();

    /** Made by ServiceLoader. */
    public UringIoEngineProvider() {}

    @Override
    public String name() {
        return "uring";
    }

    @Override
    public String description() {
        return "reads and writes by io_uring on one thread, everything else as 'fast'";
    }

    @Override
    public List<Setting> settings() {
        return others.settings();
    }

    @Override
    public IoEngine open(Environment environment, Settings settings) throws Refusal {
        if (!IoUring.isAvailable()) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "io_uring does not work here: "
                            + IoUring.unavailabilityCause().getMessage() + "; take another io-engine",
                    IoUring.unavailabilityCause());
        }
        return UringIoEngine.over(others.open(environment, settings));
    }
}
