package io.remap.health;

import io.remap.api.spi.FeatureCommand;
import io.remap.health.scan.Scanner;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The commands {@code scan.*}; each answers how the scan stands afterwards. */
final class ScanCommands {
    private static final long MAX_RATE = 1L << 40;

    private final String diskName;
    private final Scanner scanner;
    private final Runnable save;

    /** @param save keeps the place of the scan, so that an order outlives a kill */
    ScanCommands(String diskName, Scanner scanner, Runnable save) {
        this.diskName = diskName;
        this.scanner = scanner;
        this.save = save;
    }

    List<FeatureCommand> all() {
        return List.of(
                new FeatureCommand("scan.start", List.of("rateBytesPerSecond", "restart"), arguments -> {
                    scanner.request(arguments.number("rateBytesPerSecond", 0, MAX_RATE, 0), arguments.flag("restart"));
                    return afterwards();
                }),
                new FeatureCommand("scan.pause", List.of(), arguments -> {
                    scanner.pause();
                    return afterwards();
                }),
                new FeatureCommand("scan.resume", List.of(), arguments -> {
                    scanner.resume();
                    return afterwards();
                }),
                new FeatureCommand("scan.cancel", List.of(), arguments -> {
                    scanner.cancel();
                    return afterwards();
                }),
                new FeatureCommand("scan.status", List.of(), arguments -> status()));
    }

    private Map<String, Object> afterwards() {
        save.run();
        return status();
    }

    private Map<String, Object> status() {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", diskName);
        answer.putAll(scanner.status().toMap());
        return answer;
    }
}
