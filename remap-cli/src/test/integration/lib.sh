# lib.sh: what the integration suites share. A suite is a bash script that begins with
#
#     . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#     require_root; require_tools nbdinfo fio
#
# defines functions test_SOMETHING and ends with `run_tests`. Each test runs in a subshell with `set -e`, in an empty
# directory $work of its own, and is one line of the report: "ok - NAME", "not ok - NAME" with its output, or, of one that
# did not run, "skipped - NAME (WHY)" or "not run - NAME (WHY)".
# What a test starts it registers with at_exit, or starts through start_in_background; both are undone when it ends,
# newest first, whether it passes, fails or is killed; it fails if that does. Exit status of a suite: 0 passed, 1 failed,
# 77 cannot run here.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2317 # variables and functions are for the suites

set -euo pipefail

EXIT_SKIPPED=77
EXIT_NOT_RUN=78
POLL_SECONDS=0.05

# The tools of the system come first: another python3 in the PATH would not find the packages of the system.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

integration=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
project=$(cd "$integration/../../../.." && pwd -P)
remap=$project/remap
suite=$(basename "$0" .sh)
suite_directory=$(mktemp -d "${TMPDIR:-/tmp}/remap-$suite.XXXXXX")
exit_actions=()

# ---- Cleaning up ---------------------------------------------------------------------------------------------------

# at_exit COMMAND ARGUMENT...: runs it when the test (outside of a test: the suite) ends.
at_exit() {
    exit_actions+=("$(printf '%q ' "$@")")
}

