package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.DiskRequest;
import io.remap.api.DiskRequest.Operation;
import io.remap.api.IoBuffer;
import io.remap.api.Place;
import io.remap.api.SectorRange;
import io.remap.api.Settings;
import io.remap.api.spi.WatchedDisk;
import io.remap.core.disk.AvoidedRegions.Region;
import io.remap.core.io.StandardFaultPolicyProvider;
import io.remap.core.sim.SimDisks;
import io.remap.testkit.MemoryMetadata;
import io.remap.testkit.SimScheduler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Areas of main in which nothing reads, on simulated disks whose errors take seconds, with the standard policy, in virtual time. */
class DeadAreasTest {
    private static final int SECTOR = DiskRig.SECTOR;
    private static final int PER_UNIT = Place.UNIT_BYTES / SECTOR;
    private static final int SLOTS = 256;
    private static final int CHUNK_SECTORS = 128;
    private static final double AT_ONCE_SECONDS = 0.001;

    @TempDir
    private Path folder;

    private BlockDevice main;
    private BlockDevice spare;
    private DiskRig rig;
    private long units;

    private void start(long unitsOfMain, String errorMillis, String... settings) throws IOException {
        units = unitsOfMain;
        SimDisks.faults(image("main"), "");
        Map<String, String> all = new HashMap<>();
        for (int i = 0; i < settings.length; i += 2) {
            all.put(settings[i], settings[i + 1]);
        }
        rig = new DiskRig(
                new DiskRig.Devices() {
                    @Override
                    public BlockDevice main(SimScheduler scheduler) throws IOException {
                        main = SimDisks.open(
                                image("main"),
                                "size=" + unitsOfMain * Place.UNIT_BYTES + "&error-ms=" + errorMillis,
                                scheduler);
                        return main;
                    }

                    @Override
                    public BlockDevice spare(SimScheduler scheduler) throws IOException {
                        int size = MemoryMetadata.METADATA_BYTES + SLOTS * Place.UNIT_BYTES;
                        spare = SimDisks.open(image("spare"), "size=" + size, scheduler);
                        return spare;
                    }
                },
                new StandardFaultPolicyProvider().open(new Settings(all)));
        // As workers do it: who submits is not held up.
        rig.executes = io -> rig.scheduler.execute(io::run);
        rig.disk.main.flush();
    }

    @AfterEach
    void stop() {
        SimDisks.faults(image("main"), "");
        rig.scheduler.runUntilIdle();
        rig.close();
        main.close();
        spare.close();
    }

    private Path image(String name) {
        return folder.resolve(name + ".img");
    }

    private void faults(String... lines) {
        SimDisks.faults(image("main"), lines);
        pass(2 * SimDisks.inForceMillis());
    }

    private static String bad(long firstSector, long sectors) {
        return firstSector + "s " + sectors + "s read-and-write-bad";
    }

    private void pass(long millis) {
        long until = rig.scheduler.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        rig.scheduler.schedule(() -> {}, millis);
        rig.scheduler.runUntil(() -> rig.scheduler.nanoTime() >= until);
    }

    /** How an answer came. */
    private record Answer(DiskError error, double seconds) {}

    private Answer perform(Operation operation, long sector, int sectors) {
        IoBuffer buffer = rig.buffers.acquire(sectors * SECTOR);
        Answer[] answer = {null};
        long begun = rig.scheduler.nanoTime();
        DiskRequest request = new DiskRequest(ended -> {
            buffer.release();
            answer[0] = new Answer(ended.error, (rig.scheduler.nanoTime() - begun) / 1e9);
        });
        request.operation = operation;
        request.offsetBytes = sector * SECTOR;
        request.lengthBytes = (long) sectors * SECTOR;
        request.buffer = buffer;
        rig.scheduler.execute(() -> rig.disk.submit(request));
        rig.scheduler.runUntil(() -> answer[0] != null);
        return answer[0];
    }

    private Answer read(long sector, int sectors) {
        return perform(Operation.READ, sector, sectors);
    }

