package io.remap.nbd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Export;
import io.remap.api.Refusal;
import io.remap.api.Session;
import io.remap.api.Settings;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A client that stops keeps its memory as long as nobody else wants it, and not much longer. */
class StallTest {
    private static final int TIMEOUT_MILLIS = 1000;
    private static final int ALMOST_MILLIS = TIMEOUT_MILLIS - 100;
    /** What is enough in the time, and no byte less. */
    private static final int ENOUGH_BYTES = ClientProgress.LEAST_BYTES;
    /** More than half of the budget: two of these do not fit. Three times as much as is enough, and a rest. */
    private static final int LARGE_BYTES = 3 * ENOUGH_BYTES + 10_000;

    private static final int BUDGET_BYTES = LARGE_BYTES + 400_000;
    private static final byte[] LARGE_WRITE = Client.write(7, 0, new byte[LARGE_BYTES]);
    private static final byte[] LARGE_READ = Client.request(Client.READ, 0, 8, 0, LARGE_BYTES);

    private final FakeDisk disk = new FakeDisk(1 << 20);
    private final TestTransport good = Client.go(
            new TestTransport(
                    BUDGET_BYTES,
                    new Settings(Map.of("nbd.stall-timeout-millis", Integer.toString(TIMEOUT_MILLIS))),
                    new Export("disk", "", disk)),
            "disk");
    private final List<TestTransport> others = new ArrayList<>();

    @AfterEach
    void nothingIsKept() {
        others.forEach(other -> other.session.close());
        good.close();
    }

    private TestTransport another() {
        TestTransport other = Client.go(good.another(), "disk");
        others.add(other);
        return other;
    }

    private void pass(long millis) {
        long until = good.scheduler.nanoTime() + millis * 1_000_000;
        good.scheduler.schedule(() -> {}, millis);
        good.scheduler.runUntil(() -> good.scheduler.nanoTime() >= until);
    }

    /** The client reads so many bytes of its replies, as a transport sees it. */
    private static void read(TestTransport client, int bytes) {
        ByteBuffer[] gather = new ByteBuffer[Session.MAX_GATHER];
        assertTrue(client.session.replies(gather) > 0, "nothing to send");
        gather[0].position(gather[0].position() + bytes);
        client.session.sent(bytes);
    }

    private TestTransport stopsAmidPayload() {
        return another().send(Arrays.copyOf(LARGE_WRITE, 70_000));
    }

    private TestTransport readsNoReply() {
        TestTransport client = another();
        client.clientStalls = true;
        client.send(LARGE_READ);
        read(client, 0);
        return client;
    }

    private TestTransport stalled(String how) {
        return how.equals("payload") ? stopsAmidPayload() : readsNoReply();
    }

    private void assertGoodWaits() {
        assertTrue(good.left() > 0 || good.session.wanted() == null, "does not wait");
        assertEquals(0, good.received().remaining(), "answered already");
    }

    private void assertGoodIsAnswered() {
        good.pump();
        assertEquals(Map.of(7L, 0), errors(good));
        good.assertGoesOn();
    }

    private static Map<Long, Integer> errors(TestTransport client) {
        Map<Long, Integer> errors = new java.util.HashMap<>();
        Client.replies(client.received(), Map.of(8L, LARGE_BYTES))
                .forEach((cookie, reply) -> errors.put(cookie, reply.errno()));
        return errors;
    }

