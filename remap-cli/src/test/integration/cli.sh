#!/bin/bash
# The command line as its users meet it: what is refused, how, with which exit status, and that nothing was written then.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 sha256sum

# ---- Bad input -----------------------------------------------------------------------------------------------------

# How each mistake is explained is for MisuseTest; here, that nothing is done.
test_misuse() {
    refused "$USAGE" "no command 'serv' (did you mean 'serve'?)" "$remap" serv
    refused "$USAGE" "--spare SPARE is missing" "$remap" create disk
    refused "$USAGE" "mutually exclusive" "$remap" serve disk --direct --buffered
    refused "$USAGE" "is no address to listen on" "$remap" serve disk --listen host
    refused "$USAGE" "is no name for a disk" "$remap" serve disk --name ../disk
    [ -z "$(ls -A | grep -v '^refused')" ] || fail "files were made: $(ls)"
}

# readme.sh has the help of the commands.
test_help_is_no_error() {
    "$remap" --help > help.out 2> help.err
    [ ! -s help.err ] || fail "--help: $(cat help.err)"
    grep -q '^Usage: remap' help.out || fail "--help shows no usage"
    assert_contains "$(cat help.out)" "Exit status:"
    [[ $("$remap" --version) == "remap "* ]] || fail "--version"
    local status=0
    "$remap" --version > /dev/full 2> full.err || status=$?
    assert_equal "$ENVIRONMENT cannot write the output: No space left on device" "$status $(sed 's/^remap: //' full.err)" \
        "to a disk that is full"
}

test_missing_main() {
    refused "$ENVIRONMENT" "no such file" "$remap" serve absent.img
    refused "$ENVIRONMENT" "no such file" "$remap" create absent.img --spare absent.spare
    refused "$ENVIRONMENT" "no such file" "$remap" size absent.img
    refused "$USAGE" "" "$remap" serve ""
    [ ! -e absent.img ] && [ ! -e absent.img.spare ] && [ ! -e absent.spare ] || fail "files were made: $(ls)"
}

test_no_place_for_the_demo_or_the_sockets() {
    TMPDIR=$work/absent refused "$ENVIRONMENT" "set TMPDIR" "$remap" demo
    image main.img
    remember main.img
    XDG_RUNTIME_DIR=$work/absent refused "$ENVIRONMENT" "no such file or directory" "$remap" serve main.img
    assert_untouched
}

test_missing_spare() {
    image main.img
    remember main.img
    refused "$ENVIRONMENT" "no such file" "$remap" serve main.img --spare absent.spare
    assert_untouched
}

test_a_directory_is_no_disk() {
    mkdir directory
    refused "$USAGE" "directory" "$remap" serve directory
    refused "$ENVIRONMENT" "no module provides the block device 'nosuch'" "$remap" serve nosuch:thing
}

test_main_as_its_own_spare() {
    blank main.img
    ln main.img hard-link.img
    ln -s main.img link.img
    remember main.img
    local spare
    for spare in main.img link.img file:hard-link.img; do
        refused "$USAGE" "share bytes" "$remap" serve main.img --spare "$spare"
    done
    refused "$USAGE" "share bytes" "$remap" create main.img --spare "$PWD/hard-link.img" --force
    assert_untouched
}

test_overlapping_parts() {
    blank disk.img 64M
    remember disk.img
    refused "$USAGE" "share bytes" "$remap" serve 'file:disk.img?offset=0&length=40M' --spare 'file:disk.img?offset=32M'
    assert_untouched
}

# served_pair MAIN SPARE WORDS...: it is served, with these words in what is said, and written to; then it is stopped.
served_pair() {
    local main=$1 spare=$2 words
    shift 2
    start_remap pair "$main" --spare "$spare"
    for words in "$@"; do
        assert_contains "$(cat pair.out)" "$words"
    done
    nbdsh_system -u "$uri" -c 'h.pwrite(b"p" * 4096, 0)' -c 'assert h.pread(4096, 0) == b"p" * 4096'
    assert_status 0 "$remap" map add pair 8+8
    stop_remap
}

nbdsh_system() {
    /usr/bin/python3 -m nbd "$@"
}

