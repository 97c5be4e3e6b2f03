package io.remap.metadata;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.DeviceException;
import io.remap.api.Refusal;
import io.remap.testkit.Mutant;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * G2 for several spares: each bug breaks one rule of where the table is and which one counts, and must show in a scenario of
 * {@link SpreadTest} or {@link FirstSpareRemovedTest}, which cut the power at every write and flush, and let either spare die.
 */
class SpreadBugsTest {
    private static final String PACKAGE = "io.remap.metadata";
    private static final int LEAST_BUGS = 10;

    private static final List<String> found = new ArrayList<>();
    private static long startedNanos;

    /**
     * A bug and what shows it.
     *
     * @param test of this package
     * @param scenario one of its methods
     */
    private record Bug(Mutant mutant, Class<?> test, String scenario) {
        @Override
        public String toString() {
            return mutant.name();
        }
    }

    private static Bug bug(String rule, Class<?> test, String scenario, String original, String mutated) {
        return bugIn("Holders", rule, test, scenario, original, mutated);
    }

    private static Bug bugIn(
            String source, String rule, Class<?> test, String scenario, String original, String mutated) {
        Mutant mutant = new Mutant(rule, "remap-metadata", PACKAGE).replace(source, original, mutated);
        return new Bug(mutant, test, scenario);
    }

    private static Bug spread(String rule, String scenario, String original, String mutated) {
        return bug(rule, SpreadTest.class, scenario, original, mutated);
    }

    private static Bug removed(String rule, String scenario, String original, String mutated) {
        return bug(rule, FirstSpareRemovedTest.class, scenario, original, mutated);
    }

    static Stream<Bug> bugs() {
        return Stream.concat(bugsOfTheCopy(), bugsOfRemoval());
    }

    private static Stream<Bug> bugsOfTheCopy() {
        return Stream.of(
                spread(
                        "an answer does not wait for the copy",
                        "aCrashWhileTheTableIsSpreadAndWritten",
                        "        follow(other -> other.log().commit(changes, as(other, changed)));\n",
                        ""),
                spread(
                        "a copy that fails is forgotten, not left behind",
                        "aCrashWhileOneTakesThePlaceOfTheOther",
                        "            refuseTakenOver(e);\n            leaveBehind(other.index(), e.getMessage());\n",
                        "            copy = null;\n"),
                spread(
                        "a lead that fails is not stated as left behind",
                        "aCrashWhileOneTakesThePlaceOfTheOther",
                        "            state(next, next.log().tables().members(), failed.index(), above);\n",
                        "            next.log().checkpointAhead();\n"),
                spread(
                        "who goes on alone begins no new term",
                        "aCrashWhileOneTakesThePlaceOfTheOther",
                        "index, endOfTerm(lead.log().generation(), reached));",
                        "index, lead.log().generation());"),
                spread(
                        "who takes the lead begins no new term",
                        "aCrashWhileOneTakesThePlaceOfTheOther",
                        "            long above = endOfTerm(failed.log().generation(), next.log().generation());\n",
                        "            long above = next.log().generation();\n"),
                spread(
                        "main is not told that a table was left behind: a stale one alone",
                        "theDeathOfTheOtherLeavesTheFirst",
                        "        remember();\n        moves.note(new TableMove(TableMove.Kind.LEFT_BEHIND",
                        "        moves.note(new TableMove(TableMove.Kind.LEFT_BEHIND"),
                spread(
                        "one that comes back counts as it is",
                        "aCrashWhileOneThatWasAwayComesBack",
                        "            other.log().begin(asCopy, lead.log().generation());\n",
                        "            other.log().checkpointAhead();\n"),
                bugIn(
                        "Holder",
                        "each start begins the arenas of the copy anew",
                        SpreadTest.class,
                        "aCrashWhileTheTableIsSpreadAndWritten",
                        "        try {\n            return of(device, io, superblock, TableRecovery.recover",
                        "        try {\n            if (index != 0) {\n                throw new Damage(\"\");\n            }\n"
                                + "            return of(device, io, superblock, TableRecovery.recover"),
                spread(
                        "one that is stated and not there goes on counting",
                        "oneThatIsNotShownIsLeftBehindByTheNextCommit",
                        "        leaveUnseenBehind();\n        if",
                        "        if"),
                spread(
                        "the first spare does not say how new it is",
                        "anOlderFirstSpareIsToldByTheOther",
                        "                return first.slots(holder.layout().slots())"
                                + ".seen(holder.log().generation());\n",
                        "                return first.slots(holder.layout().slots()).seen(0);\n"));
    }

