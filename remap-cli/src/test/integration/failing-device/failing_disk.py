"""A file, mounted by FUSE, that behaves like a disk some of whose sectors fail, as a text file says.

    failing_disk.py IMAGE MAP MOUNTPOINT [CACHE SEED]   MOUNTPOINT is an existing file; it runs until it is unmounted

The map has a line for each range, in bytes, multiples of 512; `#` begins a comment:

    START LENGTH read-bad-heals-on-write   reads give EIO; writing a sector heals it (the drive reallocates it)
    START LENGTH read-and-write-bad        reads and writes give EIO, for good (the drive has no spare sectors left)
    START LENGTH write-bad                 writes give EIO, reads work
    START LENGTH transient COUNT           the next COUNT reads give EIO, later ones work
    START LENGTH slow MILLIS               reads and writes take MILLIS longer

Ranges may overlap: slow and read-and-write-bad together is a drive that tries for long and then gives up. The file is
read again when it changes, and healed ranges and spent counts are written back to it, so the state outlives the
process. Who edits it while the disk runs holds flock(2) on MAP.lock and puts the new file in place by rename. With a
map that makes no sense every request fails, and stderr says why.

With CACHE, a file, the disk has a volatile write cache: what is written stands in CACHE until a sync brings it to IMAGE.
kill -9 of this process is a power cut. At the next start each sector of 512 bytes that stands in CACHE holds one of the
contents that were written since the last sync, or what it held before, as SEED chooses: so writes are lost, torn, and
out of order. A sector that a write healed is bad again if that write is lost. While there is a file CACHE.ignores-sync,
a sync does nothing and says that it did.

Invariants:
  - A request that touches a failing sector fails as a whole. A failed write has written the sectors before the first
    one that fails and none after it: a caller may not count on either.
  - A healed sector is taken out of the map only after its new content is in the image.
  - A sync is answered after all that was written before is in the image; the cache is emptied after that, and before the
    answer.
  - A slow request delays itself alone. (A chain of nbdkit and nbdfuse does not give that: nbdfuse holds the lock of a
    connection while it waits for a reply.)
  - Nothing is cached in the kernel: what the image holds, or else the CACHE, is what a read gives.
"""

import contextlib
import errno
import fcntl
import os
import random
import stat
import struct
import sys

import pyfuse3
import trio

SECTOR_BYTES = 512
CONCURRENT_REQUESTS_MAX = 99

READ_BAD = "read-bad-heals-on-write"
READ_AND_WRITE_BAD = "read-and-write-bad"
WRITE_BAD = "write-bad"
TRANSIENT = "transient"
SLOW = "slow"
MODES_WITHOUT_ARGUMENT = (READ_BAD, READ_AND_WRITE_BAD, WRITE_BAD)
MODES_WITH_ARGUMENT = (TRANSIENT, SLOW)

# How many of the sectors in the cache survive a power cut: one of these shares.
SHARES_KEPT = (0, 0.1, 0.5, 0.9, 1)


class BadRange:
    """Bytes from start to end (exclusive); argument is the count of TRANSIENT and the milliseconds of SLOW."""

    def __init__(self, start, end, mode, argument):
        self.start = start
        self.end = end
        self.mode = mode
        self.argument = argument

    def touches(self, start, end):
        return start < self.end and self.start < end

    def without(self, start, end):
        """What remains of this range when the bytes from start to end are taken out: none, one or two ranges."""
        parts = ((self.start, min(self.end, start)), (max(self.start, end), self.end))
        return [BadRange(a, b, self.mode, self.argument) for a, b in parts if a < b]

    def fails_read(self):
        return self.mode in (READ_BAD, READ_AND_WRITE_BAD) or (self.mode == TRANSIENT and self.argument > 0)

    def fails_write(self):
        return self.mode in (READ_AND_WRITE_BAD, WRITE_BAD)

    def __str__(self):
        words = [self.start, self.end - self.start, self.mode]
        return " ".join(str(word) for word in words + ([] if self.argument is None else [self.argument]))


def parse_line(line):
    """The range that a line of the map names, None for a blank one; ValueError if it makes no sense."""
    words = line.split("#")[0].split()
    if not words:
        return None
    if len(words) == 3 and words[2] in MODES_WITHOUT_ARGUMENT:
        argument = None
    elif len(words) == 4 and words[2] in MODES_WITH_ARGUMENT:
        argument = int(words[3])
    else:
        raise ValueError("not START LENGTH MODE [ARGUMENT]: %r" % line)
    start, length = int(words[0], 0), int(words[1], 0)
    if start < 0 or length <= 0 or start % SECTOR_BYTES or length % SECTOR_BYTES or (argument or 0) < 0:
        raise ValueError("not in whole sectors, or negative: %r" % line)
    return BadRange(start, start + length, words[2], argument)


