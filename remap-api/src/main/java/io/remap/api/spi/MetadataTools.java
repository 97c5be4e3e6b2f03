package io.remap.api.spi;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import java.util.Map;

/**
 * What a provider offers to see and mend the metadata of a spare that nobody serves. The device is the caller's, as in
 * {@link MetadataProvider}. Thread-safe; an error of the device as a whole is a {@link DeviceException}, unreadable sectors
 * are findings.
 */
public interface MetadataTools {
    /** How much is read. */
    enum Level {
        /** Superblocks and headers. */
        QUICK,
        /** Also every block of the table and the log in force, in both copies, and whether what they say can be. */
        STANDARD
    }

    /**
     * Takes what stands on a spare, piece by piece, so that a million entries need not be held.
     */
    @FunctionalInterface
    interface DumpSink {
        /**
         * One piece.
         *
         * @param kind {@code superblocks}, {@code headers}, {@code members}, {@code log}, {@code entries}, {@code badSlots},
         *     {@code sealedRegions} or {@code doubts} (why a mapping may be missing); those of a kind come one after the
         *     other, the kinds in this order
         * @param values strings, numbers and booleans by name; valid during the call
         */
        void piece(String kind, Map<String, Object> values);
    }

    /**
     * Reads what the level asks for (of a further spare always all that it says of itself), and says what is damaged. Writes nothing.
     *
     * @throws Refusal {@link Refusal.Kind#WRONG_DEVICE} if it is no spare, {@link Refusal.Kind#DAMAGED} if it is one of a
     *     newer format
     */
    MetadataReport check(BlockDevice spare, Level level) throws Refusal, DeviceException;

    /**
     * As {@link #check}, of a spare of a pair whose table is in force on another one: that the table on it cannot be loaded
     * for certain is a note only, as the next opening of that one for writing writes it anew.
     */
    MetadataReport checkBeside(BlockDevice spare) throws Refusal, DeviceException;

    /**
     * Writes what is damaged anew, from the copies that are whole: missing superblocks, and the present table as a new
     * generation in both arenas; of a further spare its stamps, too. Whether the last stop was in order stays recorded as it was.
     *
     * @return a check of what stands there now
     * @throws Refusal {@link Refusal.Kind#DAMAGED}, before anything was written, if it is not certain what the mappings are
     */
    MetadataReport repair(BlockDevice spare, Environment environment) throws Refusal, DeviceException;

    /**
     * How many slots a spare has.
     *
     * @param before it was grown
     * @param now what it has now; as many as before if there was no more room
     * @param mappingLimit most entries of the table; 0 of a further spare
     */
    record Grown(long before, long now, long mappingLimit) {}

    /**
     * Makes slots of the room that a spare has behind the end that it was formatted with, as one transaction: a crash at any
     * moment leaves it with the former or the new slots, and what stands on it where it is. A further spare has more once it is
     * stated, which the next opening for writing does.
     *
     * @throws Refusal {@link Refusal.Kind#WRONG_DEVICE} if it is no spare, {@link Refusal.Kind#DAMAGED} if it has to be
     *     repaired or upgraded first
     */
    Grown grow(BlockDevice spare) throws Refusal, DeviceException;

    /**
     * Shows all that is in force: superblocks, headers, the spares of the pair, the records of the log, and the entries that they and the table
     * result in. Writes nothing.
     *
     * @throws Refusal {@link Refusal.Kind#DAMAGED} if the table cannot be read, {@link Refusal.Kind#WRONG_DEVICE} if it is
     *     no spare
     */
    void dump(BlockDevice spare, DumpSink sink) throws Refusal, DeviceException;
}