test_two_parts_of_one_file() {
    blank disk.img 40M
    head -c 8M /dev/urandom > head
    dd if=head of=disk.img conv=notrunc status=none
    ln -s disk.img symbolic
    ln disk.img hard
    remember disk.img
    local spare
    for spare in disk.img symbolic hard; do
        refused "$USAGE" "share bytes" "$remap" serve 'disk.img?length=8M' --spare "$spare?offset=4M"
    done
    refused "$USAGE" "physical sector" "$remap" serve 'disk.img?length=8M' --spare 'disk.img?offset=8193K'
    assert_untouched
    served_pair 'disk.img?length=8M' 'disk.img?offset=8M' "both on" "formatted the blank spare"
    served_pair 'disk.img?length=8M' 'hard?offset=8M' "both on"
    cmp <(tail -c +4097 head) <(head -c 8M disk.img | tail -c +4097) || fail "main changed where nobody wrote"
    # As long as it is served, all of the file is nobody else's.
    start_remap pair 'disk.img?length=8M' --spare 'disk.img?offset=8M'
    refused "$BUSY" "(remap); stop that one first: remap stop pair" "$remap" serve 'disk.img?offset=8M' --no-spare \
        --name second
    # What looks blank there are slots of the spare.
    for spare in disk.img symbolic hard; do
        refused "$USAGE" "share bytes" "$remap" spare add pair "$PWD/$spare?offset=16M&length=8M"
        refused "$USAGE" "share bytes" "$remap" spare add pair "$PWD/$spare?offset=16M&length=8M" --force
    done
    stop_remap
}

test_what_shares_bytes_with_a_known_main() {
    blank disk.img 40M
    blank pair.spare 16M
    served_pair 'disk.img?offset=8M&length=8M' "$PWD/pair.spare" "formatted the blank spare"
    remember disk.img pair.spare
    local main
    for main in disk.img 'disk.img?length=12M' 'disk.img?offset=10M&length=1M'; do
        refused "$WRONG_DEVICE" "shares bytes with it" "$remap" serve "$main" --no-spare
    done
    refused "$WRONG_DEVICE" "belongs to the spare" "$remap" serve disk.img
    assert_untouched
    assert_status 0 "$remap" forget disk.img
    assert_contains "$output" "pair.spare"
    start_remap pair "$PWD/disk.img" --no-spare
    stop_remap
}

test_a_mount_through_a_loop_device_over_a_device() {
    require_root
    blank disk.img 40M
    local disk loop
    attach disk.img && disk=$loop
    mkfs.ext4 -q "$disk"
    attach "$disk"
    mkdir mounted
    mount -o ro "$loop" mounted
    at_exit umount mounted
    blank pair.spare 16M
    remember disk.img pair.spare
    refused "$BUSY" "mounted at $PWD/mounted" "$remap" serve "$disk" --spare pair.spare
    refused "$BUSY" "losetup -d $loop" "$remap" create "$disk" --spare pair.spare
    assert_untouched
}

test_a_known_main_is_not_added_as_a_spare() {
    image main.img
    blank other.img
    start_remap other "$PWD/other.img"
    stop_remap
    start_remap pair "$PWD/main.img"
    local before
    before=$(sha256sum other.img)
    refused "$WRONG_DEVICE" "is a main" "$remap" spare add pair "$PWD/other.img"
    assert_equal "$before" "$(sha256sum other.img)" "the other main"
    assert_status 0 "$remap" spare add pair "$PWD/other.img" --force
}

# attach IMAGE OPTION...: a loop device over it, in $loop, until the test ends.
attach() {
    loop=$(losetup -f --show "${@:2}" "$1")
    at_exit losetup -d "$loop"
}

test_two_parts_of_one_block_device() {
    require_root
    blank disk.img 40M
    local first second loop
    attach disk.img && first=$loop
    attach disk.img && second=$loop
    remember disk.img
    refused "$USAGE" "share bytes" "$remap" serve "$first" --spare "$second"
    refused "$USAGE" "share bytes" "$remap" serve "$first?length=8M" --spare "$second?offset=4M"
    refused "$USAGE" "share bytes" "$remap" serve "$first" --spare disk.img
    refused "$BUSY" "$first" "$remap" serve disk.img --spare "$second"
    refused "$BUSY" "of one file" "$remap" serve "$first?length=8M" --spare "$second?offset=8M"
    assert_untouched
    served_pair "$first?length=8M" "$first?offset=8M" "formatted the blank spare"
    served_pair "$first?length=8M" "$first?offset=8M"
    "$remap" forget "$first?length=8M" > /dev/null
}

