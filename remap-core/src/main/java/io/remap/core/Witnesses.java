package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceIdentity;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.WitnessTag;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where witnesses are kept: as an extended attribute of main where it can carry one (an image file: the note moves with
 * the file, and is found through a loop device or in a part of the file as well), otherwise as a file of the state
 * directory named after main's stable identity and size. Such a file also says which bytes it is about, and is found for
 * whatever shares some of them: a partition, a disk, a part.
 *
 * <p>Invariants: the witness of main itself that is there but cannot be read is an error, never an absent one, and so is a
 * directory that cannot be listed (single notes for others may be another user's); what is written is durable on return and replaces the old note as a whole.
 */
final class Witnesses {
    /** A note is far smaller; whatever is longer is not ours. */
    private static final int MAX_FILE_BYTES = 64 * 1024;

    /** As {@link WitnessPlace#fileName} gives them: not the fresh ones on their way. */
    private static final String NOTE_NAMES = "[0-9a-f]*";

    private static final Logger LOG = LoggerFactory.getLogger(Witnesses.class);

    private final Path directory;

    Witnesses(Path stateDirectory) {
        this.directory = stateDirectory.resolve("witness");
    }

    /** Memory that ends with this process needs no witness. */
    private static boolean isNeeded(BlockDevice main) {
        return !main.identity().backing().startsWith("mem:");
    }

    /** The witness of main, empty if there is none for certain; refused where that cannot be told. */
    Optional<Witness> find(BlockDevice main) throws Refusal {
        try {
            return isNeeded(main) ? read(main) : Optional.empty();
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "whether " + main.name() + " has a spare already cannot be told: its witness cannot be read (" + e
                            + ")",
                    e);
        }
    }

    private Optional<Witness> read(BlockDevice main) throws IOException {
        Optional<Witness> carried = Optional.empty();
        Optional<WitnessTag> tag = main.capability(WitnessTag.class);
        if (tag.isPresent()) {
            carried = tag.get().readTag().map(Witness::decode);
        }
        // Also where main can carry a tag: it may have been written when the file system could not, or cannot any more.
        Optional<Witness> filed = readFile(fileOf(main.identity())).map(Witness::decode);
        if (carried.isPresent() && filed.isPresent()) {
            return Optional.of(newer(carried.get(), filed.get()));
        }
        Optional<Witness> own = carried.or(() -> filed);
        if (own.isPresent()) {
            return own;
        }
        return filesOfOthers(main.identity()).stream()
                .findFirst()
                .flatMap(this::readOther)
                .map(note -> Witness.decode(note).asOfOther());
    }

    /** The notes for other mains that share bytes with this one, by name. */
    private List<Path> filesOfOthers(DeviceIdentity main) throws IOException {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        WitnessPlace place = WitnessPlace.of(main);
        Path own = fileOf(main);
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> notes = Files.newDirectoryStream(directory, NOTE_NAMES)) {
            for (Path note : notes) {
                boolean shares = !note.equals(own)
                        && readOther(note)
                                .flatMap(WitnessPlace::decode)
                                .filter(place::overlaps)
                                .isPresent();
                if (shares) {
                    found.add(note);
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        found.sort(null);
        return found;
    }

    private Optional<byte[]> readOther(Path note) {
        try {
            return readFile(note);
        } catch (IOException e) {
            LOG.warn("{}: a witness for another main cannot be read: {}", note, e.toString());
            return Optional.empty();
        }
    }

    /** Of two of one pair the later one; a clean stop is taken back before the generation grows. Else the one on main. */
    private static Witness newer(Witness carried, Witness filed) {
        if (!filed.pairUuid().equals(carried.pairUuid()) || filed.generation() < carried.generation()) {
            return carried;
        }
        boolean later =
                filed.generation() > carried.generation() || filed.stop().isEmpty();
        return later ? filed : carried;
    }

    private Optional<byte[]> readFile(Path file) throws IOException {
        if (Files.isRegularFile(directory.getParent())) {
            // Nothing can stand below a file; that nothing can be written there either is said when it is tried.
            return Optional.empty();
        }
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                return Optional.of(new byte[0]);
            }
            return Optional.of(Files.readAllBytes(file));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    /** Replaces the witness of main, durable on return; says how that went. */
    FeatureStatus leave(BlockDevice main, Witness witness) {
        if (!isNeeded(main)) {
            return FeatureStatus.of("witness", FeatureState.ABSENT, "main is memory of this process");
        }
        try {
            write(main, witness);
            return FeatureStatus.of("witness", FeatureState.STARTED, "");
        } catch (IOException e) {
            return FeatureStatus.of("witness", FeatureState.FAILED, e.toString());
        }
    }

    private void write(BlockDevice main, Witness witness) throws IOException {
        Optional<WitnessTag> tag = main.capability(WitnessTag.class).filter(WitnessTag::isOwn);
        if (tag.isPresent()) {
            try {
                tag.get().writeTag(witness.encode());
                return;
            } catch (DeviceException e) {
                LOG.info("{}: {}; the witness goes to {}", main.name(), e.getMessage(), directory);
            }
        }
        ByteArrayOutputStream note = new ByteArrayOutputStream();
        note.write(witness.encode());
        note.write(WitnessPlace.of(main.identity()).encode());
        writeFile(fileOf(main.identity()), note.toByteArray());
    }

    private void writeFile(Path file, byte[] note) throws IOException {
        Files.createDirectories(directory);
        Path fresh = Files.createTempFile(directory, "new", ".tmp");
        try {
            try (FileChannel channel = FileChannel.open(fresh, StandardOpenOption.WRITE)) {
                for (ByteBuffer bytes = ByteBuffer.wrap(note); bytes.hasRemaining(); ) {
                    channel.write(bytes);
                }
                channel.force(true);
            }
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(fresh);
        }
        syncDirectory();
    }

    /**
     * Removes the witness of main, and those for others that share bytes with it; durable on return. Returns what was
     * removed, for people.
     */
    List<String> remove(BlockDevice main) throws IOException {
        List<String> removed = new ArrayList<>();
        Optional<WitnessTag> tag = main.capability(WitnessTag.class);
        if (tag.isPresent()) {
            Optional<byte[]> note = tag.get().readTag();
            if (note.isPresent()) {
                tag.get().removeTag();
                removed.add(main.name() + " no longer names "
                        + Witness.decode(note.get()).wanted());
            }
        }
        Path own = fileOf(main.identity());
        Optional<byte[]> ofMain = readFile(own);
        if (ofMain.isPresent()) {
            removed.add(removeFile(own, Witness.decode(ofMain.get())));
        }
        for (Path other : filesOfOthers(main.identity())) {
            Optional<byte[]> note = readFile(other);
            if (note.isPresent()) {
                removed.add(removeFile(other, Witness.decode(note.get()).asOfOther()));
            }
        }
        return removed;
    }

    private String removeFile(Path file, Witness witness) throws IOException {
        Files.deleteIfExists(file);
        syncDirectory();
        return file + " removed: it named " + witness.wanted();
    }

    private void syncDirectory() throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    private Path fileOf(DeviceIdentity identity) {
        return directory.resolve(WitnessPlace.fileName(identity));
    }
}
