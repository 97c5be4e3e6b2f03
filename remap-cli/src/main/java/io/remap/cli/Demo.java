package io.remap.cli;

import io.remap.api.ByteSize;
import io.remap.cli.DemoDisk.Place;
import io.remap.cli.MapPicture.Mark;
import io.remap.cli.control.ControlClient;
import io.remap.cli.control.RunDirectory;
import io.remap.cli.nbd.NbdClient;
import io.remap.cli.nbd.NbdError;
import io.remap.cli.nbd.NbdUri;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The story of a failing disk, played with a real server in a process of its own: every sector is compared with what was
 * acknowledged, and every figure is asked from the server or counted by the client. Whatever is not as promised ends it
 * with a {@link NotSo}.
 */
final class Demo implements AutoCloseable {
    static final long ANSWER_MILLIS = 60_000;

    private static final String NAME = "demo";
    private static final int DISK_SECTORS = 65_536;
    private static final String SPARE = "spare.img";
    private static final String SOCKET = "demo.sock";
    private static final String SPARE_SIZE = "16M";
    private static final int FILL_SECTORS = 512;
    private static final int MIN_WRITES = 200;
    private static final int MORE_WRITES = 400;
    private static final long FAIL_WAIT_MILLIS = 10_000;
    private static final long KILL_WAIT_MILLIS = 60_000;
    private static final long STOP_MILLIS = 60_000;
    private static final int SHOWN_RANGES = 12;

    private final Terminal terminal;
    private final Path directory;
    private final Random random;
    private final DemoDisk disk;
    private final SectorLedger ledger;
    private int step;
    private NbdUri uri;
    private volatile ServerProcess server;
    private volatile boolean abandoned;

    Demo(Terminal terminal, Path directory, long seed) {
        this.terminal = terminal;
        this.directory = directory;
        this.random = new Random(seed);
        this.disk = new DemoDisk(directory, DISK_SECTORS, seed);
        this.ledger = new SectorLedger(seed, DISK_SECTORS, DemoDisk.SECTOR_BYTES);
    }

    void run() throws IOException, InterruptedException, NotSo {
        makeAndServe();
        fill();
        goBad();
        rewrite();
        killInTheMiddle();
        restart();
        look();
        stop();
        terminal.line("");
        terminal.line(terminal.tone(
                Terminal.Tone.GOOD, "As promised: every acknowledged write was found again, and no sector lied."));
    }

    private void heading(String text) {
        terminal.line("");
        step++;
        terminal.heading(step + ". " + text);
    }

    private void say(String text) {
        terminal.line("   " + text);
    }

    private void makeAndServe() throws IOException, NotSo {
        heading("A disk of " + ByteSize.format((long) DISK_SECTORS * DemoDisk.SECTOR_BYTES)
                + ", still healthy, and a spare of " + ByteSize.format(ByteSize.parse(SPARE_SIZE)));
        disk.create();
        say("$ remap create '" + disk.uri() + "' --spare " + SPARE + " --spare-size " + SPARE_SIZE);
        ServerProcess.runOnce(
                List.of("create", disk.uri(), "--spare", SPARE, "--spare-size", SPARE_SIZE), directory, environment());
        serve();
        say("The same disk for other programs:");
        for (String command : attachCommands()) {
            say("  " + command);
        }
    }

    /** Everything of the demo stays in its directory: sockets and witnesses too. */
    private Map<String, String> environment() {
        return Map.of(
                "XDG_RUNTIME_DIR", directory.toString(),
                "REMAP_STATE_DIR", directory.resolve("state").toString());
    }

    private void serve() throws IOException, NotSo {
        say("$ remap serve '" + disk.uri() + "' --spare " + SPARE + " --name " + NAME + " --socket " + SOCKET);
        long startedNanos = System.nanoTime();
        ServerProcess started = ServerProcess.start(
                List.of(disk.uri(), "--spare", SPARE, "--name", NAME, "--socket", SOCKET), directory, environment());
        server = started;
        if (abandoned) {
            started.close();
        }
        List<?> uris = StatusText.list(statusOfDisk(), "uris");
        if (uris.isEmpty()) {
            throw new NotSo("the server names no address for its disk");
        }
        uri = NbdUri.parse(uris.get(0).toString());
        try (NbdClient client = connect()) {
            client.read(0, DemoDisk.SECTOR_BYTES);
            if (client.sizeBytes() != (long) DISK_SECTORS * DemoDisk.SECTOR_BYTES) {
                throw new NotSo("the disk that is served has " + client.sizeBytes() + " bytes");
            }
        }
        say("process " + started.pid() + ", first NBD reply " + millisSince(startedNanos) + " ms after the start: "
                + uris.get(0));
    }

    private static long millisSince(long nanos) {
        return (System.nanoTime() - nanos) / 1_000_000;
    }

    private NbdClient connect() throws IOException {
        return NbdClient.connect(uri, ANSWER_MILLIS);
    }