test_a_known_main_by_another_name() {
    image main.img
    blank main.spare 16M
    ln -s main.img symbolic
    ln main.img hard
    "$remap" create main.img --spare main.spare > /dev/null
    remember main.img main.spare
    local name loop
    for name in symbolic hard 'main.img?offset=0&length=8M' 'main.img?offset=4M' sim:main.img; do
        refused "$WRONG_DEVICE" "belongs to the spare main.spare" "$remap" serve "$name" --no-spare
    done
    if [ "$(id -u)" = 0 ]; then
        attach main.img
        refused "$WRONG_DEVICE" "belongs to the spare main.spare" "$remap" serve "$loop" --no-spare
        attach main.img --offset 1M
        refused "$WRONG_DEVICE" "belongs to the spare main.spare" "$remap" serve "$loop" --no-spare
    fi
    assert_untouched
}

test_a_spare_that_is_too_small() {
    image main.img
    blank small.spare 4K
    remember main.img small.spare
    refused "$USAGE" "small" "$remap" serve main.img --spare small.spare
    refused "$USAGE" "small" "$remap" create main.img --spare small.spare
    refused "$USAGE" "small" "$remap" create main.img --spare small.spare --force
    assert_untouched
}

test_foreign_content_on_the_spare() {
    image main.img
    image foreign.spare
    remember main.img foreign.spare
    refused "$WRONG_DEVICE" "foreign.spare" "$remap" serve main.img --spare foreign.spare
    refused "$WRONG_DEVICE" "--force" "$remap" create main.img --spare foreign.spare
    assert_untouched
}

# Its start, its middle and its end are zeros: a small one is read as a whole, of a large one samples are.
test_a_spare_that_was_wiped_in_part() {
    image main.img
    blank small.spare 256M
    echo "here" | dd of=small.spare bs=1M seek=20 conv=notrunc status=none
    blank wiped.spare 1G
    head -c 32M /dev/urandom | dd of=wiped.spare bs=1M seek=20 conv=notrunc iflag=fullblock status=none
    remember main.img small.spare wiped.spare
    local spare
    for spare in small.spare wiped.spare; do
        refused "$WRONG_DEVICE" "unknown content" "$remap" serve main.img --spare "$spare"
        refused "$WRONG_DEVICE" "--force" "$remap" create main.img --spare "$spare"
    done
    assert_untouched
}

test_the_command_that_create_prints_works() {
    image "-my disk.img"
    assert_status 0 "$remap" create --spare=-x.spare --spare-size 64M --sector-size 4096 -- "-my disk.img"
    local command
    command=$(sed -n 's/^serve it with: remap serve //p' <<< "$output")
    assert_equal "'./-my disk.img' --spare ./-x.spare --sector-size 4096" "$command" "the command"
    eval "start_remap disk $command"
    "$remap" stop disk > /dev/null
    wait_until 15 is_gone "$background_pid" || fail "it does not end"
    refused "$WRONG_DEVICE" "--sector-size 4096" "$remap" serve "./-my disk.img" --spare ./-x.spare
    # So does the one that a refusal prints.
    refused "$WRONG_DEVICE" "remap forget " "$remap" serve "./-my disk.img" --no-spare
    command=$(sed -n 's/.*: remap forget //p' refused.err)
    eval "assert_status 0 $(printf %q "$remap") forget $command"
    start_remap alone "./-my disk.img" --no-spare
}

test_the_spare_of_another_main() {
    image one.img
    image two.img
    blank one.spare 16M
    "$remap" create one.img --spare one.spare > /dev/null
    remember one.img two.img one.spare
    refused "$WRONG_DEVICE" "one.spare" "$remap" serve two.img --spare one.spare
    refused "$WRONG_DEVICE" "" "$remap" create two.img --spare one.spare
    assert_untouched
}

test_a_known_main_without_its_spare() {
    image main.img
    blank main.spare 16M
    blank other.spare 16M
    "$remap" create main.img --spare main.spare > /dev/null
    remember main.img main.spare other.spare
    refused "$WRONG_DEVICE" "remap forget" "$remap" serve main.img --no-spare
    refused "$WRONG_DEVICE" "remap forget" "$remap" serve main.img --spare other.spare
    refused "$WRONG_DEVICE" "remap forget" "$remap" serve main.img
    assert_untouched
    assert_status 0 "$remap" forget main.img
    assert_status "$NOT_SO" "$remap" forget main.img
}

