package io.remap.core.disk;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.UUID;

/**
 * Where the ledgers of one pair outlive a process that is killed: files in memory (tmpfs), which a restart of the machine
 * takes away together with the caches that they are about. Where there is no such place the ledgers end with the process,
 * and the status says why.
 */
public final class LedgerFiles {
    private static final Set<String> IN_MEMORY = Set.of("tmpfs", "ramfs");

    private final Path directory;
    private final LedgerMemory.Key key;
    private final String name;
    private volatile String whyNot;

    private LedgerFiles(Path directory, LedgerMemory.Key key, String whyNot) {
        this.directory = directory;
        this.key = key;
        this.name = key == null ? "" : "ledger-" + key.pair() + "-";
        this.whyNot = whyNot;
    }

    /** None. */
    public static LedgerFiles none(String why) {
        return new LedgerFiles(null, null, why);
    }

    /**
     * Those of a pair, just before an opening puts its name on it.
     *
     * @param directory of this user, made if it is not there
     * @param pair of the devices
     * @param boot of this machine
     * @param found which opening of the pair was the last one
     * @param session the one that begins
     */
    public static LedgerFiles in(Path directory, UUID pair, UUID boot, UUID found, UUID session) {
        try {
            Files.createDirectories(
                    directory, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            String type = Files.getFileStore(directory).type();
            return IN_MEMORY.contains(type)
                    ? anywhere(directory, pair, boot, found, session)
                    : none(directory + " is on " + type + ", not in memory");
        } catch (IOException e) {
            return none(e.toString());
        }
    }

    /** As {@link #in}, whatever the directory is on. */
    static LedgerFiles anywhere(Path directory, UUID pair, UUID boot, UUID found, UUID session) throws IOException {
        LedgerFiles files = new LedgerFiles(directory, new LedgerMemory.Key(pair, boot, found, session), "");
        files.announce();
        return files;
    }

    /** Also those of spares that are not there now. */
    private void announce() throws IOException {
        try (DirectoryStream<Path> left = Files.newDirectoryStream(directory, name + "*")) {
            for (Path file : left) {
                if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                    LedgerMemory.announce(file, key);
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
    }

    /** Why the ledgers end with the process; empty if they do not. */
    String whyNot() {
        return whyNot;
    }

    /** The memory of a ledger; one that ends with the process if it cannot be had otherwise. */
    LedgerMemory open(String device, int ringBytes, int sectorBytes) {
        if (directory != null) {
            try {
                return LedgerMemory.of(directory.resolve(name + device), ringBytes, sectorBytes, key);
            } catch (IOException e) {
                whyNot = e.toString();
            }
        }
        return LedgerMemory.unnamed(ringBytes);
    }

    /** Nothing is left to verify. */
    void delete(String device) {
        if (directory != null) {
            try {
                Files.deleteIfExists(directory.resolve(name + device));
            } catch (IOException e) {
                // It is empty, and the next start finds that.
                return;
            }
        }
    }
}
