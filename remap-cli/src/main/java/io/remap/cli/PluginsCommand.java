package io.remap.cli;

import io.remap.api.Setting;
import io.remap.core.Providers;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** What this installation consists of. */
@Command(
        name = "plugins",
        header = "Show what the modules of this installation provide.",
        subcommands = {PluginsCommand.ListCommand.class, PluginsCommand.SettingsCommand.class})
final class PluginsCommand extends VerbGroup {
    /** Made by picocli. */
    PluginsCommand() {}

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

    /** Lists what {@code --set} takes. */
    @Command(
            name = "settings",
            header = "List the settings that 'serve --set' takes.",
            description = {
                "Each with the value that holds if nobody chooses one, what it does and its range. With a word only those that"
                        + " have it in their name or text.",
                "",
                "Examples:",
                "  remap plugins settings",
                "  remap plugins settings scan",
                ""
            })
    static final class SettingsCommand extends Verb {
        @Parameters(arity = "0..1", paramLabel = "WORD", description = "Only settings with this word.")
        String word;

        @Mixin
        final JsonOption json = new JsonOption();

        /** Made by picocli. */
        SettingsCommand() {}

        @Override
        int run() throws Exception {
            List<Providers.OwnedSetting> found = Providers.load().ownedSettings().stream()
                    .filter(this::isMeant)
                    .toList();
            if (json.wanted) {
                out().println(JsonOption.document(
                        "settings", found.stream().map(SettingsCommand::entry).toList()));
                return found.isEmpty() ? ExitStatus.NOT_SO : ExitStatus.OK;
            }
            if (found.isEmpty()) {
                throw new NotSo(
                        "no setting has '" + word + "' in its name or text; 'remap plugins settings' lists all");
            }
            String owner = "";
            for (Providers.OwnedSetting each : found) {
                if (!each.owner().equals(owner)) {
                    owner = each.owner();
                    terminal().line(owner + ":");
                }
                terminal()
                        .line("  " + each.setting().name() + "="
                                + each.setting().defaultValue());
                terminal().line("      " + each.setting().doc());
            }
            return ExitStatus.OK;
        }

        private boolean isMeant(Providers.OwnedSetting each) {
            Setting setting = each.setting();
            return word == null
                    || setting.name().contains(word)
                    || setting.doc().contains(word);
        }

        private static Map<String, Object> entry(Providers.OwnedSetting each) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("name", each.setting().name());
            entry.put("default", each.setting().defaultValue());
            entry.put("doc", each.setting().doc());
            entry.put("owner", each.owner());
            return entry;
        }
    }
}