test_sizes_that_do_not_fit() {
    image odd.img 1000001
    image main.img
    blank spare.img 16M
    remember odd.img main.img spare.img
    refused "$USAGE" "multiple" "$remap" serve odd.img
    refused "$USAGE" "sector" "$remap" serve main.img --spare spare.img --sector-size 1000
    refused "$USAGE" "sector" "$remap" serve main.img --spare spare.img --sector-size 0
    refused "$USAGE" "" "$remap" serve 'file:main.img?offset=1&length=4096' --no-spare
    refused "$USAGE" "" "$remap" serve 'file:main.img?offset=0&length=1T' --no-spare
    assert_untouched
}

test_no_permission() {
    require_root
    image main.img
    blank main.spare 16M
    chmod 600 main.img main.spare
    chmod 755 "$suite_directory" "$work"
    remember main.img main.spare
    # Not beside the devices, as the lock files of services stay.
    mkdir -m 700 "$suite_directory/nobody"
    chown 65534 "$suite_directory/nobody"
    local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    local try=("${nobody[@]}" env XDG_RUNTIME_DIR="$suite_directory/nobody" REMAP_STATE_DIR="$suite_directory/nobody/state" "$remap")
    # Where the checkout is closed to others, nobody can start it.
    if ! "${nobody[@]}" test -r "$(readlink -f "$project/target/remap/current/lib")"; then
        not_run "this checkout is closed to other users"
    fi
    refused "$ENVIRONMENT" "ermission" "${try[@]}" serve "$work/main.img" --spare "$work/main.spare"
    refused "$ENVIRONMENT" "ermission" "${try[@]}" create "$work/main.img" --spare "$work/main.spare"
    refused "$ENVIRONMENT" "ermission" "${try[@]}" size "$work/main.img"
    assert_untouched
}

test_read_only_media() {
    require_root
    mkdir medium
    mount -t tmpfs none medium
    at_exit umount medium
    image medium/main.img
    blank medium/main.spare
    mount -o remount,ro medium
    remember medium/main.img medium/main.spare
    refused "$ENVIRONMENT" "ead-only" "$remap" serve medium/main.img --spare medium/main.spare
    refused "$ENVIRONMENT" "" "$remap" create medium/main.img --spare medium/main.spare --force
    assert_untouched
}

test_a_busy_port() {
    image main.img
    blank main.spare 16M
    python3 -c 'import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
print(s.getsockname()[1], flush=True)
time.sleep(120)' > port.out &
    at_exit stop_process $!
    wait_until 10 test -s port.out
    remember main.img main.spare
    refused "$BUSY" "$(cat port.out)" "$remap" serve main.img --spare main.spare --listen "127.0.0.1:$(cat port.out)"
    assert_untouched
}

test_a_pid_file_or_descriptor_that_cannot_be_written() {
    image main.img
    echo precious > precious
    remember main.img precious
    refused "$ENVIRONMENT" "--ready-fd 77" "$remap" serve main.img --ready-fd 77
    refused "$ENVIRONMENT" "no directory" "$remap" serve main.img --pid-file missing/pid
    refused "$ENVIRONMENT" "something else than a process id" "$remap" serve main.img --pid-file precious
    refused "$ENVIRONMENT" "something else than a process id" "$remap" serve main.img --pid-file main.img
    refused "$ENVIRONMENT" "missing: no such file" "$remap" serve 'sim:main.img?faults=missing' --no-spare
    assert_untouched
}

test_an_unknown_setting() {
    image main.img
    remember main.img
    refused "$USAGE" "no setting is named 'no-such'" "$remap" serve main.img --set no-such=1
    # Of what the service can do without, too.
    refused "$USAGE" "setting scan.slow-millis: expected a number" "$remap" serve main.img --set scan.slow-millis=abc
    refused "$USAGE" "setting fast.loops: expected a number" "$remap" serve main.img --set fast.loops=0
    refused "$USAGE" "expected less than alert.spare-critical-percent" "$remap" serve main.img --set alert.spare-warning-percent=95
    assert_untouched
}

# ---- Sockets -------------------------------------------------------------------------------------------------------

test_a_live_socket_is_refused_and_a_stale_one_replaced() {
    image main.img
    image two.img
    start_remap disk "$work/main.img"
    local first=$background_pid
    refused "$BUSY" "disk.sock" "$remap" serve two.img --name two --socket "$work/disk.sock" --no-spare
    refused "$BUSY" "a service named 'disk' is running" "$remap" serve two.img --name disk --no-spare
    accepts_connections "$work/disk.sock" || fail "the first server does not answer any more"
    kill_remap "$first"
    [ -S "$work/disk.sock" ] || fail "kill -9 left no socket: the test proves nothing"
    start_remap disk "$work/main.img"
    accepts_connections "$work/disk.sock" || fail "nobody answers on the replaced socket"
    assert_status 0 "$remap" stop disk
    [ ! -e "$work/disk.sock" ] || fail "the socket is still there after the end"
}

