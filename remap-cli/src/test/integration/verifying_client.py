"""Writes to a served disk, kills the server with SIGKILL in the middle, starts it again, and checks what it reads.

    verifying_client.py REMAP DIRECTORY ROUNDS SEED

Makes DIRECTORY/disk.img, a failing disk by DIRECTORY/bad.map, and a spare, and serves them by the launcher REMAP. Many
writes are in flight; each sector carries its number and a version. After each SIGKILL every sector must hold the
version that was acknowledged last, or one that was under way when the server died. A sector may give EIO only if it
was unreadable from the start and no write to it was ever acknowledged.

Exit status 1, with the seed and the sectors, if one does not.
"""

import os
import random
import signal
import struct
import subprocess
import sys
import time

import nbd

SECTOR_BYTES = 512
DISK_SECTORS = 32 * 2048
IN_FLIGHT = 16
WRITE_SECTORS_MAX = 64
BAD_CLUSTERS = 80
WRITES_BEFORE_KILL = (50, 1500)
READ_SECTORS = 256
READY_SECONDS = 30
MODES = ("read-bad-heals-on-write", "read-and-write-bad", "write-bad")


def content(sector, version):
    return struct.pack("<QQ", sector, version) * (SECTOR_BYTES // 16) if version else bytes(SECTOR_BYTES)


class Server:
    """The launcher's own process, so that SIGKILL hits it and nothing else."""

    def __init__(self, remap, directory):
        self.socket = os.path.join(directory, "disk.sock")
        command = [
            remap, "serve", "sim:%s/disk.img?faults=%s/bad.map" % (directory, directory),
            "--spare", directory + "/spare.img", "--name", "crash", "--socket", self.socket,
        ]
        if os.environ.get("REMAP_TEST_TRANSPORT"):
            command += ["--transport", os.environ["REMAP_TEST_TRANSPORT"]]
        self.log = open(os.path.join(directory, "server.log"), "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        deadline = time.monotonic() + READY_SECONDS
        for line in self.process.stdout:
            if line.strip() == "ready":
                return
            if time.monotonic() > deadline:
                break
        sys.exit("the server did not start; see %s" % self.log.name)

    def client(self):
        handle = nbd.NBD()
        handle.connect_unix(self.socket)
        return handle

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        if status != 0:
            sys.exit("the server ended with status %d on SIGTERM" % status)


class Expected:
    """What each sector may hold: the acknowledged version, or one of those under way."""

    def __init__(self):
        self.acknowledged = [0] * DISK_SECTORS
        self.under_way = [()] * DISK_SECTORS
        self.unreadable = set()

    def begin(self, first, count, version):
        for sector in range(first, first + count):
            self.under_way[sector] += (version,)

    def end(self, first, count, version):
        for sector in range(first, first + count):
            self.acknowledged[sector] = version
            # Later writes of the same sector begin only after this one: what is older is gone.
            self.under_way[sector] = ()
            self.unreadable.discard(sector)

    def allows(self, sector, data):
        if data is None:
            return sector in self.unreadable
        return any(data == content(sector, v) for v in (self.acknowledged[sector],) + self.under_way[sector])

    def settle(self, sector, data):
        """What was read once after a crash must stay."""
        if data is not None and self.under_way[sector]:
            self.acknowledged[sector] = struct.unpack("<QQ", data[:16])[1]
        self.under_way[sector] = ()


def make_disk(directory, choose, expected):
    with open(directory + "/disk.img", "wb") as image:
        image.truncate(DISK_SECTORS * SECTOR_BYTES)
    with open(directory + "/spare.img", "wb") as spare:
        spare.truncate(32 << 20)
    with open(directory + "/bad.map", "w") as bad_map:
        for start in choose.sample(range(0, DISK_SECTORS - 64, 64), BAD_CLUSTERS):
            first, count, mode = start + choose.randint(0, 15), choose.randint(1, 40), choose.choice(MODES)
            print(first * SECTOR_BYTES, count * SECTOR_BYTES, mode, file=bad_map)
            if mode != "write-bad":
                expected.unreadable.update(range(first, first + count))


def write_until_killed(server, choose, expected, first_version):
    """Returns how many writes were acknowledged."""
    handle = server.client()
    busy, acknowledged, version = set(), 0, first_version
    limit = choose.randint(*WRITES_BEFORE_KILL)

    def start():
        nonlocal version
        first, count = choose.randrange(DISK_SECTORS - WRITE_SECTORS_MAX), choose.randint(1, WRITE_SECTORS_MAX)
        sectors = range(first, first + count)
        if not busy.isdisjoint(sectors):
            return
        version += 1
        mine = version
        busy.update(sectors)
        expected.begin(first, count, mine)
        data = b"".join(content(s, mine) for s in sectors)

        def done(error):
            nonlocal acknowledged
            busy.difference_update(sectors)
            if error.value == 0:
                acknowledged += 1
                expected.end(first, count, mine)
            return 1

        flags = nbd.CMD_FLAG_FUA if choose.random() < 0.1 else 0
        handle.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(data)), first * SECTOR_BYTES, completion=done, flags=flags)

    try:
        while acknowledged < limit:
            while handle.aio_in_flight() < IN_FLIGHT:
                start()
            handle.poll(1000)
    except nbd.Error as e:
        sys.exit("a write ended with %s before the server was killed" % e)
    server.kill()
    # What the server had sent before it died is still in the socket, and counts.
    try:
        while handle.aio_in_flight() > 0:
            handle.poll(1000)
    except nbd.Error:
        pass
    return acknowledged, version


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


def check(server, expected):
    handle = server.client()
    wrong, errors = [], 0
    for first in range(0, DISK_SECTORS, READ_SECTORS):
        for sector, data in enumerate(read_range(handle, first, READ_SECTORS), first):
            errors += data is None
            if not expected.allows(sector, data):
                was = "EIO" if data is None else "version %d of sector %d" % struct.unpack("<QQ", data[:16])[::-1]
                wrong.append("sector %d: %s, must be version %d" % (sector, was, expected.acknowledged[sector]))
            expected.settle(sector, data)
    handle.shutdown()
    return wrong, errors


def main(remap, directory, rounds, seed):
    choose = random.Random(seed)
    expected = Expected()
    make_disk(directory, choose, expected)
    server, total, version, errors = Server(remap, directory), 0, 0, 0
    for number in range(rounds):
        acknowledged, version = write_until_killed(server, choose, expected, version)
        total += acknowledged
        server = Server(remap, directory)
        wrong, errors = check(server, expected)
        if wrong:
            print("\n".join(wrong[:20]))
            sys.exit("seed %d, round %d: %d sectors are not as acknowledged" % (seed, number, len(wrong)))
    server.stop()
    server = Server(remap, directory)
    wrong, errors = check(server, expected)
    server.stop()
    if wrong:
        sys.exit("seed %d: after a clean stop: %s" % (seed, wrong[:20]))
    print("suite: seed %d: %d times kill -9 under load, %d writes acknowledged, none lost; %d sectors still unreadable"
          % (seed, rounds, total, errors))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
