"""The steady state: some minutes of load, and what the JVM did meanwhile. Pauses come from its log
(-Xlog:gc,safepoint), what was allocated from the heap in use at begin and end and from what the collections freed.
"""

import argparse
import os
import re
import sys
import time

import fio
import nbd_peers
import report
import servers
from servers import say

LOAD = ["--rw=randrw", "--rwmixread=70", "--bssplit=4k/90:64k/10", "--iodepth=32", "--numjobs=2"]
LOAD_TEXT = "2 connections, each 32 requests in flight, 70 % reads, 90 % of 4 KiB, 10 % of 64 KiB"
WARM_SECONDS = 20


def arguments():
    parser = argparse.ArgumentParser(
        prog="./check bench steady", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--server", default="remap-fast", choices=nbd_peers.OURS)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--warm-seconds", type=float, default=WARM_SECONDS)
    parser.add_argument("--directory", default="/dev/shm")
    return parser.parse_args()


class Log:
    """The log of the JVM, from a moment of its uptime on."""

    LINE = re.compile(r"^\[([0-9.]+)s\] ?(.*)$")
    PAUSE = re.compile(r"GC\(\d+\) Pause .*? (\d+)([KMG])->(\d+)([KMG])\(.*\) ([0-9.]+)ms")
    STOP = re.compile(r"Safepoint .*Total: +(\d+) ns")
    UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

    def __init__(self, path, begin_seconds):
        self.pauses_ms, self.stops_ms, self.freed_bytes = [], [], 0
        with open(path) as log:
            for line in log:
                match = self.LINE.match(line)
                if not match or float(match[1]) < begin_seconds:
                    continue
                pause, stop = self.PAUSE.search(match[2]), self.STOP.search(match[2])
                if pause:
                    self.pauses_ms.append(float(pause[5]))
                    self.freed_bytes += int(pause[1]) * self.UNITS[pause[2]] - int(pause[3]) * self.UNITS[pause[4]]
                if stop:
                    self.stops_ms.append(int(stop[1]) / 1e6)


def uptime(pid):
    """Seconds since the process began, as the JVM counts them (less its first moments)."""
    with open("/proc/%d/stat" % pid) as stat:
        begun = int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun


def main():
    a = arguments()
    servers.build_remap()
    with servers.Workplace() as workplace:
        directory = workplace.directory(a.directory)
        log = os.path.join(workplace.home, "jvm.log")
        try:
            server = nbd_peers.start(workplace, a.server, "--buffered", directory, {},
                                     "-Xlog:gc,safepoint:file=%s:uptime:filecount=0" % log)
        except servers.NotAsAsked as reason:
            raise SystemExit("not measured: %s" % reason) from None
        target = fio.over_nbd(server.uri, nbd_peers.IMAGE_BYTES)
        say("warming for %g s" % a.warm_seconds)
        fio.run(target, LOAD, a.warm_seconds)
        begin = {"heap": server.heap_bytes(), "rss": server.memory_mib("VmRSS"), "uptime": uptime(server.pid)}
        say("measuring for %g s, load %.2f" % (a.seconds, os.getloadavg()[0]))
        row = fio.measure(server, target, LOAD, a.seconds)
        jvm, heap_end = Log(log, begin["uptime"]), server.heap_bytes()
        known = begin["heap"] is not None and heap_end is not None
        result = {
            "format": 1, "machine": servers.machine(), "command": "./check bench steady " + " ".join(sys.argv[3:]),
            "server": a.server, "parts": server.parts(), "load_text": LOAD_TEXT, "seconds": a.seconds, **row,
            "gc_pauses_ms": jvm.pauses_ms, "stops_ms": jvm.stops_ms, "heap_begin": begin["heap"], "heap_end": heap_end,
            "allocated_bytes": heap_end - begin["heap"] + jvm.freed_bytes if known else None,
            "rss_begin_mib": begin["rss"], "rss_end_mib": server.memory_mib("VmRSS"), "rss_peak_mib": server.memory_mib()}
    path = servers.save(a.results, "steady", result)
    print("\n".join(report.steady(result)))
    say("written:", path)


if __name__ == "__main__":
    main()
