#!/bin/bash
# Two hosts that reach the same devices: the locks of one know nothing of the other. Each host is an environment of its own
# here, and sees the devices through a FUSE file of its own, so that the locks of this kernel do not help.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_root
require_tools nbdkit nbdfuse fusermount3 nbdcopy nbdsh

# share IMAGE: seen as a/IMAGE and b/IMAGE.
share() {
    start_in_background "server-$1" nbdkit -f -U "$work/$1.sock" file "$1"
    wait_for_socket "$work/$1.sock"
    local host
    for host in a b; do
        mkdir -p "$host"
        : > "$host/$1"
        start_in_background "$host-$1" nbdfuse "$host/$1" --unix "$work/$1.sock"
        at_exit fusermount3 -u "$work/$host/$1"
        wait_until 15 is_served "$host/$1" || fail "$host/$1 does not appear: $(cat "$host-$1.err")"
    done
}

is_served() {
    [ -s "$1" ]
}

# host NAME: whatever follows runs there.
host() {
    export REMAP_HOST_ID=$1 REMAP_STATE_DIR=$suite_directory/state-$1 XDG_RUNTIME_DIR=$suite_directory/run-$1
    mkdir -p -m 700 "$XDG_RUNTIME_DIR"
}

# fill URI BYTE: writes a megabyte and flushes it; fails as that does.
fill() {
    nbdsh -u "$1" -c "h.pwrite(b'$2' * 1048576, 1048576)" -c 'h.flush()'
}

# holds FILE BYTE: whether that megabyte stands there.
holds() {
    cmp -s <(tail -c +1048577 "$1" | head -c 1048576) <(head -c 1048576 /dev/zero | tr '\0' "$2")
}

test_another_host_takes_over_from_one_that_is_silent() {
    image main
    blank spare 16M
    cp main expected
    share main
    share spare
    local first first_uri trials=0 past
    host a
    start_remap alpha a/main --spare a/spare --set heartbeat-seconds=1
    first=$background_pid
    first_uri=$uri
    assert_status 0 "$remap" map add alpha 8+8
    fill "$first_uri" A

    host b
    refused "$BUSY" "host 'a' opened this spare last and has not stopped it in order" \
        "$remap" serve b/main --spare b/spare --adopt --name beta
    trials=$((trials + 1))
    refused "$BUSY" "host 'a' is alive" "$remap" serve b/main --spare b/spare --adopt --name beta --take-over
    trials=$((trials + 1))

    # It stands still, for longer than the other one waits.
    kill -STOP "$first"
    start_remap beta b/main --spare b/spare --adopt --take-over --set heartbeat-seconds=1
    assert_contains "$("$remap" status beta)" "taken over from host 'a', which has missed 10 heartbeats"
    fill "$uri" B
    kill -CONT "$first"
    if fill "$first_uri" C 2> /dev/null; then
        fail "a server whose lease is over has acknowledged a write"
    fi
    host a
    assert_status 0 "$remap" events alpha
    assert_contains "$output" "lease over"
    stop_process "$first"

    nbdcopy "$uri" found
    past=$(head -c 2097152 found | tail -c 1048576 | tr -dc C | wc -c)
    holds found B || fail "what the new owner wrote is not there"
    cmp -n 1048576 expected found || fail "the first megabyte is not what it was"
    host b
    stop_remap
    assert_status 0 "$remap" check b/spare

    # Stopped in order: nobody has it, and any host may.
    host a
    start_remap gamma a/main --spare a/spare --adopt
    nbdcopy "$uri" again
    assert_same_content found again
    echo "suite: G15 shared-storage refused=$trials taken-over=1 bytes-written-past-the-lease=$past"
}

test_a_host_comes_back_to_what_it_left() {
    image main
    blank spare 16M
    share main
    share spare
    host a
    start_remap alpha a/main --spare a/spare
    kill_remap "$background_pid"
    start_remap alpha a/main --spare a/spare
    kill_remap "$background_pid"
    # Without heartbeats there is nothing to wait for: the user's word counts.
    host b
    start_remap beta b/main --spare b/spare --adopt --take-over
    assert_contains "$("$remap" status beta)" "which had no heartbeats: whether it still runs could not be told"
    kill_remap "$background_pid"
    host a
    refused "$BUSY" "host 'b' opened this spare last" "$remap" serve a/main --spare a/spare --name alpha
}

# A planned move there and back: main remembers the stop before that, of which the other host knew nothing.
test_a_pair_moves_to_another_host_and_back() {
    image main
    blank spare 16M
    share main
    share spare
    local name
    for name in a b a b; do
        host "$name"
        # What FUSE says of the time of the last change is another one on each.
        start_remap moved "$name/main" --spare "$name/spare" --adopt --accept-main-changes
        fill "$uri" "$name"
        stop_remap
    done
    holds a/main b || fail "what the last host wrote is not there"
    # An older copy is one all the same.
    host a
    cp spare older
    start_remap moved a/main --spare a/spare --adopt --accept-main-changes
    stop_remap
    dd if=older of=a/spare bs=1M conv=notrunc,fsync status=none
    refused "$WRONG_DEVICE" "is older than main remembers" "$remap" serve a/main --spare a/spare --adopt --name alpha
}

run_tests
