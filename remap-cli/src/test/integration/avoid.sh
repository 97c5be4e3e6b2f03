#!/bin/bash
# Areas of main in which nothing reads: found and left alone by themselves, or named by a person. What a scratch of 1,000
# sectors costs a client that reads over it, with and without; REMAP_ERROR_MILLIS=7000 REMAP_DEADLINE_MILLIS=20000 is a drive
# with ERC and the usual deadline.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 nbdsh cmp mkfs.ext4 debugfs
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

ERROR_MILLIS=${REMAP_ERROR_MILLIS:-600}
DEADLINE_MILLIS=${REMAP_DEADLINE_MILLIS:-3000}
SCRATCH=20000
SCRATCH_SECTORS=1000

# serve NAME [OPTION…]: serves NAME.img with what stands in NAME.faults; each operation of main goes to NAME.trace.
serve() {
    local name=$1
    shift
    [ -f "$name.img" ] || head -c 64M /dev/zero | tr '\0' '\021' > "$name.img"
    [ -f "$name.spare" ] || truncate -s 32M "$name.spare"
    [ -f "$name.faults" ] || : > "$name.faults"
    start_remap "$name" "sim:$work/$name.img?faults=$work/$name.faults&error-ms=$ERROR_MILLIS&trace=$work/$name.trace" \
        --spare "$work/$name.spare" --set smart.program=off --set scan.enabled=off --set autosave-seconds=1 \
        --set request-deadline-millis="$DEADLINE_MILLIS" "$@"
}

# read_over NAME: reads over the scratch in steps of 64 KiB, goes on after errors, prints the seconds and the errors.
read_over() {
    /usr/bin/python3 - "$work/$1.sock" "$1" $((SCRATCH - SCRATCH % 128)) $((SCRATCH + SCRATCH_SECTORS)) << 'PYTHON'
import sys, time
import nbd
handle = nbd.NBD()
handle.connect_uri("nbd+unix:///%s?socket=%s" % (sys.argv[2], sys.argv[1]))
begun, errors = time.monotonic(), 0
for sector in range(int(sys.argv[3]), int(sys.argv[4]), 128):
    try:
        handle.pread(128 * 512, sector * 512)
    except nbd.Error:
        errors += 1
print("%.1f %d" % (time.monotonic() - begun, errors))
PYTHON
}

# unit NAME read|write OFFSET: 4096 bytes through NBD.
unit() {
    nbdsh -u "nbd+unix:///$1?socket=$work/$1.sock" -c "
import sys
sys.stdout.buffer.write(h.pread(4096, $3)) if '$2' == 'read' else h.pwrite(b'w' * 4096, $3)"
}

failed_reads() {
    grep -c ' EIO' "$1.trace"
}

# avoided NAME EXPRESSION: about the list of areas, d['regions'].
avoided() {
    asked "$1" avoid.list "$2"
}

is_quiet() {
    local before
    before=$(wc -l < "$1.trace")
    # An attempt is in the trace when it has ended.
    sleep $((3 + 2 * ERROR_MILLIS / 1000))
    [ "$before" = "$(wc -l < "$1.trace")" ]
}

test_a_scratch_costs_its_attempts_once() {
    local name first second wait_seconds=120
    for name in without with; do
        echo "${SCRATCH}s ${SCRATCH_SECTORS}s read-and-write-bad" > "$name.faults"
    done
    serve without --set avoid=off
    first=$(read_over without)
    [ "$ERROR_MILLIS" -le 1000 ] || wait_seconds=600
    echo "suite: a scratch of $SCRATCH_SECTORS sectors, $ERROR_MILLIS ms an error, not avoided: $first (seconds, errors)," \
        "$(failed_reads without) reads failed by then, and more follow"
    local off
    off=$(failed_reads without)
    kill_remap "$background_pid"
    serve with
    first=$(read_over with)
    wait_until "$wait_seconds" is_quiet with || fail "main is read without an end"
    local on
    on=$(failed_reads with)
    second=$(read_over with)
    echo "suite: avoided: $first, then $second; $on reads failed in all, then $(($(failed_reads with) - on)) more"
    assert_equal "[('found', True, True)]" "$(avoided with "[(x['origin'], abs(x['first'] - $SCRATCH) <= 64,
        abs(x['first'] + x['length'] - $SCRATCH - $SCRATCH_SECTORS) <= 64) for x in d['regions']]")" "areas"
    python3 -c "import sys; sys.exit(not float(sys.argv[1].split()[0]) < 3)" "$second" || fail "the second time: $second"
    assert_equal "${first#* }" "${second#* }" "errors of the second time"
    assert_contains "$("$remap" events with)" "single sectors all over it"
    assert_contains "$("$remap" status with)" "avoided"
    assert_contains "$("$remap" map list with)" "avoided"
    [ "$off" -ge 1 ] || fail "nothing failed without it"
    assert_equal 0 "$(status_number with mappedSectors)" "mapped sectors"
}

