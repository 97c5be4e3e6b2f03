#!/bin/bash
# Checksums of what stands on a spare: sealed when it is quiet, compared with each read, opened before it is written; what is
# not what was written is an error, and never data.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 nbdsh cmp strace
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip_suite "needs python3-libnbd"

UNITS=100

# serve NAME [OPTION…]: serves NAME.img, which holds 0x11 everywhere.
serve() {
    local name=$1
    shift
    [ -f "$name.img" ] || head -c 16M /dev/zero | tr '\0' '\021' > "$name.img"
    [ -f "$name.spare" ] || truncate -s 16M "$name.spare"
    start_remap "$name" "$work/$name.img" --spare "$work/$name.spare" --set smart.program=off --set scan.enabled=off \
        --set autosave-seconds=1 "$@"
}

attribute() {
    "$remap" attributes "$1" --json | python3 -c 'import json, sys
print(next(a["value"] for a in json.load(sys.stdin)["attributes"] if a["name"].endswith(sys.argv[1])))' "$2"
}

is_sealed() {
    [ "$(attribute "$1" checksums.sealed-regions)" -ge "$2" ]
}

# nbd NAME EXPRESSION
nbd() {
    nbdsh -u "nbd+unix:///$1?socket=$work/$1.sock" -c "$2"
}

# slot NAME UNIT: first byte of the slot of a unit on the spare.
slot() {
    "$remap" dump "$work/$1.spare" --json | python3 -c 'import json, sys
unit, dump = int(sys.argv[1]), json.load(sys.stdin)
entry = next(e for e in dump["entries"] if e["firstUnit"] <= unit < e["firstUnit"] + e["units"])
slot = entry["slot"] + unit - entry["firstUnit"]
block = dump["superblocks"][0]
front = block["frontSlots"]
print(block["frontSlotsOffsetBytes"] + slot * block["granuleBytes"] if slot < front
      else block["backSlotsOffsetBytes"] + (slot - front) * block["granuleBytes"])' "$2"
}

# rot NAME BYTE: a sector of the spare is another one, behind the back of its server.
rot() {
    head -c 512 /dev/zero | tr '\0' '\146' | dd of="$1.spare" bs=1 seek="$2" conv=notrunc status=none
}

sealed_disk() {
    local name=$1
    shift
    serve "$name" --set checksum-idle-seconds=1 "$@"
    "$remap" map add "$name" 0+$((UNITS * 8)) > /dev/null || fail "map add"
    wait_until 20 is_sealed "$name" 2
}

test_rot_is_an_error_and_never_data() {
    local at
    sealed_disk rot
    nbd rot "assert h.pread($UNITS * 4096, 0) == b'\x11' * ($UNITS * 4096)"
    at=$(slot rot 7)
    rot rot $((at + 1024))
    nbd rot "
try:
    h.pread(4096, 7 * 4096)
    raise SystemExit('rotten data was served')
except nbd.Error as e:
    assert e.errno == 'EIO', e.errno
assert h.pread(4096, 8 * 4096) == b'\x11' * 4096"
    wait_until 10 eval '[ "$(attribute rot checksums.lost-slots)" = 1 ]'
    "$remap" events rot --json | grep -q checksum-mismatch || fail "no event tells of it: $("$remap" events rot)"
    # One sector is lost, the others of the unit are there; a write is found again.
    nbd rot "
assert h.pread(1024, 7 * 4096) == b'\x11' * 1024
try:
    h.pread(512, 7 * 4096 + 1024)
    raise SystemExit('a lost sector was served')
except nbd.Error:
    pass
h.pwrite(b'n' * 512, 7 * 4096 + 1024)
assert h.pread(4096, 7 * 4096) == b'\x11' * 1024 + b'n' * 512 + b'\x11' * 2560"
    stop_remap rot
}

test_rot_while_nobody_served_it_is_found_at_the_next_start() {
    local at
    sealed_disk later
    at=$(slot later 3)
    stop_remap later
    rot later "$at"
    # Whatever the setting says now.
    serve later
    nbd later "
assert h.pread(4096, 2 * 4096) == b'\x11' * 4096
try:
    h.pread(4096, 3 * 4096)
    raise SystemExit('rotten data was served')
except nbd.Error as e:
    assert e.errno == 'EIO', e.errno"
    stop_remap later
}

test_writes_open_and_are_sealed_anew() {
    local before
    sealed_disk writes
    before=$(attribute writes checksums.sealings)
    nbd writes "
h.pwrite(b'a' * 4096, 0)
h.pwrite(b'b' * 512, 5 * 4096)
h.flush()
assert h.pread(4096, 0) == b'a' * 4096"
    [ "$(attribute writes checksums.openings)" -ge 1 ] || fail "nothing was opened"
    wait_until 20 eval '[ "$(attribute writes checksums.sealings)" -gt '"$before"' ]'
    wait_until 20 is_sealed writes 2
    stop_remap writes
    serve writes --transport plain
    nbd writes "
assert h.pread(4096, 0) == b'a' * 4096
assert h.pread(1024, 5 * 4096) == b'b' * 512 + b'\x11' * 512"
    [ "$(attribute writes checksums.mismatches)" = 0 ] || fail "something differs that nobody touched"
    stop_remap writes
}

# The server dies while regions are opened, written and sealed: whatever moment that is, nothing counts as rotten afterwards.
test_kills_amid_it_lose_nothing() {
    local round status
    sealed_disk kills
    for round in 1 2 3 4 5 6; do
        nbd kills "
import random, time
random.seed($round)
end = time.monotonic() + 0.5 + random.random() * 2.5
value = bytes([64 + $round])
while time.monotonic() < end:
    h.pwrite(value * 4096, random.randrange($UNITS) * 4096)
    time.sleep(0.3)" &
        status=$!
        sleep "1.$((round * 7 % 10))"
        kill_remap kills
        wait "$status" 2> /dev/null
        serve kills --set checksum-idle-seconds=1
        nbd kills "
for unit in range($UNITS):
    data = h.pread(4096, unit * 4096)
    assert data == data[:1] * 4096, unit"
        [ "$(attribute kills checksums.mismatches)" = 0 ] || fail "round $round: something counts as rotten"
    done
    stop_remap kills
}

run_tests
