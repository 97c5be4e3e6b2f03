"""Makes, checks and rewrites the files of the ext4 suite. Every file's content follows from its name and the seed.

    ext4_files.py make DIRECTORY COUNT SEED        files f000, f001, … of 1 KiB to 512 KiB
    ext4_files.py check DIRECTORY TREE EXPECTED    every file of TREE reads back in DIRECTORY, sector by sector past the
                                                   page cache; EIO for exactly the ranges "NAME OFFSET LENGTH" of EXPECTED
    ext4_files.py rewrite DIRECTORY TREE EXPECTED  writes the files named in EXPECTED again, in place
    ext4_files.py write-until-error DIRECTORY      new files w0, w1, …, each made durable by fsync and then named on stdout
    ext4_files.py check-written DIRECTORY NAMES    the files that stand in the file NAMES are whole

Exit status 1, with a line for each difference, if something is not as it must be.
"""

import errno
import mmap
import os
import random
import sys

SECTOR_BYTES = 512
PIECE_BYTES = 64 * 1024
DIFFERENCES_SHOWN_MAX = 20


def content(name, seed):
    choose = random.Random("%s/%s" % (seed, name))
    return choose.randbytes(choose.randint(1, 1024) * SECTOR_BYTES)


def make(directory, count, seed):
    for number in range(int(count)):
        name = "f%03d" % number
        with open(os.path.join(directory, name), "wb") as file:
            file.write(content(name, seed))


def read_expected(path):
    bad = {}
    with open(path) as file:
        for line in file:
            name, offset, length = line.split()
            bad.setdefault(name, set()).update(range(int(offset), int(offset) + int(length), SECTOR_BYTES))
    return bad


class DirectFile:
    """Reads a file past the page cache, so that an error is one of exactly the sectors asked for."""

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
        self.buffer = mmap.mmap(-1, PIECE_BYTES)

    def read(self, offset, length):
        count = os.preadv(self.descriptor, [memoryview(self.buffer)[:length]], offset)
        return self.buffer[:count]

    def close(self):
        os.close(self.descriptor)


def read_sectors(file, offset, length):
    """The sectors of a range, None for each that gives EIO."""
    try:
        data = file.read(offset, length)
        return [data[at : at + SECTOR_BYTES] for at in range(0, length, SECTOR_BYTES)]
    except OSError as e:
        if e.errno != errno.EIO:
            raise
        if length == SECTOR_BYTES:
            return [None]
        half = length // 2 // SECTOR_BYTES * SECTOR_BYTES
        return read_sectors(file, offset, half) + read_sectors(file, offset + half, length - half)


def check(directory, tree, expected_path):
    bad = read_expected(expected_path)
    differences, sectors, errors = [], 0, 0
    for name in sorted(os.listdir(tree)):
        with open(os.path.join(tree, name), "rb") as original_file:
            original = original_file.read()
        file = DirectFile(os.path.join(directory, name))
        for offset in range(0, len(original), PIECE_BYTES):
            length = min(PIECE_BYTES, len(original) - offset)
            for number, sector in enumerate(read_sectors(file, offset, length)):
                at = offset + number * SECTOR_BYTES
                is_bad = at in bad.get(name, ())
                sectors += 1
                errors += sector is None
                if (sector is None) != is_bad:
                    differences.append("%s at %d: %s" % (name, at, "EIO" if sector is None else "reads, must give EIO"))
                elif sector is not None and sector != original[at : at + SECTOR_BYTES]:
                    differences.append("%s at %d: other content" % (name, at))
        file.close()
    report(differences)
    print("suite: %d sectors of files checked one by one, %d of them EIO as they must" % (sectors, errors))


def rewrite(directory, tree, expected_path):
    for name in sorted(read_expected(expected_path)):
        with open(os.path.join(tree, name), "rb") as original, open(os.path.join(directory, name), "r+b") as file:
            file.write(original.read())
            os.fsync(file.fileno())


def write_until_error(directory):
    number = 0
    while True:
        name = "w%d" % number
        try:
            descriptor = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            data = content(name, "written")
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
            os.close(descriptor)
            directory_descriptor = os.open(directory, os.O_RDONLY)
            os.fsync(directory_descriptor)
            os.close(directory_descriptor)
        except OSError as e:
            print("ended by %s" % e, file=sys.stderr)
            return
        print(name, flush=True)
        number += 1


def check_written(directory, names_path):
    differences = []
    with open(names_path) as file:
        names = file.read().split()
    for name in names:
        with open(os.path.join(directory, name), "rb") as file:
            if file.read() != content(name, "written"):
                differences.append("%s: other content" % name)
    report(differences)
    print("suite: %d files that were made durable before kill -9 are whole" % len(names))


def report(differences):
    for line in differences[:DIFFERENCES_SHOWN_MAX]:
        print(line)
    if differences:
        sys.exit("%d differences" % len(differences))


if __name__ == "__main__":
    verbs = {f.__name__.replace("_", "-"): f for f in (make, check, rewrite, write_until_error, check_written)}
    verbs[sys.argv[1]](*sys.argv[2:])
