#!/bin/bash
# Sectors that hang for 30 s under a mixed load: who asks for others does not wait, and nobody waits longer than the
# deadline. Over both transports, each with one such sector and with eight.
# Alone: it prints how long requests took; with REMAP_STUCK_P100_MILLIS (a soak: 100) no healthy one may take longer.
# shellcheck disable=SC2317 # run_tests calls the tests

export REMAP_JAVA_OPTS=${REMAP_JAVA_OPTS-}
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

STUCK_MILLIS=30000
DEADLINE_MILLIS=20000
LOAD_SECONDS=${REMAP_STUCK_SECONDS:-22}
SEED=${REMAP_SEED:-5}

# hangs NAME TRANSPORT SECTOR,SECTOR,...: serves a disk on which these hang.
hangs() {
    local sector
    for sector in ${3//,/ }; do
        echo "$((sector * 512)) 512 slow $STUCK_MILLIS"
    done > "$1.faults"
    truncate -s 64M "$1.spare"
    start_remap "$1" "sim:$1.img?size=64M&faults=$1.faults" --spare "$work/$1.spare" --transport "$2" \
        --set request-deadline-millis="$DEADLINE_MILLIS" --set drain-timeout-millis=500 --set save-timeout-millis=5000
    /usr/bin/python3 "$integration/stuck_client.py" "$uri" "$3" "$LOAD_SECONDS" "$DEADLINE_MILLIS" "$SEED" \
        ${REMAP_STUCK_P100_MILLIS:+"$REMAP_STUCK_P100_MILLIS"} > "$1.log" 2>&1 &
    clients+=($!)
}

# hang_on TRANSPORT: one and eight, on two disks at the same time.
hang_on() {
    local clients=() client name status=0
    hangs one "$1" 5000
    hangs eight "$1" 5000,15000,25000,35000,45000,55000,65000,75000
    for client in "${clients[@]}"; do
        wait "$client" || status=1
    done
    [ "$status" = 0 ] || fail "$(cat one.log eight.log)"
    for name in one eight; do
        echo "suite: $1, $name of the sectors hang: $(cat $name.log)"
        [ "$("$remap" attributes "$name" get "disk.$name.deadline.overdue")" -gt 0 ] || fail "no request was overdue"
    done
}

test_plain() {
    hang_on plain
}

test_fast() {
    hang_on fast
}

run_tests
