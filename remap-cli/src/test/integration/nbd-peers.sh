#!/bin/bash
# The clients that people use, against the running server: libnbd's tools, qemu's, and fio.
# On each transport, see check.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools nbdinfo nbdcopy qemu-img qemu-io fio

SIZE_BYTES=$((48 * 1024 * 1024))

# serve_image [ARGUMENT...]: random content in disk.img, kept in original.img; served on a Unix socket and on TCP.
serve_image() {
    head -c "$SIZE_BYTES" /dev/urandom > original.img
    cp original.img disk.img
    start_remap disk "$work/disk.img" --listen 127.0.0.1:0 "$@"
    server=$background_pid
    uris=("$uri" "$(tcp_uri disk)")
}

stop_server() {
    kill "$server"
    wait_until 15 is_gone "$server" || fail "the server does not end on SIGTERM"
}

test_nbdinfo_shows_the_export() {
    serve_image
    local u json
    for u in "${uris[@]}"; do
        json=$(nbdinfo --json "$u")
        python3 - "$SIZE_BYTES" "$json" << 'PYTHON'
import json, sys
export = json.loads(sys.argv[2])["exports"][0]
expected = {
    "export-name": "disk", "export-size": int(sys.argv[1]), "is_read_only": False, "can_flush": True, "can_fua": True,
    "can_trim": True, "can_zero": True, "can_cache": True, "can_multi_conn": True, "block_size_minimum": 1,
    "block_size_maximum": 33554432,
}
wrong = {k: (export.get(k), v) for k, v in expected.items() if export.get(k) != v}
sys.exit("is, must be: %s" % wrong if wrong else 0)
PYTHON
        assert_equal "$SIZE_BYTES" "$(nbdinfo --size "$u")" "size"
    done
    assert_contains "$(nbdinfo --list "nbd+unix:///?socket=$work/disk.sock")" "export=\"disk\""
    assert_equal "$SIZE_BYTES" "$(nbdinfo --size "nbd+unix:///?socket=$work/disk.sock")" "size of the default export"
    assert_status 1 nbdinfo "nbd+unix:///other?socket=$work/disk.sock"
}

test_a_read_only_export_says_so_and_refuses_writes() {
    serve_image --read-only
    assert_equal true "$(nbdinfo --json "$uri" | python3 -c 'import json, sys
print(str(json.load(sys.stdin)["exports"][0]["is_read_only"]).lower())')" "is_read_only"
    assert_status 1 qemu-io -f raw -c "write 0 4k" "$uri"
    stop_server
    assert_same_content original.img disk.img
    [ ! -e disk.img.spare ] || fail "a spare was made for a read-only disk"
}

test_nbdcopy_both_ways() {
    serve_image
    local u
    for u in "${uris[@]}"; do
        nbdcopy "$u" out.img
        assert_same_content original.img out.img
        head -c "$SIZE_BYTES" /dev/urandom > original.img
        nbdcopy --flush original.img "$u"
    done
    stop_server
    assert_same_content original.img disk.img
}

test_qemu_img_converts_and_compares() {
    serve_image
    local u
    for u in "${uris[@]}"; do
        qemu-img convert -f raw -O qcow2 "$u" out.qcow2
        qemu-img compare -f raw -F qcow2 "$u" out.qcow2
        head -c "$SIZE_BYTES" /dev/urandom > original.img
        qemu-img convert -n -f raw -O raw original.img "$u"
        qemu-img compare -f raw -F raw "$u" original.img
    done
    stop_server
    assert_same_content original.img disk.img
}

test_qemu_io_reads_what_it_wrote() {
    serve_image
    local u
    for u in "${uris[@]}"; do
        qemu-io -f raw \
            -c "write -P 0x11 0 1M" -c "read -P 0x11 0 1M" \
            -c "write -P 0x22 1000 3000" -c "read -P 0x22 1000 3000" -c "read -P 0x11 0 1000" -c "read -P 0x11 4000 96" \
            -c "write -f -P 0x33 512k 64k" -c "read -P 0x33 512k 64k" \
            -c "write -z 128k 64k" -c "read -P 0 128k 64k" \
            -c "write -z -u 256k 64k" -c "read -P 0 256k 64k" \
            -c "discard 2M 1M" -c "flush" \
            -c "aio_write -P 0x44 3M 64k" -c "aio_write -P 0x55 4M 64k" -c "aio_flush" \
            -c "read -P 0x44 3M 64k" -c "read -P 0x55 4M 64k" \
            "$u" > qemu-io.out 2>&1 || fail "$(cat qemu-io.out)"
        ! grep -iE 'failed|error' qemu-io.out || fail "$(cat qemu-io.out)"
    done
}

