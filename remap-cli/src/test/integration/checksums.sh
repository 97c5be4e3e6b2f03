#!/bin/bash
# Checksums of what stands on a spare: sealed when it is quiet, compared with each read, opened before it is written; what is
# not what was written is an error, and never data.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 nbdsh cmp
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

UNITS=100

# For the Python of the tests: what a unit of main holds.
UNIT='def unit(u): return b"%08d" % u * 512
def fails(offset, length):
    try:
        h.pread(length, offset)
    except nbd.Error as e:
        assert e.errno == "EIO", e.errno
        return True
    return False
'

# serve NAME [OPTION…]: serves NAME.img.
serve() {
    local name=$1
    shift
    if [ ! -f "$name.img" ]; then
        python3 -c "$UNIT
open('$name.img', 'wb').write(b''.join(unit(u) for u in range(8192)))"
        truncate -s 64M "$name.spare"
    fi
    start_remap "$name" "$work/$name.img" --spare "$work/$name.spare" --set smart.program=off --set scan.enabled=off \
        --set autosave-seconds=1 "$@"
}

stop() {
    stop_process "$background_pid" || fail "it does not end"
}

# counts NAME ATTRIBUTE NUMBER: it is at least that.
counts() {
    [ "$(attribute "$1" "disk.$1.$2")" -ge "$3" ]
}

# nbd NAME PYTHON
nbd() {
    nbdsh -u "nbd+unix:///$1?socket=$work/$1.sock" -c "$UNIT$2" || fail "see above"
}

# rot NAME UNIT SECTOR: a sector of the slot of a unit is another one, behind the back of whoever serves it.
rot() {
    python3 -c "$UNIT
with open('$1.spare', 'r+b') as spare:
    at = spare.read().index(unit($2))
    spare.seek(at + $3 * 512)
    spare.write(b'\146' * 512)"
}

# sealed_disk NAME [UNITS]: with its first units on the spare, and all of them sealed.
sealed_disk() {
    local units=${2:-$UNITS}
    serve "$1" --set checksum-idle-seconds=1
    "$remap" map add "$1" 0+$((units * 8)) > /dev/null || fail "map add"
    wait_until 60 counts "$1" checksums.sealed-regions $(((units + 63) / 64)) || fail "not all of it is sealed"
}

test_rot_is_an_error_and_never_data() {
    sealed_disk rot
    nbd rot "assert h.pread($UNITS * 4096, 0) == b''.join(unit(u) for u in range($UNITS))"
    rot rot 7 2
    nbd rot "
assert fails(7 * 4096, 4096), 'rotten data was served'
assert h.pread(4096, 8 * 4096) == unit(8)"
    wait_until 30 counts rot checksums.lost-slots 1 || fail "it is not given up"
    assert_contains "$("$remap" events rot)" "checksum"
    # One sector is lost, the others of the unit are there; a write is found again.
    nbd rot "
assert h.pread(1024, 7 * 4096) == unit(7)[:1024]
assert fails(7 * 4096 + 1024, 512), 'a lost sector was served'
h.pwrite(b'n' * 512, 7 * 4096 + 1024)
assert h.pread(4096, 7 * 4096) == unit(7)[:1024] + b'n' * 512 + unit(7)[1536:]"
    stop
}

test_rot_while_nobody_served_it_is_found_at_the_next_start() {
    sealed_disk later
    stop
    rot later 3 0
    # Whatever the setting says now.
    serve later
    nbd later "
assert h.pread(4096, 2 * 4096) == unit(2)
assert fails(3 * 4096, 4096), 'rotten data was served'"
    stop
}

# rotten_sectors ARGUMENT…: how many a check finds.
rotten_sectors() {
    local status=0
    "$remap" check --level full --json "$@" > checked.json || status=$?
    assert_equal "$(python3 -c 'import json
print(int(json.load(open("checked.json"))["checks"][0]["sectorsRotten"] > 0))')" "$status" "exit status of check $*"
    python3 -c 'import json
print(json.load(open("checked.json"))["checks"][0]["sectorsRotten"])'
}

test_a_full_check_finds_it_with_and_without_a_server() {
    sealed_disk checked
    assert_equal 0 "$(rotten_sectors --online checked)" "rotten sectors of a sound spare"
    rot checked 7 2
    rot checked 70 0
    assert_equal 2 "$(rotten_sectors --online checked)" "rotten sectors, while it is served"
    # A region that was opened and written is none of its business.
    nbd checked "h.pwrite(b'w' * 4096, 71 * 4096)"
    stop
    assert_equal 1 "$(rotten_sectors checked.spare)" "rotten sectors"
    assert_contains "$(python3 -c 'import json
print(json.load(open("checked.json"))["checks"][0]["report"]["findings"])')" "58+1 stand on the spare and are not what was written there"
}

