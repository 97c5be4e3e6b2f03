package io.remap.core.device;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.Refusal;

/** What is said when a file or device cannot be opened: what is wrong, and what to do next. */
final class FileRefusals {
    private static final int ETXTBSY = 26;
    private static final int ENAMETOOLONG = 36;
    private static final int ELOOP = 40;
    private static final int ENOMEDIUM = 123;

    private FileRefusals() {}

    static Refusal environment(String message) {
        return new Refusal(Refusal.Kind.ENVIRONMENT, message);
    }

    static Refusal usage(String message) {
        return new Refusal(Refusal.Kind.USAGE, message);
    }

    static Refusal busy(String message) {
        return new Refusal(Refusal.Kind.BUSY, message);
    }

    static Refusal missing(String path) {
        return environment(path + ": no such file or device; check the path");
    }

    /** The device answered with an error that is the device's own: {@link DeviceException}; everything else is refused. */
    static Refusal ofOpen(String path, boolean readOnly, int errno) throws DeviceException {
        return switch (errno) {
            case Errno.ENOENT, Errno.ENOTDIR -> missing(path);
            case Errno.EACCES, Errno.EPERM ->
                environment(path + ": no permission to open it for "
                        + (readOnly ? "reading" : "reading and writing")
                        + "; run this as root or as a user who may");
            case Errno.EROFS -> environment(path + " is on a read-only file system; remount it, or open it read-only");
            case Errno.EISDIR -> directory(path);
            case ETXTBSY, Errno.EBUSY -> busy(path + " is in use by the system (a running program, or swap)");
            case Errno.EMFILE, Errno.ENFILE ->
                environment(
                        path + ": too many open files (" + Errno.name(errno) + "); raise the limit with 'ulimit -n'");
            case Errno.ENXIO, Errno.ENODEV, ENOMEDIUM ->
                environment(path + ": there is no device or no medium behind it (" + Errno.name(errno)
                        + "); attach it first");
            case ELOOP, ENAMETOOLONG -> usage(path + ": the path is too long, or a circle of links");
            default -> throw new DeviceException(path, "open", 0, 0, errno);
        };
    }

    static Refusal directory(String path) {
        return usage(path + " is a directory; name an image file or a block device");
    }

    static Refusal special(String path) {
        return usage(path + " is neither a regular file nor a block device");
    }

    static Refusal empty(String path) {
        return usage(path + " is empty (0 bytes); give it a size first, for example 1 GiB: truncate -s 1G FILE");
    }

    static Refusal noMultiple(String path, long sizeBytes, int sectorBytes) {
        long whole = sizeBytes / sectorBytes * sectorBytes;
        return usage(path + ": its size of " + sizeBytes + " bytes is no multiple of the sector size " + sectorBytes
                + (whole == 0 ? "" : "; take the first " + whole + " bytes with '?length=" + whole + "'")
                + (sectorBytes > 512 && sizeBytes % 512 == 0 ? ", or use 512-byte sectors" : ""));
    }

    static Refusal noSectorSize(String path, int sectorBytes) {
        return usage(path + ": sector size " + sectorBytes + " is not 512, 1024, 2048 or 4096");
    }

    static Refusal noDirect(String path, String why) {
        return usage(path + ": direct I/O is not possible here (" + why + "); use --buffered");
    }
}
