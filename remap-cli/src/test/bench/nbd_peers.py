"""Measures NBD servers side by side over a Unix socket, with fio's nbd engine.

Each server serves a copy of its own of the same image. The rounds are interleaved: a round runs every job on every
server, one after the other, in an order that moves on by one each time, so that a drift of the machine meets all
alike. A figure is the median over the rounds; a ratio is taken within each round, and then the median of it.

Three groups: reads from the page cache of a file system on disk (where a server may ask what is resident), writes to
files in memory (where no write-back of the kernel disturbs), and O_DIRECT on the disk.
"""

import argparse
import os
import sys

import fio
import report
import servers
from servers import say

IMAGE_BYTES = 512 << 20
# Of the result.
FORMAT = 2
EXIT_INCOMPLETE = 3
CACHED_PEERS = ["nbdkit-file", "qemu-nbd"]
DIRECT_PEERS = ["qemu-native", "qemu-io_uring", "qemu-threads"]
OURS = ["remap-plain", "remap-fast"]
# fio on the file itself: what the disk gives.
BARE = "bare-disk"

# Group: jobs, servers, how remap opens main, where the images stand unless told otherwise.
GROUPS = {
    "cached-reads": ([job for job in fio.JOBS if fio.is_read(job)], CACHED_PEERS + OURS, "--buffered", "/var/tmp"),
    "cached-writes": ([job for job in fio.JOBS if not fio.is_read(job)], CACHED_PEERS + OURS, "--buffered", "/dev/shm"),
    "direct": (["randread-4k-qd32", "randwrite-4k-qd32", "read-1m-qd8"], [BARE] + DIRECT_PEERS + OURS, "--direct",
               "/var/tmp"),
}


def arguments():
    parser = argparse.ArgumentParser(
        prog="./check bench nbd", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--groups", default=",".join(GROUPS), help="of " + ",".join(GROUPS))
    parser.add_argument("--jobs", default="", help="of %s; default: all of a group" % ",".join(fio.JOBS))
    parser.add_argument("--servers", default="", help="of %s, and variants; default: all of a group"
                        % ",".join([BARE, *servers.PEERS, *OURS]))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each job on each server in each round (2)")
    parser.add_argument("--warm-seconds", type=float, default=10, help="of each job before the first round, for the JIT (10)")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=SETTING=VALUE[,SETTING=VALUE]",
                        help="one more server remap-NAME: the fast transport with these settings")
    parser.add_argument("--directory", default="", help="where all images stand; default: by group, see above")
    parser.add_argument("--name", default="nbd", help="of the result (nbd)")
    a = parser.parse_args()
    a.variants = {"remap-" + name: settings.split(",")
                  for name, settings in (each.split("=", 1) for each in a.variant)}
    known = {BARE, *servers.PEERS, *OURS, *a.variants}
    for text, allowed in ((a.groups, GROUPS), (a.jobs, fio.JOBS), (a.servers, known)):
        wrong = [word for word in text.split(",") if word and word not in allowed]
        if wrong:
            parser.error("unknown: %s; known: %s" % (", ".join(wrong), ", ".join(sorted(allowed))))
    return a


class Bare:
    """No server: fio reads and writes the file."""

    def __init__(self, image):
        self.name, self.image, self.command = BARE, image, ["fio", "--ioengine=io_uring", "--direct=1"]

    def parts(self):
        return {}


def start(workplace, name, door, directory, variants, java_options=""):
    image = os.path.join(directory, name + ".img")
    servers.make_image(image, IMAGE_BYTES)
    if name == BARE:
        return Bare(image)
    if name in servers.PEERS:
        return workplace.server(name, servers.PEERS[name], directory, image, workplace.home)
    servers.make_spare(os.path.join(directory, name + ".spare"))
    transport = "plain" if name == "remap-plain" else "fast"
    server = workplace.server(
        name, servers.remap_words(transport, door, variants.get(name, ())), directory, image, workplace.home, java_options)
    try:
        server.check_transport(transport)
    except servers.NotAsAsked:
        server.stop()
        os.unlink(image)
        raise
    return server


def one_run(server, job, seconds, seed):
    if isinstance(server, Bare):
        return dict(fio.run(fio.over_file(server.image, IMAGE_BYTES), fio.options(job), seconds, seed), cpu_us=0.0)
    return fio.measure(server, fio.over_nbd(server.uri, IMAGE_BYTES), fio.options(job), seconds, seed)


