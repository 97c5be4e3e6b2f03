#!/bin/bash
# The health of a disk from the launcher: a scan finds what is bad and moves what is weak, and goes on after a kill; alerts
# reach a program; SMART is asked; and the commands that name damaged files do name them.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 cmp

SIZE_MIB=256

# Slow counts from 200 ms on, and everything that waits waits for a second only.
quick=(--set scan.slow-millis=200 --set scan.recheck-seconds=1 --set scan.local-delay-seconds=1 --set scan.save-seconds=1
    --set autosave-seconds=1 --set smart.program=off)

# start_sick [OPTION…]: serves disk.img with what stands in `faults`.
start_sick() {
    [ -f disk.img ] || head -c "${SIZE_MIB}M" /dev/urandom > disk.img
    [ -f spare.img ] || truncate -s 32M spare.img
    start_remap disk "sim:$work/disk.img?faults=$work/faults" --spare "$work/spare.img" "${quick[@]}" "$@"
}

# is_so METHOD EXPRESSION: by what the service answers.
is_so() {
    [ "$(asked disk "$1" "bool($2)")" = True ]
}

test_a_scan_finds_what_is_bad_and_moves_what_is_weak() {
    printf '%s\n' '100M 8192 read-and-write-bad' '50M 4096 slow 400' '150M 512 transient 3' > faults
    start_sick
    assert_contains "$("$remap" scan start disk --watch)" "256.0 MiB read"
    is_so scan.status "d['last']" ||
        fail "the pass has no end: $("$remap" scan status disk)"
    assert_equal 16 "$(status_number disk unreadableSectors)" "unreadable sectors"
    # The range of a weak sector is a part of a unit: its sectors alone move.
    wait_until 20 is_so health "d['movedUnits'] >= 2" || fail "$("$remap" health disk)"
    local listed
    listed=$("$remap" map list disk)
    assert_contains "$listed" "102400"
    assert_contains "$listed" "307200"
    # What was moved reads as before.
    /usr/bin/python3 - "$work/disk.img" "$work/disk.sock" << 'END'
import subprocess, sys
with open(sys.argv[1], "rb") as image:
    for at in (50 << 20, 150 << 20):
        image.seek(at)
        wanted = image.read(65536)
        got = subprocess.run(["nbdsh", "-u", "nbd+unix:///disk?socket=" + sys.argv[2], "-c",
            "import sys; sys.stdout.buffer.write(h.pread(65536, %d))" % at], stdout=subprocess.PIPE, check=True).stdout
        assert wanted == got, "other content at %d" % at
END
    local health
    health=$("$remap" health disk)
    assert_contains "$health" "bad units of 4096 bytes: 2"
    assert_contains "$health" "worst regions"
    echo "suite: $(head -n 1 <<< "$health")"
}

segments_done() {
    asked disk scan.status "d['segmentsDone']"
}

test_a_scan_goes_on_after_a_kill_and_stays_paused() {
    : > faults
    start_sick
    "$remap" scan start disk --rate 8M > /dev/null
    wait_until 60 is_so scan.status "d['segmentsDone'] >= 24" || fail "$("$remap" scan status disk)"
    # Two saves later that place is on the spare.
    wait_until 60 is_so scan.status "d['segmentsDone'] >= 48" || fail "$("$remap" scan status disk)"
    kill_remap "$background_pid"
    start_sick
    [ "$(segments_done)" -ge 20 ] || fail "the scan began anew: $("$remap" scan status disk)"
    assert_equal 1 "$(asked disk scan.status "d['pass']")" "pass"
    assert_contains "$("$remap" scan pause disk)" "scan paused"
    stop_remap
    start_sick
    assert_equal paused "$(asked disk scan.status "d['state']")" "state"
    refused "$NOT_SO" "nothing to pause" "$remap" scan pause disk
    "$remap" scan resume disk > /dev/null
    "$remap" scan start disk > /dev/null
    wait_until 60 is_so scan.status "d['last']" || fail "$("$remap" scan status disk)"
    assert_contains "$("$remap" scan start disk --restart --rate 1M)" "scan running"
    assert_contains "$("$remap" scan cancel disk)" "scan cancelled"
}

# program NAME: an executable file with the script on standard input.
program() {
    cat > "$1"
    chmod +x "$1"
}

