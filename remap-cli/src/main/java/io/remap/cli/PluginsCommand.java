package io.remap.cli;

import io.remap.core.Providers;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** What this installation consists of. */
@Command(
        name = "plugins",
        header = "Show what the modules of this installation provide.",
        subcommands = PluginsCommand.ListCommand.class)
final class PluginsCommand extends Verb {
    /** Made by picocli. */
    PluginsCommand() {}

    @Override
    int run() {
        spec.commandLine().usage(out());
        return ExitStatus.USAGE;
    }

    /** Lists the providers of every role. */
    @Command(
            name = "list",
            header = "List the providers of every role.",
            description = {"", "Example: remap plugins list --json", ""})
    static final class ListCommand extends Verb {
        @Mixin
        final JsonOption json = new JsonOption();

        /** Made by picocli. */
        ListCommand() {}

        @Override
        int run() throws Exception {
            Providers providers = Providers.load();
            if (json.wanted) {
                List<Map<String, Object>> plugins = new ArrayList<>();
                for (Providers.Description plugin : providers.describe()) {
                    Map<String, Object> entry = new LinkedHashMap<>();
                    entry.put("role", plugin.role());
                    entry.put("name", plugin.name());
                    entry.put("module", plugin.module());
                    entry.put("description", plugin.description());
                    plugins.add(entry);
                }
                out().println(JsonOption.document("plugins", plugins));
            } else {
                List<List<String>> rows = new ArrayList<>(List.of(List.of("ROLE", "NAME", "MODULE", "DESCRIPTION")));
                for (Providers.Description plugin : providers.describe()) {
                    rows.add(List.of(plugin.role(), plugin.name(), plugin.module(), plugin.description()));
                }
                terminal().table(rows);
            }
            for (String broken : providers.broken()) {
                note(broken);
            }
            return providers.broken().isEmpty() ? ExitStatus.OK : ExitStatus.NOT_SO;
        }
    }
}
