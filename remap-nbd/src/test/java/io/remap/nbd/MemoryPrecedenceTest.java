package io.remap.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Export;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Clients with small requests, who always take what comes back, and one that wants most of the memory. */
class MemoryPrecedenceTest {
    private static final int BUDGET_BYTES = 240_000;
    private static final int SMALL_BYTES = 60_000;
    private static final int LARGE_BYTES = 200_000;
    private static final int TINY_BYTES = 10_000;
    private static final int ROUND_MILLIS = 10;

    private final FakeDisk disk = new FakeDisk(1 << 20);
    private final TestTransport first =
            Client.go(new TestTransport(BUDGET_BYTES, new Export("disk", "", disk)), "disk");
    private final List<TestTransport> small =
            Stream.generate(this::another).limit(4).toList();
    private final TestTransport large = another();

    private TestTransport another() {
        return Client.go(first.another(), "disk");
    }

    @AfterEach
    void nothingIsKept() {
        while (!disk.waiting.isEmpty()) {
            disk.end(0);
        }
        small.forEach(client -> client.session.close());
        large.session.close();
        first.close();
    }

    private void pass(long millis) {
        long until = first.scheduler.nanoTime() + millis * 1_000_000;
        first.scheduler.schedule(() -> {}, millis);
        first.scheduler.runUntil(() -> first.scheduler.nanoTime() >= until);
    }

    private static void read(TestTransport client, int lengthBytes) {
        client.send(Client.request(Client.READ, 0, 1, 0, lengthBytes));
    }

    private boolean isLargeAtDisk() {
        return disk.seen.stream().anyMatch(request -> request.length() == LARGE_BYTES);
    }

    /** The oldest request ends, and its client asks for as much at once, before anybody else. */
    private void round() {
        disk.end(0);
        for (TestTransport client : small) {
            client.pump();
            if (client.received().hasRemaining()) {
                read(client, SMALL_BYTES);
            }
        }
        pass(ROUND_MILLIS);
        large.pump();
    }

    @Test
    void whoWaitsLongestIsServedThoughOthersAlwaysWantWhatComesBack() {
        disk.deferred = true;
        small.forEach(client -> read(client, SMALL_BYTES));
        read(large, LARGE_BYTES);
        int rounds = 0;
        while (!isLargeAtDisk()) {
            rounds++;
            assertTrue(rounds <= MemoryPrecedence.PATIENCE_MILLIS / ROUND_MILLIS + small.size() + 1, "it still waits");
            round();
        }
        assertTrue(rounds > 5, "it was served as soon as it came, after " + rounds + " rounds");

        // Those that were held back go on, and nobody has to ask.
        long before = disk.seen.size();
        disk.deferred = false;
        while (!disk.waiting.isEmpty()) {
            disk.end(0);
        }
        large.pump();
        small.forEach(TestTransport::pump);
        assertEquals(small.size(), disk.seen.size() - before);
    }

    /** Three hold what the large one lacks, and what they have does not come back; the last one wants little. */
    private TestTransport heldBackForTheLargeOne() {
        disk.deferred = true;
        small.subList(0, 3).forEach(client -> read(client, SMALL_BYTES));
        read(large, LARGE_BYTES);
        pass(MemoryPrecedence.PATIENCE_MILLIS + 1);
        TestTransport last = small.get(3);
        read(last, TINY_BYTES);
        assertEquals(3, disk.waiting.size(), "there is room, but another one comes first");
        return last;
    }

    @Test
    void whoGoesAwayKeepsNobodyWaiting() {
        TestTransport last = heldBackForTheLargeOne();
        large.session.close();
        last.pump();
        assertEquals(4, disk.waiting.size());
    }

    @Test
    void whatDoesNotComeBackIsWaitedForByTheLargeOneAlone() {
        TestTransport last = heldBackForTheLargeOne();
        pass(MemoryPrecedence.MOMENT_MILLIS + 1);
        last.pump();
        assertEquals(4, disk.waiting.size());
        pass(MemoryPrecedence.PAUSE_MILLIS / 2);
        read(last, TINY_BYTES);
        assertEquals(5, disk.waiting.size());
        // It is tried again.
        pass(MemoryPrecedence.PAUSE_MILLIS / 2);
        read(last, TINY_BYTES);
        assertEquals(5, disk.waiting.size());
        disk.end(0);
        disk.end(0);
        disk.end(0);
        small.forEach(TestTransport::pump);
        large.pump();
        assertTrue(isLargeAtDisk());
    }

    @Test
    void afterTheEndOfTheServerNobodyIsHeldBack() {
        TestTransport last = heldBackForTheLargeOne();
        first.frontend.close();
        last.pump();
        assertEquals(4, disk.waiting.size());
    }
}
