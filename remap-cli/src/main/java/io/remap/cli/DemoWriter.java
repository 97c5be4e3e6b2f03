package io.remap.cli;

import io.remap.cli.nbd.NbdClient;
import io.remap.cli.nbd.NbdError;
import io.remap.cli.nbd.NbdUri;
import java.io.IOException;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A client that writes without pause until its server is gone: every other write goes to a failing place, the others
 * anywhere in its part of the disk. The ledger knows what was acknowledged, and what was under way at the end.
 */
final class DemoWriter {
    private static final int MAX_WRITE_SECTORS = 64;

    private final NbdUri uri;
    private final SectorLedger ledger;
    private final List<DemoDisk.Place> places;
    private final int first;
    private final int end;
    private final Random random;
    private final CountDownLatch enough;
    private final AtomicInteger acknowledged = new AtomicInteger();
    private final Thread thread = new Thread(this::run, "remap-demo-writer");
    private volatile IOException refusedWrite;

    /**
     * Writes to sectors from {@code first} to {@code end}, in which the places lie.
     *
     * @param enough counted down with every acknowledged write, and wholly when it ends
     */
    DemoWriter(
            NbdUri uri,
            SectorLedger ledger,
            List<DemoDisk.Place> places,
            int first,
            int end,
            Random random,
            CountDownLatch enough) {
        this.uri = uri;
        this.ledger = ledger;
        this.places = places;
        this.first = first;
        this.end = end;
        this.random = random;
        this.enough = enough;
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Waits for its end, which comes with that of the server; a write that was refused before is thrown. */
    void join(long timeoutMillis) throws IOException, InterruptedException, NotSo {
        thread.join(timeoutMillis);
        if (thread.isAlive()) {
            throw new IOException("a client of the demo did not notice the end of its server");
        }
        if (refusedWrite != null) {
            throw new NotSo("a write was refused: " + refusedWrite.getMessage());
        }
    }

    /** Writes that were acknowledged so far. */
    int acknowledged() {
        return acknowledged.get();
    }

    private void run() {
        try (NbdClient client = NbdClient.connect(uri, Demo.ANSWER_MILLIS)) {
            while (true) {
                writeOnce(client);
            }
        } catch (NbdError e) {
            refusedWrite = e;
        } catch (IOException e) {
            // The server is gone, as it should be; had it been too early, the demo would see how few writes there were.
        } finally {
            while (enough.getCount() > 0) {
                enough.countDown();
            }
        }
    }

    private void writeOnce(NbdClient client) throws IOException {
        int sector = first + random.nextInt(end - first);
        if (random.nextBoolean()) {
            DemoDisk.Place place = places.get(random.nextInt(places.size()));
            sector = place.first() + random.nextInt(place.count());
        }
        int count = Math.min(1 + random.nextInt(MAX_WRITE_SECTORS), end - sector);
        byte[] data = ledger.begin(sector, count);
        client.write((long) sector * ledger.sectorBytes(), data);
        ledger.acknowledge(sector, count);
        acknowledged.incrementAndGet();
        enough.countDown();
    }
}
