#!/bin/bash
# What a user sees and mends of the metadata of a spare: check, repair, dump, metadata status, save, sync and restore, on images that are
# damaged with dd, offline and while they are served.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 nbdinfo

NOT_SO=1
USAGE=2
ENVIRONMENT=3
BUSY=4
WRONG_DEVICE=5
DAMAGED=6

# pair: main.img and main.img.spare, with 16 sectors moved to the spare, and no server. content is what they hold: of the
# moved ones something else than main has, or a spare without mappings would show the same.
pair() {
    head -c 8M /dev/urandom > main.img
    cp main.img content
    head -c 8192 /dev/urandom | dd of=content bs=512 seek=2048 iflag=fullblock conv=notrunc status=none
    start_remap disk "$PWD/main.img"
    assert_status 0 "$remap" map add disk 2048+16
    python3 - "$uri" << 'PYTHON'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
h.pwrite(open("content", "rb").read()[2048 * 512:2064 * 512], 2048 * 512)
h.flush()
PYTHON
    # So that the mapping stands in the table, and not in the log.
    assert_status 0 "$remap" metadata sync disk
    stop_remap
}

# what_stands_there: all reads as before, through a server, the moved sectors from the spare.
what_stands_there() {
    start_remap disk "$PWD/main.img"
    python3 - "$uri" << 'PYTHON'
import nbd, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
content = open("content", "rb").read()
assert h.pread(len(content), 0) == content, "other content"
PYTHON
    assert_equal 16 "$(status_number disk mappedSectors)" "mapped sectors"
    stop_remap
}

# parts_in_force ARGUMENT...: what `remap check --json` says of them, for offset_of.
parts_in_force() {
    "$remap" check "$@" --json > check.json
}

# offset_of header|table|log 0|1: where that part of a copy begins.
offset_of() {
    python3 - "$1" "$2" << 'PYTHON'
import json, sys
document = json.load(open("check.json"))
assert document["json_format_version"] == 1
name = "copy %s %s" % (sys.argv[2], sys.argv[1])
print(*[p["offsetBytes"] for p in document["checks"][0]["report"]["parts"] if p["inForce"] and p["name"].endswith(name)])
PYTHON
}

# damage OFFSET: a block of the spare.
damage() {
    dd if=/dev/urandom of=main.img.spare bs=4096 seek="$(($1 / 4096))" count=1 conv=notrunc status=none
}

unchanged() {
    assert_equal "$before" "$(sha256sum main.img.spare)" "the spare after $*"
}

test_a_sound_spare_and_one_that_rots() {
    pair
    before=$(sha256sum main.img.spare)
    assert_status 0 "$remap" check main.img.spare --main main.img --level full
    assert_contains "$output" "16 sectors were read, 0 cannot be read"
    assert_status 0 "$remap" repair main.img.spare --apply
    assert_contains "$output" "nothing to repair"
    assert_status 0 "$remap" dump main.img.spare
    assert_contains "$output" "firstUnit 256, units 2"
    "$remap" dump main.img.spare --json > dump.json
    python3 - > offset << 'PYTHON'
import json
dump = json.load(open("dump.json"))
assert dump["json_format_version"] == 1
assert [s["state"] for s in dump["superblocks"]] == ["whole"] * 4
assert len(dump["headers"]) == 4 and dump["badSlots"] == []
assert [(e["firstUnit"], e["units"], e["onSlotMask"]) for e in dump["entries"]] == [(256, 2, 255)]
assert "clean" in [r["kind"] for r in dump["log"]]
offset = dump["entries"][0]["slotOffsetBytes"]
content = open("content", "rb").read()[2048 * 512:2064 * 512]
assert open("main.img.spare", "rb").read()[offset:offset + 8192] == content
print(offset)
PYTHON
    echo "$(($(cat offset) + 1024)) 1024 read-bad-heals-on-write" > bad.map
    assert_status "$NOT_SO" "$remap" check 'sim:main.img.spare?faults=bad.map' --level full
    assert_contains "$output" "sectors 2050+2 stand on the spare and cannot be read"
    assert_contains "$output" "14 sectors were read, 2 cannot be read"
    unchanged "looking at it"
}