test_something_that_is_no_socket_stays() {
    image main.img
    echo precious > disk.sock
    refused "$ENVIRONMENT" "disk.sock" "$remap" serve main.img --no-spare --socket "$work/disk.sock"
    assert_equal precious "$(cat disk.sock)" "the file in the way"
}

test_garbage_on_any_socket() {
    image main.img
    start_remap disk "$work/main.img" --listen 127.0.0.1:0
    python3 - "$work/disk.sock" "$XDG_RUNTIME_DIR/remap/disk.control" "$(tcp_uri disk)" << 'PYTHON'
import os, random, re, socket, sys
rng = random.Random(7)
port = int(re.search(r":(\d+)", sys.argv[3][6:]).group(1))
def connect(where):
    if isinstance(where, int):
        s = socket.create_connection(("127.0.0.1", where))
    else:
        s = socket.socket(socket.AF_UNIX)
        s.connect(where)
    s.settimeout(5)
    return s
GARBAGE = [b"", b"\n", b"\0" * 4096, b"GET / HTTP/1.1\r\n\r\n", b"{" * 5000 + b"\n", b"[" * 70000, b'{"jsonrpc"\n',
           b"IHAVEOPT" + b"\xff" * 64, b"\0\0\0\3" + b"IHAVEOPT\0\0\0\7\xff\xff\xff\xff"]
for where in (sys.argv[1], sys.argv[2], port):
    for data in GARBAGE + [rng.randbytes(rng.randrange(1, 100_000)) for _ in range(20)]:
        with connect(where) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except (ConnectionError, TimeoutError, OSError):
                pass
PYTHON
    is_running "$background_pid" || fail "the server is gone: $(cat disk.err)"
    assert_status 0 "$remap" status disk
    [ "$(grep -c Exception disk.err)" = 0 ] || fail "a stack trace in the log: $(cat disk.err)"
    assert_status 0 "$remap" stop disk
}

# ---- Status, map, stop ---------------------------------------------------------------------------------------------

test_status_without_services() {
    refused "$NOT_SO" "no service is running" "$remap" status
    refused "$NOT_SO" "no service named 'disk' is running" "$remap" status disk
    refused "$NOT_SO" "no service named 'disk' is running" "$remap" stop disk
    refused "$NOT_SO" "no service named 'disk' is running" "$remap" map add disk 1
    refused "$NOT_SO" "no service is running" "$remap" map list
}

test_status_finds_services_and_says_what_works() {
    image one.img
    image two.img
    start_remap one "$work/one.img"
    local status feature
    status=$("$remap" status)
    for feature in metadata health I/O-opt control; do
        grep -qE "^ +$feature: (enabled|absent|starting|failed)" <<< "$status" || fail "no state of $feature in: $status"
    done
    assert_contains "$status" "metadata: enabled"
    assert_contains "$status" "control: enabled"
    start_remap two "$work/two.img"
    status=$("$remap" status)
    assert_contains "$status" "service one "
    assert_contains "$status" "service two "
    refused "$USAGE" "several services are running: one, two" "$remap" map list
    "$remap" status --json | python3 -c 'import json, sys
document = json.load(sys.stdin)
assert document["json_format_version"] == 1, document
assert [s["name"] for s in document["services"]] == ["one", "two"], document
assert all(s["disks"][0]["mappedSectors"] == 0 for s in document["services"])'
    # One that stands still is not taken for well, and the other one is shown all the same.
    kill -STOP "$background_pid"
    assert_status "$ENVIRONMENT" "$remap" status --json
    assert_contains "$output" "remap: service 'two' did not answer status within"
    python3 -c 'import json, sys
document = json.loads(sys.argv[1][:sys.argv[1].rindex("}") + 1])
assert [s["name"] for s in document["services"]] == ["one"], document
assert [s["name"] for s in document["unanswered"]] == ["two"], document' "$output"
    kill -CONT "$background_pid"
    # One that was killed is not found any more, and its leftovers harm nobody.
    kill_remap "$background_pid"
    status=$("$remap" status)
    [[ $status != *"service two "* ]] || fail "a killed service is shown: $status"
    assert_status 0 "$remap" stop one
}

