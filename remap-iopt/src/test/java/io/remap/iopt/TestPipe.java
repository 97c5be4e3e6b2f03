package io.remap.iopt;

import io.netty.channel.unix.FileDescriptor;
import io.remap.api.PagePipe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;

/** A pipe of the system with bytes in it. */
final class TestPipe implements PagePipe {
    private final FileDescriptor[] ends;
    private int remainingBytes;

    TestPipe(ByteBuffer content) {
        try {
            ends = FileDescriptor.pipe();
            remainingBytes = content.remaining();
            ByteBuffer direct = ByteBuffer.allocateDirect(remainingBytes).put(content.duplicate());
            if (ends[1].write(direct, 0, remainingBytes) != remainingBytes) {
                throw new AssertionError("a pipe took less than " + remainingBytes + " bytes");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public int descriptor() {
        return ends[0].intValue();
    }

    @Override
    public int remainingBytes() {
        return remainingBytes;
    }

    @Override
    public void taken(int lengthBytes) {
        if (lengthBytes < 0 || lengthBytes > remainingBytes) {
            throw new IllegalArgumentException(lengthBytes + " of " + remainingBytes + " bytes taken");
        }
        remainingBytes -= lengthBytes;
    }

    @Override
    public void release() {
        try {
            ends[0].close();
            ends[1].close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
