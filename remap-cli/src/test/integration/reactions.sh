#!/bin/bash
# The rows of the table of docs/FAULTS.md that a kernel can produce, with errors that come from the kernel: main and spare
# are mostly loop devices some of whose sectors fail. The numbers of the rows are in the names of the tests.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_root
require_tools losetup fusermount3 mountpoint
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

SECTOR=512
MIB=1048576

# disks [SETTING…]: serves main as `disk`, whole and filled with 0x11, on a spare that fails where the test wants.
disks() {
    local setting settings=()
    for setting in "$@"; do
        settings+=(--set "$setting")
    done
    mkdir main spare
    head -c "$((64 * MIB))" /dev/zero | tr '\0' '\021' > main/disk.img
    failing_device_up "$work/main"
    main=$device
    failing_device_up "$work/spare" 32M
    start_remap disk "$main" --spare "$device" "${settings[@]}"
}

# bad DISK SECTOR COUNT MODE…: more of these fail.
bad() {
    echo "$(($2 * SECTOR)) $(($3 * SECTOR)) ${*:4}" | failing_device_map "$1" more
}

# client COMMAND…: `read SECTOR COUNT BYTE` and `write SECTOR COUNT BYTE` must succeed, and give this byte; with EIO,
# ENOSPC or EPERM in the place of the byte (of a write: behind it) they must fail so. `flush`. Each within the deadline.
client() {
    /usr/bin/python3 - "$uri" "$@" << 'PYTHON'
import errno, sys, time
import nbd
DEADLINE_SECONDS = 20
handle = nbd.NBD()
handle.connect_uri(sys.argv[1])
for command in sys.argv[2:]:
    words = command.split()
    wanted = words[-1] if words[-1] in ("EIO", "ENOSPC", "EPERM") else "no error"
    found, data, begun = "no error", b"", time.monotonic()
    try:
        if words[0] == "flush":
            handle.flush()
        elif words[0] == "write":
            handle.pwrite(bytes([int(words[3], 0)]) * (int(words[2]) * 512), int(words[1]) * 512)
        else:
            data = handle.pread(int(words[2]) * 512, int(words[1]) * 512)
    except nbd.Error as error:
        found = errno.errorcode[error.errnum]
    took = time.monotonic() - begun
    if found != wanted or took > DEADLINE_SECONDS + 3:
        sys.exit("%s: expected %s, found %s after %.1f s" % (command, wanted, found, took))
    if data and data != bytes([int(words[3], 0)]) * len(data):
        sys.exit("%s: other bytes" % command)
handle.shutdown()
PYTHON
}

mapped() {
    status_number disk mappedSectors
}

test_row_1_3_4_5_14_sectors_of_main() {
    disks
    bad main 100 1 read-and-write-bad
    client "read 96 16 EIO" "read 96 4 0x11" "read 101 11 0x11"
    assert_equal 0 "$(mapped)" "sectors mapped by a read"
    client "write 100 1 0x22" "read 100 1 0x22" "read 96 4 0x11" flush
    assert_equal 1 "$(mapped)" "sectors mapped by the write of an unreadable one"
    # Of the failed write the sectors before the bad one were made.
    bad main 210 1 write-bad
    client "write 200 24 0x33" "read 200 24 0x33" flush
    bad main 304 8 read-and-write-bad
    client "read 304 8 EIO" "write 306 2 0x44" "read 306 2 0x44" "read 304 2 EIO" "read 308 4 EIO"
    local before
    before=$(mapped)
    bad main 400 1 transient 2
    client "read 400 8 0x11" "read 400 8 0x11"
    assert_equal "$before" "$(mapped)" "sectors mapped by a transient error"
    # What is on the spare is found again.
    assert_status 0 "$remap" stop disk
    start_remap disk "$main" --spare "$device"
    client "read 100 1 0x22" "read 200 24 0x33" "read 306 2 0x44"
}

test_row_2_heals_in_place() {
    disks unreadable-writes=heal
    bad main 100 1 read-bad-heals-on-write
    client "read 100 1 EIO" "write 96 8 0x22" "read 96 8 0x22" flush
    assert_equal 0 "$(mapped)" "mapped sectors of what has healed"
    # It relapses.
    bad main 100 1 read-bad-heals-on-write
    client "read 100 1 EIO" "write 100 1 0x33" "read 100 1 0x33" "read 96 4 0x22" flush
    assert_equal 1 "$(mapped)" "mapped sectors of what relapsed"
}

