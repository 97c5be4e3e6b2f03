package io.remap.api;

/**
 * One request to a {@link Disk}. Preallocated and reused by its owner (a session), who sets the fields, submits it and
 * touches nothing of it until the completion.
 *
 * <p>Not thread-safe: it is handed from owner to disk and back.
 */
public final class DiskRequest {
    /** What to do. */
    public enum Operation {
        READ,
        WRITE,
        FLUSH,
        TRIM,
        WRITE_ZEROES,
        CACHE;

        /** Whether a read-only disk refuses it. */
        public boolean changesData() {
            return this == WRITE || this == TRIM || this == WRITE_ZEROES;
        }
    }

    /** Called when the request has ended. */
    @FunctionalInterface
    public interface Completion {
        /**
         * Called exactly once for each submission, by any thread, also from within {@link Disk#submit}. Must not block.
         * {@link DiskRequest#error} tells how it ended.
         */
        void completed(DiskRequest request);
    }

    private final Completion completion;

    /** Whose request it is, set before the first submission; {@code null}: nobody's in particular. */
    public DiskClient client;

    public Operation operation = Operation.READ;
    /** First byte; any byte, unaligned requests are served. Ignored for FLUSH. */
    public long offsetBytes;
    /** Number of bytes, 0 or more. READ and WRITE: at most the length of {@link #buffer}. Ignored for FLUSH. */
    public long lengthBytes;
    /**
     * Payload of READ (filled) and WRITE (taken), from its byte 0 on; otherwise {@code null}. After the completion of a
     * WRITE, or of a READ that failed, the disk may still hold it, for a transfer that hangs: it is released then, and not
     * used again.
     */
    public IoBuffer buffer;
    /** READ: the payload may come as {@link #pages} instead, since whoever sends it can send them. */
    public boolean pagesWelcome;
    /** Force unit access: durable before the completion. */
    public boolean fua;
    /** WRITE_ZEROES: the space must stay allocated. */
    public boolean keepAllocated;
    /** WRITE_ZEROES: fail with NOT_SUPPORTED rather than write zeros at the speed of a write. */
    public boolean fastOnly;

    /** READ: the whole payload, instead of {@link #buffer}, whose content is then undefined; the owner's to release. */
    public PagePipe pages;
    /** Result, set before the completion. */
    public DiskError error = DiskError.NONE;
    /** Where {@link #error} is not NONE: the first byte that failed, or -1 if no single place did. */
    public long errorOffsetBytes = -1;

    /** The disk's own state for the request, kept here so that nothing is allocated per request. */
    public Object diskContext;

    public DiskRequest(Completion completion) {
        this.completion = completion;
    }

    /** Ends the request; called by the disk only. */
    public void complete(DiskError outcome, long firstFailedByte) {
        error = outcome;
        errorOffsetBytes = firstFailedByte;
        completion.completed(this);
    }
}
