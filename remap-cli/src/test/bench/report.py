"""Turns the results of the benchmarks into Markdown, and puts it into docs/BENCHMARKS.md between its markers.

    ./check bench docs       from target/check/bench; a part without a result stays as it is
"""

import argparse
import json
import os
import re
import statistics

BASELINE = "nbdkit-file"
BARE = "bare-disk"
FAST = "remap-fast"
PLAIN = "remap-plain"
DOCS = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../../docs/BENCHMARKS.md"))


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def ratios(rows, base, key="iops"):
    """Of each round, where both were measured."""
    return [row[key] / other[key] for row, other in zip(rows, base) if other[key]]


def ratio(rows, base, key="iops"):
    each = ratios(rows, base, key)
    return statistics.median(each) if each else None


def spread_percent(rows, key="iops"):
    values = [row[key] for row in rows]
    return 50 * (max(values) - min(values)) / statistics.median(values)


def is_ours(name):
    return name.startswith("remap")


def best_peer(by_server):
    """The peer with the most requests per second; None if no peer was measured."""
    peers = [name for name in by_server if not is_ours(name) and name != BARE and by_server[name]]
    return max(peers, key=lambda name: median(by_server[name], "iops")) if peers else None


def machine_line(result):
    m = result["machine"]
    return "%s: %s, %s, Linux %s; Java: %s; %s; %s; %s; remap %s." % (
        m["date"], m["cpu"], m["memory"], m["kernel"], m["java"], m["nbdkit"], m["qemu-nbd"], m["fio"], m["remap"])


def heading(result):
    return ["Command: `%s`" % result["command"].strip(), "", machine_line(result), ""]


# ---- The parts -------------------------------------------------------------------------------------------------------

def peers(result):
    lines = []
    told = None
    for group, entry in result["groups"].items():
        run = entry["run"]
        if run != told:
            o = run["options"]
            lines += heading(run) + ["Rounds: %d, each of %g s; image of %d MiB." % (
                o["rounds"], o["seconds"], run["image_bytes"] >> 20), ""]
            told = run
        lines += ["**%s** on %s; load average at the begin of each round: %s." % (
            group, entry["file_system"], ", ".join("%.2f" % load for load in entry["load"])), ""]
        lines += table_of(entry["rows"]) + [""]
        lines += ["Peak memory: " + ", ".join("%s %.0f MiB" % each for each in entry["peak_mib"].items()) + ".", ""]
        lines += ["- `%s`: `%s`%s" % (name, command, parts_text(entry["parts"].get(name)))
                  for name, command in entry["commands"].items()] + [""]
    lines += ["Not measured: %s: %s" % each for each in result["left_out"].items()]
    return lines


def parts_text(parts):
    return "; it says: " + ", ".join("%s %s" % each for each in parts.items()) if parts else ""


