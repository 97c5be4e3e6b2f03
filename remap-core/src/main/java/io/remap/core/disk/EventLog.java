package io.remap.core.disk;

import io.remap.api.SectorRange;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * The newest events of a disk, over its restarts. A disk that dies and a client that reads it make events without end: one
 * that continues the last of its kind, by its place and shortly after, only counts.
 *
 * <p>Invariants: at most {@link #MAX_EVENTS}, oldest first, by ascending number. Thread-safe; takes a lock, so it is told
 * of errors and not of requests.
 */
public final class EventLog implements Saved {
    static final int MAX_EVENTS = 1024;

    /** Of all that is saved of a disk they may take so much: with long details that is fewer of them. */
    static final int MAX_SAVED_BYTES = 160 << 10;

    /** Events of a kind within this time, on sectors that touch, are one. */
    static final long JOIN_MILLIS = 10_000;

    /** How many of the last events are looked at for one to join. */
    private static final int JOIN_DEPTH = 4;

    /** Of a line; the detail is the last, and has no tabs in it. */
    private static final int FIELDS = 11;

    /** Before events had causes. */
    private static final int OLD_FIELDS = 8;

    private final LongSupplier wallMillis;
    private final ArrayDeque<DiskEvent> events = new ArrayDeque<>();
    private long lastNumber;

    /** @param wallMillis the time, milliseconds since 1970 */
    EventLog(LongSupplier wallMillis) {
        this.wallMillis = wallMillis;
    }

    /** Notes an event that has no place. */
    public void note(DiskEvent.Kind kind, String detail) {
        note(kind, Optional.empty(), Optional.empty(), detail);
    }

    synchronized void note(
            DiskEvent.Kind kind, Optional<SectorRange> sectors, Optional<DiskEvent.Cause> cause, String detail) {
        long now = wallMillis.getAsLong();
        String text = oneLine(detail);
        if (!join(now, kind, sectors, cause, text)) {
            add(new DiskEvent(lastNumber + 1, now, now, 1, kind, sectors, cause, text));
        }
    }

    private boolean join(
            long now,
            DiskEvent.Kind kind,
            Optional<SectorRange> sectors,
            Optional<DiskEvent.Cause> cause,
            String detail) {
        List<DiskEvent> younger = new ArrayList<>(JOIN_DEPTH);
        boolean joined = false;
        while (!joined && younger.size() < JOIN_DEPTH && !events.isEmpty()) {
            DiskEvent last = events.removeLast();
            joined = last.kind() == kind
                    && now - last.lastMillis() <= JOIN_MILLIS
                    && last.sectors().isPresent() == sectors.isPresent()
                    && (sectors.isEmpty() || touch(last.sectors().get(), sectors.get()));
            younger.add(joined ? last.again(now, together(last.sectors(), sectors), cause, detail) : last);
        }
        for (int i = younger.size() - 1; i >= 0; i--) {
            events.addLast(younger.get(i));
        }
        return joined;
    }

    private static boolean touch(SectorRange one, SectorRange other) {
        return one.firstSector() <= other.endSector() && other.firstSector() <= one.endSector();
    }

    private static Optional<SectorRange> together(Optional<SectorRange> one, Optional<SectorRange> other) {
        if (one.isEmpty()) {
            return one;
        }
        long first = Math.min(one.get().firstSector(), other.get().firstSector());
        long end = Math.max(one.get().endSector(), other.get().endSector());
        return Optional.of(new SectorRange(first, end - first));
    }

    private void add(DiskEvent event) {
        events.addLast(event);
        lastNumber = event.number();
        if (events.size() > MAX_EVENTS) {
            events.removeFirst();
        }
    }

    /** The newest events with a number above {@code after}, oldest of them first. */
    public synchronized List<DiskEvent> newest(long after, int limit) {
        List<DiskEvent> found = new ArrayList<>();
        Iterator<DiskEvent> newestFirst = events.descendingIterator();
        while (newestFirst.hasNext() && found.size() < limit) {
            DiskEvent event = newestFirst.next();
            if (event.number() <= after) {
                break;
            }
            found.add(0, event);
        }
        return found;
    }

    private static String oneLine(String detail) {
        String line = detail.replaceAll("\\p{Cntrl}", " ");
        return line.length() <= DiskEvent.MAX_DETAIL_CHARS ? line : line.substring(0, DiskEvent.MAX_DETAIL_CHARS);
    }

    @Override
    public String section() {
        return "events";
    }

    /** The newest of them, as far as there is room. */
    @Override
    public synchronized byte[] save() {
        ArrayDeque<byte[]> lines = new ArrayDeque<>();
        int bytes = 0;
        Iterator<DiskEvent> newestFirst = events.descendingIterator();
        while (newestFirst.hasNext()) {
            byte[] line = line(newestFirst.next()).getBytes(StandardCharsets.UTF_8);
            if (bytes + line.length > MAX_SAVED_BYTES) {
                break;
            }
            bytes += line.length;
            lines.addFirst(line);
        }
        ByteBuffer all = ByteBuffer.allocate(bytes);
        lines.forEach(all::put);
        return all.array();
    }

    private static String line(DiskEvent event) {
        return event.number() + "\t" + event.firstMillis() + "\t" + event.lastMillis() + "\t" + event.count() + "\t"
                + event.kind() + "\t"
                + event.sectors().map(SectorRange::firstSector).orElse(-1L) + "\t"
                + event.sectors().map(SectorRange::lengthSectors).orElse(0L) + "\t"
                + event.cause().map(DiskEvent.Cause::operation).orElse("") + "\t"
                + event.cause().map(DiskEvent.Cause::errno).orElse(0) + "\t"
                + event.cause().map(DiskEvent.Cause::attempts).orElse(0) + "\t"
                + event.detail() + "\n";
    }

    @Override
    public synchronized void restore(byte[] saved) {
        for (String line : new String(saved, StandardCharsets.UTF_8).split("\n", -1)) {
            String[] fields = line.split("\t", FIELDS);
            if (fields.length == FIELDS || fields.length == OLD_FIELDS) {
                parse(fields).filter(event -> event.number() > lastNumber).ifPresent(this::add);
            }
        }
    }

    /** Nothing for a kind that a later version knows. */
    private static Optional<DiskEvent> parse(String[] fields) {
        Optional<DiskEvent.Kind> kind = Arrays.stream(DiskEvent.Kind.values())
                .filter(known -> known.name().equals(fields[4]))
                .findFirst();
        long first = Long.parseLong(fields[5]);
        boolean hasCause = fields.length == FIELDS && !fields[7].isEmpty();
        return kind.map(known -> new DiskEvent(
                Long.parseLong(fields[0]),
                Long.parseLong(fields[1]),
                Long.parseLong(fields[2]),
                Long.parseLong(fields[3]),
                known,
                first < 0 ? Optional.empty() : Optional.of(new SectorRange(first, Long.parseLong(fields[6]))),
                hasCause
                        ? Optional.of(DiskEvent.Cause.of(
                                oneLine(fields[7]), Integer.parseInt(fields[8]), Integer.parseInt(fields[9])))
                        : Optional.empty(),
                oneLine(fields[fields.length - 1])));
    }
}
