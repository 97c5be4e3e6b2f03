package io.remap.core.device;

import io.remap.api.ByteSize;
import io.remap.api.DeviceTraits;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.BlockDeviceProvider.OpenOptions;
import java.util.Set;
import java.util.TreeSet;

/** The {@code key=value} pairs of a device URI, read with one clear line for each mistake. */
public final class DeviceParameters {
    private final DeviceUri uri;

    /** Refuses keys that nobody knows. */
    public DeviceParameters(DeviceUri uri, Set<String> known) throws Refusal {
        this.uri = uri;
        for (String key : uri.parameters().keySet()) {
            if (!known.contains(key)) {
                throw usage("no parameter is named '" + key + "'; there are " + new TreeSet<>(known));
            }
        }
    }

    public boolean has(String key) {
        return uri.parameters().containsKey(key);
    }

    public String text(String key, String defaultValue) {
        return uri.parameters().getOrDefault(key, defaultValue);
    }

    public long bytes(String key, long defaultValue) throws Refusal {
        return has(key) ? ByteSize.parse(uri.parameters().get(key)) : defaultValue;
    }

    public long number(String key, long defaultValue, long min, long max) throws Refusal {
        if (!has(key)) {
            return defaultValue;
        }
        String value = uri.parameters().get(key);
        try {
            long number = Long.parseLong(value);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Refused below with the range.
        }
        throw usage(key + ": expected a number from " + min + " to " + max + ", found '" + value + "'");
    }

    /** The sector size of the URI or of the options, which must agree; 512 if neither says one. */
    public int sectorBytes(String key, OpenOptions options) throws Refusal {
        int wanted = options.sectorBytes().orElse(DeviceTraits.MIN_SECTOR_BYTES);
        long sector = bytes(key, wanted);
        if (options.sectorBytes().isPresent() && sector != wanted) {
            throw usage("sectors of " + sector + " bytes, but " + wanted + " were asked for elsewhere");
        }
        if (Long.bitCount(sector) != 1
                || sector < DeviceTraits.MIN_SECTOR_BYTES
                || sector > DeviceTraits.MAX_SECTOR_BYTES) {
            throw usage("a sector has 512, 1024, 2048 or 4096 bytes, not " + sector);
        }
        return (int) sector;
    }

    public Refusal usage(String message) {
        return new Refusal(Refusal.Kind.USAGE, uri.scheme() + ":" + uri.path() + ": " + message);
    }
}
