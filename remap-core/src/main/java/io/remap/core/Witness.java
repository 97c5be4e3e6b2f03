package io.remap.core;

import io.remap.api.spi.PairIdentity;
import java.nio.charset.StandardCharsets;
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
 */
record Witness(UUID pairUuid, long generation, long mappedUnits, String spareName, String mainStableId) {
    static final UUID UNKNOWN_PAIR = new UUID(0, 0);

    private static final String VERSION_KEY = "remap-witness";
    private static final String VERSION = "1";

    /** Longest name that is kept, so that a note fits into an extended attribute. */
    private static final int MAX_NAME_CHARS = 300;

    static Witness of(PairIdentity pair, long generation, long mappedUnits, String spareName) {
        return new Witness(pair.pairUuid(), generation, mappedUnits, spareName, pair.mainStableId());
    }

    boolean isOf(PairIdentity pair) {
        return pairUuid.equals(pair.pairUuid());
    }

    byte[] encode() {
        String text =
                VERSION_KEY + "=" + VERSION + "\npair=" + pairUuid + "\ngeneration=" + generation + "\nmapped-units="
                        + mappedUnits + "\nspare=" + oneLine(spareName) + "\nmain=" + oneLine(mainStableId) + "\n";
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String oneLine(String name) {
        String clean = name.replaceAll("\\p{Cntrl}", "?");
        return clean.length() <= MAX_NAME_CHARS ? clean : clean.substring(clean.length() - MAX_NAME_CHARS);
    }

    static Witness decode(byte[] bytes) {
        Map<String, String> values = new LinkedHashMap<>();
        for (String line : new String(bytes, StandardCharsets.UTF_8).split("\n", -1)) {
            int equals = line.indexOf('=');
            if (equals > 0) {
                values.put(line.substring(0, equals), line.substring(equals + 1));
            }
        }
        String spare = values.getOrDefault("spare", "");
        String main = values.getOrDefault("main", "");
        try {
            if (VERSION.equals(values.get(VERSION_KEY))) {
                return new Witness(
                        UUID.fromString(values.getOrDefault("pair", "")),
                        Long.parseLong(values.getOrDefault("generation", "")),
                        Long.parseLong(values.getOrDefault("mapped-units", "0")),
                        spare,
                        main);
            }
        } catch (IllegalArgumentException e) {
            // Not readable: a pair that nobody can show.
        }
        return new Witness(UNKNOWN_PAIR, 0, 0, spare, main);
    }

    /** What main is waiting for, for messages. */
    String wanted() {
        if (pairUuid.equals(UNKNOWN_PAIR)) {
            return "a spare that cannot be told (its witness is damaged or from a newer version)";
        }
        return "the spare " + Optional.of(spareName).filter(s -> !s.isEmpty()).orElse("of another name") + " (pair "
                + pairUuid + ")";
    }
}
