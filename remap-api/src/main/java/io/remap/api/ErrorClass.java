package io.remap.api;

/**
 * What an error of a device means for the data path. The class, never the errno, decides the reaction.
 *
 * <p>Only {@link #mayBeSector()} classes may ever lead to a remapping, and of those only {@link #SECTOR} without asking
 * whether the device as a whole is alive.
 */
public enum ErrorClass {
    /** The medium failed at this place: ENODATA, EILSEQ. */
    SECTOR(true),
    /** A bad place or a bad device; a canary read tells which: EIO. */
    SECTOR_OR_DEVICE(true),
    /** The drive refused the command or has a hardware error; a device fault until a canary reads: EREMOTEIO. */
    TARGET(true),
    /** The device did not answer in its time: ETIMEDOUT, ETIME. */
    SLOW(false),
    /** The way to the device is cut: ENOLINK. */
    LINK(false),
    /** The device is not there any more: ENODEV, ENXIO. */
    GONE(false),
    /** Somebody else holds a reservation on the device: EBADE. */
    RESERVED(false),
    /** What lies under the device is full: ENOSPC, EDQUOT, EFBIG. */
    NO_SPACE(false),
    /** The host is short of something for the moment: ENOMEM, EBUSY, EAGAIN, EINTR, EMFILE, ENFILE, ECANCELED. */
    HOST(false),
    /** The device refuses writes: EROFS, EPERM, EACCES. */
    READ_ONLY(false),
    /** Our own mistake or limit: EINVAL, EBADF, EFAULT; never the medium's. */
    INTERNAL(false),
    /** An errno without an entry in the table, or a short transfer: a device fault, never a sector. */
    UNKNOWN(false);

    private final boolean mayBeSector;

    ErrorClass(boolean mayBeSector) {
        this.mayBeSector = mayBeSector;
    }

    /** Whether an error of this class can mean that single sectors are bad. */
    public boolean mayBeSector() {
        return mayBeSector;
    }
}
