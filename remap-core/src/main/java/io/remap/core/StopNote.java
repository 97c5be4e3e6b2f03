package io.remap.core;

import io.remap.core.disk.Saved;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;

/**
 * What the spare says of the last stop, in the section {@value #SECTION} of what is saved on it; the witness of main says the
 * same, and {@link LastStop} compares. Lines {@code key=value}; an older program drops the section.
 *
 * <p>Thread-safe: written once at the start and once at the stop, read by saves.
 */
final class StopNote implements Saved {
    static final String SECTION = "stop";

    /**
     * A note as it was found.
     *
     * @param id of the clean stop, as the witness has it; 0 while the pair is open
     * @param generation in force when it was saved
     * @param unwitnessedId of the stop that a witness still tells of although the pair was opened since, because it could not
     *     be written; 0 if there is none
     */
    record Found(long id, long generation, long unwitnessedId) {}

    private final long unwitnessedId;
    private volatile Found now;

    /** @param unwitnessedId see {@link Found} */
    StopNote(long unwitnessedId) {
        this.unwitnessedId = unwitnessedId;
        this.now = new Found(0, 0, unwitnessedId);
    }

    /** The last save before the stop says this. */
    void stopping(long id, long generation) {
        now = new Found(id, generation, unwitnessedId);
    }

    /** Of the stop that {@link #stopping} announced, 0 before. */
    long id() {
        return now.id;
    }

    @Override
    public String section() {
        return SECTION;
    }

    @Override
    public byte[] save() {
        Found saved = now;
        HexFormat hex = HexFormat.of();
        String text = "id=" + hex.toHexDigits(saved.id) + "\ngeneration=" + saved.generation + "\nunwitnessed="
                + hex.toHexDigits(saved.unwitnessedId) + "\n";
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** What was saved was looked at before the pair was opened. */
    @Override
    public void restore(byte[] saved) {}

    /** The note among sections, empty if there is none or it is of a later version. */
    static Optional<Found> find(Map<String, byte[]> sections) {
        byte[] saved = sections.get(SECTION);
        if (saved == null) {
            return Optional.empty();
        }
        Map<String, String> values = Witness.valuesOf(saved);
        try {
            return Optional.of(new Found(
                    HexFormat.fromHexDigitsToLong(values.getOrDefault("id", "")),
                    Long.parseLong(values.getOrDefault("generation", "")),
                    HexFormat.fromHexDigitsToLong(values.getOrDefault("unwitnessed", ""))));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }
}
