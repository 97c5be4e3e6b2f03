package io.remap.core;

import io.remap.api.DeviceIdentity;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;

/**
 * Where the bytes of a main lie, as it stands in a witness that is kept as a file: so that the note for a disk is found
 * when a partition of it is served, and the other way round.
 *
 * <p>Lines {@code key=value} after those of the {@link Witness}, which programs that know none of them skip; a note without
 * them (from an earlier program) is found for exactly its main only, and has them from the next start on.
 *
 * @param backing what holds the bytes, by a name that survives a reboot
 * @param startBytes first byte there
 * @param lengthBytes length
 */
record WitnessPlace(String backing, long startBytes, long lengthBytes) {
    private static final String BACKING_KEY = "backing";
    private static final String START_KEY = "start-bytes";
    private static final String LENGTH_KEY = "length-bytes";

    static WitnessPlace of(DeviceIdentity main) {
        return new WitnessPlace(oneLine(main.backingStableId()), main.startBytes(), main.lengthBytes());
    }

    /** A path may contain anything. */
    private static String oneLine(String name) {
        return name.replaceAll("\\p{Cntrl}", "?");
    }

    /** Of the identity and not of the name: device names change from boot to boot. */
    static String fileName(DeviceIdentity main) {
        String key = main.stableId() + "\n" + main.startBytes() + "\n" + main.lengthBytes();
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    byte[] encode() {
        return (BACKING_KEY + "=" + backing + "\n" + START_KEY + "=" + startBytes + "\n" + LENGTH_KEY + "="
                        + lengthBytes + "\n")
                .getBytes(StandardCharsets.UTF_8);
    }

    /** Of a note, empty if it says nothing, or nothing that can be read. */
    static Optional<WitnessPlace> decode(byte[] note) {
        Map<String, String> values = Witness.valuesOf(note);
        try {
            return Optional.ofNullable(values.get(BACKING_KEY))
                    .map(backing -> new WitnessPlace(
                            backing,
                            Long.parseLong(values.getOrDefault(START_KEY, "")),
                            Long.parseLong(values.getOrDefault(LENGTH_KEY, ""))));
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }

    boolean overlaps(WitnessPlace other) {
        return backing.equals(other.backing)
                && startBytes < other.startBytes + other.lengthBytes
                && other.startBytes < startBytes + lengthBytes;
    }
}
