package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** An older spare becomes one of the present format when it is opened for writing, whenever the power goes. */
class UpgradeTest {
    private static final int CUTS_AT_EACH_OPERATION = 6;

    private static Superblock superblock(CrashDevice spare, int place) throws Exception {
        long offset = Layout.identityOffset(place, Bench.SPARE_BYTES);
        return Superblock.decode(Block.view(ByteBuffer.wrap(spare.peek(offset, Block.BYTES)), 0), offset);
    }

    private static void assertPresentFormat(CrashDevice spare) throws Exception {
        for (int place = 0; place < Identities.COUNT; place++) {
            Superblock superblock = superblock(spare, place);
            assertNotNull(superblock, "superblock " + place);
            assertEquals(Superblock.Version.CURRENT, superblock.version(), "superblock " + place);
            assertEquals(1, superblock.epoch(), "superblock " + place);
        }
    }

    @ParameterizedTest
    @MethodSource("io.remap.metadata.GoldenImagesTest#older")
    void aPowerCutLosesNothing(String version, String name) throws Exception {
        CrashDevice spare = GoldenImages.load(version, name);
        String expected = GoldenImages.expected(version, name);
        List<CrashDevice> states = new ArrayList<>();
        spare.observe((operation, offset, length) -> {
            if (operation == CrashDevice.Operation.WRITE || operation == CrashDevice.Operation.FLUSH) {
                states.add(spare.crashKeeping(sector -> false));
                for (int cut = 0; cut < CUTS_AT_EACH_OPERATION; cut++) {
                    states.add(spare.crash(states.size()));
                }
            }
        });
        Bench.open(spare);
        spare.observe(null);
        assertPresentFormat(spare);
        assertTrue(states.size() > 70, states.size() + " states");
        for (int i = 0; i < states.size(); i++) {
            CrashDevice state = states.get(i);
            try (Opened opened = Bench.open(new LogMetadataProvider(), state, true, i)) {
                assertEquals(expected, GoldenImages.text(opened.store()), "read only, state " + i);
            }
            try (Opened opened = Bench.open(new LogMetadataProvider(), state, false, i)) {
                assertEquals(expected, GoldenImages.text(opened.store()), "state " + i);
                assertEquals(Outcome.DURABLE, opened.commit(Bench.map(1000, 300)));
            }
            assertPresentFormat(state);
        }
        System.out.println("suite: G19 upgrade of " + version + " " + name + ": states-after-a-power-cut="
                + states.size() + " wrong=0");
    }

    @Test
    void epochsThatDoNotFollowEachOtherAreAMix() throws Exception {
        for (long epoch = 0; epoch < 4; epoch++) {
            CrashDevice spare = Bench.formatted(0);
            Superblock ours = superblock(spare, 0);
            Superblock other = new Superblock(
                    ours.version(), epoch, ours.pair(), ours.layout(), ours.createdMillis(), 0, ours.memberId());
            BlockIo io = new BlockIo(spare, Block.BYTES);
            Identities.write(io, other, 1);
            if (epoch < 2) {
                Bench.open(spare).close();
                for (int place = 0; place < Identities.COUNT; place++) {
                    assertEquals(epoch, superblock(spare, place).epoch());
                }
            } else {
                assertTrue(assertThrows(Refusal.class, () -> Bench.open(spare))
                        .getMessage()
                        .contains("contradict"));
            }
        }
    }

    /** What a first spare may say: it is what it always is, or may be, and need not be so. */
    private static final int KNOWN = Superblock.Version.BEGIN_BLOCKS
            | Superblock.Version.GROWN
            | Superblock.Version.SPREAD
            | Superblock.Version.SEALED
            | Superblock.Version.WITHOUT_FIRST;

    @Test
    void unknownFeaturesAreRefusedOrReadOnly() throws Exception {
        int taken = 0;
        int refused = 0;
        int readOnly = 0;
        int kept = 0;
        int incompat = Superblock.Version.CURRENT.incompat();
        for (int bit = 0; bit < 32; bit++) {
            int feature = 1 << bit;
            CrashDevice stranger = withVersion(new Superblock.Version(1, 9, 0, 0, incompat | feature));
            if ((KNOWN & feature) != 0) {
                try (Opened opened = Bench.open(stranger)) {
                    assertEquals(Outcome.DURABLE, opened.commit(Bench.map(1, 300)), "bit " + bit);
                }
                taken++;
            } else {
                // A first spare that says to be none is damaged.
                String why = feature == Superblock.Version.FURTHER_MEMBER ? "impossible spare" : "newer program";
                assertRefused(stranger, false, why);
                assertRefused(stranger, true, why);
                refused++;
            }
            CrashDevice roCompat = withVersion(new Superblock.Version(1, 9, 0, feature, incompat));
            assertRefused(roCompat, false, "can only read");
            long writes = roCompat.operations(CrashDevice.Operation.WRITE);
            Bench.open(new LogMetadataProvider(), roCompat, true, 1).close();
            assertEquals(writes, roCompat.operations(CrashDevice.Operation.WRITE), "written to by a reader");
            readOnly++;
            CrashDevice compat = withVersion(new Superblock.Version(1, 9, feature, 0, incompat));
            Bench.open(compat).close();
            assertEquals(feature, superblock(compat, 3).version().compat());
            assertFalse(superblock(compat, 0).version().isOlder());
            kept++;
        }
        assertEquals(5, taken);
        assertEquals(27, refused);
        System.out.println("suite: G19 feature bits: incompat refused=" + refused + " known=" + taken
                + ", ro-compat read-only=" + readOnly + ", compat kept=" + kept + ", written-to-refused=0");
    }

    private static void assertRefused(CrashDevice spare, boolean readOnly, String why) {
        long writes = spare.operations(CrashDevice.Operation.WRITE);
        String message = assertThrows(Refusal.class, () -> Bench.open(new LogMetadataProvider(), spare, readOnly, 1))
                .getMessage();
        assertTrue(message.contains(why), message);
        assertEquals(writes, spare.operations(CrashDevice.Operation.WRITE), "refused, but written to");
    }

    private static CrashDevice withVersion(Superblock.Version version) throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Superblock ours = superblock(spare, 0);
        Superblock other =
                new Superblock(version, 0, ours.pair(), ours.layout(), ours.createdMillis(), 0, ours.memberId());
        Identities.write(new BlockIo(spare, Block.BYTES), other, 0, 1, 2, 3);
        return spare;
    }
}