test_restored_from_the_copy_that_is_named() {
    pair
    assert_status 0 "$remap" metadata restore main.img.spare --from-copy 0 --apply
    assert_contains "$output" "nothing to repair"
    parts_in_force main.img.spare
    damage "$(offset_of table 0)"
    before=$(sha256sum main.img.spare)
    refused "$USAGE" "there are copies 0 and 1" "$remap" metadata restore main.img.spare --from-copy 2
    refused "$DAMAGED" "copy 1 is: --from-copy 1" "$remap" metadata restore main.img.spare --from-copy 0 --apply
    assert_status "$NOT_SO" "$remap" metadata restore main.img.spare --from-copy 1
    assert_contains "$output" "to do it: remap metadata restore main.img.spare --from-copy 1 --apply"
    unchanged "refusals and a dry run"
    assert_status 0 "$remap" metadata restore main.img.spare --from-copy 1 --apply
    assert_contains "$output" "every copy is whole"
    what_stands_there
    # The older generation in the other arena is whole, and no source: what is in force is damaged in both copies.
    parts_in_force main.img.spare
    damage "$(offset_of table 0)"
    damage "$(offset_of table 1)"
    before=$(sha256sum main.img.spare)
    refused "$DAMAGED" "not certain what its mappings are" "$remap" metadata restore main.img.spare --from-copy 1 --apply
    unchanged "a refusal"
}

scanned_all() {
    [ "$(asked disk scan.status "bool(d['last'])")" = True ]
}

test_saved_on_demand() {
    pair
    start_remap disk "$PWD/main.img" --set autosave-seconds=0 --set smart.program=off
    assert_status 0 "$remap" map add disk 4096+8
    assert_status 0 "$remap" metadata save disk
    assert_contains "$output" "saved now"
    assert_contains "$output" "events"
    "$remap" metadata save disk --json > save.json
    python3 - << 'PYTHON'
import json
disk = json.load(open("save.json"))["disks"][0]
assert disk["disk"] == "disk" and disk["ageMillis"] >= 0
assert disk["bytes"] == sum(s["bytes"] for s in disk["sections"]) > 0
PYTHON
    kill_remap "$background_pid"
    start_remap disk "$PWD/main.img" --set autosave-seconds=0 --set scan.save-seconds=3600
    assert_contains "$("$remap" events disk)" "4096+8"
    # What health has learned as well, though it would give it an hour later only.
    "$remap" scan start disk > scan.txt
    wait_until 60 scanned_all || fail "the scan has no end: $("$remap" scan status disk)"
    assert_status 0 "$remap" metadata save disk
    kill_remap "$background_pid"
    start_remap disk "$PWD/main.img" --set autosave-seconds=0
    scanned_all || fail "the pass is forgotten: $("$remap" scan status disk)"
    stop_remap
    start_remap disk "$PWD/main.img" --read-only
    refused "$USAGE" "saves nothing" "$remap" metadata save disk
}

test_damaged_copies() {
    pair
    parts_in_force main.img.spare
    local superblock=1048576
    damage "$superblock"
    damage "$(offset_of header 0)"
    damage "$(offset_of log 1)"
    before=$(sha256sum main.img.spare)
    assert_status "$NOT_SO" "$remap" check main.img.spare --main main.img
    assert_contains "$output" "superblock 1 (byte $superblock) is damaged"
    assert_contains "$output" "repairable: all mappings are known"
    assert_equal 3 "$(grep -c '^warning: ' <<< "$output")" findings
    assert_status "$NOT_SO" "$remap" repair main.img.spare
    assert_contains "$output" "remap repair main.img.spare --apply"
    unchanged "a dry run"
    assert_status 0 "$remap" repair main.img.spare --apply
    assert_contains "$output" "every copy is whole"
    what_stands_there

    # What is lost in both copies is not made up.
    parts_in_force main.img.spare
    damage "$(offset_of table 0)"
    damage "$(offset_of table 1)"
    before=$(sha256sum main.img.spare)
    assert_status "$DAMAGED" "$remap" check main.img.spare
    assert_contains "$output" "damaged in both copies"
    assert_contains "$output" "remap forget"
    assert_status "$DAMAGED" "$remap" repair main.img.spare --apply
    assert_contains "$output" "is not repaired"
    assert_status "$DAMAGED" timeout 60 "$remap" serve main.img
    unchanged "what was refused"
}

