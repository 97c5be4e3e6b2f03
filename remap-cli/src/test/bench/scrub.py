"""What a scrub takes from clients: the same job on one served disk, in each round once while a scrub runs and once while
none does, in turns. A ratio is taken within a round. It is an error if the pass ends in a run.

The scrub reads 1 MiB a second: the default pace of a disk of 1.2 TB (14 days a pass), and the most that a disk gets which
is never idle. The image is much smaller, and at its own default pace would hardly be read.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import fio
import nbd_peers
import report
import servers
from servers import say

JOBS = ("randread-4k-qd1", "randread-4k-qd32", "read-1m-qd8", "randwrite-4k-qd32")
SIDES = ("without", "scrub")
SETTLE_SECONDS = 1
RATE = "1M"


def arguments():
    parser = argparse.ArgumentParser(
        prog="./check bench scrub", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=8, help="of each job in each round (8)")
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--transports", default="plain,fast")
    parser.add_argument("--directory", default=os.path.join(servers.PROJECT, "target"), help="on a disk, as O_DIRECT is")
    return parser.parse_args()


def scan(server, *words):
    result = subprocess.run([servers.REMAP, "scan", words[0], "bench-" + server.name, *words[1:], "--json"],
                            capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit("scan %s: %s%s" % (" ".join(words), result.stdout, result.stderr))
    return json.loads(result.stdout)


def measure(server, job, seconds, side, seed):
    target = fio.over_nbd(server.uri, nbd_peers.IMAGE_BYTES)
    if side == "scrub":
        scan(server, "start", "--restart", "--rate", RATE)
    time.sleep(SETTLE_SECONDS)
    before, began = scan(server, "status"), time.monotonic()
    row = fio.measure(server, target, fio.options(job), seconds, seed)
    after = scan(server, "status")
    row["scrub_mib_s"] = (after["scannedBytes"] - before["scannedBytes"]) / 2**20 / (time.monotonic() - began)
    if side == "scrub":
        if after["state"] != "running":
            raise SystemExit("the pass ended in a run, or never began: %s" % after)
        scan(server, "cancel")
    return row


def measure_transport(a, transport, workplace, directory):
    server = nbd_peers.start(workplace, "remap-" + transport, "--direct", directory, {})
    rows = {job: {side: [] for side in SIDES} for job in a.jobs.split(",")}
    for number in range(a.rounds):
        for at, job in enumerate(rows):
            say("round %d" % (number + 1), transport, job, "load %.2f" % os.getloadavg()[0])
            for side in SIDES if (number + at) % 2 == 0 else SIDES[::-1]:
                rows[job][side].append(measure(server, job, a.seconds, side, number + 1))
    return {"rows": rows, "parts": server.parts(), "file_system": servers.file_system(directory)}


def main():
    a = arguments()
    servers.build_remap()
    os.makedirs(a.directory, exist_ok=True)
    result = {"format": 1, "machine": servers.machine(), "options": {"rounds": a.rounds, "seconds": a.seconds},
              "load_begin": os.getloadavg()[0], "transports": {}, "left_out": {},
              "command": "./check bench scrub " + " ".join(sys.argv[3:])}
    for transport in a.transports.split(","):
        with servers.Workplace() as workplace:
            try:
                result["transports"][transport] = measure_transport(
                    a, transport, workplace, workplace.directory(a.directory))
            except servers.NotAsAsked as reason:
                say("%s is left out: %s" % (transport, reason))
                result["left_out"][transport] = str(reason)
    path = servers.save(a.results, "scrub", result)
    print("\n".join(report.scrub(result)))
    say("written:", path)
    sys.exit(nbd_peers.EXIT_INCOMPLETE if result["left_out"] else 0)


if __name__ == "__main__":
    main()
