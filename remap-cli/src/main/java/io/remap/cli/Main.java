package io.remap.cli;

import io.remap.api.DeviceException;
import io.remap.api.Refusal;
import io.remap.core.Service;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** The entry point of the {@code remap} command: one line on stderr and an exit status for whatever goes wrong. */
final class Main {
    private static final String LOG_LEVEL = "org.slf4j.simpleLogger.defaultLogLevel";

    private Main() {}

    public static void main(String[] args) {
        chooseLogLevel(List.of(args));
        if (List.of(args).contains(ServeCommand.NAME)) {
            preload();
        }
        CommandLine commandLine = commandLine(args);
        int status = execute(commandLine, new FileOutputStream(FileDescriptor.out), args);
        finished(commandLine, status);
        System.exit(status);
    }

    /** Runs it; what it prints goes there, or it has not done what it was asked for. */
    static int execute(CommandLine commandLine, OutputStream target, String... args) {
        StandardOutput output = new StandardOutput(target);
        commandLine.setOut(output.writer());
        int status = commandLine.execute(args);
        commandLine.getOut().flush();
        Optional<String> failure = output.failure();
        if (failure.isEmpty()) {
            return status;
        }
        complain(commandLine.getErr(), "cannot write the output: " + failure.get());
        return status == ExitStatus.OK ? Refusal.Kind.ENVIRONMENT.exitStatus() : status;
    }

    /** Tells those that run until a signal that they are over; a signal that comes later ends with this status. */
    static void finished(CommandLine commandLine, int status) {
        if (commandLine.getCommand() instanceof Foreground.Command command) {
            command.foreground().finished(status);
        }
        commandLine.getSubcommands().values().forEach(inner -> finished(inner, status));
    }

    /**
     * A server shall answer soon, and parsing a command line takes picocli as long as everything else together: meanwhile
     * another thread binds the C library. Nothing depends on it.
     */
    private static void preload() {
        Thread thread = new Thread(Service::preload, "remap-preload");
        thread.setDaemon(true);
        thread.start();
    }

    /** The parser for these arguments. */
    static CommandLine commandLine(String... args) {
        CommandLine commandLine = new CommandLine(new RemapCommand());
        RemapCommand.verbsFor(args).forEach(commandLine::addSubcommand);
        commandLine.setCaseInsensitiveEnumValuesAllowed(true);
        commandLine.setUsageHelpAutoWidth(true);
        // A device name may start with an at sign; options in files are not wanted.
        commandLine.setExpandAtFiles(false);
        commandLine.setParameterExceptionHandler((e, arguments) -> misused(e));
        commandLine.setExecutionExceptionHandler((e, command, parsed) -> failed(e, command));
        return commandLine;
    }

    /**
     * Before the first logger is made, and so before the command line is parsed. The launcher has set the level if the user
     * asked for one there.
     */
    private static void chooseLogLevel(List<String> args) {
        if (args.contains("--debug")) {
            System.setProperty(LOG_LEVEL, "debug");
        } else if (args.contains("-v") || args.contains("--verbose")) {
            System.setProperty(LOG_LEVEL, "info");
        } else if (System.getProperty(LOG_LEVEL) == null) {
            System.setProperty(LOG_LEVEL, "warn");
        }
        // By one thread, before others want a logger: SLF4J speaks up on stderr where several meet in its beginning.
        LoggerFactory.getILoggerFactory();
    }

    private static int misused(ParameterException e) {
        CommandLine command = e.getCommandLine();
        complain(
                command.getErr(),
                Misuse.explain(e) + "; see '" + command.getCommandSpec().qualifiedName() + " --help'");
        return ExitStatus.USAGE;
    }

    private static int failed(Exception e, CommandLine command) {
        PrintWriter err = command.getErr();
        if (command.getCommandSpec().userObject() instanceof Verb verb && verb.common.debug) {
            e.printStackTrace(err);
        }
        if (e instanceof NotSo) {
            complain(err, e.getMessage());
            return ExitStatus.NOT_SO;
        }
        if (e instanceof Refusal refusal) {
            complain(err, refusal.getMessage());
            return refusal.kind().exitStatus();
        }
        if (e instanceof DeviceException) {
            complain(err, e.getMessage());
            return ExitStatus.DEVICE_FAILED;
        }
        complain(err, "internal error: " + e + "; repeat with --debug and report what it prints");
        return ExitStatus.INTERNAL;
    }

    /** One line, whatever the message holds. */
    static void complain(PrintWriter err, String message) {
        err.println("remap: " + String.valueOf(message).strip().replaceAll("\\s*\\R\\s*", " "));
        err.flush();
    }

    /** The version of this module, for {@code --version}. */
    static final class Version implements CommandLine.IVersionProvider {
        /** Made by picocli. */
        Version() {}

        @Override
        public String[] getVersion() {
            String version = Main.class
                    .getModule()
                    .getDescriptor()
                    .rawVersion()
                    .orElseThrow(() -> new IllegalStateException("module without a version"));
            String java = String.format(Locale.ROOT, "Java %s", System.getProperty("java.version"));
            return new String[] {"remap " + version + " (" + java + ")"};
        }
    }
}
