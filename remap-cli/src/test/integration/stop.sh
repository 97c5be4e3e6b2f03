#!/bin/bash
# SIGTERM while main takes seconds for each attempt, and requests wait for it: the stop ends within its limits, everybody gets an
# answer, and what was acknowledged is there at the next start. Over both transports, side by side.
# REMAP_STOP_ERROR_MILLIS=7000 REMAP_STOP_DRAIN_MILLIS=6000 is a drive with ERC and the usual limit.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

ERROR_MILLIS=${REMAP_STOP_ERROR_MILLIS:-3000}
DRAIN_MILLIS=${REMAP_STOP_DRAIN_MILLIS:-1000}
# What a busy machine adds.
SLACK_MILLIS=6000
REQUESTS=32

# client NAME: has 64 units acknowledged and flushed, 64 acknowledged, and then reads and writes 16 units each that main takes long
# for. Says "acknowledged" when these are under way, and in the end how each of them was answered.
client() {
    /usr/bin/python3 - "nbd+unix:///$1?socket=$work/$1.sock" > "$1.client" 2>&1 << 'PYTHON' &
import sys
import nbd
handle = nbd.NBD()
handle.connect_uri(sys.argv[1])
for first, flush in ((2000, True), (3000, False)):
    for i in range(64):
        handle.pwrite(b"%-4096d" % (first + i), (first + i) * 4096)
    if flush:
        handle.flush()
reads, writes = {}, {}
def told(answers, unit):
    def completed(error):
        answers[unit] = error.value
        return 1
    return completed
buffers = [nbd.Buffer(4096) for _ in range(16)]
for i, buffer in enumerate(buffers):
    read, write = 100 + 8 * i, 1100 + 8 * i
    handle.aio_pread(buffer, read * 4096, told(reads, read))
    handle.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(b"%-4096d" % write)), write * 4096, told(writes, write))
print("acknowledged", flush=True)
try:
    while len(reads) + len(writes) < 32:
        handle.poll(1000)
except nbd.Error as error:
    print("closed:", error.string)
# 108 is ESHUTDOWN: nobody is left without an answer, and nobody is told of an error of the disk.
assert len(reads) == 16 and set(reads.values()) == {108}, reads
assert len(writes) == 16 and set(writes.values()) <= {0, 108}, writes
print("written:", *[unit for unit in writes if writes[unit] == 0])
PYTHON
    clients+=($!)
}

# serve NAME TRANSPORT FAULT [OPTION…]: the units that the client asks for in the end have this fault.
serve() {
    local name=$1 unit
    for unit in {0..15}; do
        echo "$(((100 + 8 * unit) * 4096)) 4096 $3"
        echo "$(((1100 + 8 * unit) * 4096)) 4096 $3"
    done > "$name.faults"
    [ -f "$name.spare" ] || truncate -s 32M "$name.spare"
    start_remap "$name" "sim:$work/$name.img?size=64M&faults=$work/$name.faults&error-ms=$ERROR_MILLIS" \
        --spare "$work/$name.spare" --transport "$2" --set smart.program=off --set scan.enabled=off "${@:4}"
}

# Main's trace has an attempt when it has ended, so it is the disk that tells of those that have begun.
is_waiting() {
    grep -q acknowledged "$1.client" && [ "$("$remap" attributes "$1" get "disk.$1.io.reads")" = $((REQUESTS / 2)) ]
}

# stopped_within MILLIS STATUS NAME=PID…: they end so soon after SIGTERM, with this status.
stopped_within() {
    local begun=$EPOCHREALTIME pair status took
    for pair in "${@:3}"; do
        kill "${pair#*=}"
    done
    for pair in "${@:3}"; do
        status=0
        wait "${pair#*=}" || status=$?
        took=$(awk -v now="$EPOCHREALTIME" -v then="$begun" 'BEGIN { printf "%d", 1000 * (now - then) }')
        echo "suite: ${pair%=*}: $took ms from SIGTERM to the end, status $status"
        assert_equal "$2" "$status" "exit status of ${pair%=*}: $(tail -n 2 "${pair%=*}.err")"
        [ "$took" -le $(($1 + SLACK_MILLIS)) ] || fail "${pair%=*} took $took ms, more than $1"
    done
}

