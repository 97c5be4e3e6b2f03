package io.remap.core.device;

import io.remap.api.DescriptorTransfers;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIo;
import io.remap.api.DeviceTraits;
import io.remap.api.Errno;
import io.remap.core.libc.Libc;

/** Transfers of one door of a file that an I/O engine gives to the kernel itself. Without state of its own. */
final class FileTransfers implements DescriptorTransfers {
    private final Libc libc;
    private final FileHandle handle;
    private final int fd;
    private final String name;
    private final DeviceTraits traits;
    private final TransferErrors errors;

    FileTransfers(Libc libc, FileHandle handle, int fd, String name, DeviceTraits traits, TransferErrors errors) {
        this.libc = libc;
        this.handle = handle;
        this.fd = fd;
        this.name = name;
        this.traits = traits;
        this.errors = errors;
    }

    @Override
    public int begin(DeviceIo io) throws DeviceException {
        boolean write = io.operation == DeviceIo.Operation.WRITE;
        int length = io.data.remaining();
        if (write) {
            BlockRanges.check(name, traits, "write", io.offsetBytes, length);
            if (traits.readOnly()) {
                throw new DeviceException(name, "write", io.offsetBytes, length, Errno.EROFS);
            }
        } else {
            BlockRanges.checkRead(name, traits, io.offsetBytes, io.data);
        }
        if (!io.data.isDirect()) {
            throw new IllegalArgumentException(name + ": the kernel needs a direct buffer");
        }
        if (((libc.addressOf(io.data) + io.data.position()) & (traits.alignmentBytes() - 1)) != 0) {
            throw new IllegalArgumentException(
                    name + ": the address of the buffer is not aligned to " + traits.alignmentBytes());
        }
        handle.enter();
        return fd;
    }

    @Override
    public DeviceException ended(DeviceIo io, int result) {
        try {
            int length = io.data.remaining();
            if (result < 0) {
                String verb = io.operation == DeviceIo.Operation.WRITE ? "write" : "read";
                return errors.failed(verb, io.offsetBytes, length, -result);
            }
            if (result == length) {
                io.data.position(io.data.limit());
            }
            return null;
        } finally {
            handle.leave();
        }
    }
}
