package io.remap.core;

import io.remap.api.FeatureStatus;
import io.remap.api.spi.MetadataStore;
import java.util.List;
import java.util.Optional;

/**
 * The open table of one disk: what the phase METADATA leaves behind. Closing saves and gives up the store.
 *
 * @param store the open table; empty if main is served alone, or read-only without its mappings
 * @param readOnly writes must be refused, whatever the specification says
 * @param absence state of the metadata feature while there is no store: absent, or failed and why
 * @param witness state of the witness that ties main to its spare
 * @param unwitnessedStop id of a clean stop that the witness still tells of, as it could not be written; 0: none
 * @param mainCheck how main compares with what it was at the last clean stop
 * @param further the spares beside the first one; closed with this, after the store
 * @param notices what the user should know, one line each
 */
record PairMetadata(
        Optional<MetadataStore> store,
        boolean readOnly,
        FeatureStatus absence,
        FeatureStatus witness,
        long unwitnessedStop,
        MainCheck mainCheck,
        FurtherSpares further,
        List<String> notices)
        implements AutoCloseable {
    PairMetadata {
        notices = List.copyOf(notices);
    }

    /** State of the metadata feature now. */
    FeatureStatus metadata() {
        return store.map(MetadataStore::status).orElse(absence);
    }

    /** The stop is not a clean one, and is not to be marked as such. */
    void stopIsUnclean() {
        store.ifPresent(MetadataStore::stopIsUnclean);
    }

    @Override
    public void close() {
        store.ifPresent(MetadataStore::close);
        further.close();
    }
}