# holds_what_was_acknowledged NAME
holds_what_was_acknowledged() {
    : > "$1.faults"
    start_remap "$1" "sim:$work/$1.img?size=64M&faults=$work/$1.faults" --spare "$work/$1.spare" --set smart.program=off
    # shellcheck disable=SC2046 # numbers
    /usr/bin/python3 - "$uri" $(sed -n 's/^written://p' "$1.client") << 'PYTHON'
import sys
import nbd
handle = nbd.NBD()
handle.connect_uri(sys.argv[1])
for first in (2000, 3000):
    for i in range(64):
        assert handle.pread(4096, (first + i) * 4096) == b"%-4096d" % (first + i), "unit %d" % (first + i)
for unit in sys.argv[2:]:
    assert handle.pread(4096, int(unit) * 4096) == b"%-4096d" % int(unit), "unit " + unit
PYTHON
}

# both FAULT MILLIS STATUS [OPTION…]: under way on either transport when SIGTERM comes.
both() {
    local clients=() pids=() name client
    for name in plain fast; do
        serve "$name" "$name" "$1" "${@:4}"
        pids+=("$name=$background_pid")
        client "$name"
    done
    for name in plain fast; do
        wait_until 30 is_waiting "$name" || fail "$(cat "$name.client")"
    done
    stopped_within "$2" "$3" "${pids[@]}"
    for client in "${clients[@]}"; do
        wait "$client" || fail "$(cat ./*.client ./*.err)"
    done
    for name in plain fast; do
        holds_what_was_acknowledged "$name"
    done
}

test_an_attempt_that_fails_slowly_is_the_last_one() {
    # The last five seconds are what the fingerprint of main may take, on a machine that is busy.
    both read-and-write-bad $((DRAIN_MILLIS + ERROR_MILLIS + 5000)) 0 --set drain-timeout-millis="$DRAIN_MILLIS"
}

test_what_does_not_come_back_is_left_and_said() {
    # The last five seconds are for the threads of the process.
    both "slow 60000" $((500 + 1000 + 2000 + 5000)) "$DEVICE_FAILED" --set drain-timeout-millis=500 --set save-timeout-millis=2000
    local name
    for name in plain fast; do
        assert_contains "$("$remap" events "$name")" "as the disk stops"
    done
}

# reads_nothing NAME: asks for 64 MiB and takes none of it, until it is hung up on.
reads_nothing() {
    /usr/bin/python3 - "nbd+unix:///$1?socket=$work/$1.sock" > "$1.client" 2>&1 << 'PYTHON' &
import select
import sys
import nbd
handle = nbd.NBD()
handle.connect_uri(sys.argv[1])
buffers = [nbd.Buffer(1 << 20) for _ in range(64)]
for i, buffer in enumerate(buffers):
    handle.aio_pread(buffer, i << 20)
print("asked", flush=True)
poll = select.poll()
poll.register(handle.aio_get_fd(), select.POLLHUP)
assert poll.poll(60000), "nobody hung up"
print("hung up", flush=True)
PYTHON
    clients+=($!)
}

# The socket holds less than a few of the replies.
has_answers_left() {
    grep -q asked "$1.client" && [ "$("$remap" attributes "$1" get "disk.$1.io.reads")" -ge 4 ]
}

test_a_client_that_does_not_read_does_not_spoil_the_stop() {
    local clients=() pids=() name client
    for name in plain fast; do
        truncate -s 64M "$name.img"
        truncate -s 32M "$name.spare"
        start_remap "$name" "$work/$name.img" --spare "$work/$name.spare" --transport "$name" \
            --set smart.program=off --set scan.enabled=off --set drain-timeout-millis="$DRAIN_MILLIS"
        pids+=("$name=$background_pid")
        reads_nothing "$name"
    done
    for name in plain fast; do
        wait_until 30 has_answers_left "$name" || fail "$(cat "$name.client")"
    done
    stopped_within $((DRAIN_MILLIS + 1000 + 5000)) 0 "${pids[@]}"
    for client in "${clients[@]}"; do
        wait "$client" || fail "$(cat ./*.client ./*.err)"
    done
    for name in plain fast; do
        assert_contains "$(cat "$name.err")" "that had not taken their answers"
        start_remap "$name" "$work/$name.img" --spare "$work/$name.spare" --set smart.program=off
        [[ $("$remap" events "$name") != *crash* ]] || fail "$name: $("$remap" events "$name")"
    done
}

run_tests
