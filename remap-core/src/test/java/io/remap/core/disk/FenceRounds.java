package io.remap.core.disk;

import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.function.IntSupplier;

/**
 * Client and mover against each other on real threads: the client enters the table of transfers in flight and looks
 * whether its unit is moving; the mover publishes the move and looks whether the unit is in flight. At least one must see
 * the other. Gives the number of encounters in which neither did.
 *
 * <p>Many tables are passed one after the other without waiting; the client follows the mover closely, a little later or
 * earlier each time. The results are compared after a lap.
 */
final class FenceRounds implements IntSupplier {
    private static final int LAPS = 700;
    private static final int TABLES = 128;
    private static final long UNIT = 7;

    /** 64 MiB, more than caches hold; and a step that leaves page and line. */
    private static final int COLD_INTS = 16 << 20;

    private static final int COLD_STEP = 4096 * 5 + 16;

    private final InFlightTable[] inFlight = new InFlightTable[TABLES];
    private final MapState[] states = new MapState[TABLES];
    private final boolean[] clientSawMove = new boolean[TABLES];
    private final boolean[] moverWaits = new boolean[TABLES];
    private final int[] entries = new int[TABLES];
    private final int[] cold = new int[COLD_INTS];
    private int nextCold;
    private final CyclicBarrier lap = new CyclicBarrier(2);
    private volatile int moverAt = -1;

    FenceRounds() {
        for (int i = 0; i < TABLES; i++) {
            inFlight[i] = new InFlightTable(Runnable::run);
            states[i] = new MapState(MapSnapshot.EMPTY, Runnable::run);
        }
    }

    @Override
    public int getAsInt() {
        Thread client = firstInTable(() -> {
            for (int i = 0; i < LAPS; i++) {
                meet();
                clientLap(i);
                meet();
            }
        });
        client.start();
        int missed = 0;
        for (int i = 0; i < LAPS; i++) {
            moverAt = -1;
            meet();
            moverLap();
            meet();
            missed += missedInLap();
        }
        return missed;
    }

    private void clientLap(int number) {
        for (int i = 0; i < TABLES; i++) {
            while (moverAt < i) {
                Thread.onSpinWait();
            }
            linger(number + i);
            entries[i] = inFlight[i].enter(UNIT, UNIT + 1, true);
            clientSawMove[i] = states[i].current().isMoving(UNIT, UNIT + 1);
        }
    }

    private void moverLap() {
        for (int i = 0; i < TABLES; i++) {
            int table = i;
            moverAt = i;
            states[i].publish(s -> s.withMoving(UNIT, UNIT + 1));
            moverWaits[i] = true;
            inFlight[i].awaitOverlapping(UNIT, UNIT + 1, InFlightTable.Awaited.WRITES, () -> moverWaits[table] = false);
        }
    }

    private int missedInLap() {
        int missed = 0;
        for (int i = 0; i < TABLES; i++) {
            missed += moverWaits[i] || clientSawMove[i] ? 0 : 1;
            inFlight[i].exit(entries[i]);
            states[i].publish(s -> s.withoutMoving(UNIT, UNIT + 1));
        }
        return missed;
    }

    private void meet() {
        try {
            lap.await();
        } catch (InterruptedException | BrokenBarrierException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A thread whose entry is where a scan begins, so that the scan comes as early as it can. */
    private static Thread firstInTable(Runnable task) {
        while (true) {
            Thread thread = new Thread(task, "client");
            if (thread.getId() % (InFlightTable.CAPACITY / 8) == 0) {
                return thread;
            }
        }
    }

    /** Fills the store buffer of the processor with stores that miss the cache, more or fewer, as other work does. */
    private void linger(int round) {
        int stores = (round * 0x9E3779B9) >>> 28;
        for (int i = 0; i < stores; i++) {
            cold[nextCold] = round;
            nextCold = (nextCold + COLD_STEP) & (cold.length - 1);
        }
    }
}
