#!/bin/bash
# What people put on a served disk, by the kernel itself: LUKS, md and btrfs, over a disk with 300 places that neither
# read nor take a write (device mapper), and over the death of the server.

. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

SIZE_MIB=400
PLACES=300

load ext4 dm-crypt raid1 btrfs
truncate -s "${SIZE_MIB}M" image
whole=$(losetup -f --show image)
/usr/bin/python3 - "$whole" "$SIZE_MIB" "$PLACES" > table << 'PYTHON'
import random, sys
device, size, places = sys.argv[1], int(sys.argv[2]) * 2048, int(sys.argv[3])
at = 0
for unit in sorted(random.Random(5).sample(range(256, size // 8 - 1), places)):
    if unit * 8 > at:
        print(at, unit * 8 - at, "linear", device, at)
    print(unit * 8, 8, "error")
    at = unit * 8 + 8
print(at, size - at, "linear", device, at)
PYTHON
dmsetup create failing table
udevadm settle -t 120
serve /dev/mapper/failing
attach -connections 4

say LUKS
printf secret > key
cryptsetup luksFormat -q --pbkdf-memory 4096 --pbkdf-force-iterations 4 --sector-size 4096 /dev/nbd0 key
cryptsetup open --key-file key /dev/nbd0 crypt
mkfs.ext4 -q /dev/mapper/crypt
mkdir /mnt/crypt
mount /dev/mapper/crypt /mnt/crypt
head -c 250M /dev/urandom > /mnt/crypt/file
sum=$(sha256sum /mnt/crypt/file)
umount /mnt/crypt
cryptsetup close crypt
detach
mapped=$(status_number mappedSectors)
((mapped >= 100 * 8)) || fail "$mapped sectors went to the spare"

say "$mapped sectors are on the spare; kills the server"
pkill -9 -x java
wait "$server" || true
serve /dev/mapper/failing
attach -connections 4
cryptsetup open --key-file key /dev/nbd0 crypt
e2fsck -fn /dev/mapper/crypt
mount /dev/mapper/crypt /mnt/crypt
[ "$(sha256sum /mnt/crypt/file)" = "$sum" ] || fail "the file has changed"
umount /mnt/crypt
cryptsetup close crypt
wipefs -qa /dev/nbd0

say md
truncate -s "${SIZE_MIB}M" other
half=$(losetup -f --show other)
# Written once before: what is bad in the half that is served is not known until md reads it.
mdadm --create -q /dev/md0 --run --level=1 --raid-devices=2 --bitmap=none --metadata=1.0 "$half" /dev/nbd0
wait_until 300 grep -q idle /sys/block/md0/md/sync_action || fail "it is not in sync: $(cat /proc/mdstat)"
echo repair > /sys/block/md0/md/sync_action
wait_until 300 grep -q idle /sys/block/md0/md/sync_action || fail "the repair does not end: $(cat /proc/mdstat)"
grep -F '[UU]' /proc/mdstat || fail "a half was thrown out: $(cat /proc/mdstat)"
mdadm -q --stop /dev/md0
cmp -n $(((SIZE_MIB - 1) << 20)) other /dev/nbd0 || fail "the halves differ"
wipefs -qa "$half" /dev/nbd0

say btrfs
mkfs.btrfs -q -f -d raid1 -m raid1 "$half" /dev/nbd0
mkdir /mnt/mirror
mount "$half" /mnt/mirror
head -c 120M /dev/urandom > /mnt/mirror/file
sync -f /mnt/mirror
btrfs scrub start -B /mnt/mirror
btrfs device stats -c /mnt/mirror
umount /mnt/mirror
detach
"$remap" health disk
stop_remap
