package io.remap.testkit;

import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.spi.IoEngine;
import java.util.random.RandomGenerator;

/**
 * Executes transfers in an order that a seed decides: on the caller's thread, in a task, or with the completion in a task
 * of its own. It is the {@link FaultyDevice.Steps} of its devices too.
 */
final class SimEngine implements IoEngine, FaultyDevice.Steps {
    private final SimScheduler scheduler;
    private final RandomGenerator random;
    private boolean undisturbed;
    private boolean atOnce;

    SimEngine(SimScheduler scheduler, RandomGenerator random) {
        this.scheduler = scheduler;
        this.random = random;
    }

    @Override
    public void submit(DeviceIo io) {
        switch (random.nextInt(5)) {
            case 0 -> io.run();
            case 1 -> scheduler.execute(io::run);
            default -> scheduler.execute(() -> performApart(io));
        }
    }

    /** Transfer and completion are two steps; no thread has to change for it. */
    private void performApart(DeviceIo io) {
        DeviceException[] error = {null};
        DeviceIo copy = new DeviceIo() {
            @Override
            public void completed(DeviceException e) {
                error[0] = e;
            }
        };
        copy.operation = io.operation;
        copy.device = io.device;
        copy.offsetBytes = io.offsetBytes;
        copy.lengthBytes = io.lengthBytes;
        copy.data = io.data;
        undisturbed = true;
        try {
            copy.run();
        } finally {
            undisturbed = false;
        }
        scheduler.execute(() -> io.completed(error[0]));
    }

    /** Does something at one moment: nobody else runs, and no time passes. */
    void atOnce(PageCacheDevice.Transfer transfer) throws DeviceException {
        boolean before = atOnce;
        atOnce = true;
        try {
            transfer.run();
        } finally {
            atOnce = before;
        }
    }

    @Override
    public void pause() {
        if (!undisturbed && !atOnce) {
            scheduler.pause();
        }
    }

    @Override
    public void sleep(long nanos) {
        if (atOnce) {
            return;
        }
        // Not a pause: a sleep lets others run, and they must be able to pause.
        boolean before = undisturbed;
        undisturbed = false;
        scheduler.sleep(nanos);
        undisturbed = before;
    }

    @Override
    public void close() {}
}
