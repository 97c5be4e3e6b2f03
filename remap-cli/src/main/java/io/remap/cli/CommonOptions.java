package io.remap.cli;

import picocli.CommandLine.Option;

/** Options of every command. */
final class CommonOptions {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help.")
    boolean help;

    @Option(
            names = {"-v", "--verbose"},
            description = "Log what is done, on stderr.")
    boolean verbose;

    @Option(names = "--debug", description = "Log everything, and show where an error comes from.")
    boolean debug;
}
