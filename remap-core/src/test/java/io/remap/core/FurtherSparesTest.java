package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareSlots;
import io.remap.core.disk.TrackedDevice;
import io.remap.testkit.MemoryDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Numbers of spares: a transfer to one that was taken out may still be under way, and names it by its number. */
class FurtherSparesTest {
    private static List<SpareMember> members(int... further) {
        List<SpareMember> members = new ArrayList<>(List.of(SpareMember.first(100)));
        for (int index : further) {
            members.add(new SpareMember(index, new UUID(0, index), SpareMember.Use.PLAIN, 100, 0));
        }
        return members;
    }

    @Test
    void aNumberThatWasTakenOutIsGivenToNobodyElse() throws Refusal {
        try (FurtherSpares spares = new FurtherSpares()) {
            assertEquals(1, spares.freeIndex(members()));
            assertEquals(2, spares.freeIndex(members(1, 3)));
            // Also of one that was not there.
            spares.remove(2);
            assertEquals(4, spares.freeIndex(members(1, 3)));
            spares.remove(1);
            assertEquals(4, spares.freeIndex(members(3)));
        }
        try (FurtherSpares next = new FurtherSpares()) {
            assertEquals(1, next.freeIndex(members(3)), "after the next start");
        }
    }

    /** The removal was stated after nobody waited for it any more: the disk still has the device by that number. */
    @Test
    void aNumberThatIsOpenIsGivenToNobodyElse() throws Refusal {
        try (FurtherSpares spares = new FurtherSpares()) {
            SpareMember member = members(1).get(1);
            TrackedDevice device = TrackedDevice.of(new MemoryDevice("open", 1 << 16, 512));
            spares.add(
                    new FurtherSpares.Open(member, device, SpareSlots.of(0, 16, 4096), DeviceUri.parse("mem:open"), 0));
            assertEquals(2, spares.freeIndex(members()));
            spares.spend(2);
            assertEquals(3, spares.freeIndex(members()));
        }
    }

    @Test
    void whenAllNumbersAreSpentTheNextStartHelps() throws Refusal {
        try (FurtherSpares spares = new FurtherSpares()) {
            for (int index = 1; index < SpareMember.MAX_MEMBERS; index++) {
                assertEquals(index, spares.freeIndex(members()));
                spares.remove(index);
            }
            Refusal refusal = assertThrows(Refusal.class, () -> spares.freeIndex(members()));
            assertEquals(Refusal.Kind.USAGE, refusal.kind());
            assertTrue(refusal.getMessage().contains("after the next start"), refusal.getMessage());
        }
    }
}
