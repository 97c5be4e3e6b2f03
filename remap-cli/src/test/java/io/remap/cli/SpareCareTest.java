package io.remap.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataReport;
import io.remap.api.spi.MetadataReport.Finding;
import io.remap.api.spi.MetadataReport.Part;
import io.remap.api.spi.MetadataReport.Severity;
import io.remap.api.spi.MetadataReport.Verdict;
import io.remap.api.spi.MetadataTools;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.Provider;
import io.remap.core.Devices;
import io.remap.core.Providers;
import io.remap.core.SpareCare;
import io.remap.core.SpareCare.Checked;
import io.remap.core.SpareCare.Level;
import io.remap.core.SystemEnvironment;
import java.io.RandomAccessFile;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a check of two spares in image files tells, where one of them has lost its table, fails, or is too new. */
class SpareCareTest {
    private static final long MAIN_BYTES = 64 << 20;
    private static final long SPARE_BYTES = 4 << 20;
    private static final PairIdentity PAIR = new PairIdentity(new UUID(5, 6), MAIN_BYTES, 512, "main");

    @TempDir
    Path directory;

    private SystemEnvironment system;
    private Providers providers;
    private DeviceUri first;
    private DeviceUri second;

    @BeforeEach
    void format() throws Exception {
        system = SystemEnvironment.start();
        providers = Providers.load();
        try (BlockDevice one = create("s0", SPARE_BYTES);
                BlockDevice other = create("s1", SPARE_BYTES)) {
            MetadataProvider metadata = providers.require(MetadataProvider.class, "log");
            new TwoSpares(one, other).format(metadata, PAIR);
            metadata.stampMember(other, 1);
        }
        first = DeviceUri.parse(directory.resolve("s0").toString());
        second = DeviceUri.parse(directory.resolve("s1").toString());
    }

    @AfterEach
    void stop() {
        system.close();
    }

    private BlockDevice create(String name, long bytes) throws Exception {
        return new Devices(providers)
                .open(
                        DeviceUri.parse(directory.resolve(name).toString()),
                        new OpenOptions(false, true, Door.AUTO, OptionalInt.empty(), OptionalLong.of(bytes), false));
    }

    private SpareCare care(Providers of) {
        return new SpareCare(of, directory, system.environment());
    }

    private Checked check(DeviceUri spare, DeviceUri... further) throws Exception {
        return care(providers).check(spare, List.of(further), Optional.empty(), Level.STANDARD);
    }

    private void loseTable(DeviceUri spare) throws Exception {
        try (RandomAccessFile file = new RandomAccessFile(spare.path(), "rw")) {
            for (Part part :
                    check(spare, spare.equals(first) ? second : first).report().parts()) {
                if (part.name().endsWith("header")) {
                    byte[] garbage = new byte[4096];
                    Arrays.fill(garbage, (byte) 0x5a);
                    file.seek(part.offsetBytes());
                    file.write(garbage);
                }
            }
        }
    }

    private static List<Finding> graverThanNotes(Checked checked) {
        return checked.report().findings().stream()
                .filter(finding -> finding.severity() != Severity.NOTE)
                .toList();
    }

    @Test
    void twoThatAreSoundAreToldToBe() throws Exception {
        for (Checked checked : List.of(check(first, second), check(second, first))) {
            assertEquals(Verdict.SOUND, checked.report().verdict());
            assertEquals(List.of(), graverThanNotes(checked));
            assertEquals("present", checked.further().get(0).state());
        }
    }

    @Test
    void aCopyThatIsLostIsAWarning() throws Exception {
        loseTable(second);
        for (Level level : Level.values()) {
            Checked checked = care(providers).check(first, List.of(second), Optional.empty(), level);
            assertEquals(Verdict.SOUND, checked.report().verdict());
            List<Finding> findings = graverThanNotes(checked);
            assertEquals(1, findings.size(), findings.toString());
            assertEquals(Severity.WARNING, findings.get(0).severity());
            assertTrue(findings.get(0).what().contains("none can be loaded from it"), findings.toString());
            assertEquals(ExitStatus.NOT_SO, CheckText.exitStatus(checked.toMap()));
        }
    }

    @Test
    void whereTheTableIsLostTheOthersThatAreNamedAreLookedAt() throws Exception {
        loseTable(first);
        Checked checked = check(first, second);
        assertEquals(Verdict.UNUSABLE, checked.report().verdict());
        Finding other = checked.report().findings().stream()
                .filter(finding -> finding.what().contains(second.path() + " (spare 1) has a table, of generation"))
                .findFirst()
                .orElseThrow(() -> new AssertionError(checked.report().findings()));
        assertTrue(other.hint().contains("'remap check " + second.path() + " --spare " + first.path()), other.hint());
        create("blank", SPARE_BYTES).close();
        DeviceUri blank = DeviceUri.parse(directory.resolve("blank").toString());
        Refusal refusal = assertThrows(Refusal.class, () -> check(first, blank));
        assertTrue(refusal.getMessage().contains("is no other spare of this pair"), refusal.getMessage());
        loseTable(second);
        assertTrue(check(first, second).report().findings().stream()
                .anyMatch(finding -> finding.what().contains("no table can be loaded from " + second.path())));
    }

    /** What the tools of the metadata answer. */
    private interface Answer {
        Object to(String method, Object[] arguments) throws Exception;
    }

    /** The real providers, with tools that answer otherwise where the answer is not {@code null}. */
    private Providers answering(Answer answer) throws Exception {
        MetadataProvider real = providers.require(MetadataProvider.class, "log");
        MetadataTools tools = wrapped(MetadataTools.class, real.tools().orElseThrow(), answer);
        List<Provider> all = new ArrayList<>(providers.all(BlockDeviceProvider.class));
        all.add(wrapped(
                MetadataProvider.class,
                real,
                (method, arguments) -> method.equals("tools") ? Optional.of(tools) : null));
        return Providers.of(all);
    }

    private static <T> T wrapped(Class<T> type, T real, Answer answer) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    Object own = answer.to(method.getName(), arguments);
                    try {
                        return own != null ? own : method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                }));
    }

    @Test
    void oneThatFailsEndsNoCheck() throws Exception {
        SpareCare care = care(answering((method, arguments) -> {
            if (method.equals("checkBeside")) {
                throw new DeviceException("s1", "read", 0, 4096, Errno.ENODEV);
            }
            return null;
        }));
        for (Level level : Level.values()) {
            Checked checked = care.check(first, List.of(second), Optional.empty(), level);
            assertEquals(Verdict.SOUND, checked.report().verdict());
            List<Finding> findings = graverThanNotes(checked);
            assertEquals(1, findings.size(), findings.toString());
            assertEquals(Severity.ERROR, findings.get(0).severity());
            assertTrue(findings.get(0).what().startsWith("spare 1: s1: read of bytes 0+4096 failed"));
        }
    }

    /** Of a newer format only the UUID of the pair is known. */
    @Test
    void oneThatIsTooNewIsNotComparedWithMain() throws Exception {
        create("main", MAIN_BYTES).close();
        MetadataReport tooNew = new MetadataReport(
                Verdict.UNUSABLE,
                Optional.of(new PairIdentity(PAIR.pairUuid(), 0, 0, "")),
                "9.1",
                0,
                0,
                false,
                List.of(),
                List.of());
        Checked checked = care(answering((method, arguments) -> method.equals("check") ? tooNew : null))
                .check(
                        first,
                        List.of(),
                        Optional.of(DeviceUri.parse(directory.resolve("main").toString())),
                        Level.STANDARD);
        assertEquals(List.of(), checked.report().findings());
    }
}
