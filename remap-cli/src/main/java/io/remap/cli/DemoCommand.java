package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.cli.control.RunDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.concurrent.ThreadLocalRandom;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Shows in a minute what this program is for, and checks it. */
@Command(
        name = "demo",
        header = "Show in a minute, without a disk of yours, what remap does.",
        description = {
            "Makes a small simulated disk in a temporary directory and serves it, writes and reads through its bad "
                    + "sectors, kills the server in the middle of writes, and starts it again. Every sector is compared "
                    + "with what was acknowledged: exit status 1 if anything is not as promised, and the files stay.",
            "",
            "Examples:",
            "  remap demo",
            "  remap demo --keep --seed 7",
            ""
        })
final class DemoCommand extends Verb {
    /** Room for the names of sockets under it: the path of a Unix socket has at most 107 bytes. */
    private static final int MAX_DIRECTORY_BYTES = 80;

    @Option(names = "--keep", description = "Leave the files of the demo, to look at them or to serve them.")
    boolean keep;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "Play it again as another one was: the same bad places, contents and writes.")
    Long seed;

    /** Made by picocli. */
    DemoCommand() {}

    @Override
    int run() throws Exception {
        long chosenSeed = seed == null ? ThreadLocalRandom.current().nextInt(1, Integer.MAX_VALUE) : seed;
        Path directory = makeDirectory();
        terminal().heading("remap demo, seed " + chosenSeed + ", in the directory " + directory);
        Demo demo = new Demo(terminal(), directory, chosenSeed);
        Thread abandon = new Thread(() -> abandon(demo, directory), "remap-demo-end");
        Runtime.getRuntime().addShutdownHook(abandon);
        boolean asPromised = false;
        try (demo) {
            play(demo);
            asPromised = true;
        } catch (NotSo e) {
            throw new NotSo("demo: NOT as promised: " + e.getMessage() + " (the files are kept in " + directory
                    + "; repeat with 'remap demo --seed " + chosenSeed + "')");
        } catch (Refusal e) {
            asPromised = true;
            throw e;
        } finally {
            Runtime.getRuntime().removeShutdownHook(abandon);
            out().flush();
            if (asPromised && !keep) {
                Demo.removeTree(directory);
            }
        }
        if (keep) {
            terminal().line("the files are kept in " + directory);
        }
        return ExitStatus.OK;
    }

    /** A conversation that breaks off, or an answer that does not come, is a broken promise too. */
    private static void play(Demo demo) throws Refusal, InterruptedException, NotSo {
        try {
            demo.run();
        } catch (Refusal e) {
            throw e;
        } catch (IOException e) {
            throw new NotSo(String.valueOf(e.getMessage()));
        }
    }

    private static Path makeDirectory() throws Refusal {
        String wanted = System.getenv().getOrDefault("TMPDIR", "");
        String parent = wanted.isEmpty() || wanted.length() > MAX_DIRECTORY_BYTES ? "/tmp" : wanted;
        // Shorter than the JDK makes the names of temporary directories, as these commands are for people to read.
        String name = Integer.toUnsignedString(new SecureRandom().nextInt(), Character.MAX_RADIX);
        try {
            return Files.createDirectory(
                    Path.of(parent).toRealPath().resolve("remap-demo." + name),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "no directory for the demo can be made in " + parent + ": " + RunDirectory.reason(e)
                            + "; set TMPDIR to a directory where you may write",
                    e);
        }
    }

    /** Runs on SIGTERM and the like. */
    private void abandon(Demo demo, Path directory) {
        demo.abandon();
        if (!keep) {
            try {
                Demo.removeTree(directory);
            } catch (IOException e) {
                note("the files of the demo are left in " + directory + ": " + e.getMessage());
            }
        }
    }
}
