package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceTraits;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.Test;

class PairGeometryTest {
    private static final long LARGEST_BYTES = RemapTable.MAX_UNITS << Place.UNIT_SHIFT;

    /** A device that has a size, and nothing else that is looked at. */
    private static BlockDevice ofSize(long sizeBytes) {
        DeviceTraits traits = new DeviceTraits(sizeBytes, 512, 512, 1, true, false, false, false, false);
        return (BlockDevice) Proxy.newProxyInstance(
                PairGeometryTest.class.getClassLoader(),
                new Class<?>[] {BlockDevice.class},
                (device, method, arguments) -> method.getName().equals("traits") ? traits : "huge.img");
    }

    @Test
    void aMainIsRefusedIfItIsEmptyOrLargerThanATableCanName() {
        assertDoesNotThrow(() -> PairGeometry.refuseSize(ofSize(LARGEST_BYTES)));
        Refusal larger = assertThrows(Refusal.class, () -> PairGeometry.refuseSize(ofSize(LARGEST_BYTES + 512)));
        assertEquals(Refusal.Kind.USAGE, larger.kind());
        assertTrue(larger.getMessage().contains("huge.img"), larger.getMessage());
        assertTrue(larger.getMessage().contains("?offset=&length="), larger.getMessage());
        assertThrows(Refusal.class, () -> PairGeometry.refuseSize(ofSize(0)));
    }
}
