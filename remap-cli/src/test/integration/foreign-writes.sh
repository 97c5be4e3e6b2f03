#!/bin/bash
# Main written without remap between a clean stop and the next start: seen, refused with the ways out, and not written to.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3

# serve_and_stop MAIN ARGUMENT…: a run that ends in order.
serve_and_stop() {
    start_remap main "$1" --spare main.spare "${@:2}"
    stop_remap
}

# flip FILE BYTE: changes one bit there.
flip() {
    python3 -c 'import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 4]))' "$1" "$2"
}

# changed MAIN: refused for writing with both ways out, served for reading with a notice.
changed() {
    refused "$WRONG_DEVICE" "--accept-main-changes" "$remap" serve "$1" --spare main.spare
    assert_contains "$(cat refused.err)" "--read-only"
}

is_read_only() {
    [ "$(status_number main readOnly)" = True ]
}

test_an_image_that_was_written() {
    image main.img
    blank main.spare 16M
    serve_and_stop main.img
    # Without a change it is served, also when its attributes change or it is renamed.
    mv main.img renamed.img && chmod 600 renamed.img && mv renamed.img main.img
    serve_and_stop main.img
    flip main.img 5000000
    remember main.img main.spare
    changed main.img
    assert_contains "$(cat refused.err)" "modified"
    start_remap main main.img --spare main.spare --read-only
    assert_contains "$("$remap" status main)" "modified"
    stop_remap
    assert_untouched
    serve_and_stop main.img --accept-main-changes
    serve_and_stop main.img
    # As a tool does it that puts the times back.
    touch -r main.img times
    flip main.img 100
    touch -r times main.img
    remember main.img main.spare
    changed main.img
    assert_contains "$(cat refused.err)" "first at byte 0"
    assert_untouched
    # After a stop that was not in order nobody can tell.
    start_remap main main.img --spare main.spare --accept-main-changes
    kill_remap "$background_pid"
    flip main.img 100
    serve_and_stop main.img
}

test_what_is_seen_while_it_is_served() {
    image main.img
    blank main.spare 16M
    serve_and_stop main.img
    touch -r main.img times
    flip main.img 600000
    touch -r times main.img
    start_remap main main.img --spare main.spare
    wait_until 90 is_read_only || fail "not noticed: $("$remap" status main --json)"
    assert_contains "$("$remap" status main)" "--accept-main-changes"
    assert_contains "$("$remap" events main)" "main"
    refused "$ENVIRONMENT" "read-only" "$remap" map add main 8+8
    # It is remembered, also by a server that is killed.
    kill_remap "$background_pid"
    changed main.img
    assert_contains "$(cat refused.err)" "found changed"
    serve_and_stop main.img --accept-main-changes
    serve_and_stop main.img
}

# mounted FILE-SYSTEM DEVICE: somebody mounts it for writing, and writes a file to a vfat, as nothing else changes there.
mounted() {
    if [ "$1" = vfat ] && ! has_file_system vfat; then
        how=mcopy
        echo text > file && mcopy -i "$2" file ::file
        return
    fi
    how=mount
    mkdir -p mounted
    mount -t "$1" "$2" mounted
    [ "$1" != vfat ] || echo text > mounted/file
    umount mounted
}

test_a_file_system_that_was_mounted() {
    require_root
    require_tools mkfs.ext4 mkfs.xfs mkfs.btrfs mkfs.vfat mcopy
    local kind device seen=""
    for kind in ext4 xfs btrfs vfat; do
        # To a vfat mcopy writes as well.
        if [ "$kind" != vfat ] && ! has_file_system "$kind"; then
            part_not_run "the kernel has no $kind"
            continue
        fi
        rm -f main.img main.spare
        truncate -s 400M main.img
        blank main.spare 16M
        case $kind in xfs | btrfs) "mkfs.$kind" -q -f main.img ;; ext4) mkfs.ext4 -q -F main.img ;; vfat) mkfs.vfat -F 32 main.img > /dev/null ;; esac
        device=$(losetup -f --show main.img)
        at_exit losetup -d "$device"
        serve_and_stop "$device"
        serve_and_stop "$device"
        mounted "$kind" "$device"
        changed "$device"
        seen="$seen $kind($how)"
        serve_and_stop "$device" --accept-main-changes
        "$remap" forget "$device" > /dev/null
    done
    [ -n "$seen" ] || fail "no file system could be mounted"
    echo "suite: G17 mounted-for-writing and refused:$seen"
}

run_tests
