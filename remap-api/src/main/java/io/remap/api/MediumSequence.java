package io.remap.api;

import java.util.OptionalLong;

/**
 * Ability of a {@link BlockDevice} whose medium can become another one under the same name: a card that is exchanged, a
 * device that is set up anew. Thread-safe.
 */
public interface MediumSequence {
    /**
     * A number that another medium does not have on this start of the machine; empty if it is not known now, as while the
     * device is away. Asks the kernel, and not the device.
     *
     * <p>Source: {@code diskseq} in Documentation/ABI/stable/sysfs-block of the kernel (since 5.15).
     */
    OptionalLong current();
}
