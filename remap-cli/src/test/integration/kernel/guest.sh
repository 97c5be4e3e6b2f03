# guest.sh: what the scripts in the guest share. They are its process 1, with -e; what they end with is in /mnt/vm/status.
# shellcheck shell=bash

set -euo pipefail
# shellcheck disable=SC2154 # of this very file
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../../.." && pwd -P)
remap=$project/remap
SOCKET=/run/disk.nbd
READY_SECONDS=120
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C
# The processor is emulated: what the second compiler would make comes too late.
export REMAP_JAVA_OPTS=-XX:TieredStopAtLevel=1
cd /tmp

trap 'echo $? > /mnt/vm/status; sync; echo o > /proc/sysrq-trigger; sleep 60' EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}

say() {
    echo "[$(cut -d' ' -f1 /proc/uptime)] $*"
}

load() {
    local module
    for module in "$@"; do
        modprobe -d /mnt/vm "$module"
    done
}

# wait_until SECONDS COMMAND...: repeats it until it succeeds.
wait_until() {
    local deadline=$((SECONDS + $1 + 1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

# scsi_disk PARAMETER...: /dev/sda of scsi_debug, 512 bytes on 4096.
scsi_disk() {
    load sd_mod
    modprobe -d /mnt/vm scsi_debug sector_size=512 physblk_exp=3 lbpu=1 lbpws=1 "$@"
    wait_until 20 test -b /dev/sda || fail "there is no /dev/sda"
}

is_ready_or_gone() {
    [ -s ready ] || ! kill -0 "$server" 2> /dev/null
}

# serve MAIN ARGUMENT...: with the disk /dev/vda as its spare, as `disk`.
serve() {
    rm -f ready
    "$remap" serve "$1" --spare /dev/vda --name disk --socket "$SOCKET" --ready-fd 9 "${@:2}" 9> ready >> serve.log 2>&1 &
    server=$!
    wait_until "$READY_SECONDS" is_ready_or_gone || fail "not ready after $READY_SECONDS s"
    [ -s ready ] || fail "the server ended: $(cat serve.log)"
    say "serves $1"
}

# The client of the kernel: /dev/nbd0.
attach() {
    nbd-client -unix "$SOCKET" /dev/nbd0 -N disk -block-size 512 "$@" > nbd.log 2>&1 || fail "nbd-client: $(cat nbd.log)"
}

detach() {
    nbd-client -d /dev/nbd0 > /dev/null 2>&1
}

stop_remap() {
    "$remap" stop disk
    wait "$server" || fail "the server ended with $?: $(tail -n 5 serve.log)"
}

# status_number KEY: of the disk.
status_number() {
    "$remap" status disk --json | /usr/bin/python3 -c 'import json, sys
print(json.load(sys.stdin)["services"][0]["disks"][0][sys.argv[1]])' "$1"
}

# What the kernel asks for by itself, such as ciphers, is not in /lib/modules either.
printf '#!/bin/sh\nexec modprobe -d /mnt/vm "$@"\n' > modprobe
chmod +x modprobe
echo /tmp/modprobe > /proc/sys/kernel/modprobe
ip link set lo up
load virtio_blk nbd dm-mod loop
/lib/systemd/systemd-udevd --daemon 2> /dev/null
wait_until 120 udevadm control --ping --timeout=10 2> /dev/null || fail "udev does not answer"
udevadm trigger
udevadm settle -t 120
