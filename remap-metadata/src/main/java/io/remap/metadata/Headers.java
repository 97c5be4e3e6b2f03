package io.remap.metadata;

import io.remap.api.DeviceException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;

/**
 * All arena headers of a spare, as they were read at open: which generations are there, and whether a newer one may hide
 * behind a place that cannot be read.
 */
final class Headers {
    /** A generation that a header names, and the copies of its arena whose header names it. */
    static final class Candidate {
        final int arena;
        final ArenaHeader[] byCopy = new ArenaHeader[2];

        private Candidate(int arena) {
            this.arena = arena;
        }

        ArenaHeader header() {
            return byCopy[0] != null ? byCopy[0] : byCopy[1];
        }

        long number() {
            return header().generation().number();
        }
    }

    /** What the places of one copy say together. */
    private static final class CopyView {
        private ArenaHeader newest;
        private boolean damaged;
        private boolean uncertain;
    }

    /** Most numbers that starts skip which are cut off one after the other; a claim beyond it is damage. */
    private static final long MAX_SKIPPED = 1 << 20;

    private final List<Candidate> candidates = new ArrayList<>();
    private final List<String> doubts = new ArrayList<>();
    private final boolean[] doubtful = new boolean[2];
    /** A newer generation may stand in this arena, as far as its headers tell. */
    private final boolean[] hiding = new boolean[2];

    private boolean anyUnreadable;
    private boolean anyBroken;
    private long highestNumber;
    private long highestBrokenNumber;

    private Headers() {}

    static Headers read(BlockIo io, Layout layout, UUID pairUuid) throws Damage, DeviceException {
        Headers headers = new Headers();
        for (int arena = 0; arena < 2; arena++) {
            CopyView[] views = new CopyView[2];
            for (ArenaCopy copy : Formatter.arena(layout, arena)) {
                views[copy.copy] = headers.view(io, layout, pairUuid, copy);
                headers.doubtful[arena] |= views[copy.copy].damaged || views[copy.copy].uncertain;
                headers.addCandidate(arena, copy.copy, views[copy.copy].newest);
            }
            // With one copy uncertain the other must show a header: a damaged one could be the newest of all.
            for (int copy = 0; copy < 2; copy++) {
                CopyView other = views[1 - copy];
                if (views[copy].uncertain && (other.uncertain || (other.newest == null && other.damaged))) {
                    headers.hiding[arena] = true;
                    break;
                }
            }
        }
        headers.candidates.sort(Comparator.comparingLong(Candidate::number).reversed());
        return headers;
    }

    private CopyView view(BlockIo io, Layout layout, UUID pairUuid, ArenaCopy copy) throws Damage, DeviceException {
        CopyView view = new CopyView();
        boolean firstUnreadable = false;
        for (int place = 0; place < Layout.HEADER_PLACES; place++) {
            long offset = copy.headerOffset(place);
            ByteBuffer block;
            try {
                block = io.read(offset);
            } catch (DeviceException e) {
                if (!e.errorClass().mayBeSector()) {
                    throw e;
                }
                anyUnreadable = true;
                firstUnreadable |= place == 0;
                view.uncertain = true;
                continue;
            }
            ArenaHeader header = ArenaHeader.decode(block, pairUuid, layout, offset);
            if (header != null) {
                highestNumber = Math.max(highestNumber, header.generation().number());
                if (view.newest == null
                        || header.generation().number()
                                > view.newest.generation().number()) {
                    view.newest = header;
                }
                if (place == 1 && firstUnreadable && header.firstPlaceAbandoned()) {
                    view.uncertain = false;
                }
            } else if (!Block.isZero(block, 0, Block.BYTES) && !ArenaHeader.isWhole(block, offset)) {
                view.damaged = true;
                noteBroken(block, pairUuid);
            }
        }
        return view;
    }

    /**
     * Perhaps the power went while this header was being written. Its number is not used again: what is left of it and a
     * part of another header of that number could make up a whole one, of a generation that never was.
     */
    private void noteBroken(ByteBuffer block, UUID pairUuid) {
        anyBroken = true;
        if (block.getLong(Block.MAGIC_AT) == ArenaHeader.MAGIC
                && Block.uuid(block, Block.UUID_AT).equals(pairUuid)) {
            highestBrokenNumber = Math.max(highestBrokenNumber, block.getLong(Block.GENERATION_AT));
        }
    }

    private void addCandidate(int arena, int copy, ArenaHeader header) throws Damage {
        if (header == null) {
            return;
        }
        for (Candidate candidate : candidates) {
            if (candidate.number() == header.generation().number()) {
                if (candidate.arena != arena
                        || !candidate.header().generation().equals(header.generation())
                        || candidate.header().tableCrc() != header.tableCrc()) {
                    throw new Damage("two different states of the mappings have the generation "
                            + header.generation().number());
                }
                candidate.byCopy[copy] = header;
                return;
            }
        }
        Candidate candidate = new Candidate(arena);
        candidate.byCopy[copy] = header;
        candidates.add(candidate);
    }

    /** Newest first. */
    List<Candidate> candidates() {
        return candidates;
    }

    /** Why it is not certain that the newest candidate is the newest generation; empty if it is. */
    List<String> doubts() {
        List<String> all = new ArrayList<>();
        for (int arena = 0; arena < 2; arena++) {
            if (hiding[arena]) {
                all.add("the headers of arena " + name(arena)
                        + " cannot be read; a newer state of the mappings may stand there");
            }
        }
        all.addAll(doubts);
        return all;
    }

    /** What was in force in this arena is known without its headers. */
    void settle(int arena) {
        hiding[arena] = false;
    }

    /** Something stands, or may stand, where the headers of this arena do that is none of ours. */
    boolean isDoubtful(int arena) {
        return doubtful[arena];
    }

    void doubt(String why) {
        doubts.add(why);
    }

    static String name(int arena) {
        return arena == 0 ? "A" : "B";
    }

    /** No generation had a higher number: one is skipped if a place could not be read or is not whole. */
    long highestPossibleNumber() {
        boolean plausible = highestBrokenNumber - highestNumber <= MAX_SKIPPED;
        long highest = plausible ? Math.max(highestNumber, highestBrokenNumber) : highestNumber;
        return highest + (anyUnreadable || anyBroken ? 1 : 0);
    }
}