test_a_person_names_an_area() {
    serve disk
    assert_contains "$("$remap" avoid list disk)" "no area is avoided"
    assert_contains "$("$remap" avoid add disk 2048+100)" "2048-2151"
    local before
    before=$(wc -l < disk.trace)
    assert_status 1 unit disk read 1048576
    assert_contains "$output" "Input/output error"
    unit disk write 1048576
    assert_equal "$(printf 'w%.0s' $(seq 4096))" "$(unit disk read 1048576)" "what was written"
    assert_status 1 unit disk read 1052672
    assert_equal "$before" "$(wc -l < disk.trace)" "operations of main"
    assert_equal 8 "$(status_number disk mappedSectors)" "mapped sectors"
    assert_equal 104 "$(status_number disk avoidedSectors)" "avoided sectors"
    assert_status 1 "$remap" map add disk 2060
    assert_contains "$output" "avoid remove"
    assert_contains "$("$remap" avoid list disk)" "1 of at most"
    # It is saved at once, and outlives a kill.
    wait_until 20 is_saved || fail "nothing was saved"
    kill_remap "$background_pid"
    serve disk
    assert_equal "[(2048, 104, 'asked')]" "$(avoided disk "[(x['first'], x['length'], x['origin']) for x in d['regions']]")" "areas"
    assert_status 1 unit disk read 1052672
    "$remap" avoid remove disk 2048+100 > out
    cmp <(unit disk read 1052672) <(head -c 4096 /dev/zero | tr '\0' '\021') || fail "other content"
    assert_equal "$(printf 'w%.0s' $(seq 4096))" "$(unit disk read 1048576)" "what was written"
    assert_status 1 "$remap" avoid remove disk 2048+100
    assert_contains "$output" "are not avoided"
    assert_contains "$("$remap" events disk)" "avoided no more"
}

# That is how a dying disk is copied off: what is known of it must not be learned anew.
test_a_read_only_start_forgets_nothing() {
    echo '3M 4096 read-and-write-bad' > disk.faults
    serve disk
    "$remap" avoid add disk 2048+100 > out
    assert_status 1 unit disk read 3145728
    wait_until 60 health_has health "sectors  *8 unreadable" || fail "$("$remap" health disk)"
    "$remap" scan start disk --rate 1M > out
    "$remap" scan pause disk > out
    stop_remap
    serve disk --read-only
    # Main is compared with what it held at the stop.
    wait_until 60 is_quiet disk || fail "main is never left alone"
    local before
    before=$(wc -l < disk.trace)
    assert_equal "[(2048, 104, 'asked')]" "$(avoided disk "[(x['first'], x['length'], x['origin']) for x in d['regions']]")" "areas"
    assert_status 1 unit disk read 1048576
    assert_equal "$before" "$(wc -l < disk.trace)" "operations of main"
    assert_equal 8 "$(status_number disk unreadableSectors)" "unreadable sectors"
    assert_contains "$("$remap" scan status disk)" "paused"
    assert_contains "$("$remap" health disk)" "bad units of 4096 bytes: 1"
    assert_contains "$("$remap" events disk)" "2048+104"
    # Health looks at it two seconds after the start.
    sleep 4
    [[ $("$remap" alerts list disk) != *"not redirected"* ]] || fail "$("$remap" alerts list disk)"
}

is_saved() {
    [ "$(asked disk events "'avoided' in str(d)")" = True ] && sleep 2
}

test_writes_beyond_the_budget_fail() {
    serve disk --set avoid-spare-percent=0
    "$remap" avoid add disk 2048+8 > out
    assert_status 1 unit disk write 1048576
    assert_contains "$output" "No space left on device"
    unit disk write 1052672
    assert_equal 0 "$(status_number disk mappedSectors)" "mapped sectors"
}

# with_file: disk.img is an ext4 with a file; prints the first of a hundred blocks of it that lie beside each other.
with_file() {
    truncate -s 64M disk.img
    head -c 2M /dev/urandom > content
    mkfs.ext4 -q -b 4096 disk.img
    debugfs -w -R "write content precious" disk.img > /dev/null 2>&1
    debugfs -R "bmap precious 150" disk.img 2> /dev/null
}

health_has() {
    "$remap" "$1" "${@:3}" disk | grep -q "$2"
}

test_health_counts_tells_and_names_what_is_avoided() {
    local block
    block=$(with_file)
    echo "$((block * 8))s 800s read-and-write-bad" > disk.faults
    ERROR_MILLIS=150 serve disk --set avoid-slow-ms=100 --set scan.save-seconds=1
    "$remap" scan start disk --watch > scan
    assert_contains "$(cat scan)" "in 1 avoided areas"
    assert_equal "[('found', True)]" "$(avoided disk "[(x['origin'], x['length'] > 700) for x in d['regions']]")" "areas"
    wait_until 20 health_has alerts "degraded *open.*found dead" list || fail "$("$remap" alerts list disk)"
    assert_contains "$("$remap" alerts list disk)" "degraded"
    "$remap" health disk > health
    assert_contains "$(cat health)" "units of 4096 bytes in areas found dead"
    assert_contains "$(cat health)" "1 areas found dead"
    assert_contains "$(cat health)" "sectors in areas found dead"
    echo "suite: $(head -n 1 health)"
    # With 150 ms an attempt, piece by piece it would be 100 units with several tries each.
    [ "$(failed_reads disk)" -lt 60 ] || fail "$(failed_reads disk) reads failed"
    "$remap" impact disk --device "$work/disk.img" > impact
    assert_contains "$(cat impact)" " avoided"
    local icheck inode
    icheck=$(grep -o 'debugfs -R "icheck.*' impact | head -n 1)
    inode=$(eval "$icheck" 2> /dev/null | awk -v block="$((block + 50))" '$1 == block {print $2}')
    assert_contains "$(debugfs -R "ncheck $inode" disk.img 2> /dev/null)" "precious"
    # What is used again speaks against nobody.
    : > disk.faults
    "$remap" avoid remove disk "$((block * 8))+800" > out
    wait_until 20 health_has health "no area" || fail "$("$remap" health disk)"
    wait_until 20 health_has alerts "resolved.*found dead" list || fail "$("$remap" alerts list disk)"
}

run_tests
