package io.remap.cli;

import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The command itself: without a verb it shows its help. */
@Command(
        name = "remap",
        versionProvider = Main.Version.class,
        synopsisSubcommandLabel = "COMMAND",
        header = "Keeps a disk with bad sectors in service: serves it over NBD, its bad sectors redirected to a spare.",
        description = {
            "",
            "Try it without a disk: 'remap demo'. Serve a disk: 'remap serve MAIN --spare SPARE'.",
            "A device is a path or a URI: file:PATH, mem:NAME?size=64M, sim:PATH. For a part of it, add "
                    + "'?offset=BYTES&length=BYTES'.",
            ""
        },
        commandListHeading = "%nCommands:%n",
        exitCodeListHeading = "%nExit status:%n",
        exitCodeList = {
            "0:done, or it is as asked",
            "1:it is not so: not found, different, not done",
            "2:the command line is wrong, or a size or sector size does not fit",
            "3:the environment lacks something: file, permission, module, tool",
            "4:in use by somebody else: another server, a mount, a port, a name",
            "5:not the device that belongs here, or foreign content",
            "6:the metadata is damaged, or newer than this program",
            "7:a device failed",
            "8:a mistake in this program"
        },
        footer = {
            "",
            "Environment:",
            "  XDG_RUNTIME_DIR  holds remap/, the sockets of services; unset, as root: /run",
            "  REMAP_STATE_DIR  where it is noted which main belongs to which spare",
            "  REMAP_HOST_ID    name of this host, where /etc/machine-id is not there or not its own",
            "  REMAP_LOG        log on stderr: error, warn, info, debug, trace",
            "  REMAP_JAVA_OPTS  more options for the Java runtime",
            "  NO_COLOR         no colours"
        })
final class RemapCommand extends VerbGroup {
    /** The verbs in the order of the help. */
    private static final List<Class<? extends Verb>> VERBS = List.of(
            DemoCommand.class,
            ServeCommand.class,
            StatusCommand.class,
            StopCommand.class,
            MapCommand.class,
            AvoidCommand.class,
            SpareCommand.class,
            AttributesCommand.class,
            EventsCommand.class,
            CreateCommand.class,
            SizeCommand.class,
            ForgetCommand.class,
            DiscoverCommand.class,
            AssembleCommand.class,
            CheckCommand.class,
            RepairCommand.class,
            DumpCommand.class,
            MetadataCommand.class,
            HealthCommand.class,
            AlertsCommand.class,
            ScanCommand.class,
            ImpactCommand.class,
            DevicesCommand.class,
            PluginsCommand.class,
            SimCommand.class);

    @Option(
            names = {"-V", "--version"},
            versionHelp = true,
            description = "Show the version.")
    boolean version;

    /** Made by {@link Main}. */
    RemapCommand() {}

    /**
     * The verbs to tell the parser of: the one that was asked for, if the first word is one. To examine all of them takes
     * a tenth of a second.
     */
    static List<Class<? extends Verb>> verbsFor(String... arguments) {
        for (Class<? extends Verb> verb : VERBS) {
            if (arguments.length > 0
                    && arguments[0].equals(verb.getAnnotation(Command.class).name())) {
                return List.of(verb);
            }
        }
        return VERBS;
    }
}
