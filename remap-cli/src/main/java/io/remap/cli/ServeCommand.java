package io.remap.cli;

import io.remap.api.DeviceUri;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.ListenAddress;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.cli.control.RunDirectory;
import io.remap.core.DiskSpec;
import io.remap.core.HostPaths;
import io.remap.core.Providers;
import io.remap.core.Service;
import io.remap.core.ServiceSpec;
import io.remap.core.ServiceSpec.TransportPreference;
import io.remap.core.ServiceStatus;
import io.remap.core.SystemEnvironment;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Serves a disk until it is told to stop. */
@Command(
        name = ServeCommand.NAME,
        header = "Serve a disk over NBD, its bad sectors redirected to a spare.",
        description = {
            "Runs in the foreground until SIGTERM, SIGINT or 'remap stop': then it answers what is under way, flushes, "
                    + "saves and ends with status 0.",
            "",
            "MAIN is adopted in place: what is on it stays where it is. A spare that is blank is formatted, and said so; one "
                    + "on which anything is found is refused. Blank is one of zeros: all of it up to 256M, and beyond "
                    + "at its beginning, middle and end, where its tables will begin, and at samples between. An image file without --spare "
                    + "gets the spare MAIN.spare beside it.",
            "",
            "Examples:",
            "  remap serve disk.img",
            "  remap serve /dev/sdb --spare /dev/sdc1 --name old-disk",
            "  remap serve disk.img --socket /run/me/disk.sock --listen 127.0.0.1:10809",
            ""
        })
final class ServeCommand extends Verb implements Foreground.Command {
    static final String NAME = "serve";

    /** The line that says that clients can connect. */
    static final String READY = "ready";
    /** The last line of a stop in good order. */
    static final String STOPPED = "stopped; everything is flushed and saved";

    /** A process id, and a line feed. */
    private static final long MAX_PID_FILE_BYTES = 32;

    @Parameters(paramLabel = "MAIN", description = "The failing device: path or URI.")
    String main;

    /** The spare, or that there is none. */
    static final class SpareChoice {
        @Option(
                names = "--spare",
                paramLabel = "SPARE",
                description =
                        "The healthy device: path or URI. Again for each further one that is not found where it was.")
        List<String> spares = new ArrayList<>();

        @Option(
                names = "--no-spare",
                description = "Serve MAIN alone: nothing is redirected. Refused if MAIN is known to have a spare.")
        boolean none;

        /** Made by picocli. */
        SpareChoice() {}
    }

    @ArgGroup(exclusive = true)
    SpareChoice spareChoice = new SpareChoice();

    @Mixin
    final ListenOptions listen = new ListenOptions();

    @Option(
            names = "--name",
            paramLabel = "NAME",
            description = "Name of the service and the disk; default: from MAIN.")
    String name;

    @Option(names = "--export", paramLabel = "NAME", description = "Name that clients ask for; default: the name.")
    String export;

    @Option(
            names = "--read-only",
            description = "Refuse writes. Serves what is certain where the mappings cannot be loaded.")
    boolean readOnly;

    /** How transfers reach main. */
    static final class DoorChoice {
        @Option(names = "--direct", description = "Past the page cache, or not at all. Default: where it is possible.")
        boolean direct;

        @Option(names = "--buffered", description = "Through the page cache: a write error may come with a flush only.")
        boolean buffered;

        /** Made by picocli. */
        DoorChoice() {}
    }

    @ArgGroup(exclusive = true)
    DoorChoice doorChoice = new DoorChoice();

    @Option(
            names = "--sector-size",
            paramLabel = "BYTES",
            description = "Sector size of the disk, where MAIN is a file: 512 (default) or 4096.")
    Integer sectorBytes;

    @Option(
            names = "--transport",
            paramLabel = "KIND",
            defaultValue = "auto",
            description = "plain, fast, or auto: the fast one where a module provides it.")
    TransportPreference transport;

