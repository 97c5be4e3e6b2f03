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

# In a bounded time, also when the server is dead.
detach() {
    if mountpoint -q fs; then
        umount fs || umount -l fs
    fi
    if [ -n "$client" ] && losetup "$client" > /dev/null 2>&1; then
        losetup -d "$client"
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

# status_number KEY: of the first disk, from the status of the running service.
status_number() {
    "$remap" status disk --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["services"][0]["disks"][0][sys.argv[1]])' "$1"
}

# survives MAIN: the whole story on one disk.
survives() {
    local main=$1 server writer
    start_remap disk "$main" --spare "$work/spare.img"
    server=$background_pid
    attach
    files check fs tree expected
    files rewrite fs tree expected
    : > none
    files check fs tree none

    files write-until-error fs > written 2> writer.err &
    writer=$!
    wait_until 60 has_lines written "$FILES_BEFORE_KILL" "$writer" || fail "the writer hangs: $(cat writer.err)"
    [ "$(wc -l < written)" -ge "$FILES_BEFORE_KILL" ] || fail "the writer ended: $(cat writer.err)"
    kill_remap "$server"
    wait_until 60 is_gone "$writer" || fail "the writer hangs after the end of the server"
    detach

    start_remap disk "$main" --spare "$work/spare.img"
    attach
    files check fs tree none
    files check-written fs written
    umount fs
    e2fsck -fn "$client"
    echo "suite: e2fsck is clean; $(status_number mappedSectors) sectors on the spare," \
        "$(status_number lostSectors) lost, $(status_number unreadableSectors) unreadable"
    [ "$(status_number mappedSectors)" -gt 0 ] || fail "nothing was redirected"
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

run_tests
