package io.remap.cli.control;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.remap.api.Refusal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunDirectoryTest {
    private static final int NOBODY = 65534;

    @TempDir
    Path parent;

    @Test
    void isMadePrivate() throws Exception {
        Path directory = parent.resolve("remap");
        RunDirectory.prepare(directory);
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)));
        assertDoesNotThrow(() -> RunDirectory.prepare(directory), "an existing one is taken");
    }

    @Test
    void refusesWiderModes() throws Exception {
        for (String mode : List.of("rwxr-xr-x", "rwx--x---", "rwxrwxrwx", "rwx-----x")) {
            Path directory = Files.createDirectory(parent.resolve("mode-" + mode));
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString(mode));
            assertRefused(directory, "chmod 700");
        }
    }

    @Test
    void refusesASymbolicLink() throws Exception {
        Path target = parent.resolve("target");
        RunDirectory.prepare(target);
        Path link = Files.createSymbolicLink(parent.resolve("link"), target);
        assertRefused(link, "no directory");
    }

    @Test
    void refusesAFile() throws Exception {
        assertRefused(Files.createFile(parent.resolve("file")), "no directory");
    }

    @Test
    void refusesAParentThatOthersCanWrite() throws Exception {
        for (String mode : List.of("rwxrwxrwx", "rwxrwx---")) {
            Path open = Files.createDirectory(parent.resolve("open-" + mode));
            Files.setPosixFilePermissions(open, PosixFilePermissions.fromString(mode));
            assertRefused(open.resolve("remap"), "writable by others");
            assertTrue(Files.notExists(open.resolve("remap")), "nothing is made there");
        }
    }

    @Test
    void refusesAStickyParentToo() throws Exception {
        Path sticky = Files.createDirectory(parent.resolve("sticky"));
        Files.setAttribute(sticky, "unix:mode", 01777);
        assertRefused(sticky.resolve("remap"), "writable by others");
    }

    @Test
    void refusesAMissingParent() {
        assertRefused(parent.resolve("missing/remap"), "no such file or directory");
    }

    @Test
    void refusesSomebodyElsesDirectory() throws Exception {
        assumeTrue(RunDirectory.ownUid() == 0, "only root can give a directory away");
        Path theirs = parent.resolve("theirs");
        RunDirectory.prepare(theirs);
        Files.setAttribute(theirs, "unix:uid", NOBODY);
        assertRefused(theirs, "belongs to uid " + NOBODY);
    }

    @Test
    void refusesAParentOfSomebodyElse() throws Exception {
        assumeTrue(RunDirectory.ownUid() == 0, "only root can give a directory away");
        Path theirs = Files.createDirectory(parent.resolve("theirs"));
        Files.setAttribute(theirs, "unix:uid", NOBODY);
        assertRefused(theirs.resolve("remap"), "belongs to uid " + NOBODY);
    }

    @Test
    void liesUnderTheRuntimeDirectory() throws Exception {
        assertEquals(Path.of("/run/user/7/remap"), RunDirectory.locate(Map.of("XDG_RUNTIME_DIR", "/run/user/7")));
        Refusal refusal = assertThrows(Refusal.class, () -> RunDirectory.locate(Map.of("XDG_RUNTIME_DIR", "relative")));
        assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
    }

    @Test
    void takesOnlyNamesThatAreSafeInAFileName() {
        for (String name : List.of("disk", "sda1", "a.b-c_d", "_", "0", "x".repeat(RunDirectory.MAX_NAME_CHARS))) {
            assertDoesNotThrow(() -> RunDirectory.checkName(name), name);
        }
        for (String name : List.of(
                "",
                ".",
                "..",
                ".hidden",
                "-o",
                "a/b",
                "a b",
                "a\nb",
                "\u00fc",
                "x".repeat(RunDirectory.MAX_NAME_CHARS + 1))) {
            Refusal refusal = assertThrows(Refusal.class, () -> RunDirectory.checkName(name), name);
            assertEquals(Refusal.Kind.USAGE, refusal.kind());
            assertTrue(refusal.getMessage().chars().noneMatch(Character::isISOControl), refusal.getMessage());
        }
    }

    @Test
    void makesSafeNamesOfDevices() throws Exception {
        for (String device : List.of("/dev/sda1", "my disk.img", "..", "-x", "", "/", "/x/\n", "a".repeat(300))) {
            RunDirectory.checkName(RunDirectory.nameFor(device));
        }
        assertEquals("sda1", RunDirectory.nameFor("/dev/sda1"));
        assertEquals("my_disk.img", RunDirectory.nameFor("/home/me/my disk.img"));
    }

    private static void assertRefused(Path directory, String expected) {
        Refusal refusal = assertThrows(Refusal.class, () -> RunDirectory.prepare(directory));
        assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
        assertTrue(refusal.getMessage().contains(expected), refusal.getMessage());
    }
}
