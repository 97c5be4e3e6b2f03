package io.remap.core.io;

import static org.junit.jupiter.api.Assertions.assertSame;

import io.remap.api.DeviceIo.Operation;
import io.remap.api.Environment;
import io.remap.api.Settings;
import io.remap.api.spi.IoEngine;
import io.remap.testkit.EngineTransfer;
import io.remap.testkit.GatedDevice;
import io.remap.testkit.IoEngineContract;
import java.util.concurrent.Executor;
import org.junit.jupiter.api.Test;

class InlineIoEngineTest extends IoEngineContract {
    @Override
    protected IoEngine open(Environment environment) {
        return new InlineIoEngineProvider().open(environment, Settings.defaults());
    }

    @Override
    protected Executor submitter() {
        return newThreads();
    }

    @Test
    void runsOnTheCallersThread() {
        EngineTransfer transfer = new EngineTransfer(Operation.FLUSH, GatedDevice.open(memory));
        engine.submit(transfer);
        assertSame(Thread.currentThread(), transfer.completer());
    }
}
