"""Chooses bad sectors of an ext4 image.

    ext4_bad_sectors.py IMAGE TREE COUNT SEED MAP EXPECTED      clusters in the data of files and in free space
    ext4_bad_sectors.py IMAGE COUNT SEED MAP LATER              whole blocks

IMAGE holds the files of the directory TREE, as `mkfs.ext4 -d TREE` puts them there. COUNT sectors of 512 bytes are
chosen by SEED, two thirds of them in files. MAP gets a line "START LENGTH MODE" (bytes) for each cluster; EXPECTED a
line "NAME OFFSET LENGTH" for each range of a file that cannot be read. Metadata of the file system is spared: a file
system that cannot be mounted shows nothing.

Of COUNT whole blocks the first half lies in free space and goes to MAP: they can be neither read nor written. The lines of
LATER are for when the disk is in use: blocks anywhere, those of metadata too, that can be read but not written.
"""

import os
import random
import re
import subprocess
import sys

BLOCK_BYTES = 4096
SECTOR_BYTES = 512
READ_BAD = "read-bad-heals-on-write"
READ_AND_WRITE_BAD = "read-and-write-bad"
WRITE_BAD = "write-bad"


def blocks_of(image, names):
    """The blocks of each file, in the order of the file."""
    commands = "".join("blocks /%s\n" % name for name in names)
    result = subprocess.run(
        ["debugfs", "-f", "/dev/stdin", image], input=commands, capture_output=True, text=True, check=True
    )
    lines = [line for line in result.stdout.splitlines() if not line.startswith("debugfs:")]
    return {name: [int(word) for word in line.split()] for name, line in zip(names, lines)}


def free_blocks(image):
    output = subprocess.run(["dumpe2fs", image], capture_output=True, text=True, check=True).stdout
    blocks = []
    for line in re.findall(r"^  Free blocks: (.+)$", output, re.M):
        for part in line.split(", "):
            first, _, last = part.partition("-")
            blocks += range(int(first), int(last or first) + 1)
    return blocks


def clusters(choose, blocks, count):
    """Disjoint runs of sectors, each within one block of those given, `count` sectors in all."""
    result = []
    for block in choose.sample(blocks, len(blocks)):
        if count == 0:
            return result
        length = min(count, choose.randint(1, 8))
        first = choose.randint(0, BLOCK_BYTES // SECTOR_BYTES - length)
        result.append((block, first, length))
        count -= length
    raise SystemExit("the image is too small for so many bad sectors")


def main(image, tree, count, seed, map_path, expected_path):
    choose = random.Random(seed)
    names = sorted(name for name in os.listdir(tree) if os.path.getsize(os.path.join(tree, name)) >= BLOCK_BYTES)
    by_block = {block: (name, at) for name, blocks in blocks_of(image, names).items() for at, block in enumerate(blocks)}
    in_files = count * 2 // 3
    with open(map_path, "w") as bad_map, open(expected_path, "w") as expected:
        for block, first, length in clusters(choose, sorted(by_block), in_files):
            mode = choose.choice((READ_BAD, READ_AND_WRITE_BAD))
            start = block * BLOCK_BYTES + first * SECTOR_BYTES
            print(start, length * SECTOR_BYTES, mode, file=bad_map)
            name, at = by_block[block]
            print(name, at * BLOCK_BYTES + first * SECTOR_BYTES, length * SECTOR_BYTES, file=expected)
        for block, first, length in clusters(choose, free_blocks(image), count - in_files):
            start = block * BLOCK_BYTES + first * SECTOR_BYTES
            print(start, length * SECTOR_BYTES, READ_AND_WRITE_BAD, file=bad_map)


def whole_blocks(image, count, seed, map_path, later_path):
    choose = random.Random(seed)
    at_once = set(choose.sample(free_blocks(image), count // 2))
    others = [block for block in range(os.path.getsize(image) // BLOCK_BYTES) if block not in at_once]
    later = choose.sample(others, count - len(at_once))
    for path, blocks, mode in ((map_path, at_once, READ_AND_WRITE_BAD), (later_path, later, WRITE_BAD)):
        with open(path, "w") as lines:
            for block in blocks:
                print(block * BLOCK_BYTES, BLOCK_BYTES, mode, file=lines)


if __name__ == "__main__":
    if len(sys.argv) == 6:
        whole_blocks(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])
    else:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6])
