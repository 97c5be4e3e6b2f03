package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.SpareOwner;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Two hosts, one spare: whether this host may open it. On one host the locks of the operating system decide; of another host
 * they know nothing. There what stands on the spare decides: who opened it last, and whether that server was stopped in order.
 *
 * <p>A server that stands still owns what it owns. Nothing is taken over but by explicit command, and not from a server that
 * gives signs of life; see {@link Lease}.
 */
final class Ownership {
    private static final Logger LOG = LoggerFactory.getLogger(Ownership.class);

    private final MetadataProvider metadata;
    private final BlockDevice spare;
    private final Environment environment;

    private Ownership(MetadataProvider metadata, BlockDevice spare, Environment environment) {
        this.metadata = metadata;
        this.spare = spare;
        this.environment = environment;
    }

    /**
     * Refuses a spare that another host may be serving. Writes nothing.
     *
     * @param takeOver the user says that the other one does not run any more; waits until it has missed its heartbeats, if it
     *     has some
     * @return what the user should know; empty if nobody else had the spare
     * @throws Refusal {@link Refusal.Kind#BUSY}
     */
    static Optional<String> require(
            MetadataProvider metadata, BlockDevice spare, Environment environment, boolean takeOver)
            throws Refusal, DeviceException {
        return new Ownership(metadata, spare, environment).require(takeOver);
    }

    private Optional<String> require(boolean takeOver) throws Refusal, DeviceException {
        Optional<SpareOwner> owner = foreignOwner();
        if (owner.isEmpty()) {
            return Optional.empty();
        }
        String who = "host '" + owner.get().host() + "'";
        if (!takeOver) {
            throw new Refusal(
                    Refusal.Kind.BUSY,
                    spare.name() + ": " + who
                            + " opened this spare last and has not stopped it in order: it may be serving"
                            + " it still, or it crashed. Stop it there; or, if it is certain that it does not run any more:"
                            + " 'remap serve' with --take-over");
        }
        OptionalLong beatMillis = Lease.beatMillisOf(owner.get().saved());
        if (beatMillis.isEmpty()) {
            return Optional.of(
                    "taken over from " + who + ", which had no heartbeats: whether it still runs could not be told");
        }
        LOG.info("{}: waits for a sign of life of {}", spare.name(), who);
        return Optional.of(
                isSilent(owner.get(), who, beatMillis.getAsLong())
                        ? "taken over from " + who + ", which has missed " + Lease.SILENT_BEATS + " heartbeats"
                        : who + " has stopped in order while this one waited for it");
    }

    private Optional<SpareOwner> foreignOwner() throws Refusal, DeviceException {
        return environment.host().isKnown()
                ? metadata.owner(spare)
                        .filter(owner -> !owner.stopped() && owner.host().isOther(environment.host()))
                : Optional.empty();
    }

    /** Waits; {@code false}: it has stopped in order meanwhile. */
    private boolean isSilent(SpareOwner silent, String who, long beatMillis) throws Refusal, DeviceException {
        for (int missed = 0; missed < Lease.SILENT_BEATS; missed++) {
            pause(beatMillis);
            Optional<SpareOwner> now = foreignOwner();
            if (now.isEmpty()) {
                return false;
            }
            if (!now.get().session().equals(silent.session()) || now.get().saves() != silent.saves()) {
                throw new Refusal(
                        Refusal.Kind.BUSY,
                        spare.name() + ": " + who + " is alive: it has written a heartbeat after " + missed
                                + " that it missed. Stop it there");
            }
        }
        return true;
    }

    private void pause(long millis) throws Refusal {
        CountDownLatch over = new CountDownLatch(1);
        environment.scheduler().schedule(over::countDown, millis);
        try {
            over.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new Refusal(Refusal.Kind.BUSY, spare.name() + ": the taking over was interrupted", e);
        }
    }
}
