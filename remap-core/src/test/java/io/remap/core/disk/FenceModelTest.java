package io.remap.core.disk;

import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.junit.jupiter.api.Test;

/**
 * Interleavings of clients and a mover, chosen by Lincheck: no transfer where a move has begun. It looks at orders of
 * steps, not at memory: {@link FenceTest} does that.
 */
public class FenceModelTest {
    private static final long UNIT = 7;

    /** Small, so that a scan of it is not taken for a thread that hangs. */
    private final InFlightTable inFlight = new InFlightTable(Runnable::run, 8);

    private final MapState state = new MapState(MapSnapshot.EMPTY, Runnable::run);
    private volatile boolean writing;
    private volatile boolean moving;

    /** For Lincheck, which makes one for each try. */
    public FenceModelTest() {}

    /** A client that transfers unless it meets a move. */
    @Operation
    public void client() {
        int index = inFlight.enter(UNIT, UNIT + 1, true);
        if (!state.current().isMoving(UNIT, UNIT + 1)) {
            writing = true;
            if (moving) {
                throw new IllegalStateException("the client writes where the mover moves");
            }
            writing = false;
        }
        inFlight.exit(index);
    }

    /** A mover, as the only holder of the range lock. */
    @Operation(nonParallelGroup = "holder of the range lock")
    public void mover() {
        state.publish(s -> s.withMoving(UNIT, UNIT + 1));
        inFlight.awaitOverlapping(UNIT, UNIT + 1, InFlightTable.Awaited.WRITES, this::moved);
    }

    private void moved() {
        moving = true;
        if (writing) {
            throw new IllegalStateException("the mover moves where a client writes");
        }
        moving = false;
        state.publish(s -> s.withoutMoving(UNIT, UNIT + 1));
    }

    @Test
    void clientAndMoverNeverMeet() {
        new ModelCheckingOptions()
                .threads(2)
                .actorsPerThread(2)
                .actorsBefore(0)
                .actorsAfter(0)
                .iterations(3)
                .invocationsPerIteration(100)
                .check(FenceModelTest.class);
    }
}
