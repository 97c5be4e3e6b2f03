#!/bin/bash
# kill -9 of the server at any moment: what was acknowledged is found again.
# On each transport, see check.
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

# killed_at CALL N COMMAND...: runs remap and kills it as it makes the N-th CALL on main, a spare or their directory. A
# file that has no name yet cannot be asked for: CALL* is any such call.
killed_at() {
    local call=${1%\*} number=$2 status=0 paths=()
    [ "$call" != "$1" ] || paths=(-P "$work" -P "$work/main.img" -P "$work/spare.img" -P "$work/main.img.spare")
    shift 2
    timeout 60 strace -f -qq -o trace "${paths[@]}" -e "trace=$call" -e "inject=$call:signal=KILL:when=$number" \
        "$remap" "$@" > killed.out 2>&1 || status=$?
    [ "$status" = 137 ] || fail "not killed at $call $number, but ended with $status: $(cat killed.out)"
}

# What is served after the crash is what main holds, and a sector can be moved to the spare.
assert_served() {
    start_remap disk "$@"
    nbdcopy "$uri" - | cmp - original || fail "what is served is not what main holds"
    assert_status 0 "$remap" map add disk 8+8
    kill_remap "$background_pid"
}

test_killed_while_a_spare_is_formatted() {
    command -v strace nbdcopy > /dev/null || { echo "suite: killed while formatting: needs strace and nbdcopy, left out"; return; }
    head -c 4M /dev/urandom > original
    local point
    # Writes 1 to 16: the format is not complete. From 17 on it is, and only the witness may be missing.
    for point in "pwrite64 1" "pwrite64 16" "fdatasync 3" "pwrite64 17" "fsetxattr 1"; do
        rm -f main.img spare.img
        cp original main.img
        truncate -s 8M spare.img
        killed_at "${point% *}" "${point#* }" create main.img --spare spare.img
        assert_same_content main.img original
        case $point in
            "pwrite64 17" | fsetxattr*)
                assert_status 5 "$remap" create main.img --spare spare.img
                assert_contains "$output" "--force"
                ;;
            "pwrite64 1") ;; # serve formats what is blank
            *) assert_status 0 "$remap" create main.img --spare spare.img ;;
        esac
        assert_served main.img --spare spare.img
        assert_same_content main.img original
    done
}

test_killed_while_serve_makes_and_formats_a_spare() {
    command -v strace nbdcopy > /dev/null || { echo "suite: killed while serving first: needs strace and nbdcopy, left out"; return; }
    head -c 4M /dev/urandom > original
    local point
    for point in "fallocate* 1" "linkat* 1" "fsync 1" "pwrite64 9" "pwrite64 17" "fsetxattr 1"; do
        rm -f main.img main.img.spare
        cp original main.img
        killed_at "${point% *}" "${point#* }" serve main.img --name disk
        assert_same_content main.img original
        assert_served main.img
        assert_same_content main.img original
    done
}

run_tests
