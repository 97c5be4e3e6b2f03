"""Chooses bad sectors of an ext4 image: clusters in the data of files, and clusters in free space.

    ext4_bad_sectors.py IMAGE TREE COUNT SEED MAP EXPECTED

IMAGE holds the files of the directory TREE, as `mkfs.ext4 -d TREE` puts them there. COUNT sectors of 512 bytes are
chosen by SEED, two thirds of them in files. MAP gets a line "START LENGTH MODE" (bytes) for each cluster; EXPECTED a
line "NAME OFFSET LENGTH" for each range of a file that cannot be read. Metadata of the file system is spared: a file
system that cannot be mounted shows nothing.
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


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6])
