"""Measures NBD servers side by side over a Unix socket, with fio's nbd engine.

    nbd_peers.py REMAP RESULT.json [--jobs a,b] [--servers a,b] [--rounds N] [--seconds N] [--directory DIR]

Every server serves its own copy of the same image from the page cache. The rounds are interleaved (A B C A B C …), so
that a drift of the machine meets all of them alike; the figures are medians over the rounds, each as a ratio to nbdkit's
file plugin, with the CPU time of the server per request beside it. REMAP is the launcher.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BASELINE = "nbdkit-file"
SERVERS = {
    "nbdkit-file": ["nbdkit", "-f", "-P", "{pid}", "-U", "{socket}", "file", "{image}"],
    "qemu-nbd": ["qemu-nbd", "-t", "-e", "16", "-f", "raw", "--pid-file={pid}", "-k", "{socket}", "{image}"],
    "remap-plain": [
        "{remap}", "serve", "{image}", "--buffered", "--spare", "{image}.spare", "--transport", "plain",
        "--name", "bench-plain", "--pid-file", "{pid}", "--socket", "{socket}",
    ],
    "remap-fast": [
        "{remap}", "serve", "{image}", "--buffered", "--spare", "{image}.spare", "--transport", "fast",
        "--name", "bench-fast", "--pid-file", "{pid}", "--socket", "{socket}",
    ],
}
JOBS = {
    "randread-4k-qd1": ["--rw=randread", "--bs=4k", "--iodepth=1"],
    "randread-4k-qd32": ["--rw=randread", "--bs=4k", "--iodepth=32"],
    "randwrite-4k-qd1": ["--rw=randwrite", "--bs=4k", "--iodepth=1"],
    "randwrite-4k-qd32": ["--rw=randwrite", "--bs=4k", "--iodepth=32"],
    "read-64k-qd16": ["--rw=randread", "--bs=64k", "--iodepth=16"],
    "write-64k-qd16": ["--rw=randwrite", "--bs=64k", "--iodepth=16"],
    "read-1m-qd8": ["--rw=read", "--bs=1m", "--iodepth=8"],
    "write-1m-qd8": ["--rw=write", "--bs=1m", "--iodepth=8"],
}
IMAGE_BYTES = 512 << 20
SPARE_BYTES = 64 << 20
START_SECONDS = 60
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Server:
    def __init__(self, name, remap, directory):
        self.name = name
        self.socket = os.path.join(directory, name + ".sock")
        pid_file = os.path.join(directory, name + ".pid")
        image = os.path.join(directory, name + ".img")
        shutil.copyfile(os.path.join(directory, "image"), image)
        with open(image + ".spare", "wb") as spare:
            spare.truncate(SPARE_BYTES)
        words = dict(remap=remap, socket=self.socket, pid=pid_file, image=image)
        self.log = open(os.path.join(directory, name + ".log"), "w")
        self.process = subprocess.Popen(
            [word.format(**words) for word in SERVERS[name]], stdout=self.log, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + START_SECONDS
        while not (os.path.exists(pid_file) and os.path.getsize(pid_file) and os.path.exists(self.socket)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("%s did not start: %s" % (name, open(self.log.name).read()))
            time.sleep(0.02)
        self.pid = int(open(pid_file).read())

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def peak_mib(self):
        with open("/proc/%d/status" % self.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()


def run_job(server, job, seconds):
    """Requests per second, latencies, and CPU of the server per request, for one round."""
    before = server.cpu_seconds()
    command = ["fio", "--name=job", "--ioengine=nbd", "--uri=nbd+unix:///?socket=" + server.socket, "--time_based",
               "--runtime=%g" % seconds, "--size=%d" % IMAGE_BYTES, "--randrepeat=0", "--output-format=json"] + JOBS[job]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit("fio failed on %s, %s: %s%s" % (server.name, job, result.stdout[-500:], result.stderr[-500:]))
    figures = json.loads(result.stdout[result.stdout.index("{"):])["jobs"][0]
    side = figures["read"] if "read" in JOBS[job][0] else figures["write"]
    percentiles = side["clat_ns"].get("percentile", {})
    return {
        "requests_per_second": side["iops"],
        "megabytes_per_second": side["bw_bytes"] / 1e6,
        "p50_us": percentiles.get("50.000000", 0) / 1000,
        "p99.9_us": percentiles.get("99.900000", 0) / 1000,
        "cpu_us_per_request": (server.cpu_seconds() - before) * 1e6 / max(1, side["total_ios"]),
    }


def medians(rounds):
    return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}


def main():
    parser = argparse.ArgumentParser(usage="./check bench nbd [options]")
    parser.add_argument("remap", help=argparse.SUPPRESS)
    parser.add_argument("result", help=argparse.SUPPRESS)
    parser.add_argument("--jobs", default=",".join(JOBS), help="of " + ",".join(JOBS))
    parser.add_argument("--servers", default="nbdkit-file,qemu-nbd,remap-plain", help="of " + ",".join(SERVERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each job in each round")
    parser.add_argument("--warm-seconds", type=float, default=4, help="of each job before the first round")
    parser.add_argument("--directory", default="/dev/shm", help="where the images stand")
    a = parser.parse_args()
    names, jobs = a.servers.split(","), a.jobs.split(",")
    with tempfile.TemporaryDirectory(dir=a.directory, prefix="remap-bench.") as directory:
        os.environ["XDG_RUNTIME_DIR"] = directory
        os.environ["REMAP_STATE_DIR"] = directory + "/state"
        with open(directory + "/image", "wb") as image:
            for _ in range(IMAGE_BYTES >> 20):
                image.write(os.urandom(1 << 20))
        servers = []
        try:
            servers = [Server(name, a.remap, directory) for name in names]
            rows = measure(servers, jobs, a)
            peaks = {s.name: s.peak_mib() for s in servers}
        finally:
            for server in servers:
                server.stop()
    with open(a.result, "w") as file:
        json.dump({"jobs": rows, "peak_mib": peaks, "rounds": a.rounds, "seconds": a.seconds}, file, indent=1)
    show(rows, peaks, names)


def measure(servers, jobs, a):
    rows = {}
    for job in jobs:
        for server in servers:
            run_job(server, job, a.warm_seconds)
        rounds = {server.name: [] for server in servers}
        for _ in range(a.rounds):
            for server in servers:
                rounds[server.name].append(run_job(server, job, a.seconds))
        rows[job] = {name: medians(r) for name, r in rounds.items()}
        print("measured", job, file=sys.stderr)
    return rows


def show(rows, peaks, names):
    print("| job | server | ratio | requests/s | MB/s | CPU µs/request | p50 µs | p99.9 µs |")
    print("|---|---|---|---|---|---|---|---|")
    for job, by_server in rows.items():
        for name in names:
            f = by_server[name]
            ratio = f["requests_per_second"] / by_server.get(BASELINE, f)["requests_per_second"]
            print("| %s | %s | %.2f | %.0f | %.0f | %.1f | %.0f | %.0f |" % (
                job, name, ratio, f["requests_per_second"], f["megabytes_per_second"], f["cpu_us_per_request"],
                f["p50_us"], f["p99.9_us"]))
    print("peak memory: " + ", ".join("%s %.0f MiB" % item for item in peaks.items()))


main()
