package io.remap.api;

import java.util.List;
import java.util.Optional;

/** The exports of a service at this moment; they come and go while it runs. Thread-safe. */
public interface Exports {
    /** The export of a name; the empty name is the default export, if there is one. */
    Optional<Export> find(String name);

    /** All of them, by name. */
    List<Export> list();
}
