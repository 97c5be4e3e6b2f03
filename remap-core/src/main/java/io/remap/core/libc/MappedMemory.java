package io.remap.core.libc;

import com.kenai.jffi.MemoryIO;
import io.remap.api.MemorySource;
import java.nio.ByteBuffer;

/**
 * Memory of the kernel (mmap(2)), which has it back as soon as it is freed. What the JDK gives comes back when the collector
 * gets to it, which on a quiet heap may be never. Untouched pages cost nothing.
 */
public final class MappedMemory implements MemorySource {
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_PRIVATE_ANONYMOUS = 0x22;
    private static final int NO_FILE = -1;

    private final Libc libc;
    private final long mmap;
    private final long munmap;

    /** Memory by way of this C library. */
    public MappedMemory(Libc libc) {
        this.libc = libc;
        this.mmap = Libc.symbol("mmap");
        this.munmap = Libc.symbol("munmap");
    }

    private final class Mapping implements Block {
        private final long address;
        private final ByteBuffer bytes;

        private Mapping(long address, int lengthBytes) {
            this.address = address;
            this.bytes = MemoryIO.getInstance().newDirectByteBuffer(address, lengthBytes);
        }

        @Override
        public ByteBuffer bytes() {
            return bytes;
        }

        @Override
        public void free() {
            long result = libc.call(munmap, address, bytes.capacity());
            if (result < 0) {
                throw new IllegalStateException("munmap of " + bytes.capacity() + " bytes failed: errno " + -result);
            }
        }
    }

    @Override
    public Block allocate(int lengthBytes) {
        long address = libc.call(mmap, 0, lengthBytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, NO_FILE, 0);
        if (address < 0) {
            throw new OutOfMemoryError("mmap of " + lengthBytes + " bytes failed: errno " + -address);
        }
        return new Mapping(address, lengthBytes);
    }
}
