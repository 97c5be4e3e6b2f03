#!/bin/bash
# A file system on a failing disk, served by remap: what is on good sectors reads back, what is on unreadable ones gives
# EIO there and nowhere else, and once rewritten it reads back; also after kill -9 in the middle of writes.
# On each transport, see check.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_root
require_tools nbdfuse fusermount3 losetup mkfs.ext4 e2fsck debugfs dumpe2fs

SIZE=96M
FILES=150
BAD_SECTORS=300
FILES_BEFORE_KILL=40
BLOCKS_GONE_BAD=1800
BLOCKS_AT_A_TIME=50
REDIRECTED_BLOCKS_MIN=1000
EIO_RUNS=${REMAP_EIO_RUNS:-1}
SEED=${REMAP_SEED:-20}

files() {
    python3 "$integration/ext4_files.py" "$@"
}

# An image with files in disk/disk.img, its bad sectors in disk/bad.map, where they hurt in the file `expected`.
make_disk() {
    echo "seed $SEED (REMAP_SEED=$SEED repeats it)"
    mkdir tree disk
    files make tree "$FILES" "$SEED"
    truncate -s "$SIZE" disk/disk.img
    mkfs.ext4 -q -b 4096 -d tree disk/disk.img
    python3 "$integration/ext4_bad_sectors.py" disk/disk.img tree "$BAD_SECTORS" "$SEED" disk/bad.map expected
    truncate -s 32M spare.img
}

client=

# The client: FUSE makes a file of the export, and a loop device of that file. The device is in $client.
attach() {
    mkdir -p client fs
    nbdfuse client/disk "$uri" > nbdfuse.log 2>&1 &
    at_exit detach
    wait_until 20 mountpoint -q client || fail "nbdfuse did not mount: $(cat nbdfuse.log)"
    client=$(losetup --find --show --direct-io=on client/disk)
    mount "$client" fs
}

# In a bounded time, also when the server is dead. More than once: by then another suite may have a loop device of the
# same number.
detach() {
    if mountpoint -q fs; then
        umount fs || umount -l fs
    fi
    if [ -n "$client" ]; then
        losetup -d "$client"
        client=
    fi
    # Not `mountpoint`: of a mount whose process is dead it cannot tell.
    if grep -qF " $work/client " /proc/self/mounts; then
        fusermount3 -u -z client
    fi
}

# As many lines are in the file, or nobody writes it any more.
has_lines() {
    [ "$(wc -l < "$1")" -ge "$2" ] || is_gone "$3"
}

# kill_while_writing SERVER: kill -9 while new files are made durable one by one; their names are in `written`.
kill_while_writing() {
    local writer
    # Here and not in the background: what the run before wrote must not count.
    : > written
    files write-until-error fs > written 2> writer.err &
    writer=$!
    wait_until 60 has_lines written "$FILES_BEFORE_KILL" "$writer" || fail "the writer hangs: $(cat writer.err)"
    [ "$(wc -l < written)" -ge "$FILES_BEFORE_KILL" ] || fail "the writer ended: $(cat writer.err)"
    kill_remap "$1"
    wait_until 60 is_gone "$writer" || fail "the writer hangs after the end of the server"
    detach
}

# survives MAIN: the whole story on one disk.
survives() {
    local main=$1
    start_remap disk "$main" --spare "$work/spare.img"
    attach
    files check fs tree expected
    files rewrite fs tree expected
    : > none
    files check fs tree none
    kill_while_writing "$background_pid"

    start_remap disk "$main" --spare "$work/spare.img"
    attach
    files check fs tree none
    files check-written fs written
    umount fs
    e2fsck -fn "$client"
    echo "suite: e2fsck is clean; $(status_number disk mappedSectors) sectors on the spare," \
        "$(status_number disk lostSectors) lost, $(status_number disk unreadableSectors) unreadable"
    [ "$(status_number disk mappedSectors)" -gt 0 ] || fail "nothing was redirected"
    detach
    assert_status 0 "$remap" stop disk
}

test_ext4_on_a_simulated_disk() {
    make_disk
    survives "sim:$work/disk/disk.img?faults=$work/disk/bad.map"
}

test_ext4_on_a_block_device_with_kernel_errors() {
    make_disk
    failing_device_up "$work/disk" "$SIZE"
    survives "$device"
}

# fill MODE OPTION…: files by fio, each block with its checksum; MODE write or read.
fill() {
    fio --name=load --directory=fs --nrfiles=4 --filesize=15M --size=60M --rw="rand$1" --bs=16k --direct=1 --fsync=64 \
        --ioengine=psync --verify=crc32c --verify_fatal=1 --randseed="$SEED" --allrandrepeat=1 "${@:2}" \
        > fio.log 2>&1 || fail "seed $SEED: fio: $(cat fio.log)"
}

# Half of the blocks are in free space and can be neither read nor written from the start. The others are anywhere, in
# the metadata too, go bad under load, and can be read: what is read from a dead block is gone, and no server brings it back.
go_bad_under_load() {
    local lot run=$1 blocks
    SEED=$((SEED + run))
    rm -rf disk spare.img
    mkdir disk
    truncate -s "$SIZE" disk/disk.img
    truncate -s 32M spare.img
    mkfs.ext4 -q -b 4096 disk/disk.img
    python3 "$integration/ext4_bad_sectors.py" disk/disk.img "$BLOCKS_GONE_BAD" "$SEED" disk/bad.map later
    failing_device_up "$work/disk" "$SIZE"
    start_remap disk "$device" --spare "$work/spare.img"
    attach
    while mapfile -t -n "$BLOCKS_AT_A_TIME" lot && [ "${#lot[@]}" -gt 0 ]; do
        printf '%s\n' "${lot[@]}" | failing_device_map disk more
        sleep 0.2
    done < later &
    local going_bad=$!
    fill write --loops=2
    wait "$going_bad"
    kill_while_writing "$background_pid"

    start_remap disk "$device" --spare "$work/spare.img"
    attach
    fill read
    files check-written fs written
    umount fs
    e2fsck -fn "$client" > fsck.log 2>&1 || fail "seed $SEED: e2fsck: $(cat fsck.log)"
    blocks=$(($(status_number disk mappedSectors) / 8))
    echo "suite: G6 gone-bad=$(grep -c . disk/bad.map) redirected-blocks=$blocks kills=1 fsck=clean" \
        "lost=$(status_number disk lostSectors) seed=$SEED"
    [ "$blocks" -ge "$REDIRECTED_BLOCKS_MIN" ] || fail "seed $SEED: only $blocks blocks were redirected"
    assert_equal 0 "$(status_number disk lostSectors)" "lost sectors (seed $SEED)"
    detach
    stop_remap
    # The next device may have the same name, and another spare.
    assert_status 0 "$remap" forget "$device"
    "$integration/failing-device/down" "$work/disk"
}

test_blocks_of_a_block_device_go_bad_under_load() {
    command -v fio > /dev/null || fail "fio is missing"
    # It takes its time: over both transports in a soak only.
    if [ "${REMAP_TEST_TRANSPORT:-}" = plain ] && [ "$EIO_RUNS" = 1 ]; then
        not_run "over the plain transport, but for a soak"
    fi
    local run
    for ((run = 0; run < EIO_RUNS; run++)); do
        go_bad_under_load "$run"
    done
}

run_tests
