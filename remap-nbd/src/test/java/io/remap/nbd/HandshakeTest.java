package io.remap.nbd;

import static io.remap.nbd.Client.ABORT;
import static io.remap.nbd.Client.EXPORT_NAME;
import static io.remap.nbd.Client.GO;
import static io.remap.nbd.Client.INFO;
import static io.remap.nbd.Client.LIST;
import static io.remap.nbd.Client.flags;
import static io.remap.nbd.Client.info;
import static io.remap.nbd.Client.infoData;
import static io.remap.nbd.Client.join;
import static io.remap.nbd.Client.option;
import static io.remap.nbd.Client.optionReplies;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DiskTraits;
import io.remap.api.Export;
import io.remap.api.Settings;
import io.remap.nbd.Client.OptionReply;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The handshake, option by option, against doc/proto.md. */
class HandshakeTest {
    private static final int ACK = 1;
    private static final int SERVER = 2;
    private static final int ERR_UNSUP = 0x80000001;
    private static final int ERR_INVALID = 0x80000003;
    private static final int ERR_UNKNOWN = 0x80000006;
    private static final int ERR_SHUTDOWN = 0x80000007;
    private static final int ERR_TOO_BIG = 0x80000009;
    private static final int SIZE = 1 << 20;

    private final FakeDisk disk = new FakeDisk(SIZE);
    private final FakeDisk other = new FakeDisk(2 * SIZE);
    private final List<TestTransport> opened = new ArrayList<>();

    @AfterEach
    void close() {
        opened.forEach(TestTransport::close);
    }

    private TestTransport open(Export... exports) {
        TestTransport transport = new TestTransport(1 << 20, exports);
        opened.add(transport);
        return transport;
    }

    private TestTransport open() {
        return open(new Export("disk", "A disk", disk), new Export("zwölf", "", other));
    }

    /** After the greeting and the flags. */
    private TestTransport negotiating() {
        TestTransport transport = open().send(flags(3));
        transport.received();
        return transport;
    }

    private static List<OptionReply> ask(TestTransport transport, byte[] option) {
        transport.send(option);
        return optionReplies(transport.received());
    }

    private static int onlyType(List<OptionReply> replies) {
        assertEquals(1, replies.size(), replies::toString);
        return replies.get(0).type();
    }

    @Test
    void greetsAndOffersNothingButTwoFlags() {
        TestTransport transport = open();
        assertEquals(1, transport.repliesReady);
        transport.pump();
        byte[] expected = "NBDMAGICIHAVEOPT\0\3".getBytes(StandardCharsets.US_ASCII);
        assertArrayEquals(expected, transport.sent.toByteArray());
        transport.assertGoesOn();
    }

    @ParameterizedTest
    @ValueSource(ints = {4, 7, 0x80000000, -1})
    void unknownClientFlagsEndIt(int flags) {
        open().send(flags(flags)).assertEnds(true);
    }

    @Test
    void listGivesNamesAndDescriptions() {
        List<OptionReply> replies = ask(negotiating(), option(LIST));
        assertEquals(3, replies.size());
        ByteBuffer first = replies.get(0).data();
        assertEquals(SERVER, replies.get(0).type());
        assertEquals(4, first.getInt());
        assertEquals("diskA disk", StandardCharsets.UTF_8.decode(first).toString());
        ByteBuffer second = replies.get(1).data();
        assertEquals(6, second.getInt(), "UTF-8 bytes of the name");
        assertEquals("zwölf", StandardCharsets.UTF_8.decode(second).toString());
        assertEquals(ACK, replies.get(2).type());
    }

    @Test
    void listTakesNoDataAndNotTooManyExports() {
        assertEquals(ERR_INVALID, onlyType(ask(negotiating(), option(LIST, (byte) 0))));
        Export[] many = new Export[Handshake.MAX_LISTED_EXPORTS + 1];
        Arrays.setAll(many, i -> new Export("e" + i, "", new FakeDisk(512)));
        TestTransport transport = open(many).send(flags(3));
        transport.received();
        assertEquals(ERR_TOO_BIG, onlyType(ask(transport, option(LIST))));
    }

