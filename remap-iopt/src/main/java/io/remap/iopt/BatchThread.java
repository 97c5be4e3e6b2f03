package io.remap.iopt;

/**
 * A thread that completes requests in batches. What the end of a request calls for is done once, at the end of the batch,
 * so that replies leave together.
 */
interface BatchThread {
    /**
     * Has something done at the end of the batch of this thread, which is the calling one; the same object several times is
     * done once. It must not block, and may be run by another thread if this one is held up.
     *
     * @return {@code false} if there is no batch, or too much to do at its end: the caller sees to it otherwise
     */
    boolean atBatchEnd(Runnable task);

    /** The same for whatever thread is calling. */
    static boolean atBatchEndOfThisThread(Runnable task) {
        return Thread.currentThread() instanceof BatchThread thread && thread.atBatchEnd(task);
    }
}
