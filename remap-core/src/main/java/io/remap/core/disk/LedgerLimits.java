package io.remap.core.disk;

/**
 * The ledgers: that of main, and a smaller one of each spare.
 *
 * @param bytes memory of that of main, 64 KiB to 64 MiB; each 64 of them stand for 4096 bytes that were written and not
 *     flushed
 * @param flushDeadlineMillis how long a flush waits for a verification
 * @param files where they outlive the process
 */
public record LedgerLimits(long bytes, long flushDeadlineMillis, LedgerFiles files) {
    /** For ledgers that end with the process. */
    public LedgerLimits(long bytes, long flushDeadlineMillis) {
        this(bytes, flushDeadlineMillis, LedgerFiles.none("nobody asked for more"));
    }

    /** The same in files. */
    public LedgerLimits in(LedgerFiles newFiles) {
        return new LedgerLimits(bytes, flushDeadlineMillis, newFiles);
    }

    /** As the settings have it if nobody chose anything. */
    public static final LedgerLimits USUAL = new LedgerLimits(8 << 20, 20_000);

    /** Few writes go to slots. */
    LedgerLimits ofSpare() {
        return new LedgerLimits(Math.max(Ledger.MIN_BYTES, bytes / 8), flushDeadlineMillis, files);
    }
}
