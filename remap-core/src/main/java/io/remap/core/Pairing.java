package io.remap.core;

import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SparePlan;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Ties a main to its spare: formats spares, checks at every start that the two belong together, and leaves a witness, so
 * that a main is never served without the spare that holds some of its sectors.
 */
public final class Pairing {
    /**
     * How to pair.
     *
     * @param force the content of the spare may go; devices that look in use are taken, and a spare that does not
     *     survive a power cut. Never makes main writable
     * @param noWitness go on where no witness can be written
     * @param sectorBytes logical sector of the virtual disk, where main leaves it open
     * @param createSpareBytes makes the spare, an image file that does not exist yet, with this size
     */
    public record CreateOptions(
            boolean force, boolean noWitness, OptionalInt sectorBytes, OptionalLong createSpareBytes) {}

    /**
     * A new pair.
     *
     * @param pair as it was written on the spare
     * @param spareName the spare
     * @param spareBytes its size
     * @param plan what the spare offers
     * @param notices what the user should know, one line each
     */
    public record Created(PairIdentity pair, String spareName, long spareBytes, SparePlan plan, List<String> notices) {}

    /** Pairs devices of these providers, with witnesses in this directory. */
    public Pairing(Providers providers, Path stateDirectory, Environment environment) {}

    /**
     * Formats a spare for a main, as one transaction, and leaves the witness. Never writes to main.
     *
     * @throws Refusal if the spare is main, overlaps it, has larger sectors, is too small, does not survive a power cut
     *     while main does, holds something else or belongs to a pair already (without {@code force}); or if main has a
     *     spare already (the way out is {@link #forget})
     */
    public Created create(DeviceUri main, DeviceUri spare, CreateOptions options) throws Refusal, DeviceException {
        return Unbuilt.value(Pairing.class);
    }

    /**
     * Removes the witness of a main: from now on it may be served without its spare or with a new one. Sectors that are
     * on the old spare are given up by this.
     *
     * @return what was forgotten, one line each; empty if there was no witness
     */
    public List<String> forget(DeviceUri main) throws Refusal, DeviceException {
        return Unbuilt.value(Pairing.class);
    }

    /**
     * The phase DEVICES of a disk: opens main and spare (making the sidecar of an image file), and refuses what must not
     * be a pair by its geometry. Writes to neither; either returns open devices or has closed them and throws.
     */
    PairDevices openDevices(DiskSpec spec) throws Refusal, DeviceException {
        return Unbuilt.value(Pairing.class);
    }

    /**
     * The phase METADATA of a disk: makes sure that the two belong together (formatting a blank spare), recovers the
     * table, and leaves the witness. The devices stay the caller's.
     */
    PairMetadata openMetadata(PairDevices devices, Settings settings) throws Refusal, DeviceException {
        return Unbuilt.value(Pairing.class);
    }
}
