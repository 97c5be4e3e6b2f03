package io.remap.api;

/** How a request to a {@link Disk} ended. A frontend maps it to the errors of its protocol. */
public enum DiskError {
    NONE,
    /** EIO: unreadable, lost, not redirected, not flushed, or not answered within the deadline. */
    IO,
    /** ENOSPC: a mapping is needed and no slot is free; or a write beyond the end. */
    NO_SPACE,
    /** EPERM: the disk is served read-only. */
    READ_ONLY,
    /** EINVAL: the request makes no sense for this disk. */
    INVALID,
    /** ENOTSUP: a fast zero that would not be fast. */
    NOT_SUPPORTED,
    /** ESHUTDOWN: the disk is stopping, another server has taken it over, or its lease is over. */
    SHUTDOWN
}
