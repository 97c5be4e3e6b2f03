package io.remap.api;

import java.nio.ByteBuffer;

/**
 * One conversation with one client, as a state machine without I/O and without threads: bytes in, work and bytes out. A
 * transport moves the bytes and knows nothing of the protocol; the same session runs over sockets, in a simulator and in
 * a fuzzer.
 *
 * <p><b>Input side</b> ({@link #wanted}, {@link #received}, {@link #inputEnded}, {@link #poll}): one thread at a time.
 * <b>Output side</b> ({@link #replies}, {@link #pages}, {@link #sent}): one thread at a time. The two sides may run at the
 * same time, and completions of work arrive from any thread. The {@link Events} may be called from any thread, from within
 * any method; they must not call back into the session but only note that there is something to do.
 *
 * <p>The loop of a transport: start all work that {@code poll()} gives; while {@code wanted()} gives a buffer, receive
 * into it and tell {@code received(n)}; send what {@code replies()} gives. Whoever may block while it receives first
 * polls until there is no more work. A session may have replies from the beginning (a greeting).
 */
public interface Session extends AutoCloseable {
    /** Decoded work that waits to be started. Whoever polled it starts or abandons it, since it may hold memory. */
    interface Work {
        /**
         * Starts it. Whether this executes transfers on the calling thread depends on the I/O engine; it never waits for
         * other work. Any thread, once.
         */
        void start();

        /**
         * Gives back what it holds, in place of {@link #start}, without doing anything: nobody waits for it any more as its
         * connection is over. Any thread, once.
         */
        default void abandon() {}
    }

    /** What a session tells its transport. All methods return at once, from any thread. */
    interface Events {
        /** There are replies to send. */
        void repliesReady();

        /**
         * After {@link Session#wanted()} gave no buffer: go on, first with {@link Session#poll}, then with it. What was told
         * before that need not be remembered, it is told again.
         */
        void inputReady();

        /**
         * The session is over: when {@link Session#replies} has nothing more, close the socket. {@code abrupt}: close it
         * at once, replies or not. This may follow an end that was not abrupt.
         */
        void finished(boolean abrupt);

        /** Whether this transport can send {@link Session#pages}. The same answer always. */
        default boolean takesPages() {
            return false;
        }

        /**
         * How many bytes the client has read, about, since this was asked last, or the socket was full, though no room for
         * more has come of it yet. A transport whose system does not tell says 0. One thread at a time.
         */
        default long readBytes() {
            return 0;
        }
    }

    /** Most buffers that {@link #replies} gives at a time. */
    int MAX_GATHER = 64;

    /**
     * Where the next bytes go: between position and limit, at most as many as the session can use now.
     *
     * @return the buffer, or {@code null} if it wants nothing for the moment (limit of bytes in flight) or any more
     */
    ByteBuffer wanted();

    /** Takes the next bytes, which the transport put at the position of the buffer of {@link #wanted()}, advancing it. */
    void received(int lengthBytes);

    /** The client sends nothing more; what it has sent is still answered. */
    void inputEnded();

    /**
     * The next decoded work, in the order received, {@code null} if there is none. Goes on with what was received and
     * held back by a limit.
     */
    Work poll();

    /**
     * Gives the bytes to send: what was given before and has not left yet, or else the next.
     *
     * @param into filled from index 0 with buffers that hold the bytes between position and limit; they stay the
     *     session's and stay valid until {@link #sent} covered them
     * @return how many buffers it filled, 0 if there is nothing to send, or nothing but the rest of {@link #pages}
     */
    int replies(ByteBuffer[] into);

    /**
     * What follows directly after the last of the buffers that {@link #replies} just gave, or comes next where it gave
     * none. The transport sends it from {@link PagePipe#descriptor()}, {@link PagePipe#remainingBytes()} at most, and tells
     * {@link #sent} with the bytes of the buffers, which come first in that count; all else is the session's, {@link
     * PagePipe#taken} too. Output side; asked after each {@code replies}, only by a transport whose {@link
     * Events#takesPages} says so.
     *
     * @return {@code null} if nothing does
     */
    default PagePipe pages() {
        return null;
    }

    /**
     * Told after sending: so many bytes of what {@link #replies} gave (positions were advanced by that) and of {@link #pages}
     * have left. Whoever blocks while it sends does so in small pieces, as this is how the session sees that its client
     * reads.
     */
    void sent(long lengthBytes);

    /** From now on new requests are refused as the protocol does on shutdown; what is under way is answered. */
    void shutdown();

    /** Whether work is under way or replies wait. */
    boolean busy();

    /**
     * The socket is gone: gives back every buffer as soon as its I/O ended. Idempotent. Called when no other method but
     * {@link Work#start} and {@link Work#abandon} is under way or follows, and nothing is received into or sent from a
     * buffer any more: the memory may be another session's from now on. Work that was polled and not started is still to be
     * started, which only gives back what it holds then, or abandoned; work that was not polled is the session's.
     */
    @Override
    void close();
}
