package io.remap.core;

import io.remap.api.DeviceException;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.MetadataStore;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.TableCopy;
import io.remap.core.disk.TrackedDevice;
import java.util.Optional;

/**
 * Whether the table on one spare of a pair may be served although there is another one on another spare: not if that has gone
 * on without it, nor if the two went on without each other, nor if the one is an older copy.
 */
final class TableRivals {
    private final int opened;
    private final long term;
    private final long newness;

    private TableRivals(int opened, long term, long newness) {
        this.opened = opened;
        this.term = term;
        this.newness = newness;
    }

    /**
     * Of a table that is open.
     *
     * @param device from which it was read
     */
    static TableRivals of(MetadataStore look, TrackedDevice device, MetadataProvider metadata)
            throws Refusal, DeviceException {
        // Others know the first spare by the generation of its table, and the rest by their stamps.
        long newness = look.openedFrom() == 0
                ? look.generation()
                : metadata.member(device.direct()).map(SpareIdentity::stamp).orElse(-1L);
        return new TableRivals(look.openedFrom(), look.term(), newness);
    }

    /**
     * What speaks against it, as a sentence with the way out; empty if nothing does.
     *
     * @param name of the device with the other table
     */
    Optional<String> against(String name, TableCopy other) {
        String which = name + " (spare " + other.index() + ")";
        if (other.term() > term) {
            return Optional.of("the table on " + which + " has gone on without that on spare " + opened
                    + ": name all spares with --spare, and the newer table is taken");
        }
        if (other.leftBehind(opened)) {
            return Optional.of("the table on " + which + " and that on spare " + opened
                    + " have each gone on without the other: detach the spare whose changes are to be given up, and"
                    + " serve with --missing-spares");
        }
        if (other.seen(opened) > newness) {
            String how = opened == 0
                    ? "the first spare is as it was before: its table has generation "
                    : "spare " + opened + " is as it was before: it was stamped ";
            return Optional.of(how + newness + ", and " + which + " knows " + other.seen(opened)
                    + "; name the device that was served last");
        }
        return Optional.empty();
    }
}
