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
    void whatComesWhileTooMuchWaitsIsCounted() {
        Troubles troubles = new Troubles(tasks::add, (trouble, sectors) -> heard.add(sectors.firstSector()));
        for (int i = 0; i < Troubles.MOST + 5; i++) {
            troubles.met(Trouble.UNREADABLE, new SectorRange(i, 1));
        }
        assertEquals(5, troubles.dropped());
        runAll();
        assertEquals(Troubles.MOST, heard.size());
        troubles.met(Trouble.UNREADABLE, new SectorRange(9, 1));
        runAll();
        assertEquals(5, troubles.dropped(), "there is room again");
        assertEquals(Troubles.MOST + 1, heard.size());
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
