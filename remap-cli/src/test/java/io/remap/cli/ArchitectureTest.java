package io.remap.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.lang.module.ModuleDescriptor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The rules of docs/ARCHITECTURE.md that a machine can check, over all modules. */
class ArchitectureTest {
    private static final Path ROOT = Path.of("").toAbsolutePath().getParent();
    private static final Set<String> FEATURES = Set.of("metadata", "health", "iopt", "nbd");
    private static final Set<String> MODULES = Set.of("api", "core", "metadata", "health", "iopt", "nbd", "cli");

    private static JavaClasses classes;

    @BeforeAll
    static void importClasses() {
        classes = new ClassFileImporter()
                .importPaths(MODULES.stream().map(ArchitectureTest::classesOf).toList());
        for (String module : Set.of("api", "core", "nbd", "cli", "metadata")) {
            assertTrue(
                    classes.stream().anyMatch(c -> c.getPackageName().startsWith("io.remap." + module)),
                    "no class of " + module + " was found in " + classesOf(module));
        }
    }

    private static Path classesOf(String module) {
        return ROOT.resolve("remap-" + module).resolve("target").resolve("classes");
    }

    private static ModuleDescriptor descriptor(String module) throws IOException {
        try (InputStream in = Files.newInputStream(classesOf(module).resolve("module-info.class"))) {
            return ModuleDescriptor.read(in);
        }
    }