    private ControlClient control() throws IOException {
        Path runDirectory = directory.resolve(RunDirectory.DIRECTORY);
        RunDirectory.check(runDirectory);
        return ControlClient.connect(runDirectory, NAME);
    }

    private Map<?, ?> statusOfDisk() throws IOException, NotSo {
        try (ControlClient client = control()) {
            Map<?, ?> status = (Map<?, ?>) client.call("status", Map.of(), Services.ANSWER_MILLIS);
            List<?> disks = StatusText.list(status, "disks");
            if (disks.isEmpty()) {
                throw new NotSo("the status shows no disk");
            }
            return (Map<?, ?>) disks.get(0);
        }
    }

    private List<String> attachCommands() throws IOException, NotSo {
        return StatusText.list(statusOfDisk(), "attachCommands").stream()
                .map(String::valueOf)
                .toList();
    }

    private void fill() throws IOException, NotSo {
        heading("A client fills the disk over NBD, every sector with a content of its own");
        try (NbdClient client = connect()) {
            for (int first = 0; first < DISK_SECTORS; first += FILL_SECTORS) {
                write(client, first, FILL_SECTORS);
            }
            client.flush();
        }
        check("every sector read back");
        say("on the spare: " + StatusText.number(statusOfDisk(), "mappedSectors") + " sectors");
    }

    private void write(NbdClient client, int first, int count) throws IOException, NotSo {
        byte[] data = ledger.begin(first, count);
        try {
            client.write((long) first * DemoDisk.SECTOR_BYTES, data);
        } catch (NbdError e) {
            throw new NotSo("a write was refused: " + e.getMessage());
        }
        ledger.acknowledge(first, count);
    }

    /** Reads the whole disk and compares every byte. */
    private DemoCheck check(String what) throws IOException, NotSo {
        DemoCheck check;
        try (NbdClient client = connect()) {
            check = DemoCheck.readAll(ledger, (offsetBytes, lengthBytes) -> {
                try {
                    return client.read(offsetBytes, lengthBytes);
                } catch (NbdError e) {
                    if (e.code() == NbdError.EIO) {
                        throw new DemoCheck.UnreadableException(e);
                    }
                    throw e;
                }
            });
        }
        check.requireKept();
        say(what + ": " + check.right() + " sectors with their last acknowledged write"
                + (check.underWay() == 0 ? "" : ", " + check.underWay() + " with one that was under way")
                + (check.unreadable() == 0 ? "" : ", " + check.unreadable() + " answer EIO"));
        return check;
    }

    private void goBad() throws IOException, NotSo {
        List<Place> places = disk.places(0);
        heading("The disk goes bad in " + places.size() + " places, while it is served");
        fail(places);
        int unreadable = allowUnreadable(places);
        say(describe(places));
        DemoCheck check = check("every sector read again");
        if (check.unreadable() != unreadable) {
            throw new NotSo(unreadable + " sectors are unreadable, but " + check.unreadable() + " answered EIO");
        }
        say("EIO for exactly the " + unreadable + " sectors that cannot be read; their neighbours are served");
    }

    /**
     * Lets places fail and waits until they do: the disk looks at its list now and then, and what is written to a place
     * before it fails is lost with it.
     */
    private void fail(List<Place> places) throws IOException, NotSo {
        disk.fail(places);
        Place unreadable = places.stream()
                .filter(place -> place.fault().unreadable)
                .findFirst()
                .orElseThrow();
        long startedNanos = System.nanoTime();
        try (NbdClient client = connect()) {
            while (millisSince(startedNanos) < FAIL_WAIT_MILLIS) {
                client.read((long) unreadable.first() * DemoDisk.SECTOR_BYTES, DemoDisk.SECTOR_BYTES);
            }
        } catch (NbdError e) {
            if (e.code() == NbdError.EIO) {
                return;
            }
            throw e;
        }
        throw new NotSo("sector " + unreadable.first() + " still reads " + FAIL_WAIT_MILLIS / 1000
                + " s after it was made unreadable");
    }

    private int allowUnreadable(List<Place> places) {
        int sectors = 0;
        for (Place place : places) {
            if (place.fault().unreadable) {
                ledger.allowUnreadable(place.first(), place.count());
                sectors += place.count();
            }
        }
        return sectors;
    }

    private static String describe(List<Place> places) {
        StringBuilder text = new StringBuilder();
        for (DemoDisk.Fault fault : DemoDisk.Fault.values()) {
            int sectors = places.stream()
                    .filter(place -> place.fault() == fault)
                    .mapToInt(Place::count)
                    .sum();
            text.append(text.isEmpty() ? "" : ", ")
                    .append(sectors)
                    .append(" sectors ")
                    .append(fault.meaning);
        }
        return text.toString();
    }

