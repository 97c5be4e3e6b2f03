"""Writes to a served disk until its server dies, and checks what a later server gives.

    verifying_client.py make STATE SECTORS IMAGE MAP SEED [MODE,...]    a disk image, each sector with a content of its
                                                            own, and a map of its bad ranges as failing_disk.py has it
    verifying_client.py worsen SECTORS SEED                 prints lines for MAP: more sectors that cannot be written
    verifying_client.py write STATE SOCKET SEED LIMIT [PID...]  many requests in flight; after LIMIT writes, 0 for as many
                                                            as SEED says, SIGKILL to each PID in this order, a moment apart
    verifying_client.py check STATE SOCKET kill|cut         every sector, after kill -9 of the server or a power cut
    verifying_client.py totals STATE                        what happened so far, as words for a summary line

STATE is the file of expected_state.py; it and this process outlive the server. After kill -9 each sector must hold the
version that was acknowledged last or a later one, after a power cut the one that a flush or FUA covered last or a later
one. A sector may give EIO only if it was unreadable from the start and no such version of it exists. While it writes,
the client also reads, and expects exactly what was acknowledged.

`write` ends when the server is gone, or without PID after LIMIT writes, and says how: "killed after N writes" if it killed
all of PID first, "gone after N writes" if the server went by itself, which is for the caller to judge, "ended after N
writes". `check` settles what it read. Exit status 1, with the sectors, if one is not as it must be.
"""

import errno
import os
import random
import signal
import sys

import nbd

from expected_state import SECTOR_BYTES, ExpectedState, content

IN_FLIGHT = 16
WRITE_SECTORS_MAX = 64
BAD_CLUSTERS = 80
MORE_BAD_CLUSTERS = 20
CLUSTER_SECTORS = 64
WRITES_BEFORE_KILL = (50, 1500)
READ_SECTORS = 256
WRONG_SHOWN_MAX = 20
POLL_MILLIS = 60_000
MOMENT_MILLIS_MAX = 30
SHARE_READS, SHARE_FLUSHES, SHARE_FUA = 0.15, 0.03, 0.1
MODES = ("read-bad-heals-on-write", "read-and-write-bad", "write-bad")


def make(state_path, sectors, image_path, map_path, seed, modes=",".join(MODES)):
    choose, sectors, unreadable = random.Random(seed), int(sectors), set()
    with open(image_path, "wb") as image:
        for sector in range(sectors):
            image.write(content(sector, 0))
    with open(map_path, "w") as bad_map:
        for start in choose.sample(range(0, sectors - CLUSTER_SECTORS, CLUSTER_SECTORS), BAD_CLUSTERS):
            first, count, mode = start + choose.randint(0, 15), choose.randint(1, 40), choose.choice(modes.split(","))
            print(first * SECTOR_BYTES, count * SECTOR_BYTES, mode, file=bad_map)
            if mode != "write-bad":
                unreadable.update(range(first, first + count))
    ExpectedState.make(state_path, sectors, unreadable)


def worsen(sectors, seed):
    """The content of such a sector is still there, so nothing may be lost by it."""
    choose = random.Random(seed)
    for _ in range(MORE_BAD_CLUSTERS):
        first = choose.randrange(int(sectors) - CLUSTER_SECTORS)
        print(first * SECTOR_BYTES, choose.randint(1, 40) * SECTOR_BYTES, "write-bad")


def connect(socket):
    handle = nbd.NBD()
    handle.connect_unix(socket)
    return handle


