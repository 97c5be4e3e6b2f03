package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Errno;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** What is saved beside the mappings: found again whole, or as it was before; and never in the way of a mapping. */
class SavedAreaTest {
    private static Map<String, byte[]> sections(int seed, int bytes) {
        byte[] content = new byte[bytes];
        new Random(seed).nextBytes(content);
        Map<String, byte[]> sections = new LinkedHashMap<>();
        sections.put("seed", new byte[] {(byte) seed});
        sections.put("content", content);
        sections.put("empty", new byte[0]);
        return sections;
    }

    private static String save(Opened opened, Map<String, byte[]> sections) {
        List<String> ends = new ArrayList<>();
        opened.store().save(sections, ends::add);
        assertEquals(List.of(), ends, "told within the call");
        opened.tasks().runAll();
        assertEquals(1, ends.size());
        return ends.get(0);
    }

    private static void assertSame(Map<String, byte[]> expected, Map<String, byte[]> found) {
        assertEquals(new ArrayList<>(expected.keySet()), new ArrayList<>(found.keySet()));
        expected.forEach((name, content) -> assertArrayEquals(content, found.get(name), name));
    }

    private static Map<String, byte[]> found(CrashDevice spare) throws Exception {
        return Bench.open(new LogMetadataProvider(), spare, true, 1).store().saved();
    }

