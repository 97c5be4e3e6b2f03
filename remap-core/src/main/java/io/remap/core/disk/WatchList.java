package io.remap.core.disk;

import io.remap.api.spi.FaultPolicy;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * Units of main that read again after errors, over restarts: how often that happened, and which of them main got another
 * chance for ({@code unreadable-writes=heal}). A count that has reached the threshold of the policy makes a unit weak; it
 * halves with each {@link FaultPolicy#watchDecayMillis} that passes without an error, as md's does.
 *
 * <p>Invariants: at most {@link #MAX_UNITS}, the one that was met last at the end; of these at most {@link #MAX_HEALED}
 * are healed ones, which are not dropped to make room. Thread-safe; takes a lock, so it is told of errors and not of
 * requests.
 */
final class WatchList implements Saved {
    static final int MAX_UNITS = 2048;
    static final int MAX_HEALED = 1024;

    /** A count beyond it says no more. */
    private static final int MAX_ERRORS = 1_000_000;

    private static final int FIELDS = 4;

    private final LongSupplier wallMillis;
    private final FaultPolicy policy;

    // Guarded by this.
    private final LinkedHashMap<Long, Watched> units = new LinkedHashMap<>();
    private int healed;

    private record Watched(int errors, long lastMillis, boolean healed) {}

    private static final Watched NEW = new Watched(0, 0, false);

    /** @param wallMillis the time, milliseconds since 1970 */
    WatchList(LongSupplier wallMillis, FaultPolicy policy) {
        this.wallMillis = wallMillis;
        this.policy = policy;
    }

    /**
     * Counts errors after which the unit was read.
     *
     * @return whether it is weak now
     */
    synchronized boolean recovered(long unit, int errors) {
        long now = wallMillis.getAsLong();
        Watched before = units.getOrDefault(unit, NEW);
        int count = Math.min(MAX_ERRORS, errorsAt(before, now) + errors);
        put(unit, new Watched(count, now, before.healed));
        return count >= policy.errorThreshold();
    }

    /** It could not be read at all, and can be again: that is as many errors as it takes. */
    synchronized boolean readableAgain(long unit) {
        return recovered(unit, policy.errorThreshold());
    }

    /** Whether main may get another chance at the unit: once only, which is remembered from now on. */
    synchronized boolean mayHeal(long unit) {
        Watched before = units.getOrDefault(unit, NEW);
        if (before.healed || healed >= MAX_HEALED) {
            return false;
        }
        put(unit, new Watched(before.errors, wallMillis.getAsLong(), true));
        return true;
    }

    /** The unit is on the spare: nothing of main matters there, but that it is not to be healed once more. */
    synchronized void moved(long unit) {
        Watched before = units.get(unit);
        if (before != null && before.healed) {
            units.put(unit, new Watched(0, before.lastMillis, true));
        } else {
            units.remove(unit);
        }
    }

    synchronized int size() {
        return units.size();
    }

    /** How many errors count for the unit now. */
    synchronized int errors(long unit) {
        return errorsAt(units.getOrDefault(unit, NEW), wallMillis.getAsLong());
    }

    /** Units of main that were written again where they could not be read, and read since. */
    synchronized long healed() {
        return healed;
    }

    private int errorsAt(Watched watched, long nowMillis) {
        long periods = Math.max(0, nowMillis - watched.lastMillis) / policy.watchDecayMillis();
        return periods >= Integer.SIZE ? 0 : watched.errors >> periods;
    }

    private void put(long unit, Watched watched) {
        Watched before = units.remove(unit);
        healed += (watched.healed ? 1 : 0) - (before != null && before.healed ? 1 : 0);
        units.put(unit, watched);
        if (units.size() > MAX_UNITS) {
            units.entrySet().stream()
                    .filter(entry -> !entry.getValue().healed)
                    .map(Map.Entry::getKey)
                    .findFirst()
                    .ifPresent(units::remove);
        }
    }

    @Override
    public String section() {
        return "watch";
    }

    @Override
    public synchronized byte[] save() {
        StringBuilder text = new StringBuilder();
        units.forEach((unit, watched) -> text.append(unit)
                .append(' ')
                .append(watched.errors)
                .append(' ')
                .append(watched.lastMillis)
                .append(' ')
                .append(watched.healed ? "healed" : "-")
                .append('\n'));
        return text.toString().getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public synchronized void restore(byte[] saved) {
        for (String line : new String(saved, StandardCharsets.US_ASCII).split("\n", -1)) {
            String[] fields = line.split(" ", -1);
            if (fields.length >= FIELDS && units.size() < MAX_UNITS) {
                boolean wasHealed = fields[3].equals("healed") && healed < MAX_HEALED;
                put(
                        Long.parseLong(fields[0]),
                        new Watched(
                                Math.max(0, Math.min(MAX_ERRORS, Integer.parseInt(fields[1]))),
                                Long.parseLong(fields[2]),
                                wasHealed));
            }
        }
    }
}
