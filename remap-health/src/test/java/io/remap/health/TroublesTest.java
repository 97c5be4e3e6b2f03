package io.remap.health;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.remap.api.SectorRange;
import io.remap.api.spi.WatchedDisk.Trouble;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How trouble comes from the threads of clients to health. */
class TroublesTest {
    private final Deque<Runnable> tasks = new ArrayDeque<>();
    private final List<Long> heard = new ArrayList<>();

    private void runAll() {
        while (!tasks.isEmpty()) {
            tasks.poll().run();
        }
    }

    @Test
    void aReceiverThatFailsOnceHearsTheRest() {
        Troubles troubles = new Troubles(tasks::add, (trouble, sectors) -> {
            if (sectors.firstSector() == 1) {
                throw new IllegalStateException("a bug");
            }
            heard.add(sectors.firstSector());
        });
        troubles.met(Trouble.UNREADABLE, new SectorRange(1, 1));
        troubles.met(Trouble.UNREADABLE, new SectorRange(2, 1));
        runAll();
        troubles.met(Trouble.UNREADABLE, new SectorRange(3, 1));
        runAll();
        assertEquals(List.of(2L, 3L), heard);
        assertEquals(0, troubles.dropped());
    }
}
