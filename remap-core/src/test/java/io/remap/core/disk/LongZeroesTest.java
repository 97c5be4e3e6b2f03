package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceIdentity;
import io.remap.api.DeviceTraits;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.Place;
import io.remap.api.Settings;
import io.remap.core.io.StandardFaultPolicyProvider;
import io.remap.testkit.MemoryDevice;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A request without payload may be of any length: it has its time as long as it gets on, and not a moment longer. */
class LongZeroesTest {
    private static final int SECTOR = DiskRig.SECTOR;
    private static final long PIECE_SECONDS = 2;
    private static final long HANG_SECONDS = 60;
    private static final int PIECES = 12;
    private static final long DEADLINE_SECONDS = TimeUnit.MILLISECONDS.toSeconds(Deadlines.USUAL_MILLIS);

    private DiskRig rig;
    private Slow main;

    @BeforeEach
    void start() throws Exception {
        // What hangs is not taken to the spare.
        open(Map.of("auto-remap", "off"));
    }

    private void open(Map<String, String> policy) throws Exception {
        rig = new DiskRig(
                new DiskRig.Devices() {
                    @Override
                    public BlockDevice main(SimScheduler scheduler) {
                        main = new Slow(scheduler);
                        return main;
                    }

                    @Override
                    public BlockDevice spare(SimScheduler scheduler) {
                        int slots = 16 * Place.UNIT_BYTES;
                        return new MemoryDevice("spare", MemoryMetadata.METADATA_BYTES + slots, SECTOR);
                    }
                },
                new StandardFaultPolicyProvider().open(new Settings(policy)));
        rig.executes = io -> rig.scheduler.execute(io::run);
    }

    @AfterEach
    void stop() {
        rig.scheduler.runUntilIdle();
        rig.close();
    }

    /** Keeps nothing; each transfer that changes something takes a while, one of them much longer. */
    private static final class Slow implements BlockDevice {
        private final SimScheduler scheduler;
        private final DeviceTraits traits = new DeviceTraits(
                (PIECES + 1) * RequestContext.MAX_PIECE_BYTES,
                SECTOR,
                Place.UNIT_BYTES,
                SECTOR,
                true,
                false,
                false,
                false,
                false);
        private int changes;
        private int hangsAt = Integer.MAX_VALUE;

        Slow(SimScheduler scheduler) {
            this.scheduler = scheduler;
        }

        private void change() {
            boolean hangs = changes++ == hangsAt;
            scheduler.sleep(TimeUnit.SECONDS.toNanos(hangs ? HANG_SECONDS : PIECE_SECONDS));
        }

        @Override
        public void read(long offsetBytes, ByteBuffer target) {
            while (target.hasRemaining()) {
                target.put((byte) 0);
            }
        }

        @Override
        public void write(long offsetBytes, ByteBuffer source) {
            source.position(source.limit());
            change();
        }

        @Override
        public void zero(long offsetBytes, long lengthBytes, boolean keepAllocated) {
            change();
        }

        @Override
        public void flush() {}

        @Override
        public void discard(long offsetBytes, long lengthBytes) {}

        @Override
        public String name() {
            return "slow";
        }

        @Override
        public DeviceTraits traits() {
            return traits;
        }

        @Override
        public DeviceIdentity identity() {
            return DeviceIdentity.ofWhole("path:mem:slow", "mem:slow", traits.sizeBytes(), "");
        }

        @Override
        public void close() {}
    }

    /** Until it is answered. */
    private DiskRequest zero(long offset, long length) {
        boolean[] answered = {false};
        DiskRequest request = new DiskRequest(r -> answered[0] = true);
        request.operation = Operation.WRITE_ZEROES;
        request.offsetBytes = offset;
        request.lengthBytes = length;
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntil(() -> answered[0]);
        return request;
    }

    private long seconds() {
        return TimeUnit.NANOSECONDS.toSeconds(rig.scheduler.nanoTime());
    }

    @ParameterizedTest
    @CsvSource({"0, 4194304", "100, 1048576"})
    void isNotOverdueAsLongAsItGetsOn(long offset, long pieceBytes) {
        assertEquals(DiskError.NONE, zero(offset, PIECES * pieceBytes).error);
        assertTrue(main.changes >= PIECES, () -> "changes " + main.changes);
        assertTrue(seconds() >= PIECES * PIECE_SECONDS, () -> "answered at " + seconds());
    }

    @ParameterizedTest
    @CsvSource({"0, 4194304", "100, 1048576"})
    void isAnsweredInTimeIfAPieceHangs(long offset, long pieceBytes) {
        main.hangsAt = 8;
        assertEquals(DiskError.IO, zero(offset, PIECES * pieceBytes).error);
        long begunAt = main.hangsAt * PIECE_SECONDS;
        assertEquals(main.hangsAt + 1, main.changes, "nothing more was begun");
        assertTrue(
                seconds() > begunAt + DEADLINE_SECONDS - 3 && seconds() <= begunAt + DEADLINE_SECONDS,
                () -> "answered at " + seconds());
        assertEquals(DiskError.NONE, zero(offset + 10 * pieceBytes, pieceBytes).error, "nothing hangs there");
        assertTrue(seconds() < begunAt + HANG_SECONDS, () -> "it waited until " + seconds());
    }

    @Test
    void onlyThePieceThatHangsGoesToTheSpare() throws Exception {
        stop();
        open(Map.of());
        main.hangsAt = 8;
        assertEquals(DiskError.NONE, zero(0, PIECES * RequestContext.MAX_ZEROES_PIECE_BYTES).error);
        assertTrue(seconds() < main.hangsAt * PIECE_SECONDS + HANG_SECONDS, () -> "it waited until " + seconds());
        assertEquals(PIECES, main.changes, "main was asked for each piece once");
        assertEquals(
                RequestContext.MAX_ZEROES_PIECE_BYTES >> Place.UNIT_SHIFT,
                rig.disk.state.current().table.mappedUnits());
    }
}
