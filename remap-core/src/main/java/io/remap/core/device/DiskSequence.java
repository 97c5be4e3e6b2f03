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

    private final Path file;

    private DiskSequence(Path file) {
        this.file = file;
    }

    /** That of the disk that holds the bytes; empty for a file, and for a kernel that does not count. */
    static Optional<MediumSequence> of(DeviceIdentity identity) {
        return of(Path.of("/sys/dev/block"), identity);
    }

    static Optional<MediumSequence> of(Path blocks, DeviceIdentity identity) {
        if (!identity.backing().startsWith(BLOCK)) {
            return Optional.empty();
        }
        DiskSequence sequence = new DiskSequence(
                blocks.resolve(identity.backing().substring(BLOCK.length())).resolve("diskseq"));
        return sequence.current().isPresent() ? Optional.of(sequence) : Optional.empty();
    }

    @Override
    public OptionalLong current() {
        try {
            return OptionalLong.of(Long.parseLong(Files.readString(file).trim()));
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }
}
