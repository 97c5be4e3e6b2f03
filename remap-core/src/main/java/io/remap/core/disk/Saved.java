package io.remap.core.disk;

/** Something that is saved on the spare beside the mappings, for the next start; the disk is right without it. */
public interface Saved {
    /** Name of its section, ASCII, at most 64 characters. */
    String section();

    /** What it is now. Any thread. */
    byte[] save();

    /**
     * Takes what was saved last, before the first request. What it cannot make sense of it may leave out, or throw: it is
     * told of, and goes on empty.
     */
    void restore(byte[] saved);
}
