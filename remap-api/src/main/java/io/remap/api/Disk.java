package io.remap.api;

/** A virtual disk that frontends serve. */
public interface Disk {
    /** The name under which it is known, 1 to 255 characters. */
    String name();

    /** What is fixed about it; the same object on every call. */
    DiskTraits traits();

    /** Whether it takes writes at this moment: one that can be written may come to refuse them, as its medium does. */
    default boolean takesWrites() {
        return !traits().readOnly();
    }

    /**
     * Starts a request. Its completion is called exactly once.
     *
     * <p>Never waits for another request. It may execute the transfer itself on the calling thread, depending on the
     * I/O engine; a caller that must not block at all (an event loop) runs with an engine that hands over.
     *
     * <p>A request beyond the end, or one that the disk does not allow, is completed with an error. A FLUSH covers every
     * request completed before it was submitted, whoever submitted it.
     */
    void submit(DiskRequest request);
}
