package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Refusal;
import io.remap.metadata.Specimen.Copies;
import io.remap.metadata.Specimen.Kind;
import io.remap.testkit.CrashDevice;
import io.remap.testkit.CrashDevice.Operation;
import io.remap.testkit.SuiteBudget;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Test;

/**
 * G8: the metadata of a spare damaged in many ways (each bit of its superblocks in a soak), each open with the real
 * classes. One copy of a block: recovered in
 * full. Both: recovered, or refused with nothing written; and read-only either refused or a table that the spare has
 * stated. Never a table that it has not.
 */
class DamageSweepTest {
    private static final long SEED = Long.getLong("remap.seed", 20261126L);
    private static final double SECONDS = 10;
    private static final int SUPERBLOCK_BITS = Identities.COUNT * Block.BYTES * 8;
    private static final long FLOOR = 16_000;
    private static final long FULL = 2L * SUPERBLOCK_BITS;

    /** Shares no divisor with the number of bits, so multiples of it meet every bit once. */
    private static final long STRIDE = 40_503;

    /** What happens to a block. */
    private enum Damage {
        ZEROS,
        GARBAGE,
        ONE_BIT,
        /** EIO. */
        UNREADABLE,
        /** The write of the present block was lost: an older one stands there. */
        STALE,
        /** A write that was for the next block. */
        MISDIRECTED;

        void strike(CrashDevice device, CrashDevice older, long at, SplittableRandom random) {
            switch (this) {
                case ZEROS -> device.poke(at, new byte[Block.BYTES]);
                case GARBAGE -> {
                    byte[] bytes = new byte[Block.BYTES];
                    random.nextBytes(bytes);
                    device.poke(at, bytes);
                }
                case ONE_BIT -> device.flipBit(at + random.nextInt(Block.BYTES), random.nextInt(8));
                case UNREADABLE -> device.makeUnreadable(at, Block.BYTES);
                case STALE -> device.poke(at, older.peek(at, Block.BYTES));
                case MISDIRECTED -> device.poke(at, device.peek(at + Block.BYTES, Block.BYTES));
            }
        }
    }

    private final LogMetadataProvider provider = new LogMetadataProvider(Specimen.LOG_BLOCKS);
    private final AtomicLong flips = new AtomicLong();
    private final AtomicLong oneCopy = new AtomicLong();
    private final AtomicLongArray bothCopies = new AtomicLongArray(2);

    /** A power cut during the last commit leaves the same: it was not acknowledged, as far as anybody can tell. */
    private static boolean looksLikeAPowerCut(Copies block) {
        return block.kind() == Kind.LOG_END;
    }