    @Test
    void infoTellsWhatIsAskedForOnceAndGoTellsTheSame() {
        TestTransport transport = negotiating();
        int[] asked = {3, 1, 2, 77, 3, 0, 1};
        List<OptionReply> replies = ask(transport, info(INFO, "disk", asked));
        Map<Integer, ByteBuffer> byType = replies.stream()
                .limit(replies.size() - 1)
                .collect(Collectors.toMap(
                        reply -> (int) reply.data().getShort(0),
                        reply -> reply.data().slice(2, reply.data().limit() - 2)));
        assertEquals(java.util.Set.of(0, 1, 2, 3), byType.keySet());
        assertEquals(SIZE, byType.get(0).getLong());
        assertEquals(0b1101_0110_1101, byType.get(0).getShort(), "flags");
        assertEquals("disk", StandardCharsets.UTF_8.decode(byType.get(1)).toString());
        assertEquals("A disk", StandardCharsets.UTF_8.decode(byType.get(2)).toString());
        assertEquals(1, byType.get(3).getInt(), "minimum");
        assertEquals(4096, byType.get(3).getInt(), "preferred");
        assertEquals(32 << 20, byType.get(3).getInt(), "largest payload");
        assertEquals(ACK, replies.get(replies.size() - 1).type());
        transport.assertGoesOn();

        List<OptionReply> again = ask(transport, info(GO, "disk", asked));
        assertEquals(
                replies.stream().map(OptionReply::data).toList(),
                again.stream().map(OptionReply::data).toList());
        assertEquals(0, Client.ask(transport, Client.FLUSH, 0, 0, 0).errno());
    }

    @Test
    void aDescriptionThatIsEmptyIsNotTold() {
        List<OptionReply> replies = ask(negotiating(), info(INFO, "zwölf", 2));
        assertEquals(2, replies.size());
        assertEquals(0, replies.get(0).data().getShort(), "what it always tells: size and flags");
        assertEquals(ACK, replies.get(1).type());
    }

    /** The protocol's limit is in bytes, and what is cut has to stay UTF-8. */
    @ParameterizedTest
    @CsvSource({"'', ü, 4096", "x, ü, 4095", "x, 😀, 4093", "'', y, 4096"})
    void longTextsAreCutAtACharacter(String first, String repeated, int bytes) {
        String description = first + repeated.repeat(5000);
        TestTransport transport = open(new Export("disk", description, disk)).send(flags(3));
        transport.received();
        List<OptionReply> replies = ask(transport, option(LIST));
        assertEquals(4 + 4 + bytes, replies.get(0).data().remaining());
        String told = replies.get(0).text().substring(8);
        assertTrue(description.startsWith(told), "cut amid a character");
        assertEquals(bytes, told.getBytes(StandardCharsets.UTF_8).length);
        assertEquals(ACK, replies.get(1).type());
    }

    @ParameterizedTest
    @CsvSource({"false, false, 0xd6d", "true, false, 0x50f", "false, true, 0xd7d", "true, true, 0x51f"})
    void flagsAreThoseThatWork(boolean readOnly, boolean rotational, String flags) {
        FakeDisk always = new FakeDisk(new DiskTraits(SIZE, 512, 4096, readOnly, rotational));
        assertEquals(Integer.decode(flags), NbdExport.transmissionFlags(always));
        FakeDisk now = new FakeDisk(new DiskTraits(SIZE, 512, 4096, false, rotational));
        now.refusesWrites = readOnly;
        assertEquals(Integer.decode(flags), NbdExport.transmissionFlags(now));
    }

    @ParameterizedTest
    @CsvSource({"4096, 4096", "5000, 4096", "65536, 65536", "512, 4096", "100000000, 33554432"})
    void preferredSizeIsAPowerOfTwoWithinBounds(int ofDisk, int told) {
        assertEquals(told, NbdExport.preferredBytes(new DiskTraits(SIZE, 512, ofDisk, false, false)));
    }

    @Test
    void emptyNameIsTheDefaultExport() {
        List<OptionReply> replies = ask(negotiating(), info(GO, "", 1));
        assertEquals(
                "disk",
                StandardCharsets.UTF_8.decode(replies.get(1).data().slice(2, 4)).toString());
        TestTransport none = open(new Export[0]).send(flags(3));
        none.received();
        assertEquals(ERR_UNKNOWN, onlyType(ask(none, info(GO, ""))));
    }

    @Test
    void unknownExportIsNamedSafelyAndTheClientGoesOn() {
        TestTransport transport = negotiating();
        String evil = "\u001b[31m\n\u2028\u2029\u202e" + "x".repeat(4000);
        List<OptionReply> replies = ask(transport, info(GO, evil));
        assertEquals(ERR_UNKNOWN, onlyType(replies));
        String text = replies.get(0).text();
        assertTrue(text.startsWith("no export '?[31m????x") && text.length() < 128, text);
        assertEquals(ACK, ask(transport, info(GO, "zwölf")).get(1).type());
    }