test_map_add_list_remove() {
    image main.img
    cp main.img original.img
    start_remap disk "$work/main.img"
    assert_contains "$("$remap" map list disk)" "every sector is on main"
    assert_contains "$("$remap" map add disk 2048+8)" "on the spare"
    local listing
    listing=$("$remap" map list disk)
    assert_contains "$listing" "2048-2055"
    "$remap" map list disk --json | python3 -c 'import json, sys
document = json.load(sys.stdin)
assert document["json_format_version"] == 1
assert sum(e["length"] for e in document["entries"]) == 8, document'
    refused "$USAGE" "" "$remap" map add disk 99999999
    assert_contains "$("$remap" map remove disk 2048+8)" "on main"
    assert_contains "$("$remap" map list disk)" "every sector is on main"
    stop_remap
    assert_same_content original.img main.img
}

test_attributes() {
    image main.img
    start_remap disk "$work/main.img"
    assert_contains "$("$remap" attributes disk)" "control.requests"
    [[ $("$remap" attributes disk get control.requests) =~ ^[0-9]+$ ]] || fail "a number was expected"
    "$remap" attributes --json | python3 -c 'import json, sys
assert json.load(sys.stdin)["json_format_version"] == 1'
    refused "$NOT_SO" "no-such" "$remap" attributes disk get no-such
    refused "$USAGE" "" "$remap" attributes disk put x y
}

test_events_and_counters_outlive_the_server() {
    image main.img
    blank spare.img
    printf '1M 4096 read-bad-heals-on-write\n2M 512 write-bad\n' > faults
    serve_sim() {
        start_remap disk "sim:$work/main.img?faults=$work/faults" --spare "$work/spare.img" --set autosave-seconds=1
    }
    serve_sim
    nbdsh_system -u "$uri" -c 'try:
    h.pread(4096, 1 << 20)
except nbd.Error:
    pass' -c 'h.pwrite(bytes(512), 2 << 20)' -c 'h.flush()'
    assert_contains "$("$remap" events disk)" "2048+8"
    assert_contains "$("$remap" events disk)" "4096+1"
    saved() {
        [[ $(autosave disk) == "enabled (saved "* ]]
    }
    wait_until 20 saved || fail "nothing was saved: $("$remap" status disk)"
    kill_remap "$background_pid"
    serve_sim
    assert_contains "$("$remap" events)" "started after crash"
    [ "$("$remap" attributes disk get disk.disk.lifetime.remap.new-unreadable-sectors)" = 8 ] \
        || fail "the counters began anew: $("$remap" attributes disk | grep lifetime)"
    stop_remap
    serve_sim
    "$remap" events disk --json | python3 -c 'import json, sys
document = json.load(sys.stdin)
assert document["json_format_version"] == 1
kinds = [event["kind"] for event in document["events"]]
assert kinds[0] == "started" and kinds[-2:] == ["stopped", "started"], kinds
assert {"unreadable", "redirected", "started-after-crash"} <= set(kinds), kinds'
    refused "$USAGE" "limit" "$remap" events disk --limit 0
    stop_remap
}

# Known as before, at one try each; what reads again is served.
test_what_cannot_be_read_is_known_after_a_restart() {
    "$remap" sim create main.img --size 16M > /dev/null
    head -c 16M /dev/urandom | dd of=main.img conv=notrunc status=none
    blank spare.img
    serve_sim() {
        start_remap disk "sim:$work/main.img?control=$work/main.img.sim-control" --spare "$work/spare.img" \
            --set autosave-seconds=1 --set scan.enabled=off --set smart.program=off
    }
    read_bad() {
        nbdsh_system -u "$uri" -c 'import sys' -c 'sys.stdout.buffer.write(h.pread(512, 1 << 20))'
    }
    count() {
        attribute disk "disk.disk.remap.$1"
    }
    shows_it() {
        assert_equal 1 "$(status_number disk unreadableSectors)" "unreadable sectors, $1"
        assert_contains "$("$remap" map list disk)" "unreadable"
        output=$("$remap" impact disk)
        assert_contains "$output" "1 sector is unreadable, lost or avoided"
        assert_contains "$output" "bytes 1048576+512 unreadable"
        assert_contains "$("$remap" health disk)" "1 unreadable"
        assert_equal 1 "$(asked disk events "sum(event['count'] for event in d['events'] if event['kind'] == 'unreadable')")" \
            "events, $1"
    }
    serve_sim
    "$remap" sim bad main.img 2048+1 read-and-write-bad
    assert_eio read_bad
    shows_it "when it is found"
    stop_remap
    serve_sim
    shows_it "after a stop"
    assert_eio read_bad
    assert_eio read_bad
    assert_equal "1 0" "$(count still-unreadable-sectors) $(count new-unreadable-sectors)" "tries, and what is new"
    shows_it "after a try"
    wait_for_autosave disk
    kill_remap "$background_pid"
    serve_sim
    shows_it "after a kill"
    stop_remap
    serve_sim
    "$remap" sim heal main.img 2048+1
    cmp <(read_bad) <(dd if=main.img bs=512 skip=2048 count=1 2> /dev/null) || fail "other content"
    assert_equal 0 "$(status_number disk unreadableSectors)" "unreadable sectors in the end"
    assert_contains "$("$remap" impact disk)" "no sector is unreadable"
    stop_remap
}

