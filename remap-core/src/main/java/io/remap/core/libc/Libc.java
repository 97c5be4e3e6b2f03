package io.remap.core.libc;

import com.kenai.jffi.CallContext;
import com.kenai.jffi.CallingConvention;
import com.kenai.jffi.Invoker;
import com.kenai.jffi.LastError;
import com.kenai.jffi.Library;
import com.kenai.jffi.MemoryIO;
import com.kenai.jffi.Type;
import io.remap.api.Errno;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The C library, bound once: the calls that the JDK does not offer, or offers without the error number.
 *
 * <p>It is bound through jffi, the native layer of jnr-ffi, and not through an interface that jnr-ffi implements by
 * generated classes: a call costs the same (0.8 to 1.1 µs for a 512-byte {@code pread} from the page cache, no
 * allocation), while loading takes a quarter of the time (0.18 s instead of 0.7 to 0.9 s, measured side by side).
 *
 * <p><b>Results</b> are those of the C function, and on failure the negated error number ({@code -Errno.EIO}); callers
 * never see -1. <b>Threads:</b> all methods may be called by many threads at once; the error number is that of the
 * calling thread. <b>Buffers</b> are direct; an address stays valid as long as the caller keeps its buffer reachable.
 *
 * <p>Only Linux on 64-bit x86 and ARM: elsewhere the numbers of flags and {@code ioctl}s differ, and {@link #find} is
 * empty. Sources: the man pages of section 2, {@code linux/fs.h}, {@code linux/falloc.h}, {@code asm-generic/fcntl.h}.
 */
public final class Libc {
    public static final int O_RDONLY = 0;
    public static final int O_RDWR = 2;
    public static final int O_CREAT = 0x40;
    public static final int O_EXCL = 0x80;
    public static final int O_NONBLOCK = 0x800;
    public static final int O_CLOEXEC = 0x80000;

    public static final int FALLOC_FL_KEEP_SIZE = 1;
    public static final int FALLOC_FL_PUNCH_HOLE = 2;
    public static final int FALLOC_FL_ZERO_RANGE = 0x10;

    public static final int LOCK_SH = 1;
    public static final int LOCK_EX = 2;
    public static final int LOCK_NB = 4;

    /** Whether writes are refused; an {@code int}. */
    public static final long BLKROGET = 0x125e;
    /** Logical sector size; an {@code int}. */
    public static final long BLKSSZGET = 0x1268;
    /** Physical sector size; an {@code unsigned int}. */
    public static final long BLKPBSZGET = 0x127b;
    /** Size in bytes; a {@code u64}. */
    public static final long BLKGETSIZE64 = 0x80081272L;
    /** Discards; two {@code u64}: start and length in bytes. */
    public static final long BLKDISCARD = 0x1277;
    /** Writes zeros; two {@code u64}: start and length in bytes. */
    public static final long BLKZEROOUT = 0x127f;

    /** preadv2(2): give what is in memory, and EAGAIN rather than wait for a device. */
    private static final int RWF_NOWAIT = 8;

    /** splice(2): do not wait for room in a pipe. */
    private static final int SPLICE_F_NONBLOCK = 2;

    /** Linux, {@code linux/fcntl.h}. */
    private static final int F_SETPIPE_SZ = 1031;

    private static final Logger LOG = LoggerFactory.getLogger(Libc.class);

    /** Most calls that are repeated because a signal interrupted them; then EINTR is the answer. */
    private static final int MAX_INTERRUPTED_CALLS = 1000;

    /** Stands for a failure without a number (the largest number of Linux), so that no failure looks like success. */
    private static final int NO_ERROR_NUMBER = 4095;

    /** Larger than {@code struct statfs} of any architecture here. */
    private static final int STATFS_BYTES = 256;

    private static final int STATX_BYTES = 256;
    private static final int STATX_DIOALIGN = 0x2000;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int AT_FDCWD = -100;
    private static final int AT_SYMLINK_FOLLOW = 0x400;
    private static final int TMPFILE_WITHOUT_DIRECTORY = 0x400000;

    /** Loads on first use; the class initialisation lock makes every other thread wait for it. */
    private static final class Holder {
        static final Libc LIBC;
        static final String REASON;

        static {
            Libc libc = null;
            String reason = unsupportedPlatform();
            if (reason.isEmpty()) {
                try {
                    libc = new Libc();
                } catch (LinkageError | RuntimeException e) {
                    reason = "the C library could not be bound: " + e;
                    LOG.warn("{}; devices are opened through the channels of the JDK", reason);
                }
            }
            LIBC = libc;
            REASON = reason;
        }
    }

    /** What a call takes by pointer, an iovec or an offset, in memory of the calling thread: nothing is allocated per call. */
    private static final class Argument {
        /** Of {@code struct iovec}, and more than any other argument needs. */
        static final int IOVEC_BYTES = 16;

        /** And a place behind it, for what nobody wants to read. */
        private static final int BYTES = 2 * IOVEC_BYTES;

        final ByteBuffer memory = ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder());
        final long address = MemoryIO.getInstance().getDirectBufferAddress(memory);
    }

    private final ThreadLocal<Argument> arguments = ThreadLocal.withInitial(Argument::new);

    private final Invoker invoker = Invoker.getInstance();
    private final MemoryIO memory = MemoryIO.getInstance();
    private final LastError lastError = LastError.getInstance();

    /** How functions of N machine words are called; the error number is saved right after the call. */
    private final CallContext[] words = new CallContext[7];

    private final long open = symbol("open");
    private final long close = symbol("close");
    private final long pread = symbol("pread");
    private final long pwrite = symbol("pwrite");
    /** Not in every C library; 0 if it is missing. */
    private final long preadv2 = optionalSymbol("preadv2");

    private final long splice = symbol("splice");
    private final long pipe2 = symbol("pipe2");
    private final long dup3 = symbol("dup3");
    private final long fcntl = symbol("fcntl");
    private final long fsync = symbol("fsync");
    private final long fdatasync = symbol("fdatasync");
    private final long fallocate = symbol("fallocate");
    private final long flock = symbol("flock");
    private final long linkat = symbol("linkat");
    private final long ioctl = symbol("ioctl");
    private final long fstatfs = symbol("fstatfs");
    private final long fgetxattr = symbol("fgetxattr");
    private final long fsetxattr = symbol("fsetxattr");
    private final long fremovexattr = symbol("fremovexattr");
    /** Not in every C library; 0 if it is missing. */
    private final long statx = optionalSymbol("statx");

    private final int directFlag;
    private final int temporaryFlag;

    private Libc() {
        boolean arm = System.getProperty("os.arch").equals("aarch64");
        directFlag = arm ? 0x10000 : 0x4000;
        temporaryFlag = TMPFILE_WITHOUT_DIRECTORY | (arm ? 0x4000 : 0x10000);
        for (int count = 1; count < words.length; count++) {
            Type[] parameters = new Type[count];
            Arrays.fill(parameters, Type.SLONG);
            words[count] = CallContext.getCallContext(Type.SLONG, parameters, CallingConvention.DEFAULT, true);
        }
    }

    private static String unsupportedPlatform() {
        String os = System.getProperty("os.name");
        String architecture = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        boolean supported = os.equals("Linux")
                && (architecture.equals("amd64") || architecture.equals("x86_64") || architecture.equals("aarch64"));
        return supported
                ? ""
                : "native calls are known for Linux on x86-64 and aarch64 only, not for " + os + " on " + architecture;
    }

    static long symbol(String name) {
        long address = optionalSymbol(name);
        if (address == 0) {
            throw new UnsatisfiedLinkError("no symbol " + name);
        }
        return address;
    }

    private static long optionalSymbol(String name) {
        return Library.getDefault().getSymbolAddress(name);
    }

    /** The C library, empty if native calls are not to be had here (see {@link #unavailableBecause}). */
    public static Optional<Libc> find() {
        return Optional.ofNullable(Holder.LIBC);
    }

    /** Why {@link #find} is empty; an empty text if it is not. */
    public static String unavailableBecause() {
        return Holder.REASON;
    }

    /** Binds it now; for a thread that a starting service has to spare, so that the first open does not wait for it. */
    public static void preload() {
        find().ifPresent(libc -> libc.close(-1));
    }

    /** {@code O_DIRECT}, whose number depends on the architecture. */
    public int directFlag() {
        return directFlag;
    }

    /** {@code O_TMPFILE}: a file without a name in the directory that is opened. */
    public int temporaryFlag() {
        return temporaryFlag;
    }

    /** Address of the first byte (index 0, not the position) of a direct buffer. Allocates nothing. */
    public long addressOf(ByteBuffer direct) {
        return memory.getDirectBufferAddress(direct);
    }

    /** Calls a function of two words; a negative result is an error number. */
    long call(long function, long first, long second) {
        return result(invoker.invokeN2(words[2], function, first, second));
    }

    /** Calls a function of six words; a negative result is an error number. */
    long call(long function, long first, long second, long third, long fourth, long fifth, long sixth) {
        return result(invoker.invokeN6(words[6], function, first, second, third, fourth, fifth, sixth));
    }

    /** open(2): the descriptor. */
    public int open(String path, int flags, int mode) {
        ByteBuffer name = text(path);
        try {
            int result;
            int calls = 0;
            do {
                result = result((int) invoker.invokeN3(words[3], open, addressOf(name), flags, mode));
            } while (result == -Errno.EINTR && ++calls < MAX_INTERRUPTED_CALLS);
            return result;
        } finally {
            Reference.reachabilityFence(name);
        }
    }

    /** close(2). Never repeated: on Linux the descriptor is gone whatever the answer. */
    public int close(int fd) {
        return result((int) invoker.invokeN1(words[1], close, fd));
    }

    /** dup3(2) with O_CLOEXEC: the number {@code target} leads to what {@code fd} does from now on; 0, or why not. */
    public int replace(int fd, int target) {
        int result;
        int calls = 0;
        do {
            result = result((int) invoker.invokeN3(words[3], dup3, fd, target, O_CLOEXEC));
        } while ((result == -Errno.EINTR || result == -Errno.EBUSY) && ++calls < MAX_INTERRUPTED_CALLS);
        return Math.min(result, 0);
    }

    /** pread(2): number of bytes read, which may be fewer than asked for; 0 at the end. */
    public long pread(int fd, long address, long lengthBytes, long offsetBytes) {
        long result;
        int calls = 0;
        do {
            result = result(invoker.invokeN4(words[4], pread, fd, address, lengthBytes, offsetBytes));
        } while (result == -Errno.EINTR && ++calls < MAX_INTERRUPTED_CALLS);
        return result;
    }

    /** pwrite(2): number of bytes written, which may be fewer than asked for. */
    public long pwrite(int fd, long address, long lengthBytes, long offsetBytes) {
        long result;
        int calls = 0;
        do {
            result = result(invoker.invokeN4(words[4], pwrite, fd, address, lengthBytes, offsetBytes));
        } while (result == -Errno.EINTR && ++calls < MAX_INTERRUPTED_CALLS);
        return result;
    }

    /** {@link #pread(int, long, long, long)} to the beginning of a direct buffer. */
    public long pread(int fd, ByteBuffer target, int lengthBytes, long offsetBytes) {
        try {
            return pread(fd, addressOf(target), lengthBytes, offsetBytes);
        } finally {
            Reference.reachabilityFence(target);
        }
    }

    /** {@link #pwrite(int, long, long, long)} from the beginning of a direct buffer. */
    public long pwrite(int fd, ByteBuffer source, int lengthBytes, long offsetBytes) {
        try {
            return pwrite(fd, addressOf(source), lengthBytes, offsetBytes);
        } finally {
            Reference.reachabilityFence(source);
        }
    }

    /**
     * preadv2(2) with one piece and RWF_NOWAIT: the bytes that are in memory from the beginning of the range on, {@code
     * -EAGAIN} if none are; {@code -ENOSYS} or {@code -EOPNOTSUPP} where this cannot be asked.
     */
    public long preadNoWait(int fd, long address, long lengthBytes, long offsetBytes) {
        if (preadv2 == 0) {
            return -Errno.ENOSYS;
        }
        Argument iovec = arguments.get();
        iovec.memory.putLong(0, address).putLong(8, lengthBytes);
        return result(invoker.invokeN5(words[5], preadv2, fd, iovec.address, 1, offsetBytes, RWF_NOWAIT));
    }

    /** {@link #preadNoWait} of one byte that nobody wants: whether it could be had at once. */
    public long preadByteNoWait(int fd, long offsetBytes) {
        return preadNoWait(fd, arguments.get().address + Argument.IOVEC_BYTES, 1, offsetBytes);
    }

    /**
     * splice(2) from a place of a file into a pipe, without waiting for room in it: number of bytes moved, which may be
     * fewer than asked for; {@code -EAGAIN} if the pipe is full. Waits for the device.
     */
    public long splice(int fd, long offsetBytes, int pipeFd, long lengthBytes) {
        Argument offset = arguments.get();
        long result;
        int calls = 0;
        do {
            offset.memory.putLong(0, offsetBytes);
            result = result(
                    invoker.invokeN6(words[6], splice, fd, offset.address, pipeFd, 0, lengthBytes, SPLICE_F_NONBLOCK));
        } while (result == -Errno.EINTR && ++calls < MAX_INTERRUPTED_CALLS);
        return result;
    }

    /** pipe2(2): 0, and the descriptors to read from and to write to in {@code ends[0]} and {@code ends[1]}. */
    public int pipe(int[] ends, int flags) {
        Argument pair = arguments.get();
        int result = result((int) invoker.invokeN2(words[2], pipe2, pair.address, flags));
        if (result == 0) {
            ends[0] = pair.memory.getInt(0);
            ends[1] = pair.memory.getInt(4);
        }
        return result;
    }

    /** fcntl(2), F_SETPIPE_SZ: the capacity that the pipe has now; {@code -EPERM} beyond what this process may have. */
    public int setPipeBytes(int pipeFd, int capacityBytes) {
        return result((int) invoker.invokeN3(words[3], fcntl, pipeFd, F_SETPIPE_SZ, capacityBytes));
    }

    /** fsync(2). Not repeated on EINTR: whether the first one consumed an error is unknown. */
    public int fsync(int fd) {
        return result((int) invoker.invokeN1(words[1], fsync, fd));
    }

    /** fdatasync(2), as {@link #fsync}. */
    public int fdatasync(int fd) {
        return result((int) invoker.invokeN1(words[1], fdatasync, fd));
    }

    /** fallocate(2). */
    public int fallocate(int fd, int mode, long offsetBytes, long lengthBytes) {
        int result;
        int calls = 0;
        do {
            result = result((int) invoker.invokeN4(words[4], fallocate, fd, mode, offsetBytes, lengthBytes));
        } while (result == -Errno.EINTR && ++calls < MAX_INTERRUPTED_CALLS);
        return result;
    }

    /** flock(2). */
    public int flock(int fd, int operation) {
        return result((int) invoker.invokeN2(words[2], flock, fd, operation));
    }

    /** linkat(2): gives an open file a name; {@code -EEXIST} if that is taken. */
    public int link(int fd, String path) {
        ByteBuffer here = text("/proc/self/fd/" + fd);
        ByteBuffer name = text(path);
        try {
            return result((int) invoker.invokeN5(
                    words[5], linkat, AT_FDCWD, addressOf(here), AT_FDCWD, addressOf(name), AT_SYMLINK_FOLLOW));
        } finally {
            Reference.reachabilityFence(here);
            Reference.reachabilityFence(name);
        }
    }

    /** ioctl(2) with a pointer to {@code argument}, from index 0. */
    public int ioctl(int fd, long request, ByteBuffer argument) {
        try {
            return result((int) invoker.invokeN3(words[3], ioctl, fd, request, addressOf(argument)));
        } finally {
            Reference.reachabilityFence(argument);
        }
    }

    /** fgetxattr(2): length of the value, put into {@code value} from index 0. */
    public int fgetxattr(int fd, String name, ByteBuffer value) {
        ByteBuffer text = text(name);
        try {
            return result((int)
                    invoker.invokeN4(words[4], fgetxattr, fd, addressOf(text), addressOf(value), value.capacity()));
        } finally {
            Reference.reachabilityFence(text);
            Reference.reachabilityFence(value);
        }
    }

    /** fsetxattr(2) with the first {@code lengthBytes} of {@code value}; creates or replaces. */
    public int fsetxattr(int fd, String name, ByteBuffer value, int lengthBytes) {
        ByteBuffer text = text(name);
        try {
            return result(
                    (int) invoker.invokeN5(words[5], fsetxattr, fd, addressOf(text), addressOf(value), lengthBytes, 0));
        } finally {
            Reference.reachabilityFence(text);
            Reference.reachabilityFence(value);
        }
    }

    /** fremovexattr(2). */
    public int fremovexattr(int fd, String name) {
        ByteBuffer text = text(name);
        try {
            return result((int) invoker.invokeN2(words[2], fremovexattr, fd, addressOf(text)));
        } finally {
            Reference.reachabilityFence(text);
        }
    }

    /** Type of the file system that holds the file, one of the magic numbers of statfs(2); 0 if it is not told. */
    public int fileSystemType(int fd) {
        ByteBuffer status = ByteBuffer.allocateDirect(STATFS_BYTES).order(ByteOrder.nativeOrder());
        int result = result((int) invoker.invokeN2(words[2], fstatfs, fd, addressOf(status)));
        return result < 0 ? 0 : (int) status.getLong(0);
    }

    /**
     * The alignment that direct transfers need according to statx(2), of memory and offset together.
     *
     * @return the alignment in bytes, 0 if the file takes no direct transfers, -1 if this kernel does not say
     */
    public int directAlignmentBytes(int fd) {
        if (statx == 0) {
            return -1;
        }
        ByteBuffer status = ByteBuffer.allocateDirect(STATX_BYTES).order(ByteOrder.nativeOrder());
        ByteBuffer here = text("");
        try {
            int result = result((int) invoker.invokeN5(
                    words[5], statx, fd, addressOf(here), AT_EMPTY_PATH, STATX_DIOALIGN, addressOf(status)));
            if (result < 0 || (status.getInt(0) & STATX_DIOALIGN) == 0) {
                return -1;
            }
            int memoryAlignment = status.getInt(152);
            int offsetAlignment = status.getInt(156);
            return offsetAlignment == 0 ? 0 : Math.max(memoryAlignment, offsetAlignment);
        } finally {
            Reference.reachabilityFence(here);
        }
    }

    private int result(int returned) {
        return returned < 0 ? -errorNumber() : returned;
    }

    private long result(long returned) {
        return returned < 0 ? -errorNumber() : returned;
    }

    /** Asked for after a failure only: a success leaves the number of an earlier failure in place. */
    private int errorNumber() {
        int number = lastError.get();
        return number > 0 ? number : NO_ERROR_NUMBER;
    }

    private static ByteBuffer text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        for (byte b : bytes) {
            if (b == 0) {
                throw new IllegalArgumentException("a name with a zero byte");
            }
        }
        return ByteBuffer.allocateDirect(bytes.length + 1).put(bytes).put((byte) 0);
    }
}
