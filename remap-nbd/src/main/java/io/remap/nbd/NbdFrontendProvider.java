package io.remap.nbd;

import io.remap.api.BufferPool;
import io.remap.api.Environment;
import io.remap.api.Exports;
import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.api.spi.Frontend;
import io.remap.api.spi.FrontendProvider;
import java.util.List;

/** Provides the NBD frontend. */
public final class NbdFrontendProvider implements FrontendProvider {
    static final Setting HANDSHAKE_TIMEOUT = new Setting(
            "nbd.handshake-timeout-millis",
            "10000",
            "How long a client may take until it asks for an export, 1 to 3600000.");

    static final Setting STALL_TIMEOUT = new Setting(
            "nbd.stall-timeout-millis",
            "10000",
            "How long a client may stop amid a WRITE or not read replies (or move less than 256 KiB of them) while others"
                    + " wait for the memory that it holds, 100 to 600000.");

    private static final long MIN_STALL_TIMEOUT_MILLIS = 100;
    private static final long MAX_STALL_TIMEOUT_MILLIS = 600_000;
    private static final long MAX_HANDSHAKE_TIMEOUT_MILLIS = 3_600_000;

    /** For the service loader. */
    public NbdFrontendProvider() {}

    @Override
    public String name() {
        return "nbd";
    }

    @Override
    public String description() {
        return "NBD server: fixed newstyle handshake, simple replies";
    }

    @Override
    public List<Setting> settings() {
        return List.of(HANDSHAKE_TIMEOUT, STALL_TIMEOUT);
    }

    @Override
    public void check(Settings settings) throws Refusal {
        handshakeMillis(settings);
        stallMillis(settings);
    }

    private static long handshakeMillis(Settings settings) throws Refusal {
        return settings.number(HANDSHAKE_TIMEOUT, 1, MAX_HANDSHAKE_TIMEOUT_MILLIS);
    }

    private static long stallMillis(Settings settings) throws Refusal {
        return settings.number(STALL_TIMEOUT, MIN_STALL_TIMEOUT_MILLIS, MAX_STALL_TIMEOUT_MILLIS);
    }

    @Override
    public Frontend open(Exports exports, BufferPool buffers, Environment environment, Settings settings)
            throws Refusal {
        return new NbdFrontend(exports, buffers, environment, handshakeMillis(settings), stallMillis(settings));
    }
}
