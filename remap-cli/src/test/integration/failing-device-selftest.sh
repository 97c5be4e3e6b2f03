#!/bin/bash
# The failing device is a measuring instrument: this suite shows that its errors are exactly where its map says.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_root
require_tools losetup fusermount3 mountpoint

SIZE_BYTES=$((8 * 1024 * 1024))
SECTOR_BYTES=512

# set_up [SECTOR_BYTES]: the map comes on standard input. $original keeps the content.
set_up() {
    mkdir disk
    original=$work/original.img
    head -c "$SIZE_BYTES" /dev/urandom > "$original"
    cp "$original" disk/disk.img
    cat > disk/bad.map
    failing_device_up "$work/disk" "$SIZE_BYTES" "${1:-$SECTOR_BYTES}"
}

# read_sectors FIRST COUNT: they go to the file `read`.
read_sectors() {
    dd if="$device" of=read bs="$SECTOR_BYTES" skip="$1" count="$2" iflag=direct status=none
}

# write_sectors FIRST COUNT: random content, which stays in the file `written`.
write_sectors() {
    head -c $(($2 * SECTOR_BYTES)) /dev/urandom > written
    dd if=written of="$device" bs="$SECTOR_BYTES" seek="$1" count="$2" oflag=direct conv=notrunc status=none
}

# assert_original FIRST COUNT: these sectors read well and hold what they held at first.
assert_original() {
    read_sectors "$1" "$2" || fail "sectors $1+$2 do not read"
    cmp read <(dd if="$original" bs="$SECTOR_BYTES" skip="$1" count="$2" status=none) || fail "sectors $1+$2 differ"
}

millis() {
    local now=$EPOCHREALTIME
    echo $((${now/./} / 1000))
}

test_every_sector_fails_or_reads_as_the_map_says() {
    set_up << 'MAP'
# two clusters and a single sector
4096   512  read-bad-heals-on-write
32768 4096  read-and-write-bad
65536 1024  read-bad-heals-on-write
MAP
    local sector bad=" 8 64 65 66 67 68 69 70 71 128 129 " checked=0
    for ((sector = 0; sector < 140; sector++)); do
        if [[ $bad == *" $sector "* ]]; then
            assert_eio read_sectors "$sector" 1
        else
            assert_original "$sector" 1
        fi
        checked=$((checked + 1))
    done
    assert_original 130 $((SIZE_BYTES / SECTOR_BYTES - 130))
    echo "suite: $checked sectors read one by one, 11 of them bad"
}

test_a_read_across_a_bad_sector_fails() {
    set_up <<< "65536 512 read-and-write-bad"
    assert_eio dd if="$device" of=/dev/null bs=64k skip=1 count=1 iflag=direct status=none
    assert_original 0 128
    assert_original 129 127
}

test_a_write_heals_exactly_what_it_writes() {
    set_up <<< "8192 2048 read-bad-heals-on-write"
    assert_eio read_sectors 17 1
    write_sectors 17 1
    read_sectors 17 1
    assert_same_content written read
    assert_eio read_sectors 16 1
    assert_eio read_sectors 18 1
    assert_eio read_sectors 19 1
    assert_equal "$(printf '8192 512 read-bad-heals-on-write\n9216 1024 read-bad-heals-on-write')" \
        "$(cat disk/bad.map)" "the map after the write"
}

test_read_and_write_bad_never_heals() {
    set_up <<< "8192 512 read-and-write-bad"
    assert_eio write_sectors 16 1
    assert_eio write_sectors 16 1
    assert_eio read_sectors 16 1
    assert_original 15 1
    assert_original 17 1
}

test_a_failed_write_has_written_what_comes_before_the_bad_sector() {
    set_up <<< "8192 512 write-bad"
    head -c 4096 /dev/urandom > written
    # sectors 12 to 19 in one request
    assert_eio dd if=written of="$device" bs=4096 seek=6144 oflag=direct,seek_bytes conv=notrunc status=none
    read_sectors 12 4
    cmp read <(head -c 2048 written) || fail "sectors 12 to 15 are not written"
    assert_original 16 4
}

test_write_bad_reads() {
    set_up <<< "8192 512 write-bad"
    assert_original 16 1
    assert_eio write_sectors 16 1
    assert_original 16 1
}

test_transient_fails_as_often_as_it_says() {
    set_up <<< "8192 512 transient 3"
    assert_original 15 1
    assert_eio read_sectors 16 1
    assert_eio read_sectors 16 1
    assert_eio read_sectors 16 1
    assert_original 16 1
    assert_original 16 1
}

test_slow_delays_itself_alone() {
    set_up << 'MAP'
8192 512 slow 6000
8192 512 read-and-write-bad
MAP
    local started slow_pid
    started=$(millis)
    (assert_eio read_sectors 16 1) &
    slow_pid=$!
    sleep 0.3
    assert_original 17 64
    is_running "$slow_pid" || fail "a read of healthy sectors waited for the slow one"
    wait "$slow_pid"
    [ $(($(millis) - started)) -ge 6000 ] || fail "the slow read was not slow: $(($(millis) - started)) ms"
}

test_the_map_changes_while_the_device_runs() {
    set_up <<< ""
    assert_original 0 64
    failing_device_map disk <<< "8192 512 read-and-write-bad"
    assert_eio read_sectors 16 1
    failing_device_map disk <<< "9216 512 read-and-write-bad"
    assert_original 16 1
    assert_eio read_sectors 18 1
    failing_device_map disk <<< ""
    assert_original 0 64
}

