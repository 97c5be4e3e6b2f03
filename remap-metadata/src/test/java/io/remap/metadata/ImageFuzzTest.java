package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertFalse;

import com.code_intelligence.jazzer.Jazzer;
import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import io.remap.api.BlockDevice;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.SuiteBudget;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;

/**
 * G9: images that a fuzzer makes. The inputs that are kept, one a line in {@value #CORPUS}, run in every build; Jazzer goes on
 * from them in a process of its own, with a heap of 256 MiB. What it finds is printed as a line for that file.
 */
class ImageFuzzTest {
    private static final String CORPUS = "/fuzz/image-corpus.hex";
    private static final double SECONDS = 8;
    private static final long FLOOR = 500;
    private static final long FULL = 500_000;
    /** In a soak: so many at a time. */
    private static final int RUNS = 50_000;

    private static final int LONGEST_INPUT = 512;
    private static final int ONE_INPUT_SECONDS = 60;
    private static final long PATIENCE_MINUTES = 60;
    private static final Pattern RUN = Pattern.compile("stat::number_of_executed_units: (\\d+)");
    private static final Pattern COVERAGE = Pattern.compile(" cov: (\\d+) ft: (\\d+)");
    private static final Pattern SLOWEST = Pattern.compile("stat::slowest_unit_time_sec: +(\\d+)");

    @TempDir
    Path directory;

    private long covered;
    private long features;
    private long slowest;

    private static List<byte[]> kept() throws IOException {
        List<byte[]> inputs = new ArrayList<>(ImageFuzz.seeds());
        try (InputStream in = ImageFuzzTest.class.getResourceAsStream(CORPUS)) {
            new String(in.readAllBytes(), StandardCharsets.US_ASCII)
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .forEach(line -> inputs.add(HexFormat.of().parseHex(line)));
        }
        return inputs;
    }

    @Test
    void inputsThatAreKeptPass() throws IOException {
        for (byte[] input : kept()) {
            try {
                ImageFuzz.fuzzerTestOneInput(input);
            } catch (AssertionError | RuntimeException e) {
                throw new AssertionError("the input " + HexFormat.of().formatHex(input), e);
            }
        }
    }

    @Test
    void fuzzerFindsNothing() throws Exception {
        SuiteBudget budget = new SuiteBudget("G9 images by Jazzer", "executions", SECONDS, FLOOR, FULL);
        Path corpus = Files.createDirectory(directory.resolve("corpus"));
        int number = 0;
        for (byte[] input : kept()) {
            Files.write(corpus.resolve("kept-" + number++), input);
        }
        while (budget.goesOn()) {
            budget.ran(fuzz(corpus, budget));
        }
        try (Stream<Path> files = Files.list(corpus)) {
            budget.finish(String.format(
                    Locale.ROOT,
                    "coverage %,d edges, %,d features, corpus of %,d from %,d that are kept; the slowest took %d s",
                    covered,
                    features,
                    files.count(),
                    number,
                    slowest));
        }
    }

    /** Runs the fuzzer once; how many inputs it tried. */
    private long fuzz(Path corpus, SuiteBudget budget) throws Exception {
        Path log = directory.resolve("log");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx256m",
                        "-XX:+UseSerialGC",
                        "-cp",
                        classPath(),
                        Jazzer.class.getName(),
                        "--target_class=" + ImageFuzz.class.getName(),
                        "--instrumentation_includes=io.remap.metadata.**",
                        "-use_value_profile=1",
                        "-len_control=0",
                        "-max_len=" + LONGEST_INPUT,
                        "-timeout=" + ONE_INPUT_SECONDS,
                        "-print_final_stats=1",
                        limit(budget),
                        corpus.toString())
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            boolean ended = process.waitFor(PATIENCE_MINUTES, TimeUnit.MINUTES);
            String said = Files.readString(log, StandardCharsets.UTF_8);
            if (!ended || process.exitValue() != 0) {
                throw new AssertionError(found() + "\n" + said.substring(Math.max(0, said.length() - 6_000)));
            }
            covered = last(COVERAGE, 1, said);
            features = last(COVERAGE, 2, said);
            slowest = Math.max(slowest, last(SLOWEST, 1, said));
            long runs = last(RUN, 1, said);
            assertFalse(runs == 0, "it ran nothing: " + said);
            return runs;
        } finally {
            process.destroyForcibly();
        }
    }

    /** Seconds; and where these were too few to come to the floor, so many runs, however long they take. */
    private static String limit(SuiteBudget budget) {
        if (SuiteBudget.SOAK) {
            return "-runs=" + Math.min(RUNS, FULL - budget.count());
        }
        return budget.count() == 0 ? "-max_total_time=" + Math.max(1, Math.round(budget.seconds())) : "-runs=" + FLOOR;
    }

    private static long last(Pattern pattern, int group, String text) {
        Matcher matcher = pattern.matcher(text);
        long value = 0;
        while (matcher.find()) {
            value = Long.parseLong(matcher.group(group));
        }
        return value;
    }

    /** The input that a fuzzer left, as a line for the file of those that are kept. */
    private String found() throws IOException {
        List<String> lines = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "{crash,timeout,oom}-*")) {
            for (Path file : files) {
                lines.add(file.getFileName() + ", for " + CORPUS + ":\n"
                        + HexFormat.of().formatHex(Files.readAllBytes(file)));
            }
        }
        return lines.isEmpty() ? "the fuzzer failed" : String.join("\n", lines);
    }

    /** The fuzzer runs on the class path: it knows no modules. */
    private static String classPath() throws URISyntaxException {
        List<Class<?>> classes = new ArrayList<>(List.of(
                ImageFuzz.class,
                LogMetadataProvider.class,
                BlockDevice.class,
                CrashDevice.class,
                Logger.class,
                Jazzer.class,
                FuzzedDataProvider.class));
        List<String> places = new ArrayList<>();
        for (Class<?> one : classes) {
            places.add(placeOf(one));
        }
        return places.stream().distinct().collect(Collectors.joining(java.io.File.pathSeparator));
    }

    /** The directory or jar that a class is in. */
    private static String placeOf(Class<?> one) throws URISyntaxException {
        String file = one.getName().replace('.', '/') + ".class";
        URL url = one.getResource("/" + file);
        String text = url.toString();
        String place = text.substring(0, text.length() - file.length());
        return place.startsWith("jar:")
                ? Path.of(new URI(place.substring("jar:".length(), place.length() - "!/".length())))
                        .toString()
                : Path.of(new URI(place)).toString();
    }
}
