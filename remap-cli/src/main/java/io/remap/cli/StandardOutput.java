package io.remap.cli;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.util.Optional;

/**
 * Where the commands print, with the first error of a write kept: a {@link PrintWriter} tells only that there was one.
 * Thread-safe.
 */
final class StandardOutput extends OutputStream {
    /** What the runtime makes of EPIPE: whoever reads had enough, as {@code head} has, and nothing is wrong. */
    private static final String BROKEN_PIPE = "Broken pipe";

    private final OutputStream target;
    private IOException failure;

    /** Prints to {@code target}, which is not buffered. */
    StandardOutput(OutputStream target) {
        this.target = target;
    }

    /** Each line gets there at once. The characters are those of the terminal, as the runtime knows it. */
    PrintWriter writer() {
        String encoding = System.getProperty("sun.stdout.encoding");
        Charset charset = encoding == null ? Charset.defaultCharset() : Charset.forName(encoding);
        return new PrintWriter(new BufferedWriter(new OutputStreamWriter(this, charset)), true);
    }

    /** Why not all that was printed got there; empty also if nobody wanted it any more. */
    synchronized Optional<String> failure() {
        return Optional.ofNullable(failure).map(IOException::getMessage).filter(reason -> !reason.equals(BROKEN_PIPE));
    }

    @Override
    public void write(int value) throws IOException {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
        try {
            target.write(bytes, offset, length);
        } catch (IOException e) {
            if (failure == null) {
                failure = e;
            }
            throw e;
        }
    }

    @Override
    public void flush() throws IOException {
        target.flush();
    }
}
