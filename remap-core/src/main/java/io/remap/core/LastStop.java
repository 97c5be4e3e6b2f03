package io.remap.core;

import io.remap.api.Refusal;
import io.remap.api.spi.MetadataStore;
import java.util.Optional;

/**
 * Whether a spare is the one that main was last stopped with, and not an older copy of it or the newer one of a clone.
 *
 * <p>The witness never claims more than the spare will show, wherever a crash comes between. Opening for writing: the
 * witness gives up its claim of a clean stop (durable), then the spare begins a generation of a new session, naming the one
 * that the witness still names, then the witness takes over number and session. Stopping: both devices are flushed, the id of
 * the stop is saved on the spare, the spare records the clean stop, then the witness claims it. Repairs and upgrades keep
 * session, id, record and table, and only add generations.
 */
final class LastStop {
    private LastStop() {}

    /**
     * Refuses a spare that is not as main remembers it.
     *
     * @param hadByAnother the user says that another host has had the pair last, of which main may remember nothing
     */
    static void refuseOther(PairDevices pair, Witness witness, MetadataStore spare, boolean hadByAnother)
            throws Refusal {
        Optional<String> difference = older(witness, spare)
                .or(() -> isBeyond(witness, spare, hadByAnother) ? Optional.empty() : otherStop(witness, spare))
                .or(() -> hadByAnother ? Optional.empty() : otherSession(witness, spare));
        if (difference.isPresent()) {
            String main = pair.main().name();
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    "spare " + pair.spare().orElseThrow().name() + " " + difference.get()
                            + ". Use the devices that were served together last; or, to give up what main " + main
                            + " remembers and take this spare as it is: remap forget " + ShellWords.device(main)
                            + ", then serve with --adopt");
        }
    }

    /**
     * What shows that the spare, as it was found, is not the one that was stopped last: the end of a sentence that begins
     * with its name; empty if nothing does.
     */
    static Optional<String> difference(Witness witness, MetadataStore spare) {
        return older(witness, spare).or(() -> otherStop(witness, spare)).or(() -> otherSession(witness, spare));
    }

    /** Another host has gone on from the stop that main remembers: of its own stop main knows nothing. */
    private static boolean isBeyond(Witness witness, MetadataStore spare, boolean hadByAnother) {
        return hadByAnother && spare.generation() > witness.generation();
    }

    private static Optional<String> older(Witness witness, MetadataStore spare) {
        return spare.generation() >= witness.generation()
                ? Optional.empty()
                : Optional.of("is older than main remembers (generation " + spare.generation() + ", expected "
                        + witness.generation() + " or later): it was restored from a copy");
    }

    /** After a stop that was not in order nothing else tells a copy whose number has grown as well. */
    private static Optional<String> otherSession(Witness witness, MetadataStore spare) {
        return witness.session()
                .filter(remembered -> !spare.lineage().follows(remembered))
                .map(remembered -> "was last opened in another session than main remembers (generation "
                        + spare.generation() + " is of session "
                        + spare.lineage().session() + ", expected " + remembered
                        + "): it was restored from a copy and repaired, or served with another copy of main or on another"
                        + " host");
    }

    private static Optional<String> otherStop(Witness witness, MetadataStore spare) {
        if (witness.stop().isEmpty()) {
            return Optional.empty();
        }
        Witness.Stop stop = witness.stop().get();
        Optional<StopNote.Found> note = StopNote.find(spare.saved());
        if (note.isPresent() && note.get().unwitnessedId() == stop.id()) {
            return Optional.empty();
        }
        if (!spare.stoppedInOrder()) {
            return Optional.of("was not stopped in order (generation " + spare.generation()
                    + "), but main remembers a clean stop (generation " + witness.generation()
                    + "): the spare was restored from a copy made while it was served, or served since with another copy"
                    + " of main, or the last record on it is damaged");
        }
        if (note.isPresent() && note.get().id() != stop.id()) {
            return Optional.of("was last stopped at another time (generation " + spare.generation()
                    + ") than main remembers (generation " + witness.generation()
                    + "): one of the two was restored from a copy, or they are of different clones of the pair");
        }
        return TableDigest.of(spare) == stop.tableDigest()
                ? Optional.empty()
                : Optional.of("has other mappings (" + spare.table().mappedUnits() + " units, generation "
                        + spare.generation() + ") than at the last clean stop (" + witness.mappedUnits()
                        + " units): it was restored from a copy, or its records are damaged");
    }
}
