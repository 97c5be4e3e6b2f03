#!/bin/bash
# kill -9 of the server at any moment: what was acknowledged is found again.
# On each transport, see check.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools /usr/bin/python3

# Numbers per transport.
KILLS=${REMAP_CRASH_KILLS:-8}
POINTS=${REMAP_CRASH_POINTS:-10}
SEED=${REMAP_SEED:-$(date +%j)}
SECTORS=65536
# A point lies among the first so many calls of a thread of the server.
FIRST_PWRITES=200
FIRST_SYNCS=100
# A server that has not come to its point after so many writes is killed where it is.
WRITES_TO_A_POINT=3000

client() {
    /usr/bin/python3 "$integration/verifying_client.py" "$@"
}

# A failing disk, a spare, and what is expected of them.
make_disk() {
    /usr/bin/python3 -c 'import nbd' || fail "the Python module nbd (python3-libnbd) is missing"
    echo "seed $SEED (REMAP_SEED=$SEED repeats the choices)"
    client make state "$SECTORS" disk.img bad.map "$SEED"
    truncate -s 64M spare.img
    disk=("sim:$work/disk.img?faults=$work/bad.map" --spare "$work/spare.img" --pid-file "$work/pid")
}

# checked: what is served is what must be there after kill -9.
checked() {
    client check state disk.sock kill > checked 2>&1 || fail "seed $SEED: $(cat checked)"
}

# started_and_checked NAME: with more bad sectors than before; 1 if the server ended before it was ready.
started_and_checked() {
    client worsen "$SECTORS" "$SEED/$1" >> bad.map
    try_to_start_remap disk "${disk[@]}" || return 1
    checked
}

# wait_until_killed: by SIGKILL, and not of itself.
wait_until_killed() {
    local status=0
    wait "$background_pid" 2> /dev/null || status=$?
    assert_equal 137 "$status" "exit status of a server that was killed: $(cat disk.err)"
}

# The last of all: a start, a clean stop, and a start once more.
checked_and_stopped() {
    local i
    for i in 1 2; do
        start_remap disk "${disk[@]}"
        checked
        stop_remap
    done
}

test_acknowledged_writes_survive_kill_9() {
    make_disk
    local kill said killed=0
    for ((kill = 1; kill <= KILLS; kill++)); do
        started_and_checked "$kill" || fail "seed $SEED, kill $kill: it ended: $(cat disk.err)"
        said=$(client write state disk.sock "$SEED/$kill" 0 "$background_pid") || fail "seed $SEED, kill $kill: $said"
        [[ $said == "killed after "* ]] || fail "seed $SEED, kill $kill: the server ended by itself: $said: $(cat disk.err)"
        wait_until_killed
        killed=$((killed + 1))
    done
    checked_and_stopped
    echo "suite: G5 kills=$killed $(client totals state) $(cat checked) lost=0 seed=$SEED"
}

# points_of_this_run: lines "CALL N", drawn by the seed; all of them if there are to be so many. The transports share the
# latter.
points_of_this_run() {
    python3 -c 'import random, sys
pwrites, syncs, wanted, seed, share = sys.argv[1:]
points = [("pwrite64", n) for n in range(1, int(pwrites) + 1)] + [("fdatasync", n) for n in range(1, int(syncs) + 1)]
chosen = points[share == "fast"::2] if int(wanted) >= len(points) // 2 else random.Random(seed + share).sample(points, int(wanted))
for point in chosen:
    print(*point)' "$FIRST_PWRITES" "$FIRST_SYNCS" "$POINTS" "$SEED" "${REMAP_TEST_TRANSPORT:-}"
}

# What io_uring writes is no call that strace could see; over the fast transport workers write instead.
test_killed_at_the_nth_write_or_sync_of_a_thread() {
    require_tools strace
    make_disk
    [ "${REMAP_TEST_TRANSPORT:-}" != fast ] || disk+=(--set fast.direct=workers)
    # Less to compile: each of its calls stops twice.
    export REMAP_JAVA_OPTS="${REMAP_JAVA_OPTS:-} -XX:TieredStopAtLevel=1"
    local call number hit=0 at_start=0 missed=0 said
    while read -r call number <&3; do
        remap_prefix=(strace -f -qq -o trace -P "$work/disk.img" -P "$work/spare.img" -e "trace=$call"
            -e "inject=$call:signal=KILL:when=$number")
        if started_and_checked "$call/$number"; then
            said=$(client write state disk.sock "$SEED/$call/$number" "$WRITES_TO_A_POINT" "$(cat pid)") ||
                fail "seed $SEED, at $call $number: $said"
            case $said in
                gone*) hit=$((hit + 1)) ;;
                *) missed=$((missed + 1)) ;;
            esac
        else
            at_start=$((at_start + 1))
        fi
        wait_until_killed
        grep -q 'killed by SIGKILL' trace || fail "seed $SEED: not killed at $call $number: $(cat disk.err)"
    done 3< <(points_of_this_run)
    remap_prefix=()
    checked_and_stopped
    [ $((hit + at_start)) -ge $((POINTS / 2)) ] || fail "only $((hit + at_start)) points were reached"
    echo "suite: G5 points=$((hit + at_start)) at-start=$at_start under-load=$hit not-reached=$missed" \
        "$(client totals state) $(cat checked) lost=0 seed=$SEED"
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
    require_tools strace nbdcopy
    head -c 4M /dev/urandom > original
    local point
    # Writes 1 to 22: the format is not complete. From 23 on it is, and only the witness may be missing.
    for point in "pwrite64 1" "pwrite64 22" "fdatasync 3" "pwrite64 23" "fsetxattr 1"; do
        rm -f main.img spare.img
        cp original main.img
        truncate -s 8M spare.img
        killed_at "${point% *}" "${point#* }" create main.img --spare spare.img
        assert_same_content main.img original
        case $point in
            "pwrite64 23" | fsetxattr*)
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
    require_tools strace nbdcopy
    head -c 4M /dev/urandom > original
    local point
    for point in "fallocate* 1" "linkat* 1" "fsync 1" "pwrite64 9" "pwrite64 23" "fsetxattr 1"; do
        rm -f main.img main.img.spare
        cp original main.img
        killed_at "${point% *}" "${point#* }" serve main.img --name disk
        assert_same_content main.img original
        assert_served main.img
        assert_same_content main.img original
    done
}

run_tests
