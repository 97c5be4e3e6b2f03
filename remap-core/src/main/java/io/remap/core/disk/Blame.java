package io.remap.core.disk;

import io.remap.api.DeviceException;
import io.remap.api.DiskError;
import io.remap.api.ErrorClass;
import io.remap.api.spi.FaultPolicy.Verdict;
import io.remap.core.disk.Recovery.Away;
import io.remap.core.disk.Recovery.Failure;
import io.remap.core.disk.Recovery.HostShort;
import io.remap.core.disk.Recovery.TryLater;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * Says what the failed transfers of one recovery mean: whether sectors are to blame, a device as a whole, or the
 * host. The policy decides, within bounds.
 *
 * <p>Invariants: no sector is blamed without a living device behind it; nor, unless the error names it, before the
 * device has answered its canary between two failures.
 *
 * <p>Not thread-safe: the stages of a recovery run one after the other. Blocks while it asks a canary.
 */
final class Blame {
    private final VirtualDisk disk;

    /** How often the host was short of something that the recovery needs. */
    private int hostTries;

    /** Whose canaries answered after their last failure: what fails next there began on a living device. */
    private final Set<TrackedDevice> provenAlive = new HashSet<>();

    /** The last error of main after which sectors were suspected, and how often that was tried by then; for people. */
    private DiskEvent.Cause suspicion;

    /** Whether an error of main was told, in case that more of them come from all over it. */
    private boolean conspicuous;

    Blame(VirtualDisk disk) {
        this.disk = disk;
    }

    static boolean isAway(ErrorClass errorClass) {
        return errorClass == ErrorClass.GONE || errorClass == ErrorClass.LINK || errorClass == ErrorClass.SLOW;
    }

    /** Why sectors of main are in the hands of the recovery, if an error says so. */
    Optional<DiskEvent.Cause> suspicion() {
        return Optional.ofNullable(suspicion);
    }

    /** A stage is to be run again, as the host was short of something. */
    void hostWasShort() {
        hostTries++;
    }

    /** The recovery got on: what the host was short of before does not count. */
    void hostGotOn() {
        hostTries = 0;
    }

    /** Whether the host, which was short of something once more, may come to have it. */
    boolean isHostWaitedFor(DeviceException error) {
        return ++hostTries < Recovery.MAX_TRIES && policySays(false, error, hostTries, true) == Verdict.RETRY;
    }

    long hostDelayMillis() {
        return disk.policy.retryDelayMillis(hostTries);
    }

    /**
     * What a failed transfer means; throws where nothing of the range is to blame.
     *
     * @param attempts of this transfer so far, this one among them
     * @return whether sectors are to blame; {@code false}: try again, as a retry that costs nobody else anything
     */
    boolean blamesSectors(VirtualDisk.Side side, boolean read, DeviceException error, int attempts, long offset)
            throws Failure, TryLater {
        if (disk.isEnding()) {
            // Another try may take seconds, and nobody waits for what it would say.
            throw new Failure(DiskError.SHUTDOWN, offset, error);
        }
        boolean mayBeSector = error.errorClass().mayBeSector();
        // An error of the host repeats the stage, an error of a sector the transfer: each has its own count.
        int tries = mayBeSector ? attempts : hostTries + 1;
        // Nobody is blamed before two more tries: then it need not be asked behind this very error.
        boolean wasAlive = mayBeSector
                && policySays(read, error, tries, true) == Verdict.RETRY
                && policySays(read, error, tries + 1, true) == Verdict.RETRY
                && side.canary().wasAliveLately();
        boolean alive = mayBeSector && (wasAlive || side.canary().alive());
        Verdict verdict = verdict(side, read, error, tries, alive);
        if (side.device() == disk.main) {
            noteErrorOfMain(error, tries, offset, alive);
        }
        if (alive && !wasAlive) {
            provenAlive.add(side.device());
        } else {
            provenAlive.remove(side.device());
        }
        return switch (verdict) {
            case BLAME_SECTORS -> true;
            case RETRY -> {
                if (mayBeSector) {
                    yield false;
                }
                throw new HostShort(disk.policy.retryDelayMillis(tries), error);
            }
            default -> throw deviceToBlame(side, read, error, offset, alive);
        };
    }

    private Verdict policySays(boolean read, DeviceException error, int tries, boolean alive) {
        return read
                ? disk.policy.readFailed(error.errorClass(), tries, alive)
                : disk.policy.writeFailed(error.errorClass(), tries, alive);
    }

    /** Of the policy, within the bounds that none can leave. */
    private Verdict verdict(VirtualDisk.Side side, boolean read, DeviceException error, int tries, boolean alive) {
        Verdict verdict = policySays(read, error, tries, alive);
        if (verdict == Verdict.RETRY && tries >= Recovery.MAX_TRIES) {
            verdict = Verdict.BLAME_SECTORS;
        }
        if (verdict == Verdict.BLAME_SECTORS && !alive) {
            // Whatever a policy says: no verdict on a sector without a living device behind it.
            verdict = Verdict.BLAME_DEVICE;
        }
        if (verdict == Verdict.BLAME_SECTORS
                && error.errorClass() != ErrorClass.SECTOR
                && !provenAlive.contains(side.device())) {
            // The device may have been away at the transfer, and back for its canary: once more, now that it lives.
            verdict = Verdict.RETRY;
        }
        return verdict;
    }

    private void noteErrorOfMain(DeviceException error, int tries, long offset, boolean alive) {
        if (alive) {
            suspicion = DiskEvent.Cause.of(error, tries);
        }
        if (error.errorClass().mayBeSector() && !conspicuous) {
            conspicuous = true;
            disk.noteFailure(offset, error);
        }
    }

    /**
     * The end of the recovery by an error of a device.
     *
     * @throws Away if the device is away, so that it may be waited for
     */
    private Failure deviceToBlame(
            VirtualDisk.Side side, boolean read, DeviceException error, long offset, boolean alive) throws Away {
        boolean isSilent = error.errorClass().mayBeSector() && !alive;
        if (isSilent) {
            side.device().wentAway(error);
        }
        disk.log.deviceFault(error);
        if (!read && error.errorClass() == ErrorClass.READ_ONLY && side.device() == disk.main) {
            disk.mainIsReadOnly(error);
            return new Failure(DiskError.READ_ONLY, offset, error);
        }
        boolean full = error.errorClass() == ErrorClass.NO_SPACE;
        Failure failure = new Failure(full ? DiskError.NO_SPACE : DiskError.IO, offset, error);
        if (isAway(error.errorClass()) || isSilent) {
            throw new Away(side, failure);
        }
        return failure;
    }
}
