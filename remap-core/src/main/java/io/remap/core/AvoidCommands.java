package io.remap.core;

import io.remap.api.Refusal;
import io.remap.api.SectorRange;
import io.remap.core.disk.AvoidedRegions;
import io.remap.core.disk.AvoidedRegions.Region;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The commands on the areas of main that are left alone: list, add, remove. */
final class AvoidCommands {
    private final DiskTable disks;

    AvoidCommands(DiskTable disks) {
        this.disks = disks;
    }

    private ServedDisk disk(Arguments arguments) throws Refusal {
        return disks.disk(arguments.text("disk", ""));
    }

    Map<String, Object> list(Arguments arguments) throws Refusal {
        return show(disk(arguments));
    }

    /** All of them, with the budget. */
    private static Map<String, Object> show(ServedDisk served) {
        AvoidedRegions avoided = served.disk().avoided();
        List<Map<String, Object>> regions = new ArrayList<>();
        for (Region region : avoided.regions()) {
            SectorRange sectors = avoided.sectors(region);
            Map<String, Object> shown = new LinkedHashMap<>();
            shown.put("first", sectors.firstSector());
            shown.put("length", sectors.lengthSectors());
            shown.put("origin", region.found() ? "found" : "asked");
            shown.put("sinceMillis", region.sinceMillis());
            shown.put("retryMillis", region.found() ? region.retryMillis() : null);
            shown.put("retries", region.retries());
            regions.add(shown);
        }
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("disk", served.name());
        answer.put("sectorBytes", served.disk().traits().sectorBytes());
        answer.put("spareUnits", avoided.usedUnits());
        answer.put("spareBudgetUnits", avoided.budgetUnits());
        answer.put("regions", regions);
        return answer;
    }

    Map<String, Object> add(Arguments arguments) throws Refusal {
        ServedDisk served = disk(arguments);
        SectorRange range = arguments.range(MapCommands.sectors(served.disk()));
        if (served.disk().avoided().add(range).isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    range + " of disk '" + served.name() + "' are not avoided: there are "
                            + served.disk().avoided().regions().size()
                            + " such areas already, which is the most; 'remap avoid remove "
                            + ShellWords.quoted(served.name()) + " SECTORS' ends some");
        }
        served.saveSoon();
        return show(served);
    }

    Map<String, Object> remove(Arguments arguments) throws Refusal {
        ServedDisk served = disk(arguments);
        SectorRange range = arguments.range(MapCommands.sectors(served.disk()));
        if (served.disk().avoided().remove(range) == 0) {
            throw new Refusal(
                    Refusal.Kind.NOT_SO,
                    range + " of disk '" + served.name() + "' are not avoided; 'remap avoid list "
                            + ShellWords.quoted(served.name()) + "' shows what is");
        }
        served.saveSoon();
        return show(served);
    }
}