# All of them, whatever fails; 1 if one did.
run_exit_actions() {
    local i failed=0
    for ((i = ${#exit_actions[@]} - 1; i >= 0; i--)); do
        eval "${exit_actions[i]}" || {
            echo "FAILED at exit: ${exit_actions[i]}"
            failed=1
        }
    done
    exit_actions=()
    return "$failed"
}

# A test that passed has failed after all if what it started does not end as it must, such as a server that does not heed
# SIGTERM. One that knows better ends it itself.
end_of_test() {
    local status=$?
    run_exit_actions || case $status in 0 | "$EXIT_SKIPPED" | "$EXIT_NOT_RUN") status=1 ;; esac
    exit "$status"
}

# A signal becomes an ordinary exit, so that the actions run.
set_signal_traps() {
    trap 'exit 143' TERM
    trap 'exit 130' INT
    trap 'exit 129' HUP
}

trap 'run_exit_actions || true; rm -rf --one-file-system "$suite_directory"' EXIT
set_signal_traps

# ---- What a suite needs --------------------------------------------------------------------------------------------

# skip WHY: the suite, or the test that calls it, cannot run here, and could: as root, with the tools that `check` installs.
# So it says that not everything was run.
skip() {
    echo "skipped: $*"
    exit "$EXIT_SKIPPED"
}

# not_run WHY: the test that calls it has nothing to run, and nobody is to blame: the kernel has no such file system, or a
# soak runs it. `check` shows it, and that is all.
not_run() {
    part_not_run "$*"
    exit "$EXIT_NOT_RUN"
}

# part_not_run WHY: as not_run, of a part of the test, which goes on.
part_not_run() {
    echo "not run: $*"
}

# has_file_system NAME: the kernel can mount it.
has_file_system() {
    grep -qw "$1" /proc/filesystems || modprobe "$1" 2> /dev/null
}

require_root() {
    [ "$(id -u)" = 0 ] || skip "needs root"
}

require_tools() {
    local tool
    for tool in "$@"; do
        command -v "$tool" > /dev/null || skip "needs $tool"
    done
}

# ---- Assertions ----------------------------------------------------------------------------------------------------

fail() {
    echo "FAILED: $*"
    exit 1
}

# assert_equal EXPECTED ACTUAL WHAT
assert_equal() {
    [ "$1" = "$2" ] || fail "$3: expected '$1', was '$2'"
}

# assert_contains TEXT PART
assert_contains() {
    [[ $1 == *"$2"* ]] || fail "expected '$2' in: $1"
}

# assert_status STATUS COMMAND...: its standard output and error are in $output afterwards.
assert_status() {
    local expected=$1 status=0
    shift
    output=$("$@" 2>&1) || status=$?
    [ "$status" = "$expected" ] || fail "expected exit status $expected, was $status: $*: $output"
}

# assert_eio COMMAND...: it fails, and says the words of EIO.
assert_eio() {
    local status=0
    output=$(LC_ALL=C "$@" 2>&1) || status=$?
    [ "$status" != 0 ] || fail "expected an I/O error, but it went well: $*"
    assert_contains "$output" "Input/output error"
}

# assert_same_content FILE FILE
assert_same_content() {
    cmp -- "$1" "$2" || fail "$1 and $2 differ"
}

# ---- Waiting, always with a limit ----------------------------------------------------------------------------------

# wait_until SECONDS COMMAND...: repeats it until it succeeds.
wait_until() {
    local deadline=$((SECONDS + $1 + 1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep "$POLL_SECONDS"
    done
}

accepts_connections() {
    [ -S "$1" ] && python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])' "$1" 2> /dev/null
}

# wait_for_socket PATH [SECONDS]: until somebody accepts on it. A file of that name proves nothing: it may be stale.
wait_for_socket() {
    wait_until "${2:-30}" accepts_connections "$1" || fail "nobody accepts on $1 after ${2:-30} s"
}

# ---- Processes -----------------------------------------------------------------------------------------------------

# start_in_background NAME COMMAND...: its number is in $background_pid, its output in $work/NAME.out and .err.
start_in_background() {
    local name=$1
    shift
    # Before the new process is there, lest somebody takes the output of an earlier one of that name for its own.
    : > "$work/$name.out"
    "$@" > "$work/$name.out" 2> "$work/$name.err" < /dev/null &
    background_pid=$!
    at_exit stop_process "$background_pid"
}

# Of one that has just been reaped there is nothing to read, which is an answer too.
is_running() {
    kill -0 "$1" 2> /dev/null && grep -qs '^State:.[^ZX]' "/proc/$1/status"
}

is_gone() {
    ! is_running "$1"
}

# stop_process PID [SECONDS]: asks it to end, and kills it when that takes too long; 1 if it had to be killed.
stop_process() {
    is_running "$1" || return 0
    kill "$1" 2> /dev/null || return 0
    wait_until "${2:-15}" is_gone "$1" && return 0
    echo "process $1 did not end on SIGTERM within ${2:-15} s: killed"
    kill -9 "$1"
    return 1
}

# ---- Services of remap ---------------------------------------------------------------------------------------------

# Of the suite's own, so that no service or witness of the user is met.
export XDG_RUNTIME_DIR=$suite_directory/run REMAP_STATE_DIR=$suite_directory/state
mkdir -m 700 "$XDG_RUNTIME_DIR"

is_ready_or_gone() {
    grep -qx ready "$work/$1.out" || is_gone "$2"
}

# A server of a suite lives for seconds: what the second compiler would make comes too late, and takes a core from the
# others. Over each transport (and in a soak) it runs as users have it.
[ -n "${REMAP_TEST_TRANSPORT:-}" ] || export REMAP_JAVA_OPTS=${REMAP_JAVA_OPTS--XX:TieredStopAtLevel=1}

# What stands before the command of start_remap, such as strace.
remap_prefix=()

# start_remap NAME MAIN ARGUMENT...: serves MAIN, also on the Unix socket $work/NAME.sock, and returns when clients can
# connect. The number of the process is in $background_pid, the NBD URI in $uri. Over $REMAP_TEST_TRANSPORT if that is
# set, and over no other.
start_remap() {
    try_to_start_remap "$@" || fail "remap serve ${*:2} ended: $(cat "$work/$1.err")"
    [ -z "${REMAP_TEST_TRANSPORT:-}" ] || assert_transport "$1" "$REMAP_TEST_TRANSPORT"
}

# try_to_start_remap NAME MAIN ARGUMENT...: as start_remap; 1 if it ended before it was ready.
try_to_start_remap() {
    local name=$1
    shift
    start_in_background "$name" "${remap_prefix[@]}" "$remap" serve "$@" --name "$name" --socket "$work/$name.sock" \
        ${REMAP_TEST_TRANSPORT:+--transport "$REMAP_TEST_TRANSPORT"}
    uri="nbd+unix:///$name?socket=$work/$name.sock"
    wait_until 30 is_ready_or_gone "$name" "$background_pid" || fail "remap serve $* is not ready after 30 s"
    is_running "$background_pid"
}

# asked NAME METHOD EXPRESSION [PARAMETERS]: about what a running service answers, as d; see asked.py. For what a test only
# looks at: a start of $remap takes half a second of a core. What a test is about goes through $remap.
asked() {
    /usr/bin/python3 -IS "$integration/asked.py" "$@"
}

# status_number NAME KEY: of the only disk, from the status of the running service.
status_number() {
    asked "$1" status "d['disks'][0]['$2']"
}

# attribute NAME ATTRIBUTE: of a running service.
attribute() {
    asked "$1" attribute.get "d['value']" "{\"name\": \"$2\"}"
}

# stop_remap: the server that was started last ends in order, on SIGTERM.
stop_remap() {
    local status=0
    kill "$background_pid"
    wait_until 30 is_gone "$background_pid" || fail "it does not end"
    wait "$background_pid" || status=$?
    assert_equal 0 "$status" "exit status of a stop: $(tail -n 3 "$work"/*.err)"
}

# wait_for_autosave NAME: until a save that the service makes by itself (--set autosave-seconds=1) has all that happened before.
wait_for_autosave() {
    wait_until 30 has_saved_since "$1" "$EPOCHREALTIME" || fail "nothing was saved: $("$remap" status "$1")"
}

# autosave NAME: its state.
autosave() {
    asked "$1" status "''.join(p['text'] for feature in d['features'] for p in feature['parts'] if p['name'] == 'autosave')"
}

# has_saved_since NAME TIME: the age in the status is in whole seconds. What has not changed is not saved: the read is a change.
has_saved_since() {
    local age
    /usr/bin/python3 -m nbd -u "nbd+unix:///$1?socket=$work/$1.sock" -c 'h.pread(512, 0)'
    age=$(autosave "$1" | sed -n 's/^enabled (saved \([0-9]*\) s ago)$/\1/p')
    [ -n "$age" ] && awk -v now="$EPOCHREALTIME" -v age="$age" -v then="$2" 'BEGIN { exit !(now - age - 1 >= then) }'
}

# assert_transport NAME TRANSPORT: what the status of the service says.
assert_transport() {
    local used
    used=$(asked "$1" status "d['transport']") || fail "no status of $1"
    assert_equal "$2" "$used" "transport of $1"
}

# tcp_uri NAME: the NBD URI of its TCP listener (start_remap … --listen 127.0.0.1:0).
tcp_uri() {
    grep -o 'nbd://[^ ]*' "$work/$1.out" | head -n 1
}

# kill_remap PID: as if the power of the process were cut; the devices stay.
kill_remap() {
    kill -9 "$1"
    wait "$1" 2> /dev/null || true
    wait_until 10 is_gone "$1"
}

# ---- Refusals ------------------------------------------------------------------------------------------------------

# The exit statuses, as `remap --help` lists them.
NOT_SO=1
USAGE=2
ENVIRONMENT=3
BUSY=4
WRONG_DEVICE=5
DAMAGED=6
DEVICE_FAILED=7

# remember FILE...: what they hold now, and which files are beside them; assert_untouched compares. Between many refusals
# assert_unwritten does: to read all of them each time costs more than the refusals.
remember() {
    remembered=$(state_of "$@")
    remembered_times=$(times_of "$@")
    remembered_files=("$@")
}

state_of() {
    sha256sum -- "$@"
    times_of "$@"
}

# Every write sets the time of a file.
times_of() {
    stat -c '%n %s %a %y' -- "$@"
    find . -type f ! -name '*.out' ! -name '*.err' | sort
}

assert_unwritten() {
    assert_equal "$remembered_times" "$(times_of "${remembered_files[@]}")" "files after the refusal"
}

assert_untouched() {
    assert_equal "$remembered" "$(state_of "${remembered_files[@]}")" "files after the refusal"
}

# refused STATUS PART COMMAND...: ends with this status, says one line with this part on stderr, and nothing else.
refused() {
    local expected=$1 part=$2 status=0
    shift 2
    timeout 60 "$@" > refused.out 2> refused.err < /dev/null || status=$?
    [ "$status" = "$expected" ] || fail "expected status $expected, was $status: $*: $(cat refused.out refused.err)"
    assert_equal 1 "$(wc -l < refused.err)" "lines on stderr of $*: $(cat refused.err)"
    assert_contains "$(cat refused.err)" "$part"
    assert_contains "$(head -c 7 refused.err)" "remap: "
    [ ! -s refused.out ] || fail "it printed on stdout: $(cat refused.out)"
}

image() {
    head -c "${2:-$((8 * 1024 * 1024))}" /dev/urandom > "$1"
}

blank() {
    truncate -s "${2:-8M}" "$1"
}

# ---- The failing device --------------------------------------------------------------------------------------------

# failing_device_up DIRECTORY [SIZE [SECTOR_BYTES]]: see failing-device/up; the block device is in $device.
failing_device_up() {
    "$integration/failing-device/up" "$@" > "$1.device"
    device=$(cat "$1.device")
    at_exit "$integration/failing-device/down" "$1"
}

# failing_device_map DIRECTORY [more] < LINES: replaces the map of bad ranges, or adds to it, also while the device runs.
failing_device_map() {
    local lines
    lines=$(cat)
    (
        flock 9
        {
            [ "${2:-}" != more ] || cat "$1/bad.map"
            printf '%s\n' "$lines"
        } > "$1/bad.map.edited"
        mv -f "$1/bad.map.edited" "$1/bad.map"
    ) 9>> "$1/bad.map.lock"
}

# ---- Running -------------------------------------------------------------------------------------------------------

# The functions test_* in the order in which they stand in the suite.
list_tests() {
    shopt -s extdebug
    local name
    for name in $(compgen -A function test_); do
        declare -F "$name"
    done | sort -k 2,2n | cut -d ' ' -f 1
    shopt -u extdebug
}

# In a subshell of its own, so that nothing but its exit status gets out.
run_one_test() {
    exit_actions=()
    trap end_of_test EXIT
    set_signal_traps
    cd "$work"
    "$1"
}

run_tests() {
    local name status started log number=0 failed=0
    for name in $(list_tests); do
        if [ -n "${REMAP_TEST:-}" ] && [ "$name" != "$REMAP_TEST" ]; then
            continue
        fi
        # Short, as the path of a Unix socket has at most 107 bytes.
        number=$((number + 1))
        work=$suite_directory/$number
        log=$suite_directory/$number.log
        mkdir "$work"
        started=$EPOCHREALTIME
        # Not inside `if` or `||`: there bash ignores set -e.
        set +e
        (
            set -e
            run_one_test "$name"
        ) > "$log" 2>&1
        status=$?
        set -e
        if [ "$status" = "$EXIT_SKIPPED" ] && grep -q '^skipped: ' "$log"; then
            printf 'skipped - %s (%s)\n' "${name#test_}" "$(sed -n 's/^skipped: //p' "$log")"
        elif [ "$status" = 0 ] || { [ "$status" = "$EXIT_NOT_RUN" ] && grep -q '^not run: ' "$log"; }; then
            # A test says what it ran in lines that begin with "suite: ".
            grep '^suite: ' "$log" || true
            sed -n "s/^not run: \(.*\)/not run - ${name#test_} (\1)/p" "$log"
            [ "$status" != 0 ] ||
                printf 'ok - %s (%.1f s)\n' "${name#test_}" "$(echo "$EPOCHREALTIME $started" | awk '{print $1 - $2}')"
        else
            failed=1
            printf 'not ok - %s (exit status %s)\n' "${name#test_}" "$status"
            sed 's/^/    /' "$log"
        fi
        rm -rf --one-file-system "$work"
    done
    exit "$failed"
}
