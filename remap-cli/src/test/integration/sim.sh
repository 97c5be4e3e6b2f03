#!/bin/bash
# The simulated disk as a product of its own: `remap sim serve` under real clients, and what steers it meanwhile. At the end
# btrfs mirrors over one that decays and one that does not, and repairs what the bad one lost.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools nbdinfo nbdcopy qemu-io fio /usr/bin/python3
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

# start_sim IMAGE ARGUMENT...: serves it on $work/IMAGE.nbd, and returns when clients can connect; the URI is in $uri.
start_sim() {
    local image=$1
    shift
    start_in_background "$image" "$remap" sim serve "$image" --socket "$work/$image.nbd" "$@"
    uri="nbd+unix:///?socket=$work/$image.nbd"
    wait_until 30 is_ready_or_gone "$image" "$background_pid" || fail "remap sim serve $image is not ready after 30 s"
    is_running "$background_pid" || fail "remap sim serve $image ended: $(cat "$work/$image.err")"
}

# say IMAGE LINE...: each line to its control socket, over one connection; prints the answers.
say() {
    /usr/bin/python3 - "$work/$1.sim-control" "${@:2}" << 'PYTHON'
import socket, sys
control = socket.socket(socket.AF_UNIX)
control.settimeout(30)
control.connect(sys.argv[1])
answers = control.makefile("r", encoding="utf-8")
for line in sys.argv[2:]:
    control.sendall(line.encode() + b"\n")
    for answer in answers:
        print(answer, end="")
        if line.startswith("{") or answer == "ok\n" or answer.startswith("error: "):
            break
PYTHON
}