    @Test
    void damageIsRecoveredOrNoticed() throws Exception {
        SuiteBudget budget = new SuiteBudget("G8 damaged metadata", "damages", SECONDS, FLOOR, FULL);
        List<Specimen> specimens =
                List.of(Specimen.uncleanlyStopped(), Specimen.cleanlyStopped(), Specimen.withReplacedBlocks());
        AtomicLong next = new AtomicLong();
        int threads = Runtime.getRuntime().availableProcessors();
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                running.add(pool.submit(() -> {
                    while (budget.goesOn()) {
                        damage(specimens, next.getAndIncrement());
                        budget.ran(1);
                    }
                    return null;
                }));
            }
            for (Future<?> one : running) {
                one.get();
            }
        } finally {
            pool.shutdownNow();
        }
        budget.finish(String.format(
                Locale.ROOT,
                "%,d bits of the superblocks (of %,d), %,d of one copy, %,d of both copies: %,d refused",
                Math.min(SUPERBLOCK_BITS, flips.get()),
                SUPERBLOCK_BITS,
                oneCopy.get(),
                bothCopies.get(0) + bothCopies.get(1),
                bothCopies.get(1)));
        assertTrue(bothCopies.get(0) > 0 && bothCopies.get(1) > 0, "both outcomes must occur: " + bothCopies);
    }

    /** Half of the damages are bits of superblocks, each once; then only the others are left. */
    private void damage(List<Specimen> specimens, long number) throws Exception {
        SplittableRandom random = new SplittableRandom(SEED + number);
        Specimen specimen = specimens.get((int) (number / 2 % specimens.size()));
        if (number % 2 == 0 && number / 2 < SUPERBLOCK_BITS) {
            flips.incrementAndGet();
            flipSuperblock(specimen, Math.floorMod(number / 2 * STRIDE, (long) SUPERBLOCK_BITS));
        } else if (random.nextInt(3) > 0) {
            oneCopy.incrementAndGet();
            damageOne(specimen, random, number);
        } else {
            damageBoth(specimen, random, number);
        }
    }

    private String open(CrashDevice device, boolean readOnly) throws Refusal, DeviceException {
        return Bench.text(Bench.open(provider, device, readOnly, SEED).store().table());
    }

    private void flipSuperblock(Specimen specimen, long bit) throws Exception {
        CrashDevice damaged = specimen.spare().copy();
        int place = (int) (bit / (Block.BYTES * 8));
        long at = Layout.identityOffset(place, Bench.SPARE_BYTES) + bit / 8 % Block.BYTES;
        damaged.flipBit(at, (int) (bit % 8));
        String where = "bit " + bit + " of the superblocks";
        assertEquals(specimen.expected(), open(damaged, false), where);
        assertEquals(4, Identities.read(damaged).count(Identities.State.WHOLE), where + " is not repaired");
    }

    private void damageOne(Specimen specimen, SplittableRandom random, long number) throws Exception {
        Copies block = specimen.blocks().get(random.nextInt(specimen.blocks().size()));
        Damage damage = Damage.values()[random.nextInt(Damage.values().length)];
        int copy = random.nextInt(2);
        CrashDevice damaged = specimen.spare().copy();
        damage.strike(damaged, specimen.older(), block.offsets().get(copy), random);
        String where = describe(specimen, number) + ", copy " + copy + " of " + block + ": " + damage;
        assertEquals(specimen.expected(), open(damaged.copy(), true), where + ", read-only");
        assertEquals(specimen.expected(), open(damaged, false), where);
        assertEquals(specimen.expected(), open(damaged, false), where + ", opened again");
    }

    private static String describe(Specimen specimen, long number) {
        return "damage " + number + " with seed " + SEED + ", " + specimen.name();
    }

    private void damageBoth(Specimen specimen, SplittableRandom random, long number) throws Exception {
        Copies block = specimen.blocks().get(random.nextInt(specimen.blocks().size()));
        CrashDevice damaged = specimen.spare().copy();
        Damage[] damages = new Damage[2];
        for (int copy = 0; copy < 2; copy++) {
            damages[copy] = Damage.values()[random.nextInt(Damage.values().length)];
            damages[copy].strike(damaged, specimen.older(), block.offsets().get(copy), random);
        }
        String where = describe(specimen, number) + ", both copies of " + block + ": " + Arrays.toString(damages);
        checkReadOnly(specimen, damaged.copy(), where);
        boolean refused = false;
        try {
            String table = open(damaged, false);
            boolean allowed = table.equals(specimen.expected())
                    || (looksLikeAPowerCut(block) && specimen.history().contains(table));
            assertTrue(allowed, where + ": opened with another table, without a word");
        } catch (Refusal e) {
            refused = true;
            assertEquals(Refusal.Kind.DAMAGED, e.kind(), where + ": " + e.getMessage());
            assertEquals(0, damaged.operations(Operation.WRITE), where + ": refused, but written to");
        }
        bothCopies.incrementAndGet(refused ? 1 : 0);
    }

    /** It may be refused; what it shows must be a table that the spare has stated. */
    private void checkReadOnly(Specimen specimen, CrashDevice damaged, String where) throws DeviceException {
        try {
            assertTrue(specimen.history().contains(open(damaged, true)), where + ": read-only, a table that never was");
        } catch (Refusal e) {
            assertEquals(Refusal.Kind.DAMAGED, e.kind(), where + ": " + e.getMessage());
        }
    }
}
