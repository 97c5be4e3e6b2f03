package io.remap.health.scan;

import io.remap.health.record.Avoidance;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How the scan stands.
 *
 * @param state idle, running, paused, cancelled or failed
 * @param requested whether somebody asked for the pass
 * @param pass its number
 * @param segmentsDone segments of 1 MiB that are done
 * @param segments of the disk
 * @param scannedBytes read in this pass
 * @param leftOutBytes not read though they stand on main
 * @param rateBytesPerSecond of late, 0 if not known
 * @param restMillis until the end of the pass, -1 if not known
 * @param startedMillis since 1970, 0 if there is no pass
 * @param elevatedUntilMillis since 1970: until then a pass that nobody asked for goes at twice the pace, 0 if it does not
 * @param weakWaiting weak sectors that wait for their move, in units
 * @param suspects slow ranges that wait to be read again
 * @param slowToldOf slow reads of clients that it was told of, in ranges of at most 1 MiB
 * @param slowDropped of these those that were too many to be looked into
 * @param deviceIsSlow main was slow as a whole a while ago, and nothing slow is looked into
 * @param localWaiting segments near errors that wait to be read
 * @param avoidedAreas in which nothing is read
 * @param avoidedBytes in them
 * @param trouble why it stands still, empty if it does not
 * @param last the pass before; {@code null} if there was none
 */
public record ScanStatus(
        String state,
        boolean requested,
        long pass,
        long segmentsDone,
        long segments,
        long scannedBytes,
        long leftOutBytes,
        long rateBytesPerSecond,
        long restMillis,
        long startedMillis,
        long elevatedUntilMillis,
        int weakWaiting,
        int suspects,
        long slowToldOf,
        long slowDropped,
        boolean deviceIsSlow,
        int localWaiting,
        long avoidedAreas,
        long avoidedBytes,
        String trouble,
        Map<String, Object> last) {
    static ScanStatus of(
            ScanProgress progress,
            PassPlan plan,
            StaggeredOrder order,
            int weakWaiting,
            SlowReads slowReads,
            int localWaiting,
            Avoidance avoidance,
            String trouble,
            long nowNanos,
            long nowMillis,
            boolean failed) {
        boolean running = progress.state == ScanProgress.State.RUNNING;
        return new ScanStatus(
                failed ? "failed" : progress.state.text(),
                progress.requested,
                progress.pass,
                progress.position,
                order.segments(),
                progress.scannedBytes,
                progress.leftOutBytes,
                running ? plan.rateBytesPerSecond() : 0,
                running ? plan.restMillis(nowMillis) : -1,
                progress.startedMillis,
                plan.elevatedUntilMillis(nowMillis),
                weakWaiting,
                slowReads.waiting(),
                slowReads.toldRanges(),
                slowReads.droppedRanges(),
                slowReads.deviceIsSlow(nowNanos),
                localWaiting,
                avoidance.count(true) + avoidance.count(false),
                (avoidance.sectors(true) + avoidance.sectors(false)) * order.sectorBytes(),
                trouble,
                lastOf(progress.last));
    }

    private static Map<String, Object> lastOf(ScanProgress.Finished last) {
        if (last == null) {
            return null;
        }
        Map<String, Object> shown = new LinkedHashMap<>();
        shown.put("pass", last.pass());
        shown.put("startedMillis", last.startedMillis());
        shown.put("endedMillis", last.endedMillis());
        shown.put("scannedBytes", last.scannedBytes());
        shown.put("leftOutBytes", last.leftOutBytes());
        return shown;
    }

    /** Part of the disk that is done, 0 to 100. */
    public double percent() {
        return 100.0 * segmentsDone / segments;
    }

    /** As maps and numbers. */
    public Map<String, Object> toMap() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("state", state);
        map.put("requested", requested);
        map.put("pass", pass);
        map.put("percent", Math.floor(percent() * 100) / 100);
        map.put("segmentsDone", segmentsDone);
        map.put("segments", segments);
        map.put("scannedBytes", scannedBytes);
        map.put("leftOutBytes", leftOutBytes);
        map.put("rateBytesPerSecond", rateBytesPerSecond);
        map.put("etaSeconds", restMillis < 0 ? null : restMillis / 1000);
        map.put("startedMillis", startedMillis);
        map.put("elevatedUntilMillis", elevatedUntilMillis);
        map.put("weakWaiting", weakWaiting);
        map.put("suspects", suspects);
        map.put("slowReadsOfClients", slowToldOf);
        map.put("slowReadsDropped", slowDropped);
        map.put("deviceIsSlow", deviceIsSlow);
        map.put("localWaiting", localWaiting);
        map.put("avoidedAreas", avoidedAreas);
        map.put("avoidedBytes", avoidedBytes);
        map.put("trouble", trouble);
        map.put("last", last);
        return map;
    }
}