test_alerts_reach_a_program_and_smart_is_asked() {
    echo '10M 4096 read-bad-heals-on-write' > faults
    program smartctl << 'END'
#!/bin/sh
echo '{"smartctl": {"version": [7, 3]}, "device": {"protocol": "ATA"}, "model_name": "Fake", "smart_status": {"passed": true},
"ata_sct_erc": {"read": {"enabled": false}}, "temperature": {"current": 40},
"ata_smart_attributes": {"table": [{"id": 197, "raw": {"value": 3}}]}}'
END
    program hook << END
#!/bin/sh
echo "\$SMARTD_FAILTYPE \$REMAP_SEVERITY \$REMAP_STATE" >> "$work/told"
END
    start_sick --set "smart.program=$work/smartctl" --set smart.device=/dev/fake --set "alert.hook=$work/hook"
    "$remap" scan start disk --watch > /dev/null
    wait_until 30 grep -qx 'bad-units warning raised' told || fail "$(cat told) $("$remap" alerts list disk)"
    wait_until 30 grep -qx 'smart-pending warning raised' told || fail "$(cat told) $("$remap" health disk)"
    assert_contains "$("$remap" health disk)" "smartctl -l scterc,70,70 /dev/fake"
    local id
    id=$(asked disk alerts.list "[a['id'] for a in d['alerts'] if a['key'] == 'bad-units'][0]")
    assert_contains "$("$remap" alerts ack disk "$id")" "acknowledged"
    refused "$NOT_SO" "no open alert" "$remap" alerts resolve disk 999
    "$remap" alerts baseline disk > /dev/null
    assert_equal 0 "$(asked disk health "d['openAlerts']")" "open alerts"
    assert_contains "$("$remap" health disk --maintenance 5)" "maintenance"
    refused "$USAGE" "expected 0 to 10080 minutes" "$remap" health disk --maintenance 20000
    assert_contains "$("$remap" events disk)" "health"
    assert_equal 0 "$(asked disk health "d['droppedTroubles']")" "troubles that were dropped"
}

test_a_hook_is_tried() {
    : > faults
    program good << END
#!/bin/sh
echo "\$REMAP_ALERT" >> "$work/told"
END
    program bad <<< $'#!/bin/sh\nexit 9'
    program hangs <<< $'#!/bin/sh\nsleep 1000'
    start_sick
    assert_contains "$("$remap" health disk)" "unknown: switched off (smart.program=off)"
    refused "$USAGE" "no hook is set: serve with --set alert.hook=/PATH" "$remap" alerts test disk
    stop_remap
    start_sick --set "alert.hook=$work/missing"
    refused 1 "the hook failed: Cannot run program \"$work/missing\"" "$remap" alerts test disk
    program missing < good
    assert_equal "the hook ran, and ended with exit status 0" "$("$remap" alerts test disk)" "after it was put there"
    stop_remap
    start_sick --set "alert.hook=$work/bad"
    refused 1 "the hook failed: exit status 9" "$remap" alerts test disk
    assert_status 1 "$remap" alerts test disk --json
    assert_contains "$output" '"testFailure" : "exit status 9"'
    stop_remap
    start_sick --set "alert.hook=$work/hangs" --set alert.hook-timeout-seconds=1
    refused 1 "the hook failed: it was killed after 1000 ms" "$remap" alerts test disk
    stop_remap
    start_sick --set "alert.hook=$work/good"
    assert_equal "the hook ran, and ended with exit status 0" "$("$remap" alerts test disk)" "a good one"
    # The program ran before that was said: this time, and when it was put there.
    assert_equal 2 "$(grep -cx test told)" "runs that were told of"
}

test_the_limits_of_alerts_are_settings() {
    : > faults
    program smartctl << 'END'
#!/bin/sh
echo '{"smartctl": {"version": [7, 3]}, "device": {"protocol": "ATA"}, "model_name": "Fake", "smart_status": {"passed": true},
"temperature": {"current": 41}}'
END
    assert_contains "$("$remap" plugins settings alert)" "alert.spare-warning-percent=50"
    assert_contains "$("$remap" plugins settings alert)" "alert.temperature-warning-celsius=auto"
    start_sick --set "smart.program=$work/smartctl" --set smart.device=/dev/fake --set alert.temperature-warning-celsius=41
    wait_until 30 is_so alerts.list "[a['key'] for a in d['alerts']] == ['temperature']" ||
        fail "$("$remap" alerts list disk)"
}