value() {
    python3 -c 'import json, sys
print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

test_errors_go_to_the_client_and_only_where_they_were_put() {
    "$remap" sim create disk.img --size 32M --bad-count 400 --seed 7 --json > made.json
    assert_equal 400 "$(($(value badSectors < made.json) / 8 * 8))" "bad sectors, in whole blocks of 8"
    awk '!/^#/ { print $1, $2, "read-and-write-bad" }' disk.img.sim-faults > bad.map
    cp bad.map disk.img.sim-faults
    head -c 32M /dev/urandom | dd of=disk.img conv=notrunc status=none
    start_sim disk.img --listen 127.0.0.1:0
    /usr/bin/python3 "$integration/reading_client.py" "$uri" disk.img bad.map 800 7 > client.log 2>&1 \
        || fail "$(cat client.log)"
    sed 's/^/suite: sim: /' client.log
    [ "$(nbdinfo --size "$(tcp_uri disk.img)")" = 33554432 ] || fail "size over TCP"
    assert_eio nbdcopy "$uri" null:
}

# A request has the list of faults looked at.
tells_of_faults() {
    qemu-io -f raw -c 'read 0 512' "$uri" > /dev/null
    grep -q "the faults stay as they were: .*sim-faults, line 1" disk.img.err
}

test_a_write_heals_and_the_disk_survives_a_kill() {
    "$remap" sim create disk.img --size 8M > /dev/null
    start_sim disk.img
    "$remap" sim bad disk.img 2048+8
    assert_eio qemu-io -f raw -c 'read 1M 4k' "$uri"
    qemu-io -f raw -c 'write -P 0x5a 1M 512' -c flush "$uri" > /dev/null
    kill_remap "$background_pid"
    start_sim disk.img
    qemu-io -f raw -c 'read -P 0x5a 1M 512' "$uri" > qemu.out
    ! grep -q "verification failed" qemu.out || fail "$(cat qemu.out)"
    assert_eio qemu-io -f raw -c 'read 1049088 512' "$uri"
    assert_equal 7 "$("$remap" sim status disk.img --json | value unreadableSectors)" "unreadable sectors"
    "$remap" sim heal disk.img 2048+8
    nbdcopy "$uri" copy.img
    assert_status "$USAGE" "$remap" sim bad disk.img 2048 no-such-mode
    echo nonsense > disk.img.sim-faults
    wait_until 30 tells_of_faults || fail "$(cat disk.img.err)"
    [[ $(cat disk.img.err) != *io.remap* ]] || fail "$(cat disk.img.err)"
    assert_status "$ENVIRONMENT" "$remap" sim status other.img
    stop_process "$background_pid"
    assert_contains "$(tail -n 1 disk.img.out)" stopped
    [ ! -e disk.img.sim-control ] || fail "the control socket is left behind"
}

test_the_messages_of_dm_dust() {
    "$remap" sim create disk.img --size 8M > /dev/null
    start_sim disk.img
    assert_equal 600 "$(stat -c %a disk.img.sim-control)" "mode of the control socket"
    say disk.img 'addbadblock 60' 'addbadblock 67' 'addbadblock 67' 'queryblock 67' 'queryblock 66' countbadblocks \
        listbadblocks 'removebadblock 67' 'removebadblock 67' disable enable quiet quiet 'addbadblock 16384' nonsense \
        > answers
    cat > expected << 'END'
badblock added at block 60
ok
badblock added at block 67
ok
error: block 67 is bad already
block 67 found in badblocklist
ok
block 66 not found in badblocklist
ok
countbadblocks: 2 badblock(s) found
ok
60
67
ok
badblock removed at block 67
ok
error: block 67 not found in badblocklist
disabling read failures on bad sectors
ok
enabling read failures on bad sectors
ok
quiet mode enabled
ok
quiet mode disabled
ok
error: block 16384 lies beyond the end: there are 16384 of 512 bytes
END
    assert_same_content expected <(head -n 26 answers)
    assert_contains "$(tail -n 1 answers)" "error: there is no command 'nonsense'"
    assert_eio qemu-io -f raw -c 'read 30k 4k' "$uri"
    say disk.img disable > /dev/null
    qemu-io -f raw -c 'read 30k 4k' "$uri" > /dev/null
    say disk.img enable clearbadblocks > /dev/null
    qemu-io -f raw -c 'read 30k 4k' "$uri" > /dev/null
    assert_equal '{"ok":true,"result":{"count":0}}' "$(say disk.img '{"command": "countbadblocks"}')" "JSON"
    assert_contains "$(say disk.img '{"command": 5}')" '"ok":false'
    assert_contains "$("$remap" sim message disk.img countbadblocks)" "count: 0"
}

test_a_sector_hangs_and_no_other_waits() {
    "$remap" sim create disk.img --size 16M > /dev/null
    start_sim disk.img
    say disk.img "fault "{0,64,128,192,256,320,384,448}"s 1s hangs" > hanging
    assert_equal 8 "$(grep -c '^made: ' hanging)" "hanging sectors"
    /usr/bin/python3 - "$uri" > hang.log 2>&1 << 'PYTHON' &
import sys, nbd
# Eight requests that get no answer, and 2,000 on the same connection that do.
h = nbd.NBD()
h.connect_uri(sys.argv[1])
hung = [(nbd.Buffer(512), 32768 * i) for i in range(8)]
cookies = [h.aio_pread(buffer, offset) for buffer, offset in hung]
for i in range(2000):
    h.pread(4096, 4096 * (1 + i % 7) + 32768 * (i % 256 + 8))
assert not any(h.aio_command_completed(c) for c in cookies), "a hanging request was answered"
print("others were answered", flush=True)
while not all(h.aio_command_completed(c) for c in cookies if c) and h.poll(60000) >= 0:
    cookies = [c for c in cookies if not h.aio_command_completed(c)]
    if not cookies:
        break
print("all were answered")
PYTHON
    local client=$!
    at_exit stop_process "$client"
    wait_until 60 grep -q "others were answered" hang.log || fail "others waited: $(cat hang.log)"
    "$remap" sim heal disk.img 0+512 > /dev/null
    wait "$client" || fail "$(cat hang.log)"
    assert_contains "$(cat hang.log)" "all were answered"
    # A disk that hangs as a whole is stopped all the same.
    "$remap" sim state disk.img hangs > /dev/null
    assert_status 124 timeout 5 qemu-io -f raw -c 'read 0 512' "$uri"
    stop_process "$background_pid"
}

test_states_of_the_device() {
    "$remap" sim create disk.img --size 8M > /dev/null
    start_sim disk.img
    "$remap" sim down disk.img --errno ENXIO
    assert_eio qemu-io -f raw -c 'read 0 512' "$uri"
    "$remap" sim up disk.img
    qemu-io -f raw -c 'read 0 512' "$uri" > /dev/null
    "$remap" sim state disk.img read-only
    assert_status 1 qemu-io -f raw -c 'write 0 512' "$uri"
    assert_contains "$output" "Operation not permitted"
    "$remap" sim up disk.img
    "$remap" sim state disk.img flush-fails 1
    assert_eio qemu-io -f raw -c 'write 0 512' -c flush "$uri"
}

# Each write has its number in it. After the cut every sector has what was flushed last, or something later, or of what a
# disk that lies said it had flushed, anything; and the same seed leaves the same.
test_a_power_cut() {
    "$remap" sim create disk.img --size 8M > /dev/null
    start_sim disk.img
    cat > writer.py << 'PYTHON'
import random, sys, nbd
h = nbd.NBD()
h.connect_uri(sys.argv[1])
choose = random.Random(5)
first = int(sys.argv[2])
for number in range(first, first + 200):
    length = 512 * choose.randrange(1, 16)
    h.pwrite(number.to_bytes(2, "big") * (length // 2), 512 * choose.randrange(0, 256))
if sys.argv[3] == "flush":
    h.flush()
PYTHON
    /usr/bin/python3 writer.py "$uri" 1 flush
    "$remap" sim power-cut disk.img --json > cut.json
    assert_equal 0 "$(value lostSectors < cut.json)" "sectors lost after a flush"
    nbdcopy "$uri" flushed.img
    /usr/bin/python3 writer.py "$uri" 1001 keep
    nbdcopy "$uri" newest.img
    "$remap" sim power-cut disk.img --seed 3 --json > cut.json
    nbdcopy "$uri" after.img
    python3 - > mixed << 'PYTHON'
import sys
images = [open(name, "rb").read() for name in ("flushed.img", "newest.img", "after.img")]
counts = {"old": 0, "new": 0, "between": 0}
for at in range(0, 512 * 300, 512):
    old, new, now = (image[at : at + 512] for image in images)
    if old == new:
        continue
    assert now == now[:2] * 256, "a torn sector at %d" % at
    number = int.from_bytes(now[:2], "big")
    assert now == old or 1001 <= number < 1201, "sector %d holds %d" % (at // 512, number)
    counts["old" if now == old else "new" if now == new else "between"] += 1
print(counts)
assert all(counts.values()), counts
PYTHON
    echo "suite: sim: power cut: $(cat mixed), $(value lostSectors < cut.json) versions of sectors lost"
    # A disk that lies about its flushes loses what it said was safe.
    nbdcopy "$uri" before.img
    "$remap" sim state disk.img flush-lies
    /usr/bin/python3 writer.py "$uri" 2001 flush
    "$remap" sim power-cut disk.img --json > cut.json
    [ "$(value lostSectors < cut.json)" -gt 0 ] || fail "nothing was lost although the flush was a lie"
}

# Just before the second flush, so the client does not know of it; and once.
test_the_power_goes_at_a_point_that_was_named() {
    "$remap" sim create disk.img --size 8M > /dev/null
    echo 'power-cut from=flush:2' > disk.img.sim-faults
    start_sim disk.img
    /usr/bin/python3 - "$uri" > kept << 'PYTHON'
import sys, nbd
h = nbd.NBD()
h.connect_uri(sys.argv[1])
def sectors():
    content = h.pread(64 * 512, 0)
    return [content[at] for at in range(0, len(content), 512)]
h.pwrite(bytes([1]) * 64 * 512, 0)
h.flush()
h.pwrite(bytes([2]) * 64 * 512, 0)
h.flush()
after = sectors()
assert set(after) == {1, 2}, after
h.pwrite(bytes([3]) * 64 * 512, 0)
assert set(sectors()) == {3}, sectors()
print(after.count(2))
PYTHON
    echo "suite: sim: power cut at the second flush: $(cat kept) of 64 sectors written before it are kept"
    assert_status "$USAGE" "$remap" sim state disk.img power-cut
    assert_contains "$output" "from=POINT"
}

# One seed, the same operations: the same answers, the same trace; another seed, another one.
test_a_run_is_repeated_by_its_seed() {
    local round
    for round in 1:7 2:7 3:8; do
        rm -f disk.img*
        "$remap" sim create disk.img --size 8M --bad-count 64 --seed 7 > /dev/null
        echo '0 4M transient p=0.1' >> disk.img.sim-faults
        echo '4M 1M relapses' >> disk.img.sim-faults
        echo '6M 64K slow 1 jitter=3' >> disk.img.sim-faults
        start_sim disk.img --set seed="${round#*:}" --set trace="$work/trace.${round%:*}" --set trace-format=text
        /usr/bin/python3 - "$uri" > "answers.${round%:*}" << 'PYTHON'
import random, sys, nbd
h = nbd.NBD()
h.connect_uri(sys.argv[1])
choose = random.Random(1)
for i in range(600):
    offset = 4096 * choose.randrange(2048)
    try:
        if choose.random() < 0.3:
            h.pwrite(bytes(4096), offset)
        else:
            h.pread(4096, offset)
        print(i, offset, "ok")
    except nbd.Error as e:
        print(i, offset, e.errno)
PYTHON
        stop_process "$background_pid"
    done
    assert_same_content answers.1 answers.2
    assert_same_content trace.1 trace.2
    assert_equal 600 "$(grep -c -E '^[0-9]+ (read|write) ' trace.1)" "lines of the trace"
    ! cmp -s answers.1 answers.3 || fail "another seed gives the same answers"
    echo "suite: sim: $(grep -c EIO trace.1) of 600 operations failed, twice the same"
}

test_fio_sees_what_the_model_says() {
    "$remap" sim create disk.img --size 16M > /dev/null
    start_sim disk.img --set latency-ms=5
    fio --name=latency --ioengine=nbd --uri="$uri" --rw=randread --bs=4k --size=16M --number_ios=64 --iodepth=1 \
        --output-format=json > fio.json
    python3 - << 'PYTHON'
import json
text = open("fio.json").read()
read = json.loads(text[text.index("{"):])["jobs"][0]["read"]
assert read["total_ios"] == 64, read["total_ios"]
assert read["lat_ns"]["min"] >= 5_000_000, read["lat_ns"]
PYTHON
}

# What `remap serve` has as its main: the same disk, steered in the same way, behind a spare.
test_behind_a_spare() {
    "$remap" sim create main.img --size 16M > /dev/null
    truncate -s 16M spare.img
    start_remap disk "sim:$work/main.img?control=$work/main.img.sim-control" --spare "$work/spare.img"
    "$remap" sim bad main.img 2048+8 write-bad
    qemu-io -f raw -c 'write -P 0x77 1M 4k' -c 'read -P 0x77 1M 4k' "$uri" > qemu.out
    ! grep -q "verification failed" qemu.out || fail "$(cat qemu.out)"
    assert_equal 8 "$(status_number disk mappedSectors)" "remapped sectors"
    assert_status 0 "$remap" stop disk
}

# attach IMAGE [URI]: a loop device over its export; in $device.
attach() {
    mkdir "$1.mount"
    nbdfuse "$1.mount/disk" "${2:-nbd+unix:///?socket=$work/$1.nbd}" > "$1.nbdfuse.log" 2>&1 &
    # A loop device over it may go a moment after it was detached.
    at_exit wait_until 10 fusermount3 -u "$work/$1.mount"
    wait_until 20 mountpoint -q "$1.mount" || fail "nbdfuse did not mount: $(cat "$1.nbdfuse.log")"
    device=$(losetup --find --show --direct-io=on "$work/$1.mount/disk")
    at_exit losetup -d "$device"
}

test_an_image_that_cannot_be_made_leaves_nothing() {
    local limited=(bash -c 'ulimit -f 64; exec "$@"' _)
    refused "$ENVIRONMENT" "disk.img" "${limited[@]}" "$remap" sim create disk.img --size 1G
    [ ! -e disk.img ] || fail "the image is there, empty"
    assert_status 0 "$remap" sim create disk.img --size 16M
}

require_btrfs() {
    require_root
    require_tools mkfs.btrfs nbdfuse fusermount3 losetup
    has_file_system btrfs || not_run "the kernel has no btrfs"
}

test_btrfs_mirrors_over_a_disk_that_decays() {
    require_btrfs
    local image devices=()
    for image in good.img bad.img; do
        "$remap" sim create "$image" --size 192M > /dev/null
        start_sim "$image" --set cache=0
        attach "$image"
        devices+=("$device")
    done
    mkfs.btrfs -q -d raid1 -m raid1 "${devices[@]}" > /dev/null
    mkdir mnt
    mount "${devices[0]}" mnt
    at_exit umount "$work/mnt"
    head -c 48M /dev/urandom > mnt/file
    sync
    sha256sum < mnt/file > sum
    local step
    for step in 1 2 3; do
        # More of it is gone each time: unreadable until it is written again, and silently wrong.
        say bad.img "fault $((40 + step * 20))M 16M read-bad-heals-on-write" \
            "fault $((56 + step * 20))M 64K corrupt-silent ff" > /dev/null
        echo 3 > /proc/sys/vm/drop_caches
        sha256sum < mnt/file | cmp - sum || fail "the file is not what it was, step $step"
        # It repairs what a write heals, and can do nothing about the rest.
        btrfs scrub start -B mnt > scrub.log 2>&1 || true
    done
    say bad.img "heal 0 192M" > /dev/null
    btrfs scrub start -B mnt > last.log 2>&1 || fail "errors are left after the decay ended: $(cat last.log)"
    btrfs scrub start -B mnt > clean.log 2>&1 || fail "errors after the repair: $(cat clean.log)"
    assert_contains "$(cat clean.log)" "no errors found"
    echo 3 > /proc/sys/vm/drop_caches
    sha256sum < mnt/file | cmp - sum || fail "the file is not what it was after the repair"
    local errors
    errors=$(btrfs device stats mnt | awk -v bad="[${devices[1]}]" '
        index($1, bad) == 1 && /read_io_errs|corruption_errs/ { sum += $2 }
        index($1, bad) != 1 { others += $2 }
        END { print sum, others }')
    [ "${errors%% *}" -gt 0 ] || fail "btrfs met no error of the disk that decays: $(btrfs device stats mnt)"
    assert_equal 0 "${errors##* }" "errors of the good disk"
    echo "suite: sim: btrfs met ${errors%% *} errors of a disk that decays, and repaired it"
}

# decays_hard STEP: 64 KiB in each 4 MiB of bad.img read no more and take no write, ever.
decays_hard() {
    local at commands=()
    for ((at = 24 * 1024 + $1 * 1024; at < 184 * 1024; at += 4096)); do
        # One of the superblocks of btrfs is at 64 MiB.
        [ "$((at / 1024))" = 64 ] || commands+=("fault ${at}K 64K read-and-write-bad")
    done
    say bad.img "${commands[@]}" > decay.log
    ! grep -q '^error' decay.log || fail "$(cat decay.log)"
}

# scrub NAME: all of what it met must be repaired, although the disk stays as bad as it is.
scrub() {
    btrfs scrub start -B mnt > "$1.log" 2>&1 || fail "$1: $(cat "$1.log") $(btrfs device stats mnt)"
}

# The decaying half is served with a spare, and its sectors take no write: what the mirror writes again goes to the spare.
test_a_mirror_repairs_what_a_spare_takes() {
    require_btrfs
    truncate -s 192M good.img bad.img
    truncate -s 128M spare.img
    local devices=() step
    device=$(losetup --find --show good.img)
    at_exit detach_if_attached "$device" "$work/good.img"
    devices+=("$device")
    start_remap disk "sim:$work/bad.img?control=$work/bad.img.sim-control" --spare "$work/spare.img" --set scan.enabled=off
    attach bad.img "$uri"
    devices+=("$device")
    mkfs.btrfs -q -d raid1 -m raid1 "${devices[@]}" > /dev/null
    mkdir mnt
    mount "${devices[0]}" mnt
    at_exit unmount_if_mounted "$work/mnt"
    head -c 48M /dev/urandom > mnt/file
    sync
    sha256sum < mnt/file > sum
    assert_equal 0 "$(status_number disk mappedSectors)" "mapped sectors before the decay"
    for step in 1 2 3; do
        local before
        before=$(status_number disk mappedSectors)
        decays_hard "$step"
        scrub "repair-$step"
        assert_contains "$(cat "repair-$step.log")" "Corrected:"
        [ "$(status_number disk mappedSectors)" -gt "$before" ] || fail "nothing went to the spare in step $step"
        scrub "clean-$step"
        assert_contains "$(cat "clean-$step.log")" "no errors found"
    done
    assert_equal 0 "$(btrfs device stats mnt | awk '/write_io_errs|flush_io_errs/ { sum += $2 } END { print sum }')" "errors of writes"
    local repaired
    repaired=$(btrfs device stats mnt | awk '/read_io_errs/ { sum += $2 } END { print sum }')
    umount mnt
    # The half that decayed has all of it, without the other one.
    losetup -d "${devices[0]}"
    btrfs device scan --forget
    mount -o ro,degraded "${devices[1]}" mnt
    sha256sum < mnt/file | cmp - sum || fail "the half that decayed has another file"
    umount mnt
    echo "suite: sim: a mirror met $repaired errors of a served disk and repaired them:" \
        "$(status_number disk mappedSectors) sectors are on its spare"
}

# detach_if_attached DEVICE IMAGE: by then another suite may have a loop device of the same number.
detach_if_attached() {
    ! losetup --noheadings --raw --output BACK-FILE "$1" 2> /dev/null | grep -qxF "$2" || losetup -d "$1"
}

unmount_if_mounted() {
    ! mountpoint -q "$1" || umount "$1"
}

# served COMMAND: runs a `remap sim serve` in the background; in its place the next one ends it.
served() {
    [ -z "${serving:-}" ] || stop_process "$serving"
    start_in_background shown bash -c "exec $1"
    serving=$background_pid
    wait_until 30 is_ready_or_gone shown "$serving" || fail "not ready: $1"
    is_running "$serving" || fail "it ended: $1: $(cat "$work/shown.err")"
}

# show COMMAND: as somebody types it.
show() {
    if [[ $1 == remap\ sim\ serve* ]]; then
        served "$1"
    else
        timeout 60 bash -euo pipefail -c "$1" > shown.log 2>&1 < /dev/null || fail "exit status $? of $1: $(cat shown.log)"
    fi
}

# What docs/SIM.md shows at its beginning and what the help shows runs as it stands, on one disk.
test_what_the_page_and_the_help_show() {
    mkdir bin
    ln -s "$remap" bin/remap
    export PATH=$work/bin:$PATH
    local verb command shown=0
    python3 - "$project/docs/SIM.md" > commands << 'PYTHON'
import re, sys
for block in re.findall(r"```sh\n(.*?)```", open(sys.argv[1]).read(), re.S)[:2]:
    print(block, end="")
PYTHON
    for verb in status bad heal down state up power-cut message; do
        "$remap" sim "$verb" --help | sed -n -e 's/^ *Examples\{0,1\}: \(remap .*\)$/\1/p' -e 's/^  \(remap .*\)$/\1/p' >> commands
    done
    while IFS= read -r command; do
        show "$command"
        shown=$((shown + 1))
    done < commands
    stop_process "$serving"
    rm -f disk.img*
    truncate -s 1M old.img
    printf '0 +\n0 4096 +\n4096 512 -\n' > rescue.map
    for verb in create serve; do
        "$remap" sim "$verb" --help | sed -n -e 's/^  \(remap .*\)$/\1/p' > commands
        while IFS= read -r command; do
            [[ $command != *"create disk.img"* ]] || rm -f disk.img*
            show "$command"
            shown=$((shown + 1))
        done < commands
    done
    [ "$shown" -ge 28 ] || fail "only $shown commands were found"
    echo "suite: sim: $shown commands of docs/SIM.md and the help"
}

run_tests
