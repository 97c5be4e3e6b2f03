package io.remap.api;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Who sends requests to a {@link Disk}: a connection. A disk that finds out that it has lost acknowledged writes owes this
 * to the next FLUSH or FUA write of each client, and keeps here what it has told. One disk only; thread-safe.
 */
public final class DiskClient {
    /** The disk's: how many losses this client was told of; negative before its first request. */
    public final AtomicLong lossesTold = new AtomicLong(-1);

    /** Somebody who has sent no request so far. */
    public DiskClient() {}
}
