#!/bin/bash
# What must not be served: a disk that another server has, by whatever name, and devices that do not belong together. Each
# is refused with the reason and a way out, and not one byte of either device changes.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 sha256sum

ROUNDS=${REMAP_OWNER_ROUNDS:-1}
# Which calls of a kind it is killed at.
STOP_KILLS=${REMAP_STOP_KILLS:-1 3}

trials=0

# busy ARGUMENT…: remap is refused the devices that the owner has, and nothing is written.
busy() {
    refused "$BUSY" "${owner_words:-process}" "$remap" "$@"
    trials=$((trials + 1))
}

# pair NAME: files NAME.img and NAME.spare that belong together, with a unit on the spare, and not served.
pair() {
    image "$1.img"
    blank "$1.spare" 16M
    serve_once "$1.img" "$1.spare" 8+8
}

# serve_once MAIN SPARE RANGE: moves the range to the spare.
serve_once() {
    start_remap pair "$1" --spare "$2"
    assert_status 0 "$remap" map add pair "$3"
    stop_remap
}

# ---- Two servers, one disk (G15) -----------------------------------------------------------------------------------

# all_names_are_busy: main.img and main.spare are served.
all_names_are_busy() {
    local name
    for name in main.img symbolic hard sim:main.img 'main.img?offset=0&length=4M'; do
        busy serve "$name" --spare other.spare --name second
    done
    busy serve main.img --spare main.spare --name second --force
    busy serve main.img --spare main.spare --name second --read-only
    busy serve main.spare --spare main.img --name second
    busy serve main.spare --no-spare --name second --force
    busy serve other.img --spare main.spare --name second
    busy create main.img --spare other.spare --force
    busy create other.img --spare main.spare --force
    busy forget main.img
    if [ "$(id -u)" = 0 ]; then
        busy serve "$suite_directory/bound/main.img" --spare "$suite_directory/bound/main.spare" --name second
    fi
}

# An owner that is stopped still owns.
some_names_are_busy() {
    busy serve main.img --spare main.spare --name second --force
    busy serve hard --spare other.spare --name second
    busy serve main.spare --spare main.img --name second
    busy create other.img --spare main.spare --force
}

test_a_disk_is_served_by_one() {
    pair main
    image other.img
    blank other.spare 16M
    ln -s main.img symbolic
    ln main.img hard
    if [ "$(id -u)" = 0 ]; then
        mkdir "$suite_directory/bound"
        mount --bind . "$suite_directory/bound"
        at_exit umount "$suite_directory/bound"
    fi
    local round owner started reopened=0 slowest=0
    for ((round = 0; round < ROUNDS; round++)); do
        start_remap owner main.img --spare main.spare
        owner=$background_pid
        remember main.img main.spare other.img other.spare
        all_names_are_busy
        assert_untouched
        kill -STOP "$owner"
        some_names_are_busy
        assert_untouched
        kill -CONT "$owner"
        assert_status 0 "$remap" status owner
        kill_remap "$owner"
        started=$EPOCHREALTIME
        start_remap owner main.img --spare main.spare
        slowest=$(awk -v n="$EPOCHREALTIME" -v t="$started" -v s="$slowest" 'BEGIN { x = n - t; print (x > s ? x : s) }')
        reopened=$((reopened + 1))
        kill_remap "$background_pid"
    done
    echo "suite: G15 trials=$trials refused=$trials bytes-written=0 reopened-after-kill=$reopened slowest-seconds=$slowest"
}

test_a_block_device_is_served_by_one() {
    require_root
    image main.img
    blank main.spare 16M
    blank other.spare 16M
    local main spare second round name owner_words=' in use'
    main=$(losetup -f --show main.img) && at_exit losetup -d "$main"
    spare=$(losetup -f --show main.spare) && at_exit losetup -d "$spare"
    second=$(losetup -f --show main.img) && at_exit losetup -d "$second"
    ln -s "$main" symbolic
    mknod node b "0x$(stat -c %t "$main")" "0x$(stat -c %T "$main")"
    for ((round = 0; round < ROUNDS; round++)); do
        start_remap owner "$main" --spare "$spare"
        remember main.img main.spare other.spare
        for name in "$main" symbolic node "$main?offset=0&length=4M" "$second" main.img; do
            busy serve "$name" --spare other.spare --name second
        done
        busy serve "$main" --spare other.spare --name second --read-only
        busy serve "$spare" --spare "$main" --name second
        kill -STOP "$background_pid"
        busy serve "$main" --spare other.spare --name second --force
        busy create "$main" --spare other.spare --force
        assert_untouched
        kill -CONT "$background_pid"
        kill_remap "$background_pid"
        start_remap owner "$main" --spare "$spare"
        kill_remap "$background_pid"
    done
    echo "suite: G15 block-device trials=$trials refused=$trials bytes-written=0 reopened-after-kill=$ROUNDS"
}