    @Option(
            names = "--set",
            paramLabel = "SETTING=VALUE",
            description = "Choose the value of a setting; 'remap plugins settings' lists them.")
    Map<String, String> settings = new LinkedHashMap<>();

    @Option(
            names = "--force",
            description = "Take devices that look in use, a spare that is in memory, and a spare as main.")
    boolean force;

    @Option(
            names = "--adopt",
            description =
                    "Take MAIN for the one the spare belongs to, although it is not recognised as that, and a spare"
                            + " that is named for the one served last, although its stamps are damaged.")
    boolean adopt;

    @Option(
            names = "--accept-main-changes",
            description = "Go on with MAIN as it is, although it was written without remap since the last clean stop.")
    boolean acceptMainChanges;

    @Option(
            names = "--no-witness",
            description = "Go on where it cannot be noted durably that MAIN belongs to this spare.")
    boolean noWitness;

    @Option(
            names = "--take-over",
            description =
                    "Take the pair from another host that has not stopped it, if that gives no sign of life any more.")
    boolean takeOver;

    @Option(
            names = "--missing-spares",
            description = "Serve without further spares that are not there: what stands on them answers with errors.")
    boolean missingSpares;

    @Option(
            names = "--pid-file",
            paramLabel = "FILE",
            description = "Write the process id there when clients can connect; removed at the end.")
    Path pidFile;

    @Option(
            names = "--ready-fd",
            paramLabel = "N",
            description = "Write a line to this file descriptor when clients can connect.")
    Integer readyDescriptor;

    private final Foreground foreground = new Foreground();

    /** Made by picocli. */
    ServeCommand() {}

    @Override
    int run() throws Exception {
        ServiceSpec service = specification();
        checkAnnouncements();
        foreground.begin();
        return serve(service);
    }

    @Override
    public Foreground foreground() {
        return foreground;
    }

    private int serve(ServiceSpec specification) throws Exception {
        try (SystemEnvironment system = SystemEnvironment.start()) {
            Service service = Service.start(Providers.load(), specification, system.environment());
            foreground.stopTakes(service.stopMillis());
            boolean inTime;
            try {
                var unused = service.stopRequested().thenRun(() -> foreground.stop("remap stop"));
                announce(service.status());
                String why = foreground.awaitStop();
                out().println("stopping (" + why + ")");
                out().flush();
            } finally {
                inTime = service.stop();
                removePidFile();
            }
            if (!inTime || service.stopFailure() != null) {
                throw new Refusal(
                        Refusal.Kind.DEVICE_FAILED,
                        "service '" + specification.name() + "' stopped, but not in order: "
                                + (service.stopFailure() == null
                                        ? "it was interrupted"
                                        : service.stopFailure().getMessage()),
                        service.stopFailure());
            }
            out().println(STOPPED);
            return ExitStatus.OK;
        }
    }

    private ServiceSpec specification() throws Refusal {
        DeviceUri mainUri = DeviceUri.parse(main);
        String chosenName = name == null ? RunDirectory.nameFor(mainUri.path()) : name;
        RunDirectory.checkName(chosenName);
        List<ListenAddress> addresses = listen.addresses(this::note);
        Path runDirectory = RunDirectory.locate(System.getenv());
        RunDirectory.prepare(runDirectory);
        if (addresses.isEmpty()) {
            addresses.add(ListenOptions.inRunDirectory(runDirectory, chosenName));
        }
        List<DeviceUri> spares = new ArrayList<>();
        for (String spare : spareChoice.spares) {
            spares.add(DeviceUri.parse(spare));
        }
        DiskSpec disk = new DiskSpec(
                mainUri,
                spares,
                spareChoice.none,
                chosenName,
                export == null ? "" : export,
                readOnly,
                door(),
                sectorBytes == null ? OptionalInt.empty() : OptionalInt.of(sectorBytes),
                force,
                adopt,
                acceptMainChanges,
                noWitness,
                takeOver,
                missingSpares);
        return new ServiceSpec(
                chosenName,
                addresses,
                transport,
                new Settings(settings),
                runDirectory,
                HostPaths.ofThisUser().stateDirectory(),
                List.of(disk));
    }

