package io.remap.core.sim;

import java.nio.file.Path;

/** The files that stand beside the image of a simulated disk, by their default names. */
public final class SimFiles {
    private static final String FAULTS = ".sim-faults";
    private static final String CONTROL = ".sim-control";

    private SimFiles() {}

    /** The list of its faults. */
    public static Path faults(Path image) {
        return beside(image, FAULTS);
    }

    /** What happened to them. */
    public static Path state(Path image) {
        return beside(image, SimStateFile.SUFFIX);
    }

    /** The socket by which it is controlled while it is open. */
    public static Path control(Path image) {
        return beside(image, CONTROL);
    }

    private static Path beside(Path image, String suffix) {
        return image.resolveSibling(image.getFileName() + suffix);
    }
}
