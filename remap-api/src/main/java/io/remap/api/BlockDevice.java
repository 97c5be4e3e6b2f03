package io.remap.api;

import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * A device of a fixed size that is read and written in whole sectors.
 *
 * <p><b>Transfers are whole or failed.</b> {@code read} fills the buffer from its position to its limit, {@code write}
 * takes all of it, and both advance the position to the limit; short transfers are continued inside. After an exception
 * the content of the buffer (read) or of the range (write) is undefined, also in the part before the failing sector.
 *
 * <p><b>Arguments</b> are multiples of {@link DeviceTraits#alignmentBytes()} (offset, length; for direct devices the
 * buffer address too, see {@link IoBuffer}) and lie inside the device; anything else is a mistake of the caller and
 * throws {@link IllegalArgumentException}.
 *
 * <p><b>Threads.</b> All methods may be called by many threads at once; each call blocks until the device answered. The
 * calling thread must not be interrupted. Requests that overlap in time and place are in no defined order.
 *
 * <p><b>Errors</b> are {@link DeviceException}s with a class. After {@link #close()} every call throws
 * {@link IllegalStateException}.
 */
public interface BlockDevice extends AutoCloseable {
    /** The device as the user named it, for messages. */
    String name();

    /** What is fixed about the device; the same object on every call. */
    DeviceTraits traits();

    /** Which device this is. */
    DeviceIdentity identity();

    /** Fills {@code target} from {@code offsetBytes} on. */
    void read(long offsetBytes, ByteBuffer target) throws DeviceException;

    /** Writes all of {@code source} at {@code offsetBytes}; it may stay in a volatile cache until {@link #flush()}. */
    void write(long offsetBytes, ByteBuffer source) throws DeviceException;

    /**
     * Returns when every write that completed before the call is on stable storage. A failed flush says nothing about
     * which writes were lost, and a later success does not bring them back: callers latch the failure.
     */
    void flush() throws DeviceException;

    /** Advice that the content of the range is not needed; it is undefined afterwards. May do nothing. */
    void discard(long offsetBytes, long lengthBytes) throws DeviceException;

    /** Whether {@link #discard} may have changed, or may change, anything: not if it never does, or it refused the first one. */
    default boolean discards() {
        return true;
    }

    /**
     * Makes the range read as zeros, by the cheapest means that does so for certain.
     *
     * @param keepAllocated the space must stay reserved (no hole)
     */
    void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) throws DeviceException;

    /**
     * The same device through a descriptor that bypasses the page cache: recovery, scrub and canary reads go through
     * it, since a cache takes everything and proves nothing. This device itself if it is direct already or if no
     * direct way exists ({@link DeviceTraits#direct()} of the result tells). Closed together with this device.
     */
    default BlockDevice direct() {
        return this;
    }

    /** An optional ability, for example {@link WitnessTag}; empty if the device lacks it. */
    default <C> Optional<C> capability(Class<C> type) {
        return type.isInstance(this) ? Optional.of(type.cast(this)) : Optional.empty();
    }

    /** Gives the device back. Does not flush. */
    @Override
    void close();
}
