package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.cli.control.ControlClient;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Shows and changes the attributes of a running service. */
@Command(
        name = "attributes",
        header = "Show and change values of a running service.",
        customSynopsis = {
            "remap attributes [--json] [NAME]",
            "      remap attributes [--json] NAME get ATTRIBUTE",
            "      remap attributes [--json] NAME set ATTRIBUTE VALUE"
        },
        description = {
            "Without 'get' or 'set' lists all attributes with their units; '*' marks those that can be set.",
            "NAME may be left out in the list if only one service is running.",
            "",
            "Examples:",
            "  remap attributes disk.img",
            "  remap attributes disk.img get control.requests",
            ""
        })
final class AttributesCommand extends Verb {
    private static final int GET_WORDS = 3;
    private static final int SET_WORDS = 4;

    @Parameters(arity = "0..4", paramLabel = "WORD", description = "NAME, then get or set, ATTRIBUTE and VALUE.")
    List<String> words = new ArrayList<>();

    @Mixin
    final JsonOption json = new JsonOption();

    /** Made by picocli. */
    AttributesCommand() {}

    @Override
    int run() throws Exception {
        String name = words.isEmpty() ? null : words.get(0);
        if (words.size() > 1) {
            boolean get = words.get(1).equals("get") && words.size() == GET_WORDS;
            boolean set = words.get(1).equals("set") && words.size() == SET_WORDS;
            if (!get && !set) {
                throw new Refusal(
                        Refusal.Kind.USAGE,
                        "expected NAME get ATTRIBUTE, or NAME set ATTRIBUTE VALUE; see 'remap attributes --help'");
            }
        }
        try (ControlClient client = Services.ofThisUser().findOrOnly(name).connect()) {
            if (words.size() <= 1) {
                list((List<?>) client.call("attributes", Map.of(), Services.ANSWER_MILLIS));
                return ExitStatus.OK;
            }
            Object attribute = words.size() == GET_WORDS
                    ? client.call("attribute.get", Map.of("name", words.get(2)), Services.ANSWER_MILLIS)
                    : client.call(
                            "attribute.set",
                            Map.of("name", words.get(2), "value", words.get(3)),
                            Services.ANSWER_MILLIS);
            Map<?, ?> shown = (Map<?, ?>) attribute;
            out().println(json.wanted ? JsonOption.document(shown) : String.valueOf(shown.get("value")));
            return ExitStatus.OK;
        }
    }

    private void list(List<?> attributes) {
        if (json.wanted) {
            out().println(JsonOption.document("attributes", attributes));
            return;
        }
        List<List<String>> rows = new ArrayList<>(List.of(List.of("ATTRIBUTE", "VALUE", "UNIT", "MEANING")));
        for (Object attribute : attributes) {
            Map<?, ?> map = (Map<?, ?>) attribute;
            String mark = Boolean.TRUE.equals(map.get("settable")) ? "*" : "";
            rows.add(List.of(
                    map.get("name") + mark,
                    String.valueOf(map.get("value")),
                    String.valueOf(map.get("unit")),
                    String.valueOf(map.get("doc"))));
        }
        terminal().table(rows);
    }
}
