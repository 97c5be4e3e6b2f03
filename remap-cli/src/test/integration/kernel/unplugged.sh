#!/bin/bash
# A SCSI disk is taken out under load, and put in again ten seconds later, when the kernel gives it another name. The kernel's own client
# of NBD has a file system on it, which notices nothing but a pause.

. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

SECTORS_UNREADABLE=16

load ext4
scsi_disk dev_size_mb=200 opts=2 medium_error_start=300000 medium_error_count=$SECTORS_UNREADABLE
serve /dev/sda
attach -connections 2
mkfs.ext4 -q /dev/nbd0
mkdir /mnt/disk
mount -o errors=remount-ro /dev/nbd0 /mnt/disk
head -c 20M /dev/urandom > seed
cp seed /mnt/disk/before
sync -f /mnt/disk

# Writes and syncs until it is told to end.
load_it() {
    local round=0
    until [ -e enough ]; do
        round=$((round + 1))
        dd if=seed of="/mnt/disk/file$((round % 8))" bs=64k count=16 skip=$((round % 300)) iflag=count_bytes,fullblock \
            conv=fsync status=none || return 1
    done
    echo "$round rounds"
}
load_it > load.log 2>&1 &
load=$!
sleep 3
say "takes it out"
echo 1 > /sys/block/sda/device/delete
sleep 10
[ ! -e /dev/sda ] || fail "/dev/sda is there"
"$remap" status disk > status.log &
echo '- - -' > "$(echo /sys/class/scsi_host/host*/scan)"
say "puts it in again"
wait_until 20 test -b /dev/sdb || fail "there is no /dev/sdb"
wait %% || true
sleep 3
kill -0 "$load" || fail "the load ended: $(cat load.log)"
: > enough
wait "$load" || fail "$(cat load.log)"
say "$(cat load.log)"
cmp seed /mnt/disk/before
umount /mnt/disk
e2fsck -fn /dev/nbd0
cat status.log
"$remap" events disk
"$remap" events disk | grep -q 'device reopened.* as /dev/sdb' || fail "it was not opened anew"
[ "$(status_number mappedSectors)" = 0 ] || fail "sectors were mapped: $("$remap" map list disk)"

say "reads what cannot be read"
status=0
dd if=/dev/nbd0 of=/dev/null bs=4096 skip=37500 count=1 iflag=direct 2> dd.log || status=$?
[ "$status" != 0 ] || fail "an unreadable sector was read"
head -c 4096 /dev/urandom > four
dd if=four of=/dev/nbd0 bs=4096 seek=37500 oflag=direct conv=notrunc status=none
dd if=/dev/nbd0 bs=4096 skip=37500 count=1 iflag=direct status=none | cmp - four
[ "$(status_number mappedSectors)" = 8 ] || fail "on the spare: $("$remap" map list disk)"
detach
stop_remap
