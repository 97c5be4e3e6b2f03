package io.remap.health.record;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What all parts of health remember, as text: a line with the version, then lines of words. The parts come in the order of
 * their weight, so that where there is too much the least is left out.
 */
public final class Notebook {
    private static final String HEAD = "remap-health 1";
    private static final Logger LOG = LoggerFactory.getLogger(Notebook.class);

    private final String diskName;
    private final int maxBytes;
    private final List<Remembered> parts;

    /**
     * For these parts.
     *
     * @param parts the most important first
     */
    public Notebook(String diskName, int maxBytes, List<Remembered> parts) {
        this.diskName = diskName;
        this.maxBytes = maxBytes;
        this.parts = List.copyOf(parts);
    }

    /** What is to be kept. */
    public byte[] write() {
        StringBuilder text = new StringBuilder(HEAD).append('\n');
        for (Remembered part : parts) {
            for (String line : part.lines()) {
                // Words are ASCII, so a character is a byte.
                if (text.length() + part.word().length() + line.length() + 2 <= maxBytes) {
                    text.append(part.word()).append(' ').append(line).append('\n');
                }
            }
        }
        return text.toString().getBytes(StandardCharsets.US_ASCII);
    }

    /** Takes what was kept. */
    public void read(byte[] saved) {
        String[] lines = new String(saved, StandardCharsets.US_ASCII).split("\n", -1);
        if (saved.length == 0 || !lines[0].equals(HEAD)) {
            return;
        }
        int senseless = 0;
        for (String line : lines) {
            String[] words = line.split(" ", -1);
            for (Remembered part : parts) {
                if (words.length > 1 && words[0].equals(part.word())) {
                    try {
                        part.restore(Arrays.copyOfRange(words, 1, words.length));
                    } catch (RuntimeException e) {
                        senseless++;
                    }
                }
            }
        }
        if (senseless > 0) {
            LOG.warn("{}: {} lines of what health remembers make no sense and are left out", diskName, senseless);
        }
    }
}
