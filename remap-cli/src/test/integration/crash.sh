#!/bin/bash
# kill -9 of the server at any moment: what was acknowledged is found again.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools /usr/bin/python3

ROUNDS=${REMAP_CRASH_ROUNDS:-8}
SEED=${REMAP_SEED:-$(date +%j)}

test_acknowledged_writes_survive_kill_9() {
    /usr/bin/python3 -c 'import nbd' || fail "the Python module nbd (python3-libnbd) is missing"
    echo "seed $SEED (REMAP_SEED=$SEED repeats the choices)"
    /usr/bin/python3 "$integration/verifying_client.py" "$remap" "$work" "$ROUNDS" "$SEED"
}

run_tests