nothing_hangs() {
    [ "$(attribute disk disk.disk.deadline.hanging)" = 0 ]
}

test_row_6_slow_sectors() {
    disks request-deadline-millis=4000
    bad main 100 1 slow 1500
    bad main 200 1 slow 8000
    bad main 300 1 slow 8000
    client "read 96 8 0x11" "write 300 1 0x22" "read 300 1 0x22" "read 200 1 EIO" "read 208 8 0x11"
    assert_equal 1 "$(mapped)" "sectors of the write that hung"
    # The kernel holds on to the device before that.
    wait_until 30 nothing_hangs || fail "what hung never came back"
}

test_row_7_cluster() {
    disks
    local at commands=()
    for ((at = 0; at < 4000; at += 100)); do
        bad main "$at" 2 read-and-write-bad
        commands+=("read $at 8 EIO" "read $((at + 8)) 8 0x11")
    done
    client "${commands[@]}"
    assert_equal 0 "$(mapped)" "mapped sectors"
    assert_equal 80 "$(status_number disk unreadableSectors)" "unreadable sectors"
    [[ $("$remap" events disk) != *"device away"* ]] || fail "a cluster was taken for a disk that is away"
}

areas() {
    asked disk avoid.list "len(d['regions'])"
}

has_areas() {
    [ "$(areas)" -ge "$1" ]
}

# Five bands of 1 MiB, 12 MiB apart: a client comes to three of them, the others are found by their distance.
test_row_8_bands_of_a_dead_head() {
    disks avoid-slow-ms=15 avoid-spare-percent=50
    local band at bands=5
    for ((band = 0; band < bands; band++)); do
        at=$((4 * 2048 + band * 12 * 2048))
        bad main "$at" 2048 read-and-write-bad
        bad main "$at" 2048 slow 25
    done
    for ((band = 1; band <= 3; band++)); do
        at=$((4 * 2048 + band * 12 * 2048 + 1024))
        client "read $at 64 EIO"
        wait_until 60 has_areas "$band" || fail "band $band is not avoided: $("$remap" avoid list disk)"
    done
    wait_until 60 has_areas "$bands" || fail "the others are not found: $("$remap" avoid list disk)"
    assert_equal 0 "$(mapped)" "sectors mapped by reads"
    at=$((4 * 2048 + 4 * 12 * 2048 + 1000))
    client "read $at 8 EIO" "write $at 8 0x22" "read $at 8 0x22" "read $((at + 8)) 8 EIO" "read 0 64 0x11" flush
    assert_equal 8 "$(mapped)" "sectors mapped by a write"
}

test_row_9_main_that_is_gone() {
    disks drop-off-hold-millis=2000
    client "write 0 64 0x22"
    # Every request of the loop device fails from now on.
    kill -9 "$(cat main/pid)"
    client "write 64 8 0x33 EIO" "read 0 8 EIO" "write 0 8 0x33 EIO"
    assert_equal 0 "$(mapped)" "mapped sectors"
    assert_equal 0 "$(status_number disk unreadableSectors)" "unreadable sectors"
    assert_contains "$("$remap" events disk)" "device away"
}

is_held() {
    [ "$(attribute disk disk.disk.drop-off.held)" -gt 0 ]
}

# As while a link is reset: everything fails, and a moment later nothing does.
test_row_10_everything_fails_for_a_while() {
    disks
    client "write 0 64 0x22"
    bad main 0 "$((64 * 2048))" read-and-write-bad
    client "read 0 64 0x22" "write 64 8 0x33" "read 64 8 0x33" "read 4096 8 0x11" flush > client.log 2>&1 &
    local waiting=$!
    at_exit stop_process "$waiting"
    wait_until 20 is_held || fail "no request waits for the disk"
    sleep 2
    is_running "$waiting" || fail "the requests did not wait: $(cat client.log)"
    failing_device_map "$work/main" <<< ""
    wait "$waiting" || fail "$(cat client.log)"
    assert_equal 0 "$(mapped)" "mapped sectors"
    assert_equal 0 "$(status_number disk unreadableSectors)" "unreadable sectors"
    assert_contains "$("$remap" events disk)" "device back"
}

# The block device is made read-only under the server: the kernel refuses each write from then on (EPERM).
test_row_11_main_becomes_write_protected() {
    disks
    client "write 0 8 0x22" flush
    blockdev --setro "$main"
    at_exit blockdev --setrw "$main"
    client "write 0 8 0x33 EPERM" "read 0 8 0x22" "read 100 8 0x11"
    assert_equal 0 "$(mapped)" "mapped sectors"
    assert_contains "$("$remap" events disk)" "main read only"
    assert_equal 0 "$(status_number disk unreadableSectors)" "unreadable sectors"
}

