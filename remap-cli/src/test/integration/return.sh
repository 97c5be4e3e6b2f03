#!/bin/bash
# A disk that the kernel has given up and that is plugged in again, as another device to it: the file system that holds an
# image, and a loop device over one, are shut down under load and mounted or attached anew. Requests wait, none fails,
# nothing is mapped. What is not the same disk is not opened.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_root
require_tools losetup mkfs.ext4 mount
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

DEADLINE_MILLIS=20000
SEED=${REMAP_SEED:-9}

# A stick with a file system, mounted on ./stick.
stick_in() {
    truncate -s 96M stick.img
    mkfs.ext4 -q stick.img
    mkdir stick
    plug_in
}

plug_in() {
    port=$(losetup -f --show stick.img)
    at_exit losetup -d "$port"
    mount "$port" stick
    at_exit stick_out
}

stick_out() {
    ! mountpoint -q stick || umount -l stick
}

# Every read and write fails from now on, as after a drive was pulled: FS_IOC_SHUTDOWN, ext4(5).
pull_out() {
    /usr/bin/python3 - stick <<'PYTHON'
import fcntl, os, struct, sys
directory = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(directory, 0x8004587D, struct.pack("I", 0))
PYTHON
    stick_out
}

requests_wait() {
    [ "$(attribute disk disk.disk.drop-off.held)" -gt 0 ]
}

is_said_to_be_away() {
    "$remap" status disk | grep -q 'away .*does not answer'
}

under_load() {
    /usr/bin/python3 "$integration/stuck_client.py" "$uri" none "$work/enough" "$DEADLINE_MILLIS" "$SEED" > client.log 2>&1 &
    client=$!
    sleep 2
}

# goes_on_as DEVICE: what waits for the disk is answered there, all of it.
goes_on_as() {
    is_running "$client" || fail "the load ended: $(cat client.log)"
    : > enough
    wait "$client" || fail "$(cat client.log)"
    assert_equal 0 "$(status_number disk mappedSectors)" "mapped sectors after a drop-off"
    assert_contains "$("$remap" events disk)" "device reopened"
    assert_contains "$("$remap" events disk)" " as $1"
    echo "suite: opened anew as ${1##*/}:" \
        "$(attribute disk disk.disk.drop-off.resumed) times a request waited and went on; $(cat client.log)"
}

test_image_on_a_stick_that_is_plugged_in_again() {
    stick_in
    truncate -s 32M stick/main.img spare.img
    start_remap disk "$work/stick/main.img" --spare "$work/spare.img" --set request-deadline-millis="$DEADLINE_MILLIS"
    under_load
    pull_out
    wait_until 10 requests_wait || fail "no request was held"
    wait_until 5 is_said_to_be_away || fail "$("$remap" status disk)"
    plug_in
    goes_on_as "$work/stick/main.img"
    ! is_said_to_be_away || fail "$("$remap" status disk)"
}

test_disk_under_another_name() {
    stick_in
    truncate -s 32M stick/disk.img
    truncate -s 32M spare.img
    local first second
    first=$(losetup -f --show stick/disk.img)
    at_exit losetup -d "$first"
    start_remap disk "$first" --spare "$work/spare.img" --set request-deadline-millis="$DEADLINE_MILLIS"
    under_load
    pull_out
    wait_until 10 requests_wait || fail "no request was held"
    plug_in
    second=$(losetup -f --show stick/disk.img)
    at_exit losetup -d "$second"
    [ "$first" != "$second" ] || fail "$first again"
    goes_on_as "$second"
}

# Of the same name and size, and a copy of it with its witness: neither is the disk.
test_another_disk_is_not_opened() {
    stick_in
    truncate -s 32M stick/main.img spare.img
    start_remap disk "$work/stick/main.img" --spare "$work/spare.img" --set request-deadline-millis=3000
    /usr/bin/python3 -c "import nbd; h = nbd.NBD(); h.connect_uri('$uri'); h.pwrite(b'x' * 4096, 0); h.flush()"
    pull_out
    cp -a stick.img pulled.img
    plug_in
    cp -a --sparse=always stick/main.img stick/copy.img
    mv stick/copy.img stick/main.img
    assert_eio_of_a_read
    truncate -s 32M stick/new.img
    mv stick/new.img stick/main.img
    assert_eio_of_a_read
    case $("$remap" events disk) in *"reopened"*) fail "another disk was opened" ;; esac
}

assert_eio_of_a_read() {
    /usr/bin/python3 - "$uri" <<'PYTHON' || fail "a read of a disk that is away succeeded"
import errno, sys
import nbd
handle = nbd.NBD()
handle.connect_uri(sys.argv[1])
try:
    handle.pread(4096, 0)
    sys.exit(1)
except nbd.Error as e:
    sys.exit(0 if e.errno == "EIO" else 2)
PYTHON
}

run_tests
