#!/bin/bash
# Power cuts: main and spare are disks with a volatile write cache, and lose any part of what was not synced. What a flush
# or FUA covered is found again. And the proof of the proof: a disk that ignores syncs is found out.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_root
require_tools losetup fusermount3 mountpoint /usr/bin/python3
/usr/bin/python3 -c 'import nbd, pyfuse3' 2> /dev/null || skip "needs python3-libnbd and python3-pyfuse3"

CUTS=${REMAP_CUTS:-5}
SEED=${REMAP_SEED:-$(date +%j)}
SECTORS=32768
SPARE=32M
# A disk that ignores syncs loses something in each cut, unless its cache survives whole.
TRIES_TO_FIND_OUT=5
cuts_made=0

client() {
    /usr/bin/python3 "$integration/verifying_client.py" "$@"
}

# make_disks [MODE,…]
make_disks() {
    echo "seed $SEED (REMAP_SEED=$SEED repeats the choices)"
    mkdir main spare
    client make state "$SECTORS" main/disk.img main/bad.map "$SEED" "$@"
    redirected=0
}

# power_on NAME OPTION…: both disks, with what the last cut left of their caches, and a server on them; 1 if it refuses.
# The run directory is lost at a power cut.
power_on() {
    local seed=$SEED/$1 main
    export XDG_RUNTIME_DIR=$work/run-${1//\//-}
    mkdir -m 700 "$XDG_RUNTIME_DIR"
    failing_device_up "$work/main" "$((SECTORS * 512))" 512 "main/$seed"
    main=$device
    failing_device_up "$work/spare" "$SPARE" 512 "spare/$seed"
    try_to_start_remap disk "$main" --spare "$device" "${@:2}"
}

# After the disks and the server were killed. Each start needs new mounts, so nothing is left in the page cache.
power_off() {
    wait_until 15 is_gone "$background_pid" || fail "the server does not end after its disks are gone"
    "$integration/failing-device/down" "$work/main"
    "$integration/failing-device/down" "$work/spare"
}

# write_and_cut NAME: the server first or the disks first.
write_and_cut() {
    local disks=("$(cat main/pid)" "$(cat spare/pid)") order said status=0
    redirected=$(status_number disk mappedSectors)
    order=("$background_pid" "${disks[@]}")
    [ $((cuts_made % 2)) = 0 ] || order=("${disks[1]}" "${disks[0]}" "$background_pid")
    said=$(client write state disk.sock "$SEED/$1" 0 "${order[@]}") || fail "seed $SEED, cut $1: $said"
    [[ $said == "killed after "* ]] || fail "seed $SEED, cut $1: the server ended by itself: $said: $(cat disk.err)"
    power_off
    wait "$background_pid" 2> /dev/null || status=$?
    assert_equal 137 "$status" "exit status of a server that was killed: $(cat disk.err)"
    cuts_made=$((cuts_made + 1))
}

# checked NAME [kill]: nothing is lost, after a power cut, or as after kill -9.
checked() {
    client check state disk.sock "${2:-cut}" > checked 2>&1 || fail "seed $SEED, after cut $1: $(cat checked)"
}

test_flushed_sectors_survive_power_cuts() {
    make_disks
    local cut transports=(fast plain)
    for ((cut = 1; cut <= CUTS; cut++)); do
        client worsen "$SECTORS" "$SEED/$cut" >> main/bad.map
        power_on "$cut" --transport "${transports[cut % 2]}" || fail "seed $SEED, cut $cut: refused: $(cat disk.err)"
        checked "$cut"
        write_and_cut "$cut"
    done
    power_on last || fail "seed $SEED: refused after the last cut: $(cat disk.err)"
    checked last
    # After a clean stop nothing at all may be lost.
    client write state disk.sock "$SEED/last" 0 > /dev/null || fail "seed $SEED, last"
    stop_remap
    kill -9 "$(cat main/pid)" "$(cat spare/pid)"
    cuts_made=$((cuts_made + 1))
    power_off
    power_on stopped || fail "seed $SEED: refused after a clean stop: $(cat disk.err)"
    checked stopped kill
    [ "$redirected" -gt 0 ] || fail "nothing was redirected"
    echo "suite: G7 cuts=$cuts_made $(client totals state) redirected=$redirected $(cat checked) lost=0 seed=$SEED"
}

test_flushed_sectors_survive_power_cuts_through_the_page_cache() {
    # A write error of the page cache is no error of a request, so there is none.
    make_disks read-bad-heals-on-write
    power_on buffered --buffered || fail "seed $SEED: refused: $(cat disk.err)"
    write_and_cut buffered
    power_on last || fail "seed $SEED: refused after the last cut: $(cat disk.err)"
    checked last
    echo "suite: G7 buffered cuts=$cuts_made $(client totals state) $(cat checked) lost=0 seed=$SEED"
}

# is_found_out DISK: from the first request on it ignores syncs. Then a later check finds sectors that are lost, or the
# server refuses what is left.
is_found_out() {
    local try how=
    make_disks
    for ((try = 1; try <= TRIES_TO_FIND_OUT; try++)); do
        power_on "$try" || { how="refused: $(cat disk.err)"; break; }
        client check state disk.sock cut > checked 2>&1 || { how=$(tail -n 1 checked); break; }
        touch "$1/cache.ignores-sync"
        write_and_cut "$try"
        rm "$1/cache.ignores-sync"
    done
    [ -n "$how" ] || fail "seed $SEED: $1 ignored syncs through $TRIES_TO_FIND_OUT power cuts, and nobody found out"
    [ "$try" -gt 1 ] || fail "seed $SEED: before any cut: $how"
    echo "suite: G7 ignored-syncs=$1 found-out-after-cuts=$((try - 1)): ${how:0:160}"
}

test_a_main_that_ignores_syncs_is_found_out() {
    is_found_out main
}

test_a_spare_that_ignores_syncs_is_found_out() {
    is_found_out spare
}

run_tests