# slot_with BYTE: the sector of the spare at which a unit of this byte stands.
slot_with() {
    python3 -c 'import sys
with open("spare/disk.img", "rb") as spare:
    content = spare.read()
print(next(at // 512 for at in range(0, len(content), 4096) if content[at:at + 4096] == bytes([int(sys.argv[1], 0)]) * 4096))' "$1"
}

test_row_16_17_slots_of_the_spare() {
    disks
    bad main 0 64 read-and-write-bad
    client "write 0 8 0x22" "write 8 8 0x33" flush
    bad spare "$(slot_with 0x22)" 1 write-bad
    client "read 0 8 0x22" "write 0 2 0x44" "read 0 2 0x44" "read 2 6 0x22" flush
    assert_equal 1 "$(status_number disk badSlots)" "slots that took no write"
    bad spare "$(slot_with 0x33)" 1 read-and-write-bad
    client "read 8 1 EIO" "read 9 7 0x33" "read 64 8 0x11" "write 8 1 0x55" "read 8 1 0x55" "read 9 7 0x33" flush
    assert_equal 2 "$(status_number disk badSlots)" "slots that did not read"
    assert_status 0 "$remap" stop disk
    start_remap disk "$main" --spare "$device"
    client "read 0 2 0x44" "read 2 6 0x22" "read 8 1 0x55" "read 9 7 0x33"
}

# Somebody made the spare sparse, and others filled its file system.
test_row_19_sparse_spare_on_a_full_file_system() {
    mkdir main small
    head -c "$((64 * MIB))" /dev/zero | tr '\0' '\021' > main/disk.img
    failing_device_up "$work/main"
    main=$device
    mount -t tmpfs -o size=40M tmpfs small
    at_exit umount "$work/small"
    truncate -s 32M small/spare.img
    start_remap disk "$main" --spare "$work/small/spare.img" --force
    bad main 0 64 write-bad
    client "write 0 8 0x22" "read 0 8 0x22" flush
    dd if=/dev/zero of=small/filler bs=64K status=none 2> dd.log && fail "the file system is not full"
    assert_contains "$(cat dd.log)" "No space left on device"
    client "write 8 8 0x33 ENOSPC" "read 8 8 0x11" "read 0 8 0x22" "write 64 8 0x33" "read 64 8 0x33"
    assert_equal 0 "$(status_number disk badSlots)" "slots that were given up"
    rm small/filler
    client "write 8 8 0x33" "read 8 8 0x33" "read 0 8 0x22" flush
    assert_equal 16 "$(mapped)" "mapped sectors"
}

# An image is cut short under the server. (Written to behind its end, a file would grow again.)
test_row_20_image_that_is_cut_short() {
    head -c "$((64 * MIB))" /dev/zero | tr '\0' '\021' > main.img
    truncate -s 32M spare.img
    start_remap disk "$work/main.img" --spare "$work/spare.img" --set drop-off-hold-millis=1000
    local last=$((64 * 2048 - 8))
    client "write 0 16 0x22" "write $last 8 0x22" flush
    truncate -s 32M main.img
    client "read $last 8 EIO" "read 0 16 0x22" "read $last 8 EIO" "read $((33 * 2048)) 8 EIO"
    assert_equal 0 "$(mapped)" "mapped sectors"
}

# As over a corrupt cable: each of these reads fails at first, wherever it is.
test_row_23_errors_scattered_everywhere() {
    disks
    local at commands=()
    for ((at = 0; at < 64; at++)); do
        echo "$((at * MIB + 32768)) 4096 transient 1"
        commands+=("read $((at * 2048 + 64)) 8 0x11")
    done > scattered
    failing_device_map "$work/main" < scattered
    client "${commands[@]}" "write 0 64 0x22" "read 0 64 0x22" flush
    ! grep -q 'transient [1-9]' main/bad.map || fail "not all of them failed: $(grep -c 'transient [1-9]' main/bad.map)"
    assert_equal 0 "$(mapped)" "mapped sectors"
    assert_equal 0 "$(status_number disk unreadableSectors)" "unreadable sectors"
    [[ $("$remap" events disk) != *"device away"* ]] || fail "the device was taken for one that is away"
}

run_tests