test_what_is_no_spare() {
    truncate -s 8M blank.img
    assert_status "$WRONG_DEVICE" "$remap" check blank.img
    assert_contains "$output" "no spare of remap"
    assert_status "$ENVIRONMENT" "$remap" check absent.img
    assert_status "$USAGE" "$remap" check blank.img --online disk
}

test_a_spare_that_is_served() {
    pair
    start_remap disk "$PWD/main.img"
    assert_status 0 "$remap" map add disk 4096+8
    assert_status 0 "$remap" check main.img.spare --level full
    assert_contains "$output" "is served by 'disk'"
    assert_contains "$output" "24 sectors were read, 0 cannot be read"
    assert_status 0 "$remap" metadata status disk
    assert_contains "$output" "2 of 2 copies valid, 4 of 4 superblocks"
    assert_contains "$("$remap" status disk)" "2 of 2 copies valid, 4 of 4 superblocks"
    parts_in_force --online disk
    damage 1048576
    damage "$(offset_of header 1)"
    assert_status "$NOT_SO" "$remap" check --online disk
    assert_contains "$output" "superblock 1 (byte 1048576) is damaged"
    assert_status "$BUSY" "$remap" repair main.img.spare --apply
    assert_contains "$output" "remap metadata sync disk"
    assert_status 0 "$remap" metadata sync disk
    assert_status 0 "$remap" check --online disk
    stop_remap
    assert_status 0 "$remap" check main.img.spare --main main.img --level full
}

mended_by_itself() {
    [ "$(asked disk metadata.status "d['copies']['repairs'] == 1 and d['copies']['superblocksValid'] == 4")" = True ]
}

test_a_service_that_hangs_hides_no_other() {
    pair
    image other.img
    start_remap another "$PWD/other.img"
    local hung=$background_pid
    start_remap disk "$PWD/main.img"
    kill -STOP "$hung"
    assert_status 0 "$remap" check main.img.spare
    assert_contains "$output" "disk"
    kill -CONT "$hung"
}

test_a_server_mends_its_copies_by_itself() {
    truncate -s 8M main.img
    start_remap disk "$PWD/main.img" --set metadata.verify-seconds=1
    damage 1048576
    wait_until 30 mended_by_itself || fail "not mended: $("$remap" metadata status disk)"
    stop_remap
}

# The last sector of a main larger than 16 TiB, which is where 32 bits of units end, over a kill.
test_a_main_of_more_than_16_tib() {
    require_root
    mkdir big
    mount -t tmpfs -o size=64M tmpfs big
    at_exit umount -l "$work/big"
    truncate -s 17T big/main.img
    truncate -s 64M big.spare
    local last=$((17 * (1 << 40) - 4096))
    start_remap big "$work/big/main.img" --spare "$work/big.spare" --set scan.enabled=off
    nbdsh -u "$uri" -c "h.pwrite(b'm' * 4096, $last)"
    assert_status 0 "$remap" map add big "$((last / 512))+8"
    nbdsh -u "$uri" -c "h.pwrite(b's' * 512, $last + 3584); h.flush()"
    kill_remap "$background_pid"
    start_remap big "$work/big/main.img" --spare "$work/big.spare" --set scan.enabled=off
    nbdsh -u "$uri" -c "assert h.get_size() == 17 << 40
assert h.pread(4096, $last) == b'm' * 3584 + b's' * 512"
    assert_contains "$("$remap" map list big)" "$((last / 512))"
    assert_status 0 "$remap" stop big
    # Of the same sector of main nobody wrote.
    cmp <(tail -c 512 big/main.img) <(head -c 512 /dev/zero | tr '\0' m) || fail "main was written"
}

run_tests
