package io.remap.core.disk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The pair of in-flight entry and moving range, on real threads and real memory: {@link FenceRounds}. */
class FenceTest {
    private static final int ATTEMPTS = 40;

    @Test
    void clientAndMoverNeverMissEachOther() {
        assertEquals(0, new FenceRounds().getAsInt());
    }

    /** Shows that the rounds would see it: with a release store in place of the full fence both can miss each other. */
    @Test
    void withoutTheFullFenceTheyMissEachOther(@TempDir Path directory) throws Exception {
        Mutant mutant = new Mutant("the entry is stored with release, and no fence follows")
                .replace(
                        "InFlightTable",
                        """
                                            && ENTRIES.compareAndSet(entries, index, FREE, entry)) {
                                        VarHandle.fullFence();
                        """,
                        "                    ) {\n                ENTRIES.setRelease(entries, index, entry);\n");
        var constructor = mutant.load("FenceRounds", directory).getDeclaredConstructor();
        constructor.setAccessible(true);
        int missed = 0;
        for (int attempt = 0; attempt < ATTEMPTS && missed == 0; attempt++) {
            missed = ((IntSupplier) constructor.newInstance()).getAsInt();
        }
        assertTrue(missed > 0, "without the fence nobody missed the other: the rounds prove nothing");
        System.out.println("suite: FenceTest: without the full fence client and mover missed each other " + missed
                + " times, with it never");
    }
}
