package io.remap.api.spi;

import io.remap.api.HostIdentity;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * Who served a spare last, as it stands on the spare.
 *
 * @param host where; may be unknown
 * @param session random for each opening
 * @param stopped whether it was stopped in order: it is nobody's now
 * @param members the spares of the pair, as it stated them
 * @param saves grows with each {@link MetadataStore#save}
 * @param saved as {@link MetadataStore#saved()}
 */
public record SpareOwner(
        HostIdentity host,
        UUID session,
        boolean stopped,
        List<SpareMember> members,
        long saves,
        Map<String, byte[]> saved) {}