    private void assertCutOff(TestTransport client) {
        assertTrue(client.abrupt, "not cut off");
        client.session.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"payload", "reply"})
    void isCutOffAfterTheTimeWhileAnotherWaits(String how) {
        TestTransport stalled = stalled(how);
        good.send(LARGE_WRITE);
        assertGoodWaits();
        pass(ALMOST_MILLIS);
        stalled.assertGoesOn();
        pass(TIMEOUT_MILLIS - ALMOST_MILLIS + 10);
        assertGoodWaits();
        assertCutOff(stalled);
        stalled.assertEnds(true);
        assertGoodIsAnswered();
        assertEquals(1, good.count("nbd.stalled-clients"));

        // And the next one too: the timer was not a single shot.
        TestTransport next = stalled(how);
        good.send(LARGE_WRITE);
        pass(TIMEOUT_MILLIS + 10);
        assertCutOff(next);
        assertGoodIsAnswered();
        assertEquals(2, good.count("nbd.stalled-clients"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"payload", "reply"})
    void maySleepForEverWhileNobodyWaits(String how) {
        TestTransport stalled = stalled(how);
        good.send(Client.write(7, 0, new byte[BUDGET_BYTES - LARGE_BYTES]));
        assertGoodIsAnswered();
        pass(100 * TIMEOUT_MILLIS);
        stalled.assertGoesOn();
        // A want that is met in time is none.
        disk.deferred = true;
        TestTransport third = another().send(Client.request(Client.READ, 0, 1, 0, 300_000));
        good.send(Client.write(7, 0, new byte[300_000]));
        assertGoodWaits();
        pass(ALMOST_MILLIS);
        disk.deferred = false;
        disk.end(0);
        third.pump();
        assertGoodIsAnswered();
        good.scheduler.runUntilIdle();
        stalled.assertGoesOn();
        assertEquals(0, good.count("nbd.stalled-clients"));
    }

    /** The rest is less than what is enough, and is enough. */
    @Test
    void slowWriterIsNotCutOff() {
        TestTransport slow = another().send(Arrays.copyOf(LARGE_WRITE, LARGE_WRITE.length - LARGE_BYTES + 1));
        good.send(LARGE_WRITE);
        for (int left = LARGE_BYTES - 1; left > 0; left -= ENOUGH_BYTES) {
            pass(ALMOST_MILLIS);
            assertGoodWaits();
            slow.assertGoesOn();
            slow.send(new byte[Math.min(left, ENOUGH_BYTES)]);
        }
        assertEquals(Map.of(7L, 0), errors(slow));
        assertGoodIsAnswered();
        slow.assertGoesOn();
    }

    @Test
    void slowReaderIsNotCutOff() {
        TestTransport slow = readsNoReply();
        good.send(LARGE_WRITE);
        for (int i = 0; i < LARGE_BYTES / ENOUGH_BYTES; i++) {
            pass(ALMOST_MILLIS);
            assertGoodWaits();
            slow.assertGoesOn();
            read(slow, ENOUGH_BYTES);
        }
        pass(ALMOST_MILLIS);
        slow.assertGoesOn();
        slow.clientStalls = false;
        slow.pump();
        slow.assertGoesOn();
        assertGoodIsAnswered();
    }

    /** Or two of them keep all of the memory for as long as they like. */
    @ParameterizedTest
    @ValueSource(strings = {"payload", "reply"})
    void whoMovesAByteNowAndThenIsCutOffWhileAnotherWaits(String how) {
        TestTransport trickling = stalled(how);
        for (int i = 0; i < 20; i++) {
            pass(ALMOST_MILLIS);
            trickle(trickling, how, 1);
        }
        trickling.assertGoesOn();
        good.send(LARGE_WRITE);
        assertGoodWaits();
        pass(TIMEOUT_MILLIS / 2);
        trickle(trickling, how, ENOUGH_BYTES / 2);
        trickling.assertGoesOn();
        pass(TIMEOUT_MILLIS);
        assertCutOff(trickling);
        assertGoodIsAnswered();
        assertEquals(1, good.count("nbd.stalled-clients"));
    }

    private static void trickle(TestTransport client, String how, int bytes) {
        if (how.equals("payload")) {
            client.send(new byte[bytes]);
        } else {
            read(client, bytes);
        }
    }

    @Test
    void smallWritesDoNotHelpWhoReadsNoReply() {
        TestTransport stalled = readsNoReply();
        good.send(LARGE_WRITE);
        byte[] write = Client.write(9, 0, new byte[512]);
        for (int i = 0; i < 5; i++) {
            stalled.send(Arrays.copyOf(write, write.length - 10));
            pass(TIMEOUT_MILLIS / 4);
            stalled.send(new byte[10]);
        }
        assertCutOff(stalled);
        assertGoodIsAnswered();
    }

    @Test
    void whoSendsMuchBeforeItReadsIsNotCutOff() {
        TestTransport busy = readsNoReply();
        good.send(LARGE_WRITE);
        byte[] write = Client.write(9, 0, new byte[ENOUGH_BYTES + 10_000]);
        busy.send(Arrays.copyOf(write, write.length - ENOUGH_BYTES));
        pass(ALMOST_MILLIS);
        busy.send(new byte[ENOUGH_BYTES]);
        pass(ALMOST_MILLIS);
        assertGoodWaits();
        busy.assertGoesOn();
        pass(TIMEOUT_MILLIS);
        assertCutOff(busy);
        assertGoodIsAnswered();
    }

    @Test
    void whoReadsWhatIsInItsSocketIsNotCutOffBeforeItReadsTooLittle() {
        TestTransport slow = readsNoReply();
        slow.readBytes = ENOUGH_BYTES;
        good.send(LARGE_WRITE);
        pass(10 * TIMEOUT_MILLIS);
        assertGoodWaits();
        slow.assertGoesOn();
        slow.readBytes = ENOUGH_BYTES - 1;
        pass(2 * TIMEOUT_MILLIS);
        assertCutOff(slow);
        assertGoodIsAnswered();
    }

    /** Pages in a pipe take no memory of the pool; their request keeps its buffer, so its client is as bad as any. */
    @Test
    void readerOfPagesIsNoException() {
        disk.givesPages = true;
        TestTransport slow = good.another();
        slow.takesPages = true;
        others.add(Client.go(slow, "disk"));
        slow.clientStalls = true;
        slow.send(LARGE_READ);
        ByteBuffer[] gather = new ByteBuffer[Session.MAX_GATHER];
        assertEquals(1, slow.session.replies(gather));
        gather[0].position(gather[0].limit());
        slow.session.sent(16);
        good.send(LARGE_WRITE);
        for (int left = LARGE_BYTES; left > ENOUGH_BYTES; left -= ENOUGH_BYTES) {
            pass(ALMOST_MILLIS);
            assertGoodWaits();
            assertEquals(0, slow.session.replies(gather));
            assertEquals(left, slow.session.pages().remainingBytes());
            slow.session.sent(ENOUGH_BYTES);
            slow.assertGoesOn();
        }
        pass(TIMEOUT_MILLIS + 10);
        assertCutOff(slow);
        assertEquals(1, disk.pipes.get(0).releases);
        assertGoodIsAnswered();
    }

    @Test
    void theDiskIsNotTheClientsFault() {
        disk.deferred = true;
        TestTransport patient = another().send(LARGE_READ);
        good.send(LARGE_WRITE);
        pass(100 * TIMEOUT_MILLIS);
        assertGoodWaits();
        patient.assertGoesOn();
        // Its reply is there, and nobody had the time to send it yet.
        disk.deferred = false;
        disk.end(0);
        pass(TIMEOUT_MILLIS);
        patient.assertGoesOn();
        patient.pump();
        assertEquals(Map.of(8L, 0), errors(patient));
        assertGoodIsAnswered();
    }

    @Test
    void theTimeBeginsWhenTheDiskAnswers() {
        disk.deferred = true;
        TestTransport both = another().send(Client.request(Client.FLUSH, 0, 1, 0, 0));
        both.send(Arrays.copyOf(LARGE_WRITE, 70_000));
        good.send(LARGE_WRITE);
        pass(10 * TIMEOUT_MILLIS);
        both.assertGoesOn();
        disk.end(0);
        disk.deferred = false;
        pass(ALMOST_MILLIS);
        both.assertGoesOn();
        assertGoodWaits();
        pass(TIMEOUT_MILLIS);
        assertCutOff(both);
        assertGoodIsAnswered();
    }

    @Test
    void nobodyIsCutOffForItsOwnWant() {
        TestTransport stalled = readsNoReply();
        stalled.send(LARGE_READ);
        assertEquals(null, stalled.session.wanted(), "waits for memory itself");
        pass(10 * TIMEOUT_MILLIS);
        stalled.assertGoesOn();
        good.send(LARGE_WRITE);
        pass(TIMEOUT_MILLIS + 10);
        assertCutOff(stalled);
        assertGoodIsAnswered();
    }

    /** It holds its memory until then, but is neither told of again nor somebody who waits. */
    @Test
    void isCutOffOnceThoughItsTransportIsSlowToCloseIt() {
        TestTransport stalled = readsNoReply();
        stalled.send(LARGE_READ);
        assertEquals(null, stalled.session.wanted(), "waits for memory itself");
        TestTransport holder = stopsAmidSmallPayload();
        good.send(LARGE_WRITE);
        pass(TIMEOUT_MILLIS + 10);
        assertTrue(stalled.abrupt && holder.abrupt, "both were cut off");
        pass(10 * TIMEOUT_MILLIS);
        assertGoodWaits();
        stalled.assertEnds(true);
        holder.assertEnds(true);
        assertEquals(2, good.count("nbd.stalled-clients"));
        holder.session.close();
        int told = stalled.inputReady;
        assertEquals(null, stalled.session.wanted());
        assertEquals(told, stalled.inputReady, "there is room, and it is not to go on all the same");
        assertGoodWaits();
        stalled.session.close();
        assertGoodIsAnswered();
    }

    private TestTransport stopsAmidSmallPayload() {
        return another().send(Arrays.copyOf(Client.write(9, 0, new byte[50_000]), 30_000));
    }

    @Test
    void whoHasGoneIsNotCutOff() {
        TestTransport gone = stopsAmidPayload();
        gone.session.close();
        // The watch saw it before it went.
        ((NbdSession) gone.session).cutOff(TIMEOUT_MILLIS);
        gone.assertGoesOn();
        assertEquals(0, good.count("nbd.stalled-clients"));
    }

    @Test
    void allThatStallAreCutOffAndOneThatSaidGoodbyeToo() {
        byte[] write = Client.write(7, 0, new byte[250_000]);
        TestTransport first = another().send(Arrays.copyOf(write, 50_000));
        TestTransport second = another();
        second.clientStalls = true;
        second.send(
                Client.join(Client.request(Client.READ, 0, 8, 0, 250_000), Client.request(Client.DISC, 0, 9, 0, 0)));
        read(second, 10);
        assertTrue(second.finished && !second.abrupt, "says that it is over, and is still answered");
        good.send(LARGE_WRITE);
        pass(TIMEOUT_MILLIS + 10);
        assertCutOff(first);
        assertCutOff(second);
        assertGoodIsAnswered();
        assertEquals(2, good.count("nbd.stalled-clients"));
    }

    @Test
    void theSettingHasARange() throws Refusal {
        for (String value : List.of("99", "600001", "never")) {
            Settings settings = new Settings(Map.of("nbd.stall-timeout-millis", value));
            Refusal refusal = assertThrows(
                    Refusal.class,
                    () -> new NbdFrontendProvider()
                            .open(TestTransport.exports(), good.pool, good.scheduler.environment(null), settings));
            assertTrue(refusal.getMessage().contains("100 to 600000"), refusal.getMessage());
        }
    }
}
