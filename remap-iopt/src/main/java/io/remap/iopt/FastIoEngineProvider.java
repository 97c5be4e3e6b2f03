package io.remap.iopt;

import io.netty.channel.uring.IoUring;
import io.remap.api.Environment;
import io.remap.api.PagePipe;
import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.api.spi.IoEngine;
import io.remap.api.spi.IoEngineProvider;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The engine of event loops: reads from the page cache at once, direct transfers by io_uring where that works, everything
 * else by workers.
 */
public final class FastIoEngineProvider implements IoEngineProvider {
    static final int MAX_WORKER_LIMIT = 1024;
    static final int MIN_PAGES_BYTES = 4096;

    static final Setting WORKER_LIMIT = new Setting(
            "fast.worker-limit",
            "128",
            "Most threads that execute transfers, 1 to " + MAX_WORKER_LIMIT
                    + "; so many may hang at a device before others have to wait.");
    static final Setting INLINE_READ_BYTES = new Setting(
            "fast.inline-read-bytes",
            "131072",
            "Longest read that an event loop takes from the page cache itself, 0 to " + PagePipe.MAX_BYTES
                    + "; 0 leaves all to workers.");
    // Nearly three times the throughput at 1 MiB for a sixth of the processor time (docs/BENCHMARKS.md), to a client
    // that
    // receives into whole pages, as the kernel's and QEMU do. Some processors copy whole pages at a third of their
    // speed
    // into a buffer that begins a few bytes behind the beginning of a page.
    static final Setting PAGES_MIN_BYTES = new Setting(
            "fast.pages-min-bytes",
            "65536",
            "Shortest read whose answer is sent from the page cache without a copy, " + MIN_PAGES_BYTES + " to "
                    + PagePipe.MAX_BYTES + ", 0 for none.");

    // 32 reads of 4 KiB at a time: a quarter more than by workers, for half of the processor time (docs/BENCHMARKS.md).
    static final Setting DIRECT = new Setting(
            "fast.direct",
            "auto",
            "Who executes direct reads, and direct writes to block devices: uring (the kernel, by io_uring), workers, or"
                    + " auto: uring where it works.");

    private static final String AUTO = "auto";
    private static final String URING = "uring";
    private static final String WORKERS = "workers";
    private static final Logger LOG = LoggerFactory.getLogger(FastIoEngineProvider.class);

    private static final long CLOSE_MILLIS = 10_000;

    @Override
    public String name() {
        return "fast";
    }

    @Override
    public String description() {
        return "page cache at once, direct transfers by io_uring, the rest by workers: for event loops";
    }

    @Override
    public List<Setting> settings() {
        return List.of(WORKER_LIMIT, INLINE_READ_BYTES, PAGES_MIN_BYTES, DIRECT);
    }

    @Override
    public void check(Settings settings) throws Refusal {
        limits(settings);
        direct(settings);
    }

    @Override
    public IoEngine open(Environment environment, Settings settings) throws Refusal {
        String direct = direct(settings);
        boolean ring = usesRing(direct);
        FastIoEngine.Limits limits = limits(settings);
        FastIoEngine engine = new FastIoEngine(environment, limits);
        if (!ring) {
            return engine;
        }
        try {
            return UringIoEngine.over(engine, limits.workerLimit());
        } catch (RuntimeException e) {
            // Too little memory may be locked, or the kernel is older than the limit of its threads (5.15).
            if (direct.equals(URING)) {
                engine.close();
                throw noRing(e);
            }
            LOG.info("no io_uring here, direct transfers are executed by workers: {}", e.toString());
            return engine;
        }
    }

    private static FastIoEngine.Limits limits(Settings settings) throws Refusal {
        return new FastIoEngine.Limits(
                (int) settings.number(WORKER_LIMIT, 1, MAX_WORKER_LIMIT),
                (int) settings.number(INLINE_READ_BYTES, 0, PagePipe.MAX_BYTES),
                pagesMinBytes(settings),
                CLOSE_MILLIS);
    }

    private static String direct(Settings settings) throws Refusal {
        String wanted = settings.text(DIRECT);
        if (!List.of(AUTO, URING, WORKERS).contains(wanted)) {
            throw new Refusal(
                    Refusal.Kind.USAGE,
                    "setting " + DIRECT.name() + ": '" + wanted + "'; expected " + AUTO + ", " + URING + " or "
                            + WORKERS);
        }
        return wanted;
    }

    private static boolean usesRing(String wanted) throws Refusal {
        if (wanted.equals(WORKERS)) {
            return false;
        }
        if (IoUring.isAvailable()) {
            return true;
        }
        Throwable cause = IoUring.unavailabilityCause();
        if (wanted.equals(URING)) {
            throw noRing(cause);
        }
        LOG.info("no io_uring here, direct transfers are executed by workers: {}", cause.getMessage());
        return false;
    }

    private static Refusal noRing(Throwable cause) {
        return new Refusal(
                Refusal.Kind.ENVIRONMENT,
                "setting " + DIRECT.name() + ": io_uring does not work here (" + cause.getMessage() + "); expected "
                        + AUTO + " or " + WORKERS,
                cause);
    }

    private static int pagesMinBytes(Settings settings) throws Refusal {
        boolean none = settings.number(PAGES_MIN_BYTES, 0, PagePipe.MAX_BYTES) == 0;
        return none ? 0 : (int) settings.number(PAGES_MIN_BYTES, MIN_PAGES_BYTES, PagePipe.MAX_BYTES);
    }
}
