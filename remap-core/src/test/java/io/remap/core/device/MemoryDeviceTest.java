package io.remap.core.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.ErrorClass;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.testkit.BlockDeviceContract;
import java.io.IOException;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryDeviceTest extends BlockDeviceContract {
    private static final OpenOptions SERVE = OpenOptions.serve(false, Door.AUTO, OptionalInt.empty());

    private final MemoryDeviceProvider provider = new MemoryDeviceProvider();

    @Override
    protected BlockDevice open() throws IOException {
        return open("mem:disk?size=3M", SERVE);
    }

    private BlockDevice open(String uri, OpenOptions options) throws IOException {
        return provider.open(DeviceUri.parse(uri), options);
    }

    @Test
    void whoeverOpensTheSameNameMeetsTheSameBytes() throws IOException {
        write(4096, filled(512, 7));
        try (BlockDevice other = open("mem:disk", OpenOptions.inspect())) {
            var target = aligned(512);
            other.read(4096, target);
            assertEquals(7, target.get(0));
            assertTrue(other.identity().overlaps(device.identity()));
            DeviceException refused = assertThrows(DeviceException.class, () -> other.write(0, aligned(512)));
            assertEquals(ErrorClass.READ_ONLY, refused.errorClass());
        }
        try (BlockDevice stranger = open("mem:other?size=1M", SERVE)) {
            assertFalse(stranger.identity().overlaps(device.identity()));
        }
    }

    @Test
    void theContentGoesWithTheLastWhoHasItOpen() throws IOException {
        write(0, filled(512, 7));
        BlockDevice other = open("mem:disk", OpenOptions.inspect());
        device.close();
        other.close();
        device = open();
        assertArrayEquals(new byte[512], read(0, 512));
    }

    @Test
    void exclusiveMeansThatNobodyElseWrites() throws IOException {
        assertEquals(
                Refusal.Kind.BUSY,
                assertThrows(Refusal.class, () -> open("mem:disk", SERVE)).kind());
        OpenOptions shared = new OpenOptions(false, false, Door.AUTO, OptionalInt.empty(), OptionalLong.empty(), false);
        assertEquals(
                Refusal.Kind.BUSY,
                assertThrows(Refusal.class, () -> open("mem:disk", shared)).kind());
        device.close();
        open("mem:disk?size=3M", SERVE).close();
    }

    @Test
    void createGivesTheSizeAndRefusesWhatExists() throws IOException {
        OpenOptions create =
                new OpenOptions(false, true, Door.AUTO, OptionalInt.of(4096), OptionalLong.of(8 << 20), false);
        try (BlockDevice created = open("mem:new", create)) {
            assertEquals(8 << 20, created.traits().sizeBytes());
            assertEquals(4096, created.traits().logicalSectorBytes());
            assertThrows(Refusal.class, () -> open("mem:new", create));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "mem:a?size=0",
                "mem:a?size=1000",
                "mem:a?size=2000G",
                "mem:a?sector=500",
                "mem:a?sector=8192",
                "mem:a?colour=red",
                "mem:disk?size=4M",
                "mem:disk?sector=4096"
            })
    void refusesWhatMakesNoSense(String uri) {
        Refusal refusal = assertThrows(Refusal.class, () -> open(uri, OpenOptions.inspect()));
        assertEquals(Refusal.Kind.USAGE, refusal.kind());
        assertTrue(refusal.getMessage().contains(uri.substring(0, uri.indexOf('?'))), refusal.getMessage());
    }
}
