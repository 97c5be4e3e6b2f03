#!/bin/bash
# Which devices belong together is found out, with reasons, without a write; and the one pair that is found is served.
# Alone: it looks at all block devices of the machine.
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
    stop_remap
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
    assert_contains "$(tr '\0' ' ' < "/proc/$background_pid/cmdline")" "-Xmx512m"
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

test_names_that_look_like_options() {
    image ./-x.img
    blank ./-x.spare 16M
    assert_status 0 "$remap" create --spare=-x.spare -- -x.img
    assert_equal "./-x.img ./-x.spare certain serve ./-x.img --spare ./-x.spare" "$(pairs_of -- -x.img -x.spare)" "named"
    start_in_background disk "$remap" assemble --name disk -- -x.img -x.spare
    wait_until 60 is_ready_or_gone disk "$background_pid" || fail "not ready"
    is_running "$background_pid" || fail "it ended: $(cat disk.err)"
    stop_service disk
}

# members_of DEVICE…: a line "NUMBER DEVICE STATE" for each further spare of the first pair that is shown.
members_of() {
    "$remap" discover --json "$@" > found.json || [ $? = "$NOT_SO" ] || fail "discover fails"
    python3 -c 'import json
for member in json.load(open("found.json"))["pairs"][0]["members"]:
    print(member["number"], member["device"], member["state"])' | sed "s|$PWD/||g"
}

# with_further: a.img with a.spare, and b.spare, on which its mappings stand.
with_further() {
    pair a
    start_remap pair a.img --spare a.spare
    assert_status 0 "$remap" spare add pair b.spare --create 16M
    assert_status 0 "$remap" spare evacuate pair 0
    assert_status 0 "$remap" spare keep pair 0
    stop_service pair
}

test_further_spares_go_with_their_pair() {
    with_further
    cp --sparse=always b.spare older.spare
    start_remap pair a.img --spare a.spare
    stop_service pair
    local all="a.img a.spare certain serve a.img --spare a.spare --spare b.spare"
    assert_equal "$all" "$(pairs_of a.img a.spare b.spare)" "all are named"
    assert_equal "1 b.spare present" "$(members_of a.img a.spare b.spare)" "a further spare"
    assert_equal "$all" "$(pairs_of a.img a.spare)" "found where it was the last time"
    assert_equal "$all" "$(pairs_of a.img older.spare a.spare)" "beside an older copy"
    rm -f found.json
    remember ./*.img ./*.spare
    mv b.spare moved.spare
    assert_equal "1 None missing" "$(members_of a.img a.spare)" "a missing one"
    local without="a.img a.spare certain serve a.img --spare a.spare --missing-spares"
    assert_equal "$without" "$(pairs_of a.img a.spare)" "one is missing"
    assert_equal "1 older.spare older" "$(members_of a.img a.spare older.spare)" "an older copy"
    assert_equal "$without" "$(pairs_of a.img a.spare older.spare)" "an older copy is not served"
    assert_equal "${all/b.spare/moved.spare}" "$(pairs_of a.img moved.spare a.spare)" "by another name"
    assert_status 0 "$remap" discover a.img a.spare
    assert_contains "$output" "on which 1 units of 4096 bytes stand"
    assert_contains "$output" "b.spare"
    cp --sparse=always moved.spare twin.spare
    assert_equal "a.img a.spare certain " "$(pairs_of a.img a.spare moved.spare twin.spare)" "one that is there twice"
    refused "$WRONG_DEVICE" "name the one that was served last" "$remap" assemble a.img a.spare moved.spare twin.spare
    rm twin.spare
    # From the copy of the table on the other one the first one is found where it was, or missed.
    assert_equal "a.img moved.spare certain serve a.img --spare moved.spare --spare a.spare" "$(pairs_of a.img moved.spare)" \
        "from the other spare"
    mv a.spare away
    assert_equal "0 None missing" "$(members_of a.img moved.spare)" "a missing first spare"
    assert_equal "a.img moved.spare certain serve a.img --spare moved.spare --missing-spares" "$(pairs_of a.img moved.spare)" \
        "the first one is missing"
    refused "$WRONG_DEVICE" "--missing-spares" "$remap" assemble a.img moved.spare
    mv away a.spare
    refused "$WRONG_DEVICE" "--missing-spares" "$remap" assemble a.img a.spare
    mv moved.spare b.spare && rm -f found.json
    assert_untouched
    # Served with what is there; then by its new name.
    mv b.spare moved.spare
    assembled one a.img a.spare --missing-spares
    assert_contains "$("$remap" spare list one)" "missing"
    stop_service one
    assembled two a.img moved.spare a.spare
    assert_contains "$("$remap" spare list two)" "moved.spare"
    assert_status 0 "$remap" map remove two 8+8
    assert_status 0 "$remap" spare remove two 1
    stop_service two
    assert_status "$NOT_SO" "$remap" discover older.spare
    assert_status 0 "$remap" discover a.img a.spare older.spare
    assert_contains "$output" "was taken out of it"
    echo "suite: discover: further spares by old and new names; missing, older, twice, lone and removed ones are told apart"
}

test_any_spare_with_the_table_finds_its_pair() {
    with_further
    start_remap pair a.img --spare a.spare
    assert_status 0 "$remap" spare add pair c.spare --create 16M
    stop_service pair
    assert_status "$NOT_SO" "$remap" discover a.img c.spare
    assert_contains "$output" "whose spares with the table of the mappings are not among these devices"
    # Both goes on where the other one is: by the first spare, if it counts.
    assert_equal "a.img a.spare certain serve a.img --spare a.spare --spare b.spare --spare c.spare" \
        "$(pairs_of a.img b.spare a.spare)" "both with the table"
    # The first one is left behind.
    mv a.spare away
    assembled one a.img b.spare c.spare --missing-spares
    assert_contains "$("$remap" spare list one)" "missing"
    stop_service one
    mv away a.spare
    rm -f found.json
    remember ./*.img ./*.spare
    local from_other="a.img b.spare certain serve a.img --spare b.spare --spare a.spare --spare c.spare"
    assert_equal "$from_other" "$(pairs_of a.img a.spare b.spare c.spare)" "the table of the other one counts"
    assert_equal "a.img a.spare not " "$(pairs_of a.img a.spare | head -n 1)" "the first one alone"
    rm -f found.json
    assert_untouched
    cp --sparse=always a.spare removed.spare
    # It comes back, and is taken out.
    assembled two a.img a.spare b.spare c.spare
    assert_status 0 "$remap" spare remove two 0
    stop_service two
    local without="a.img b.spare certain serve a.img --spare b.spare --spare c.spare"
    assert_equal "$without" "$(pairs_of a.img b.spare)" "without the first one"
    assert_equal "a.img c.spare certain serve a.img --spare c.spare --spare b.spare" "$(pairs_of a.img c.spare)" "from the copy"
    assert_equal "$without" "$(pairs_of a.img c.spare b.spare removed.spare)" "beside the one that was taken out"
    assert_status 0 "$remap" discover a.img b.spare removed.spare
    assert_contains "$output" "is spare 0 of pair"
    assert_contains "$output" "was taken out of it"
    assembled three a.img c.spare
    assert_contains "$("$remap" spare list three)" "b.spare"
    stop_service three
    echo "suite: discover: a pair is found and served from any spare with its table; one left behind or taken out is told"
}

test_block_devices_are_found_by_themselves() {
    require_root
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