    @Test
    void badNamesAreInvalid() {
        TestTransport transport = negotiating();
        byte[] longest = new byte[4096];
        Arrays.fill(longest, (byte) 'n');
        assertEquals(ERR_UNKNOWN, onlyType(ask(transport, option(INFO, infoData(longest)))));
        assertEquals(ERR_INVALID, onlyType(ask(transport, option(INFO, infoData(new byte[4097])))));
        assertEquals(ERR_INVALID, onlyType(ask(transport, option(INFO, infoData(new byte[] {'a', 0})))));
        assertEquals(ERR_INVALID, onlyType(ask(transport, option(INFO, infoData(new byte[] {(byte) 0xc3})))));
        assertEquals(ERR_INVALID, onlyType(ask(transport, option(GO, infoData(new byte[] {(byte) 0xff, 'b'})))));
        assertEquals(ACK, ask(transport, info(INFO, "disk")).get(1).type());
    }

    @Test
    void lengthsThatDoNotFitAreInvalidAndConsumed() {
        TestTransport transport = negotiating();
        byte[] good = infoData("disk".getBytes(StandardCharsets.US_ASCII), 1, 3);
        for (int length = 0; length < good.length; length++) {
            assertEquals(ERR_INVALID, onlyType(ask(negotiating(), option(GO, Arrays.copyOf(good, length)))));
        }
        assertEquals(ERR_INVALID, onlyType(ask(transport, option(GO, Arrays.copyOf(good, good.length + 1)))));
        for (int nameLength : new int[] {5, 6, 7, 8, 9, 255, Integer.MAX_VALUE, -1, Integer.MIN_VALUE}) {
            byte[] bad = ByteBuffer.wrap(good.clone()).putInt(0, nameLength).array();
            assertEquals(ERR_INVALID, onlyType(ask(transport, option(GO, bad))), "name length " + nameLength);
        }
        assertEquals(ACK, ask(transport, option(INFO, good)).get(3).type());
    }

    @Test
    void unknownOptionsAreConsumedAndUnsupported() {
        TestTransport transport = negotiating();
        for (int unknown : new int[] {0, 4, 5, 8, 9, 10, 11, 12, Integer.MAX_VALUE, -1}) {
            List<OptionReply> replies = ask(transport, option(unknown, new byte[Math.abs(unknown % 8193)]));
            assertEquals(unknown, replies.get(0).option());
            assertEquals(ERR_UNSUP, onlyType(replies));
            assertFalse(replies.get(0).text().isEmpty());
        }
        assertEquals(ERR_UNSUP, onlyType(ask(transport, option(99, new byte[Handshake.MAX_OPTION_BYTES]))));
    }

    @ParameterizedTest
    @ValueSource(ints = {8193, 1 << 20, Integer.MAX_VALUE, Integer.MIN_VALUE, -1})
    void longerOptionsEndItAtOnce(int length) {
        TestTransport transport = negotiating();
        transport.send(ByteBuffer.wrap(option(99)).putInt(12, length).array()).assertEnds(true);
        assertEquals(1, transport.count("nbd.violations"));
    }

    @Test
    void optionsAreCounted() {
        TestTransport transport = negotiating();
        for (int i = 0; i < Handshake.MAX_OPTIONS; i++) {
            assertEquals(ERR_UNSUP, onlyType(ask(transport, option(99))));
        }
        transport.send(option(99)).assertEnds(true);
    }

    @Test
    void wrongOptionMagicEndsIt() {
        negotiating().send(new byte[16]).assertEnds(true);
        negotiating()
                .send("GET / HTTP/1.1\r\n".getBytes(StandardCharsets.US_ASCII))
                .assertEnds(true);
    }

    @Test
    void abortIsAcknowledged() {
        TestTransport transport = negotiating();
        assertEquals(ACK, onlyType(ask(transport, option(ABORT, (byte) 1, (byte) 2))));
        transport.assertEnds(false);
        transport.send(option(LIST));
        assertFalse(transport.received().hasRemaining());
        transport.scheduler.runUntilIdle();
        transport.assertEnds(false);
    }

