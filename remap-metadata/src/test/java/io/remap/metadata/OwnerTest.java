package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.Environment;
import io.remap.api.HostIdentity;
import io.remap.api.Settings;
import io.remap.api.spi.MetadataStore.Outcome;
import io.remap.api.spi.SpareOwner;
import io.remap.metadata.Bench.Opened;
import io.remap.testkit.CrashDevice;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** What a spare tells of the host that opened it last. */
class OwnerTest {
    private static final HostIdentity ONE = new HostIdentity(new UUID(1, 2), "one.example");
    private static final HostIdentity TWO = new HostIdentity(new UUID(3, 4), "two");

    private final LogMetadataProvider provider = new LogMetadataProvider(8);
    private final CrashDevice spare = Bench.formatted(8);

    OwnerTest() throws Exception {}

    private Opened openOn(HostIdentity host, long seed) throws Exception {
        Bench.Tasks tasks = new Bench.Tasks();
        Environment environment = Bench.environment(tasks, seed).on(host);
        return new Opened(provider.open(spare, false, environment, Settings.defaults()), tasks);
    }

    private SpareOwner owner() throws Exception {
        long writes = spare.operations(CrashDevice.Operation.WRITE);
        SpareOwner owner = provider.owner(spare).orElseThrow();
        assertEquals(writes, spare.operations(CrashDevice.Operation.WRITE), "asking writes nothing");
        return owner;
    }

    @Test
    void nobodyHasWhatWasOnlyFormatted() throws Exception {
        assertFalse(owner().host().isKnown());
        assertTrue(
                provider.owner(new CrashDevice("blank", Bench.SPARE_BYTES, 512)).isEmpty());
    }

    @Test
    void theHostThatOpensItHasItUntilItStops() throws Exception {
        Opened first = openOn(ONE, 1);
        SpareOwner served = owner();
        assertEquals(ONE, served.host());
        assertFalse(served.stopped());
        // However many generations it begins.
        for (int i = 0; i < 40; i++) {
            assertEquals(Outcome.DURABLE, first.commit(Bench.map(2L * i, i)));
            assertEquals(served.session(), owner().session());
            assertEquals(ONE, owner().host());
        }
        first.close();
        assertTrue(owner().stopped());
        assertEquals(ONE, owner().host());

        Opened second = openOn(TWO, 2);
        assertEquals(TWO, owner().host());
        assertNotEquals(served.session(), owner().session());
        assertFalse(owner().stopped());
        second.close();
    }

    @Test
    void savesAreSignsOfLife() throws Exception {
        Opened opened = openOn(ONE, 1);
        for (int i = 1; i <= 5; i++) {
            String[] ended = {null};
            opened.store().save(Map.of("beat", new byte[] {(byte) i}), why -> ended[0] = why);
            opened.tasks().runAll();
            assertEquals("", ended[0]);
            assertEquals(i, owner().saves());
            assertEquals(i, owner().saved().get("beat")[0]);
        }
    }

    /** A server with nothing to commit finds out by its next save that it is not the owner any more. */
    @Test
    void aSaveFindsOutThatAnotherHostHasTakenOver() throws Exception {
        Opened first = openOn(ONE, 1);
        boolean[] told = {false};
        first.store().whenTakenOver(() -> told[0] = true);
        openOn(TWO, 2);
        String[] ended = {null};
        first.store().save(Map.of("beat", new byte[1]), why -> ended[0] = why);
        first.tasks().runAll();
        assertTrue(told[0], "told");
        assertTrue(ended[0].contains("another server has taken over"), ended[0]);
        assertEquals(0, owner().saves(), "and writes nothing");
    }

    @Test
    void aRepairLeavesTheOwner() throws Exception {
        Opened opened = openOn(ONE, 1);
        opened.commit(Bench.map(0, 0));
        spare.poke(0, new byte[Block.BYTES]);
        provider.tools()
                .orElseThrow()
                .repair(spare, Bench.environment(new Bench.Tasks(), 9).on(TWO));
        assertEquals(ONE, owner().host());
        assertFalse(owner().stopped());
    }
}
