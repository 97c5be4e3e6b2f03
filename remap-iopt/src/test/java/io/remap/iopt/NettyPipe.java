package io.remap.iopt;

import io.netty.channel.unix.FileDescriptor;
import io.remap.api.PagePipe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;

/** A pipe of the system with given bytes in it. Who uses it otherwise than {@link PagePipe} says fails the test. */
final class NettyPipe implements PagePipe {
    private final FileDescriptor outlet;
    private final FileDescriptor inlet;
    private int remainingBytes;
    private boolean released;

    /** {@code content}: a direct buffer of at most 64 KiB. */
    NettyPipe(ByteBuffer content) {
        try {
            FileDescriptor[] ends = FileDescriptor.pipe();
            outlet = ends[0];
            inlet = ends[1];
            remainingBytes = content.remaining();
            while (content.hasRemaining()) {
                int writtenBytes = inlet.write(content, content.position(), content.limit());
                if (writtenBytes <= 0) {
                    throw new IOException("the pipe is full, " + content + " is left");
                }
                content.position(content.position() + writtenBytes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public int descriptor() {
        checkNotReleased();
        return outlet.intValue();
    }

    @Override
    public int remainingBytes() {
        checkNotReleased();
        return remainingBytes;
    }

    @Override
    public void taken(int lengthBytes) {
        checkNotReleased();
        if (lengthBytes < 0 || lengthBytes > remainingBytes) {
            throw new IllegalArgumentException(lengthBytes + " taken of " + remainingBytes);
        }
        remainingBytes -= lengthBytes;
    }

    @Override
    public void release() {
        checkNotReleased();
        released = true;
        try {
            outlet.close();
            inlet.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void checkNotReleased() {
        if (released) {
            throw new IllegalStateException("used after its release");
        }
    }
}
