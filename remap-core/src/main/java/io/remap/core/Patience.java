package io.remap.core;

import io.remap.api.Refusal;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Waits for what was started and goes on by itself, for a limited time. What is waited for is never broken off: it
 * goes on when nobody waits any longer, and who gives up says so.
 */
final class Patience {
    /** So long a command waits for what it has started; shorter than the patience of its client. */
    static final long COMMAND_MILLIS = 590_000;

    private Patience() {}

    /** What there is to say, or else to answer, when the time is over. */
    @FunctionalInterface
    interface Late<T> {
        T after(TimeoutException time) throws Refusal;
    }

    /**
     * How it ended; a refusal as of a device that failed if that is not known in time.
     *
     * @param late what there is to say then
     */
    static <T> T await(CompletableFuture<T> ended, long millis, String late, String goesOn) throws Refusal {
        return await(
                ended,
                millis,
                e -> {
                    throw new Refusal(Refusal.Kind.DEVICE_FAILED, late, e);
                },
                goesOn);
    }

    /**
     * How it ended.
     *
     * @param ended completed with the result, or with a {@link Refusal}, by whoever does it
     * @param goesOn what goes on if this thread is told to wait no longer
     */
    static <T> T await(CompletableFuture<T> ended, long millis, Late<T> late, String goesOn) throws Refusal {
        try {
            return ended.get(millis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            return late.after(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Refusal(Refusal.Kind.BUSY, "interrupted; " + goesOn, e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Refusal refusal) {
                throw refusal;
            }
            throw new IllegalStateException("a failure is a result or a refusal here", e);
        }
    }
}
