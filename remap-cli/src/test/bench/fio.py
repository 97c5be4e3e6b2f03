"""The load: fio's jobs and what it says about them."""

import json
import subprocess

RUN_OVERHEAD_SECONDS = 0.6
PERCENTILES = {"p50_us": "50.000000", "p99_us": "99.000000", "p99.9_us": "99.900000"}

# Name: access, block size, requests in flight.
JOBS = {
    "randread-4k-qd1": ("randread", "4k", 1),
    "randread-4k-qd32": ("randread", "4k", 32),
    "read-64k-qd16": ("randread", "64k", 16),
    "read-1m-qd8": ("read", "1m", 8),
    "randwrite-4k-qd1": ("randwrite", "4k", 1),
    "randwrite-4k-qd32": ("randwrite", "4k", 32),
    "write-64k-qd16": ("randwrite", "64k", 16),
    "write-1m-qd8": ("write", "1m", 8),
}


def is_read(job):
    return "read" in JOBS[job][0]


def options(job):
    access, block, depth = JOBS[job]
    return ["--rw=" + access, "--bs=" + block, "--iodepth=%d" % depth]


def over_nbd(uri, size_bytes, offset_bytes=0):
    # Whole pages, as the kernel's client and QEMU have. fio's own buffers begin 16 bytes behind the beginning of a page, where
    # `rep movsb` of some processors (AMD Zen) copies a page at a third of its speed.
    return ["--ioengine=nbd", "--mem_align=4096", "--uri=" + uri, "--offset=%d" % offset_bytes, "--size=%d" % size_bytes]


def over_file(path, size_bytes):
    return ["--ioengine=io_uring", "--direct=1", "--filename=" + path, "--size=%d" % size_bytes]


def run(target, job, seconds, seed=1):
    """Figures of one run. `job`: options of fio. The same seed asks for the same places in the same order."""
    command = ["fio", "--name=job", *target, *job, "--time_based=1", "--runtime=%g" % seconds, "--thread=1",
               "--group_reporting=1", "--norandommap=1", "--random_generator=tausworthe64", "--randrepeat=1",
               "--randseed=%d" % seed, "--percentile_list=50:99:99.9", "--output-format=json"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0 or "{" not in result.stdout:
        raise SystemExit("fio failed: %s\n%s%s" % (" ".join(command), result.stdout[-1000:], result.stderr[-1000:]))
    figures = json.loads(result.stdout[result.stdout.index("{"):])["jobs"][0]
    sides = [figures[side] for side in ("read", "write") if figures[side]["total_ios"]]
    if not sides:
        raise SystemExit("fio made no request in %g s: %s" % (seconds, " ".join(command)))
    row = {"requests": sum(side["total_ios"] for side in sides), "iops": sum(side["iops"] for side in sides),
           "mb_s": sum(side["bw_bytes"] for side in sides) / 1e6}
    for name, key in PERCENTILES.items():
        row[name] = max(side["clat_ns"].get("percentile", {}).get(key, 0) for side in sides) / 1000
    return row


def measure(server, target, job, seconds, seed=1):
    """As `run`, with the CPU time of the server for each request."""
    before = server.cpu_seconds()
    row = run(target, job, seconds, seed)
    row["cpu_us"] = (server.cpu_seconds() - before) * 1e6 / row["requests"]
    return row
