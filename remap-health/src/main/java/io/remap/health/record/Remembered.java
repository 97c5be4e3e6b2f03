package io.remap.health.record;

import java.util.List;

/**
 * A part of health that is kept over restarts, as lines of words. The first word of each of its lines is its own; what a
 * later version adds to a line, or a line that makes no sense, costs nothing but that line.
 */
public interface Remembered {
    /** First word of its lines. */
    String word();

    /** Its lines now, without the first word; few enough to fit beside the others. */
    List<String> lines();

    /** Takes one line, without the first word; may throw any {@link RuntimeException} if it makes no sense. */
    void restore(String[] words);
}