    private void assertFailsAtOnce(long sector, int sectors) {
        Answer answer = read(sector, sectors);
        assertEquals(DiskError.IO, answer.error);
        assertTrue(answer.seconds < AT_ONCE_SECONDS, answer::toString);
    }

    private List<SectorRange> avoided() {
        return rig.disk.avoided().regions().stream()
                .map(rig.disk.avoided()::sectors)
                .toList();
    }

    private long count(DiskEvent.Kind kind) {
        return rig.disk.events().newest(0, 1024).stream()
                .filter(event -> event.kind() == kind)
                .count();
    }

    private long counted(String name) {
        return rig.disk.attributes().stream()
                .filter(attribute -> attribute.name().equals(name))
                .mapToLong(attribute -> (Long) attribute.get().get())
                .findFirst()
                .orElseThrow();
    }

    /** Reads a range from end to end as a client that goes on after errors; how long that took, seconds. */
    private double readThrough(long first, long end) {
        double seconds = 0;
        for (long at = first; at < end; at += CHUNK_SECTORS) {
            seconds += read(at, CHUNK_SECTORS).seconds;
        }
        return seconds;
    }

    @Test
    void scratchIsAvoidedWholeAndNothingBesideIt() throws IOException {
        start(4096, "7000");
        faults(bad(4000, 1000));
        double first = readThrough(3840, 5120);
        rig.scheduler.runUntilIdle();
        double second = readThrough(3840, 5120);
        assertEquals(1, avoided().size(), () -> avoided().toString());
        SectorRange region = avoided().get(0);
        long slack = 5 * PER_UNIT;
        assertTrue(region.firstSector() >= 4000 && region.firstSector() <= 4000 + slack, region::toString);
        assertTrue(region.endSector() <= 5000 && region.endSector() >= 5000 - slack, region::toString);
        assertTrue(first > 20, () -> first + " s");
        DiskEvent found = rig.disk.events().newest(0, 1024).stream()
                .filter(event -> event.kind() == DiskEvent.Kind.AVOIDED)
                .findFirst()
                .orElseThrow();
        assertEquals("read", found.cause().orElseThrow().operation());
        assertEquals(5, found.cause().orElseThrow().errno());
        assertTrue(counted("avoid.probes") < 40, () -> counted("avoid.probes") + " probes");
        // The two ends that are not in the region have their hints by now, or cost an attempt each.
        assertTrue(second < first / 4, () -> first + " s, then " + second + " s");
        assertFailsAtOnce(region.firstSector(), CHUNK_SECTORS);
        assertEquals(DiskError.NONE, read(5120, CHUNK_SECTORS).error);
        assertEquals(0, rig.disk.summary().mappedSectors());
    }

    @Test
    void aScanThatReadsThereFindsItWithItsFirstRead() throws IOException {
        start(4096, "7000");
        faults(bad(4096, 4096), bad(20_000, 1));
        WatchedDisk watched = rig.disk.watched(new HealthMemory());
        List<String> met = new ArrayList<>();
        watched.listen((trouble, sectors) -> met.add(trouble.toString()));
        assertThrows(DeviceException.class, () -> probe(watched, new SectorRange(4096, 2048)));
        assertEquals(1, watched.avoided().size(), () -> watched.avoided().toString());
        WatchedDisk.AvoidedArea area = watched.avoided().get(0);
        assertTrue(area.found());
        assertTrue(
                area.range().firstSector() == 4096 && area.range().endSector() > 8192 - 5 * PER_UNIT, area::toString);
        assertEquals(List.of("AVOIDED"), met);
        assertEquals(List.of(new WatchedDisk.Damage(area.range(), WatchedDisk.Cause.AVOIDED)), watched.damage(0, 10));
        assertEquals(
                List.of(new SectorRange(2048, 2048)),
                watched.probeable(new SectorRange(2048, 4096)).ranges());
        assertThrows(DeviceException.class, () -> probe(watched, new SectorRange(19_456, 1024)), "one bad sector");
        long before = counted("avoid.probes");
        assertThrows(DeviceException.class, () -> probe(watched, new SectorRange(20_000, 8)), "its unit");
        assertEquals(2, counted("avoid.probes") - before, "good reads at both ends of its neighbourhood");
        assertEquals(1, watched.avoided().size(), () -> watched.avoided().toString());
    }

