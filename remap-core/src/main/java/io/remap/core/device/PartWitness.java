package io.remap.core.device;

import io.remap.api.DeviceException;
import io.remap.api.Errno;
import io.remap.api.WitnessTag;
import java.util.Optional;

/** The witness of a whole as a part of it sees it: found, and given up on request, but not written. */
record PartWitness(WitnessTag whole, String name) implements WitnessTag {
    @Override
    public boolean isOwn() {
        return false;
    }

    @Override
    public Optional<byte[]> readTag() throws DeviceException {
        return whole.readTag();
    }

    @Override
    public void writeTag(byte[] tag) throws DeviceException {
        throw new DeviceException(name, "write of the witness", 0, 0, Errno.EOPNOTSUPP);
    }

    @Override
    public void removeTag() throws DeviceException {
        whole.removeTag();
    }
}
