"""What a table of a million remapped extents costs: the same jobs on a disk with that table and on one with an empty
table.

Every second unit of 4096 bytes is mapped, each to a slot of its own, so that no two become one extent. The table is
made by the product's own store (ManyExtents, one commit), since a million times `map add` would take a flush and a
record each. Main and spare stand in memory, and have content wherever something is read. Jobs: on a range behind the
mapped one (untouched); on the mapped units alone (remapped); on both alternately, which cuts each request into pieces
(split). Also: how much longer a start takes with the table, and its heap.
"""

import argparse
import os
import subprocess
import sys

import fio
import report
import servers
from servers import say

UNIT_BYTES = 4096
STEP_BYTES = 2 * UNIT_BYTES
UNTOUCHED_BYTES = 512 << 20
STARTS = 3
EXIT_INCOMPLETE = 3

# Name: job, restricted to the mapped units.
JOBS = {
    "untouched randread-4k-qd32": ("randread-4k-qd32", False),
    "untouched randwrite-4k-qd32": ("randwrite-4k-qd32", False),
    "untouched read-1m-qd8": ("read-1m-qd8", False),
    "remapped randread-4k-qd32": ("randread-4k-qd32", True),
    "remapped randwrite-4k-qd32": ("randwrite-4k-qd32", True),
    "split read-64k-qd16": ("read-64k-qd16", True),
}


def arguments():
    parser = argparse.ArgumentParser(
        prog="./check bench extents", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--extents", type=int, default=1_000_000, help="(1000000: needs 18 GiB in the directory)")
    parser.add_argument("--transports", default="plain,fast")
    parser.add_argument("--jobs", default="", help="of %s; default: all" % ", ".join(JOBS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2, help="of each job on each disk in each round (2)")
    parser.add_argument("--warm-seconds", type=float, default=4)
    parser.add_argument("--directory", default="/dev/shm")
    return parser.parse_args()


def make_mapped_main(path, mapped_bytes):
    """Content in the units that stay on main alone: the others stand on the spare."""
    with open(path, "wb") as image:
        image.truncate(mapped_bytes + UNTOUCHED_BYTES)
        block = os.urandom(servers.CHUNK_BYTES)
        for offset in range(UNIT_BYTES, mapped_bytes, STEP_BYTES):
            start = offset // STEP_BYTES % (servers.CHUNK_BYTES // UNIT_BYTES) * UNIT_BYTES
            os.pwrite(image.fileno(), block[start:start + UNIT_BYTES], offset)
        for offset in range(mapped_bytes, mapped_bytes + UNTOUCHED_BYTES, len(block)):
            os.pwrite(image.fileno(), block, offset)


def prepare(directory, extents):
    mapped_bytes = extents * STEP_BYTES
    spare_bytes = extents * UNIT_BYTES * 11 // 10 + (128 << 20)
    servers.require_space(directory, 2 * (mapped_bytes + UNTOUCHED_BYTES) + (128 << 20))
    say("writing %.1f GiB of images" % (2 * (mapped_bytes + UNTOUCHED_BYTES) / 2**30))
    servers.make_image(directory + "/empty.img", mapped_bytes + UNTOUCHED_BYTES)
    make_mapped_main(directory + "/extents.img", mapped_bytes)
    for name in ("empty", "extents"):
        servers.make_spare("%s/%s.spare" % (directory, name), spare_bytes)
        subprocess.run([servers.REMAP, "create", "%s/%s.img" % (directory, name), "--spare",
                        "%s/%s.spare" % (directory, name)], check=True, stdout=subprocess.DEVNULL)
    say("committing %d extents" % extents)
    subprocess.run(servers.java_command("-Xmx1g") + [
        "-m", "io.remap.cli/io.remap.cli.bench.ManyExtents", directory + "/extents.spare", str(extents)], check=True)


def start_both(workplace, transport, directory):
    """Started several times, in turn; the last ones go on."""
    door = "--buffered" if servers.is_in_memory(directory) else "--direct"
    ready = {"empty": [], "extents": []}
    for number in range(STARTS):
        running = {}
        for name, seconds in ready.items():
            running[name] = workplace.server(
                name, servers.remap_words(transport, door), directory, "%s/%s.img" % (directory, name), workplace.home)
            seconds.append(running[name].ready_seconds)
        try:
            running["empty"].check_transport(transport)
        except servers.NotAsAsked:
            stop_all(running)
            raise
        if number < STARTS - 1:
            stop_all(running)
    return running, ready


def stop_all(running):
    for server in running.values():
        server.stop()


def check_content(server, extents):
    """Mapped units must come from their slots, which begin with the number of the unit."""
    import nbd  # of the system's python3-libnbd
    client = nbd.NBD()
    client.connect_uri(server.uri)
    for unit in (0, 2, 2 * (extents // 3), 2 * (extents - 1)):
        read = int.from_bytes(client.pread(8, unit * UNIT_BYTES), "little")
        if read != unit:
            raise SystemExit("unit %d does not come from its slot: %d" % (unit, read))
    client.shutdown()


def heap_after_collection(server):
    server.jcmd("GC.run")
    return server.heap_bytes()


def one_run(server, job, extents, seconds, seed):
    base, mapped = JOBS[job]
    options = fio.options(base)
    if not mapped:
        target = fio.over_nbd(server.uri, UNTOUCHED_BYTES, extents * STEP_BYTES)
    else:
        target = fio.over_nbd(server.uri, extents * STEP_BYTES)
        if "-4k-" in base:
            options.append("--blockalign=%d" % STEP_BYTES)
    return fio.measure(server, target, options, seconds, seed)


def measure(workplace, transport, directory, a, save, result):
    running, ready = start_both(workplace, transport, directory)
    check_content(running["extents"], a.extents)
    jobs = [job for job in JOBS if not a.jobs or job in a.jobs.split(",")]
    rows = {job: {name: [] for name in running} for job in jobs}
    result["transports"][transport] = {
        "ready_seconds": ready, "rows": rows, "parts": running["extents"].parts(),
        "heap_bytes": {name: heap_after_collection(server) for name, server in running.items()}}
    for job in jobs:
        for server in running.values():
            one_run(server, job, a.extents, a.warm_seconds, 1)
    for number in range(a.rounds):
        say("%s: round %d of %d, load %.2f" % (transport, number + 1, a.rounds, os.getloadavg()[0]))
        for index, job in enumerate(jobs):
            order = list(running.items())
            for name, server in order if (number + index) % 2 == 0 else order[::-1]:
                rows[job][name].append(one_run(server, job, a.extents, a.seconds, 1000 + number))
        save()
    stop_all(running)


def main():
    a = arguments()
    servers.build_remap()
    result = {"format": 1, "machine": servers.machine(), "extents": a.extents, "left_out": {}, "transports": {},
              "file_system": servers.file_system(a.directory), "options": {"rounds": a.rounds, "seconds": a.seconds},
              "command": "./check bench extents " + " ".join(sys.argv[3:])}
    with servers.Workplace() as workplace:
        directory = workplace.directory(a.directory)
        prepare(directory, a.extents)
        for transport in a.transports.split(","):
            try:
                measure(workplace, transport, directory, a, lambda: servers.save(a.results, "extents", result), result)
            except servers.NotAsAsked as reason:
                say("%s is left out: %s" % (transport, reason))
                result["left_out"][transport] = str(reason)
    path = servers.save(a.results, "extents", result)
    print("\n".join(report.extents(result)))
    say("written:", path)
    sys.exit(EXIT_INCOMPLETE if result["left_out"] else 0)


if __name__ == "__main__":
    main()