    /** Of the piece with the edge only a part is dead: its pieces in turn tell, down to the unit. */
    @Test
    void aScanFindsAnAreaThatBeginsOrEndsWithinWhatItReads() throws IOException {
        start(4096, "7000");
        faults(bad(4152, 72), bad(20_480, 72));
        WatchedDisk watched = rig.disk.watched(new HealthMemory());
        for (long piece : new long[] {4096, 20_480}) {
            assertThrows(DeviceException.class, () -> probe(watched, new SectorRange(piece, 128)));
        }
        assertEquals(0, watched.avoided().size(), "parts of both read");
        for (long unit : new long[] {4152, 20_544}) {
            assertThrows(DeviceException.class, () -> probe(watched, new SectorRange(unit, 8)));
        }
        // Edges are found within EDGE_UNITS.
        assertEquals(
                List.of(new SectorRange(4152, 64), new SectorRange(20_488, 64)),
                watched.avoided().stream().map(WatchedDisk.AvoidedArea::range).toList());
    }

    private void probe(WatchedDisk watched, SectorRange range) throws DeviceException {
        DeviceException[] error = {null};
        boolean[] done = {false};
        rig.scheduler.execute(() -> {
            try {
                watched.probe(range);
            } catch (DeviceException e) {
                error[0] = e;
            }
            done[0] = true;
        });
        rig.scheduler.runUntil(() -> done[0]);
        if (error[0] != null) {
            throw error[0];
        }
    }

    @Test
    void withoutItEachReadCostsItsDeadline() throws IOException {
        start(4096, "7000", "avoid", "off");
        faults(bad(4096, 1024));
        double first = readThrough(4096, 5120);
        assertTrue(first > 7 * 20, () -> first + " s");
        assertEquals(List.of(), avoided());
        faults("");
    }

