package io.remap.cli;

import io.remap.api.DeviceUri;
import io.remap.core.HostPaths;
import io.remap.core.Pairing;
import io.remap.core.Providers;
import io.remap.core.SystemEnvironment;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Gives up the spare of a main. */
@Command(
        name = "forget",
        header = "Forget which spare a main device belongs to.",
        description = {
            "From then on MAIN may be served alone or with a new spare. Sectors that stand on the old spare are given "
                    + "up: MAIN holds old or unreadable content there. Nothing is written to the old spare.",
            "Exit status 1 if nothing was known of MAIN.",
            "",
            "Example: remap forget /dev/sdb",
            ""
        })
final class ForgetCommand extends Verb {
    @Parameters(paramLabel = "MAIN", description = "The failing device: path or URI.")
    String main;

    /** Made by picocli. */
    ForgetCommand() {}

    @Override
    int run() throws Exception {
        try (SystemEnvironment system = SystemEnvironment.start()) {
            List<String> forgotten = new Pairing(
                            Providers.load(), HostPaths.ofThisUser().stateDirectory(), system.environment())
                    .forget(DeviceUri.parse(main));
            if (forgotten.isEmpty()) {
                throw new NotSo(main + ": nothing is known of a spare, so there is nothing to forget");
            }
            forgotten.forEach(out()::println);
        }
        return ExitStatus.OK;
    }
}