    @Test
    void theLastSaveIsFound() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        assertEquals(Map.of(), found(spare));
        Opened opened = Bench.open(spare);
        int capacity = opened.store().saveCapacityBytes();
        assertTrue(capacity > 400_000, "capacity " + capacity);
        for (int bytes : new int[] {0, 1, 4096, 4097, 65_536, 300_000, capacity - 100}) {
            assertEquals("", save(opened, sections(bytes, bytes)));
            assertSame(sections(bytes, bytes), found(spare));
        }
        assertTrue(save(opened, sections(1, capacity)).contains("room"));
        opened.close();
        assertTrue(save(opened, sections(1, 1)).contains("stopped"));
    }

    @Test
    void closingWaitsForIt() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        List<String> ends = new ArrayList<>();
        opened.store().save(sections(3, 200_000), ends::add);
        opened.store().save(sections(4, 1), ends::add);
        opened.close();
        opened.tasks().runAll();
        assertEquals(2, ends.size());
        assertEquals("", ends.get(0));
        assertTrue(ends.get(1).contains("still under way"), ends.get(1));
        assertSame(sections(3, 200_000), found(spare.crashKeeping(sector -> false)));
    }

    @Test
    void aPowerCutLeavesTheOneBeforeOrThisOne() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        assertEquals("", save(opened, sections(0, 5000)));
        // It is durable with the next flush, whatever that is for.
        assertEquals(Outcome.DURABLE, opened.commit(Bench.map(100, 100)));
        List<CrashDevice> states = new ArrayList<>();
        List<Integer> newest = new ArrayList<>();
        int[] now = {0};
        spare.observe((operation, offset, length) -> {
            for (int cut = 0; cut < 4; cut++) {
                states.add(spare.crash(states.size()));
                newest.add(now[0]);
            }
        });
        for (now[0] = 1; now[0] < 6; now[0]++) {
            assertEquals("", save(opened, sections(now[0], now[0] * 40_000)));
            assertEquals(Outcome.DURABLE, opened.commit(Bench.map(2L * now[0], now[0])));
        }
        assertTrue(states.size() > 100, states.size() + " states");
        int old = 0;
        for (int i = 0; i < states.size(); i++) {
            Map<String, byte[]> found = found(states.get(i));
            int seed = found.get("seed")[0];
            int latest = newest.get(i);
            assertTrue(seed == latest || seed == latest - 1, "state " + i + " has save " + seed + " of " + latest);
            assertSame(sections(seed, seed == 0 ? 5000 : seed * 40_000), found);
            old += latest - seed;
        }
        assertTrue(old > 0 && old < states.size(), old + " of " + states.size());
    }

    @Test
    void damageMeansTheOneBeforeAndNeverARefusal() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        save(opened, sections(1, 100_000));
        save(opened, sections(2, 100_000));
        opened.close();
        long half = Layout.SAVED_BYTES / 2;
        for (int place = 0; place < 2; place++) {
            long at = Layout.SAVED_AT + place * half;
            for (long block : new long[] {at, at + 4096, at + 90_000 / 4096 * 4096}) {
                CrashDevice flipped = spare.copy();
                flipped.flipBit(block + 17, 3);
                assertSame(sections(place == 0 ? 2 : 1, 100_000), found(flipped));
                CrashDevice unreadable = spare.copy();
                unreadable.makeUnreadable(block, 512);
                assertSame(sections(place == 0 ? 2 : 1, 100_000), found(unreadable));
                CrashDevice both = spare.copy();
                both.flipBit(Layout.SAVED_AT + 60, 1);
                both.flipBit(Layout.SAVED_AT + half + 60, 1);
                assertEquals(Map.of(), found(both));
                Bench.open(both).close();
            }
        }
    }

    @Test
    void aPlaceThatCannotBeWrittenIsNoFailureOfTheStore() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        assertEquals("", save(opened, sections(1, 100)));
        spare.makeUnwritable(Layout.SAVED_AT, Layout.SAVED_BYTES);
        assertTrue(save(opened, sections(2, 100)).contains("spare: write of bytes"));
        assertEquals(Outcome.DURABLE, opened.commit(Bench.map(1, 1)));
        assertSame(sections(1, 100), found(spare));
        spare.heal();
        assertEquals("", save(opened, sections(3, 100)));
        assertSame(sections(3, 100), found(spare));
    }

    /** Any block of it may be the bad one, and any place may be the next. */
    @Test
    void onePlaceThatCannotBeWrittenEndsNoSaves() throws Exception {
        for (int saves = 0; saves < 2; saves++) {
            for (long at : new long[] {0, 4096, Layout.SAVED_BYTES / 2, Layout.SAVED_BYTES / 2 + 4096}) {
                CrashDevice spare = Bench.formatted(0);
                Opened opened = Bench.open(spare);
                for (int i = 0; i <= saves; i++) {
                    assertEquals("", save(opened, sections(i, 9000)));
                }
                spare.makeUnwritable(Layout.SAVED_AT + at, 4096);
                for (int i = 10; i < 14; i++) {
                    assertEquals("", save(opened, sections(i, 9000)), "at " + at);
                    assertSame(sections(i, 9000), found(spare));
                }
                // As after a restart.
                opened = Bench.open(spare.copy());
                assertEquals("", save(opened, sections(20, 9000)), "at " + at);
            }
        }
    }

    @Test
    void aFailedFlushIsFinalHereToo() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        spare.failOperation(spare.operations(), Errno.EIO);
        assertTrue(save(opened, sections(1, 100)).contains("flush"));
        assertEquals(Outcome.STORE_FAILED, opened.commit(Bench.map(1, 1)));
    }

    /** The last block of a log in both copies: it would look like one that was torn while it was written. */
    @Test
    void aLogThatIsShorterThanTheSaveSaysIsDamaged() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        opened.commit(Bench.map(1, 1));
        opened.commit(Bench.map(3, 3));
        save(opened, sections(1, 100));
        opened.commit(Bench.map(5, 5));
        Layout layout = Layout.plan(Bench.SPARE_BYTES, 4096);
        assertEquals(3, Bench.open(spare.copy()).store().table().extents());
        for (int lost = 1; lost <= 3; lost++) {
            CrashDevice damaged = spare.copy();
            for (int block = lost; block <= 3; block++) {
                for (ArenaCopy copy : Formatter.arena(layout, 1)) {
                    damaged.poke(copy.offset(copy.logBody(block)), new byte[4096]);
                }
            }
            if (lost == 3) {
                assertEquals(2, Bench.open(damaged).store().table().extents(), "committed after the save");
            } else {
                assertTrue(assertThrows(Refusal.class, () -> Bench.open(damaged))
                        .getMessage()
                        .contains("log block " + (lost + 1) + " of generation"));
            }
        }
    }

    /** A save with a right checksum that says what cannot be: as if it were not there. */
    @Test
    void aForgedSaveIsNone() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        save(opened, Map.of("one", new byte[] {1}));
        save(opened, Map.of("two", new byte[] {2}));
        long half = Layout.SAVED_BYTES / 2;
        long newest = Layout.SAVED_AT + half;
        assertSame(Map.of("two", new byte[] {2}), found(spare));
        for (int bodyBytes : new int[] {-1, (int) half}) {
            CrashDevice forged = spare.copy();
            Forge.edit(forged, newest, header -> header.putInt(SavedArea.BODY_BYTES_AT, bodyBytes));
            assertSame(Map.of("one", new byte[] {1}), found(forged));
        }
        CrashDevice ofAnotherPair = spare.copy();
        Forge.edit(ofAnotherPair, newest, header -> Block.putUuid(header, Block.UUID_AT, new UUID(9, 9)));
        assertSame(Map.of("one", new byte[] {1}), found(ofAnotherPair));
        // Length of the name, of the content, and what is there of both; the last one ends before it has said them.
        for (int[] section : new int[][] {
            {0, 1, 16}, {SavedArea.MAX_NAME_BYTES + 1, 1, 200}, {3, -1, 16}, {3, 200, 16}, {3, 1, 4}, {3, 1, 16}
        }) {
            CrashDevice forged = spare.copy();
            ByteBuffer body = Forge.block(forged, newest + Block.BYTES);
            body.putInt(0, section[0]).putInt(4, section[1]);
            forged.poke(newest + Block.BYTES, Forge.bytes(body));
            CRC32C crc = new CRC32C();
            crc.update(body.slice(0, section[2]));
            Forge.edit(
                    forged,
                    newest,
                    header -> header.putInt(SavedArea.BODY_BYTES_AT, section[2])
                            .putInt(SavedArea.BODY_CRC_AT, (int) crc.getValue()));
            assertSame(Map.of("one", new byte[] {1}), found(forged));
            Bench.open(forged).close();
        }
    }

    @Test
    void sectionsThatCannotBeNamedAreAMistakeAndTooManyAreRefused() throws Exception {
        Opened opened = Bench.open(Bench.formatted(0));
        for (String name : List.of("", "x".repeat(SavedArea.MAX_NAME_BYTES + 1))) {
            assertThrows(IllegalArgumentException.class, () -> save(opened, Map.of(name, new byte[1])));
        }
        Map<String, byte[]> many = new LinkedHashMap<>();
        for (int i = 0; i < SavedArea.MAX_SECTIONS; i++) {
            many.put("x".repeat(SavedArea.MAX_NAME_BYTES - 2) + (10 + i), new byte[1]);
        }
        assertEquals("", save(opened, many));
        many.put("one more", new byte[1]);
        assertTrue(save(opened, many).contains("bytes that there is room for"));
    }

    /** A save of another generation says nothing of how long the log of this one must be. */
    @Test
    void aSaveOfAnotherGenerationProvesNothing() throws Exception {
        CrashDevice spare = Bench.formatted(0);
        Opened opened = Bench.open(spare);
        for (int i = 0; i < 4; i++) {
            opened.commit(Bench.map(2L * i, i));
        }
        save(opened, sections(1, 100));
        // A new generation with a shorter log.
        assertEquals(4, Bench.open(spare).store().table().extents());
        assertEquals(4, Bench.open(spare).store().table().extents());
    }
}
