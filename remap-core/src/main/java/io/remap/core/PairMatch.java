package io.remap.core;

import io.remap.api.BlockDevice;
import io.remap.api.FeatureStatus;
import io.remap.api.Refusal;
import io.remap.api.RemapTable;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareContent;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Whether a main and a spare belong together, judged by the witness of the one and the content of the other. Pure: each
 * check passes or throws a {@link Refusal} that names what was expected and the ways out.
 */
final class PairMatch {
    private PairMatch() {}

    /** Refuses to serve a main alone that has a spare somewhere. */
    static void refuseWithoutSpare(BlockDevice main, Optional<Witness> witness, String how) throws Refusal {
        if (witness.isPresent()) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    main.name() + " belongs to " + witness.get().wanted() + " and must not be served " + how
                            + ": sectors on that spare would read as old data. Give that spare with --spare; or, to give "
                            + "up what stands on it: remap forget " + ShellWords.device(main.name()));
        }
    }

    /** Refuses to serve as a main what is the spare of a pair: whoever writes to it destroys the table of that pair. */
    static void refuseSpareAsMain(BlockDevice main, Optional<PairIdentity> found) throws Refusal {
        if (found.isPresent()) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    main.name() + " is the spare of pair " + found.get().pairUuid() + " (of main "
                            + found.get().mainStableId()
                            + ") and must not be served as a main: were the two swapped? To give up what stands on it: "
                            + "--force");
        }
    }

    /** Refuses to format as a spare what is known as the main of a pair. */
    static void refuseMainAsSpare(BlockDevice spare, Optional<Witness> witness) throws Refusal {
        if (witness.isPresent()) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    spare.name() + " is a main, and belongs to " + witness.get().wanted()
                            + ": were the two swapped? Name another spare; or, to give that pair up: remap forget "
                            + ShellWords.device(spare.name()));
        }
    }

    /** Refuses a spare that is not the one of this main, by what stands on it. */
    static void refuseWrongContent(PairDevices pair, SpareContent content, Optional<Witness> witness) throws Refusal {
        String main = pair.main().name();
        String spare = pair.spare().orElseThrow().name();
        switch (content.kind()) {
            case BLANK -> {
                refuseUnlikeWitness(main, spare + " is blank", witness);
                if (pair.spec().readOnly()) {
                    throw new Refusal(
                            Refusal.Kind.USAGE,
                            "spare " + spare + " is not formatted, and --read-only writes nothing: " + create(pair));
                }
            }
            case SPARE -> refuseOtherPair(pair, content.pair().orElseThrow(), witness);
            case FOREIGN -> {
                refuseUnlikeWitness(main, spare + " is no spare: " + describe(content), witness);
                throw new Refusal(
                        Refusal.Kind.WRONG_DEVICE,
                        "spare " + spare + " is not blank: " + describe(content)
                                + ". Name another spare; or, to destroy that: " + create(pair) + " --force");
            }
            case TOO_NEW, DAMAGED, UNREADABLE ->
                throw new Refusal(
                        Refusal.Kind.DAMAGED,
                        "spare " + spare + " cannot be used: " + describe(content)
                                + "; sectors of main may stand on it, so " + main + " is not served without it"
                                + wayOut(pair, content, witness));
        }
    }

    /** A new spare with a bad sector is known to nobody; what a main may need has no way out that destroys it. */
    private static String wayOut(PairDevices pair, SpareContent content, Optional<Witness> witness) {
        return content.kind() == SpareContent.Kind.UNREADABLE && witness.isEmpty()
                ? ". If it is not the spare of " + pair.main().name()
                        + ": name another one; or, to destroy what is on it: " + create(pair) + " --force"
                : "";
    }

    /** The command that makes it a spare of this main. */
    private static String create(PairDevices pair) {
        OptionalInt sectorBytes = pair.spec().sectorBytes();
        return "remap create " + ShellWords.device(pair.main().name()) + " --spare "
                + ShellWords.device(pair.spare().orElseThrow().name())
                + (sectorBytes.isPresent() ? " --sector-size " + sectorBytes.getAsInt() : "");
    }

    private static void refuseUnlikeWitness(String main, String found, Optional<Witness> witness) throws Refusal {
        if (witness.isPresent()) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    main + " belongs to " + witness.get().wanted() + ", but " + found
                            + ". Give the right spare with --spare; or, to give up what stands on it: remap forget "
                            + ShellWords.device(main));
        }
    }

    private static void refuseOtherPair(PairDevices devices, PairIdentity pair, Optional<Witness> witness)
            throws Refusal {
        BlockDevice main = devices.main();
        String spare = devices.spare().orElseThrow().name();
        refuseUnlikeWitness(main.name(), spare + " is of pair " + pair.pairUuid(), witness.filter(w -> !w.isOf(pair)));
        boolean sizeFits = pair.mainSizeBytes() == main.traits().sizeBytes();
        boolean sectorsFit = pair.sectorBytes() == main.traits().logicalSectorBytes();
        boolean isImage =
                !main.traits().blockDevice() && devices.spec().main().scheme().equals("file");
        if (sizeFits && !sectorsFit && isImage) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    "spare " + spare + " belongs to a main with sectors of " + pair.sectorBytes()
                            + " bytes (then it was "
                            + pair.mainStableId() + "), and " + main.name() + " is opened with sectors of "
                            + main.traits().logicalSectorBytes() + ": if it is that main, --sector-size "
                            + pair.sectorBytes());
        }
        if (!sizeFits || !sectorsFit) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    "spare " + spare + " belongs to a main of " + pair.mainSizeBytes() + " bytes with sectors of "
                            + pair.sectorBytes() + ", but " + main.name() + " has "
                            + main.traits().sizeBytes()
                            + " bytes with sectors of " + main.traits().logicalSectorBytes()
                            + ": name the main that it belongs to (then it was " + pair.mainStableId() + ")");
        }
        boolean isUnknown = witness.filter(w -> !w.ofOther()).isEmpty();
        if (isUnknown
                && !devices.spec().adopt()
                && !pair.mainStableId().equals(main.identity().stableId())) {
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    "spare " + spare + " was made for " + pair.mainStableId() + ", and nothing tells that "
                            + main.name() + " (" + main.identity().stableId()
                            + ") is that disk. If you know that it is: --adopt");
        }
    }

    /** Refuses sectors of a spare for a main that has lost, or never had, its witness. */
    static void refuseSectorsOfAnother(PairDevices devices, PairIdentity pair, RemapTable table) throws Refusal {
        if (!table.isEmpty()) {
            String main = devices.main().name();
            throw new Refusal(
                    Refusal.Kind.WRONG_DEVICE,
                    "spare " + devices.spare().orElseThrow().name() + " holds " + table.mappedUnits()
                            + " units of " + pair.mainStableId() + ", but " + main
                            + " carries no witness of that: it was replaced, copied without its attributes, restored, or"
                            + " forgotten. If it is that disk and was never written without this spare: --adopt");
        }
    }

    /** A main that somebody else wrote to: what stands on the spare may be out of step with it. */
    static Refusal mainChanged(PairDevices devices, String difference) {
        String main = devices.main().name();
        return new Refusal(
                Refusal.Kind.WRONG_DEVICE,
                main + " " + difference + ". Sectors of it that stand on the spare "
                        + devices.spare().orElseThrow().name()
                        + " were not changed with it. To look at both: --read-only. To go on with " + main
                        + " as it is: --accept-main-changes");
    }

    /** Refuses a new pair that nothing on this host would remember. */
    static void requireWitness(BlockDevice main, FeatureStatus witness, boolean noWitness) throws Refusal {
        if (!noWitness) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "the witness that ties " + main.name() + " to its spare cannot be written (" + witness.detail()
                            + "): make the state directory writable (REMAP_STATE_DIR), or go on with --no-witness, and then"
                            + " never serve main without this spare");
        }
    }

    /** What was found on a spare, for messages. */
    static String describe(SpareContent content) {
        String pair = content.pair().map(p -> " of pair " + p.pairUuid()).orElse("");
        return switch (content.kind()) {
            case BLANK -> "it is blank";
            case SPARE -> "it is the spare" + pair;
            case TOO_NEW -> "it is a spare" + pair + " of a newer format (" + content.detail() + ")";
            case DAMAGED -> "it is a damaged spare" + pair + " (" + content.detail() + ")";
            case FOREIGN -> "it holds " + content.detail();
            case UNREADABLE -> "what it holds cannot be told (" + content.detail() + ")";
        };
    }
}
