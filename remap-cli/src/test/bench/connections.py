"""Peak memory of a server with many connections at full load: the same job on each connection at once, one job after
the other. The figure is VmHWM of the process, counted anew for each job.
"""

import argparse
import os
import sys

import fio
import nbd_peers
import report
import servers
from servers import say

JOBS = {
    "randread-4k-qd32": fio.options("randread-4k-qd32"),
    "randwrite-4k-qd32": fio.options("randwrite-4k-qd32"),
    "read-1m-qd8": fio.options("read-1m-qd8"),
    "write-1m-qd8": fio.options("write-1m-qd8"),
    "mixed-4k-to-1m-qd32": ["--rw=randrw", "--bsrange=4k-1m", "--iodepth=32"],
}


def arguments():
    parser = argparse.ArgumentParser(
        prog="./check bench connections", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--servers", default="nbdkit-file,qemu-nbd,remap-plain,remap-fast")
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--seconds", type=float, default=10, help="of each job on each server (10)")
    parser.add_argument("--directory", default="/dev/shm")
    return parser.parse_args()


def main():
    a = arguments()
    servers.build_remap()
    result = {"format": 1, "machine": servers.machine(), "connections": a.connections, "seconds": a.seconds,
              "servers": {}, "left_out": {}, "command": "./check bench connections " + " ".join(sys.argv[3:])}
    for name in a.servers.split(","):
        with servers.Workplace() as workplace:
            directory = workplace.directory(a.directory)
            try:
                server = nbd_peers.start(workplace, name, "--buffered", directory, {})
            except servers.NotAsAsked as reason:
                say("%s is left out: %s" % (name, reason))
                result["left_out"][name] = str(reason)
                continue
            rows = result["servers"][name] = {}
            for job in a.jobs.split(","):
                say(name, job, "load %.2f" % os.getloadavg()[0])
                server.forget_peak()
                target = fio.over_nbd(server.uri, nbd_peers.IMAGE_BYTES) + ["--numjobs=%d" % a.connections]
                rows[job] = fio.measure(server, target, JOBS[job], a.seconds)
                rows[job]["peak_mib"] = server.memory_mib()
    path = servers.save(a.results, "connections", result)
    print("\n".join(report.connections(result)))
    say("written:", path)
    sys.exit(nbd_peers.EXIT_INCOMPLETE if result["left_out"] else 0)


if __name__ == "__main__":
    main()