# ---- Wrong devices (G16) -------------------------------------------------------------------------------------------

# wrong STATUS PART ARGUMENT…: remap refuses it, with a way out, and no file is written to.
wrong() {
    refused "$@"
    assert_unwritten
    trials=$((trials + 1))
}

test_devices_that_do_not_belong_together() {
    pair a
    pair b
    image new.img
    image foreign.spare
    blank blank.spare 16M
    # Another file by the name of a main.
    pair gone
    rm gone.img && image gone.img
    # Old copies of both, of a time before the last mapping. xattr and times come along.
    cp -a a.spare old.spare
    cp -a a.img old.img
    # A copy of the spare made while the very run served it that is the last one of its main.
    start_remap pair a.img --spare a.spare
    assert_status 0 "$remap" map add pair 64+8
    cp -a a.spare running.spare
    stop_remap
    # A clone of a pair; then the first of the two goes on, with the same sectors mapped.
    pair c
    cp -a c.img clone.img
    cp -a c.spare clone.spare
    start_remap pair c.img --spare c.spare
    stop_remap
    cp -a a.img cut.img && truncate -s 4M cut.img
    cp -a a.img grown.img && truncate -s 12M grown.img
    cp -a a.spare cut.spare && truncate -s 8M cut.spare
    cp -a a.spare marked.spare
    python3 -c 'import os
size = os.path.getsize("marked.spare")
with open("marked.spare", "r+b") as spare:
    for at in (0, 1 << 20, size // 2 >> 16 << 16, size - (64 << 10) >> 16 << 16):
        spare.seek(at)
        spare.write(bytes(range(256)) * 16)'
    remember ./*.img ./*.spare
    local read_only
    for read_only in "" --read-only; do
        # shellcheck disable=SC2086 # one word or none
        set -- $read_only
        wrong "$WRONG_DEVICE" "--spare" "$remap" serve a.img --spare b.spare "$@"
        wrong "$WRONG_DEVICE" "--spare" "$remap" serve b.img --spare a.spare "$@"
        wrong "$WRONG_DEVICE" "--adopt" "$remap" serve new.img --spare a.spare "$@"
        wrong "$WRONG_DEVICE" "--adopt" "$remap" serve gone.img --spare gone.spare "$@"
        wrong "$WRONG_DEVICE" "remap forget" "$remap" serve a.img --spare blank.spare "$@"
        wrong "$WRONG_DEVICE" "remap forget" "$remap" serve a.img --no-spare "$@"
        wrong "$WRONG_DEVICE" "remap forget" "$remap" serve a.img --spare foreign.spare "$@"
        wrong "$WRONG_DEVICE" "restored from a copy" "$remap" serve a.img --spare old.spare "$@"
        wrong "$WRONG_DEVICE" "not stopped in order" "$remap" serve a.img --spare running.spare "$@"
        wrong "$WRONG_DEVICE" "at another time" "$remap" serve old.img --spare a.spare "$@"
        wrong "$WRONG_DEVICE" "clone" "$remap" serve clone.img --spare c.spare "$@"
        wrong "$WRONG_DEVICE" "remap forget" "$remap" serve c.img --spare clone.spare "$@"
        wrong "$WRONG_DEVICE" "bytes" "$remap" serve cut.img --spare a.spare "$@"
        wrong "$WRONG_DEVICE" "bytes" "$remap" serve grown.img --spare a.spare "$@"
        wrong "$WRONG_DEVICE" "" "$remap" serve a.spare --spare a.img "$@"
    done
    wrong "$WRONG_DEVICE" "--force" "$remap" serve a.spare --no-spare
    wrong "$WRONG_DEVICE" "" "$remap" serve new.img --spare a.img
    wrong "$WRONG_DEVICE" "remap forget" "$remap" create new.img --spare a.img
    wrong "$WRONG_DEVICE" "--force" "$remap" create new.img --spare a.spare
    wrong "$WRONG_DEVICE" "remap forget" "$remap" create a.img --spare blank.spare --force
    wrong "$DAMAGED" "" "$remap" serve a.img --spare cut.spare
    wrong "$WRONG_DEVICE" "remap forget" "$remap" serve a.img --spare marked.spare
    assert_untouched
    # And those that belong together are served, also both pairs of a clone, each by itself, and after a repair.
    serve_once a.img a.spare 128+8
    serve_once b.img b.spare 128+8
    serve_once c.img c.spare 128+8
    serve_once clone.img clone.spare 128+8
    dd if=/dev/zero of=a.spare bs=4096 count=1 conv=notrunc status=none
    assert_status 0 "$remap" repair a.spare --apply
    serve_once a.img a.spare 160+8
    # A spare that grew is the same one.
    truncate -s 20M a.spare
    serve_once a.img a.spare 192+8
    echo "suite: G16 cases=$trials refused=$trials files-changed=0"
}

# After a kill main remembers no stop, and numbers of copies grow as well: which session has begun them tells.
test_copies_after_a_kill() {
    pair a
    cp -a a.spare old.spare
    cp -a a.img clone.img
    cp -a a.spare clone.spare
    start_remap pair a.img --spare a.spare
    assert_status 0 "$remap" map add pair 64+8
    kill_remap "$background_pid"
    local round
    for round in 1 2 3; do
        dd if=/dev/zero of=old.spare bs=4096 count=1 conv=notrunc status=none
        assert_status 0 "$remap" repair old.spare --apply
        serve_once clone.img clone.spare "$((128 + 8 * round))+8"
    done
    start_remap pair clone.img --spare clone.spare
    kill_remap "$background_pid"
    remember ./*.img ./*.spare
    local read_only
    for read_only in "" --read-only; do
        # shellcheck disable=SC2086 # one word or none
        set -- $read_only
        wrong "$WRONG_DEVICE" "another session" "$remap" serve a.img --spare old.spare "$@"
        wrong "$WRONG_DEVICE" "another session" "$remap" serve a.img --spare clone.spare "$@"
        wrong "$WRONG_DEVICE" "remap forget" "$remap" serve clone.img --spare a.spare "$@"
    done
    assert_untouched
    "$remap" check a.spare --main a.img || fail "the right one"
    "$remap" check old.spare --main a.img > checked && fail "an older one"
    grep -q 'another session' checked || fail "$(cat checked)"
    # The right ones are served, and what main remembers can be given up.
    start_remap pair a.img --spare a.spare
    kill_remap "$background_pid"
    serve_once a.img a.spare 192+8
    serve_once clone.img clone.spare 192+8
    assert_status 0 "$remap" forget a.img
    start_remap pair a.img --spare old.spare --adopt
    stop_remap
    echo "suite: G16 copies-after-a-kill=$trials refused=$trials files-changed=0"
}

# ---- No false refusal ----------------------------------------------------------------------------------------------

# The server dies at the n-th sync of data, of a file or of an attribute by one of its threads, in its start, its life or
# its stop: the pair is served again. Then a clean stop, so that the next start has something to take back.
test_killed_around_a_stop() {
    require_tools strace
    pair main
    export REMAP_JAVA_OPTS="${REMAP_JAVA_OPTS:-} -XX:TieredStopAtLevel=1"
    local call number killed=0 ended=0 unit=16
    for call in fdatasync fsync fsetxattr pwrite64; do
        for number in $STOP_KILLS; do
            remap_prefix=(strace -f -qq -o trace -e "trace=$call" -e "inject=$call:signal=KILL:when=$number")
            if try_to_start_remap main main.img --spare main.spare; then
                "$remap" map add main "$((unit += 8))+8" > /dev/null 2>&1 || true
                "$remap" stop main > /dev/null 2>&1 || true
            fi
            wait_until 30 is_gone "$background_pid" || fail "it does not end after $call $number"
            remap_prefix=()
            if grep -q 'killed by SIGKILL' trace; then killed=$((killed + 1)); else ended=$((ended + 1)); fi
            start_remap main main.img --spare main.spare
            stop_remap
        done
    done
    [ "$killed" -gt "$ended" ] || fail "only $killed kills, $ended ended"
    echo "suite: G16 kills-around-a-stop=$killed not-reached=$ended false-refusals=0"
}

run_tests
