package io.remap.nbd;

import static io.remap.nbd.Client.DISC;
import static io.remap.nbd.Client.EXPORT_NAME;
import static io.remap.nbd.Client.FLUSH;
import static io.remap.nbd.Client.READ;
import static io.remap.nbd.Client.flags;
import static io.remap.nbd.Client.join;
import static io.remap.nbd.Client.option;
import static io.remap.nbd.Client.request;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.remap.api.Export;
import io.remap.api.IoBuffer;
import io.remap.api.Session;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What other threads do in the middle of a step of a session: a deadline that passes, a stop of the server, a close. */
class MeanwhileTest {
    private static final int SIZE = 1 << 20;
    private static final int ESHUTDOWN = 108;

    private final FakeDisk disk = new FakeDisk(SIZE);
    private final HeldTimers timers = new HeldTimers();
    private TestTransport transport = new TestTransport(disk);

    @AfterEach
    void close() {
        while (!disk.waiting.isEmpty()) {
            disk.end(0);
        }
        transport.close();
    }

    /** A transport with so much memory and {@link #timers}. */
    private void serve(int budgetBytes) {
        transport.close();
        transport = new TestTransport(budgetBytes, timers, new Export("disk", "", disk));
    }

    /** The deadline of the handshake is the first timer. */
    @Test
    void aDeadlineThatPassesAsTheExportIsGrantedEndsNobody() {
        serve(SIZE);
        Client.go(transport, "disk");
        assertEquals(1, timers.cancelled);
        timers.tasks.get(0).run();
        transport.assertGoesOn();
        assertEquals(0, Client.ask(transport, FLUSH, 0, 0, 0).errno());
        assertEquals(0, transport.count("nbd.handshake-timeouts"));
    }

    /** Then it is the deadline that decides, whatever the answer would have been. */
    @ParameterizedTest
    @ValueSource(strings = {"disk", "none"})
    void aDeadlineThatPassesBeforeTheExportIsGrantedEndsIt(String name) {
        transport.send(flags(3));
        transport.received();
        transport.whenLookedFor = transport.scheduler::runUntilIdle;
        transport.send(option(EXPORT_NAME, name.getBytes(StandardCharsets.UTF_8)));
        transport.assertEnds(true);
        assertEquals(0, transport.session.replies(new ByteBuffer[Session.MAX_GATHER]), "nothing is answered");
        assertEquals(null, transport.session.wanted());
        assertEquals(1, transport.count("nbd.handshake-timeouts"));
        assertEquals(0, transport.count("nbd.exports-granted"));
        assertEquals(0, transport.count("nbd.violations"));
    }

    @Test
    void whoIsGrantedAnExportAsTheServerStopsHasItsRequestsRefused() {
        transport.whenLookedFor = transport.session::shutdown;
        Client.go(transport, "disk");
        assertEquals(ESHUTDOWN, Client.ask(transport, READ, 0, 0, 512).errno());
        assertEquals(List.of(), disk.seen);
        transport.assertGoesOn();
    }

    /** What is behind a limit is looked at after the end of the input, and may be an end of its own. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whatWasHeldBackMayEndASessionWhoseInputHasEnded(boolean goodbye) {
        Client.go(transport, "disk");
        disk.deferred = true;
        byte[][] requests = new byte[InFlight.MAX_REQUESTS + 1][];
        Arrays.setAll(requests, i -> request(FLUSH, 0, i, 0, 0));
        transport.send(join(join(requests), goodbye ? request(DISC, 0, 0, 0, 0) : new byte[28]));
        transport.session.inputEnded();
        transport.assertGoesOn();
        disk.end(0);
        transport.pump();
        if (goodbye) {
            while (!disk.waiting.isEmpty()) {
                transport.assertGoesOn();
                disk.end(0);
            }
            transport.pump();
            assertEquals(
                    requests.length,
                    Client.replies(transport.received(), Map.of()).size());
        }
        transport.assertEnds(!goodbye);
        assertEquals(goodbye ? 0 : 1, transport.count("nbd.violations"));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1})
    void nothingReceivedIsNoNews(int lengthBytes) {
        assertThrows(IllegalArgumentException.class, () -> transport.session.received(lengthBytes));
        transport.assertGoesOn();
    }

    // --- the frontend is closed

    /** Waits for memory; the buffer is given back by whoever calls this. */
    private IoBuffer waitForMemory() {
        IoBuffer others = transport.pool.acquire(SIZE);
        transport.send(request(READ, 0, 1, 0, 512));
        assertEquals(null, transport.session.wanted());
        return others;
    }

    private void assertIsAnswered() {
        transport.pump();
        assertEquals(1, Client.replies(transport.received(), Map.of(1L, 512)).size());
    }

    @Test
    void afterTheCloseNoTimerBegins() {
        serve(SIZE);
        Client.go(transport, "disk");
        transport.frontend.close();
        IoBuffer others = waitForMemory();
        assertEquals(1, timers.tasks.size(), "the deadline of the handshake alone");
        others.release();
        assertIsAnswered();
    }

    @Test
    void aTimerThatBeginsAsItIsClosedIsCancelled() {
        serve(SIZE);
        Client.go(transport, "disk");
        int before = timers.cancelled;
        timers.whenScheduled = transport.frontend::close;
        IoBuffer others = waitForMemory();
        assertEquals(2, timers.tasks.size());
        assertEquals(before + 1, timers.cancelled);
        others.release();
        assertIsAnswered();
    }

    @Test
    void aTimerThatRunsAsItIsClosedCutsOffNobody() {
        serve(SIZE);
        Client.go(transport, "disk");
        TestTransport stalled = Client.go(transport.another(), "disk");
        stalled.send(Arrays.copyOf(Client.write(2, 0, new byte[1000]), 500));
        IoBuffer others = transport.pool.acquire(SIZE - 1000);
        transport.send(request(READ, 0, 1, 0, 512));
        int scheduled = timers.tasks.size();
        transport.scheduler.sleep(3_600_000_000_000L);
        transport.frontend.close();
        List.copyOf(timers.tasks).forEach(Runnable::run);
        stalled.assertGoesOn();
        assertEquals(0, transport.count("nbd.stalled-clients"));
        assertEquals(scheduled, timers.tasks.size(), "and it does not look again");
        others.release();
        assertIsAnswered();
        stalled.session.close();
    }
}
