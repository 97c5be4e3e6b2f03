package io.remap.api;

/** Ability of a device that is a whole regular file: when its content was changed last, by anybody. */
public interface ModificationTime {
    /** Nanoseconds since 1970, as the file system keeps them; its clock ticks in milliseconds. */
    long modifiedNanos() throws DeviceException;
}