class BadMap:
    """The map file and what was last read from it."""

    def __init__(self, path):
        self.path = path
        self.stamp = None
        self.ranges = []
        self._reload_if_changed()

    def touched(self, start, end):
        """The ranges of the newest map that touch these bytes."""
        self._reload_if_changed()
        return [r for r in self.ranges if r.touches(start, end)]

    def heal(self, start, end):
        """Takes whole written sectors out of the ranges that heal on a write."""
        first = -(-start // SECTOR_BYTES) * SECTOR_BYTES
        last = end // SECTOR_BYTES * SECTOR_BYTES
        with self._exclusive():
            healed = []
            for r in self.ranges:
                healed += r.without(first, last) if r.mode == READ_BAD and first < last else [r]
            self._store(healed)

    def spend_transient(self, start, end):
        """Counts one failed read on each transient range that these bytes touch."""
        with self._exclusive():
            for r in self.ranges:
                if r.mode == TRANSIENT and r.argument > 0 and r.touches(start, end):
                    r.argument -= 1
            self._store(self.ranges)

    @contextlib.contextmanager
    def _exclusive(self):
        """Keeps out who edits the file; what it holds is loaded."""
        with open(self.path + ".lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._reload_if_changed()
            yield

    def _reload_if_changed(self):
        if self._stamp_of(os.stat(self.path)) == self.stamp:
            return
        with open(self.path) as file:
            stamp = self._stamp_of(os.fstat(file.fileno()))
            parsed = [parse_line(line) for line in file]
            self.ranges = [r for r in parsed if r is not None]
            self.stamp = stamp

    @staticmethod
    def _stamp_of(status):
        # rename gives a new inode, so two changes within one tick of the clock are still told apart
        return (status.st_ino, status.st_mtime_ns, status.st_size)

    def _store(self, ranges):
        temporary = self.path + ".new"
        with open(temporary, "w") as file:
            file.writelines("%s\n" % r for r in ranges)
        os.rename(temporary, self.path)
        self.stamp = None


class Image:
    """The medium: what is written to it stays."""

    is_volatile = False

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_RDWR)

    def status(self):
        return os.fstat(self.descriptor)

    def read(self, start, length):
        return os.pread(self.descriptor, length, start)

    def write(self, start, data):
        view = memoryview(data)
        while view:
            written = os.pwrite(self.descriptor, view, start)
            start, view = start + written, view[written:]

    def holds(self, start, end):
        """Whether these bytes are read from somewhere else than the medium."""
        return False

    def sync(self):
        """Returns the ranges (start, end) that came to the medium by this."""
        os.fdatasync(self.descriptor)
        return []


class CachedImage(Image):
    """A medium behind a volatile write cache. The file of the cache has all writes since the last sync, in their order:
    offset and length in 8 bytes each, and the data. It is no cache of this process, so that kill -9 leaves it."""

    is_volatile = True
    HEADER = struct.Struct("<QQ")

    def __init__(self, path, cache_path):
        super().__init__(path)
        self.cache = os.open(cache_path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.ignores_sync_path = cache_path + ".ignores-sync"
        self.sectors = {}

    def read(self, start, length):
        data = super().read(start, length)
        sectors = range(start // SECTOR_BYTES, -(-(start + length) // SECTOR_BYTES))
        if self.sectors.keys().isdisjoint(sectors):
            return data
        whole = bytearray(super().read(sectors.start * SECTOR_BYTES, len(sectors) * SECTOR_BYTES))
        for number, sector in enumerate(sectors):
            if sector in self.sectors:
                whole[number * SECTOR_BYTES : (number + 1) * SECTOR_BYTES] = self.sectors[sector]
        skipped = start - sectors.start * SECTOR_BYTES
        return bytes(whole[skipped : skipped + length])

    def write(self, start, data):
        if start % SECTOR_BYTES or len(data) % SECTOR_BYTES:
            raise pyfuse3.FUSEError(errno.EINVAL)
        record = self.HEADER.pack(start, len(data)) + data
        if os.write(self.cache, record) != len(record):
            raise pyfuse3.FUSEError(errno.ENOSPC)
        for at in range(0, len(data), SECTOR_BYTES):
            self.sectors[(start + at) // SECTOR_BYTES] = bytes(data[at : at + SECTOR_BYTES])

    def holds(self, start, end):
        return all(s in self.sectors for s in range(start // SECTOR_BYTES, -(-end // SECTOR_BYTES)))

    def sync(self):
        return [] if os.path.exists(self.ignores_sync_path) else self._empty(self.sectors)

    def cut(self, seed):
        """What a power cut leaves of the cache that an earlier process had; returns as sync does."""
        choose = random.Random(seed)
        share = choose.choice(SHARES_KEPT)
        versions = self._versions()
        return self._empty({s: choose.choice(v) for s, v in sorted(versions.items()) if choose.random() < share})

    def _versions(self):
        """All contents of each sector in the cache; of a write that kill -9 cut off, the sectors that are there."""
        with open(self.cache, "rb", closefd=False) as file:
            file.seek(0)
            versions = {}
            while len(header := file.read(self.HEADER.size)) == self.HEADER.size:
                start, length = self.HEADER.unpack(header)
                data = file.read(length)
                for at in range(0, len(data) // SECTOR_BYTES * SECTOR_BYTES, SECTOR_BYTES):
                    versions.setdefault((start + at) // SECTOR_BYTES, []).append(data[at : at + SECTOR_BYTES])
        return versions

    def _empty(self, contents):
        """Brings these contents to the medium, then empties the cache."""
        runs = []
        for sector in sorted(contents):
            start = sector * SECTOR_BYTES
            super().write(start, contents[sector])
            if runs and runs[-1][1] == start:
                runs[-1] = (runs[-1][0], start + SECTOR_BYTES)
            else:
                runs.append((start, start + SECTOR_BYTES))
        os.ftruncate(self.cache, 0)
        self.sectors = {}
        return runs


class FailingDisk(pyfuse3.Operations):
    """The file system: its root is the file itself. One thread runs it, so there is nothing to lock."""

    def __init__(self, image, bad_map):
        super().__init__()
        self.image = image
        self.bad_map = bad_map

    async def getattr(self, inode, ctx=None):
        attributes = pyfuse3.EntryAttributes()
        status = self.image.status()
        attributes.st_ino = inode
        attributes.st_mode = stat.S_IFREG | 0o600
        attributes.st_nlink = 1
        attributes.st_size = status.st_size
        attributes.st_uid = os.getuid()
        attributes.st_gid = os.getgid()
        attributes.st_mtime_ns = status.st_mtime_ns
        return attributes

    async def open(self, inode, flags, ctx):
        return pyfuse3.FileInfo(fh=inode, direct_io=True, keep_cache=False)

    async def read(self, fh, off, size):
        touched = self._touched(off, off + size)
        await self._delay(touched)
        if any(r.fails_read() and not self.image.holds(max(off, r.start), min(off + size, r.end)) for r in touched):
            if any(r.mode == TRANSIENT for r in touched):
                self.bad_map.spend_transient(off, off + size)
            raise pyfuse3.FUSEError(errno.EIO)
        return self.image.read(off, size)

    async def write(self, fh, off, buf):
        end = off + len(buf)
        touched = self._touched(off, end)
        await self._delay(touched)
        failing = [max(r.start, off) for r in touched if r.fails_write()]
        written_end = min(failing, default=end)
        if off < written_end:
            self.image.write(off, buf[: written_end - off])
            if not self.image.is_volatile:
                self.heal([(off, written_end)])
        if failing:
            raise pyfuse3.FUSEError(errno.EIO)
        return len(buf)

    async def fsync(self, fh, datasync):
        self.heal(self.image.sync())

    async def flush(self, fh):
        pass

    async def release(self, fh):
        pass

    def heal(self, ranges):
        """These bytes (start, end) have come to the medium."""
        for start, end in ranges:
            if any(r.mode == READ_BAD for r in self._touched(start, end)):
                self.bad_map.heal(start, end)

    def _touched(self, start, end):
        try:
            return self.bad_map.touched(start, end)
        except (OSError, ValueError) as e:
            print("failing_disk: %s" % e, file=sys.stderr, flush=True)
            raise pyfuse3.FUSEError(errno.EIO) from e

    @staticmethod
    async def _delay(touched):
        millis = max((r.argument for r in touched if r.mode == SLOW), default=0)
        if millis:
            await trio.sleep(millis / 1000.0)


def main(image_path, map_path, mountpoint, cache_path=None, seed=None):
    image = CachedImage(image_path, cache_path) if cache_path else Image(image_path)
    disk = FailingDisk(image, BadMap(map_path))
    if cache_path:
        disk.heal(image.cut(seed))
    # Absolute: mkfs.btrfs and ntfscp take a name as from where they are, and think that their own image is mounted.
    options = set(pyfuse3.default_options) | {"fsname=" + os.path.abspath(image_path), "subtype=failing_disk"}
    pyfuse3.init(disk, mountpoint, options)
    try:
        trio.run(pyfuse3.main, 1, CONCURRENT_REQUESTS_MAX)
    finally:
        pyfuse3.close()


if __name__ == "__main__":
    if len(sys.argv) not in (4, 6):
        sys.exit("usage: failing_disk.py IMAGE MAP MOUNTPOINT [CACHE SEED]")
    main(*sys.argv[1:])
