package io.remap.cli;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Shows, saves and renews the metadata of a disk that is served; restores that of one that is not. */
@Command(
        name = "metadata",
        header = "Show, save, renew and restore the metadata of a spare.",
        subcommands = {
            MetadataCommand.StatusCommand.class,
            MetadataCommand.SaveCommand.class,
            MetadataCommand.SyncCommand.class,
            RestoreCommand.class
        })
final class MetadataCommand extends VerbGroup {
    /** Made by picocli. */
    MetadataCommand() {}

    /** What the subcommands share. */
    abstract static class OfService extends Verb {
        @Parameters(arity = "0..1", paramLabel = "NAME", description = "Name of the service.")
        String name;

        @Mixin
        final JsonOption json = new JsonOption();

        /** Calls the command for each disk that has a spare, and shows what it answers. */
        final int each(String command) throws Exception {
            List<Map<?, ?>> answers = new ArrayList<>();
            for (ServedSpare served : ServedSpare.ofName(name)) {
                answers.add(served.call(command, Map.of()));
            }
            if (json.wanted) {
                out().println(JsonOption.document("disks", answers));
            } else {
                answers.forEach(this::print);
            }
            return ExitStatus.OK;
        }

        void print(Map<?, ?> answer) {
            Terminal terminal = terminal();
            terminal.heading(
                    "disk " + StatusText.text(answer, "disk") + ", pair " + StatusText.text(answer, "pairUuid"));
            List<List<String>> facts = new ArrayList<>();
            facts.add(List.of("metadata", StatusText.text(answer, "metadata")));
            facts.add(List.of("generation", StatusText.text(answer, "generation")));
            facts.add(List.of(
                    "mappings",
                    StatusText.number(answer, "mappings") + " of at most "
                            + StatusText.number(answer, "mappingLimit")));
            if (answer.get("copies") instanceof Map<?, ?> copies) {
                facts.addAll(new StatusText(terminal).copies(copies));
                facts.add(List.of(
                        "verified",
                        StatusText.number(copies, "verifications") + " times since the start, "
                                + StatusText.number(copies, "repairs") + " times with repairs"));
            }
            terminal.facts("  ", facts);
        }
    }

    /** How the copies stand. */
    @Command(
            name = "status",
            header = "Show how the copies of the metadata stand.",
            description = {
                "From memory; 'remap check --online NAME' reads them now. They are read, and damaged ones written anew, every "
                        + "hour (serve --set metadata.verify-seconds=N).",
                "",
                "Example: remap metadata status disk.img",
                ""
            })
    static final class StatusCommand extends OfService {
        /** Made by picocli. */
        StatusCommand() {}

        @Override
        int run() throws Exception {
            return each("metadata.status");
        }
    }

    /** Saves what is saved now and then. */
    @Command(
            name = "save",
            header = "Save now what is saved now and then: events, counters, health, what main holds.",
            description = {
                "Mappings need no save: each is durable before its write is acknowledged. The rest is saved by itself (serve --set "
                        + "autosave-seconds=N), and at the stop; after this a kill costs none of it. Prints what was saved, how "
                        + "large it is, and how old.",
                "",
                "Example: remap metadata save disk.img",
                ""
            })
    static final class SaveCommand extends OfService {
        /** Made by picocli. */
        SaveCommand() {}

        @Override
        int run() throws Exception {
            return each("metadata.save");
        }

        @Override
        void print(Map<?, ?> answer) {
            Terminal terminal = terminal();
            boolean written = Boolean.TRUE.equals(answer.get("written"));
            String age = answer.get("ageMillis") instanceof Number millis
                    ? StatusText.duration(Duration.ofMillis(millis.longValue())) + " ago"
                    : "by an earlier server";
            terminal.heading("disk " + StatusText.text(answer, "disk") + ": "
                    + (written ? "saved now" : "nothing has changed since the last save, " + age) + ", "
                    + StatusText.number(answer, "bytes") + " bytes");
            List<List<String>> rows = new ArrayList<>(List.of(List.of("SECTION", "BYTES")));
            for (Object one : StatusText.list(answer, "sections")) {
                Map<?, ?> section = (Map<?, ?>) one;
                rows.add(List.of(StatusText.text(section, "name"), StatusText.text(section, "bytes")));
            }
            terminal.table(rows);
        }
    }

    /** Writes all of it anew. */
    @Command(
            name = "sync",
            header = "Write all copies of the metadata anew, and read them back.",
            description = {
                "What was acknowledged is durable anyhow. This mends copies that were damaged meanwhile.",
                "",
                "Example: remap metadata sync disk.img",
                ""
            })
    static final class SyncCommand extends OfService {
        /** Made by picocli. */
        SyncCommand() {}

        @Override
        int run() throws Exception {
            return each("metadata.sync");
        }
    }
}
