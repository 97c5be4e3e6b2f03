package io.remap.api;

import java.util.random.RandomGenerator;

/**
 * What logic must not take from the platform by itself: time, threads and randomness.
 *
 * @param time the clocks
 * @param scheduler where continuations and timers run
 * @param random for identifiers, nonces and sampling; thread-safe
 */
public record Environment(TimeSource time, Scheduler scheduler, RandomGenerator random) {}
