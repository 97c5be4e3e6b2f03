"""Reads a served disk with many requests in flight, and checks that exactly those fail that touch a bad sector.

    reading_client.py URI IMAGE MAP READS SEED

IMAGE holds the content of the disk and MAP its unreadable ranges (START LENGTH MODE in bytes, as failing_disk.py knows
them). Lengths are 512 bytes to 1 MiB, some aligned to pages and some not, half of them near a bad range. A request that
touches a bad sector must give EIO, every other one the bytes of IMAGE.

Prints how many failed. Exit status 1, with the seed and the requests, if one is answered otherwise.
"""

import bisect
import errno
import random
import sys

import nbd

IN_FLIGHT = 32
SECTOR_BYTES = 512
LENGTHS = (512, 4096, 16384, 65536, 131072, 1 << 20)
POLL_MILLIS = 60_000
WRONG_SHOWN = 20


def bad_ranges(path):
    """Sorted list of (start, end)."""
    with open(path) as lines:
        words = [line.split("#")[0].split() for line in lines]
    return sorted((int(w[0]), int(w[0]) + int(w[1])) for w in words if w)


class Reader:
    def __init__(self, uri, image, bad, seed):
        self.handle = nbd.NBD()
        self.handle.connect_uri(uri)
        with open(image, "rb") as file:
            self.content = file.read()
        self.bad = bad
        self.starts = [start for start, _ in bad]
        self.random = random.Random(seed)
        self.in_flight = 0
        self.failed = 0
        self.wrong = []

    def is_bad(self, offset, length):
        after = bisect.bisect_left(self.starts, offset + length)
        return any(end > offset for _, end in self.bad[max(0, after - 2) : after])

    def choose(self):
        length = self.random.choice(LENGTHS)
        if self.random.random() < 0.3:
            length = max(SECTOR_BYTES, length - SECTOR_BYTES * self.random.randrange(8))
        if self.random.random() < 0.5:
            near, _ = self.random.choice(self.bad)
            offset = near - self.random.randrange(2 * length)
        else:
            offset = self.random.randrange(len(self.content))
        offset -= offset % self.random.choice((SECTOR_BYTES, 4096))
        return max(0, min(offset, len(self.content) - length)), length

    def start(self):
        offset, length = self.choose()
        buffer = nbd.Buffer(length)

        def completed(error):
            self.in_flight -= 1
            self.check(offset, length, buffer, error)
            return 1

        self.in_flight += 1
        self.handle.aio_pread(buffer, offset, completed)

    def check(self, offset, length, buffer, error):
        number = getattr(error, "value", error)
        expected = errno.EIO if self.is_bad(offset, length) else 0
        self.failed += number == errno.EIO
        if number != expected:
            self.wrong.append("%d bytes at %d: error %d instead of %d" % (length, offset, number, expected))
        elif expected == 0 and buffer.to_bytearray() != self.content[offset : offset + length]:
            self.wrong.append("%d bytes at %d: other content" % (length, offset))

    def run(self, reads):
        for _ in range(reads):
            while self.in_flight >= IN_FLIGHT:
                if self.handle.poll(POLL_MILLIS) == 0:
                    sys.exit("nothing was answered for %d ms" % POLL_MILLIS)
            self.start()
        while self.in_flight > 0:
            if self.handle.poll(POLL_MILLIS) == 0:
                sys.exit("nothing was answered for %d ms" % POLL_MILLIS)
        self.handle.shutdown()


def main():
    uri, image, bad_map, reads, seed = sys.argv[1:]
    reader = Reader(uri, image, bad_ranges(bad_map), int(seed))
    reader.run(int(reads))
    if reader.wrong:
        print("seed %s: %d requests are wrong" % (seed, len(reader.wrong)))
        print("\n".join(reader.wrong[:WRONG_SHOWN]))
        sys.exit(1)
    print("%s reads, %d at a time, %d failed as they must" % (reads, IN_FLIGHT, reader.failed))
    sys.exit(0 if reader.failed > 0 else "no read failed")


main()