# verify_with_fio URI: writes and reads back, with checksums, of 512 bytes to 64 KiB, many in flight.
verify_with_fio() {
    fio --name=verify --ioengine=nbd --uri="$1" --rw=randwrite --bsrange=512-64k --iodepth=16 \
        --size=24M --verify=crc32c --do_verify=1 --verify_fatal=1 --randseed=7 --output=fio.out \
        || fail "$(cat fio.out)"
    grep -q 'err= 0' fio.out || fail "$(cat fio.out)"
}

test_fio_verifies() {
    serve_image
    local u
    for u in "${uris[@]}"; do
        verify_with_fio "$u"
    done
}

test_fio_verifies_over_bad_sectors() {
    head -c "$SIZE_BYTES" /dev/urandom > disk.img
    python3 -c 'import random
choose = random.Random(3)
for start in sorted(choose.sample(range(0, 24 * 2048, 64), 60)):
    print(start * 512, 512 * choose.randint(1, 40), choose.choice(("read-and-write-bad", "write-bad", "read-bad-heals-on-write")))
' > bad.map
    truncate -s 64M spare.img
    start_remap disk "sim:$work/disk.img?faults=$work/bad.map" --spare "$work/spare.img" --listen 127.0.0.1:0
    verify_with_fio "$uri"
    verify_with_fio "$(tcp_uri disk)"
    "$remap" status disk --json | python3 -c 'import json, sys
disk = json.load(sys.stdin)["services"][0]["disks"][0]
print("suite: fio over bad sectors: %s sectors on the spare" % disk["mappedSectors"])
sys.exit(0 if disk["mappedSectors"] > 0 else "nothing was redirected")'
}

test_several_connections_see_each_others_writes() {
    serve_image
    nbdcopy --connections=4 --requests=64 original.img "${uris[1]}"
    nbdcopy --connections=4 --requests=64 "$uri" out.img
    assert_same_content original.img out.img
}

# The system's abstract addresses have no mode, so who connects is asked for.
test_an_abstract_address_serves_its_user_only() {
    local address=remap-peers-$$-$RANDOM
    serve_image --socket "@$address"
    local file
    file=$(grep -o 'uri  *json:.*' disk.out | sed 's/^uri *//')
    assert_contains "$file" "\"path\":\"$address\""
    qemu-img compare -F raw "$file" original.img > qemu-img.out 2>&1 || fail "$(cat qemu-img.out)"
    qemu-io -c "write -P 0x66 1M 8M" -c "flush" -c "read -P 0x66 1M 8M" "$file" > qemu-io.out 2>&1 \
        || fail "$(cat qemu-io.out)"
    qemu-io -f raw -r -c "read -P 0x66 1M 8M" "$uri" > qemu-io.out 2>&1 || fail "$(cat qemu-io.out)"
    assert_contains "$("$remap" status disk)" "$address"
    assert_equal NBDMAGIC "$(greeting_as own "$address")" "greeting of the own user"
    if [ "$(id -u)" = 0 ]; then
        assert_equal "" "$(greeting_as 65534 "$address")" "greeting of another user"
        assert_contains "$(cat disk.err)" "hung up on unix uid 65534"
    fi
    stop_server
    assert_equal "refused" "$(greeting_as own "$address")" "after the stop"
}

# greeting_as UID|own ADDRESS: the first 8 bytes that the server sends, nothing if it hangs up.
greeting_as() {
    /usr/bin/python3 - "$@" << 'PYTHON'
import os, socket, sys
if sys.argv[1] != "own":
    os.setgroups([])
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
client = socket.socket(socket.AF_UNIX)
client.settimeout(15)
try:
    client.connect("\0" + sys.argv[2])
    print(client.recv(8).decode())
except ConnectionRefusedError:
    print("refused")
except ConnectionResetError:
    print("")
PYTHON
}

run_tests
