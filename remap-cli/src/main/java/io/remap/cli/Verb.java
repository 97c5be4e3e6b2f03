package io.remap.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Base of the commands: their common options and where they print. */
abstract class Verb implements Callable<Integer> {
    @Mixin
    final CommonOptions common = new CommonOptions();

    @Spec
    CommandSpec spec;

    /** What the user asked for; must be flushed by {@link #call}'s end. */
    final PrintWriter out() {
        return spec.commandLine().getOut();
    }

    /** What the user should know besides. */
    final void note(String message) {
        PrintWriter err = spec.commandLine().getErr();
        Main.complain(err, message);
    }

    final Terminal terminal() {
        return Terminal.of(out(), Terminal.isStandardOutputOne(), System.getenv());
    }

    /** Does it and returns the exit status. */
    abstract int run() throws Exception;

    @Override
    public final Integer call() throws Exception {
        int status = run();
        out().flush();
        return status;
    }
}
