package io.remap.core.disk;

import io.remap.testkit.SimulationRun.Lives;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** This package with a defect put in, and the lives that can show it. */
final class Mutant {
    private static final String PACKAGE = "io.remap.core.disk";

    private final io.remap.testkit.Mutant classes;
    private Lives lives = Lives.ALL;

    Mutant(String name) {
        classes = new io.remap.testkit.Mutant(name, "remap-core", PACKAGE);
    }

    String name() {
        return classes.name();
    }

    /** Only these lives can show it: saves the others. */
    Mutant foundBy(Lives which) {
        lives = which;
        return this;
    }

    Lives lives() {
        return lives;
    }

    /** Replaces a text that occurs exactly once in a source file of the package. */
    Mutant replace(String className, String original, String mutated) {
        classes.replace(className, original, mutated);
        return this;
    }

    /** A class of the tests in this package, over the package with the defect. */
    Class<?> load(String testClass, Path directory) throws IOException, ClassNotFoundException {
        return classes.loadWith(List.of(PACKAGE + "." + testClass), directory);
    }
}
