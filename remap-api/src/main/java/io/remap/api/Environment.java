package io.remap.api;

import java.util.UUID;
import java.util.random.RandomGenerator;

/**
 * What logic must not take from the platform by itself: time, threads, randomness, and who we are.
 *
 * @param time the clocks
 * @param scheduler where continuations and timers run
 * @param random for identifiers, nonces and sampling; thread-safe
 * @param host where this runs
 */
public record Environment(TimeSource time, Scheduler scheduler, RandomGenerator random, HostIdentity host) {
    /** On a host of which nothing is known. */
    public Environment(TimeSource time, Scheduler scheduler, RandomGenerator random) {
        this(time, scheduler, random, HostIdentity.UNKNOWN);
    }

    /** An id that nothing else has. */
    public UUID newUuid() {
        return new UUID(random.nextLong(), random.nextLong());
    }

    /** The same on, or in the name of, another host. */
    public Environment on(HostIdentity other) {
        return new Environment(time, scheduler, random, other);
    }
}
