package io.remap.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Measures methods in formatted source text: by braces, after comments and literals were blanked. Good enough for a limit,
 * no parser.
 */
final class MethodLengths {
    /** Comments, text blocks, strings, characters. */
    private static final Pattern BLANKED = Pattern.compile(
            "//[^\n]*|/\\*.*?\\*/|\"\"\".*?\"\"\"|\"(?:\\\\.|[^\"\\\\\n])*\"|'(?:\\\\.|[^'\\\\\n])+'", Pattern.DOTALL);

    private static final Pattern TYPE = Pattern.compile(
            "\\b(class|interface|enum|record)\\s+\\w+|\\bnew\\s+[\\w.<>?, ]+\\([^;]*\\)\\s*$", Pattern.DOTALL);
    private static final Pattern METHOD = Pattern.compile("\\w+\\s*\\(", Pattern.DOTALL);

    private enum Kind {
        TYPE,
        METHOD,
        OTHER
    }

    private record Block(Kind kind, String header, int line) {}

    private MethodLengths() {}

    /** The methods with more lines from brace to brace, as {@code file:line: header (lines)}. */
    static List<String> longerThan(int limit, Path file) throws IOException {
        List<String> found = new ArrayList<>();
        for (Block method : measure(Files.readString(file))) {
            if (method.line > limit) {
                found.add(file.getFileName() + ": " + method.header + " has " + method.line + " lines");
            }
        }
        return found;
    }

    /** The methods of a source text, with their lengths in the place of the line. */
    private static List<Block> measure(String source) {
        String text = BLANKED.matcher(source).replaceAll(match -> match.group().replaceAll("[^\n]", " "));
        List<Block> methods = new ArrayList<>();
        Deque<Block> open = new ArrayDeque<>();
        int line = 1;
        int headerStart = 0;
        for (int i = 0; i < text.length(); i++) {
            switch (text.charAt(i)) {
                case '\n' -> line++;
                case ';' -> headerStart = i + 1;
                case '{' -> {
                    String header = text.substring(headerStart, i);
                    open.push(new Block(kind(header, open.peek()), header.strip(), line));
                    headerStart = i + 1;
                }
                case '}' -> {
                    Block closed = open.pop();
                    if (closed.kind == Kind.METHOD) {
                        methods.add(
                                new Block(Kind.METHOD, closed.header.replaceAll("\\s+", " "), line - closed.line + 1));
                    }
                    headerStart = i + 1;
                }
                default -> {}
            }
        }
        return methods;
    }

    private static Kind kind(String header, Block around) {
        if (TYPE.matcher(header).find()) {
            return Kind.TYPE;
        }
        boolean member = around != null && around.kind == Kind.TYPE;
        return member && METHOD.matcher(header).find() && !header.contains("=") ? Kind.METHOD : Kind.OTHER;
    }

    /** For the test of this measure. */
    static List<String> headers(String source) {
        return measure(source).stream()
                .map(method -> method.header + " " + method.line)
                .toList();
    }
}
