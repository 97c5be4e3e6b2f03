package io.remap.cli;

import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sectors as people write them: {@code 2048}, {@code 2048+8} (eight of them), {@code 2048-2055} (first and last). */
final class SectorArgument {
    private static final Pattern FORM = Pattern.compile("(\\d{1,18})(?:([+-])(\\d{1,18}))?");

    private SectorArgument() {}

    /** The arguments {@code first} and {@code length} of a command of a service. */
    static Map<String, Object> forCommand(SectorRange range) {
        Map<String, Object> arguments = new LinkedHashMap<>();
        arguments.put("first", range.firstSector());
        arguments.put("length", range.lengthSectors());
        return arguments;
    }

    static SectorRange parse(String text) throws Refusal {
        Matcher matcher = FORM.matcher(text);
        if (matcher.matches()) {
            long first = Long.parseLong(matcher.group(1));
            if (matcher.group(2) == null) {
                return new SectorRange(first, 1);
            }
            long second = Long.parseLong(matcher.group(3));
            long length = matcher.group(2).equals("+") ? second : second - first + 1;
            if (length >= 1) {
                return new SectorRange(first, length);
            }
        }
        throw new Refusal(
                Refusal.Kind.USAGE,
                "'" + text + "' are no sectors: expected SECTOR, FIRST+LENGTH or FIRST-LAST, for example 2048+8");
    }
}
