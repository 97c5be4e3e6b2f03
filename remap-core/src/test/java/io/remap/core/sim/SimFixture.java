package io.remap.core.sim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.TimeSource;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.core.device.FileDeviceProvider;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** A simulated disk in a folder, in virtual time: whoever waits lets it pass. */
final class SimFixture implements AutoCloseable, TimeSource {
    static final int SECTOR = 512;

    /** Some moment of the calendar. */
    private static final long OPENED_WALL_MILLIS = 1_700_000_000_000L;

    final Path folder;
    /** Of a new image. */
    String size = "4M";

    final AtomicLong pausedMillis = new AtomicLong();
    /** Runs each time when somebody waits. */
    Runnable meanwhile = () -> {};

    BlockDevice device;
    private long nanos;
    private final SimDeviceProvider provider =
            new SimDeviceProvider(new FileDeviceProvider(), this, new Random(1), this::pass);

    SimFixture(Path folder) {
        this.folder = folder;
    }

    @Override
    public synchronized long nanoTime() {
        return nanos;
    }

    @Override
    public synchronized long wallMillis() {
        return OPENED_WALL_MILLIS + TimeUnit.NANOSECONDS.toMillis(nanos);
    }

    private void pass(long millis) {
        pausedMillis.addAndGet(millis);
        advance(millis);
        meanwhile.run();
    }

    synchronized void advance(long millis) {
        nanos += TimeUnit.MILLISECONDS.toNanos(millis);
    }

    Path image() {
        return folder.resolve("disk.img");
    }

    Path list() {
        return SimFiles.faults(image());
    }

    Path socket() {
        return SimFiles.control(image());
    }

    /** The lines of the answer of the control socket. */
    List<String> say(String command) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            channel.connect(UnixDomainSocketAddress.of(socket()));
            BufferedWriter out = new BufferedWriter(
                    new OutputStreamWriter(Channels.newOutputStream(channel), StandardCharsets.UTF_8));
            out.write(command + "\n");
            out.flush();
            channel.shutdownOutput();
            return new BufferedReader(new InputStreamReader(Channels.newInputStream(channel), StandardCharsets.UTF_8))
                    .lines()
                    .toList();
        }
    }

    /** Opens it; a new one has {@link #size}. */
    SimFixture open(String parameters) throws IOException {
        device = provider.open(
                DeviceUri.parse("sim:" + image() + "?size=" + size + (parameters.isEmpty() ? "" : "&" + parameters)),
                OpenOptions.serve(false, Door.AUTO, OptionalInt.empty()));
        return this;
    }

    SimFixture reopen(String parameters) throws IOException {
        device.close();
        return open(parameters);
    }

    /** Gives it this list, and lets the time pass after which it is looked at. */
    SimFixture faults(String... lines) throws IOException {
        Path fresh = folder.resolve("fresh");
        Files.writeString(fresh, String.join("\n", lines) + "\n");
        Files.move(fresh, list(), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        advance(SimFaults.CHECK_MILLIS);
        return this;
    }

    void write(long sector, int sectors, int value) throws DeviceException {
        byte[] bytes = new byte[sectors * SECTOR];
        Arrays.fill(bytes, (byte) value);
        device.write(sector * SECTOR, ByteBuffer.wrap(bytes));
    }

    /** The first byte of a sector. */
    int read(long sector) throws DeviceException {
        return read(sector, 1)[0];
    }

    byte[] read(long sector, int sectors) throws DeviceException {
        byte[] bytes = new byte[sectors * SECTOR];
        device.read(sector * SECTOR, ByteBuffer.wrap(bytes));
        return bytes;
    }

    void assertReadFails(int errno, long sector) {
        assertEquals(
                errno,
                assertThrows(DeviceException.class, () -> read(sector), "sector " + sector)
                        .errno());
    }

    void assertWriteFails(int errno, long sector, int sectors) {
        assertEquals(
                errno,
                assertThrows(DeviceException.class, () -> write(sector, sectors, 9), "sector " + sector)
                        .errno());
    }

    /** Whether a read of the sector succeeds. */
    boolean reads(long sector) {
        try {
            read(sector);
            return true;
        } catch (DeviceException e) {
            return false;
        }
    }

    @Override
    public void close() {
        if (device != null) {
            device.close();
        }
    }
}
