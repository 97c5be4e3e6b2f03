#!/bin/bash
# kill -9 of the server while a flush of main is failing: what was acknowledged and is lost is told by the next server on
# the same start of the machine, and what is not lost is served. The kernel's own EIO, in buffered mode: at the kill the
# page cache of main is dropped with what could not be written.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_root
require_tools losetup fusermount3 mountpoint /usr/bin/python3
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

SIZE_BYTES=$((64 * 1024 * 1024))
# How many starts are killed after it, one at each of the first syncs of a thread.
KILLED_STARTS=${REMAP_KILLED_STARTS:-4}

# in_memory: the run directory of the services, where what is in it is memory.
in_memory() {
    [ "$(stat -f -c %T /dev/shm)" = tmpfs ] || not_run "/dev/shm is no tmpfs"
    XDG_RUNTIME_DIR=$(mktemp -d /dev/shm/remap-XXXXXX)
    export XDG_RUNTIME_DIR
    at_exit rm -rf "$XDG_RUNTIME_DIR"
}

client() {
    /usr/bin/python3 - "$uri" "$@" << 'END'
import os, signal, sys, time
import nbd

uri, what, *rest = sys.argv[1:]
h = nbd.NBD()
h.connect_uri(uri)
old, new = b"\x11" * 4096, b"\x22" * 4096

def outcome(call, *arguments):
    try:
        return call(*arguments) or "fine"
    except nbd.Error as e:
        return e.errno

if what == "prepare":
    for offset in range(0, 1 << 20, 4096):
        h.pwrite(old, offset)
    h.flush()
elif what == "write":
    for offset in range(0, 1 << 20, 4096):
        h.pwrite(new, offset)
elif what == "kill":
    h.aio_flush()
    time.sleep(float(rest[1]))
    os.kill(int(rest[0]), signal.SIGKILL)
elif what == "look":
    states = {}
    for offset in range(0, 1 << 20, 4096):
        got = outcome(h.pread, 4096, offset)
        state = "old" if got == old else "new" if got == new else got
        states.setdefault(state, []).append(offset)
    print(" ".join("%s=%d" % (state, len(where)) for state, where in sorted(states.items())))
elif what == "flush":
    print(outcome(h.flush))
END
}

# lost_on_main: how many of the units have not come to the medium itself.
lost_on_main() {
    python3 -c 'content = open("disk/disk.img", "rb").read(1 << 20)
units = [content[at : at + 4096] for at in range(0, len(content), 4096)]
assert set(units) <= {b"\x11" * 4096, b"\x22" * 4096}, "a torn unit"
print(units.count(b"\x11" * 4096))'
}

# assert_all_told: what reads fail for is what main does not have, no more and no less.
assert_all_told() {
    local lost
    lost=$(lost_on_main)
    # Of the bad range at least, and not of all: the kernel writes neighbouring pages in one transfer, which fails whole.
    [ "$lost" -ge 6 ] && [ "$lost" -lt 256 ] || fail "main has lost $lost units"
    client look > looked
    assert_equal "EIO=$lost new=$((256 - lost))" "$(cat looked)" "what clients read; $(cat disk.err); $("$remap" status disk)"
    assert_equal $((8 * lost)) "$(status_number disk lostSectors)" "lost sectors"
}

# written_and_killed: 256 units are written, of which main takes 250; killed while they are flushed.
written_and_killed() {
    mkdir disk
    truncate -s "$SIZE_BYTES" disk/disk.img
    failing_device_up "$work/disk" "$SIZE_BYTES"
    truncate -s 32M spare.img
    start_remap disk "$device" --spare "$work/spare.img" --buffered
    client prepare
    client write
    failing_device_map disk <<< "$((40 * 4096)) $((6 * 4096)) write-bad"
    client kill "$background_pid" "$1"
    wait "$background_pid" 2> /dev/null || true
    cp disk.err killed.err
    failing_device_map disk <<< ""
    local number
    for ((number = 1; number <= ${killed_starts:-0}; number++)); do
        remap_prefix=(strace -f -qq -o trace -e trace=fdatasync,fsync
            -e "inject=fdatasync,fsync:signal=KILL:when=$number")
        if try_to_start_remap disk "$device" --spare "$work/spare.img" --buffered; then
            # It has not come so far, and is no start that was killed.
            pkill -KILL -P "$background_pid"
        else
            grep -q 'killed by SIGKILL' trace || fail "start $number ended by itself: $(cat disk.err)"
            echo "$number" >> killed
        fi
        wait_until 15 is_gone "$background_pid" || fail "start $number does not end"
        remap_prefix=()
    done
    try_to_start_remap disk "$device" --spare "$work/spare.img" --buffered ||
        start_remap disk "$device" --spare "$work/spare.img" --buffered
}

test_what_a_killed_server_had_acknowledged_is_verified() {
    in_memory
    written_and_killed 0
    assert_all_told
    [ "$(client flush)" = EIO ] || fail "nobody was told of the loss"
    [ "$(client flush)" = fine ] || fail "$(cat disk.err)"
    client write
    [ "$(client look)" = new=256 ] || fail "what is written is there again"
    stop_remap
    assert_equal "" "$(ls "$XDG_RUNTIME_DIR/remap" | grep '^ledger-' || true)"
}

# Starts that are killed at each of their first syncs, some with their name on the spare already, lose nothing of it.
test_starts_that_are_killed_too_keep_it() {
    in_memory
    require_tools strace
    killed_starts=$KILLED_STARTS
    written_and_killed 0
    assert_all_told
    echo "suite: killed starts=$(wc -l < killed) $(cat looked)"
    [ "$(wc -l < killed)" -gt $((KILLED_STARTS / 2)) ] || fail "$(cat killed)"
    stop_remap
}

# The limit that the documentation names; and so what the ledger is there for.
test_where_there_is_no_memory_for_it_the_status_says_so() {
    [ "$(stat -f -c %T "$XDG_RUNTIME_DIR")" != tmpfs ] || not_run "$XDG_RUNTIME_DIR is in memory"
    written_and_killed 0
    "$remap" status disk > status
    grep -q 'ends with the process: .* is on .*, not in memory' status || fail "$(cat status)"
    client look | grep -q old= || fail "nothing was lost, so the test before this one shows nothing"
    assert_status 0 "$remap" stop disk
}

run_tests
