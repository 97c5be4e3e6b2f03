package io.remap.api.spi;

import java.util.UUID;

/**
 * Which opening for writing has begun a generation, and which one main remembered then. A number alone does not tell a spare
 * from copies of itself: a copy that is repaired, or served by itself, comes to as high a one.
 *
 * <p>The chain is one link long, and that is enough: an opening that is killed before main remembers it leaves main with the
 * one before, and so does the next one, however often that happens.
 *
 * @param session random, drawn for each opening
 * @param ancestor session that main remembered as this one began, itself if it remembered none; {@link #UNKNOWN} if a program
 *     wrote it that knows of none
 */
public record Lineage(UUID session, UUID ancestor) {
    /** No session. */
    public static final UUID UNKNOWN = new UUID(0, 0);

    /** Of an opening that goes back to no other. */
    public static Lineage first(UUID session) {
        return new Lineage(session, session);
    }

    /** Whether somebody who remembers a session may see this, as far as it can be told. */
    public boolean follows(UUID remembered) {
        return ancestor.equals(UNKNOWN) || session.equals(remembered) || ancestor.equals(remembered);
    }
}
