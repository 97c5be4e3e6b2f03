package io.remap.api.spi;

import io.remap.api.Refusal;

/**
 * The copies that an open store keeps of its table: how they stand, reading them again, writing them anew. Everything
 * happens beside the commits, which never wait for a copy to be read. Thread-safe.
 */
public interface MetadataCopies {
    /**
     * How the copies stood when they were last read or written.
     *
     * @param copies copies of the table that are kept
     * @param copiesValid those that were whole
     * @param superblocks superblocks that are kept
     * @param superblocksValid those that were whole
     * @param verifiedMillis when that was, milliseconds since 1970
     * @param savedMillis when the last change of the table became durable, or the table was last written
     * @param verifications how often the copies were read since the start
     * @param repairs how often something was written anew then
     */
    record State(
            int copies,
            int copiesValid,
            int superblocks,
            int superblocksValid,
            long verifiedMillis,
            long savedMillis,
            long verifications,
            long repairs) {}

    /** Told how a verification or a rewriting ended. */
    @FunctionalInterface
    interface Listener {
        /**
         * Called once, on a task of the scheduler. Must not block.
         *
         * @param report what was found, before anything was repaired; {@code null} if it did not come to that
         * @param refusal why not, or why what is damaged was not repaired; {@code null} if all went well
         */
        void ended(MetadataReport report, Refusal refusal);
    }

    /** How they stand; does not block. */
    State state();

    /**
     * Reads every copy in force, in small steps, with other work between.
     *
     * @param repair writes what is damaged anew from what is known
     */
    void verify(boolean repair, Listener listener);

    /** Waits for the commits so far, then states the table anew, in a new generation that is read back in both copies. */
    void rewrite(Listener listener);
}
