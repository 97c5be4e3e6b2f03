package io.remap.api;

/** Makes a session for each connection that a transport accepted. */
@FunctionalInterface
public interface SessionFactory {
    /**
     * Begins a conversation.
     *
     * @param peer who connected, for logs; control characters are already removed
     */
    Session create(String peer, Session.Events events);
}
