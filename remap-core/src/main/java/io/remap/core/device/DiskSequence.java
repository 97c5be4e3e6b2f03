package io.remap.core.device;

import io.remap.api.DeviceIdentity;
import io.remap.api.MediumSequence;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;

/** The {@code diskseq} of a disk, from sysfs. */
final class DiskSequence implements MediumSequence {
    private static final String BLOCK = "block:";

    private volatile Source source;

    /** @param shift what it has to be counted down by to be the number that the disk had at first */
    private record Source(Path file, long shift) {}

    private final long atFirst;

    private DiskSequence(Path file) {
        this.source = new Source(file, 0);
        this.atFirst = current().orElse(0);
    }

    /** That of the disk that holds the bytes; empty for a file, and for a kernel that does not count. */
    static Optional<DiskSequence> of(DeviceIdentity identity) {
        return of(Path.of("/sys/dev/block"), identity);
    }

    static Optional<DiskSequence> of(Path blocks, DeviceIdentity identity) {
        if (!identity.backing().startsWith(BLOCK)) {
            return Optional.empty();
        }
        DiskSequence sequence = new DiskSequence(
                blocks.resolve(identity.backing().substring(BLOCK.length())).resolve("diskseq"));
        return sequence.current().isPresent() ? Optional.of(sequence) : Optional.empty();
    }

    /** The same disk has been found with another number: it is given the one that it had. */
    void goOnWith(DiskSequence found) {
        OptionalLong now = found.current();
        if (now.isPresent()) {
            source = new Source(found.source.file, now.getAsLong() - atFirst);
        }
    }

    @Override
    public OptionalLong current() {
        Source from = source;
        try {
            return OptionalLong.of(Long.parseLong(Files.readString(from.file).trim()) - from.shift);
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }
}
