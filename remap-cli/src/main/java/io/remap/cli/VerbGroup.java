package io.remap.cli;

/** Base of the commands that hold others: alone they show what there is, and that something was to be said. */
abstract class VerbGroup extends Verb {
    @Override
    final int run() {
        spec.commandLine().usage(out());
        return ExitStatus.USAGE;
    }
}
