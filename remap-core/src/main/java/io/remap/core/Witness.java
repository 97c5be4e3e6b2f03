package io.remap.core;

import io.remap.api.spi.PairIdentity;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * The note that a main belongs to a spare, kept beside main (which carries no mark of its own), so that main is never
 * served without the sectors that stand on its spare.
 *
 * <p>Text of a few lines {@code key=value}, the first {@code remap-witness=1}; unknown keys are for later versions and are
 * skipped. Whatever cannot be read as this is treated as a witness of an unknown pair: it refuses, it never permits.
 *
 * @param pairUuid which pair; all zeros if the note could not be read
 * @param generation of the table when the note was written; the spare's may be newer, never older
 * @param mappedUnits units with an entry then; for people
 * @param spareName the spare as the user named it then; for people
 * @param mainStableId main then; for people
 * @param stop the clean stop that came last, while the pair has not been opened for writing since
 * @param session of the opening that wrote the note; empty before the first one, and from earlier programs
 * @param ofOther whether it was left for another main that shares bytes with the one that was asked about; not written
 */
record Witness(
        UUID pairUuid,
        long generation,
        long mappedUnits,
        String spareName,
        String mainStableId,
        Optional<Stop> stop,
        Optional<UUID> session,
        boolean ofOther) {
    /**
     * A clean stop: what the spare must show as long as nobody opened the pair for writing.
     *
     * @param id drawn for this stop, never 0; the spare has it too
     * @param tableDigest {@link TableDigest} of what was mapped then
     */
    record Stop(long id, int tableDigest) {}

    static final UUID UNKNOWN_PAIR = new UUID(0, 0);

    private static final String VERSION_KEY = "remap-witness";
    private static final String VERSION = "1";

    private static final String STOP_KEY = "stop";
    private static final String DIGEST_KEY = "table-crc32c";
    private static final String SESSION_KEY = "session";

    /** Longest name that is kept, so that a note fits into an extended attribute. */
    private static final int MAX_NAME_BYTES = 300;

    static Witness of(PairIdentity pair, long generation, long mappedUnits, String spareName) {
        return new Witness(
                pair.pairUuid(),
                generation,
                mappedUnits,
                spareName,
                pair.mainStableId(),
                Optional.empty(),
                Optional.empty(),
                false);
    }

    /** The same, written by an opening. */
    Witness openedBy(UUID opening) {
        return new Witness(
                pairUuid, generation, mappedUnits, spareName, mainStableId, stop, Optional.of(opening), false);
    }

    /** The same of a pair that was stopped in order. */
    Witness stopped(Stop last) {
        return new Witness(
                pairUuid, generation, mappedUnits, spareName, mainStableId, Optional.of(last), session, ofOther);
    }

    /** The same, claiming nothing about how the pair was stopped. */
    Witness withoutStop() {
        return new Witness(
                pairUuid, generation, mappedUnits, spareName, mainStableId, Optional.empty(), session, ofOther);
    }

    /** The same, found by the bytes that another main shares with the one it was left for. */
    Witness asOfOther() {
        return new Witness(pairUuid, generation, mappedUnits, spareName, mainStableId, stop, session, true);
    }

    boolean isOf(PairIdentity pair) {
        return pairUuid.equals(pair.pairUuid());
    }

    byte[] encode() {
        String text =
                VERSION_KEY + "=" + VERSION + "\npair=" + pairUuid + "\ngeneration=" + generation + "\nmapped-units="
                        + mappedUnits + "\nspare=" + oneLine(spareName) + "\nmain=" + oneLine(mainStableId) + "\n";
        String stopLines = stop.map(last -> STOP_KEY + "=" + HexFormat.of().toHexDigits(last.id) + "\n" + DIGEST_KEY
                        + "=" + HexFormat.of().toHexDigits(last.tableDigest) + "\n")
                .orElse("");
        String sessionLine =
                session.map(opening -> SESSION_KEY + "=" + opening + "\n").orElse("");
        return (text + sessionLine + stopLines).getBytes(StandardCharsets.UTF_8);
    }

    private static String oneLine(String name) {
        String clean = name.replaceAll("\\p{Cntrl}", "?");
        int from = Math.max(0, clean.length() - MAX_NAME_BYTES);
        while (clean.substring(from).getBytes(StandardCharsets.UTF_8).length > MAX_NAME_BYTES) {
            from++;
        }
        return clean.substring(from);
    }

    /** What the lines of a note say, by key; whatever is no such line is left out. */
    static Map<String, String> valuesOf(byte[] note) {
        Map<String, String> values = new LinkedHashMap<>();
        for (String line : new String(note, StandardCharsets.UTF_8).split("\n", -1)) {
            int equals = line.indexOf('=');
            if (equals > 0) {
                values.put(line.substring(0, equals), line.substring(equals + 1));
            }
        }
        return values;
    }

    static Witness decode(byte[] bytes) {
        Map<String, String> values = valuesOf(bytes);
        String spare = values.getOrDefault("spare", "");
        String main = values.getOrDefault("main", "");
        try {
            if (VERSION.equals(values.get(VERSION_KEY))) {
                return new Witness(
                        UUID.fromString(values.getOrDefault("pair", "")),
                        Long.parseLong(values.getOrDefault("generation", "")),
                        Long.parseLong(values.getOrDefault("mapped-units", "0")),
                        spare,
                        main,
                        decodeStop(values),
                        Optional.ofNullable(values.get(SESSION_KEY)).map(UUID::fromString),
                        false);
            }
        } catch (IllegalArgumentException e) {
            // Not readable: a pair that nobody can show.
        }
        return new Witness(UNKNOWN_PAIR, 0, 0, spare, main, Optional.empty(), Optional.empty(), false);
    }

    private static Optional<Stop> decodeStop(Map<String, String> values) {
        String id = values.get(STOP_KEY);
        String digest = values.getOrDefault(DIGEST_KEY, "");
        if (id == null) {
            return Optional.empty();
        }
        if (id.isEmpty() || digest.isEmpty()) {
            throw new IllegalArgumentException("a stop without its id or its digest");
        }
        return Optional.of(new Stop(HexFormat.fromHexDigitsToLong(id), HexFormat.fromHexDigits(digest)));
    }

    /** What main is waiting for, for messages. */
    String wanted() {
        if (pairUuid.equals(UNKNOWN_PAIR)) {
            return "a spare that cannot be told (its witness is damaged or from a newer version)";
        }
        return "the spare " + Optional.of(spareName).filter(s -> !s.isEmpty()).orElse("of another name") + " (pair "
                + pairUuid + (ofOther ? ", made for " + mainStableId + ", which shares bytes with it" : "") + ")";
    }
}
