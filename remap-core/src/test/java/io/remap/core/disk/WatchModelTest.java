package io.remap.core.disk;

import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.junit.jupiter.api.Test;

/**
 * Interleavings of clients that write to a slot and a holder that copies it without keeping them out, chosen by Lincheck:
 * a copy that the {@link SlotWatch} lets pass is what the slot holds.
 */
public class WatchModelTest {
    private static final long UNIT = 7;

    /** Small, so that a scan of it is not taken for a thread that hangs. */
    private final InFlightTable inFlight = new InFlightTable(Runnable::run, 8);

    private final MapState state = new MapState(MapSnapshot.EMPTY, Runnable::run);
    private final AtomicInteger slot = new AtomicInteger();

    /** For Lincheck, which makes one for each try. */
    public WatchModelTest() {}

    /** A client that writes to the slot unless it meets a move. */
    @Operation
    public void client() {
        int index = inFlight.enter(UNIT, UNIT + 1, true);
        MapSnapshot snapshot = state.current();
        if (!snapshot.isMoving(UNIT, UNIT + 1)) {
            snapshot.noteSlotWrite(UNIT, UNIT + 1);
            slot.incrementAndGet();
        }
        inFlight.exit(index);
    }

    /** The only holder of the range lock, which copies, raises the fence and looks. */
    @Operation(nonParallelGroup = "holder of the range lock")
    public void holder() {
        SlotWatch watch = new SlotWatch(UNIT, UNIT + 1);
        state.publish(s -> s.withWatch(watch));
        watch.begin(inFlight);
        int copy = slot.get();
        state.publish(s -> s.withMoving(UNIT, UNIT + 1));
        inFlight.awaitOverlapping(UNIT, UNIT + 1, InFlightTable.Awaited.ALL, () -> fenced(watch, copy));
    }

    private void fenced(SlotWatch watch, int copy) {
        if (!watch.touched() && copy != slot.get()) {
            throw new IllegalStateException("a write was overlooked");
        }
        state.publish(s -> s.withoutWatch(watch).withoutMoving(UNIT, UNIT + 1));
    }

    @Test
    void noWriteIsOverlooked() {
        new ModelCheckingOptions()
                .threads(2)
                .actorsPerThread(2)
                .actorsBefore(0)
                .actorsAfter(0)
                .iterations(3)
                .invocationsPerIteration(100)
                .check(WatchModelTest.class);
    }
}
