package io.remap.health.smart;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a drive says of itself, by {@code smartctl -j} (format version 1). A count that it does not tell is -1; temperature
 * in degrees Celsius; error recovery control in tenths of a second, 0 if it is off.
 *
 * @param protocol ATA, NVMe or SCSI
 * @param pending sectors that wait to be reallocated (attribute 197)
 * @param reallocated sectors (attribute 5; SCSI: grown defects)
 * @param uncorrectable errors (attributes 187 and 198, the greater; NVMe: media errors; SCSI: reads that no effort of the
 *     drive corrected)
 * @param crcErrors of the link (attribute 199)
 * @param ercDeciseconds how long the drive tries to read a sector; -1: it does not say
 * @param criticalWarning bits of an NVMe controller
 * @param percentUsed of the life of an NVMe drive
 * @param availableSpare percent of an NVMe drive
 */
public record SmartReport(
        String model,
        String serial,
        String protocol,
        boolean passed,
        long temperature,
        long hours,
        long pending,
        long reallocated,
        long uncorrectable,
        long crcErrors,
        long ercDeciseconds,
        long criticalWarning,
        long percentUsed,
        long availableSpare) {
    private static final int REALLOCATED = 5;
    private static final int REPORTED_UNCORRECTABLE = 187;
    private static final int PENDING = 197;
    private static final int OFFLINE_UNCORRECTABLE = 198;
    private static final int CRC_ERRORS = 199;

    /** Reads the answer of smartctl; {@link IllegalArgumentException} if it is none. */
    public static SmartReport parse(String answer) {
        if (!(Json.parse(answer) instanceof Map<?, ?> root) || !root.containsKey("smartctl")) {
            throw new IllegalArgumentException("this is no answer of smartctl -j");
        }
        if (!(at(root, "smart_status", "passed") instanceof Boolean passed)) {
            throw new IllegalArgumentException("the drive tells nothing: " + firstMessage(root));
        }
        String nvme = "nvme_smart_health_information_log";
        boolean erc = at(root, "ata_sct_erc", "read", "enabled") instanceof Boolean;
        boolean ercOn = Boolean.TRUE.equals(at(root, "ata_sct_erc", "read", "enabled"));
        return new SmartReport(
                text(root.containsKey("model_name") ? root.get("model_name") : root.get("scsi_model_name")),
                text(at(root, "serial_number")),
                text(at(root, "device", "protocol")),
                passed,
                number(at(root, "temperature", "current")),
                number(at(root, "power_on_time", "hours")),
                attribute(root, PENDING),
                Math.max(attribute(root, REALLOCATED), number(at(root, "scsi_grown_defect_list"))),
                Math.max(
                        Math.max(attribute(root, REPORTED_UNCORRECTABLE), attribute(root, OFFLINE_UNCORRECTABLE)),
                        Math.max(
                                number(at(root, nvme, "media_errors")),
                                number(at(root, "scsi_error_counter_log", "read", "total_uncorrected_errors")))),
                attribute(root, CRC_ERRORS),
                ercOn ? number(at(root, "ata_sct_erc", "read", "deciseconds")) : erc ? 0 : -1,
                number(at(root, nvme, "critical_warning")),
                number(at(root, nvme, "percentage_used")),
                number(at(root, nvme, "available_spare")));
    }

    private static String firstMessage(Map<?, ?> root) {
        return at(root, "smartctl", "messages") instanceof List<?> messages
                        && !messages.isEmpty()
                        && messages.get(0) instanceof Map<?, ?> first
                ? text(first.get("string"))
                : "no SMART status";
    }

    private static Object at(Map<?, ?> map, String... path) {
        Object value = map;
        for (String key : path) {
            value = value instanceof Map<?, ?> inner ? inner.get(key) : null;
        }
        return value;
    }

    private static String text(Object value) {
        return value instanceof String text ? text : "";
    }

    private static long number(Object value) {
        return value instanceof Number number ? number.longValue() : -1;
    }

    private static long attribute(Map<?, ?> root, int id) {
        if (at(root, "ata_smart_attributes", "table") instanceof List<?> table) {
            for (Object row : table) {
                if (row instanceof Map<?, ?> attribute && number(attribute.get("id")) == id) {
                    return number(at(attribute, "raw", "value"));
                }
            }
        }
        return -1;
    }

    /** Whether it is an NVMe drive. */
    public boolean isNvme() {
        return protocol.equals("NVMe");
    }

    /** What to do about the error recovery of the drive, empty if nothing is. */
    public String ercAdvice(String device) {
        if (!protocol.equals("ATA")) {
            return "";
        }
        if (ercDeciseconds == 0) {
            return "the drive may try for minutes to read a bad sector: limit it to 7 s with 'smartctl -l scterc,70,70 "
                    + device + "', anew after each power-on";
        }
        return ercDeciseconds > 0
                ? ""
                : "the drive cannot limit how long it tries to read a bad sector: raise the time limit of the kernel, 'echo 180"
                        + " > /sys/block/NAME/device/timeout'";
    }

    /** As a map; what is not told is left out. */
    public Map<String, Object> toMap(String device) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("model", model);
        map.put("serial", serial);
        map.put("protocol", protocol);
        map.put("passed", passed);
        putIfTold(map, "temperatureCelsius", temperature);
        putIfTold(map, "powerOnHours", hours);
        putIfTold(map, "pendingSectors", pending);
        putIfTold(map, "reallocatedSectors", reallocated);
        putIfTold(map, "uncorrectableErrors", uncorrectable);
        putIfTold(map, "crcErrors", crcErrors);
        putIfTold(map, "ercDeciseconds", ercDeciseconds);
        putIfTold(map, "criticalWarning", criticalWarning);
        putIfTold(map, "percentUsed", percentUsed);
        putIfTold(map, "availableSparePercent", availableSpare);
        map.put("ercAdvice", ercAdvice(device));
        return map;
    }

    private static void putIfTold(Map<String, Object> map, String key, long value) {
        if (value >= 0) {
            map.put(key, value);
        }
    }
}
