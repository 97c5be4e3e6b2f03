package io.remap.api;

import java.nio.ByteBuffer;

/**
 * One transfer to one device, given to an {@link io.remap.api.spi.IoEngine}. Preallocated and reused by its owner, who
 * sets the fields, submits it, and touches nothing of it until {@link #completed} is called.
 */
public abstract class DeviceIo {
    /** What to do. */
    public enum Operation {
        READ,
        WRITE,
        FLUSH,
        DISCARD,
        ZERO,
        /** As ZERO, but the space stays allocated. */
        ZERO_ALLOCATED
    }

    public Operation operation = Operation.READ;
    public BlockDevice device;
    public long offsetBytes;
    /** For DISCARD and ZERO; READ and WRITE take what {@link #data} has remaining. */
    public long lengthBytes;

    public ByteBuffer data;

    /** READ of a device with {@link CachedReads}: the engine may give pages instead of filling {@link #data}. */
    public boolean pagesWelcome;

    /** READ: what the engine gave instead of filling {@link #data}, set before the completion; otherwise {@code null}. */
    public PagePipe pages;

    /** Whatever the device notes between {@link DescriptorTransfers#begin} and {@link DescriptorTransfers#ended}. */
    public long deviceNote;

    /** As {@link #deviceNote}: when it began, as the device counts. */
    public long deviceMoment;

    /** As {@link #deviceNote}: where the device has noted that it is under way. */
    public int deviceEntry;

    /** A transfer whose fields are still to be set. */
    protected DeviceIo() {}

    /**
     * Called exactly once for each submission, by any thread, also from within the submission.
     *
     * @param error {@code null} if all of it succeeded
     */
    public abstract void completed(DeviceException error);

    /** Executes the transfer on the calling thread, which blocks until the device answered, and completes it. */
    public final void run() {
        completed(perform());
    }

    /**
     * Executes the transfer as {@link #run} does, and leaves the completion to the caller.
     *
     * @return how it ended, {@code null} if all of it succeeded
     */
    public final DeviceException perform() {
        try {
            switch (operation) {
                case READ -> device.read(offsetBytes, data);
                case WRITE -> device.write(offsetBytes, data);
                case FLUSH -> device.flush();
                case DISCARD -> device.discard(offsetBytes, lengthBytes);
                case ZERO -> device.zero(offsetBytes, lengthBytes, false);
                case ZERO_ALLOCATED -> device.zero(offsetBytes, lengthBytes, true);
            }
            return null;
        } catch (DeviceException e) {
            return e;
        }
    }
}
