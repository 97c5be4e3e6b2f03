package io.remap.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Session;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A connection that goes away gives back every buffer as soon as its I/O ended, and not before. */
class CloseTest {
    private final FakeDisk disk = new FakeDisk(1 << 20);
    private final TestTransport transport = Client.go(new TestTransport(disk), "disk");

    @Test
    void transfersUnderWayKeepTheirBuffers() {
        disk.deferred = true;
        for (int i = 0; i < 10; i++) {
            transport.send(Client.request(Client.READ, 0, i, 0, 1000));
            transport.send(Client.write(100 + i, 0, new byte[1000]));
        }
        transport.session.close();
        for (int left = 20; left > 0; left--) {
            assertEquals(1000L * left, transport.pool.bytesInUse());
            disk.end(left / 2);
        }
        transport.close();
    }

    @Test
    void repliesThatWaitAreDropped() {
        disk.deferred = true;
        transport.clientStalls = true;
        for (int i = 0; i < 100; i++) {
            transport.send(Client.request(Client.READ, 0, i, 0, 100));
        }
        for (int i = 0; i < 80; i++) {
            disk.end(0);
        }
        ByteBuffer[] gather = new ByteBuffer[Session.MAX_GATHER];
        assertEquals(63, transport.session.replies(gather));
        for (int i = 0; i < 3; i++) {
            gather[i].position(gather[i].limit());
        }
        gather[3].get(new byte[20]);
        transport.session.sent(3 * 116 + 20);
        for (int i = 0; i < 10; i++) {
            disk.end(0);
        }
        assertEquals(97 * 100, transport.pool.bytesInUse());
        transport.session.close();
        assertEquals(10 * 100, transport.pool.bytesInUse(), "ten are at the disk still");
        for (int i = 0; i < 10; i++) {
            disk.end(0);
        }
        transport.close();
    }

    @Test
    void payloadThatIsNotCompleteIsDropped() {
        transport.send(Arrays.copyOf(Client.write(1, 0, new byte[100_000]), 70_000));
        assertEquals(100_000, transport.pool.bytesInUse());
        transport.close();
    }

    @Test
    void workThatWasNotStartedIsDropped() {
        byte[] two = Client.join(Client.write(1, 0, new byte[100]), Client.request(Client.READ, 0, 2, 0, 100));
        ByteBuffer into = transport.session.wanted();
        into.put(two);
        transport.session.received(two.length);
        Session.Work polled = transport.session.poll();
        transport.session.close();
        assertEquals(100, transport.pool.bytesInUse(), "what was polled is the transport's");
        polled.start();
        assertEquals(0, transport.pool.bytesInUse());
        assertEquals(0, disk.seen.size());
        transport.close();
    }

    @Test
    void workThatIsAbandonedBeforeTheEndGivesBackItsBufferAndDoesNothing() {
        byte[] request = Client.request(Client.READ, 0, 2, 0, 100);
        ByteBuffer into = transport.session.wanted();
        into.put(request);
        transport.session.received(request.length);
        Session.Work polled = transport.session.poll();
        assertEquals(100, transport.pool.bytesInUse());
        polled.abandon();
        assertEquals(0, transport.pool.bytesInUse());
        transport.session.close();
        assertEquals(0, disk.seen.size());
        transport.close();
    }

    @Test
    void memoryThatWasWaitedForIsNotWantedAnyMore() {
        disk.deferred = true;
        TestTransport small = Client.go(new TestTransport(1000, new io.remap.api.Export("disk", "", disk)), "disk");
        small.send(Client.join(Client.request(Client.READ, 0, 1, 0, 600), Client.request(Client.READ, 0, 2, 0, 600)));
        small.session.close();
        int told = small.inputReady;
        disk.end(0);
        assertEquals(told, small.inputReady);
        small.close();
        transport.close();
    }

    @Test
    void aClosedFrontendTakesNobody() {
        transport.session.close();
        transport.frontend.close();
        assertThrows(IllegalStateException.class, transport::another);
        assertEquals(1, transport.count("nbd.sessions-begun"));
        transport.close();
    }

    /** Direct memory is not given back by the JVM: what many clients at a time needed shall not be kept for ever. */
    @Test
    void memoryOfSessionsIsKeptForAsManyAsUsuallyCome() {
        SessionMemory memory = new SessionMemory();
        List<ByteBuffer> taken = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            taken.add(memory.take());
        }
        taken.forEach(memory::give);
        Set<ByteBuffer> known = Collections.newSetFromMap(new IdentityHashMap<>());
        known.addAll(taken);
        int again = 0;
        for (int i = 0; i < 40; i++) {
            again += known.contains(memory.take()) ? 1 : 0;
        }
        assertEquals(32, again);
        transport.close();
    }

    @Test
    void closeInTheHandshake() {
        TestTransport early = new TestTransport(disk);
        early.send(Client.flags(3));
        early.session.close();
        early.scheduler.runUntilIdle();
        assertTrue(!early.finished, "the deadline is over with the session");
        early.close();
        transport.close();
    }
}
