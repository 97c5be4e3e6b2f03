package io.remap.cli.proof;

import io.remap.api.DeviceException;
import io.remap.api.Environment;
import io.remap.api.Refusal;
import io.remap.api.Settings;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import io.remap.testkit.TaskQueue;
import java.util.Optional;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.UUID;

/**
 * Cuts the power at every boundary of a format: the device is then what it was (blank, or the spare of another pair), is the
 * spare of the new pair, or counts as blank since the format was interrupted; and never anything between. Where the drive
 * cannot read the sector that it was writing, it may be said that what stands there cannot be told; a format goes on then.
 */
final class FormatExplorer {
    private static final int SAMPLES = 256;
    /** With each write unreadable. */
    private static final int SAMPLES_UNREADABLE = 16;

    private static final int EXHAUSTIVE_SECTORS = 8;
    private static final PairIdentity OLD = pair(1);
    private static final PairIdentity NEW = pair(2);

    private final MetadataProvider provider;
    private final long seed;
    private long states;
    private long blank;
    private long old;
    private long done;
    private long untold;

    FormatExplorer(MetadataProvider provider, long seed) {
        this.provider = provider;
        this.seed = seed;
    }

    long states() {
        return states;
    }

    /** How often it was blank, the old spare, the new one, or cannot be told. */
    long[] outcomes() {
        return new long[] {blank, old, done, untold};
    }

    private static PairIdentity pair(int number) {
        return new PairIdentity(
                new UUID(number, number), CrashStack.MAIN_BYTES, CrashStack.SECTOR_BYTES, "main" + number);
    }

    private static Environment environment(long seed) {
        return new TaskQueue().environment(new Random(seed));
    }

    /** @param wasSpare the device is the spare of another pair; otherwise it is blank */
    void explore(boolean wasSpare) throws Refusal, DeviceException {
        CrashDevice device = new CrashDevice("spare", CrashStack.SPARE_BYTES, CrashStack.SECTOR_BYTES);
        if (wasSpare) {
            provider.format(device, OLD, environment(seed));
        }
        device.observe((operation, offset, length) -> {
            if (operation != Operation.READ) {
                cutPower(device, wasSpare, "before " + operation + " " + offset + "+" + length);
            }
        });
        provider.format(device, NEW, environment(seed + 1));
        device.observe(null);
        long before = done;
        cutPower(device, wasSpare, "at the end");
        if (done == before) {
            throw new Violation("a format that ended made no spare");
        }
    }

    private void cutPower(CrashDevice device, boolean wasSpare, String when) {
        int sectors = device.unflushedSectors();
        boolean all = sectors <= EXHAUSTIVE_SECTORS;
        SplittableRandom random = new SplittableRandom(seed + device.operations());
        for (int i = 0; i < (all ? 1 << sectors : SAMPLES); i++) {
            long kept = all ? i : random.nextLong(1L << Math.min(sectors, 62));
            judge(device.crashKeeping(sector -> (kept >> sector & 1) != 0), wasSpare, when, kept, -1);
        }
        for (int torn : device.physicalWrites()) {
            for (int i = 0; i < SAMPLES_UNREADABLE; i++) {
                long kept = random.nextLong(1L << Math.min(sectors, 62));
                judge(device.crashUnreadable(sector -> (kept >> sector & 1) != 0, torn), wasSpare, when, kept, torn);
            }
        }
    }

    /** @param unreadable the write whose physical sector cannot be read until it is written; -1 for none */
    private void judge(CrashDevice left, boolean wasSpare, String when, long kept, int unreadable) {
        states++;
        try {
            judge(left, wasSpare, unreadable >= 0);
        } catch (Refusal | DeviceException | Violation e) {
            throw new Violation(
                    "format of " + (wasSpare ? "another spare" : "a blank device") + ", " + when + ", kept "
                            + Long.toBinaryString(kept) + (unreadable < 0 ? "" : ", " + unreadable + " unreadable")
                            + ": " + e.getMessage(),
                    e);
        }
    }

    private void judge(CrashDevice left, boolean wasSpare, boolean unreadable) throws Refusal, DeviceException {
        SpareContent content = provider.inspect(left);
        switch (content.kind()) {
            case BLANK -> blank++;
            case SPARE -> {
                PairIdentity pair = content.pair().orElseThrow();
                if (!pair.equals(NEW) && !(wasSpare && pair.equals(OLD))) {
                    throw new Violation("the spare of " + pair);
                }
                if (!provider.open(left, false, environment(7), Settings.defaults())
                        .table()
                        .isEmpty()) {
                    throw new Violation("mappings that nobody made");
                }
                done += pair.equals(NEW) ? 1 : 0;
                old += pair.equals(OLD) ? 1 : 0;
            }
            case UNREADABLE -> {
                if (!unreadable) {
                    throw new Violation("everything can be read: " + content);
                }
                untold++;
                provider.format(left, NEW, environment(seed + 2));
                if (!provider.inspect(left).pair().equals(Optional.of(NEW))) {
                    throw new Violation("the next format made no spare");
                }
            }
            default -> throw new Violation("half a format: " + content);
        }
    }
}
