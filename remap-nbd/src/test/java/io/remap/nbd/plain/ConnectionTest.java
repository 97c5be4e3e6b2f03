package io.remap.nbd.plain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.ListenAddress;
import io.remap.api.Session;
import io.remap.testkit.RealEnvironment;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What happens to a connection in the middle of a step of its workers, which sockets cannot be made to do at that moment:
 * the session and the socket are the test's.
 */
@Timeout(20)
class ConnectionTest {
    private static final long WAIT_MILLIS = 10_000;
    private static final ListenAddress ADDRESS = new ListenAddress.Tcp("test", 0);

    private final ScheduledThreadPoolExecutor timers = new ScheduledThreadPoolExecutor(1);
    private final Environment environment = RealEnvironment.on(timers);
    private final List<FakeSession> sessions = new ArrayList<>();
    private final CountDownLatch release = new CountDownLatch(1);
    private PlainTransport transport = new PlainTransport(environment, 10, 8, 64, Thread::start);

    @AfterEach
    void allIsClosed() {
        release.countDown();
        transport.close();
        eventually("no connection is left", () -> transport.connections() == 0);
        timers.shutdownNow();
        for (FakeSession session : sessions) {
            assertEquals(1, session.closes.get(), "closes of a session");
            assertEquals(List.of(), List.copyOf(session.violations));
        }
    }

