package io.remap.health.scan;

import io.remap.api.Refusal;
import io.remap.health.record.Remembered;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * How far the scan is: the one thing of it that must survive a kill, so that a pass of two weeks comes to its end. Times are
 * milliseconds since 1970. Not thread-safe.
 *
 * <p>Invariant: {@code position} is the number of the first segment, in the order of the pass, that is not done.
 */
final class ScanProgress implements Remembered {
    /** What the scanner does. */
    enum State {
        /** No pass was begun. */
        IDLE,
        RUNNING,
        PAUSED,
        /** No pass, until somebody asks for one. */
        CANCELLED;

        String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** A pass that came to its end. */
    record Finished(long pass, long startedMillis, long endedMillis, long scannedBytes, long leftOutBytes) {}

    private final long segments;

    State state = State.IDLE;
    /** Passes begun so far. */
    long pass;
    /** Somebody asked for this pass: it goes at its own rate. */
    boolean requested;
    /** Of a requested pass; 0: as fast as clients leave room. */
    long rateBytesPerSecond;

    long position;
    long startedMillis;
    long scannedBytes;
    /** On main, but not read: it was unflushed or moving for too long, or its examination took too long. */
    long leftOutBytes;
    /** Cursors of the visits between. */
    long lowCursor;

    long worstCursor;
    Finished last;
    /** When a sector failed last, for a client or the scan; 0 if none did. */
    private long errorMillis;

    ScanProgress(long segments) {
        this.segments = segments;
    }

    void begin(boolean onRequest, long rate, long nowMillis) {
        state = State.RUNNING;
        pass++;
        requested = onRequest;
        rateBytesPerSecond = rate;
        position = 0;
        startedMillis = nowMillis;
        scannedBytes = 0;
        leftOutBytes = 0;
    }

    /** Goes on with a pass that was stopped in its midst, or begins one; nobody asked for it. */
    void goOn(long nowMillis) {
        if (position > 0 && !isAtEnd()) {
            state = State.RUNNING;
        } else {
            begin(false, 0, nowMillis);
        }
    }

    /** No scan, but the place of the pass is kept for {@link #goOn}. */
    void stop() {
        state = State.IDLE;
    }

    /** A sector failed. */
    void failed(long nowMillis) {
        errorMillis = nowMillis;
    }

    /** Until when the last error is less than this ago; 0 if it is longer ago already, or there was none. */
    long elevatedUntilMillis(long nowMillis, long elevatedMillis) {
        // The clock may have been ahead when it failed.
        errorMillis = Math.min(errorMillis, nowMillis);
        long until = errorMillis + elevatedMillis;
        return errorMillis > 0 && until > nowMillis ? until : 0;
    }

    /** Refuses an order that makes sense in another state only. */
    void require(State wanted, String diskName, String what) throws Refusal {
        if (state != wanted) {
            throw new Refusal(
                    Refusal.Kind.NOT_SO,
                    "disk '" + diskName + "': nothing to " + what + ", the scan is " + state.text());
        }
    }

    boolean isAtEnd() {
        return position >= segments;
    }

    /** The pass is done. */
    void end(long nowMillis) {
        last = new Finished(pass, startedMillis, nowMillis, scannedBytes, leftOutBytes);
        state = State.IDLE;
    }

    @Override
    public String word() {
        return "scan";
    }

    @Override
    public List<String> lines() {
        List<String> lines = new ArrayList<>();
        lines.add("now " + state + " " + pass + " " + (requested ? 1 : 0) + " " + rateBytesPerSecond + " " + position
                + " "
                + segments + " " + startedMillis + " " + scannedBytes + " " + leftOutBytes + " " + lowCursor + " "
                + worstCursor);
        if (errorMillis > 0) {
            lines.add("error " + errorMillis);
        }
        if (last != null) {
            lines.add("last " + last.pass + " " + last.startedMillis + " " + last.endedMillis + " " + last.scannedBytes
                    + " " + last.leftOutBytes);
        }
        return lines;
    }

    @Override
    public void restore(String[] words) {
        if (words[0].equals("last")) {
            last = new Finished(
                    number(words, 1), number(words, 2), number(words, 3), number(words, 4), number(words, 5));
        } else if (words[0].equals("error")) {
            errorMillis = number(words, 1);
        } else if (number(words, 6) == segments) {
            State was = State.valueOf(words[1]);
            pass = number(words, 2);
            requested = number(words, 3) == 1;
            rateBytesPerSecond = number(words, 4);
            position = Math.max(0, Math.min(segments, number(words, 5)));
            startedMillis = number(words, 7);
            scannedBytes = number(words, 8);
            leftOutBytes = number(words, 9);
            lowCursor = number(words, 10);
            worstCursor = number(words, 11);
            state = was;
        }
    }

    private static long number(String[] words, int index) {
        return Long.parseLong(words[index]);
    }
}
