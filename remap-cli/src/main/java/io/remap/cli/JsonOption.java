package io.remap.cli;

import io.remap.cli.control.JsonLines;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Option;

/** The option {@code --json}, and the form of what it prints: one object with the version of its format first. */
final class JsonOption {
    static final int FORMAT_VERSION = 1;

    @Option(
            names = {"-j", "--json"},
            description = "Print JSON, for programs.")
    boolean wanted;

    static String document(String key, Object value) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("json_format_version", FORMAT_VERSION);
        document.put(key, value);
        return JsonLines.pretty(document);
    }

    static String document(Map<?, ?> values) {
        Map<Object, Object> document = new LinkedHashMap<>();
        document.put("json_format_version", FORMAT_VERSION);
        document.putAll(values);
        return JsonLines.pretty(document);
    }
}