    @Test
    void exportNameStartsTheTransmission() {
        for (int flags : new int[] {0, 1, 2, 3}) {
            TestTransport transport = open().send(flags(flags));
            transport.received();
            transport.send(option(EXPORT_NAME, "zwölf".getBytes(StandardCharsets.UTF_8)));
            ByteBuffer answer = transport.received();
            assertEquals((flags & 2) != 0 ? 10 : 134, answer.remaining());
            assertEquals(2 * SIZE, answer.getLong());
            assertEquals(0xd6d, answer.getShort());
            while (answer.hasRemaining()) {
                assertEquals(0, answer.get());
            }
            assertEquals(0, Client.ask(transport, Client.FLUSH, 0, 0, 0).errno());
        }
    }

    @Test
    void exportNameHasNoErrorReply() {
        for (byte[] name : new byte[][] {{'x'}, {(byte) 0xff}, {0}, new byte[5000]}) {
            TestTransport transport = negotiating();
            transport.send(option(EXPORT_NAME, name)).assertEnds(true);
            assertFalse(transport.received().hasRemaining());
        }
    }

    @Test
    void shutdownRefusesOptionsButAbort() {
        TestTransport transport = negotiating();
        transport.session.shutdown();
        for (byte[] option : List.of(option(LIST), info(INFO, "disk"), info(GO, "disk"), option(5), option(99))) {
            assertEquals(ERR_SHUTDOWN, onlyType(ask(transport, option)));
        }
        assertFalse(transport.session.busy());
        assertEquals(ACK, onlyType(ask(transport, option(ABORT))));
        TestTransport other = negotiating();
        other.session.shutdown();
        other.send(option(EXPORT_NAME)).assertEnds(true);
    }

    @Test
    void clientMustAskInTime() {
        TestTransport transport = negotiating();
        ask(transport, info(INFO, "disk"));
        transport.scheduler.runUntilIdle();
        transport.assertEnds(true);
        assertEquals(1, transport.count("nbd.handshake-timeouts"));
        long tookMillis = transport.scheduler.nanoTime() / 1_000_000;
        assertTrue(tookMillis >= 10_000 && tookMillis < 10_100, "after " + tookMillis + " ms");
        assertEquals(null, transport.session.wanted());
    }

    @Test
    void whoAskedInTimeMayBeSilent() {
        TestTransport transport = new TestTransport(
                1 << 20,
                new Settings(Map.of("nbd.handshake-timeout-millis", "50")),
                new Export("disk", "", new FakeDisk(SIZE)));
        opened.add(transport);
        Client.go(transport, "disk");
        transport.scheduler.runUntilIdle();
        transport.assertGoesOn();
        assertEquals(0, transport.count("nbd.handshake-timeouts"));
    }

    @Test
    void optionsWaitForAClientThatDoesNotRead() {
        TestTransport transport = negotiating();
        transport.clientStalls = true;
        byte[] list = option(LIST);
        transport.send(join(list, list, list, list));
        assertTrue(transport.session.busy());
        assertEquals(null, transport.session.wanted(), "one answer is kept, not four");
        assertEquals(0, transport.inputReady);
        transport.clientStalls = false;
        transport.pump();
        assertTrue(transport.inputReady > 0);
        assertEquals(4 * 3, optionReplies(transport.received()).size());
        assertFalse(transport.session.busy());
    }

    @Test
    void everySequenceOfOptionsIsAnsweredInStep() {
        byte[][] options = {
            option(LIST),
            info(INFO, "disk", 3),
            info(INFO, "none"),
            info(GO, "none"),
            option(5),
            option(8),
            option(9, new byte[9]),
            option(10, new byte[3]),
            option(11),
            option(77, new byte[40]),
            new byte[0]
        };
        int kinds = options.length;
        for (int i = 0; i < kinds * kinds * kinds; i++) {
            byte[][] three = {options[i % kinds], options[i / kinds % kinds], options[i / kinds / kinds]};
            TestTransport transport = open();
            transport.send(
                    join(flags(3), three[0], three[1], three[2], info(GO, "disk"), Client.request(3, 0, 5, 0, 0)));
            ByteBuffer bytes = transport.received();
            bytes.position(18).limit(bytes.limit() - 16);
            List<OptionReply> replies = optionReplies(bytes);
            assertEquals(ACK, replies.get(replies.size() - 1).type());
            assertEquals(GO, replies.get(replies.size() - 1).option());
            long ends = replies.stream()
                    .filter(reply -> reply.type() < 0 || reply.type() == ACK)
                    .count();
            assertEquals(1 + Arrays.stream(three).filter(o -> o.length > 0).count(), ends, "sequence " + i);
            assertEquals(5, ByteBuffer.wrap(transport.sent.toByteArray()).getLong(transport.sent.size() - 8));
            opened.remove(transport);
            transport.close();
        }
    }
}