    private static Stream<Bug> bugsOfRemoval() {
        return Stream.of(
                removed(
                        "a hand-over begins no new term",
                        "aCrashWhileItIsTakenOut",
                        "        long above = endOfTerm(lead.log().generation(), next.log().generation());\n",
                        "        long above = next.log().generation();\n"),
                removed(
                        "who handed the table over leads on",
                        "theOthersStartWithoutIt",
                        "        lead = next;\n        copy = null;\n        alone = \"\";\n",
                        "        copy = null;\n        alone = \"\";\n"),
                removed(
                        "programs that know a first spare only may open a pair without one",
                        "aCrashWhileItIsTakenOut",
                        "        declare(members);\n        if",
                        "        if"));
    }

    @BeforeAll
    static void begin() {
        startedNanos = System.nanoTime();
    }

    @ParameterizedTest
    @MethodSource("bugs")
    void scenarioFindsIt(Bug bug, @TempDir Path directory) throws Exception {
        Optional<Throwable> failure = failure(bug, directory);
        assertTrue(failure.isPresent(), () -> bug + ": " + bug.scenario + " does not show it");
        found.add(bug.toString());
        System.out.println("seeded bug found: " + bug + ": " + firstLine(failure.get()));
    }

    /** What is found is the bug, not how it was loaded. */
    @Test
    void aMutantWithoutABugPasses(@TempDir Path directory) throws Exception {
        Map<String, Class<?>> scenarios = new TreeMap<>();
        bugs().forEach(bug -> scenarios.put(bug.scenario, bug.test));
        for (Map.Entry<String, Class<?>> one : scenarios.entrySet()) {
            Bug none =
                    bug("none", one.getValue(), one.getKey(), "final class Holders {\n", "final class Holders {\n\n");
            assertEquals(Optional.empty(), failure(none, directory.resolve(one.getKey())));
        }
    }

    private static Optional<Throwable> failure(Bug bug, Path directory) throws Exception {
        Class<?> test = bug.mutant.load(bug.test.getSimpleName(), directory);
        Constructor<?> constructor = test.getDeclaredConstructor();
        constructor.setAccessible(true);
        Method scenario = test.getDeclaredMethod(bug.scenario);
        scenario.setAccessible(true);
        try {
            scenario.invoke(constructor.newInstance());
            return Optional.empty();
        } catch (InvocationTargetException e) {
            Throwable cause = e.getCause();
            if (cause instanceof AssertionError || cause instanceof Refusal || cause instanceof DeviceException) {
                return Optional.of(cause);
            }
            throw new IllegalStateException(bug + " broke the program instead of a rule", cause);
        }
    }

    private static String firstLine(Throwable failure) {
        return String.valueOf(failure.getMessage()).lines().findFirst().orElse("");
    }

    @AfterAll
    static void summary() {
        long bugs = bugs().count();
        System.out.printf(
                Locale.ROOT,
                "suite: G2 seeded bugs of several spares: %d of %d found in %.1f s%n",
                found.size(),
                bugs,
                (System.nanoTime() - startedNanos) / 1e9);
        assertEquals(bugs, found.size());
        assertTrue(bugs >= LEAST_BUGS);
    }
}
