"""What each sector of a disk may hold, kept in a file, so that it outlives whoever writes and whoever serves.

The content of a sector says which sector it is and which version of it. For each sector the file has the version that was
acknowledged last, the version of the last flush that covers it, and the newest one that was sent. Writes of one sector
never overlap, so what is newer was written later. Version 0 is what the disk held at first.

Invariants: flushed <= acknowledged <= newest. `begin` comes before the write is sent, `acknowledge` after its reply.
"""

import mmap
import os
import struct

SECTOR_BYTES = 512
HEADER_WORDS = 8
# Words of the header.
SECTORS, VERSION, ACKNOWLEDGED, FLUSHES = range(4)


def content(sector, version):
    return struct.pack("<QQ", sector, version) * (SECTOR_BYTES // 16)


class ExpectedState:
    """One process at a time has it open."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        words = memoryview(self.map).cast("Q")
        self.header = words[:HEADER_WORDS]
        self.sectors = self.header[SECTORS]
        columns = [words[HEADER_WORDS + n * self.sectors : HEADER_WORDS + (n + 1) * self.sectors] for n in range(4)]
        # Per sector; `unreadable` is 1 if it could not be read at first.
        self.flushed, self.acknowledged, self.newest, self.unreadable = columns
        # Acknowledged since the last flush that was answered: (first, count, version).
        self.unflushed = []

    @staticmethod
    def make(path, sectors, unreadable):
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", sectors))
            file.truncate(8 * (HEADER_WORDS + 4 * sectors))
        state = ExpectedState(path)
        for sector in unreadable:
            state.unreadable[sector] = 1
        return state

    def begin(self, first, count):
        """A new version of these sectors, none of which is being written."""
        self.header[VERSION] += 1
        version = self.header[VERSION]
        for sector in range(first, first + count):
            self.newest[sector] = version
        return version

    def acknowledge(self, first, count, version, is_durable):
        self.header[ACKNOWLEDGED] += 1
        for sector in range(first, first + count):
            self.acknowledged[sector] = version
            if is_durable:
                self.flushed[sector] = version
        if not is_durable:
            self.unflushed.append((first, count, version))

    def begin_flush(self):
        """What the flush that is sent now must make durable, for end_flush."""
        return len(self.unflushed), self.unflushed

    def end_flush(self, covered):
        self.header[FLUSHES] += 1
        count, writes = covered
        for first, length, version in writes[:count]:
            for sector in range(first, first + length):
                self.flushed[sector] = max(self.flushed[sector], version)
        if writes is self.unflushed:
            # What other flushes in flight cover is in the list that they have.
            self.unflushed = writes[count:]

    def totals(self):
        """Writes that were acknowledged and flushes that were answered."""
        return self.header[ACKNOWLEDGED], self.header[FLUSHES]

    def floor(self, sector, power_cut):
        return (self.flushed if power_cut else self.acknowledged)[sector]

    def may_be_unreadable(self, sector, power_cut):
        return self.unreadable[sector] == 1 and self.floor(sector, power_cut) == 0

    def allows(self, sector, data, power_cut):
        """Whether the sector may hold this after the server was killed, and perhaps the power cut; None is EIO."""
        if data is None:
            return self.may_be_unreadable(sector, power_cut)
        version = struct.unpack_from("<Q", data, 8)[0]
        if data != content(sector, version) or (version == 0 and self.unreadable[sector]):
            return False
        return self.floor(sector, power_cut) <= version <= self.newest[sector]

    def settle(self, sector, data, power_cut):
        """What was read once after a crash must stay."""
        version = struct.unpack_from("<Q", data, 8)[0] if data is not None else 0
        self.acknowledged[sector] = self.newest[sector] = version
        if power_cut:
            self.flushed[sector] = version

    def describe(self, sector, data, power_cut):
        was = "EIO" if data is None else "version %d of sector %d" % struct.unpack_from("<QQ", data)[::-1]
        return "sector %d: %s, must be version %d to %d%s" % (
            sector, was, self.floor(sector, power_cut), self.newest[sector],
            " or EIO" if self.may_be_unreadable(sector, power_cut) else "",
        )
