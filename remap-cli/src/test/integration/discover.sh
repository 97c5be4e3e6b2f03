#!/bin/bash
# Which devices belong together is found out, with reasons, without a write; and the one pair that is found is served.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 sha256sum

# pair NAME: files NAME.img and NAME.spare that belong together, with a unit on the spare, after a clean stop.
pair() {
    image "$1.img"
    blank "$1.spare" 16M
    serve_once "$1"
}

serve_once() {
    start_remap pair "$1.img" --spare "$1.spare"
    "$remap" map add pair 8+8 > /dev/null
    stop_service pair
}

stop_service() {
    assert_status 0 "$remap" stop "$1"
    wait_until 15 is_gone "$background_pid" || fail "it does not end"
}

# pairs_of DEVICE…: a line "MAIN SPARE CONFIDENCE ARGUMENTS" for each pair that is shown.
pairs_of() {
    "$remap" discover --json "$@" > found.json || [ $? = "$NOT_SO" ] || fail "discover fails"
    python3 -c 'import json
for pair in json.load(open("found.json"))["pairs"]:
    print(pair["main"], pair["spare"], pair["confidence"], " ".join(pair["arguments"]))' | sed "s|$PWD/||g"
}

test_pairs_among_files() {
    pair a
    pair b
    image other.img
    # The same content by another name, without the witness; and an older copy of a spare.
    cp b.img copied.img
    cp -a a.spare old.spare
    serve_once a
    remember ./*.img ./*.spare
    assert_equal "a.img a.spare certain serve a.img --spare a.spare" "$(pairs_of a.img a.spare other.img | head -n 1)" "a"
    assert_equal "a.img old.spare not " "$(pairs_of a.img old.spare)" "an older copy of the spare"
    assert_equal "copied.img b.spare likely serve copied.img --spare b.spare --adopt" "$(pairs_of copied.img b.spare)" "a copy"
    assert_equal "other.img b.spare not " "$(pairs_of other.img b.spare)" "another content"
    assert_equal "" "$(pairs_of a.img b.spare)" "halves of two pairs"
    assert_status 0 "$remap" discover a.img b.img a.spare b.spare
    assert_contains "$output" "certain"
    assert_contains "$output" "a witness that names this pair"
    assert_contains "$output" "remap serve"
    assert_status "$NOT_SO" "$remap" discover a.img b.spare
    assert_contains "$output" "which is not among these devices"
    assert_status "$NOT_SO" "$remap" discover missing.img other.img
    assert_contains "$output" "was left out"
    refused "$USAGE" "several pairs" "$remap" assemble a.img b.img a.spare b.spare
    refused "$WRONG_DEVICE" "remap discover" "$remap" assemble a.img old.spare
    refused "$WRONG_DEVICE" "remap discover" "$remap" assemble copied.img b.spare
    rm -f found.json
    assert_untouched
    echo "suite: discover: certain, likely, not a pair and halves are told apart; no file changed"
}

# assembled NAME ARGUMENT…: assembles, and returns when clients can connect.
assembled() {
    local name=$1
    shift
    start_in_background "$name" "$remap" assemble "$@" --name "$name"
    wait_until 60 is_ready_or_gone "$name" "$background_pid" || fail "not ready"
    is_running "$background_pid" || fail "it ended: $(cat "$name.err")"
}

test_the_pair_that_is_found_is_served() {
    pair a
    pair b
    assembled one a.img a.spare b.spare
    assert_contains "$("$remap" status one)" "a.spare"
    stop_service one
    local uuid
    uuid=$("$remap" discover --json b.img b.spare | python3 -c 'import json, sys
print(json.load(sys.stdin)["pairs"][0]["pairUuid"])')
    assembled two a.img b.img a.spare b.spare --pair "$uuid" --read-only
    assert_contains "$("$remap" status two)" "b.spare"
    # SIGTERM as for a server: it ends in order, with status 0.
    local pid=$background_pid status=0
    kill "$pid"
    wait "$pid" || status=$?
    assert_equal 0 "$status" "exit status after SIGTERM"
}

test_block_devices_are_found_by_themselves() {
    [ "$(id -u)" = 0 ] || { echo "suite: discover: block devices need root, left out"; return; }
    image main.img
    blank main.spare 16M
    local main spare
    main=$(losetup -f --show main.img) && at_exit losetup -d "$main"
    spare=$(losetup -f --show main.spare) && at_exit losetup -d "$spare"
    start_remap pair "$main" --spare "$spare"
    stop_service pair
    assert_status 0 "$remap" discover
    assert_contains "$output" "remap serve $main --spare $spare"
    "$remap" forget "$main" > /dev/null
}

run_tests
