package io.remap.core.disk;

import io.remap.api.DiskClient;
import io.remap.api.DiskRequest;

/**
 * How often acknowledged writes of a disk were found lost, and who was told. Each client is told of each loss once, by the
 * first flush or FUA write of it that ends after it; so are all that it had under way then. Somebody who comes later is
 * told of the losses of which nobody was told so far. Thread-safe.
 */
final class Losses {
    /** Of those who say nothing of themselves. */
    private final DiskClient anybody = new DiskClient();

    private long found;
    private long told;

    synchronized void found() {
        found++;
    }

    /** Whose request it is. */
    DiskClient clientOf(DiskRequest request) {
        DiskClient client = request.client == null ? anybody : request.client;
        client.lossesTold.compareAndSet(-1, told());
        return client;
    }

    private synchronized long told() {
        return told;
    }

    /**
     * Whether to tell the client of a loss now: what it asks for has ended.
     *
     * @param toldBefore what it knew when it began
     */
    synchronized boolean tell(DiskClient client, long toldBefore) {
        if (found <= toldBefore) {
            return false;
        }
        client.lossesTold.accumulateAndGet(found, Math::max);
        told = found;
        return true;
    }
}
