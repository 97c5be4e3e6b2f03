package io.remap.cli.proof;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/**
 * All workloads, each once, the most telling ones first: up to two of all steps, up to four of {@link Step#BASE}, and a flush
 * that fails between any two of these; these are always tried whole. Then three of all steps in a scattered order, then four, and so on. Thread-safe.
 */
final class Workloads {
    /** What an explorer is given. */
    record Workload(List<Step> steps, int logBlocks) {}

    /** Shares no divisor with any power of the number of steps, so multiples of it meet every index once. */
    private static final long STRIDE = 1_000_003;

    private static final int WHOLE_LENGTH = 2;
    private static final int BASE_LENGTH = 4;
    private static final int LOG_BLOCKS = 2;

    private final Iterator<List<Step>> always;
    private final List<Step> all = List.copyOf(Step.OF_ONE_SPARE);
    private final int longest;
    private int length = WHOLE_LENGTH + 1;
    private long index;

    /** @param longest most steps of a workload */
    Workloads(int longest) {
        this.longest = longest;
        List<List<Step>> list = new ArrayList<>(upTo(WHOLE_LENGTH, all));
        upTo(BASE_LENGTH, Step.BASE).stream()
                .filter(steps -> steps.size() > WHOLE_LENGTH)
                .forEach(list::add);
        for (List<Step> around : upTo(WHOLE_LENGTH, Step.BASE)) {
            for (Step failure : Step.FLUSH_FAILURES) {
                if (around.size() == WHOLE_LENGTH) {
                    list.add(List.of(around.get(0), failure, around.get(1)));
                }
            }
        }
        this.always = list.iterator();
    }

    /** Whether some are left of those that are always tried. */
    synchronized boolean mustGoOn() {
        return always.hasNext();
    }

    /** All workloads of up to so many of these steps, the shorter ones first. */
    static List<List<Step>> upTo(int length, Collection<Step> steps) {
        List<List<Step>> workloads = new ArrayList<>(List.of(List.of()));
        for (int i = 0; i < workloads.size(); i++) {
            if (workloads.get(i).size() < length) {
                for (Step step : steps) {
                    List<Step> longer = new ArrayList<>(workloads.get(i));
                    longer.add(step);
                    workloads.add(List.copyOf(longer));
                }
            }
        }
        return workloads;
    }

    synchronized Optional<Workload> next() {
        if (always.hasNext()) {
            return Optional.of(new Workload(always.next(), LOG_BLOCKS));
        }
        while (length <= longest) {
            long count = (long) Math.pow(all.size(), length);
            while (index < count) {
                List<Step> steps = steps(Math.floorMod(index++ * STRIDE, count));
                if (length > BASE_LENGTH || !isAlwaysTried(steps)) {
                    return Optional.of(new Workload(steps, 1 + (int) (index % 3)));
                }
            }
            length++;
            index = 0;
        }
        return Optional.empty();
    }

    private static boolean isAlwaysTried(List<Step> steps) {
        boolean failsBetween = steps.size() == WHOLE_LENGTH + 1
                && Step.FLUSH_FAILURES.contains(steps.get(1))
                && Step.BASE.containsAll(List.of(steps.get(0), steps.get(2)));
        return failsBetween || Step.BASE.containsAll(steps);
    }

    private List<Step> steps(long number) {
        List<Step> steps = new ArrayList<>();
        for (long rest = number; steps.size() < length; rest /= all.size()) {
            steps.add(all.get((int) (rest % all.size())));
        }
        return steps;
    }
}
