package io.remap.api.listen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Two servers that want one path at the same moment: one of them has it, and the other one is refused. */
class UnixSocketFileTest {
    @TempDir
    Path directory;

    private final Random random = new Random(1);
    private ServerSocketChannel first;
    private ServerSocketChannel second;
    private Path path;

    @BeforeEach
    void open() throws IOException {
        first = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        second = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        path = directory.resolve("remap.sock");
    }

    @AfterEach
    void close() throws IOException {
        first.close();
        second.close();
    }

    private void leaveOneBehind() throws IOException {
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(path));
        }
    }

    private UnixSocketFile bindSecond() {
        try {
            return UnixSocketFile.bind(path, random, at -> second.bind(UnixDomainSocketAddress.of(at)));
        } catch (Refusal e) {
            throw new AssertionError("nobody listens yet", e);
        }
    }

    private void assertOnlySecondIsThere() throws IOException {
        try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            assertTrue(client.isConnected());
            second.configureBlocking(false);
            SocketChannel accepted = second.accept();
            assertNotNull(accepted, "whoever connects reaches the one that was refused");
            accepted.close();
        }
        try (var files = Files.list(directory)) {
            assertEquals(List.of(path), files.toList());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whoListensFirstHasThePath(boolean leftBehind) throws IOException {
        if (leftBehind) {
            leaveOneBehind();
        }
        UnixSocketFile[] ofSecond = new UnixSocketFile[1];
        Refusal refusal = assertThrows(
                Refusal.class,
                () -> UnixSocketFile.bind(path, random, at -> {
                    first.bind(UnixDomainSocketAddress.of(at));
                    ofSecond[0] = bindSecond();
                }));
        assertEquals(Refusal.Kind.BUSY, refusal.kind());
        assertTrue(refusal.getMessage().contains(path.toString()), refusal.getMessage());
        assertOnlySecondIsThere();
        ofSecond[0].remove();
        assertTrue(Files.notExists(path, LinkOption.NOFOLLOW_LINKS));
    }

    /** Both have seen that nobody listens there; the name for what is taken away is asked for right after that. */
    @Test
    void aSocketThatReplacedTheOneLeftBehindIsGivenBack() throws IOException {
        leaveOneBehind();
        boolean[] firstListens = new boolean[1];
        UnixSocketFile[] ofSecond = new UnixSocketFile[1];
        RandomGenerator meanwhile = () -> {
            if (firstListens[0] && ofSecond[0] == null) {
                ofSecond[0] = bindSecond();
            }
            return random.nextLong();
        };
        Refusal refusal = assertThrows(
                Refusal.class,
                () -> UnixSocketFile.bind(path, meanwhile, at -> {
                    first.bind(UnixDomainSocketAddress.of(at));
                    firstListens[0] = true;
                }));
        assertEquals(Refusal.Kind.BUSY, refusal.kind());
        assertNotNull(ofSecond[0], "the second one did not come in between");
        assertOnlySecondIsThere();
        ofSecond[0].remove();
        assertTrue(Files.notExists(path, LinkOption.NOFOLLOW_LINKS));
    }

    /** It listens before it has its mode. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 30})
    void nobodyElseReachesASocketThatHasNoNameYet(int nameChars) throws Exception {
        Path parent = directory;
        while (parent.toString().length() < UnixSocketFile.MAX_PATH_BYTES - nameChars - 1) {
            int chars = UnixSocketFile.MAX_PATH_BYTES
                    - nameChars
                    - 2
                    - parent.toString().length();
            parent = Files.createDirectory(parent.resolve("d".repeat(chars > 20 ? 10 : Math.max(chars, 1))));
        }
        path = parent.resolve("n".repeat(nameChars));
        boolean[] reached = new boolean[1];
        UnixSocketFile file = UnixSocketFile.bind(path, random, at -> {
            // In its place, as Java takes no path of full length.
            Files.createFile(at);
            assertTrue(at.toString().length() <= UnixSocketFile.MAX_PATH_BYTES, at.toString());
            String mode = PosixFilePermissions.toString(Files.getPosixFilePermissions(at.getParent()));
            reached[0] = !mode.equals("rwx------") || at.getParent().equals(path.getParent());
        });
        assertEquals(nameChars < 3, reached[0], "a path of full length has no room for a directory");
        try (var files = Files.list(parent)) {
            assertEquals(List.of(path), files.toList());
        }
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(path)));
        file.remove();
        assertTrue(Files.notExists(path, LinkOption.NOFOLLOW_LINKS));
    }

    @Test
    void aSocketThatCannotBeBoundLeavesNothingBehind() throws Exception {
        assertThrows(
                Refusal.class,
                () -> UnixSocketFile.bind(path, random, at -> {
                    throw new IOException("on purpose");
                }));
        try (var files = Files.list(directory)) {
            assertEquals(List.of(), files.toList());
        }
    }

    @Test
    void aFileOfAShortNameBesideItIsLeftAlone() throws Exception {
        for (char letter = 'a'; letter <= 'z'; letter++) {
            Files.writeString(directory.resolve(String.valueOf(letter)), "precious");
        }
        path = directory.resolve("0");
        leaveOneBehind();
        UnixSocketFile.bind(path, random, at -> first.bind(UnixDomainSocketAddress.of(at)))
                .remove();
        for (char letter = 'a'; letter <= 'z'; letter++) {
            assertEquals("precious", Files.readString(directory.resolve(String.valueOf(letter))));
        }
    }
}
