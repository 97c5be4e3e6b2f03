package io.remap.core;

import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/** Calls into optional modules, which may hang: on another thread, waited for only so long, never interrupted. */
final class Bounded {
    private Bounded() {}

    /**
     * Calls and waits.
     *
     * @param tooLate takes the result of a call that ended after the wait was given up
     * @throws TimeoutException if there is no answer in time; the call goes on
     */
    static <T> T call(Executor executor, long timeoutMillis, Callable<T> work, Consumer<T> tooLate) throws Exception {
        CompletableFuture<T> result = new CompletableFuture<>();
        executor.execute(() -> {
            try {
                T value = work.call();
                if (!result.complete(value)) {
                    tooLate.accept(value);
                }
            } catch (Exception | LinkageError | OutOfMemoryError e) {
                result.completeExceptionally(e);
            }
        });
        try {
            return result.get(timeoutMillis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            TimeoutException late = new TimeoutException("no answer within " + timeoutMillis + " ms");
            if (result.completeExceptionally(late)) {
                throw late;
            }
            return result.get();
        } catch (InterruptedException e) {
            result.completeExceptionally(e);
            Thread.currentThread().interrupt();
            throw e;
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }
}