    private static Set<String> required(String module, String prefix) throws IOException {
        return descriptor(module).requires().stream()
                .map(ModuleDescriptor.Requires::name)
                .filter(name -> name.startsWith(prefix))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static Set<String> exported(String module) throws IOException {
        return descriptor(module).exports().stream()
                .map(ModuleDescriptor.Exports::source)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void everyFolderOfAModuleIsKnownHere() throws IOException {
        try (Stream<Path> folders = Files.list(ROOT)) {
            Set<String> found = folders.filter(folder -> Files.exists(folder.resolve("pom.xml")))
                    .map(folder -> folder.getFileName().toString().replaceFirst("^remap-", ""))
                    .collect(Collectors.toSet());
            assertEquals(MODULES, found);
        }
    }

    @Test
    void theArrowsBetweenTheModulesAreTheDrawnOnes() throws IOException {
        Map<String, Set<String>> drawn = new TreeMap<>();
        Map<String, Set<String>> found = new TreeMap<>();
        for (String module : MODULES) {
            drawn.put(module, Set.of("io.remap.api"));
            found.put(module, required(module, "io.remap."));
        }
        drawn.put("api", Set.of());
        drawn.put("cli", Set.of("io.remap.api", "io.remap.core"));
        assertEquals(drawn, found);
    }

    @Test
    void featuresExportNothingAndTheOthersWhatIsMeantForOthers() throws IOException {
        for (String feature : FEATURES) {
            ModuleDescriptor descriptor = descriptor(feature);
            assertEquals(Set.of(), descriptor.exports(), feature);
            assertEquals(Set.of(), descriptor.opens(), feature);
            assertEquals(false, descriptor.isOpen(), feature);
        }
        assertEquals(Set.of("io.remap.api", "io.remap.api.listen", "io.remap.api.spi"), exported("api"));
        assertEquals(Set.of("io.remap.core", "io.remap.core.disk", "io.remap.core.sim"), exported("core"));
        assertEquals(Set.of(), exported("cli"));
    }

    @Test
    void onlyCoreLoadsProviders() throws IOException {
        for (String module : MODULES) {
            if (!module.equals("core")) {
                assertEquals(Set.of(), descriptor(module).uses(), module);
            }
        }
        noClasses()
                .that()
                .resideOutsideOfPackage("io.remap.core..")
                .should()
                .dependOnClassesThat()
                .areAssignableTo(java.util.ServiceLoader.class)
                .check(classes);
    }

    @Test
    void apiNeedsNothingButTheLoggingFacade() throws IOException {
        Set<String> required = required("api", "");
        assertEquals(Set.of("java.base", "org.slf4j"), required);
    }

    @Test
    void nettyIsInTheFastPathAlone() throws IOException {
        for (String module : MODULES) {
            if (!module.equals("iopt")) {
                assertEquals(Set.of(), required(module, "io.netty"), module);
            }
        }
        noClasses()
                .that()
                .resideOutsideOfPackage("io.remap.iopt..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.netty..")
                .check(classes);
    }

    @Test
    void packagesFormNoCycles() {
        slices().assignedFrom(new SliceAssignment() {
                    @Override
                    public SliceIdentifier getIdentifierOf(JavaClass javaClass) {
                        return SliceIdentifier.of(javaClass.getPackageName());
                    }

                    @Override
                    public String getDescription() {
                        return "packages";
                    }
                })
                .should()
                .beFreeOfCycles()
                .check(classes);
    }

    @Test
    void theCLibraryIsReachedFromTheDevicesAndForMemoryAlone() {
        noClasses()
                .that()
                .resideOutsideOfPackages("io.remap.core.libc..", "io.remap.core.device..", "io.remap.core.io..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.remap.core.libc..")
                .check(classes);
    }

    @Test
    void theVirtualDiskKnowsNoDeviceAndNoProvider() {
        noClasses()
                .that()
                .resideInAPackage("io.remap.core.disk..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.remap.core", "io.remap.core.device..", "io.remap.core.io..")
                .check(classes);
    }

    @Test
    void theControlKnowsNoCommandLine() {
        noClasses()
                .that()
                .resideInAnyPackage("io.remap.cli.control..", "io.remap.cli.nbd..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("picocli..", "io.remap.cli")
                .check(classes);
    }

    @Test
    void onlyTheCommandLineTalksToTheTerminal() {
        noClasses()
                .that()
                .resideOutsideOfPackage("io.remap.cli")
                .should(ACCESS_STANDARD_STREAMS)
                .check(classes);
    }

    @Test
    void nothingSleepsAndNothingIsDeserialised() {
        noClasses().should().callMethod(Thread.class, "sleep", long.class).check(classes);
        noClasses()
                .should()
                .callMethod(Thread.class, "sleep", long.class, int.class)
                .check(classes);
        noClasses()
                .should()
                .dependOnClassesThat()
                .areAssignableTo(ObjectInputStream.class)
                .check(classes);
    }

    @Test
    void logicTakesItsTimeAndChanceFromTheEnvironment() {
        String[] logic = {"io.remap.core.disk..", "io.remap.metadata..", "io.remap.health..", "io.remap.nbd"};
        for (String method : List.of("currentTimeMillis", "nanoTime")) {
            noClasses()
                    .that()
                    .resideInAnyPackage(logic)
                    .should()
                    .callMethod(System.class, method)
                    .check(classes);
        }
        noClasses()
                .that()
                .resideInAnyPackage(logic)
                .should()
                .dependOnClassesThat()
                .areAssignableTo(java.util.Random.class)
                .orShould()
                .callConstructor(Thread.class, Runnable.class)
                .check(classes);
    }

    @Test
    void theMeasureOfMethodsMeasures() {
        String source = """
                class A {
                    // { not a brace
                    int f = g(() -> {
                        return 1;
                    });

                    A(int a) {
                        this.s = "}{" + '{';
                    }

                    static {
                        h();
                    }

                    @Override
                    public <T extends B<T>> T m(int a, String b) throws E {
                        if (a > 1) {
                            run(new R() {
                                public void run() {
                                    x();
                                }
                            });
                        }
                    }
                }
                """;
        assertEquals(
                List.of(
                        "A(int a) 3",
                        "public void run() 3",
                        "@Override public <T extends B<T>> T m(int a, String b) throws E 9"),
                MethodLengths.headers(source));
    }

    @ParameterizedTest
    @ValueSource(strings = {"api", "core", "metadata", "health", "iopt", "nbd", "cli"})
    void methodsFitOnAScreen(String module) throws IOException {
        List<String> tooLong = new ArrayList<>();
        try (Stream<Path> files = Files.walk(ROOT.resolve("remap-" + module).resolve("src/main/java"))) {
            for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
                tooLong.addAll(MethodLengths.longerThan(70, file));
            }
        }
        assertEquals(List.of(), tooLong);
    }
}