    private Door door() {
        if (doorChoice.direct) {
            return Door.DIRECT;
        }
        return doorChoice.buffered ? Door.BUFFERED : Door.AUTO;
    }

    /** Says where the disk is and how to attach it; the last line, {@code ready}, is for programs that wait for it. */
    private void announce(ServiceStatus status) throws IOException {
        Terminal terminal = terminal();
        Map<String, Object> map = status.toMap();
        for (Object disk : StatusText.list(map, "disks")) {
            new StatusText(terminal).disk((Map<?, ?>) disk);
            List<?> commands = StatusText.list((Map<?, ?>) disk, "attachCommands");
            if (!commands.isEmpty()) {
                terminal.line("  attach it with one of");
                commands.forEach(command -> terminal.line("    " + command));
            }
        }
        terminal.line("  transport " + status.transport() + ", I/O engine " + status.ioEngine());
        for (FeatureStatus feature : status.features()) {
            if (feature.name().equals("I/O-opt") && feature.state() == FeatureState.FAILED) {
                terminal.line("  I/O-opt: " + feature.text());
            }
        }
        terminal.line("  look at it with   remap status " + status.name());
        terminal.line("  stop it with      remap stop " + status.name());
        // Before anybody is told: who waits for the line may read the file next.
        if (pidFile != null) {
            writePidFile();
        }
        terminal.line(READY);
        out().flush();
        if (readyDescriptor != null) {
            tellReadyDescriptor();
        }
    }

    /** What could be told only after the start is looked at before it: a refusal leaves nothing written. */
    private void checkAnnouncements() throws Refusal, IOException {
        if (readyDescriptor != null && !Files.isWritable(descriptorPath())) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "--ready-fd " + readyDescriptor + ": no pipe or file to write to is open");
        }
        if (pidFile == null) {
            return;
        }
        Path directory = pidFile.toAbsolutePath().normalize().getParent();
        if (directory == null || !Files.isDirectory(directory) || !Files.isWritable(directory)) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "--pid-file " + pidFile + ": " + directory + " is no directory that can be written to");
        }
        if (Files.exists(pidFile, LinkOption.NOFOLLOW_LINKS) && !isPidFile(pidFile)) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "--pid-file " + pidFile + " exists and holds something else than a process id: name another file");
        }
    }

    /** Whether it is what a server wrote that was killed, so that nothing is lost with it. */
    private static boolean isPidFile(Path file) throws IOException {
        return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                && Files.size(file) <= MAX_PID_FILE_BYTES
                && Files.readString(file, StandardCharsets.ISO_8859_1).matches("[0-9]*\\s*");
    }

    private Path descriptorPath() {
        return Path.of("/proc/self/fd", readyDescriptor.toString());
    }

    private void tellReadyDescriptor() throws Refusal {
        try {
            Files.write(descriptorPath(), (READY + "\n").getBytes(StandardCharsets.US_ASCII), StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "--ready-fd " + readyDescriptor + ": no pipe or file to write to: " + e.getMessage(),
                    e);
        }
    }

    private void writePidFile() throws IOException {
        try {
            replacePidFile();
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "the file of --pid-file cannot be written: " + e.getMessage(), e);
        }
    }

    private void replacePidFile() throws IOException {
        Path temporary = pidFile.resolveSibling(pidFile.getFileName() + ".new");
        Files.writeString(temporary, ProcessHandle.current().pid() + "\n");
        Files.move(temporary, pidFile, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private void removePidFile() throws IOException {
        if (pidFile != null) {
            Files.deleteIfExists(pidFile);
        }
    }
}
