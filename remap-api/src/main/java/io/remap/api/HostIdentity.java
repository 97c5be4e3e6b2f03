package io.remap.api;

import java.util.UUID;

/**
 * Which host this is, for those who share a device with other hosts.
 *
 * @param id the same over restarts, and no other host's; zero if it is not known
 * @param name for people; empty if it is not known
 */
public record HostIdentity(UUID id, String name) {
    /** Nothing is known. */
    public static final HostIdentity UNKNOWN = new HostIdentity(new UUID(0, 0), "");

    /** Whether it can be told from others. */
    public boolean isKnown() {
        return !id.equals(UNKNOWN.id);
    }

    /** Whether the two are different hosts for certain. */
    public boolean isOther(HostIdentity host) {
        return isKnown() && host.isKnown() && !id.equals(host.id);
    }

    @Override
    public String toString() {
        return name.isEmpty() ? id.toString() : name;
    }
}
