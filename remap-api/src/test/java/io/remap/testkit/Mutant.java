package io.remap.testkit;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
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

/**
 * The classes of a package of the product with a defect put in: a replacement in the source, compiled apart; the package is
 * loaded by a class loader of its own. So the product needs no hooks, and a defect is as readable as a patch.
 */
public final class Mutant {
    /** Of all modules: a module's tests run in its folder. */
    private static final Path ROOT =
            Path.of(System.getProperty("basedir", ".")).toAbsolutePath().getParent();

    private final String name;
    private final String module;
    private final String packageName;
    private final Map<String, List<String[]>> replacements = new LinkedHashMap<>();

    /**
     * A copy without a defect yet.
     *
     * @param name the rule that it breaks
     * @param module folder of the module, as "remap-core"
     * @param packageName the package that is changed
     */
    public Mutant(String name, String module, String packageName) {
        this.name = name;
        this.module = module;
        this.packageName = packageName;
    }

    public String name() {
        return name;
    }

    /** The package that is changed. */
    public String packageName() {
        return packageName;
    }

    @Override
    public String toString() {
        return name;
    }

    /** Replaces a text that occurs exactly once in a source file of the package. */
    public Mutant replace(String className, String original, String mutated) {
        replacements
                .computeIfAbsent(className + ".java", c -> new ArrayList<>())
                .add(new String[] {original, mutated});
        return this;
    }

    /**
     * The package with the defect, and classes of the tests that shall see it.
     *
     * @param testClasses their full names
     * @return the first of them in its form that does
     */
    public Class<?> loadWith(List<String> testClasses, Path directory) throws IOException, ClassNotFoundException {
        return compile(directory, testClasses).loadClass(testClasses.get(0));
    }

    /** A class of the package with the defect. */
    public Class<?> load(String className, Path directory) throws IOException, ClassNotFoundException {
        return compile(directory, List.of()).loadClass(packageName + "." + className);
    }

    /** Compiles the files that are changed; all other classes are taken as they are. */
    private Loader compile(Path directory, List<String> testClasses) throws IOException {
        Path sources = Files.createDirectories(directory.resolve("src"));
        Path classes = Files.createDirectories(directory.resolve("classes"));
        Path originals = ROOT.resolve(module).resolve("src/main/java").resolve(packageName.replace('.', '/'));
        List<String> arguments = new ArrayList<>(List.of("-nowarn", "-proc:none", "-d", classes.toString()));
        arguments.addAll(List.of(
                "-cp", System.getProperty("java.class.path") + ":" + System.getProperty("jdk.module.path", "")));
        for (String file : replacements.keySet()) {
            arguments.add(mutated(originals.resolve(file), sources).toString());
        }
        ByteArrayOutputStream messages = new ByteArrayOutputStream();
        PrintStream print = new PrintStream(messages, true, StandardCharsets.UTF_8);
        ToolProvider javac = ToolProvider.findFirst("javac").orElseThrow();
        if (javac.run(print, print, arguments.toArray(new String[0])) != 0) {
            throw new IllegalStateException(name + " does not compile: " + messages.toString(StandardCharsets.UTF_8));
        }
        return new Loader(classes.toUri().toURL(), packageName, testClasses);
    }

    private Path mutated(Path file, Path target) throws IOException {
        String source = Files.readString(file);
        for (String[] replacement : replacements.get(file.getFileName().toString())) {
            int at = source.indexOf(replacement[0]);
            if (at < 0 || source.indexOf(replacement[0], at + 1) >= 0) {
                throw new IllegalStateException(name + ": '" + replacement[0] + "' must stand exactly once in " + file);
            }
            source = source.replace(replacement[0], replacement[1]);
        }
        return Files.writeString(target.resolve(file.getFileName().toString()), source);
    }

    /** Defines the package and the classes of the tests itself, with the changed classes; takes all else from the parent. */
    private static final class Loader extends URLClassLoader {
        private final String packageName;
        private final List<String> testClasses;

        Loader(URL classes, String packageName, List<String> testClasses) {
            super(new URL[] {classes}, Mutant.class.getClassLoader());
            this.packageName = packageName;
            this.testClasses = testClasses;
        }

        private boolean isMutated(String className) {
            return className.startsWith(packageName + ".")
                    || testClasses.stream().anyMatch(one -> className.equals(one) || className.startsWith(one + "$"));
        }

        @Override
        protected Class<?> loadClass(String className, boolean resolve) throws ClassNotFoundException {
            if (!isMutated(className)) {
                return super.loadClass(className, resolve);
            }
            synchronized (getClassLoadingLock(className)) {
                Class<?> loaded = findLoadedClass(className);
                return loaded == null ? findClass(className) : loaded;
            }
        }

        @Override
        protected Class<?> findClass(String className) throws ClassNotFoundException {
            try (InputStream bytes = getResourceAsStream(className.replace('.', '/') + ".class")) {
                if (bytes == null) {
                    throw new ClassNotFoundException(className);
                }
                byte[] content = bytes.readAllBytes();
                return defineClass(className, content, 0, content.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(className, e);
            }
        }

        /** The changed form first. Lincheck, too, reads the bytes of classes as resources. */
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
