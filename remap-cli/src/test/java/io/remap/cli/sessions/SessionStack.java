package io.remap.cli.sessions;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.Disk;
import io.remap.api.DiskClient;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import io.remap.api.Environment;
import io.remap.api.Export;
import io.remap.api.Exports;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.SectorRange;
import io.remap.api.Settings;
import io.remap.api.spi.Frontend;
import io.remap.api.spi.FrontendProvider;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.PairIdentity;
import io.remap.testkit.SimProduct;
import io.remap.testkit.TrackingBufferPool;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;

/**
 * A product whose disk is reached through NBD: each request of a client of the simulation becomes bytes of a connection, goes
 * through the product's session, and ends when its reply was decoded. Clients share connections, so requests of several are
 * pipelined; connections are cut at any moment.
 */
public final class SessionStack implements SimProduct {
    private static final int MOST_CONNECTIONS = 4;
    /** One of so many requests is the last one before its connection is cut, or stops sending. */
    private static final int REQUESTS_PER_CUT = 150;

    private static final int MOST_STEPS_TO_CUT = 40;
    private static final int LITTLE_MEMORY_BYTES = 64 << 10;
    private static final int MUCH_MEMORY_BYTES = 4 << 20;

    private final SimProduct product;
    private final FrontendProvider frontends;

    /** @param product whose disk is served */
    public SessionStack(SimProduct product, FrontendProvider frontends) {
        this.product = product;
        this.frontends = frontends;
    }

    @Override
    public MetadataProvider metadata() {
        return product.metadata();
    }

    @Override
    public List<Integer> spareBytes(int slots) {
        return product.spareBytes(slots);
    }

    @Override
    public void format(MetadataProvider metadata, BlockDevice spare, PairIdentity pair, Environment environment)
            throws Refusal, DeviceException {
        product.format(metadata, spare, pair, environment);
    }

    @Override
    public Running start(Parts parts) throws IOException, Refusal {
        return new Served(product.start(parts), frontends, parts.environment());
    }

    private static final class Served implements Running, Exports, Disk, SimConnection.Owner {
        private final Running running;
        private final Environment environment;
        private final RandomGenerator random;
        private final TrackingBufferPool buffers;
        private final Frontend frontend;
        private final int connections;
        private final Map<String, Export> exports = new HashMap<>();
        private final List<SimConnection> opened = new ArrayList<>();
        /** The connection of each client, by its number. */
        private final SimConnection[] current;

        private final Map<DiskClient, Integer> numbers = new HashMap<>();
        private long cuts;
        private long halfCloses;
        private long lostRequests;

        Served(Running running, FrontendProvider frontends, Environment environment) throws Refusal {
            this.running = running;
            this.environment = environment;
            this.random = environment.random();
            this.buffers = new TrackingBufferPool(random.nextInt(4) == 0 ? LITTLE_MEMORY_BYTES : MUCH_MEMORY_BYTES);
            this.connections = 1 + random.nextInt(MOST_CONNECTIONS);
            this.current = new SimConnection[connections];
            this.frontend = frontends.open(this, buffers, environment, Settings.defaults());
        }

        // --- the disk, as the clients reach it

        @Override
        public Disk disk() {
            return this;
        }

        @Override
        public String name() {
            return running.disk().name();
        }

        @Override
        public DiskTraits traits() {
            return running.disk().traits();
        }

        @Override
        public void submit(DiskRequest request) {
            SimConnection connection = connectionOf(request.client);
            connection.submit(request);
            if (random.nextInt(REQUESTS_PER_CUT) == 0) {
                cutLater(connection, random.nextInt(MOST_STEPS_TO_CUT));
            }
        }

        /** Opens another one if that one is over. */
        @Override
        public SimConnection connectionOf(DiskClient client) {
            int number = numbers.computeIfAbsent(client, c -> random.nextInt(connections));
            if (current[number] == null || current[number].isOver()) {
                String name = "disk" + opened.size();
                SimConnection[] made = {null};
                Disk counted = new CountedDisk(running.disk(), () -> made[0]);
                exports.put(name, new Export(name, "", counted));
                made[0] = new SimConnection(frontend.sessions(), name, environment.scheduler(), random, this);
                opened.add(made[0]);
                current[number] = made[0];
            }
            return current[number];
        }

        private void cutLater(SimConnection connection, int steps) {
            environment.scheduler().execute(() -> {
                if (steps > 0) {
                    cutLater(connection, steps - 1);
                } else if (connection.isOver()) {
                    return;
                } else if (random.nextBoolean()) {
                    cuts++;
                    connection.cut();
                } else {
                    halfCloses++;
                    connection.halfClose();
                }
            });
        }

        @Override
        public void lost(int requests) {
            lostRequests += requests;
        }

        @Override
        public Optional<Export> find(String name) {
            return Optional.ofNullable(exports.get(name));
        }

        @Override
        public List<Export> list() {
            return List.copyOf(exports.values());
        }

        // --- the rest is the product's

        @Override
        public boolean answersByWire() {
            return true;
        }

        @Override
        public long cutConnections() {
            return cuts + halfCloses;
        }

        @Override
        public void mapAdd(SectorRange range, boolean unreadableToo, Consumer<DiskError> done) {
            running.mapAdd(range, unreadableToo, done);
        }

        @Override
        public void mapRemove(SectorRange range, Consumer<DiskError> done) {
            running.mapRemove(range, done);
        }

        @Override
        public List<SectorRange> avoided() {
            return running.avoided();
        }

        @Override
        public List<SectorRange> lost() {
            return running.lost();
        }

        @Override
        public Map<String, Long> counters() {
            Map<String, Long> counters = new HashMap<>(running.counters());
            counters.put("connections", (long) opened.size());
            counters.put("connections cut", cuts);
            counters.put("connections half closed", halfCloses);
            counters.put("requests cut off", lostRequests);
            counters.put("session buffers refused", buffers.refusals());
            return counters;
        }

        @Override
        public boolean inDoubt() {
            return running.inDoubt();
        }

        @Override
        public long lostUnflushedSectors() {
            return running.lostUnflushedSectors();
        }

        @Override
        public RemapTable table() {
            return running.table();
        }

        @Override
        public long slotOffsetBytes(long slot) {
            return running.slotOffsetBytes(slot);
        }

        @Override
        public long firstSlotOf(int spare) {
            return running.firstSlotOf(spare);
        }

        @Override
        public long slots() {
            return running.slots();
        }

        @Override
        public long freeSlots() {
            return running.freeSlots();
        }

        @Override
        public long badSlots() {
            return running.badSlots();
        }

        @Override
        public void checkQuiet() {
            running.checkQuiet();
        }

        @Override
        public boolean close() {
            opened.forEach(SimConnection::cut);
            frontend.close();
            buffers.checkNothingOut();
            return running.close();
        }
    }
}
