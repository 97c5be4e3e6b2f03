"""The bad and the weak places of the disk of scrub.sh: puts content there, and compares what remap made of them.

    scrub_places.py make IMAGE BAD WEAK FAULTS   writes FAULTS from two lists (START LENGTH MODE, bytes), and content to IMAGE
    scrub_places.py count bad|weak FAULTS        prints how many sectors these are
    scrub_places.py moved FAULTS MAP             whether all that is weak is on the spare; 1 if not
    scrub_places.py lose FAULTS                  what is weak neither reads nor takes a write from now on
    scrub_places.py verify URI FAULTS MAP        what remap knows (`map list --json`) and serves is what it must be

A weak unit is one of 4096 bytes, and never bad too. Most need a retry when they are read; every SLOW_OF_th is slow instead. The
content of each sector of the weak units, and of the units beside them, holds its own number, so no other sector passes for it.
"""

import json
import os
import sys

SECTOR_BYTES = 512
UNIT_BYTES = 4096
SECTORS = UNIT_BYTES // SECTOR_BYTES
SLOW_OF = 20
SLOW_MILLIS = 800
# A scan narrows an error down by three reads; the verdict of the disk, which comes after them, has to meet it too.
READS_THAT_FAIL = 4
BAD_MODE = "read-bad-heals-on-write"
MOVED = "spare"
WRONG_SHOWN = 20


def units(lines, modes=None):
    found = set()
    for line in lines:
        words = line.split("#")[0].split()
        if len(words) >= 3 and (modes is None or words[2] in modes):
            start, length = (int(word[:-1]) * SECTOR_BYTES if word.endswith("s") else int(word) for word in words[:2])
            assert start % UNIT_BYTES == 0 and length % UNIT_BYTES == 0, line
            found.update(range(start // UNIT_BYTES, (start + length) // UNIT_BYTES))
    return found


def lines_of(path):
    with open(path) as file:
        return file.read().splitlines()


def bad_of(path):
    return units(lines_of(path), (BAD_MODE,))


def weak_of(path):
    return units(lines_of(path), ("transient", "slow"))


def content(unit):
    return b"".join((b"sector %24d of scrub.sh\n" % (unit * SECTORS + i)).ljust(SECTOR_BYTES, b".") for i in range(SECTORS))


def with_content(weak, bad, size_bytes):
    beside = {unit + step for unit in weak for step in (-1, 0, 1)}
    return sorted(unit for unit in beside - bad if 0 <= unit < size_bytes // UNIT_BYTES)


def make(image, bad_list, weak_list, faults):
    bad = units(lines_of(bad_list))
    weak = units(lines_of(weak_list)) - bad
    with open(faults, "w") as file:
        for unit in sorted(bad):
            file.write("%d %d %s\n" % (unit * UNIT_BYTES, UNIT_BYTES, BAD_MODE))
        for number, unit in enumerate(sorted(weak)):
            mode = "slow %d" % SLOW_MILLIS if number % SLOW_OF == 0 else "transient %d" % READS_THAT_FAIL
            file.write("%d %d %s\n" % (unit * UNIT_BYTES, UNIT_BYTES, mode))
    with open(image, "r+b") as file:
        for unit in with_content(weak, bad, os.path.getsize(image)):
            os.pwrite(file.fileno(), content(unit), unit * UNIT_BYTES)
    print("%d bad sectors, %d weak ones" % (len(bad) * SECTORS, len(weak) * SECTORS))


def count(kind, faults):
    print(len(bad_of(faults) if kind == "bad" else weak_of(faults)) * SECTORS)


def moved(faults, map_path):
    sys.exit(0 if sectors_of(weak_of(faults)) <= known(map_path).get(MOVED, set()) else 1)


def lose(faults):
    lost = "".join("%d %d read-and-write-bad\n" % (unit * UNIT_BYTES, UNIT_BYTES) for unit in sorted(weak_of(faults)))
    with open(faults) as old, open(faults + ".new", "w") as new:
        new.write(old.read() + lost)
    os.rename(faults + ".new", faults)


def known(map_path):
    """The sectors of the map by their state."""
    sectors = {}
    with open(map_path) as file:
        for entry in json.load(file)["entries"]:
            sectors.setdefault(entry["state"].lower(), set()).update(range(entry["first"], entry["first"] + entry["length"]))
    return sectors


def differing(what, expected, found):
    """What to say about two sets of sectors that must be equal."""
    if expected == found:
        return []
    missing, more = sorted(expected - found), sorted(found - expected)
    return ["%s: %d missing %s, %d too many %s" % (what, len(missing), missing[:8], len(more), more[:8])]


def sectors_of(some_units):
    return {unit * SECTORS + i for unit in some_units for i in range(SECTORS)}


def verify(uri, faults, map_path):
    import nbd

    bad, weak, sectors = bad_of(faults), weak_of(faults), known(map_path)
    wrong = differing("unreadable", sectors_of(bad), sectors.get("unreadable", set()))
    moved = sectors.get(MOVED, set())
    # A busy machine makes a healthy unit look slow: more may move, and must be as good.
    wrong += differing("moved", sectors_of(weak), moved & sectors_of(weak))
    wrong += ["%d sectors are %s" % (len(sectors[state]), state) for state in sectors if state not in ("unreadable", MOVED)]
    handle = nbd.NBD()
    handle.connect_uri(uri)
    written = set(with_content(weak, bad, handle.get_size()))
    compared = written | ({sector // SECTORS for sector in moved} - bad)
    for unit in sorted(compared):
        try:
            data = bytes(handle.pread(UNIT_BYTES, unit * UNIT_BYTES))
        except nbd.Error as error:
            wrong.append("unit %d: %s" % (unit, error))
            continue
        if data != (content(unit) if unit in written else bytes(UNIT_BYTES)):
            wrong.append("unit %d: another content" % unit)
    handle.shutdown()
    if wrong:
        print("\n".join(wrong[:WRONG_SHOWN]))
        sys.exit(1)
    print(
        "all %d bad ones are known and no others, all %d weak ones moved (and %d others); %d units read as they were written"
        % (len(bad) * SECTORS, len(weak) * SECTORS, len(moved) - len(weak) * SECTORS, len(compared))
    )


def main():
    {"make": make, "count": count, "moved": moved, "lose": lose, "verify": verify}[sys.argv[1]](*sys.argv[2:])


main()
