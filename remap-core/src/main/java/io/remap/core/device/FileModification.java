package io.remap.core.device;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.ErrorClass;
import io.remap.api.ModificationTime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * The mtime of an open file. Its extended attributes do not change it.
 *
 * @param fd the descriptor of the file, one of those of the handle
 * @param name for messages
 */
record FileModification(FileHandle handle, int fd, String name) implements ModificationTime {
    @Override
    public long modifiedNanos() throws DeviceException {
        handle.enter();
        try {
            return Files.getLastModifiedTime(Path.of("/proc/self/fd/" + fd)).to(TimeUnit.NANOSECONDS);
        } catch (IOException e) {
            throw new DeviceException(
                    name, "stat", 0, 0, Errno.NONE, ErrorClass.HOST, "its mtime cannot be read: " + e.getMessage(), e);
        } finally {
            handle.leave();
        }
    }
}
