package io.remap.api;

/**
 * Linux error numbers that storage produces, and the one table that gives them a class.
 *
 * <p>Source: {@code blk_errors} of the Linux block layer and {@code errno(3)}; the numbers are those of the generic
 * Linux ABI (x86-64, aarch64).
 */
public final class Errno {
    public static final int NONE = 0;
    public static final int EPERM = 1;
    public static final int ENOENT = 2;
    public static final int EINTR = 4;
    public static final int EIO = 5;
    public static final int ENXIO = 6;
    public static final int EBADF = 9;
    public static final int EAGAIN = 11;
    public static final int ENOMEM = 12;
    public static final int EACCES = 13;
    public static final int EFAULT = 14;
    public static final int EBUSY = 16;
    public static final int EEXIST = 17;
    public static final int ENODEV = 19;
    public static final int ENOTDIR = 20;
    public static final int EISDIR = 21;
    public static final int EINVAL = 22;
    public static final int ENFILE = 23;
    public static final int EMFILE = 24;
    public static final int ENOTTY = 25;
    public static final int EFBIG = 27;
    public static final int ENOSPC = 28;
    public static final int EROFS = 30;
    public static final int ENOSYS = 38;
    public static final int EBADE = 52;
    public static final int ENODATA = 61;
    public static final int ETIME = 62;
    public static final int ENOLINK = 67;
    public static final int EILSEQ = 84;
    public static final int EOPNOTSUPP = 95;
    public static final int ETIMEDOUT = 110;
    public static final int EREMOTEIO = 121;
    public static final int EDQUOT = 122;
    public static final int ECANCELED = 125;

    private Errno() {}

    /** The class of an error number; an unknown one is {@link ErrorClass#UNKNOWN}. */
    public static ErrorClass classify(int errno) {
        return switch (errno) {
            case ENODATA, EILSEQ -> ErrorClass.SECTOR;
            case EIO -> ErrorClass.SECTOR_OR_DEVICE;
            case EREMOTEIO -> ErrorClass.TARGET;
            case ETIMEDOUT, ETIME -> ErrorClass.SLOW;
            case ENOLINK -> ErrorClass.LINK;
            case ENODEV, ENXIO -> ErrorClass.GONE;
            case EBADE -> ErrorClass.RESERVED;
            case ENOSPC, EDQUOT, EFBIG -> ErrorClass.NO_SPACE;
            case ENOMEM, EBUSY, EAGAIN, EINTR, EMFILE, ENFILE, ECANCELED -> ErrorClass.HOST;
            case EROFS, EPERM, EACCES -> ErrorClass.READ_ONLY;
            case EINVAL, EBADF, EFAULT -> ErrorClass.INTERNAL;
            default -> ErrorClass.UNKNOWN;
        };
    }

    /** The symbolic name of an error number, {@code errno N} where it has none here. */
    public static String name(int errno) {
        return switch (errno) {
            case NONE -> "no errno";
            case EPERM -> "EPERM";
            case ENOENT -> "ENOENT";
            case EINTR -> "EINTR";
            case EIO -> "EIO";
            case ENXIO -> "ENXIO";
            case EBADF -> "EBADF";
            case EAGAIN -> "EAGAIN";
            case ENOMEM -> "ENOMEM";
            case EACCES -> "EACCES";
            case EFAULT -> "EFAULT";
            case EBUSY -> "EBUSY";
            case EEXIST -> "EEXIST";
            case ENODEV -> "ENODEV";
            case ENOTDIR -> "ENOTDIR";
            case EISDIR -> "EISDIR";
            case EINVAL -> "EINVAL";
            case ENFILE -> "ENFILE";
            case EMFILE -> "EMFILE";
            case ENOTTY -> "ENOTTY";
            case EFBIG -> "EFBIG";
            case ENOSPC -> "ENOSPC";
            case EROFS -> "EROFS";
            case ENOSYS -> "ENOSYS";
            case EBADE -> "EBADE";
            case ENODATA -> "ENODATA";
            case ETIME -> "ETIME";
            case ENOLINK -> "ENOLINK";
            case EILSEQ -> "EILSEQ";
            case EOPNOTSUPP -> "EOPNOTSUPP";
            case ETIMEDOUT -> "ETIMEDOUT";
            case EREMOTEIO -> "EREMOTEIO";
            case EDQUOT -> "EDQUOT";
            case ECANCELED -> "ECANCELED";
            default -> "errno " + errno;
        };
    }
}
