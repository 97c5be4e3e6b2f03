#!/bin/bash
# LUKS on top of a served disk that decays, as a virtual machine has it: QEMU's own implementation, so no device mapper is
# needed. Neither a key slot nor content is lost when what they are written to is bad, over kills.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools qemu-img qemu-io

SIZE_MIB=64
KILLS=3
MEASURING_TRIES=10
keys=(--object secret,id=first,data=one --object secret,id=second,data=two)

serve() {
    start_remap disk "sim:$work/disk.img?size=${SIZE_MIB}M&faults=$work/faults" --spare "$work/spare.img"
}

# opened KEY: the encrypted disk as QEMU opens it.
opened() {
    echo "driver=luks,key-secret=$1,file.driver=nbd,file.path=$work/disk.sock,file.export=disk"
}

# qemu KEY COMMAND...: of qemu-io.
qemu() {
    local key=$1 command commands=()
    shift
    for command in "$@"; do
        commands+=(-c "$command")
    done
    qemu-io "${keys[@]}" --image-opts "$(opened "$key")" "${commands[@]}" > qemu.log 2>&1 || fail "$* with key $key: $(cat qemu.log)"
    # It ends with 0 when a pattern differs.
    ! grep -qi "verification failed\|error" qemu.log || fail "$* with key $key: $(cat qemu.log)"
}

# qemu_img ARGUMENT...: of which a new key measures by its processor time how often to hash; on a busy machine QEMU sometimes sees
# none go by, and gives up before it has written anything.
qemu_img() {
    local try
    for ((try = 0; try < MEASURING_TRIES; try++)); do
        ! qemu-img "$@" > qemu-img.log 2>&1 || return 0
        grep -q "Unable to get accurate CPU usage" qemu-img.log || break
    done
    fail "qemu-img $1: $(cat qemu-img.log)"
}

test_key_slots_and_content_survive() {
    truncate -s 32M spare.img
    : > faults
    serve
    qemu_img create -q "${keys[@]}" -f luks -o key-secret=first,iter-time=10 "$uri" "$((SIZE_MIB - 4))M"
    qemu first "write -P 1 0 16M" flush
    # The second key slot, and places in the content, take no more writes: what is written from now on goes to the spare.
    printf '%s\n' "256K 256K write-bad" "8M 128K write-bad" "12M 4K write-bad" > faults.new
    mv faults.new faults
    qemu_img amend -q "${keys[@]}" --image-opts "$(opened first)" -o state=active,new-secret=second,keyslot=1,iter-time=10
    local round
    for ((round = 2; round < 2 + KILLS; round++)); do
        qemu second "write -P $round 4M 8M" "flush"
        kill_remap "$background_pid"
        serve
        qemu second "read -P 1 0 4M" "read -P $round 4M 8M" "read -P 1 12M 4M"
        qemu first "read -P $round 4M 8M"
    done
    [ "$(status_number disk mappedSectors)" -gt 512 ] || fail "hardly anything went to the spare"
    # The key that is taken away opens nothing any more.
    qemu_img amend -q "${keys[@]}" --image-opts "$(opened second)" -o state=inactive,old-secret=first
    kill_remap "$background_pid"
    serve
    qemu second "read -P $((round - 1)) 4M 8M"
    ! qemu-io "${keys[@]}" --image-opts "$(opened first)" -c "read 0 4k" > qemu.log 2>&1 || fail "the key that was taken away opens it"
    echo "suite: luks: $KILLS kills, $(status_number disk mappedSectors) sectors on the spare, some of the header"
}

run_tests
