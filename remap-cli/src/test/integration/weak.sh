#!/bin/bash
# Sectors that are about to fail, from the launcher: what reads only after errors is watched, moved while it reads if the policy
# has that, and told of with its error; what is slow for a client alone moves too, unless the whole disk is slow; what is healed in
# place is remembered over kills.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 nbdsh cmp

SIZE_MIB=64

# serve_sick [OPTION…]: serves disk.img with what stands in `faults`.
serve_sick() {
    [ -f disk.img ] || head -c "${SIZE_MIB}M" /dev/urandom > disk.img
    [ -f spare.img ] || truncate -s 32M spare.img
    start_remap disk "sim:$work/disk.img?faults=$work/faults" --spare "$work/spare.img" --set smart.program=off \
        --set autosave-seconds=1 --set scan.enabled=off "$@"
}

# read_unit OFFSET: 4096 bytes through NBD.
read_unit() {
    nbdsh -u "nbd+unix:///disk?socket=$work/disk.sock" -c "
import sys
sys.stdout.buffer.write(h.pread(4096, $1))"
}

write_unit() {
    nbdsh -u "nbd+unix:///disk?socket=$work/disk.sock" -c "h.pwrite(b'$2' * 4096, $1)"
}

# events EXPRESSION: about the list of events, d['events'].
events() {
    asked disk events "$1"
}

refuses_to_read() {
    assert_status 1 read_unit "$1"
    assert_contains "$output" "Input/output error"
}

has_moved() {
    [ "$(asked disk map.list "any(entry['first'] == $1 for entry in d['entries'])")" = True ]
}

test_rules_are_changed_while_it_serves() {
    echo '8M 4096 write-bad' > faults
    serve_sick --set auto-remap=off
    assert_contains "$("$remap" attributes disk get policy.auto-remap)" off
    assert_eio write_unit 8388608 x
    assert_status "$USAGE" "$remap" attributes disk set policy.auto-remap reads
    assert_contains "$output" "expected off or writes"
    assert_status 0 "$remap" attributes disk set policy.auto-remap writes
    assert_status 0 write_unit 8388608 x
    has_moved 16384 || fail "it was not redirected: $("$remap" map list disk)"
}

test_a_weak_unit_moves_while_it_reads() {
    echo '8M 512 transient p=0.5' > faults
    serve_sick --set error-threshold=2
    local i
    for i in $(seq 1 60); do
        read_unit 8388608 > got || fail "read $i failed: $("$remap" events disk)"
        has_moved 16384 && break
    done
    wait_until 20 has_moved 16384 || fail "$("$remap" events disk) $("$remap" map list disk)"
    cmp <(read_unit 8388608) <(dd if=disk.img bs=4096 skip=2048 count=1 2> /dev/null) || fail "other content"
    assert_contains "$("$remap" events disk)" "EIO (5)"
    assert_equal True "$(events "any(x['kind'] == 'weak' and x['cause']['errno'] == 5 and x['cause']['operation'] == 'read'
        for x in d['events'])")" "event of the weak unit"
    assert_equal True "$(events "any(x['kind'] == 'relocated' for x in d['events'])")" "event of the move"
    # All of it is there after a kill.
    wait_for_autosave disk
    kill_remap "$background_pid"
    serve_sick
    assert_equal True "$(events "any(x['kind'] == 'weak' and x['cause']['error'] == 'EIO' for x in d['events'])")" "after the kill"
    cmp <(read_unit 8388608) <(dd if=disk.img bs=4096 skip=2048 count=1 2> /dev/null) || fail "other content"
}

# becomes FAULT…: what stands in `faults` from now on, a line each.
becomes() {
    printf '%s\n' "$@" > faults.new && mv faults.new faults
}

# scan_is EXPRESSION: about the status of the scan, as d.
scan_is() {
    [ "$(asked disk scan.status "bool($1)")" = True ]
}