def table_of(rows):
    lines = ["| job | server | against base | IOPS | ± | MB/s | CPU µs/request | against base | p50 µs | p99.9 µs |",
             "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for job, by_server in rows.items():
        base = BASELINE if by_server.get(BASELINE) else best_peer(by_server)
        for name, rounds in by_server.items():
            if not rounds:
                continue
            lines.append("| %s | %s%s | %s | %.0f | %.0f %% | %.0f | %s | %s | %.0f | %.0f |" % (
                job, name, " (base)" if name == base else "", times(base and ratio(rounds, by_server[base])),
                median(rounds, "iops"), spread_percent(rounds), median(rounds, "mb_s"),
                "%.1f" % median(rounds, "cpu_us") if name != BARE else "", "" if name == BARE else times(
                    base and ratio(rounds, by_server[base], "cpu_us")),
                median(rounds, "p50_us"), median(rounds, "p99.9_us")))
    return lines


def times(value):
    return "" if value is None else "%.2f" % value


def extents(result):
    lines = heading(result) + [
        "%s extents; rounds: %d, each of %g s; on %s." % (
            format(result["extents"], ","), result["options"]["rounds"], result["options"]["seconds"],
            result["file_system"]), "",
        "| transport | job | against an empty table | lowest and highest round | IOPS |", "|---|---|--:|--:|--:|"]
    for transport, entry in result["transports"].items():
        for job, sides in entry["rows"].items():
            each = ratios(sides["extents"], sides["empty"])
            lines.append("| %s | %s | %.3f | %.3f to %.3f | %.0f |" % (
                transport, job, statistics.median(each), min(each), max(each), median(sides["extents"], "iops")))
    lines.append("")
    for transport, entry in result["transports"].items():
        lines.append("%s: ready after %.2f s, with an empty table after %.2f s (medians of %d starts); heap in use after a "
                     "collection: %s, with an empty table %s." % (
                         transport, statistics.median(entry["ready_seconds"]["extents"]),
                         statistics.median(entry["ready_seconds"]["empty"]), len(entry["ready_seconds"]["empty"]),
                         mib(entry["heap_bytes"]["extents"]), mib(entry["heap_bytes"]["empty"])))
    return lines + ["Not measured: %s: %s" % each for each in result["left_out"].items()]


def mib(count):
    return "unknown" if count is None else "%.1f MiB" % (count / 2**20)


def scrub(result):
    lines = heading(result) + [
        "Rounds: %d, each of %g s; load average at the begin: %.2f." % (
            result["options"]["rounds"], result["options"]["seconds"], result["load_begin"]), "",
        "| transport | job | with a scrub, against without | lowest and highest round | IOPS without | p99.9 µs without, with "
        "| scrub MiB/s |",
        "|---|---|--:|--:|--:|--:|--:|"]
    for transport, entry in result["transports"].items():
        for job, sides in entry["rows"].items():
            each = ratios(sides["scrub"], sides["without"])
            lines.append("| %s | %s | %.3f | %.3f to %.3f | %.0f | %.0f, %.0f | %.1f |" % (
                transport, job, statistics.median(each), min(each), max(each), median(sides["without"], "iops"),
                median(sides["without"], "p99.9_us"), median(sides["scrub"], "p99.9_us"),
                median(sides["scrub"], "scrub_mib_s")))
    return lines + ["Not measured: %s: %s" % each for each in result["left_out"].items()]


def connections(result):
    lines = heading(result) + ["%d connections, each job for %g s." % (result["connections"], result["seconds"]), "",
                               "| server | job | IOPS | MB/s | peak memory MiB |", "|---|---|--:|--:|--:|"]
    for name, rows in result["servers"].items():
        for job, row in rows.items():
            lines.append("| %s | %s | %.0f | %.0f | %.0f |" % (name, job, row["iops"], row["mb_s"], row["peak_mib"]))
    return lines + ["Not measured: %s: %s" % each for each in result["left_out"].items()]


def steady(result):
    r = result
    lines = heading(r) + [
        "| | |", "|---|---|",
        "| server | %s%s |" % (r["server"], parts_text(r["parts"])),
        "| load | %s |" % r["load_text"],
        "| duration | %.0f s |" % r["seconds"],
        "| requests | %s, %.0f a second |" % (format(r["requests"], ","), r["iops"]),
        "| collections | %d |" % len(r["gc_pauses_ms"]),
        "| longest pause of the collector | %s |" % ms(r["gc_pauses_ms"]),
        "| longest stop of all threads, whatever for | %s |" % ms(r["stops_ms"]),
        "| heap in use, begin and end (garbage included) | %s, %s |" % (mib(r["heap_begin"]), mib(r["heap_end"])),
        "| allocated | %s, %s bytes per request |" % (
            mib(r["allocated_bytes"]),
            "unknown" if r["allocated_bytes"] is None else "%.2f" % (r["allocated_bytes"] / r["requests"])),
        "| resident memory, begin, end and peak | %.0f, %.0f, %.0f MiB |" % (
            r["rss_begin_mib"], r["rss_end_mib"], r["rss_peak_mib"]),
    ]
    return lines


def ms(pauses):
    return "%.2f ms" % max(pauses) if pauses else "none"


def engine(result):
    lines = heading(result) + ["1 MiB reads of a main in the page cache (%s), one at a time, on one thread." % result[
        "file_system"], "", "| engine | pool | through the map GB/s | bare pread GB/s | ratio | lowest and highest round |",
        "|---|---|--:|--:|--:|--:|"]
    for row in result["rows"]:
        lines.append("| %s | %s | %.2f | %.2f | %.3f | %.3f to %.3f |" % (
            row["engine"], row["pool"], row["map_gb_s"], row["bare_gb_s"], row["ratio"], row["ratio_min"],
            row["ratio_max"]))
    return lines + ["Not measured: %s: %s" % each for each in result["left_out"].items()]


def allocated_bytes(row):
    """Per operation, of a result of JMH with its profiler gc."""
    return row["secondaryMetrics"]["gc.alloc.rate.norm"]["score"]


def jmh(result):
    lines = ["Command: `./check bench jmh`; JDK %s; %d fork, %d iterations of %s." % (
        result[0]["jdkVersion"], result[0]["forks"], result[0]["measurementIterations"], result[0]["measurementTime"]), "",
        "| benchmark | parameters | ns per operation | ± | bytes allocated per operation |", "|---|---|--:|--:|--:|"]
    for row in result:
        primary = row["primaryMetric"]
        error = primary["scoreError"]
        lines.append("| %s | %s | %.1f | %s | %.2f |" % (
            ".".join(row["benchmark"].split(".")[-2:]),
            ", ".join("%s %s" % each for each in row.get("params", {}).items()), primary["score"],
            "" if error == "NaN" else "%.1f" % error, allocated_bytes(row)))
    return lines


# ---- The goals -------------------------------------------------------------------------------------------------------

# Jobs, what is compared, goal and floor; "at most" where less is better.
PEER_GOALS = [
    (("read-64k-qd16", "read-1m-qd8"), "iops", "best", 1.5, 1.25),
    (("randread-4k-qd32",), "iops", "best", 1.3, 1.1),
    (("randwrite-4k-qd32",), "iops", "best", 1.3, 0.95),
    (("randread-4k-qd1", "randwrite-4k-qd1"), "iops", "best", 1.1, 1.0),
    (("write-64k-qd16", "write-1m-qd8"), "iops", "best", 1.1, 0.9),
    (("randread-4k-qd1", "randread-4k-qd32"), "cpu_us", BASELINE, 0.5, 0.7),
    (("read-64k-qd16", "read-1m-qd8"), "cpu_us", BASELINE, 0.5, 0.4),
    # 1.0 without the ledger of unflushed writes, which is a safeguard that is always on.
    (("randwrite-4k-qd1", "randwrite-4k-qd32", "write-64k-qd16", "write-1m-qd8"), "cpu_us", BASELINE, 0.8, 1.15),
    (("randread-4k-qd32", "randwrite-4k-qd32"), "p99.9_us", "best p99.9", 0.5, None),
    (("randread-4k-qd32", "randwrite-4k-qd32", "read-1m-qd8"), "iops", PLAIN, 1.6, None),
]
WORDS = {"iops": "requests per second", "cpu_us": "CPU per request", "p99.9_us": "p99.9"}


def goals(results):
    lines = ["| what | measured | goal | floor | |", "|---|--:|--:|--:|---|"]
    peers_result = results.get("nbd")
    if peers_result:
        cached = {}
        for group in ("cached-reads", "cached-writes"):
            cached.update(peers_result["groups"].get(group, {"rows": {}})["rows"])
        for jobs, key, against, goal, floor in PEER_GOALS:
            for job in jobs:
                lines += peer_goal(cached.get(job, {}), job, key, against, goal, floor)
        for job, by_server in peers_result["groups"].get("direct", {"rows": {}})["rows"].items():
            lines += peer_goal(by_server, "O_DIRECT " + job, "iops", "best", 1.5, None)
    return lines + other_goals(results)


def peer_goal(by_server, job, key, against, goal, floor):
    if not by_server.get(FAST):
        return []
    base = against
    if against == "best":
        base = best_peer(by_server)
    elif against == "best p99.9":
        candidates = [name for name in by_server if not is_ours(name) and name != BARE and by_server[name]]
        base = min(candidates, key=lambda name: median(by_server[name], key), default=None)
    if not base or not by_server.get(base):
        return []
    measured = ratio(by_server[FAST], by_server[base], key)
    return [goal_line("%s, %s against %s" % (job, WORDS[key], base), measured, goal, floor, key == "iops", "×")]


def goal_line(what, measured, goal, floor, more_is_better, unit):
    def reached(limit):
        return measured >= limit if more_is_better else measured <= limit

    sign = "≥" if more_is_better else "≤"
    verdict = "reached" if reached(goal) else "above the floor" if floor is not None and reached(floor) else "missed"
    if floor is not None and not reached(floor):
        verdict = "below the floor"
    return "| %s | %.2f%s | %s %g%s | %s | %s |" % (
        what, measured, unit, sign, goal, unit, "" if floor is None else "%s %g%s" % (sign, floor, unit), verdict)


def other_goals(results):
    lines = []
    for row in results.get("engine", {"rows": []})["rows"]:
        name = "engine %s with pool %s, alone, 1 MiB reads" % (row["engine"], row["pool"])
        lines += [goal_line(name, row["map_gb_s"], 3.2, None, True, " GB/s"),
                  goal_line(name + " against bare pread", row["ratio"], 0.95, None, True, "×")]
    for transport, entry in results.get("extents", {"transports": {}})["transports"].items():
        for job, sides in entry["rows"].items():
            goal = {"untouched": 0.97, "remapped": 0.8}.get(job.split()[0])
            if goal:
                lines.append(goal_line("%s extents, %s, %s, against an empty table" % (
                    format(results["extents"]["extents"], ","), transport, job),
                    ratio(sides["extents"], sides["empty"]), goal, None, True, "×"))
        heap, ready = entry["heap_bytes"], entry["ready_seconds"]
        if heap["extents"] is not None:
            lines.append(goal_line("heap of that table, " + transport, (heap["extents"] - heap["empty"]) / 2**20, 32, None,
                                   False, " MiB"))
        lines.append(goal_line("a start with that table takes longer by, " + transport, statistics.median(
            ready["extents"]) - statistics.median(ready["empty"]), 1, None, False, " s"))
    for transport, entry in results.get("scrub", {"transports": {}})["transports"].items():
        for job, sides in entry["rows"].items():
            lines.append(goal_line("clients while a scrub runs, %s, %s, against without" % (transport, job),
                                   ratio(sides["scrub"], sides["without"]), 0.95, None, True, "×"))
    for name, rows in results.get("connections", {"servers": {}})["servers"].items():
        if name == FAST:
            lines.append(goal_line("%d connections at full load, peak memory" % results["connections"]["connections"],
                                   max(row["peak_mib"] for row in rows.values()), 192, None, False, " MiB"))
    if "steady" in results:
        lines.append(goal_line("longest pause of the collector in %.0f s" % results["steady"]["seconds"],
                               max(results["steady"]["gc_pauses_ms"], default=0), 5, None, False, " ms"))
    if "jmh" in results:
        lines.append(goal_line("allocated per operation, the most of all benchmarks (the goal is 0; less is JMH itself)",
                               max(map(allocated_bytes, results["jmh"])), 0.1, None, False, " bytes"))
    return lines


# ---- The page --------------------------------------------------------------------------------------------------------

PARTS = {"nbd": peers, "extents": extents, "scrub": scrub, "connections": connections, "steady": steady, "engine": engine,
         "jmh": jmh}


def replace_part(page, name, lines):
    begin, end = "<!-- begin %s -->" % name, "<!-- end %s -->" % name
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    if not pattern.search(page):
        raise SystemExit("%s has no part %s" % (DOCS, name))
    return pattern.sub(lambda _: "\n".join([begin, *lines, end]), page)


def part_of(page, name):
    return page.split("<!-- begin %s -->\n" % name)[1].split("\n<!-- end %s -->" % name)[0].splitlines()


def subject(line):
    """What a line of the goals is about, whichever peer was the best."""
    return re.sub(r" against (nbdkit|qemu)-[^ ]+$", "", line.split("|")[1].strip())


def with_goals_kept(old, new):
    """What has no result now stays as it was measured before, as its part of the page does."""
    measured = {subject(line): line for line in new}
    return [measured.pop(subject(line), line) for line in old] + list(measured.values())


def main():
    parser = argparse.ArgumentParser(prog="./check bench docs", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--print", action="store_true", help="show the page instead of writing it")
    a = parser.parse_args()
    results = {}
    for name in PARTS:
        path = os.path.join(a.results, name + ".json")
        if os.path.exists(path):
            with open(path) as file:
                results[name] = json.load(file)
    if not results:
        raise SystemExit("no results in %s" % a.results)
    with open(DOCS) as file:
        page = file.read()
    for name, result in results.items():
        page = replace_part(page, name, PARTS[name](result))
    page = replace_part(page, "goals", with_goals_kept(part_of(page, "goals"), goals(results)))
    if a.print:
        print(page)
    else:
        with open(DOCS, "w") as file:
            file.write(page)
        print("written: %s, from %s" % (DOCS, ", ".join(results)))


if __name__ == "__main__":
    main()
