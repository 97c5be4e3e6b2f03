package io.remap.cli;

import io.remap.api.ByteSize;
import io.remap.api.DeviceUri;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.cli.control.RunDirectory;
import io.remap.core.Providers;
import io.remap.core.SystemEnvironment;
import io.remap.core.sim.SimFiles;
import io.remap.core.sim.SimServer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Serves a simulated disk alone until it is told to stop. */
@Command(
        name = ServeCommand.NAME,
        header = "Serve a simulated disk alone over NBD: its errors go to the client.",
        description = {
            "Runs in the foreground until SIGTERM or SIGINT. No spare, no retries: a request that the faults let fail answers "
                    + "EIO, one that hangs hangs, and delays no other. Meanwhile the other commands of 'remap sim' steer it.",
            "",
            "Examples:",
            "  remap sim serve disk.img",
            "  remap sim serve disk.img --listen 127.0.0.1:10810 --set trace=trace.txt",
            "  remap sim serve disk.img --set physical=4096 --set error-ms=7000",
            ""
        })
final class SimServeCommand extends Verb implements Foreground.Command {
    private static final long STOP_MILLIS = 2_000;
    private static final String DEFAULT_CACHE = "32M";

    @Parameters(paramLabel = "IMAGE", description = "The image file, or a URI sim:IMAGE?….")
    String image;

    @Mixin
    final ListenOptions listen = new ListenOptions();

    @Option(names = "--name", paramLabel = "NAME", description = "Name of the export; default: from IMAGE.")
    String name;

    @Option(names = "--read-only", description = "Refuse writes.")
    boolean readOnly;

    @Option(
            names = "--set",
            paramLabel = "PARAMETER=VALUE",
            description =
                    "A parameter of the disk, see docs/SIM.md. Default: control=IMAGE.sim-control, and a volatile cache "
                            + "of " + DEFAULT_CACHE + " for 'power-cut'.")
    Map<String, String> parameters = new LinkedHashMap<>();

    private final Foreground foreground = new Foreground();

    /** Made by picocli. */
    SimServeCommand() {}

    @Override
    public Foreground foreground() {
        return foreground;
    }

    @Override
    int run() throws Exception {
        SimServer.Spec serving = specification();
        foreground.begin();
        try (SystemEnvironment system = SystemEnvironment.start()) {
            SimServer server = SimServer.start(Providers.load(), serving, system.environment());
            try {
                out().println(serving.name() + ": " + ByteSize.format(server.sizeBytes()) + ", " + serving.disk());
                server.uris().forEach(uri -> out().println("  " + uri));
                out().println(ServeCommand.READY);
                out().flush();
                out().println("stopping (" + foreground.awaitStop() + ")");
                out().flush();
            } finally {
                server.close(STOP_MILLIS);
            }
        }
        out().println("stopped");
        return ExitStatus.OK;
    }

    private SimServer.Spec specification() throws Refusal {
        DeviceUri disk = disk();
        String chosenName = name == null ? RunDirectory.nameFor(disk.path()) : name;
        RunDirectory.checkName(chosenName);
        List<ListenAddress> addresses = listen.addresses(this::note);
        if (addresses.isEmpty()) {
            Path runDirectory = RunDirectory.locate(System.getenv());
            RunDirectory.prepare(runDirectory);
            addresses.add(ListenOptions.inRunDirectory(runDirectory, chosenName));
        }
        return new SimServer.Spec(disk, chosenName, addresses, readOnly);
    }

    /** The image with what was said, and what goes with a disk that is served to be steered. */
    private DeviceUri disk() throws Refusal {
        DeviceUri said = DeviceUri.parse(SimSteering.uri(image));
        if (!said.scheme().equals("sim")) {
            throw new Refusal(Refusal.Kind.USAGE, "'" + image + "' is no simulated disk: expected a path or sim:PATH");
        }
        Map<String, String> all = new LinkedHashMap<>(said.parameters());
        all.putAll(parameters);
        all.putIfAbsent("control", SimFiles.control(Path.of(said.path())).toString());
        all.putIfAbsent("cache", DEFAULT_CACHE);
        return new DeviceUri(said.scheme(), said.path(), all, said.offsetBytes(), said.lengthBytes());
    }
}