class Load:
    """Requests of all kinds at random places, no two of them on one sector at a time."""

    def __init__(self, state, handle, choose):
        self.state = state
        self.handle = handle
        self.choose = choose
        self.busy = set()
        self.writes = 0
        # Set as soon as something was killed: from then on requests may fail.
        self.dying = False
        self.wrong = []

    def start(self):
        if self.choose.random() < SHARE_FLUSHES:
            self.flush()
            return
        first = self.choose.randrange(self.state.sectors - WRITE_SECTORS_MAX)
        sectors = range(first, first + self.choose.randint(1, WRITE_SECTORS_MAX))
        if self.busy.isdisjoint(sectors):
            self.busy.update(sectors)
            (self.read if self.choose.random() < SHARE_READS else self.write)(sectors)

    def flush(self):
        covered = self.state.begin_flush()

        def done(error):
            if self.succeeded("a flush", error):
                self.state.end_flush(covered)
            return 1

        self.handle.aio_flush(completion=done)

    def write(self, sectors):
        version = self.state.begin(sectors.start, len(sectors))
        fua = self.choose.random() < SHARE_FUA
        data = bytearray(b"".join(content(s, version) for s in sectors))

        def done(error):
            self.busy.difference_update(sectors)
            if self.succeeded("a write of sectors %d+%d" % (sectors.start, len(sectors)), error):
                self.writes += 1
                self.state.acknowledge(sectors.start, len(sectors), version, fua)
            return 1

        self.handle.aio_pwrite(nbd.Buffer.from_bytearray(data), sectors.start * SECTOR_BYTES, completion=done,
                               flags=nbd.CMD_FLAG_FUA if fua else 0)

    def read(self, sectors):
        buffer = nbd.Buffer(len(sectors) * SECTOR_BYTES)
        expected = [(s, self.state.acknowledged[s]) for s in sectors]
        may_fail = any(self.state.may_be_unreadable(s, False) for s in sectors)

        def done(error):
            self.busy.difference_update(sectors)
            if error.value == 0:
                if buffer.to_bytearray() != b"".join(content(*e) for e in expected):
                    self.wrong.append("a read of sectors %d+%d: not what was acknowledged" % (sectors.start, len(sectors)))
            elif not may_fail:
                self.succeeded("a read of sectors %d+%d" % (sectors.start, len(sectors)), error)
            return 1

        self.handle.aio_pread(buffer, sectors.start * SECTOR_BYTES, completion=done)

    def succeeded(self, what, error):
        # A connection that broke gives ENOTCONN; what the server itself answers is an error of the disk.
        if error.value not in (0, errno.ENOTCONN) and not self.dying:
            self.wrong.append("%s failed: %s" % (what, os.strerror(error.value)))
        return error.value == 0

    def drain(self, millis):
        """Takes what is answered, until nothing is in flight or nothing comes for so long."""
        while self.handle.aio_in_flight() > 0 and self.handle.poll(millis) > 0:
            pass

    def run(self, limit, pids):
        while self.writes < limit and not self.wrong:
            while self.handle.aio_in_flight() < IN_FLIGHT:
                self.start()
            if self.handle.poll(POLL_MILLIS) == 0:
                self.wrong.append("nothing was answered for %d ms" % POLL_MILLIS)
        for pid in pids:
            self.dying = True
            os.kill(pid, signal.SIGKILL)
            self.drain_what_is_left(self.choose.randint(0, MOMENT_MILLIS_MAX))
        # What the server had sent before it died is still in the socket, and counts.
        if pids:
            self.drain_what_is_left(POLL_MILLIS)
        else:
            self.drain(POLL_MILLIS)

    def is_cut_off(self):
        return self.handle.aio_is_dead() or self.handle.aio_is_closed()

    def drain_what_is_left(self, millis):
        """As drain, and the connection may break: so all of them are killed, whichever of them it breaks at."""
        try:
            if not self.is_cut_off():
                self.drain(millis)
        except nbd.Error:
            if not self.is_cut_off():
                raise


def write(state_path, socket, seed, limit, *pids):
    choose = random.Random(seed)
    load = Load(ExpectedState(state_path), connect(socket), choose)
    drawn = choose.randint(*WRITES_BEFORE_KILL)
    try:
        load.run(int(limit) or drawn, [int(pid) for pid in pids])
        how = "killed" if pids else "ended"
    except nbd.Error as e:
        how = "gone"
        if not load.is_cut_off():
            load.wrong.append(str(e))
    if load.wrong:
        print("\n".join(load.wrong[:WRONG_SHOWN_MAX]))
        sys.exit("seed %s: %d requests were not answered as they must" % (seed, len(load.wrong)))
    print("%s after %d writes" % (how, load.writes))


def read_range(handle, first, count):
    """The sectors of a range, None for each that gives EIO."""
    try:
        data = handle.pread(count * SECTOR_BYTES, first * SECTOR_BYTES)
        return [bytes(data[at : at + SECTOR_BYTES]) for at in range(0, len(data), SECTOR_BYTES)]
    except nbd.Error as e:
        if e.errno != "EIO":
            raise
        if count == 1:
            return [None]
        half = count // 2
        return read_range(handle, first, half) + read_range(handle, first + half, count - half)


def check(state_path, socket, what_happened):
    power_cut = {"kill": False, "cut": True}[what_happened]
    state, handle = ExpectedState(state_path), connect(socket)
    wrong, errors = [], 0
    for start in range(0, state.sectors, READ_SECTORS):
        for sector, data in enumerate(read_range(handle, start, min(READ_SECTORS, state.sectors - start)), start):
            errors += data is None
            if not state.allows(sector, data, power_cut):
                wrong.append(state.describe(sector, data, power_cut))
            state.settle(sector, data, power_cut)
    handle.shutdown()
    if wrong:
        print("\n".join(wrong[:WRONG_SHOWN_MAX]))
        sys.exit("LOST: %d sectors are not as they must be" % len(wrong))
    print("unreadable=%d" % errors)


def totals(state_path):
    state = ExpectedState(state_path)
    print("acknowledged=%d flushes=%d" % state.totals())


if __name__ == "__main__":
    {f.__name__: f for f in (make, worsen, write, check, totals)}[sys.argv[1]](*sys.argv[2:])
