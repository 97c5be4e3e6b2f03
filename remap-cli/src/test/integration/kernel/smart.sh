#!/bin/bash
# What real smartctl says of an ATA, an NVMe and a SCSI disk, as `remap health` shows it.

. "$(dirname "${BASH_SOURCE[0]}")/guest.sh"

load ahci nvme sd_mod
wait_until 20 test -b /dev/sda || fail "there is no ATA disk"
wait_until 20 test -b /dev/nvme0n1 || fail "there is no NVMe disk"
modprobe -d /mnt/vm scsi_debug dev_size_mb=64
wait_until 20 test -b /dev/sdb || fail "there is no SCSI disk"

# told DEVICE PART...: the report on it has these.
told() {
    local device=$1 part report
    shift
    "$remap" serve "$device" --no-spare --name disk --socket "$SOCKET" --ready-fd 9 9> ready > serve.log 2>&1 &
    server=$!
    wait_until "$READY_SECONDS" is_ready_or_gone || fail "not ready after $READY_SECONDS s"
    wait_until 60 smart_is_read || fail "no SMART of $device: $("$remap" health disk) $(cat serve.log)"
    report=$("$remap" health disk)
    echo "$report"
    for part in "$@"; do
        [[ $report == *"$part"* ]] || fail "expected '$part' of $device"
    done
    "$remap" stop disk
    wait "$server"
    rm ready
}

smart_is_read() {
    "$remap" health disk --json | grep -q '"passed"'
}

told /dev/sda 'QEMU-HD, passed, 31 °C' '180 > /sys/block/'
told /dev/nvme0n1 'QEMU NVMe Ctrl, passed'
told /dev/sdb 'Linux scsi_debug, passed, 38 °C'