test_a_unit_that_is_slow_for_clients_alone_moves() {
    : > faults
    serve_sick --set scan.slow-millis=300 --set scan.recheck-seconds=1
    # Of the two slow units clients want one.
    becomes '8M 4096 slow 1500' '16M 4096 slow 1500'
    cmp <(read_unit 8388608) <(dd if=disk.img bs=4096 skip=2048 count=1 2> /dev/null) || fail "other content"
    wait_until 60 has_moved 16384 || fail "$("$remap" scan status disk) $("$remap" events disk)"
    assert_equal 8 "$(status_number disk mappedSectors)" "mapped sectors"
    # Main has lost it, and is as slow as before.
    dd if=disk.img of=was bs=4096 skip=2048 count=1 2> /dev/null
    dd if=/dev/zero of=disk.img bs=4096 seek=2048 count=1 conv=notrunc 2> /dev/null
    cmp <(read_unit 8388608) was || fail "other content after the move"
    assert_equal True "$(events "any(x['kind'] == 'relocated' for x in d['events'])")" "event of the move"
    scan_is "d['state'] == 'idle' and d['slowReadsOfClients'] >= 1 and d['slowReadsDropped'] == 0 and d['suspects'] == 0" ||
        fail "$("$remap" scan status disk --json)"
    assert_contains "$("$remap" health disk)" "1 units found, 1 moved to the spare"
}

test_a_disk_that_is_slow_as_a_whole_costs_no_slot() {
    : > faults
    serve_sick --set scan.slow-millis=300 --set scan.recheck-seconds=1
    becomes '0 64M slow 1200'
    local at
    for at in 8 16 24 32; do
        read_unit $((at << 20)) > /dev/null || fail "the read at $at MiB failed"
    done
    wait_until 60 scan_is "d['deviceIsSlow'] and d['suspects'] == 0" || fail "$("$remap" scan status disk --json)"
    assert_contains "$("$remap" scan status disk)" "no sector is blamed"
    assert_equal 0 "$(status_number disk mappedSectors)" "mapped sectors"
    assert_contains "$("$remap" health disk)" "0 units found, 0 moved to the spare"
}

test_a_weak_unit_stays_if_only_writes_go_to_the_spare() {
    echo '8M 512 transient p=0.5' > faults
    serve_sick --set error-threshold=1 --set auto-remap=writes
    local i
    for i in $(seq 1 40); do
        read_unit 8388608 > /dev/null || true
    done
    assert_equal True "$(events "any(x['kind'] == 'weak' for x in d['events'])")" "event of the weak unit"
    assert_equal 0 "$(status_number disk mappedSectors)" "mapped sectors"
    refused "$USAGE" "expected off or writes or writes+weak" "$remap" serve "$work/disk.img" --name other \
        --spare "$work/none.img" --set auto-remap=all
}

test_what_was_healed_is_remembered_over_a_kill() {
    echo '8M 512 read-bad-heals-on-write' > faults
    serve_sick --set unreadable-writes=heal
    refuses_to_read 8388608
    write_unit 8388608 a
    assert_equal "$(printf 'a%.0s' {1..4096})" "$(read_unit 8388608)" "what was written in place"
    assert_equal 0 "$(status_number disk mappedSectors)" "mapped sectors"
    assert_equal True "$(events "any(x['kind'] == 'healed' for x in d['events'])")" "event of the healing"
    wait_for_autosave disk
    kill_remap "$background_pid"
    # The place goes bad again.
    rm -f disk.img.sim* && echo '8M 512 read-bad-heals-on-write' > faults
    serve_sick --set unreadable-writes=heal
    refuses_to_read 8388608
    write_unit 8388608 b
    assert_equal 1 "$(status_number disk mappedSectors)" "mapped sectors"
    assert_equal "$(printf 'b%.0s' {1..4096})" "$(read_unit 8388608)" "what was written to the spare"
}

run_tests
