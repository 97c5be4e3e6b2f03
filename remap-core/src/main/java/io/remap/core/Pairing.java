package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceException;
import io.remap.api.DeviceUri;
import io.remap.api.Environment;
import io.remap.api.FeatureState;
import io.remap.api.FeatureStatus;
import io.remap.api.Place;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider.Door;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.api.spi.SparePlan;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What makes and ends a pair while nobody serves it: formats a spare for a main, and forgets which spare a main has.
 * The rules are those of {@link PairOpening}. Thread-safe.
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

    private final Providers providers;
    private final Devices devices;
    private final Environment environment;
    private final Witnesses witnesses;
    private final PairOpening opening;

    /** Pairs devices of these providers, with witnesses in this directory. */
    public Pairing(Providers providers, Path stateDirectory, Environment environment) {
        this.providers = providers;
        this.devices = new Devices(providers);
        this.environment = environment;
        this.witnesses = new Witnesses(stateDirectory);
        this.opening = new PairOpening(providers, devices, witnesses, environment);
    }

    /** For the disks of a service. */
    PairOpener opening() {
        return opening;
    }

    /**
     * Formats a spare for a main, as one transaction, and leaves the witness. Never writes to main.
     *
     * @throws Refusal if the spare is main, overlaps it, has larger sectors, is too small, does not survive a power cut
     *     while main does, holds something else or belongs to a pair already (without {@code force}); or if main has a
     *     spare already (the way out is {@link #forget})
     */
    public Created create(DeviceUri main, DeviceUri spare, CreateOptions options) throws Refusal, DeviceException {
        MetadataProvider metadata = providers.metadata();
        // Exclusive, so that it is not served; for writing, as the witness may stand beside its bytes.
        OpenOptions openMain =
                new OpenOptions(false, true, Door.AUTO, options.sectorBytes(), OptionalLong.empty(), options.force());
        try (BlockDevice mainDevice = devices.open(main, openMain)) {
            PairGeometry.refuseSize(mainDevice);
            Optional<Witness> witness = witnesses.find(mainDevice);
            if (witness.isEmpty() && !options.force()) {
                opening.refuseSpareAsMain(mainDevice);
            }
            if (witness.isPresent()) {
                throw new Refusal(
                        Refusal.Kind.WRONG_DEVICE,
                        mainDevice.name() + " has a spare already: "
                                + witness.get().wanted() + ". To give up what stands on it: remap forget "
                                + ShellWords.device(mainDevice.name()));
            }
            if (options.createSpareBytes().isPresent()) {
                // Said before the file is made.
                metadata.plan(options.createSpareBytes().getAsLong(), Place.UNIT_BYTES);
            }
            try (BlockDevice spareDevice =
                    opening.openSpare(main, mainDevice, spare, options.createSpareBytes(), false, options.force())) {
                try {
                    return format(metadata, mainDevice, spareDevice, options);
                } catch (Refusal | DeviceException | RuntimeException e) {
                    Devices.discard(spare, options.createSpareBytes());
                    throw e;
                }
            }
        }
    }

    private Created format(MetadataProvider metadata, BlockDevice main, BlockDevice spare, CreateOptions options)
            throws Refusal, DeviceException {
        SparePlan plan =
                metadata.plan(spare.traits().sizeBytes(), spare.traits().physicalSectorBytes());
        SpareContent content = metadata.inspect(spare.direct());
        if (!options.force()) {
            opening.refuseMainAsSpare(spare, content);
        }
        if (content.kind() != SpareContent.Kind.BLANK && !options.force()) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    "spare " + spare.name() + " is not blank: " + PairMatch.describe(content)
                            + ". To destroy that and make it a spare: --force");
        }
        List<String> notices = new ArrayList<>();
        PairGeometry.sharedDisk(main, spare).ifPresent(notices::add);
        PairIdentity pair = opening.newPair(main);
        metadata.format(spare.direct(), pair, environment);
        FeatureStatus witness = witnesses.leave(main, Witness.of(pair, 0, 0, spare.name()));
        if (witness.state() == FeatureState.FAILED) {
            PairMatch.requireWitness(main, witness, options.noWitness());
            notices.add("no witness could be left on this host: " + witness.detail());
        }
        return new Created(pair, spare.name(), spare.traits().sizeBytes(), plan, notices);
    }

    /**
     * Removes the witness of a main: from now on it may be served without its spare or with a new one. Sectors that
     * are on the old spare are given up by this.
     *
     * @return what was forgotten, one line each; empty if there was no witness
     */
    public List<String> forget(DeviceUri main) throws Refusal, DeviceException {
        // Exclusive, so that it is not served; for writing, as the witness may stand beside its bytes.
        OpenOptions notServed =
                new OpenOptions(false, true, Door.AUTO, OptionalInt.empty(), OptionalLong.empty(), false);
        try (BlockDevice device = devices.open(main, notServed)) {
            return witnesses.remove(device);
        } catch (DeviceException | Refusal e) {
            throw e;
        } catch (IOException e) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT, "the witness of " + main + " cannot be removed: " + e.getMessage(), e);
        }
    }
}
