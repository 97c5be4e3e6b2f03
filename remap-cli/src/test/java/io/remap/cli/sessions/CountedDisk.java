package io.remap.cli.sessions;

import io.remap.api.Disk;
import io.remap.api.DiskRequest;
import io.remap.api.DiskTraits;
import java.util.function.Supplier;

/** A disk as one connection uses it: the connection knows when nothing of it is under way any more. */
final class CountedDisk implements Disk {
    private final Disk disk;
    private final Supplier<SimConnection> connection;

    CountedDisk(Disk disk, Supplier<SimConnection> connection) {
        this.disk = disk;
        this.connection = connection;
    }

    @Override
    public String name() {
        return disk.name();
    }

    @Override
    public DiskTraits traits() {
        return disk.traits();
    }

    @Override
    public void submit(DiskRequest request) {
        connection.get().workBegins();
        DiskRequest inner = new DiskRequest(ended -> {
            request.pages = ended.pages;
            request.complete(ended.error, ended.errorOffsetBytes);
            connection.get().workEnds();
        });
        inner.client = request.client;
        inner.operation = request.operation;
        inner.offsetBytes = request.offsetBytes;
        inner.lengthBytes = request.lengthBytes;
        inner.buffer = request.buffer;
        inner.pagesWelcome = request.pagesWelcome;
        inner.fua = request.fua;
        inner.keepAllocated = request.keepAllocated;
        inner.fastOnly = request.fastOnly;
        disk.submit(inner);
    }
}
