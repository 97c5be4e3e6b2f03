package io.remap.api;

/**
 * Ability of a {@link BlockDevice} whose transfers somebody else can execute: an I/O engine that gives them to the kernel
 * by descriptor and does not wait (io_uring). Only READ and WRITE, and only of the whole of {@link DeviceIo#data}.
 * Thread-safe.
 */
public interface DescriptorTransfers {
    /**
     * Begins a transfer: checks it as {@link BlockDevice#read} and {@link BlockDevice#write} do, and keeps the descriptor
     * open until {@link #ended}.
     *
     * @return the descriptor; the transfer goes to {@link DeviceIo#offsetBytes} of it
     * @throws DeviceException if the device refuses it; then nothing was begun
     */
    int begin(DeviceIo io) throws DeviceException;

    /**
     * Ends what was begun, and moves the position of the buffer to its limit if all of it was transferred.
     *
     * @param result bytes that were transferred, or the negated error number. Fewer bytes than asked for are no verdict:
     *     the caller has the whole transfer executed in another way
     * @return the error, {@code null} if there is none
     */
    DeviceException ended(DeviceIo io, int result);
}