def selection(group, a):
    jobs, names, door, directory = GROUPS[group]
    jobs = [job for job in jobs if not a.jobs or job in a.jobs.split(",")]
    names = [name for name in [*names, *a.variants] if not a.servers or name in a.servers.split(",")]
    return jobs, names, door, a.directory or directory


def measure_group(group, a, result, save):
    jobs, names, door, parent = selection(group, a)
    if not jobs or not names:
        return
    servers.require_space(parent, len(names) * IMAGE_BYTES * 1.1)
    with servers.Workplace() as workplace:
        directory = workplace.directory(parent)
        running = []
        for name in names:
            try:
                say(group + ": starting", name)
                running.append(start(workplace, name, door, directory, a.variants))
            except servers.NotAsAsked as reason:
                say("%s is left out: %s" % (name, reason))
                result["left_out"]["%s, %s" % (group, name)] = str(reason)
        rows = {job: {server.name: [] for server in running} for job in jobs}
        entry = result["groups"][group] = {
            "run": a.run, "file_system": servers.file_system(parent), "directory": parent, "rows": rows, "load": [],
            "commands": {s.name: " ".join(shown(word, directory, workplace.home) for word in s.command) for s in running},
            "parts": {s.name: s.parts() for s in running}, "peak_mib": {}}
        if door == "--buffered":
            for server in running:
                servers.read_all(server.image)
        for server in running:
            if server.name.startswith("remap"):
                for job in jobs:
                    say(group + ": warming", server.name, job)
                    one_run(server, job, a.warm_seconds, 1)
        for number in range(a.rounds):
            entry["load"].append(os.getloadavg()[0])
            say("%s: round %d of %d, load %.2f" % (group, number + 1, a.rounds, entry["load"][-1]))
            for index, job in enumerate(jobs):
                first = (number + index) % max(1, len(running))
                for server in running[first:] + running[:first]:
                    rows[job][server.name].append(one_run(server, job, a.seconds, 1000 + number))
            entry["peak_mib"] = {s.name: s.memory_mib() for s in running if not isinstance(s, Bare)}
            save()


def shown(word, directory, home):
    """A word of a command without the paths of this run."""
    return word.replace(directory, "DIR").replace(home, "RUN").replace(servers.REMAP, "remap")


def estimate_seconds(a):
    seconds = 0
    for group in a.groups.split(","):
        jobs, names, _, _ = selection(group, a)
        each = len(jobs) * (a.seconds + fio.RUN_OVERHEAD_SECONDS)
        warm = len(jobs) * (a.warm_seconds + fio.RUN_OVERHEAD_SECONDS)
        seconds += a.rounds * len(names) * each + sum(warm for name in names if name.startswith("remap"))
    return seconds


def other_groups(a):
    """What a run before this one measured of the groups that this one leaves out: they stay as they are."""
    old = servers.load(a.results, a.name)
    groups = old["groups"] if old and old["format"] == FORMAT else {}
    return {group: groups[group] for group in GROUPS if group in groups and group not in a.groups.split(",")}


def main():
    a = arguments()
    servers.build_remap()
    say("about %.0f minutes; load of the machine now: %.2f (a quiet one is below 0.3)"
        % (estimate_seconds(a) / 60 + 1, os.getloadavg()[0]))
    a.run = {"machine": servers.machine(), "image_bytes": IMAGE_BYTES,
             "options": {"rounds": a.rounds, "seconds": a.seconds, "warm_seconds": a.warm_seconds},
             "command": "./check bench nbd " + " ".join(sys.argv[3:])}
    result = {"format": FORMAT, "left_out": {}, "groups": other_groups(a)}
    for group in a.groups.split(","):
        measure_group(group, a, result, lambda: servers.save(a.results, a.name, result))
    path = servers.save(a.results, a.name, result)
    text = "\n".join(report.peers(result))
    with open(path.replace(".json", ".md"), "w") as file:
        file.write(text + "\n")
    print(text)
    say("written:", path)
    sys.exit(EXIT_INCOMPLETE if result["left_out"] else 0)


if __name__ == "__main__":
    main()
