"""Reads and writes a served disk of which a few sectors hang, and times the answers.

    stuck_client.py URI SECTOR,SECTOR,...|none SECONDS|FILE DEADLINE_MILLIS SEED [P100_MILLIS]

Keeps 32 requests in flight for so long, or until FILE (with a slash) is there, for which it waits two minutes: reads of these
sectors at any time, after one write of every other one, and reads and writes of 4096 bytes at random places elsewhere. A
request must be answered within the deadline; one elsewhere without an error, and a read with what was acknowledged last. Of a
sector that hangs any error is right but another content than the old one (zeros), or once its write was acknowledged, than
that.

First it reads and writes one unit after the other for a moment, at healthy places: what a server that has just begun takes to
load its code and to see its first connection is not about sectors that hang, and is in none of the figures.

At the end it flushes, which must succeed. Prints how long the answers took. Exit status 1, with the seed and the requests, if one
is not as it must be. With P100_MILLIS every answer elsewhere has to come within that time, and the deadline is held to within
half a second; without it (a machine that does other things meanwhile) the figures are only printed.
"""

import os
import random
import sys
import time

import nbd

IN_FLIGHT = 32
UNIT_BYTES = 4096
SECTOR_BYTES = 512
PAUSE_SECONDS = 0.002
# What this process and the sockets may add to the deadline: on a busy machine, and where P100_MILLIS is given.
ALLOWANCE_MILLIS = 3_000
QUIET_ALLOWANCE_MILLIS = 500
WARM_UP_SECONDS = 0.2
WARM_UP_REQUESTS = 64
WRONG_SHOWN = 20
# Of a load that a file ends.
SECONDS_MAX = 120


class Load:
    def __init__(self, uri, stuck, deadline_millis, seed, p100_millis=None):
        self.handle = nbd.NBD()
        self.handle.connect_uri(uri)
        self.units = self.handle.get_size() // UNIT_BYTES
        self.stuck = stuck
        self.barred = {sector * SECTOR_BYTES // UNIT_BYTES for sector in stuck}
        # Several reads of those that nobody writes.
        self.idle = list(stuck) + 3 * stuck[::2]
        self.to_write = set(stuck[1::2])
        self.deadline_millis = deadline_millis
        self.p100_millis = p100_millis
        self.allowance_millis = ALLOWANCE_MILLIS if p100_millis is None else QUIET_ALLOWANCE_MILLIS
        self.random = random.Random(seed)
        self.version = 0
        self.content = {}
        self.busy = set()
        self.in_flight = 0
        self.healthy = []
        self.hanging = []
        self.failed = 0
        self.wrong = []

    def start(self, place, length, write, answered):
        begun = time.monotonic()
        self.version += 1
        data = (b"%016x" % self.version) * (length // 16)
        buffer = nbd.Buffer.from_bytearray(bytearray(data)) if write else nbd.Buffer(length)

        def completed(error):
            self.in_flight -= 1
            took = (time.monotonic() - begun) * 1000
            if took > self.deadline_millis + self.allowance_millis:
                self.wrong.append("%s at %d took %d ms" % ("write" if write else "read", place, took))
            answered(getattr(error, "value", error), took, data if write else bytes(buffer.to_bytearray()))
            return 1

        self.in_flight += 1
        (self.handle.aio_pwrite if write else self.handle.aio_pread)(buffer, place, completed)

    def check(self, place, length, data):
        if data != self.content.get(place, bytes(length)):
            self.wrong.append("read at %d: another content" % place)

    def start_elsewhere(self):
        unit = self.random.randrange(self.units)
        if unit in self.busy or unit in self.barred:
            return
        self.busy.add(unit)
        place, write = unit * UNIT_BYTES, self.random.random() < 0.5

        def answered(error, took, data):
            self.busy.discard(unit)
            self.healthy.append(took)
            if self.p100_millis is not None and took > self.p100_millis:
                self.wrong.append("%s at %d, a healthy place, took %.1f ms" % ("write" if write else "read", place, took))
            if error:
                self.wrong.append("request at %d: error %d" % (place, error))
            elif write:
                self.content[place] = data
            else:
                self.check(place, UNIT_BYTES, data)

        self.start(place, UNIT_BYTES, write, answered)

    def start_hanging(self):
        sector = self.idle.pop(0)
        place, write = sector * SECTOR_BYTES, sector in self.to_write
        self.to_write.discard(sector)

        def answered(error, took, data):
            self.idle.append(sector)
            self.hanging.append(took)
            self.failed += error != 0
            if write and error:
                self.wrong.append("write at %d: error %d, although there is a spare" % (place, error))
            elif write:
                self.content[place] = data
            elif not error:
                self.check(place, SECTOR_BYTES, data)

        self.start(place, SECTOR_BYTES, write, answered)

    def warm_up(self):
        """Whichever comes later ends it: these seconds, or so many requests."""
        end = time.monotonic() + WARM_UP_SECONDS
        healthy = [unit for unit in range(min(self.units, WARM_UP_REQUESTS)) if unit not in self.barred]
        done = 0
        while done < WARM_UP_REQUESTS or time.monotonic() < end:
            place = healthy[done % len(healthy)] * UNIT_BYTES
            self.content[place] = b"warm-up " * (UNIT_BYTES // 8)
            self.handle.pwrite(self.content[place], place)
            self.check(place, UNIT_BYTES, bytes(self.handle.pread(UNIT_BYTES, place)))
            done += 1

    def run(self, seconds, end_file=None):
        end = time.monotonic() + seconds
        while time.monotonic() < end or self.in_flight > 0:
            if end_file is not None and os.path.exists(end_file):
                end = min(end, time.monotonic())
            # So that the last of them is answered when the load ends.
            while time.monotonic() < end - self.deadline_millis / 1000 and self.idle and self.in_flight < IN_FLIGHT:
                self.start_hanging()
            while time.monotonic() < end and self.in_flight < IN_FLIGHT:
                self.start_elsewhere()
            while self.handle.poll(0) > 0:
                pass
            time.sleep(PAUSE_SECONDS)
            if time.monotonic() > end + (self.deadline_millis + 10 * ALLOWANCE_MILLIS) / 1000:
                sys.exit("%d requests were never answered" % self.in_flight)
        if end_file is not None and not os.path.exists(end_file):
            sys.exit("%s did not come within %d s" % (end_file, seconds))
        self.handle.flush()
        self.handle.shutdown()


def main():
    uri, stuck, seconds, deadline_millis, seed = sys.argv[1:6]
    p100_millis = float(sys.argv[6]) if len(sys.argv) > 6 else None
    sectors = [] if stuck == "none" else [int(sector) for sector in stuck.split(",")]
    load = Load(uri, sectors, int(deadline_millis), int(seed), p100_millis)
    load.warm_up()
    if "/" in seconds:
        load.run(SECONDS_MAX, seconds)
    else:
        load.run(float(seconds))
    if load.wrong:
        print("seed %s: %d requests are wrong" % (seed, len(load.wrong)))
        print("\n".join(load.wrong[:WRONG_SHOWN]))
        sys.exit(1)
    took = sorted(load.healthy)
    print(
        "%d requests elsewhere took %.1f ms (p50), %.1f ms (p99), %.1f ms (p100)"
        % (len(took), took[len(took) // 2], took[len(took) * 99 // 100], took[-1]),
        end="; " if sectors else "\n",
    )
    if sectors:
        longest = max(load.hanging) / 1000
        print("%d where it hangs took at most %.1f s, %d failed" % (len(load.hanging), longest, load.failed))
        if load.failed == 0:
            sys.exit("no request failed: nothing hung")


main()