    @Test
    void sparseErrorsAreNoArea() throws IOException {
        start(4096, "7000");
        SplittableRandom random = new SplittableRandom(7);
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            lines.add(bad(2048L * i + random.nextInt(2000), 1 + random.nextInt(16)));
        }
        faults(lines.toArray(String[]::new));
        for (long at = 0; at < 2048L * 12; at += CHUNK_SECTORS) {
            read(at, CHUNK_SECTORS);
        }
        rig.scheduler.runUntilIdle();
        assertEquals(List.of(), avoided());
        assertTrue(counted("avoid.probes") > 0, "a failed read is looked into");
        assertTrue(rig.disk.summary().unreadableSectors() > 12);
    }

    @Test
    void errorsThatComeAtOnceAreNotWorthIt() throws IOException {
        start(4096, "1");
        faults(bad(4096, 1024));
        readThrough(4096, 5120);
        rig.scheduler.runUntilIdle();
        assertEquals(List.of(), avoided());
        assertEquals(1024, rig.disk.summary().unreadableSectors());
    }

    @Test
    void deviceThatIsAwayIsNoDeadArea() throws IOException {
        start(4096, "7000");
        faults("link-reset 60");
        readThrough(4096, 5120);
        rig.scheduler.runUntilIdle();
        assertEquals(List.of(), avoided());
        assertEquals(0, count(DiskEvent.Kind.UNREADABLE));
    }

    @Test
    void smallWritesToADeadAreaFindIt() throws IOException {
        start(4096, "3000");
        faults(bad(4096, 1024));
        for (int i = 0; i < 8; i++) {
            assertEquals(DiskError.NONE, perform(Operation.WRITE, 4096 + 8L * i, 8).error);
        }
        rig.scheduler.runUntilIdle();
        assertEquals(1, avoided().size(), () -> avoided().toString());
        Answer later = perform(Operation.WRITE, 4096 + 512, 8);
        assertEquals(DiskError.NONE, later.error);
        assertTrue(later.seconds < AT_ONCE_SECONDS, later::toString);
        assertEquals(DiskError.NONE, read(4096 + 512, 8).error);
        assertEquals(DiskError.IO, read(4096 + 520, 8).error);
    }

    @Test
    void writesBeyondTheBudgetFailAndSoDoesNothingElse() throws IOException {
        start(4096, "7000", "avoid-spare-percent", "2");
        rig.disk.avoided().add(new SectorRange(4096, 1024));
        assertEquals(5, rig.disk.avoided().budgetUnits());
        for (int i = 0; i < 5; i++) {
            assertEquals(DiskError.NONE, perform(Operation.WRITE, 4096 + 8L * i, 8).error);
        }
        assertEquals(DiskError.NO_SPACE, perform(Operation.WRITE, 4096 + 40, 8).error);
        assertEquals(DiskError.NONE, perform(Operation.WRITE, 4096, 8).error, "it has a slot");
        assertEquals(DiskError.NONE, perform(Operation.WRITE, 2048, 8).error, "main takes it");
        faults(bad(2048, 8));
        assertEquals(DiskError.NONE, perform(Operation.WRITE, 2048, 8).error, "main refuses it: that has no budget");
    }

    @Test
    void whatAPersonNamesIsNotTouchedUntilThatEnds() throws IOException {
        start(4096, "7000");
        assertEquals(DiskError.NONE, perform(Operation.WRITE, 4096, 16).error);
        Region region = rig.disk.avoided().add(new SectorRange(4100, 1)).orElseThrow();
        assertEquals(new SectorRange(4096, 8), rig.disk.avoided().sectors(region));
        faults("gone");
        assertFailsAtOnce(4096, 8);
        assertEquals(DiskError.NONE, perform(Operation.WRITE, 4096, 4).error, "the spare has it");
        assertEquals(DiskError.NONE, read(4096, 4).error);
        assertEquals(DiskError.IO, read(4100, 4).error);
        faults("");
        assertEquals(
                List.of(new SectorRange(4100, 4)),
                rig.disk.watched(new HealthMemory()).damage(4096, 10).stream()
                        .map(WatchedDisk.Damage::range)
                        .toList());
        pass(TimeUnit.DAYS.toMillis(3));
        assertEquals(DiskError.IO, read(4100, 4).error);
        assertEquals(1, rig.disk.avoided().remove(new SectorRange(4100, 1)));
        assertEquals(DiskError.NONE, read(4096, 16).error);
        assertEquals(1, count(DiskEvent.Kind.AVOIDED_NO_MORE));
    }

    @Test
    void whatReadsAgainIsUsedAgain() throws IOException {
        start(4096, "7000");
        faults(bad(4096, 1024));
        read(4096, CHUNK_SECTORS);
        rig.scheduler.runUntilIdle();
        long before = counted("avoid.probes");
        read(4352, 8);
        rig.scheduler.runUntilIdle();
        assertEquals(before, counted("avoid.probes"), "it is too early");
        pass(TimeUnit.HOURS.toMillis(2));
        read(4352, 8);
        rig.scheduler.runUntilIdle();
        assertEquals(before + 1, counted("avoid.probes"), "one attempt");
        assertEquals(1, avoided().size());
        faults("");
        pass(TimeUnit.MINUTES.toMillis(90));
        read(4352, 8);
        rig.scheduler.runUntilIdle();
        assertEquals(1, avoided().size(), "the pause has doubled");
        pass(TimeUnit.HOURS.toMillis(1));
        assertEquals(DiskError.IO, read(4352, 8).error, "it is tried beside the request");
        rig.scheduler.runUntilIdle();
        assertEquals(List.of(), avoided());
        assertEquals(DiskError.NONE, read(4352, 8).error);
    }

    /** As after a start at which nobody had set the clock. */
    @Test
    void aClockThatWasAheadMakesNoAreaPermanent() throws IOException {
        start(4096, "7000");
        faults(bad(4096, 1024));
        read(4096, CHUNK_SECTORS);
        rig.scheduler.runUntilIdle();
        faults("");
        List<String> saved =
                new ArrayList<>(List.of(new String(rig.disk.avoided().save(), StandardCharsets.US_ASCII)
                        .strip()
                        .split(" ")));
        long farAway = Long.parseLong(saved.get(4)) + TimeUnit.DAYS.toMillis(3650);
        saved.set(4, String.valueOf(farAway));
        rig.disk.avoided().restore(String.join(" ", saved).getBytes(StandardCharsets.US_ASCII));
        assertEquals(farAway, rig.disk.avoided().regions().get(0).retryMillis());
        read(4352, 8);
        rig.scheduler.runUntilIdle();
        assertEquals(List.of(), avoided());
    }

    @Test
    void bandsOfADeadHeadAreFoundByTheirPeriod() throws IOException {
        long band = 2 * DeadAreas.MIN_BAND_UNITS;
        start(32 * band, "7000");
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            lines.add(bad((4 * i + 1) * band * PER_UNIT, band * PER_UNIT));
        }
        faults(lines.toArray(String[]::new));
        for (int i : new int[] {2, 3, 4}) {
            read((4 * i + 1) * band * PER_UNIT + band * PER_UNIT / 2, CHUNK_SECTORS);
            rig.scheduler.runUntilIdle();
        }
        assertEquals(8, avoided().size(), () -> avoided().toString());
        for (int i = 0; i < 8; i++) {
            SectorRange found = avoided().get(i);
            long first = (4 * i + 1) * band * PER_UNIT;
            assertTrue(Math.abs(found.firstSector() - first) <= 5 * PER_UNIT, found::toString);
            assertTrue(Math.abs(found.endSector() - first - band * PER_UNIT) <= 5 * PER_UNIT, found::toString);
        }
        assertFailsAtOnce(29 * band * PER_UNIT + 1024, CHUNK_SECTORS);
        assertTrue(counted("avoid.probes") < 8 * 60, () -> counted("avoid.probes") + " probes");
    }

    @Test
    void neverMoreThanHalfOfMain() throws IOException {
        start(4096, "7000");
        faults(bad(0, 8L * 4096 - 64), "32704s 64s slow 1");
        for (long at = 0; at < 8L * 4096; at += 1024) {
            read(at, CHUNK_SECTORS);
            rig.scheduler.runUntilIdle();
        }
        long sectors = avoided().stream().mapToLong(SectorRange::lengthSectors).sum();
        assertTrue(sectors <= units / 2 * PER_UNIT, () -> sectors + " sectors");
    }

    @Test
    void outlivesARestart() throws IOException {
        start(4096, "7000");
        AvoidedRegions regions = rig.disk.avoided();
        regions.add(new SectorRange(800, 80));
        assertTrue(regions.add(200, 300, true, Optional.empty(), "test"));
        // A person's is cut out of what is found.
        assertTrue(regions.add(90, 120, true, Optional.empty(), "test"));
        byte[] saved = regions.save();
        List<Region> before = regions.regions();
        assertEquals(4, before.size(), before::toString);
        AvoidedRegions again = new AvoidedRegions(rig.disk);
        again.restore(saved);
        assertEquals(before, again.regions());
        again.restore("5 3 found 0 0 0\n9 20 asked 1 0 0 later\n10 30 asked 1 0 0\n1 99999999 asked 0 0 0\n"
                .getBytes(StandardCharsets.US_ASCII));
        assertEquals(List.of(new Region(9, 20, false, 1, 0, 0)), again.regions());
    }

    @Test
    void thereAreOnlySoMany() throws IOException {
        start(4096, "7000");
        AvoidedRegions regions = rig.disk.avoided();
        for (int i = 0; i < AvoidedRegions.MAX_REGIONS; i++) {
            assertTrue(regions.add(new SectorRange(32L * i, 24)).isPresent());
        }
        assertTrue(regions.add(new SectorRange(30_000, 8)).isEmpty());
        assertEquals(AvoidedRegions.MAX_REGIONS, regions.regions().size());
        assertEquals(3, regions.remove(new SectorRange(8, 8)), "two pieces have no room: the whole of it ends");
        assertEquals(AvoidedRegions.MAX_REGIONS - 1, regions.regions().size());
        assertEquals(
                regions.regions().size() * 24L,
                Arrays.stream(regions.regions().toArray(Region[]::new))
                        .mapToLong(region -> regions.sectors(region).lengthSectors())
                        .sum());
    }
}
