package io.remap.core;

import io.remap.api.Attribute;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.Scheduler;
import io.remap.api.spi.Feature;
import io.remap.api.spi.FeatureCommand;
import io.remap.api.spi.Provider;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The life of one optional feature: it may be absent, start late, fail or hang, and nobody else suffers from it.
 *
 * <p>Invariants: a product that was opened is closed exactly once, also if it came after the close; the module is never
 * called under the lock. Thread-safe.
 */
final class FeatureTracker {
    /** Opens the product of a provider. */
    @FunctionalInterface
    interface Opener<P extends Provider> {
        Feature open(P provider) throws Exception;
    }

    private static final Logger LOG = LoggerFactory.getLogger(FeatureTracker.class);

    private final String owner;
    private final String name;
    private final Scheduler scheduler;
    private final long waitMillis;
    private final CountDownLatch settled = new CountDownLatch(1);

    // Guarded by this.
    private FeatureState state = FeatureState.ABSENT;
    private String detail = "";
    private Throwable failure;
    private Feature product;
    private boolean closed;
    private Scheduler.Cancellable timer = () -> {};

    /**
     * A feature that is absent so far.
     *
     * @param owner whose feature it is, for the log
     * @param name as the status shows it
     * @param waitMillis how long its start and its stop are waited for; they go on after that
     */
    FeatureTracker(String owner, String name, Environment environment, long waitMillis) {
        this.owner = owner;
        this.name = name;
        this.scheduler = environment.scheduler();
        this.waitMillis = waitMillis;
    }

    /**
     * Starts it, if there is a provider for it. Does not throw, and does not wait at all for one that starts
     * later.
     *
     * @param wanted name of the provider, {@link ServiceSettings#AUTO} or {@link ServiceSettings#OFF}
     */
    <P extends Provider> void start(
            Providers providers, Class<P> role, String wanted, Opener<P> opener, long delayMillis) {
        if (wanted.equals(ServiceSettings.OFF)) {
            settle(FeatureState.ABSENT, "turned off", null, null);
            return;
        }
        boolean any = wanted.equals(ServiceSettings.AUTO);
        Optional<P> provider = any ? providers.all(role).stream().findFirst() : providers.find(role, wanted);
        if (provider.isEmpty()) {
            FeatureState missing = any ? FeatureState.ABSENT : FeatureState.FAILED;
            settle(missing, any ? "" : "no module provides '" + wanted + "'", null, null);
            return;
        }
        Runnable opening = () -> open(provider.get(), opener);
        synchronized (this) {
            state = FeatureState.STARTING;
            detail = delayMillis == 0 ? "" : delayMillis + " ms after the start";
            if (delayMillis > 0) {
                timer = scheduler.schedule(opening, delayMillis);
                return;
            }
        }
        scheduler.execute(opening);
        try {
            if (!settled.await(waitMillis, TimeUnit.MILLISECONDS)) {
                LOG.warn("{}: {} has not started within {} ms; going on without it", owner, name, waitMillis);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private <P extends Provider> void open(P provider, Opener<P> opener) {
        try {
            settle(FeatureState.STARTED, "", opener.open(provider), null);
        } catch (Exception | LinkageError | OutOfMemoryError e) {
            settle(FeatureState.FAILED, StartStack.reason(e), null, e);
        }
    }

    private void settle(FeatureState outcome, String why, Feature opened, Throwable error) {
        boolean tooLate;
        synchronized (this) {
            tooLate = closed;
            if (!closed) {
                state = outcome;
                detail = why;
                product = opened;
                failure = error;
            }
        }
        settled.countDown();
        if (tooLate && opened != null) {
            opened.close();
        } else if (error instanceof Refusal refusal && refusal.kind() == Refusal.Kind.BUSY) {
            // Whether anything goes on without it is for the owner to say, who asks by refusal().
            LOG.info("{}: {} failed to start: {}", owner, name, why);
        } else if (outcome == FeatureState.FAILED) {
            LOG.warn("{}: {} failed to start, going on without it: {}", owner, name, why);
        }
    }

    /** The refusal with which it failed to start, if it was one of this kind. */
    synchronized Optional<Refusal> refusal(Refusal.Kind kind) {
        return failure instanceof Refusal refusal && refusal.kind() == kind ? Optional.of(refusal) : Optional.empty();
    }

    /** How it stands; a started one tells for itself. */
    FeatureStatus status() {
        Feature current;
        FeatureStatus own;
        synchronized (this) {
            current = product;
            own = FeatureStatus.of(name, state, detail);
        }
        if (current == null) {
            return own;
        }
        try {
            FeatureStatus told = current.status();
            return new FeatureStatus(name, told.state(), told.detail(), told.parts());
        } catch (RuntimeException e) {
            LOG.debug("{}: {} does not tell how it stands", owner, name, e);
            return FeatureStatus.of(name, FeatureState.FAILED, "it does not tell how it stands: " + e);
        }
    }

    List<FeatureCommand> commands() {
        Feature current;
        synchronized (this) {
            current = product;
        }
        return current == null ? List.of() : current.commands();
    }

    List<Attribute> attributes() {
        Feature current;
        synchronized (this) {
            current = product;
        }
        return current == null ? List.of() : current.attributes();
    }

    /** Stops it, if it was started. Idempotent. */
    void close() throws Exception {
        Feature last;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            last = product;
            product = null;
            timer.cancel();
            if (state == FeatureState.STARTED || state == FeatureState.STARTING) {
                state = FeatureState.STOPPED;
                detail = "";
            }
        }
        if (last != null) {
            Bounded.call(
                    scheduler,
                    waitMillis,
                    () -> {
                        last.close();
                        return true;
                    },
                    ignored -> LOG.info("{}: {} has stopped now", owner, name));
        }
    }
}