test_4096_byte_sectors() {
    set_up 4096 <<< "8192 512 read-and-write-bad"
    assert_equal 4096 "$(blockdev --getss "$device")" "logical sector size"
    assert_eio dd if="$device" of=/dev/null bs=4096 skip=2 count=1 iflag=direct status=none
    dd if="$device" of=read bs=4096 skip=3 count=1 iflag=direct status=none
    cmp read <(dd if="$original" bs=4096 skip=3 count=1 status=none)
}

# cut_power SEED: what was not synced is kept or not, as the seed chooses.
cut_power() {
    kill -9 "$(cat disk/pid)"
    "$integration/failing-device/down" "$work/disk"
    failing_device_up "$work/disk" "$SIZE_BYTES" "$SECTOR_BYTES" "$1"
}

# write_pattern BYTE FIRST COUNT [sync]: sectors full of this byte.
write_pattern() {
    head -c $(($3 * SECTOR_BYTES)) /dev/zero | tr '\0' "$1" |
        dd of="$device" bs=$(($3 * SECTOR_BYTES)) seek=$(($2 * SECTOR_BYTES)) count=1 iflag=fullblock \
            oflag=direct,seek_bytes "conv=notrunc${4:+,fdatasync}" status=none
}

# The first byte of each of these sectors, in one word.
first_bytes() {
    read_sectors "$1" "$2"
    python3 -c 'import sys
data = open("read", "rb").read()
assert all(data[at : at + 512] == data[at : at + 1] * 512 for at in range(0, len(data), 512)), "a sector is torn"
print("".join(chr(data[at]) for at in range(0, len(data), 512)))'
}

test_a_power_cut_keeps_what_was_synced_and_any_part_of_the_rest() {
    mkdir disk
    failing_device_up "$work/disk" "$SIZE_BYTES" "$SECTOR_BYTES" 0
    local seed found=() bytes
    # They keep all, half, a tenth, and nothing.
    for seed in 2 5 4 14; do
        write_pattern a 0 16 sync
        write_pattern b 0 16
        write_pattern c 0 16
        assert_equal cccccccccccccccc "$(first_bytes 0 16)" "before the cut"
        cut_power "$seed"
        bytes=$(first_bytes 0 16)
        [[ $bytes =~ ^[abc]{16}$ ]] || fail "seed $seed left $bytes"
        found+=("$bytes")
    done
    [[ ${found[*]} == *aaaaaaaaaaaaaaaa* ]] || fail "no cut lost all: ${found[*]}"
    [[ ${found[*]} =~ [bc]{16} ]] || fail "no cut kept all: ${found[*]}"
    [[ ${found[*]} == *ab* && ${found[*]} == *ac* && ${found[*]} == *cb* ]] || fail "no write was torn: ${found[*]}"
    echo "suite: 4 power cuts left ${found[*]}"
}

test_a_disk_that_ignores_syncs_loses_what_was_synced() {
    mkdir disk
    failing_device_up "$work/disk" "$SIZE_BYTES" "$SECTOR_BYTES" 0
    write_pattern a 0 16 sync
    touch disk/cache.ignores-sync
    write_pattern b 0 16 sync
    cut_power 5
    [[ $(first_bytes 0 16) =~ ^[ab]*a[ab]*$ ]] || fail "nothing was lost"
}

test_a_healed_sector_is_bad_again_if_the_write_is_lost() {
    mkdir disk
    echo "8192 512 read-bad-heals-on-write" > disk/bad.map
    failing_device_up "$work/disk" "$SIZE_BYTES" "$SECTOR_BYTES" 0
    local seed lost=0 kept=0
    for seed in 2 14; do
        assert_eio read_sectors 16 1
        write_pattern b 16 1
        assert_equal b "$(first_bytes 16 1)" "a write in the cache"
        cut_power "$seed"
        if read_sectors 16 1 2> /dev/null; then
            assert_equal "" "$(grep . disk/bad.map)" "the map after a write that was kept"
            kept=$((kept + 1))
            failing_device_map disk <<< "8192 512 read-bad-heals-on-write"
        else
            lost=$((lost + 1))
        fi
    done
    assert_equal "1 1" "$lost $kept" "lost and kept"
}

test_a_map_that_makes_no_sense_is_refused() {
    mkdir disk
    echo "8192 513 read-and-write-bad" > disk/bad.map
    assert_status 1 "$integration/failing-device/up" "$work/disk"
    assert_contains "$output" "not in whole sectors"
    assert_equal "bad.map disk.img " "$(cd disk && printf '%s ' *)" "files that stay"
}

test_down_leaves_nothing_behind() {
    set_up <<< "8192 512 read-and-write-bad"
    local pid
    pid=$(cat disk/pid)
    is_running "$pid"
    "$integration/failing-device/down" "$work/disk"
    is_gone "$pid"
    ! losetup --noheadings --output BACK-FILE | grep -F "$work" || fail "a loop device stays"
    ! grep -F "$work" /proc/self/mounts || fail "a mount stays"
    assert_equal "bad.map disk.img " "$(cd disk && printf '%s ' *)" "files that stay"
}

run_tests
