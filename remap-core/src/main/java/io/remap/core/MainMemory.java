package io.remap.core;

import io.remap.core.disk.Saved;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;

/** The section with main's {@link Fingerprint}: while the disk is served, only whether main was found changed. Thread-safe. */
final class MainMemory implements Saved {
    private final BooleanSupplier foundChanged;
    private volatile Fingerprint taken;

    /** @param foundChanged whether main was found changed and nobody has accepted that */
    MainMemory(BooleanSupplier foundChanged) {
        this.foundChanged = foundChanged;
    }

    /** The last save has this. */
    void stopping(Fingerprint fingerprint) {
        taken = fingerprint;
    }

    @Override
    public String section() {
        return Fingerprint.SECTION;
    }

    @Override
    public byte[] save() {
        Fingerprint last = taken;
        boolean changed = foundChanged.getAsBoolean();
        return (last != null && !changed
                        ? last
                        : new Fingerprint(0, 0, 0, OptionalLong.empty(), 0, changed, 0, List.of()))
                .encode();
    }

    /** It was looked at before the pair was opened. */
    @Override
    public void restore(byte[] saved) {}
}
