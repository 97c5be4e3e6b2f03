#!/bin/bash
# One pass over a disk with many latent bad and weak sectors in bursts, by the real stack: after it remap knows exactly the
# sectors that do not read, has moved every weak one, and what it moved reads as it was written, although main has lost it since.
# REMAP_SCRUB="MIB BAD WEAK" says how large the disk is and how many sectors of it are bad and weak (a soak: 8192 10000 1000).
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

read -r SIZE_MIB BAD WEAK <<< "${REMAP_SCRUB:-512 2400 480}"
PASS_SECONDS=${REMAP_SCRUB_SECONDS:-300}
SEED=${REMAP_SEED:-7}

# places COUNT SEED: bursts, as `remap sim create` makes them; START LENGTH in bytes, whole units of 4096.
places() {
    rm -f places.img*
    "$remap" sim create places.img --size "${SIZE_MIB}M" --bad-count "$1" --seed "$2" > /dev/null
    cat places.img.sim-faults
    rm -f places.img*
}

# have_moved: all weak sectors are on the spare. Healthy ones may be too, so that their number says nothing.
have_moved() {
    "$remap" map list disk --json > map.json
    /usr/bin/python3 "$integration/scrub_places.py" moved faults map.json
}

test_one_pass_finds_all_that_is_bad_and_moves_all_that_is_weak() {
    local spare_mib=$((32 + WEAK / 128)) weak
    places "$BAD" "$SEED" > bad.list
    places "$WEAK" "$((SEED + 1))" > weak.list
    truncate -s "${SIZE_MIB}M" disk.img
    truncate -s "${spare_mib}M" spare.img
    /usr/bin/python3 "$integration/scrub_places.py" make disk.img bad.list weak.list faults > made.log
    weak=$(/usr/bin/python3 "$integration/scrub_places.py" count weak faults)
    # A unit is weak at its first error that a retry mended, or if it is slow twice.
    start_remap disk "sim:$work/disk.img?faults=$work/faults" --spare "$work/spare.img" --set smart.program=off \
        --set error-threshold=1 --set retry-backoff-ms=1,1,1 --set scan.slow-millis=500 --set scan.recheck-seconds=1 \
        --set scan.local-delay-seconds=1 --set scan.idle-millis=0 --set scan.busy-wait-millis=0 \
        --set weak.moves-per-hour=1000000 --set weak.moves-per-day=1000000
    local started=$SECONDS
    timeout "$PASS_SECONDS" "$remap" scan start disk --watch > scan.log || fail "no end of the pass: $(tail -n 3 scan.log)"
    local scanned=$((SECONDS - started))
    wait_until "$PASS_SECONDS" have_moved ||
        fail "not all of $weak weak sectors moved, $(status_number disk mappedSectors) sectors did"
    # From now on main has nothing of what was moved.
    /usr/bin/python3 "$integration/scrub_places.py" lose faults
    /usr/bin/python3 "$integration/scrub_places.py" verify "$uri" faults map.json > verified.log || fail "$(cat verified.log)"
    echo "suite: scrub: $SIZE_MIB MiB, $(cat made.log); the pass took $scanned s; $(cat verified.log)"
}

run_tests