    private void rewrite() throws IOException, NotSo {
        List<Place> places = disk.places(0);
        heading("A client writes over all of them, neighbours included");
        try (NbdClient client = connect()) {
            for (Place place : places) {
                int first = Math.max(0, place.first() - 1);
                write(client, first, Math.min(place.count() + 2, DISK_SECTORS - first));
            }
            client.flush();
        }
        say("every write was acknowledged; what the disk did not take is on the spare");
        check("every sector read back");
        requireOnSpare(places);
    }

    /** Sectors that main cannot take any more must stand on the spare, by the word of the server. */
    private void requireOnSpare(List<Place> places) throws IOException, NotSo {
        MapListing listing;
        try (ControlClient client = control()) {
            listing = MapListing.fetch(client, null, Integer.MAX_VALUE);
        }
        for (Place place : places) {
            for (int sector = place.first(); sector < place.first() + place.count(); sector++) {
                if (place.fault() != DemoDisk.Fault.HEALS_ON_WRITE && !listing.isOnSpare(sector)) {
                    throw new NotSo("sector " + sector + " was written, main cannot take it, and the map does not show"
                            + " it on the spare");
                }
            }
        }
        say("on the spare now: " + listing.sectors(Mark.REMAPPED) + " sectors; unreadable: "
                + listing.sectors(Mark.UNREADABLE) + "; lost: " + listing.sectors(Mark.LOST));
    }

    private void killInTheMiddle() throws IOException, InterruptedException, NotSo {
        List<Place> places = disk.places(1);
        int writes = MIN_WRITES + random.nextInt(MORE_WRITES);
        heading("More of it goes bad under two clients that write, and then: kill -9");
        fail(places);
        allowUnreadable(places);
        say(describe(places));
        int half = DISK_SECTORS / 2;
        CountDownLatch enough = new CountDownLatch(writes);
        List<DemoWriter> writers = List.of(writer(places, 0, half, enough), writer(places, half, DISK_SECTORS, enough));
        writers.forEach(DemoWriter::start);
        if (!enough.await(KILL_WAIT_MILLIS, TimeUnit.MILLISECONDS)) {
            throw new NotSo("only " + acknowledged(writers) + " of " + writes + " writes were answered within "
                    + KILL_WAIT_MILLIS / 1000 + " s");
        }
        long pid = server.pid();
        server.kill();
        for (DemoWriter writer : writers) {
            writer.join(ANSWER_MILLIS);
        }
        if (acknowledged(writers) < writes) {
            throw new NotSo("the server hung up on its clients before it was killed");
        }
        say("$ kill -9 " + pid + "   after " + acknowledged(writers) + " acknowledged writes; " + ledger.underWay()
                + " sectors were being written");
    }

    private DemoWriter writer(List<Place> places, int first, int end, CountDownLatch enough) {
        List<Place> own = places.stream()
                .filter(place -> place.first() >= first && place.first() + place.count() <= end)
                .toList();
        return new DemoWriter(uri, ledger, own, first, end, new Random(random.nextLong()), enough);
    }

    private static int acknowledged(List<DemoWriter> writers) {
        return writers.stream().mapToInt(DemoWriter::acknowledged).sum();
    }

    private void restart() throws IOException, NotSo {
        heading("Started again: is everything there that was acknowledged?");
        serve();
        DemoCheck check = check("every sector read");
        if (check.unreadable() > ledger.unreadableAllowed()) {
            throw new NotSo(check.unreadable() + " sectors answer EIO, expected at most " + ledger.unreadableAllowed());
        }
        requireOnSpare(disk.places(0));
    }

    private void look() throws IOException, NotSo {
        heading("What remap knows");
        try (ControlClient client = control()) {
            say("$ remap map list " + NAME + " --limit " + SHOWN_RANGES);
            MapListing.fetch(client, null, SHOWN_RANGES).print(terminal);
            terminal.line("");
            say("$ remap status " + NAME);
            new StatusText(terminal).print((Map<?, ?>) client.call("status", Map.of(), Services.ANSWER_MILLIS));
        }
    }

    private void stop() throws IOException, InterruptedException, NotSo {
        heading("The end in good order");
        say("$ kill -TERM " + server.pid());
        server.terminate();
        int status = server.await(STOP_MILLIS);
        if (status != ExitStatus.OK) {
            throw new NotSo("the server ended with status " + status + " after SIGTERM: " + server.lastLine());
        }
        if (!server.lastLine().equals(ServeCommand.STOPPED)) {
            throw new NotSo(
                    "the server ended with status 0 without saying that everything is saved: " + server.lastLine());
        }
        say(server.lastLine() + " (exit status " + status + ")");
    }

    /** Ends it from another thread: the server is killed. */
    void abandon() {
        abandoned = true;
        close();
    }

    @Override
    public void close() {
        ServerProcess running = server;
        if (running != null) {
            running.close();
        }
    }

    /** Removes a directory with all that is in it. */
    static void removeTree(Path directory) throws IOException {
        try (var files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }
}
