package io.remap.nbd;

import io.remap.api.PagePipe;

/** Bytes in the place of pages in a pipe. Who uses it otherwise than {@link PagePipe} says fails the test. */
final class FakePipe implements PagePipe {
    private final byte[] bytes;
    private int takenBytes;
    int releases;

    FakePipe(byte[] bytes) {
        this.bytes = bytes;
    }

    /** What a transport would move on next. */
    byte[] next(int lengthBytes) {
        byte[] next = new byte[lengthBytes];
        System.arraycopy(bytes, takenBytes, next, 0, lengthBytes);
        return next;
    }

    @Override
    public int descriptor() {
        throw new AssertionError("only a transport asks for it");
    }

    @Override
    public int remainingBytes() {
        checkNotReleased();
        return bytes.length - takenBytes;
    }

    @Override
    public void taken(int lengthBytes) {
        checkNotReleased();
        if (lengthBytes < 0 || lengthBytes > remainingBytes()) {
            throw new AssertionError(lengthBytes + " taken of " + remainingBytes());
        }
        takenBytes += lengthBytes;
    }

    @Override
    public void release() {
        checkNotReleased();
        releases++;
    }

    private void checkNotReleased() {
        if (releases > 0) {
            throw new AssertionError("used after its release");
        }
    }
}
