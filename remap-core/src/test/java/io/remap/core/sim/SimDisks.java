package io.remap.core.sim;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceUri;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.core.device.FileDeviceProvider;
import io.remap.testkit.SimScheduler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/** The product's {@code sim:} disks in the time of a simulation: who waits there lets it pass. */
public final class SimDisks {
    private SimDisks() {}

    /** Opens an image in a folder, which is made if the parameters have a size. */
    public static BlockDevice open(Path image, String parameters, SimScheduler scheduler) throws IOException {
        return new SimDeviceProvider(
                        new FileDeviceProvider(),
                        scheduler,
                        new Random(1),
                        millis -> scheduler.sleep(TimeUnit.MILLISECONDS.toNanos(millis)))
                .open(
                        DeviceUri.parse("sim:" + image + "?" + parameters),
                        OpenOptions.serve(false, Door.AUTO, OptionalInt.empty()));
    }

    /** Puts another list of faults in the place of the one before; it is looked at some milliseconds later. */
    public static void faults(Path image, String... lines) {
        Path fresh = image.resolveSibling(image.getFileName() + ".fresh");
        try {
            Files.writeString(fresh, String.join("\n", lines) + "\n");
            Files.move(
                    fresh, SimFiles.faults(image), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Longest time after which a list is in force. */
    public static long inForceMillis() {
        return SimFaults.CHECK_MILLIS;
    }
}
