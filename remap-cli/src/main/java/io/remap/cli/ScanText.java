package io.remap.cli;

import io.remap.api.ByteSize;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** How a scan stands, for people. */
final class ScanText {
    private ScanText() {}

    static void print(Terminal terminal, Map<?, ?> status) {
        String state = StatusText.text(status, "state");
        terminal.heading("disk " + StatusText.text(status, "disk") + ": scan " + state);
        List<List<String>> facts = new ArrayList<>();
        if (StatusText.number(status, "pass") > 0) {
            facts.add(List.of(
                    "pass",
                    StatusText.text(status, "pass")
                            + (Boolean.TRUE.equals(status.get("requested")) ? ", asked for" : ", in the background")
                            + ", begun " + Terminal.time(StatusText.number(status, "startedMillis"))));
            facts.add(List.of(
                    "done",
                    StatusText.text(status, "percent") + " %, "
                            + ByteSize.format(StatusText.number(status, "scannedBytes")) + " read"
                            + leftOut(StatusText.number(status, "leftOutBytes"))));
        }
        if (state.equals("running")) {
            facts.add(List.of("pace", rate(status) + ", " + left(status)));
        }
        if (StatusText.number(status, "elevatedUntilMillis") > 0) {
            facts.add(List.of(
                    "elevated",
                    "twice as often as usual until " + Terminal.time(StatusText.number(status, "elevatedUntilMillis"))
                            + ", as a sector failed"));
        }
        facts.add(List.of(
                "waiting",
                StatusText.number(status, "weakWaiting") + " weak to be moved, " + StatusText.number(status, "suspects")
                        + " slow to be read again, " + StatusText.number(status, "localWaiting") + " MB near errors"));
        if (StatusText.number(status, "slowReadsOfClients") > 0) {
            facts.add(List.of(
                    "slow for clients",
                    StatusText.number(status, "slowReadsOfClients") + " reads, "
                            + StatusText.number(status, "slowReadsDropped") + " of them too many to be looked into"));
        }
        if (Boolean.TRUE.equals(status.get("deviceIsSlow"))) {
            facts.add(List.of("slow as a whole", "main was, a while ago: no sector is blamed for that"));
        }
        if (StatusText.number(status, "avoidedAreas") > 0) {
            facts.add(List.of(
                    "left alone",
                    ByteSize.format(StatusText.number(status, "avoidedBytes")) + " in "
                            + StatusText.number(status, "avoidedAreas")
                            + " avoided areas: read only to see whether they read again"));
        }
        if (!StatusText.text(status, "trouble").isEmpty()) {
            facts.add(List.of("stands still", StatusText.text(status, "trouble")));
        }
        if (status.get("last") instanceof Map<?, ?> last) {
            facts.add(List.of(
                    "last pass",
                    StatusText.text(last, "pass") + ", ended " + Terminal.time(StatusText.number(last, "endedMillis"))
                            + ", "
                            + ByteSize.format(StatusText.number(last, "scannedBytes")) + " read"
                            + leftOut(StatusText.number(last, "leftOutBytes"))));
        }
        terminal.facts("  ", facts);
    }

    private static String leftOut(long bytes) {
        return bytes == 0 ? "" : ", " + ByteSize.format(bytes) + " left out";
    }

    static String rate(Map<?, ?> status) {
        long rate = StatusText.number(status, "rateBytesPerSecond");
        return rate == 0 ? "pace not known yet" : String.format(Locale.ROOT, "%.1f MB/s", rate / 1e6);
    }

    /** How long it still takes. */
    static String left(Map<?, ?> status) {
        return status.get("etaSeconds") instanceof Number seconds
                ? StatusText.duration(Duration.ofSeconds(seconds.longValue())) + " left"
                : "end not known yet";
    }
}
