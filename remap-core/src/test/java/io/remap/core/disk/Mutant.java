package io.remap.core.disk;

import io.remap.testkit.SimulationRun.Lives;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/**
 * The classes of this package with a defect put in: a replacement in the source, compiled apart and loaded by a class
 * loader of its own. So the product needs no hooks, and a defect is as readable as a patch.
 */
final class Mutant {
    private static final String PACKAGE = "io.remap.core.disk";
    private static final Path SOURCES = Path.of(System.getProperty("basedir", "."), "src");

    private final String name;
    private Lives lives = Lives.ALL;
    private final Map<String, List<String[]>> replacements = new LinkedHashMap<>();

    Mutant(String name) {
        this.name = name;
    }

    String name() {
        return name;
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
        replacements
                .computeIfAbsent(className + ".java", c -> new ArrayList<>())
                .add(new String[] {original, mutated});
        return this;
    }

    /** Compiles the package with the replacements, and one class of the tests, whose mutated form is returned. */
    Class<?> load(String testClass, Path directory) throws IOException, ClassNotFoundException {
        Path sources = Files.createDirectories(directory.resolve("src"));
        Path classes = Files.createDirectories(directory.resolve("classes"));
        String folder = PACKAGE.replace('.', '/');
        List<String> arguments = new ArrayList<>(List.of("-nowarn", "-proc:none", "-d", classes.toString()));
        arguments.addAll(List.of(
                "-cp", System.getProperty("java.class.path") + ":" + System.getProperty("jdk.module.path", "")));
        try (Stream<Path> files = Files.list(SOURCES.resolve("main/java").resolve(folder))) {
            for (Path file : files.toList()) {
                arguments.add(mutated(file, sources).toString());
            }
        }
        arguments.add(SOURCES.resolve("test/java")
                .resolve(folder)
                .resolve(testClass + ".java")
                .toString());
        ByteArrayOutputStream messages = new ByteArrayOutputStream();
        PrintStream print = new PrintStream(messages, true, StandardCharsets.UTF_8);
        ToolProvider javac = ToolProvider.findFirst("javac").orElseThrow();
        if (javac.run(print, print, arguments.toArray(new String[0])) != 0) {
            throw new IllegalStateException(name + " does not compile: " + messages.toString(StandardCharsets.UTF_8));
        }
        return new Loader(classes.toUri().toURL()).loadClass(PACKAGE + "." + testClass);
    }

    private Path mutated(Path file, Path target) throws IOException {
        String source = Files.readString(file);
        for (String[] replacement : replacements.getOrDefault(file.getFileName().toString(), List.of())) {
            int at = source.indexOf(replacement[0]);
            if (at < 0 || source.indexOf(replacement[0], at + 1) >= 0) {
                throw new IllegalStateException(name + ": '" + replacement[0] + "' must stand exactly once in " + file);
            }
            source = source.replace(replacement[0], replacement[1]);
        }
        return Files.writeString(target.resolve(file.getFileName().toString()), source);
    }

    /** Takes the package from the mutant, all else from the parent. */
    private static final class Loader extends URLClassLoader {
        Loader(URL classes) {
            super(new URL[] {classes}, Mutant.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String className, boolean resolve) throws ClassNotFoundException {
            if (!className.startsWith(PACKAGE + ".")) {
                return super.loadClass(className, resolve);
            }
            synchronized (getClassLoadingLock(className)) {
                Class<?> loaded = findLoadedClass(className);
                return loaded == null ? findClass(className) : loaded;
            }
        }

        /** Lincheck reads the bytes of classes as resources. */
        @Override
        public URL getResource(String resource) {
            URL own = findResource(resource);
            return own == null ? super.getResource(resource) : own;
        }

        @Override
        public void close() {
            try {
                super.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