    private static void eventually(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(WAIT_MILLIS);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    private void restart(int workers, int hung, Consumer<Thread> starter) {
        transport.close();
        transport = new PlainTransport(environment, 10, workers, hung, starter);
    }

    private FakeSession begin(FakeWire wire, Function<Session.Events, FakeSession> factory) {
        transport.admit(wire, ADDRESS, (peer, events) -> {
            FakeSession session = factory.apply(events);
            sessions.add(session);
            return session;
        });
        return sessions.get(sessions.size() - 1);
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(WAIT_MILLIS, TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            throw new AssertionError("a transport interrupts no thread that carries out work", e);
        }
    }

    private static String text(FakeWire wire) {
        return wire.sent.stream()
                .map(bytes -> new String(bytes, StandardCharsets.US_ASCII))
                .collect(Collectors.joining());
    }

    // ---- Ends in the middle of a step ------------------------------------------------------------------------------

    @Test
    void aSessionThatEndsBeforeItsGreetingSendsNothing() {
        FakeWire wire = new FakeWire();
        FakeSession session = begin(wire, events -> new FakeSession(events) {
            @Override
            void polled() {
                events.finished(true);
            }
        });
        eventually("the connection is gone", () -> transport.connections() == 0);
        assertEquals(1, wire.closes.get());
        assertEquals(0, session.asksForReplies.get());
        assertEquals(0, wire.reads.get());
    }

    /** The worker is about to rest, and nobody would wake it any more. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aSessionThatEndsWhenAskedWhatItWantsIsNotReceivedFor(boolean wantsNothing) {
        FakeWire wire = new FakeWire();
        FakeSession session = begin(wire, events -> {
            FakeSession made = new FakeSession(events) {
                @Override
                void asked() {
                    events.finished(true);
                }
            };
            made.wantsNothing = wantsNothing;
            return made;
        });
        eventually("the connection is gone", () -> transport.connections() == 0);
        assertEquals(1, wire.closes.get());
        assertEquals(0, session.received.get());
    }

    @Test
    void workOfAConnectionThatEndsMeanwhileIsNotStartedAndGivesBackWhatItHolds() {
        FakeWire wire = new FakeWire();
        AtomicInteger started = new AtomicInteger();
        AtomicInteger abandoned = new AtomicInteger();
        begin(wire, events -> new FakeSession(events) {
            @Override
            void polled() {
                works.add(new Work() {
                    @Override
                    public void start() {
                        started.incrementAndGet();
                    }

                    @Override
                    public void abandon() {
                        abandoned.incrementAndGet();
                    }
                });
                events.finished(true);
            }
        });
        eventually("the connection is gone", () -> transport.connections() == 0);
        assertEquals(0, started.get());
        assertEquals(1, abandoned.get());
        assertEquals(List.of(), wire.sent);
    }

    /** Or a thread would receive the end again and again. */
    @Test
    void afterTheEndOfTheInputNothingIsReceivedWhateverASessionWants() {
        FakeWire wire = new FakeWire();
        FakeSession session = begin(wire, FakeSession::new);
        wire.inputEnds();
        eventually("the end was told", () -> session.inputEnds.get() == 1);
        session.answer("late");
        session.decoded(() -> session.answer(" and later"));
        eventually("both are answered", () -> text(wire).equals("late and later"));
        session.events.finished(false);
        eventually("the connection is gone", () -> transport.connections() == 0);
        assertEquals(1, wire.reads.get());
        assertEquals(1, session.inputEnds.get());
    }

    // ---- Who looks -------------------------------------------------------------------------------------------------

    /** Nobody may come to a side that is taken; who has it looks when it has received. */
    @Test
    void workThatIsThereWhileAnotherReceivesIsCarriedOutAfterThat() {
        FakeWire wire = new FakeWire();
        FakeSession session = begin(wire, FakeSession::new);
        eventually("somebody receives", () -> wire.reads.get() == 1);
        int polls = session.polls.get();
        session.decoded(() -> session.answer("done"));
        assertEquals(polls, session.polls.get());
        session.answer("other ");
        eventually("replies leave meanwhile", () -> text(wire).equals("other "));
        wire.arrives((byte) 1);
        eventually("the work was carried out", () -> text(wire).equals("other done"));
        assertEquals(1, session.received.get());
    }

    /** A session without room for more, until the one request ends that has it. */
    @Test
    void roomThatAWorkerMakesItselfIsUsed() {
        FakeWire wire = new FakeWire();
        CountDownLatch askedInVain = new CountDownLatch(1);
        FakeSession session = begin(wire, events -> {
            FakeSession made = new FakeSession(events) {
                @Override
                void asked() {
                    askedInVain.countDown();
                }
            };
            made.wantsNothing = true;
            made.works.add(() -> {
                // The watch brings in a thread for what may be behind this.
                await(askedInVain);
                made.decoded(() -> made.answer("second"));
            });
            return made;
        });
        eventually("the second one was carried out", () -> text(wire).equals("second"));
        assertEquals(0, session.received.get());
    }

    /** A request may be completed by whoever reads the same sectors for another client. */
    @Test
    void aWorkerOfOneConnectionMayCompleteWhatIsAnothers() {
        FakeWire first = new FakeWire();
        FakeWire second = new FakeWire();
        FakeSession waits = begin(first, FakeSession::new);
        eventually("the first one rests", () -> first.reads.get() == 1);
        FakeSession carriesOut = begin(second, FakeSession::new);
        carriesOut.works.add(() -> waits.answer("for you"));
        second.arrives((byte) 0);
        eventually("it is sent to whom it belongs", () -> text(first).equals("for you"));
        assertEquals(List.of(), second.sent);
    }

    // ---- Sending ---------------------------------------------------------------------------------------------------

    /** A session sees that its client reads by what was sent, so no call sends more than 256 KiB, and none sends nothing. */
    @ParameterizedTest
    @CsvSource({
        "'10,20', 30",
        "262144, 262144",
        "'262144,10', '262144,10'",
        "'262143,10', '262144,9'",
        "262145, '262144,1'",
        "'100000,162144,5', '262144,5'",
        "'600000,1,2', '262144,262144,75715'"
    })
    void sendsInPiecesOfLimitedSize(String replies, String pieces) {
        int[] lengths = numbers(replies);
        int[] calls = numbers(pieces);
        Random random = new Random(1);
        ByteArrayOutputStream expected = new ByteArrayOutputStream();
        FakeWire wire = new FakeWire();
        begin(wire, events -> {
            FakeSession session = new FakeSession(events);
            for (int length : lengths) {
                byte[] bytes = new byte[length];
                random.nextBytes(bytes);
                expected.writeBytes(bytes);
                session.replies.add(ByteBuffer.wrap(bytes));
            }
            return session;
        });
        eventually("all is sent", () -> wire.sent.size() == calls.length);
        assertArrayEquals(
                calls, wire.sent.stream().mapToInt(bytes -> bytes.length).toArray());
        ByteArrayOutputStream sent = new ByteArrayOutputStream();
        wire.sent.forEach(sent::writeBytes);
        assertArrayEquals(expected.toByteArray(), sent.toByteArray());
    }

    private static int[] numbers(String text) {
        return Arrays.stream(text.split(",")).mapToInt(Integer::parseInt).toArray();
    }

    // ---- A stop of the server --------------------------------------------------------------------------------------

    @Test
    void whoIsAdmittedAsTheServerStopsIsHungUpOn() {
        transport.close();
        FakeWire wire = new FakeWire();
        transport.admit(wire, ADDRESS, (peer, events) -> {
            throw new AssertionError("a session for a server that was stopped");
        });
        assertEquals(1, wire.closes.get());
        assertEquals(0, transport.connections());
    }

    @Test
    void aConnectionThatIsDrainedBeforeItHasItsSessionEnds() {
        FakeWire wire = new FakeWire();
        FakeSession session = begin(wire, events -> {
            assertTrue(transport.drain(WAIT_MILLIS), "nothing is under way");
            return new FakeSession(events);
        });
        eventually("the connection is gone", () -> transport.connections() == 0);
        assertEquals(1, wire.closes.get());
        assertEquals(0, session.asksForReplies.get());
        assertEquals(0, wire.reads.get());
    }

    /** Its thread hangs at a device and does not leave; nobody waits for it, and its session is not touched. */
    @Test
    void aSessionThatIsClosedIsNotDrained() {
        FakeWire wire = new FakeWire();
        FakeSession session = begin(wire, FakeSession::new);
        hang(wire, session);
        session.busy = true;
        session.events.finished(true);
        eventually("the session is closed", () -> session.closes.get() == 1);
        assertEquals(1, transport.connections(), "it counts until its threads have left");
        assertTrue(transport.drain(WAIT_MILLIS), "nobody is served");
        assertEquals(0, session.shutdowns.get());
    }

    @Test
    void aSecondDrainTellsASessionNothingNew() {
        FakeWire wire = new FakeWire();
        FakeSession session = begin(wire, FakeSession::new);
        hang(wire, session);
        session.busy = true;
        assertFalse(transport.drain(0), "one is under way");
        assertTrue(transport.drain(0), "it was hung up on");
        assertEquals(1, session.shutdowns.get());
        assertEquals(1, wire.closes.get());
    }

    private void hang(FakeWire wire, FakeSession session) {
        CountDownLatch begun = new CountDownLatch(1);
        session.works.add(() -> {
            begun.countDown();
            await(release);
        });
        wire.arrives((byte) 0);
        await(begun);
    }

    // ---- Threads ---------------------------------------------------------------------------------------------------

    @Test
    void aConnectionForWhichThereIsNoThreadIsHungUpOn() {
        AtomicInteger refused = new AtomicInteger();
        restart(8, 64, thread -> {
            if (refused.incrementAndGet() == 1) {
                throw new OutOfMemoryError("unable to create native thread");
            }
            thread.start();
        });
        FakeWire unlucky = new FakeWire();
        FakeSession first = begin(unlucky, FakeSession::new);
        assertEquals(1, unlucky.closes.get());
        assertEquals(1, first.closes.get());
        assertEquals(0, transport.connections());

        FakeWire wire = new FakeWire();
        begin(wire, FakeSession::new).answer("welcome");
        eventually("the next one is served", () -> text(wire).equals("welcome"));
    }

    @Test
    void aConnectionGoesOnWithTheThreadsThatItHas() {
        AtomicInteger refused = new AtomicInteger();
        AtomicInteger begun = new AtomicInteger();
        restart(8, 64, thread -> {
            if (begun.incrementAndGet() > 1) {
                refused.incrementAndGet();
                throw new OutOfMemoryError("unable to create native thread");
            }
            thread.start();
        });
        FakeWire wire = new FakeWire();
        FakeSession session = begin(wire, FakeSession::new);
        hang(wire, session);
        session.works.add(() -> session.answer("behind it"));
        eventually("more threads were wanted", () -> refused.get() >= 3);
        assertEquals(0, wire.closes.get());
        assertEquals(List.of(), wire.sent);
        release.countDown();
        eventually("all is carried out", () -> text(wire).equals("behind it"));
        assertEquals(0, wire.closes.get());
    }

    /** All threads that there may be are stuck, those at the device for longer than the one that sends. */
    @Test
    void whoSendsInVainClosesTheSessionOfThoseThatHang() {
        restart(1, 1, Thread::start);
        FakeWire wire = new FakeWire();
        wire.stuck = true;
        FakeSession session = begin(wire, FakeSession::new);
        hang(wire, session);
        session.answer("never read");
        await(wire.writes);
        session.events.finished(true);
        eventually("the session is closed", () -> session.closes.get() == 1);
        assertEquals(1, wire.closes.get());
        assertEquals(1, transport.connections(), "one hangs still");
    }

    /** Threads in place of those that hang are limited for all connections together; who gets none waits for its own. */
    @Test
    void aConnectionHasNoMoreSubstitutesThanAreLeft() {
        restart(2, 64, Thread::start);
        int left = 3;
        while (transport.takeSubstitute()) {
            // Other connections have them.
        }
        transport.giveBackSubstitutes(left);
        AtomicInteger hung = new AtomicInteger();
        AtomicInteger ended = new AtomicInteger();
        FakeWire wire = new FakeWire();
        FakeSession session = begin(wire, FakeSession::new);
        for (int i = 0; i < 20; i++) {
            session.works.add(() -> {
                hung.incrementAndGet();
                await(release);
                ended.incrementAndGet();
            });
        }
        wire.arrives((byte) 0);
        eventually("as many hang as may", () -> hung.get() == 2 + left);
        session.answer("still sent");
        eventually("replies leave", () -> text(wire).equals("still sent"));

        // The watch brings in a thread here, so by then it has looked at the first one too, and found none for it.
        FakeWire other = new FakeWire();
        FakeSession next = begin(other, FakeSession::new);
        hang(other, next);
        next.works.add(() -> next.answer("another's"));
        eventually("another connection goes on", () -> text(other).equals("another's"));
        assertFalse(transport.takeSubstitute());
        assertEquals(2 + left, hung.get());
        release.countDown();
        eventually("all are carried out", () -> ended.get() == 20);
        eventually("what was taken is given back", () -> transport.takeSubstitute());
        for (int i = 1; i < left; i++) {
            assertTrue(transport.takeSubstitute());
        }
        assertFalse(transport.takeSubstitute());
    }
}