test_the_commands_for_a_damaged_file_name_it() {
    require_tools mkfs.ext4 debugfs
    truncate -s 64M disk.img
    head -c 1M /dev/urandom > content
    mkfs.ext4 -q -b 1024 disk.img
    debugfs -w -R "write content precious" disk.img > /dev/null 2>&1
    local block
    block=$(debugfs -R "bmap precious 500" disk.img 2> /dev/null)
    echo "$((block * 1024)) 512 read-bad-heals-on-write" > faults
    start_sick
    "$remap" scan start disk --watch > /dev/null
    "$remap" impact disk --device "$work/disk.img" > impact
    assert_contains "$(cat impact)" "bytes $((block * 1024))+512"
    local icheck inode
    icheck=$(grep -o "debugfs -R 'icheck.*" impact)
    assert_contains "$icheck" "icheck $block'"
    inode=$(eval "$icheck" 2> /dev/null | awk -v block="$block" '$1 == block {print $2}')
    assert_contains "$(debugfs -R "ncheck $inode" disk.img 2> /dev/null)" "precious"
}

can_mount() {
    if [ "$(id -u)" != 0 ] || ! has_file_system "$1"; then
        part_not_run "$1 cannot be mounted here: its commands were not tried"
        return 1
    fi
}

# A loop device goes a moment after what was mounted from it.
is_detached() {
    [ -z "$(losetup -j disk.img)" ]
}

# damaged_file FS OPTION…: disk.img is of this file system, and a sector of the file `precious` of it cannot be read, at
# $place; `impact` is what remap says of that.
damaged_file() {
    wait_until 30 is_detached || fail "disk.img is still attached: $(losetup -j disk.img)"
    rm -f disk.img spare.img
    truncate -s 512M disk.img
    head -c 1M /dev/urandom > content
    mkfs."$1" -q "${@:2}" disk.img
    mount -o loop disk.img mnt
    head -c 3M /dev/urandom > mnt/other
    mkdir mnt/deep
    cp content mnt/deep/precious
    umount mnt
    wait_until 30 is_detached || fail "disk.img is still attached: $(losetup -j disk.img)"
    read_at_its_place
}

# A client meets the bad sector in the midst of what `content` is, and asks what that hits.
read_at_its_place() {
    place=$(python3 -c 'print(open("disk.img", "rb").read().find(open("content", "rb").read()[500000:504096]) // 512 * 512 + 512)')
    echo "$place 512 read-bad-heals-on-write" > faults
    start_sick
    qemu-io -f raw -c "read $place 512" "$uri" > qemu.out 2>&1 || true
    "$remap" impact disk --device "$work/disk.img" > impact
    assert_contains "$(cat impact)" "bytes $place+512"
    stop_remap
}

# command_of START: the command that begins so, with the place of the mount in it.
command_of() {
    grep -o "$1.*" impact | head -n 1 | sed "s|MOUNTPOINT|$work/mnt|g"
}

test_the_commands_name_the_file_on_other_file_systems() {
    local place inode logical
    require_tools mkfs.xfs mkfs.btrfs mkntfs qemu-io
    mkdir mnt
    at_exit sh -c 'umount "$1" 2> /dev/null || true' _ "$work/mnt"
    if can_mount xfs; then
        damaged_file xfs -m rmapbt=0
        assert_contains "$(eval "$(command_of xfs_db)")" "deep/precious"
        damaged_file xfs -m rmapbt=1
        mount -o loop,ro disk.img mnt
        inode=$(eval "$(command_of xfs_io)" | awk 'NR == 2 {print $4}')
        assert_contains "$(eval "$(command_of find | sed "s/INODE/$inode/")")" "deep/precious"
        umount mnt
    fi
    if can_mount btrfs; then
        damaged_file btrfs
        logical=$(eval "$(command_of 'btrfs inspect-internal dump-tree')")
        mount -o loop,ro disk.img mnt
        assert_contains "$(eval "$(command_of 'btrfs inspect-internal logical-resolve' | sed "s/LOGICAL/$logical/")")" \
            "deep/precious"
        umount mnt
    fi
    ! [ -e disk.img ] || wait_until 30 is_detached || fail "disk.img is still attached"
    rm -f disk.img spare.img
    truncate -s 64M disk.img
    mkntfs -F -Q -q disk.img > mkntfs.out 2>&1 || fail "mkntfs: $(cat mkntfs.out)"
    ntfscp disk.img content precious > ntfscp.out 2>&1 || fail "ntfscp: $(cat ntfscp.out)"
    read_at_its_place
    assert_contains "$(eval "$(command_of ntfscluster)")" "/precious"
}

run_tests
