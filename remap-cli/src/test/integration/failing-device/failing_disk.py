"""A file, mounted by FUSE, that behaves like a disk some of whose sectors fail, as a text file says.

    failing_disk.py IMAGE MAP MOUNTPOINT        MOUNTPOINT is an existing file; it runs until it is unmounted

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

Invariants:
  - A request that touches a failing sector fails as a whole. A failed write has written the sectors before the first
    one that fails and none after it: a caller may not count on either.
  - A healed sector is taken out of the map only after its new content is in the image.
  - A slow request delays itself alone. (A chain of nbdkit and nbdfuse does not give that: nbdfuse holds the lock of a
    connection while it waits for a reply.)
  - Nothing is cached here or in the kernel: what the image holds is what a read gives.
"""

import contextlib
import errno
import fcntl
import os
import stat
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


class FailingDisk(pyfuse3.Operations):
    """The file system: its root is the file itself. One thread runs it, so there is nothing to lock."""

    def __init__(self, image, bad_map):
        super().__init__()
        self.image = image
        self.bad_map = bad_map

    async def getattr(self, inode, ctx=None):
        attributes = pyfuse3.EntryAttributes()
        status = os.fstat(self.image)
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
        touched = self._touched(off, size)
        await self._delay(touched)
        if any(r.fails_read() for r in touched):
            if any(r.mode == TRANSIENT for r in touched):
                self.bad_map.spend_transient(off, off + size)
            raise pyfuse3.FUSEError(errno.EIO)
        return os.pread(self.image, size, off)

    async def write(self, fh, off, buf):
        touched = self._touched(off, len(buf))
        await self._delay(touched)
        end = off + len(buf)
        failing = [max(r.start, off) for r in touched if r.fails_write()]
        written_end = min(failing, default=end)
        done = off
        while done < written_end:
            done += os.pwrite(self.image, buf[done - off : written_end - off], done)
        if any(r.mode == READ_BAD for r in touched):
            self.bad_map.heal(off, written_end)
        if failing:
            raise pyfuse3.FUSEError(errno.EIO)
        return len(buf)

    async def fsync(self, fh, datasync):
        os.fdatasync(self.image)

    async def flush(self, fh):
        pass

    async def release(self, fh):
        pass

    def _touched(self, off, size):
        try:
            return self.bad_map.touched(off, off + size)
        except (OSError, ValueError) as e:
            print("failing_disk: %s" % e, file=sys.stderr, flush=True)
            raise pyfuse3.FUSEError(errno.EIO) from e

    @staticmethod
    async def _delay(touched):
        millis = max((r.argument for r in touched if r.mode == SLOW), default=0)
        if millis:
            await trio.sleep(millis / 1000.0)


def main(image_path, map_path, mountpoint):
    bad_map = BadMap(map_path)
    image = os.open(image_path, os.O_RDWR)
    options = set(pyfuse3.default_options) | {"fsname=" + os.path.basename(image_path), "subtype=failing_disk"}
    pyfuse3.init(FailingDisk(image, bad_map), mountpoint, options)
    try:
        trio.run(pyfuse3.main, 1, CONCURRENT_REQUESTS_MAX)
    finally:
        pyfuse3.close()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: failing_disk.py IMAGE MAP MOUNTPOINT")
    main(*sys.argv[1:])