# Zeros that a copying tool left are no data: which sectors these are is said, and a command has them answer errors.
test_a_copy_of_main_tells_what_there_was_not_to_copy() {
    image main.img
    blank spare.img 16M
    start_remap disk "sim:$work/main.img?control=$work/main.img.sim-control" --spare "$work/spare.img"
    "$remap" sim bad main.img 2048+1 read-and-write-bad
    assert_eio nbdsh -u "$uri" -c 'h.pread(512, 1 << 20)'
    stop_remap
    cp main.img copy.img
    dd if=/dev/zero of=copy.img bs=512 seek=2048 count=1 conv=notrunc status=none
    start_remap disk "$work/copy.img" --spare "$work/spare.img" --adopt
    assert_contains "$("$remap" status disk)" "1 sector (2048+1) could not be read of"
    assert_contains "$("$remap" events disk)" "2048+1"
    local command
    command=$("$remap" status disk | sed -n 's/.*: remap avoid add NAME //p')
    assert_status 0 "$remap" avoid add disk "$command"
    assert_eio nbdsh -u "$uri" -c 'h.pread(512, 1 << 20)'
    assert_status 0 nbdsh -u "$uri" -c 'h.pwrite(bytes(512), 1 << 20)' -c 'h.pread(512, 1 << 20)'
}

test_lists() {
    local verb
    for verb in devices plugins; do
        "$remap" "$verb" list > /dev/null
        "$remap" "$verb" list --json | VERB=$verb python3 -c 'import json, os, sys
document = json.load(sys.stdin)
assert document["json_format_version"] == 1 and isinstance(document[os.environ["VERB"]], list)'
    done
    assert_contains "$("$remap" plugins settings threshold)" "error-threshold=3"
    "$remap" plugins settings --json | python3 -c 'import json, sys
settings = {s["name"]: s for s in json.load(sys.stdin)["settings"]}
assert len(settings) > 60 and all(s["doc"].endswith(".") for s in settings.values()), settings
assert settings["request-deadline-millis"]["owner"] == "service"
assert settings["auto-remap"]["owner"] == "fault policy standard"'
    local plugins
    plugins=$("$remap" plugins list)
    for word in "block device" metadata transport frontend control; do
        assert_contains "$plugins" "$word"
    done
}

