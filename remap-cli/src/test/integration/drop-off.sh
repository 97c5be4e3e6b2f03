#!/bin/bash
# A disk that drops off under load and comes back: requests wait, none fails, nothing is mapped. Over both transports.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

DEADLINE_MILLIS=20000
AWAY_SECONDS=3
SEED=${REMAP_SEED:-7}

# list_of_faults [LINE]: takes the place of the one before at once.
list_of_faults() {
    printf '%s\n' "$@" > faults.new
    mv faults.new faults
}

is_held() {
    [ "$(attribute disk disk.disk.drop-off.held)" -gt "$1" ]
}

drops_off() {
    list_of_faults ""
    truncate -s 32M spare.img
    start_remap disk "sim:main.img?size=32M&faults=faults" --spare "$work/spare.img" --transport "$1" \
        --set request-deadline-millis="$DEADLINE_MILLIS"
    /usr/bin/python3 "$integration/stuck_client.py" "$uri" none "$work/enough" "$DEADLINE_MILLIS" "$SEED" > client.log 2>&1 &
    local client=$! held=0 times
    for times in 1 2; do
        sleep 2
        list_of_faults gone
        wait_until 10 is_held "$held" || fail "no request was held, time $times"
        sleep "$AWAY_SECONDS"
        held=$(attribute disk disk.disk.drop-off.held)
        list_of_faults ""
    done
    # Under load until here; the requests that wait are answered when the disk is back.
    is_running "$client" || fail "the load ended: $(cat client.log)"
    : > enough
    wait "$client" || fail "$(cat client.log)"
    assert_equal 0 "$(status_number disk mappedSectors)" "mapped sectors after a drop-off"
    assert_contains "$("$remap" events disk)" "device back"
    echo "suite: $1: $(attribute disk disk.disk.drop-off.resumed) times a request waited for the disk and went on," \
        "0 mappings; $(cat client.log)"
}

test_plain() {
    drops_off plain
}

test_fast() {
    drops_off fast
}

run_tests
