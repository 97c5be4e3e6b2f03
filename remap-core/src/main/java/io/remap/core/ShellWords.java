package io.remap.core;

/** Words of a command that somebody copies to a shell. Pure. */
public final class ShellWords {
    private ShellWords() {}

    /** A word as a shell takes it. */
    public static String quoted(String word) {
        return word.matches("[A-Za-z0-9_./:=@%+,-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
    }

    /** A path or URI of a device that is not taken for an option. */
    public static String argument(String device) {
        return device.startsWith("-") ? "./" + device : device;
    }

    /** Both. */
    public static String device(String device) {
        return quoted(argument(device));
    }
}