test_size() {
    image main.img
    "$remap" size main.img > /dev/null
    # The figures of dm-remap v4's calculator: (4096/512 + 1 + sectors * percent / 100 + bad * 64 / 512 + 1) * 1.20.
    "$remap" size 1T --percent 2 --bad 0 --json | python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["json_format_version"] == 1 and d["mainBytes"] == 1 << 40, d
sectors = (8 + 1 + (1 << 31) * 2 // 100 + 1) * 120 / 100
assert abs(d["calculatedBytes"] - sectors * 512) <= 1024, d
assert d["recommendedBytes"] > d["mainBytes"] // 1000 - 4096 and d["neededPlan"]["slots"] > 0, d'
    refused "$USAGE" "percent" "$remap" size 1T --percent 21
    refused "$USAGE" "" "$remap" size 1T --bad -1
}

test_sigterm_sigint_and_stop_end_in_good_order() {
    local signal pid status
    image main.img
    for signal in TERM INT HUP; do
        # The one before said ready too, and a process in the background truncates the file when it comes to it.
        : > serve.out
        # A shell starts background processes with SIGINT ignored; env gives it back its default.
        env --default-signal=INT,HUP "$remap" serve main.img --name disk --pid-file pid > serve.out 2> serve.err \
            < /dev/null &
        pid=$!
        at_exit stop_process "$pid"
        wait_until 30 grep -qx ready serve.out || fail "not ready: $(cat serve.err)"
        assert_equal "$pid" "$(cat pid)" "pid file"
        kill "-$signal" "$pid"
        # A second one changes nothing.
        kill "-$signal" "$pid" 2> /dev/null || true
        status=0
        wait "$pid" || status=$?
        assert_equal 0 "$status" "exit status after SIG$signal ($(cat serve.out serve.err))"
        assert_contains "$(cat serve.out)" "stopped; everything is flushed and saved"
        [ ! -e pid ] || fail "the pid file is still there"
    done
}

test_a_stop_that_is_not_in_order_says_so() {
    blank main.img
    blank main.spare 16M
    : > faults
    start_remap disk "sim:$work/main.img?faults=$work/faults" --spare "$work/main.spare"
    # A write that is acknowledged and not flushed, and then the cable comes off.
    /usr/bin/python3 - "$work/disk.sock" "$work" << 'PYTHON'
import nbd, os, sys, time
h = nbd.NBD()
h.connect_uri("nbd+unix:///disk?socket=" + sys.argv[1])
h.pwrite(b"x" * 4096, 0)
with open(sys.argv[2] + "/faults.new", "w") as faults:
    faults.write("gone\n")
os.rename(sys.argv[2] + "/faults.new", sys.argv[2] + "/faults")
try:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        h.pread(512, 0)
    sys.exit("the device is not gone")
except nbd.Error:
    pass
PYTHON
    refused "$DEVICE_FAILED" "stopped, but not in order" "$remap" stop disk
    wait_until 10 is_gone "$background_pid" || fail "it does not end"
    assert_contains "$(cat disk.err)" "stopped, but not in order"
}

test_nothing_is_lost_when_it_is_stopped_under_load() {
    image main.img
    start_remap disk "$work/main.img" --export e
    local pid=$background_pid
    /usr/bin/python3 - "$work/disk.sock" "$pid" > acknowledged << 'PYTHON'
import nbd, os, signal, sys
h = nbd.NBD()
h.connect_uri("nbd+unix:///e?socket=" + sys.argv[1])
written = 0
try:
    while True:
        h.pwrite(written.to_bytes(4, "little") * 1024, written % 2000 * 4096)
        written += 1
        if written == 500:
            os.kill(int(sys.argv[2]), signal.SIGTERM)
except nbd.Error:
    print(written)
PYTHON
    wait_until 30 is_gone "$pid" || fail "it does not end"
    start_remap disk "$work/main.img" --export e
    /usr/bin/python3 - "$work/disk.sock" "$(cat acknowledged)" << 'PYTHON'
import nbd, sys
h = nbd.NBD()
h.connect_uri("nbd+unix:///e?socket=" + sys.argv[1])
written = int(sys.argv[2])
assert written >= 500
for n in range(max(0, written - 2000), written):
    assert h.pread(4096, n % 2000 * 4096) == n.to_bytes(4, "little") * 1024, n
PYTHON
    stop_remap
}

# ---- Start -----------------------------------------------------------------------------------------------------------

test_serve_says_where_and_how_and_has_its_files_alone() {
    image main.img
    start_remap disk "$work/main.img" --listen 127.0.0.1:0
    local said
    said=$(cat disk.out)
    assert_contains "$said" "nbd+unix:///disk?socket=$work/disk.sock"
    assert_contains "$said" "nbd://127.0.0.1:"
    assert_contains "$said" "nbdcopy"
    assert_contains "$said" "main.img.spare"
    assert_contains "$said" "remap stop disk"
    [ -f main.img.spare ] || fail "no sidecar was made"
    [ "$(stat -c %b main.img.spare)" -gt 0 ] || fail "the sidecar has no space reserved"
    # Nobody else gets this file now.
    blank other.spare 64M
    remember main.img other.spare
    refused "$BUSY" "main.img" "$remap" serve main.img --name second --spare other.spare
    assert_untouched
}

test_ready_descriptor() {
    image main.img
    mkfifo ready
    # The redirection waits for a reader, so it is not made by this shell.
    start_in_background disk bash -c 'exec "$0" serve "$1" --ready-fd 7 7> ready' "$remap" "$work/main.img"
    local line=
    read -r -t 30 line < ready || true
    assert_equal ready "$line" "what was written to the descriptor"
}

run_tests
