package io.remap.cli.control;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * JSON as it goes over the control socket: one value per line, UTF-8, closed by a line feed.
 *
 * <p>Depth of nesting and length of numbers are limited by the JSON library, the length of a line by its reader.
 */
public final class JsonLines {
    /** Longest request in bytes. */
    public static final int MAX_REQUEST_BYTES = 64 * 1024;

    /** Longest answer in bytes; commands with more to say give it in pages. */
    public static final int MAX_ANSWER_BYTES = 16 * 1024 * 1024;

    private static final JSON COMPACT = JSON.std.with(JSON.Feature.WRITE_NULL_PROPERTIES);
    private static final JSON PRETTY = COMPACT.with(JSON.Feature.PRETTY_PRINT_OUTPUT);

    private JsonLines() {}

    /**
     * Reads exactly one value.
     *
     * @throws IOException if the bytes are not UTF-8, not JSON, or more than one value
     */
    static Object parse(ByteBuffer line) throws IOException {
        String text;
        try {
            text = StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(line)
                    .toString();
        } catch (CharacterCodingException e) {
            throw new IOException("not UTF-8", e);
        }
        try (JsonParser parser = COMPACT.createParser(text)) {
            if (parser.nextToken() == null) {
                throw new IOException("no value");
            }
            Object value = COMPACT.anyFrom(parser);
            if (parser.nextToken() != null) {
                throw new IOException("more than one value in a line");
            }
            return value;
        }
    }

    /** One line, without the line feed. */
    static byte[] compact(Object value) throws IOException {
        return COMPACT.asBytes(value);
    }

    /** One value in one line, without the line feed. */
    public static String line(Object value) {
        try {
            return COMPACT.asString(value);
        } catch (IOException e) {
            throw new IllegalStateException("not a JSON value: " + value.getClass(), e);
        }
    }

    /** For people and their tools: several lines, without the last line feed. */
    public static String pretty(Object value) {
        try {
            return PRETTY.asString(value);
        } catch (IOException e) {
            throw new IllegalStateException("not a JSON value: " + value.getClass(), e);
        }
    }
}
