package io.remap.cli;

import java.lang.module.ModuleDescriptor;

/** The entry point of the {@code remap} command. */
final class Main {
    /** Exit status of a command line that is not understood. */
    private static final int EXIT_USAGE = 2;

    private Main() {}

    public static void main(String[] args) {
        if (args.length == 1 && args[0].equals("--version")) {
            System.out.println("remap " + version());
            return;
        }
        System.err.println("usage: remap --version");
        System.exit(EXIT_USAGE);
    }

    private static String version() {
        ModuleDescriptor descriptor = Main.class.getModule().getDescriptor();
        return descriptor.rawVersion().orElseThrow(() -> new IllegalStateException("module without a version"));
    }
}