test_what_rotted_is_not_taken_over_by_a_write_beside_it() {
    sealed_disk beside
    rot beside 5 1
    nbd beside "
h.pwrite(b'w' * 4096, 6 * 4096)
assert h.pread(4096, 6 * 4096) == b'w' * 4096
assert fails(5 * 4096, 4096), 'rotten data was served'"
    stop
}

test_writes_open_and_are_sealed_anew() {
    local before
    sealed_disk writes
    before=$(attribute writes disk.writes.checksums.sealings)
    nbd writes "
h.pwrite(b'a' * 4096, 0)
h.pwrite(b'b' * 512, 5 * 4096)
h.flush()
assert h.pread(4096, 0) == b'a' * 4096"
    counts writes checksums.openings 1 || fail "nothing was opened"
    wait_until 60 counts writes checksums.sealings $((before + 1)) || fail "it is not sealed anew"
    wait_until 60 counts writes checksums.sealed-regions 2 || fail "it is not sealed anew"
    stop
    serve writes --transport plain
    nbd writes "
assert h.pread(4096, 0) == b'a' * 4096
assert h.pread(1024, 5 * 4096) == b'b' * 512 + unit(5)[512:1024]"
    assert_equal 0 "$(attribute writes disk.writes.checksums.mismatches)" "mismatches"
    stop
}

# More regions than one pass seals.
test_all_of_a_larger_spare_is_sealed() {
    sealed_disk larger 5000
    nbd larger "
for u in range(0, 5000, 16):
    assert h.pread(16 * 4096, u * 4096) == b''.join(unit(v) for v in range(u, u + 16)), u"
    stop
    serve larger
    rot larger 4321 0
    nbd larger "assert fails(4321 * 4096, 4096), 'rotten data was served'"
    stop
}

# What is written in a round of kills: UNIT/NUMBER, over and over. `writes` has each write before it is sent and after its
# reply, so it says what must be there, or may.
VERSION='def version(u, number): return b"%04d/%03d" % (u, number) * 512
'

# write_until_it_dies: at random places, now and then, until the server is gone; any other end is an error.
write_until_it_dies() {
    /usr/bin/python3 -c "$VERSION
import itertools, nbd, random, sys, time
h = nbd.NBD()
h.connect_uri('nbd+unix:///kills?socket=$work/kills.sock')
with open('writes', 'a+', buffering=1) as log:
    log.seek(0)
    for number in itertools.count(1 + sum(line.startswith('sent') for line in log)):
        u = random.randrange($UNITS)
        print('sent', u, number, file=log)
        try:
            h.pwrite(version(u, number), u * 4096)
        except nbd.Error as e:
            sys.exit(0 if h.aio_is_dead() or h.aio_is_closed() else str(e))
        print('acknowledged', u, number, file=log)
        time.sleep(0.2 + random.random() * 1.2)"
}

# acknowledged NUMBER: so many writes at least.
acknowledged() {
    [ "$(grep -c '^acknowledged' writes)" -ge "$1" ]
}

# The server dies while regions are opened, written and sealed: whatever moment that is, what was acknowledged is there
# afterwards, and nothing counts as rotten.
test_kills_amid_it_lose_nothing() {
    local round client before
    sealed_disk kills
    : > writes
    for round in 1 2 3 4 5; do
        before=$(grep -c '^acknowledged' writes || true)
        write_until_it_dies 2> client.err &
        client=$!
        wait_until 30 acknowledged $((before + 1)) || fail "nothing was written in round $round: $(cat client.err)"
        sleep "2.$((round * 7 % 10))"
        kill_remap "$background_pid"
        wait "$client" || fail "round $round: the client did not end by the kill: $(cat client.err)"
        serve kills --set checksum-idle-seconds=1
        nbd kills "$VERSION
there, sent = {}, {}
for line in open('writes'):
    what, u, number = line.split()[0], *map(int, line.split()[1:])
    if what == 'sent':
        sent[u] = number
        continue
    sent.pop(u)
    if what != 'lost':
        there[u] = number
with open('writes', 'a') as log:
    for u in range($UNITS):
        data = h.pread(4096, u * 4096)
        if u in sent and data == version(u, sent[u]):
            # It was under way, and has arrived, so it stays.
            print('arrived', u, sent[u], file=log)
        else:
            assert data == (version(u, there[u]) if u in there else unit(u)), (u, there.get(u), sent.get(u), data[:16])
            if u in sent:
                print('lost', u, sent[u], file=log)"
        assert_equal 0 "$(attribute kills disk.kills.checksums.mismatches)" "mismatches after $round kills"
    done
    stop
    echo "suite: checksums: 5 kills amid $(grep -c '^acknowledged' writes) writes, none of them lost"
}

run_tests
