package io.remap.metadata;

import java.util.UUID;

/**
 * One stating of the whole table, and the log that follows it.
 *
 * @param pairUuid the pair
 * @param number grows with every attempt to write one
 * @param nonce random, so that blocks of an attempt that a crash undid are never taken for those of another with the
 *     same number
 */
record Generation(UUID pairUuid, long number, long nonce) {}
