package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Place;
import io.remap.api.spi.SpareMember;
import io.remap.api.spi.SpareMember.Use;
import io.remap.api.spi.SpareSlots;
import io.remap.testkit.MemoryDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Which spare gets the next sector: by priority, then as the user named them, then by number; one that stands by last. */
class SparePriorityTest {
    private static final int SLOTS = 2;

    private final List<Integer> tookOver = new ArrayList<>();
    private DiskRig rig;

    @BeforeEach
    void open() throws Exception {
        rig = new DiskRig(SLOTS);
        rig.disk.spareSteering().whenStandbyTakesOver(tookOver::add);
    }

    @AfterEach
    void close() {
        rig.close();
    }

    private void add(int index, Use use, int order) {
        MemoryDevice device = new MemoryDevice("spare " + index, SLOTS * Place.UNIT_BYTES, DiskRig.SECTOR);
        SpareSlots slots = SpareSlots.of(0, SLOTS, Place.UNIT_BYTES);
        SpareMember stated = new SpareMember(index, new UUID(0, index), use, SLOTS, 0);
        rig.disk.spareSteering().add(new SpareDevice(stated, device, slots, order));
    }

    private static Use priority(int priority) {
        return new Use(false, false, priority);
    }

    /** The spares that give the next slots; -1: none has one. */
    private List<Integer> next(int slots) {
        List<Integer> spares = new ArrayList<>();
        for (int i = 0; i < slots; i++) {
            long id = rig.disk.spares.allocate(false, 0);
            spares.add(id < 0 ? -1 : Spares.spareOf(id));
        }
        return spares;
    }

    private List<DiskEvent> takeOvers() {
        return rig.disk.events().newest(0, 10).stream()
                .filter(event -> event.kind() == DiskEvent.Kind.SPARE_TOOK_OVER)
                .toList();
    }

    @Test
    void theHighestPriorityThatHasRoom() {
        add(1, priority(5), SpareDevice.UNORDERED);
        add(2, priority(9), SpareDevice.UNORDERED);
        add(3, priority(5), SpareDevice.UNORDERED);
        assertEquals(List.of(2, 2, 1, 1, 3, 3, 0, 0, -1), next(9));
    }

    @Test
    void ofEqualOnesAsTheUserNamedThem() {
        add(1, Use.PLAIN, 1);
        add(2, Use.PLAIN, 0);
        add(3, priority(1), SpareDevice.UNORDERED);
        assertEquals(List.of(3, 3, 2, 2, 1, 1, 0, 0, -1), next(9));
    }

    @Test
    void changedWhileItIsServed() {
        add(1, Use.PLAIN, SpareDevice.UNORDERED);
        assertEquals(List.of(0), next(1));
        rig.disk.spareSteering().setUse(1, use -> priority(1));
        assertEquals(List.of(1), next(1));
        rig.disk.spareSteering().setUse(1, use -> Use.PLAIN);
        assertEquals(List.of(0, 1, -1), next(3));
    }

    @Test
    void oneThatStandsByTakesOverOnceTheOthersAreFullAndSaysWhy() {
        add(1, new Use(false, true, 100), SpareDevice.UNORDERED);
        add(2, new Use(false, true, 50), SpareDevice.UNORDERED);
        assertEquals(List.of(0, 0), next(2));
        assertTrue(tookOver.isEmpty());
        assertTrue(rig.disk.spares.anotherHasRoom(1));
        assertEquals(List.of(1, 1), next(2));
        assertEquals(List.of(1), tookOver);
        assertFalse(rig.disk.spares.get(1).use().standby());
        assertTrue(rig.disk.spares.get(2).use().standby());
        assertEquals("spare 1: spare 0 is full", takeOvers().get(0).detail());
        assertEquals(List.of(2, 2, -1), next(3));
        assertEquals(List.of(1, 2), tookOver);
    }

    @Test
    void oneThatTookOverStaysSoWhateverElseIsChanged() {
        add(1, new Use(false, true, 0), SpareDevice.UNORDERED);
        assertEquals(List.of(0, 0, 1), next(3));
        SpareMember stated = new SpareMember(1, new UUID(0, 1), new Use(false, true, 0), SLOTS, 0);
        // As long as it is not durable that it took over.
        rig.disk.spareSteering().setUse(1, use -> stated.use(use).priority(7).use());
        assertEquals(priority(7), rig.disk.spares.get(1).use());
        assertEquals(List.of(1), next(1));
        assertEquals(List.of(1), tookOver);
    }

    @Test
    void oneThatStandsByComesBeforeOneThatDoesNotAnswerOrIsToBeEmptied() {
        add(1, new Use(false, true, 0), SpareDevice.UNORDERED);
        rig.disk.spareSteering().setUse(0, use -> new Use(true, false, 0));
        assertEquals(List.of(1), next(1));
        assertEquals("spare 1: spare 0 is to be emptied", takeOvers().get(0).detail());
        rig.disk.spareSteering().setUse(0, use -> Use.PLAIN);
        rig.disk.spareSteering().setUse(1, use -> new Use(false, true, 0));
        assertEquals(List.of(0), next(1), "who stands by again waits again");
        rig.disk.spares.get(0).passOver();
        assertEquals(List.of(1), next(1));
        assertEquals(List.of(1, 1), tookOver);
    }
}
