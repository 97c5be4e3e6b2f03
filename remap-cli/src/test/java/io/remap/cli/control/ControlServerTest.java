package io.remap.cli.control;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.remap.api.FeatureState;
import io.remap.api.Refusal;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ControlServerTest {
    private static final String NAME = "disk";
    private static final long CALL_MILLIS = 10_000;
    private static final int NOBODY = 65534;

    @TempDir
    Path parent;

    private Path directory;
    private TestHost host;

    @BeforeEach
    void prepare() throws Exception {
        directory = parent.resolve("remap");
        RunDirectory.prepare(directory);
        host = new TestHost();
    }

    @AfterEach
    void end() {
        host.close();
    }

    private ControlServer start() throws Refusal {
        return ControlServer.start(NAME, directory, host, host.environment());
    }

    private Path socket() {
        return RunDirectory.controlSocket(directory, NAME);
    }

    @Test
    void answersCalls() throws Exception {
        try (ControlServer server = start();
                ControlClient client = ControlClient.connect(directory, NAME)) {
            Map<String, Object> arguments = Map.of("text", "\u00fc\n\"", "number", 1L << 40, "list", List.of(1, true));
            Object result = client.call("echo", arguments, CALL_MILLIS);
            assertEquals(arguments.keySet(), assertInstanceOf(Map.class, result).keySet());
            assertEquals("\u00fc\n\"", ((Map<?, ?>) result).get("text"));
            assertEquals(1L << 40, ((Number) ((Map<?, ?>) result).get("number")).longValue());
            assertEquals(FeatureState.STARTED, server.status().state());
        }
    }

    @Test
    void refusalsArriveWithTheirKind() throws Exception {
        try (ControlServer server = start();
                ControlClient client = ControlClient.connect(directory, NAME)) {
            for (Refusal.Kind kind : Refusal.Kind.values()) {
                Refusal refusal = assertThrows(
                        Refusal.class, () -> client.call("refuse", Map.of("kind", kind.name()), CALL_MILLIS));
                assertEquals(kind, refusal.kind());
                assertEquals("no, because", refusal.getMessage());
            }
        }
    }

    @Test
    void aBugInACommandHarmsNothingElse() throws Exception {
        try (ControlServer server = start();
                ControlClient client = ControlClient.connect(directory, NAME)) {
            IllegalStateException mistake =
                    assertThrows(IllegalStateException.class, () -> client.call("break", Map.of(), CALL_MILLIS));
            assertTrue(mistake.getMessage().contains("internal error"), mistake.getMessage());
            assertDoesNotThrow(() -> client.call("echo", Map.of(), CALL_MILLIS));
        }
    }

    /** Its queue fills up, and a connect(2) that blocks would wait without end. */
    @Test
    void aServiceThatStandsStillHoldsNobodyUp() throws Exception {
        Path socket = RunDirectory.controlSocket(directory, NAME);
        try (ServerSocketChannel still = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            still.bind(UnixDomainSocketAddress.of(socket), 1);
            for (int i = 0; i < 5; i++) {
                assertTrue(ControlClient.isRunning(directory, NAME));
            }
            Refusal refusal = assertThrows(
                    Refusal.class,
                    () -> ControlClient.connect(directory, NAME, 100).close());
            assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
            assertTrue(refusal.getMessage().contains("stands still"), refusal.getMessage());
        }
        Files.delete(socket);
        assertFalse(ControlClient.isRunning(directory, NAME));
    }

    /** However late a busy host comes to it. */
    @Test
    void whereNobodyListensThatIsCertainInNoTime() throws Exception {
        for (boolean leftBehind : new boolean[] {false, true}) {
            if (leftBehind) {
                leaveOneBehind();
            }
            for (int i = 0; i < 200; i++) {
                IOException failure = assertThrows(
                        IOException.class, () -> LocalConnect.open(socket(), 0).close());
                assertFalse(
                        failure instanceof SocketTimeoutException, () -> "a full queue is no case of this: " + failure);
            }
        }
    }

    private void leaveOneBehind() throws IOException {
        try (ServerSocketChannel dead = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            dead.bind(UnixDomainSocketAddress.of(socket()));
        }
    }

    /** Nor whoever wants its name. */
    @Test
    @Timeout(10)
    void theNameOfAServiceThatStandsStillIsInUse() throws Exception {
        try (ServerSocketChannel still = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            still.bind(UnixDomainSocketAddress.of(socket()), 1);
            List<SocketChannel> queue = new ArrayList<>();
            try {
                for (int i = 0; i < 2; i++) {
                    queue.add(SocketChannel.open(UnixDomainSocketAddress.of(socket())));
                }
                Refusal refusal = assertThrows(Refusal.class, this::start);
                assertEquals(Refusal.Kind.BUSY, refusal.kind());
                assertTrue(refusal.getMessage().contains("remap stop " + NAME), refusal.getMessage());
            } finally {
                for (SocketChannel channel : queue) {
                    channel.close();
                }
            }
            assertTrue(Files.exists(socket()));
        }
    }

    @Test
    void aCommandOfAPartThatIsNotThereIsTheServersMatter() throws Exception {
        try (ControlServer server = start();
                ControlClient client = ControlClient.connect(directory, NAME)) {
            Refusal refusal = assertThrows(Refusal.class, () -> client.call("health", Map.of(), CALL_MILLIS));
            assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
            assertTrue(refusal.getMessage().contains("remap status " + NAME), refusal.getMessage());
        }
    }

    @Test
    void anAnswerThatIsTooLongIsAnError() throws Exception {
        try (ControlServer server = start();
                ControlClient client = ControlClient.connect(directory, NAME)) {
            IllegalStateException mistake =
                    assertThrows(IllegalStateException.class, () -> client.call("long", Map.of(), CALL_MILLIS));
            assertTrue(mistake.getMessage().contains("too long"), mistake.getMessage());
            assertDoesNotThrow(() -> client.call("echo", Map.of(), CALL_MILLIS));
        }
    }

    @Test
    void mistakesInARequestGetAnErrorAndTheConnectionGoesOn() throws Exception {
        String ok = "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":9}";
        Map<String, Integer> mistakes = Map.of(
                "[]", RpcErrors.INVALID_REQUEST,
                "1", RpcErrors.INVALID_REQUEST,
                "null", RpcErrors.INVALID_REQUEST,
                "{\"id\":1}", RpcErrors.INVALID_REQUEST,
                "{\"jsonrpc\":\"1.0\",\"method\":\"echo\",\"id\":1}", RpcErrors.INVALID_REQUEST,
                "{\"jsonrpc\":\"2.0\",\"method\":7,\"id\":1}", RpcErrors.INVALID_REQUEST,
                "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":{}}", RpcErrors.INVALID_REQUEST,
                "{\"jsonrpc\":\"2.0\",\"method\":\"none\",\"id\":1}", RpcErrors.NO_SUCH_METHOD,
                "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[1],\"id\":1}", RpcErrors.INVALID_PARAMETERS);
        try (ControlServer server = start()) {
            for (Map.Entry<String, Integer> mistake : mistakes.entrySet()) {
                List<Object> answers = exchange((mistake.getKey() + "\n" + ok + "\n").getBytes(StandardCharsets.UTF_8));
                assertEquals(2, answers.size(), mistake.getKey());
                assertEquals(mistake.getValue(), errorCode(answers.get(0)), mistake.getKey());
                assertEquals(9, ((Map<?, ?>) answers.get(1)).get("id"), mistake.getKey());
            }
        }
    }

    @Test
    void whatIsNoJsonEndsTheConnection() throws Exception {
        List<byte[]> garbage = new ArrayList<>(List.of(
                "\n".getBytes(StandardCharsets.UTF_8),
                "{} {}\n".getBytes(StandardCharsets.UTF_8),
                "{\"a\":1,\"a\":2}x\n".getBytes(StandardCharsets.UTF_8),
                "GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.UTF_8),
                new byte[] {'"', (byte) 0xff, (byte) 0xfe, '"', '\n'},
                ("[".repeat(50_000) + "\n").getBytes(StandardCharsets.UTF_8),
                ("{\"id\":" + "9".repeat(30_000) + "}\n").getBytes(StandardCharsets.UTF_8)));
        SplittableRandom random = new SplittableRandom(42);
        for (int i = 0; i < 200; i++) {
            byte[] bytes = new byte[random.nextInt(1, 200)];
            random.nextBytes(bytes);
            bytes[0] = (byte) 0x80;
            bytes[bytes.length - 1] = '\n';
            garbage.add(bytes);
        }
        try (ControlServer server = start()) {
            for (byte[] bytes : garbage) {
                List<Object> answers = exchange(bytes);
                assertEquals(1, answers.size());
                assertEquals(RpcErrors.PARSE, errorCode(answers.get(0)));
            }
            assertAnswers();
        }
    }

    @Test
    void aRequestWithoutAnEndIsCutOff() throws Exception {
        try (ControlServer server = start()) {
            byte[] endless = " ".repeat(JsonLines.MAX_REQUEST_BYTES * 64).getBytes(StandardCharsets.UTF_8);
            try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
                ByteBuffer bytes = ByteBuffer.wrap(endless);
                assertThrows(IOException.class, () -> {
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                });
                assertTrue(bytes.position() < endless.length / 8, "taken: " + bytes.position());
                assertEquals(
                        RpcErrors.INVALID_REQUEST, errorCode(answers(channel).get(0)));
            }
            assertAnswers();
        }
    }

    @Test
    void aRequestWithoutAnIdIsCarriedOutAndNotAnswered() throws Exception {
        try (ControlServer server = start()) {
            String notification = "{\"jsonrpc\":\"2.0\",\"method\":\"wait\"}\n";
            host.go.countDown();
            assertEquals(List.of(), exchange(notification.getBytes(StandardCharsets.UTF_8)));
            assertTrue(host.waiting.await(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void requestsMayArriveInPiecesAndInBatches() throws Exception {
        String request = "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"x\":\"\u00fc\"},\"id\":\"a\"}\n";
        byte[] many = request.repeat(100).getBytes(StandardCharsets.UTF_8);
        try (ControlServer server = start()) {
            assertEquals(100, exchange(many).size());
            try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
                for (byte b : request.getBytes(StandardCharsets.UTF_8)) {
                    assertEquals(1, channel.write(ByteBuffer.wrap(new byte[] {b})));
                }
                channel.shutdownOutput();
                assertEquals(1, answers(channel).size());
            }
        }
    }

    @Test
    void manyClientsAtOnce() throws Exception {
        var threads = Executors.newFixedThreadPool(ControlServer.MAX_CONNECTIONS);
        try (ControlServer server = start()) {
            List<Future<Integer>> results = new ArrayList<>();
            for (int i = 0; i < ControlServer.MAX_CONNECTIONS; i++) {
                int number = i;
                Callable<Integer> work = () -> {
                    int sum = 0;
                    try (ControlClient client = ControlClient.connect(directory, NAME)) {
                        for (int call = 0; call < 100; call++) {
                            Map<?, ?> answer = (Map<?, ?>) client.call("echo", Map.of("n", number), CALL_MILLIS);
                            sum += ((Number) answer.get("n")).intValue();
                        }
                    }
                    return sum;
                };
                results.add(threads.submit(work));
            }
            for (int i = 0; i < results.size(); i++) {
                assertEquals(100 * i, results.get(i).get());
            }
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void tooManyConnectionsAreTurnedAwayAndToldSo() throws Exception {
        List<SocketChannel> open = new ArrayList<>();
        try (ControlServer server = start()) {
            for (int i = 0; i < ControlServer.MAX_CONNECTIONS; i++) {
                open.add(SocketChannel.open(UnixDomainSocketAddress.of(socket())));
            }
            try (SocketChannel oneMore = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
                assertEquals(RpcErrors.TURNED_AWAY, errorCode(answers(oneMore).get(0)));
            }
            open.get(0).close();
            // The server notices the end of a connection in its own time.
            while (true) {
                try (SocketChannel next = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
                    next.write(ByteBuffer.wrap(
                            "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"id\":1}\n".getBytes(StandardCharsets.UTF_8)));
                    next.shutdownOutput();
                    Object answer = answers(next).get(0);
                    if (((Map<?, ?>) answer).containsKey("result")) {
                        break;
                    }
                } catch (IOException e) {
                    Thread.onSpinWait();
                }
            }
        } finally {
            for (SocketChannel channel : open) {
                channel.close();
            }
        }
    }

    @Test
    void turnsAwayAnotherUser() throws Exception {
        assumeTrue(RunDirectory.ownUid() == 0, "only root can become another user");
        Path probe = Files.createTempDirectory("probe").resolve("Probe.java");
        Files.setPosixFilePermissions(probe.getParent(), PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(probe, """
                import java.net.UnixDomainSocketAddress;
                import java.nio.ByteBuffer;
                import java.nio.channels.SocketChannel;
                public class Probe {
                    public static void main(String[] args) throws Exception {
                        var channel = SocketChannel.open(UnixDomainSocketAddress.of(args[0]));
                        var bytes = ByteBuffer.allocate(10000);
                        while (channel.read(bytes) > 0) {}
                        System.out.write(bytes.array(), 0, bytes.position());
                        System.out.flush();
                    }
                }
                """);
        try (ControlServer server = start()) {
            String keptOut = probe(probe);
            assertTrue(keptOut.contains("Permission denied"), keptOut);
            // The directory and the mode keep others out. The check of the peer must hold without them.
            Files.setPosixFilePermissions(parent, PosixFilePermissions.fromString("rwxr-xr-x"));
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
            Files.setPosixFilePermissions(socket(), PosixFilePermissions.fromString("rw-rw-rw-"));
            String told = probe(probe);
            assertTrue(told.contains("permission denied: this service answers its owner and root"), told);
            assertEquals(1, told.lines().filter(line -> line.startsWith("{")).count(), told);
        } finally {
            Files.delete(probe);
            Files.delete(probe.getParent());
        }
    }

    private String probe(Path source) throws Exception {
        Process process = new ProcessBuilder(
                        "setpriv",
                        "--reuid=" + NOBODY,
                        "--regid=" + NOBODY,
                        "--clear-groups",
                        System.getProperty("java.home") + "/bin/java",
                        "-XX:TieredStopAtLevel=1",
                        source.toString(),
                        socket().toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        process.waitFor();
        return output;
    }

    @Test
    void peersCompareByNumber() throws Exception {
        assumeTrue(RunDirectory.ownUid() == 0, "only root can give a file away");
        Path file = Files.createFile(parent.resolve("file"));
        var users = file.getFileSystem().getUserPrincipalLookupService();
        for (int uid : new int[] {0, NOBODY, 123_456_789}) {
            Files.setAttribute(file, "unix:uid", uid);
            assertEquals(users.lookupPrincipalByName(Integer.toString(uid)), Files.getOwner(file));
        }
        assertFalse(users.lookupPrincipalByName("0").equals(Files.getOwner(file)));
    }

    @Test
    void theSocketIsPrivate() throws Exception {
        try (ControlServer server = start()) {
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket())));
        }
        assertTrue(Files.notExists(socket(), LinkOption.NOFOLLOW_LINKS), "removed at the end");
    }

    @Test
    void theSocketIsPrivateAtEveryMoment() throws Exception {
        AtomicBoolean wrong = new AtomicBoolean();
        AtomicBoolean done = new AtomicBoolean();
        Thread watcher = new Thread(() -> {
            while (!done.get()) {
                try {
                    wrong.compareAndSet(
                            false,
                            !PosixFilePermissions.toString(Files.getPosixFilePermissions(socket()))
                                    .equals("rw-------"));
                } catch (IOException e) {
                    Thread.onSpinWait();
                }
            }
        });
        watcher.start();
        for (int i = 0; i < 1000; i++) {
            start().close();
        }
        done.set(true);
        watcher.join();
        assertFalse(wrong.get());
    }

    @Test
    void replacesAStaleSocket() throws Exception {
        leaveOneBehind();
        assertTrue(Files.exists(socket()), "closing leaves the file");
        try (ControlServer server = start()) {
            assertAnswers();
        }
    }

    @Test
    void refusesALiveSocket() throws Exception {
        try (ControlServer server = start()) {
            Refusal refusal = assertThrows(Refusal.class, this::start);
            assertEquals(Refusal.Kind.BUSY, refusal.kind());
            assertAnswers();
        }
        start().close();
    }

    @Test
    void refusesWhatIsNoSocket() throws Exception {
        Files.writeString(socket(), "mine");
        Refusal refusal = assertThrows(Refusal.class, this::start);
        assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
        assertEquals("mine", Files.readString(socket()));
        Files.delete(socket());

        Path elsewhere = Files.writeString(parent.resolve("elsewhere"), "mine");
        Files.createSymbolicLink(socket(), elsewhere);
        assertEquals(
                Refusal.Kind.ENVIRONMENT,
                assertThrows(Refusal.class, this::start).kind());
        assertEquals("mine", Files.readString(elsewhere));
        Files.delete(socket());

        Files.createDirectory(socket());
        assertEquals(
                Refusal.Kind.ENVIRONMENT,
                assertThrows(Refusal.class, this::start).kind());
    }

    @Test
    void closesUnderIdleConnectionsAndRunningCommands() throws Exception {
        ControlServer server = start();
        try (SocketChannel idle = SocketChannel.open(UnixDomainSocketAddress.of(socket()));
                ControlClient busy = ControlClient.connect(directory, NAME)) {
            Thread caller =
                    new Thread(() -> assertThrows(Refusal.class, () -> busy.call("wait", Map.of(), CALL_MILLIS)));
            caller.start();
            assertTrue(host.waiting.await(10, TimeUnit.SECONDS));
            long before = System.nanoTime();
            server.close();
            assertTrue(System.nanoTime() - before < 10_000_000_000L, "closing waits for nobody for long");
            assertEquals(-1, idle.read(ByteBuffer.allocate(1)));
            caller.join();
            assertEquals(FeatureState.STOPPED, server.status().state());
        } finally {
            host.go.countDown();
            server.close();
        }
        assertFalse(ControlClient.isRunning(directory, NAME));
    }

    @Test
    void aClientSaysWhichServiceItMisses() {
        Refusal refusal = assertThrows(Refusal.class, () -> ControlClient.connect(directory, "other"));
        assertEquals(Refusal.Kind.ENVIRONMENT, refusal.kind());
        assertTrue(refusal.getMessage().contains("no service named 'other'"), refusal.getMessage());
    }

    @Test
    void aClientDoesNotWaitForever() throws Exception {
        try (ControlServer server = start();
                ControlClient client = ControlClient.connect(directory, NAME)) {
            Refusal refusal = assertThrows(Refusal.class, () -> client.call("wait", Map.of(), 100));
            assertTrue(refusal.getMessage().contains("did not answer wait within 100 ms"), refusal.getMessage());
            host.go.countDown();
        }
    }

    private void assertAnswers() throws Refusal {
        try (ControlClient client = ControlClient.connect(directory, NAME)) {
            client.call("echo", Map.of(), CALL_MILLIS);
        }
    }

    /** Sends bytes and their end, and returns the answers up to the end. */
    private List<Object> exchange(byte[] bytes) throws IOException {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            channel.shutdownOutput();
            return answers(channel);
        }
    }

    private static List<Object> answers(SocketChannel channel) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer piece = ByteBuffer.allocate(4096);
        try {
            for (int length = channel.read(piece); length >= 0; length = channel.read(piece.clear())) {
                all.write(piece.array(), 0, length);
            }
        } catch (IOException e) {
            // Closed with bytes of ours unread: a reset. What arrived before counts.
            assertTrue(e.getMessage().contains("reset"), e.toString());
        }
        List<Object> answers = new ArrayList<>();
        for (String line : all.toString(StandardCharsets.UTF_8).lines().toList()) {
            answers.add(JsonLines.parse(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8))));
        }
        return answers;
    }

    private static int errorCode(Object answer) {
        Map<?, ?> map = assertInstanceOf(Map.class, answer);
        assertNull(map.get("result"));
        return (Integer) ((Map<?, ?>) map.get("error")).get("code");
    }
}
