#!/bin/bash
# Several spares of one disk: added and emptied while clients write, found again after a kill, refused when one is missing,
# and a spare that dies takes its own sectors with it and nothing else.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools python3 nbdcopy qemu-io

# small_pair: disk.img of 64 MiB with content, and a.spare, in which about 1,500 units have room.
small_pair() {
    head -c 64M /dev/urandom > disk.img
    cp disk.img wanted.img
    truncate -s 8M a.spare
}

# of_spare NUMBER KEY: what 'spare list' says.
of_spare() {
    asked disk spare.list "''.join(str(spare['$2']) for spare in d['spares'] if spare['spare'] == $1)"
}

# same_content: what clients read is what was written.
same_content() {
    nbdcopy "$uri" read.img
    assert_same_content wanted.img read.img
}

# reads_as_written OFFSET LENGTH: of a disk that does not read as a whole.
reads_as_written() {
    /usr/bin/python3 -m nbd -u "$uri" -c "
with open('wanted.img', 'rb') as wanted:
    wanted.seek($1)
    assert h.pread($2, $1) == wanted.read($2), 'other content'" || fail "bytes $1+$2 are not what was written"
}

has_same_content() {
    nbdcopy "$uri" read.img 2> nbdcopy.log && cmp -s wanted.img read.img
}

# moved SECTORS: as many from the first one on stand on the spares, and hold other bytes than main does.
moved() {
    assert_status 0 "$remap" map add disk "0+$1"
    overwritten "$1"
}

# overwritten SECTORS: as many from the first one on, which are on the spares, get other bytes. If a mapping is lost they read
# as main has them, which is not what was written.
overwritten() {
    head -c "$(($1 * 512))" /dev/urandom > other.img
    nbdcopy --flush other.img "$uri"
    dd if=other.img of=wanted.img bs=1M conv=notrunc status=none
    rm other.img
}

# on_spares SECTORS: after a start.
on_spares() {
    assert_equal "$1" "$(status_number disk mappedSectors)" "sectors on the spares"
}

# filled: 12 MiB of the disk stand on the spares, of which the first has no room left.
filled() {
    moved 24576
    assert_equal 0 "$(of_spare 0 freeSlots)" "free slots of the first spare"
    [ "$(of_spare 1 usedSlots)" -gt 1000 ] || fail "nothing went to the further spare"
}

# An evacuation that takes long is taken back: it ends, and moves nothing more.
test_keep_takes_a_running_evacuation_back() {
    small_pair
    truncate -s 16M b.spare
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk "sim:$work/b.spare?control=$work/b.spare.sim-control" --force
    assert_status 0 "$remap" spare set disk 1 --priority 5
    moved 8192
    # Reads of the slots take long from now on.
    assert_status 0 "$remap" sim bad b.spare 0+32768 slow 20
    "$remap" spare evacuate disk 1 > evacuate.out 2>&1 &
    local evacuation=$! status=0
    wait_until 30 is_leaving || fail "it does not begin: $("$remap" spare list disk)"
    assert_status 0 "$remap" spare keep disk 1
    wait "$evacuation" || status=$?
    assert_equal 1 "$status" "exit status of an evacuation that was taken back: $(cat evacuate.out)"
    assert_contains "$(cat evacuate.out)" "somebody took that back"
    local used
    used=$(of_spare 1 usedSlots)
    [ "$used" -gt 0 ] || fail "it was emptied"
    assert_equal active "$(of_spare 1 state)" "a spare that is kept"
    assert_status 0 "$remap" sim heal b.spare 0+32768
    same_content
    stop_remap
}

is_leaving() {
    [ "$(of_spare 1 state)" = leaving ]
}

test_add_evacuate_remove() {
    small_pair
    start_remap disk disk.img --spare a.spare
    refused "$ENVIRONMENT" "no free slot" "$remap" map add disk 0+24576
    refused "$USAGE" "no other one has a copy" "$remap" spare remove disk 0
    assert_status 0 "$remap" map remove disk 0+24576
    assert_status "$USAGE" "$remap" spare add disk b.spare --create 100K
    assert_status 0 "$remap" spare add disk b.spare --create 16M
    filled
    same_content
    # A further one that is served is read by its service.
    assert_status 0 "$remap" check b.spare
    assert_contains "$output" "served by 'disk'"
    refused "$USAGE" "in use" "$remap" spare remove disk 1
    refused "$USAGE" "in use" "$remap" spare remove disk 0
    refused "$ENVIRONMENT" "no free slot" "$remap" spare evacuate disk 1
    assert_equal leaving "$(of_spare 1 state)" "a spare that is to be emptied"
    assert_status 0 "$remap" spare keep disk 1
    assert_equal active "$(of_spare 1 state)" "a spare that is kept"
    # A third one, and clients write while the second is emptied.
    truncate -s 16M c.spare
    assert_status 0 "$remap" spare add disk c.spare
    python3 - "$uri" wanted.img > writer.log 2>&1 <<'END' &
import random, subprocess, sys
choose = random.Random(5)
with open(sys.argv[2], "r+b") as wanted:
    for turn in range(40):
        offset = 512 * choose.randrange(24576)
        length = 512 * choose.choice((1, 3, 8, 40))
        pattern = 1 + turn
        subprocess.run(["qemu-io", "-f", "raw", "-c", f"write -P {pattern} {offset} {length}", sys.argv[1]], check=True)
        wanted.seek(offset)
        wanted.write(bytes([pattern]) * length)
END
    local writer=$!
    assert_status 0 "$remap" spare evacuate disk 1
    wait "$writer" || fail "$(cat writer.log)"
    assert_equal 0 "$(of_spare 1 usedSlots)" "slots in use of an emptied spare"
    same_content
    assert_status 0 "$remap" spare remove disk 1
    assert_equal "" "$(of_spare 1 state)" "a spare that was removed"
    # What was taken out says nothing of a pair any more; its content is still the user's.
    refused "$WRONG_DEVICE" "it was taken out of the pair" "$remap" check b.spare
    refused "$WRONG_DEVICE" "not blank" "$remap" spare add disk b.spare
    assert_status 0 "$remap" spare add disk b.spare --force
    stop_remap
    start_remap disk disk.img --spare a.spare
    on_spares 24576
    same_content
    stop_remap
    echo "suite: spares: $((24576 / 8)) units over three spares, one emptied under 40 writes and removed"
}

test_killed_and_found_again() {
    small_pair
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk b.spare --create 16M
    filled
    kill_remap "$background_pid"
    start_remap disk disk.img --spare a.spare
    on_spares 24576
    same_content
    stop_remap
    mv b.spare moved.spare
    refused "$WRONG_DEVICE" "b.spare, is not there" "$remap" serve disk.img --spare a.spare --name disk
    mv a.spare away
    refused "$WRONG_DEVICE" "a.spare, is not there" "$remap" serve disk.img --spare moved.spare --name disk
    mv away a.spare
    # In any order, and remembered from then on.
    start_remap disk disk.img --spare moved.spare --spare a.spare
    same_content
    stop_remap
    start_remap disk disk.img --spare a.spare
    same_content
    stop_remap
    # A copy from before the last start, one from while it was served, and one from before the last stop are older ones.
    cp --sparse=always moved.spare old.spare
    start_remap disk disk.img --spare a.spare
    cp --sparse=always moved.spare served.spare
    kill_remap "$background_pid"
    refused "$WRONG_DEVICE" "as it was before" "$remap" serve disk.img --spare a.spare --spare old.spare --name disk
    start_remap disk disk.img --spare a.spare
    on_spares 24576
    stop_remap
    refused "$WRONG_DEVICE" "as it was before" "$remap" serve disk.img --spare a.spare --spare served.spare --name disk
    mv moved.spare there && mv served.spare moved.spare
    refused "$WRONG_DEVICE" "as it was before" "$remap" serve disk.img --spare a.spare --name disk
    mv there moved.spare
    truncate -s 16M c.spare
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk c.spare
    assert_status 0 "$remap" spare evacuate disk 1
    assert_status 0 "$remap" spare remove disk 1
    stop_remap
    refused "$WRONG_DEVICE" "taken out of it" "$remap" serve disk.img --spare a.spare --spare old.spare --name disk
    start_remap disk disk.img --spare a.spare
    on_spares 24576
    same_content
    stop_remap
    echo "suite: spares: found again after kill -9, by the old name and by a new one; a missing, lone or removed one is refused"
}

test_missing_spare() {
    small_pair
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk b.spare --create 16M
    filled
    stop_remap
    mv b.spare away
    start_remap disk disk.img --spare a.spare --missing-spares
    assert_equal missing "$(of_spare 1 state)" "a spare that is not there"
    # Sectors of main and of the first spare are there, those of the missing one answer with errors, and keep their places.
    reads_as_written 0 4194304
    reads_as_written 33554432 4096
    assert_eio qemu-io -r -f raw -c 'read 11M 4k' "$uri"
    assert_contains "$("$remap" map list disk)" "spare 1, which is not there"
    # What is written whole goes elsewhere, if there is room; what is written in part cannot.
    assert_eio qemu-io -f raw -c 'write -P 7 11M 512' "$uri"
    truncate -s 16M c.spare
    assert_status 0 "$remap" spare add disk c.spare
    qemu-io -f raw -c 'write -P 9 11M 8k' -c 'flush' -c 'read -P 9 11M 8k' "$uri" > qemu.log || fail "$(cat qemu.log)"
    stop_remap
    mv away b.spare
    start_remap disk disk.img --spare a.spare
    qemu-io -r -f raw -c 'read -P 9 11M 8k' "$uri" > qemu.log || fail "$(cat qemu.log)"
    printf '\x09%.0s' $(seq 8192) | dd of=wanted.img bs=8192 seek=$((11 * 1024 * 1024 / 8192)) conv=notrunc status=none
    same_content
    stop_remap
    # Gone for good.
    rm b.spare
    start_remap disk disk.img --spare a.spare --missing-spares
    assert_status 0 "$remap" spare remove disk 1 --lose
    assert_eio qemu-io -r -f raw -c 'read 10M 4k' "$uri"
    qemu-io -f raw -c 'write -P 3 10M 4k' -c 'read -P 3 10M 4k' "$uri" > qemu.log || fail "$(cat qemu.log)"
    stop_remap
    start_remap disk disk.img --spare a.spare
    assert_eio qemu-io -r -f raw -c 'read 8M 4k' "$uri"
    stop_remap
    echo "suite: spares: a missing one answers with errors, what is written anew goes elsewhere, given up it is lost"
}

test_spare_that_dies() {
    small_pair
    : > faults
    truncate -s 16M b.spare c.spare
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk "sim:$work/b.spare?faults=$work/faults"
    filled
    assert_status 0 "$remap" spare add disk c.spare
    same_content
    echo gone > faults.new && mv faults.new faults
    reads_as_written 0 4194304
    reads_as_written 33554432 4096
    assert_eio qemu-io -r -f raw -c 'read 11M 4k' "$uri"
    # New sectors go to the next spare, and so does what stood on the dead one and is written whole.
    assert_status 0 "$remap" map add disk 65536+64
    qemu-io -f raw -c 'write -P 9 11M 8k' -c 'read -P 9 11M 8k' "$uri" > qemu.log || fail "$(cat qemu.log)"
    assert_equal 0 "$(of_spare 1 badSlots)" "slots that were blamed on a spare that is away"
    # It comes back.
    : > faults.new && mv faults.new faults
    printf '\x09%.0s' $(seq 8192) | dd of=wanted.img bs=8192 seek=$((11 * 1024 * 1024 / 8192)) conv=notrunc status=none
    wait_until 120 has_same_content || fail "what it held is not what was written"
    stop_remap
    echo "suite: spares: one that died took only its own sectors, none of its slots was blamed; back, all was there"
}

# table_on: numbers of the spares with the table.
table_on() {
    asked disk spare.list "' '.join(str(spare['spare']) for spare in d['spares'] if spare['holdsTable'])"
}

test_first_spare_lost() {
    small_pair
    start_remap disk disk.img --spare a.spare
    assert_equal 0 "$(table_on)" "the table of a lone spare"
    assert_status 0 "$remap" spare add disk b.spare --create 16M
    assert_equal "0 1" "$(table_on)" "the table of two"
    filled
    kill_remap "$background_pid"
    mv a.spare away
    refused "$WRONG_DEVICE" "a.spare, is not there" "$remap" serve disk.img --spare b.spare --name disk
    start_remap disk disk.img --spare b.spare --missing-spares
    assert_equal "1" "$(table_on)" "the table when the first spare is gone"
    assert_equal missing "$(of_spare 0 state)" "the first spare"
    # Sectors of main and of the other one are there; those of the first one answer with errors until they are written.
    on_spares 24576
    reads_as_written 11534336 1048576
    reads_as_written 33554432 4096
    assert_eio qemu-io -r -f raw -c 'read 0 4k' "$uri"
    qemu-io -f raw -c 'write -P 9 0 8k' -c 'flush' -c 'read -P 9 0 8k' "$uri" > qemu.log || fail "$(cat qemu.log)"
    stop_remap
    # By itself the first one is an old copy now; with the other one it follows.
    mv b.spare kept
    cp --sparse=always away a.spare
    refused "$WRONG_DEVICE" "older than main remembers" "$remap" serve disk.img --spare a.spare --missing-spares --name disk
    mv kept b.spare
    start_remap disk disk.img --spare a.spare --spare b.spare
    assert_equal "0 1" "$(table_on)" "the table after the first spare came back"
    printf '\x09%.0s' $(seq 8192) | dd of=wanted.img bs=8192 conv=notrunc status=none
    same_content
    stop_remap
    start_remap disk disk.img --spare a.spare
    on_spares 24576
    same_content
    # Where the copy is goes, and another one takes it.
    assert_status 0 "$remap" spare add disk c.spare --create 16M
    assert_status 0 "$remap" spare evacuate disk 1
    assert_status 0 "$remap" spare remove disk 1
    assert_equal "0 2" "$(table_on)" "the table after the copy moved"
    stop_remap
    # Each goes on alone: nobody can tell which is right.
    mkdir apart && mv c.spare apart
    cp --sparse=always disk.img other.img
    start_remap disk disk.img --spare a.spare --missing-spares
    stop_remap
    mv a.spare a.kept
    start_remap disk other.img --spare apart/c.spare --missing-spares --adopt
    stop_remap
    mv a.kept a.spare
    refused "$WRONG_DEVICE" "each gone on without the other" "$remap" serve disk.img --spare a.spare --spare apart/c.spare \
        --name disk
    echo "suite: spares: the first one lost while it served, started without it, back as a follower; a fork refused"
}

test_first_spare_dies() {
    small_pair
    : > faults
    truncate -s 16M b.spare
    start_remap disk disk.img --spare "sim:$work/a.spare?faults=$work/faults"
    assert_status 0 "$remap" spare add disk b.spare
    filled
    echo gone > faults.new && mv faults.new faults
    reads_as_written 11534336 1048576
    reads_as_written 33554432 4096
    assert_eio qemu-io -r -f raw -c 'read 0 4k' "$uri"
    # New mappings go on, on the table of the other one.
    assert_status 0 "$remap" map add disk 65536+64
    assert_equal 1 "$(table_on)" "the table after the first spare died"
    assert_contains "$("$remap" status disk)" "spare 0 was left behind"
    assert_contains "$("$remap" events disk)" "table copied"
    assert_contains "$("$remap" events disk)" "table left behind"
    kill_remap "$background_pid"
    mv a.spare away
    start_remap disk disk.img --spare b.spare --missing-spares
    assert_contains "$("$remap" map list disk)" "65536"
    on_spares $((24576 + 64))
    reads_as_written 11534336 1048576
    reads_as_written 33554432 65536
    stop_remap
    echo "suite: spares: the first one died while it served; the table went on elsewhere, and was found there after kill -9"
}

# Of three spares one with the table dies: the third gets a copy at once, and after one more is lost all mappings are there.
test_table_goes_on_to_a_third_spare() {
    small_pair
    : > faults
    truncate -s 16M b.spare c.spare
    start_remap disk disk.img --spare "sim:$work/a.spare?faults=$work/faults"
    assert_status 0 "$remap" spare add disk b.spare
    assert_status 0 "$remap" spare add disk c.spare
    assert_equal "0 1" "$(table_on)" "the table of three spares"
    filled
    echo gone > faults.new && mv faults.new faults
    assert_status 0 "$remap" map add disk 65536+64
    third_has_it() { [ "$(table_on)" = "1 2" ]; }
    wait_until 10 third_has_it || fail "the table is on $(table_on); $("$remap" events disk)"
    assert_status 0 "$remap" map add disk 81920+64
    kill_remap "$background_pid"
    mkdir -p away && mv a.spare b.spare away
    start_remap disk disk.img --spare c.spare --missing-spares
    "$remap" map list disk > listed
    assert_contains "$(cat listed)" "65536"
    assert_contains "$(cat listed)" "81920"
    on_spares $((24576 + 64 + 64))
    stop_remap
    echo "suite: spares: one of three died while it served; the third had the table at once, and alone after kill -9"
}

test_first_spare_taken_out() {
    small_pair
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk b.spare --create 16M
    assert_status 0 "$remap" spare add disk c.spare --create 16M
    moved 8192
    assert_equal "1024 0 1" "$(of_spare 0 usedSlots) $(table_on)" "units on the first spare, and where the table is"
    cp --sparse=always a.spare old.spare
    refused "$USAGE" "in use" "$remap" spare remove disk 0
    assert_status 0 "$remap" spare evacuate disk 0
    assert_status 0 "$remap" spare remove disk 0
    assert_equal "1 2" "$(table_on)" "the table without the first spare"
    assert_equal "" "$(of_spare 0 state)" "a first spare that was removed"
    same_content
    assert_status 0 "$remap" map add disk 65536+64
    assert_status 0 "$remap" check --online disk --level full
    assert_contains "$output" "$((8192 + 64)) sectors were read"
    # It is nobody's any more, and free for something else.
    refused "$WRONG_DEVICE" "not blank" "$remap" spare add disk a.spare
    assert_status 0 "$remap" spare add disk a.spare --force
    assert_status 0 "$remap" spare remove disk 3
    kill_remap "$background_pid"
    refused "$WRONG_DEVICE" "b.spare" "$remap" serve disk.img --name disk
    # Either of the two is enough to find the pair, with no option.
    local spare
    for spare in b.spare c.spare b.spare; do
        cp --sparse=always b.spare older.spare
        start_remap disk disk.img --spare "$spare"
        assert_equal "1 2" "$(table_on)" "the table, found from $spare"
        same_content
        stop_remap
    done
    refused "$WRONG_DEVICE" "taken out of it" "$remap" serve disk.img --spare old.spare --spare b.spare --name disk
    refused "$WRONG_DEVICE" "older than main remembers" "$remap" serve disk.img --spare old.spare --name disk
    refused "$WRONG_DEVICE" "older than main remembers" "$remap" serve disk.img --spare older.spare --spare c.spare --name disk
    assert_status 0 "$remap" forget disk.img
    refused "$WRONG_DEVICE" "spare 1 is as it was before" "$remap" serve disk.img --spare older.spare --spare c.spare --adopt \
        --name disk
    start_remap disk disk.img --spare c.spare --adopt
    on_spares $((8192 + 64))
    same_content
    # The one that leads goes too.
    assert_status 0 "$remap" spare evacuate disk 2
    assert_status 0 "$remap" spare remove disk 2
    assert_equal 1 "$(table_on)" "the table on the last spare"
    refused "$USAGE" "no other one has a copy" "$remap" spare remove disk 1
    same_content
    stop_remap
    start_remap disk disk.img --spare b.spare
    same_content
    stop_remap
    echo "suite: spares: the first one emptied and taken out while it served; started from either of the others, an old one refused"
}

test_first_spare_gone_for_good() {
    small_pair
    : > faults
    truncate -s 16M b.spare c.spare
    start_remap disk disk.img --spare "sim:$work/a.spare?faults=$work/faults"
    assert_status 0 "$remap" spare add disk b.spare
    assert_status 0 "$remap" map add disk 0+128
    assert_status 0 "$remap" spare add disk c.spare
    assert_status 0 "$remap" spare set disk 2 --priority 5
    assert_status 0 "$remap" map add disk 8192+128
    # What main has there is something else.
    qemu-io -f raw -c 'write -P 5 4M 64k' "$uri" > qemu.log || fail "$(cat qemu.log)"
    echo gone > faults.new && mv faults.new faults
    refused "$USAGE" "in use" "$remap" spare remove disk 0
    assert_status 0 "$remap" spare remove disk 0 --lose
    assert_equal "1 2" "$(table_on)" "the table after a dead first spare was given up"
    assert_eio qemu-io -r -f raw -c 'read 0 4k' "$uri"
    qemu-io -r -f raw -c 'read -P 5 4M 64k' -c 'read 32M 4k' "$uri" > qemu.log || fail "the rest cannot be read: $(cat qemu.log)"
    assert_status 0 "$remap" map add disk 65536+64
    stop_remap
    start_remap disk disk.img --spare b.spare
    assert_equal "1 2" "$(table_on)" "the table after a start"
    assert_eio qemu-io -r -f raw -c 'read 0 4k' "$uri"
    qemu-io -f raw -c 'read -P 5 4M 64k' -c 'write -P 9 0 64k' -c 'read -P 9 0 64k' "$uri" > qemu.log || fail "$(cat qemu.log)"
    stop_remap
    refused "$WRONG_DEVICE" "taken out of it" "$remap" serve disk.img --spare a.spare --spare b.spare --name disk
    # One that is not there at a start.
    truncate -s 64M more.img
    truncate -s 8M d.spare
    truncate -s 16M e.spare
    start_remap disk more.img --spare d.spare
    assert_status 0 "$remap" spare add disk e.spare
    assert_status 0 "$remap" map add disk 0+64
    stop_remap
    rm d.spare
    start_remap disk more.img --spare e.spare --missing-spares
    assert_contains "$("$remap" status disk)" "spare remove"
    assert_status 0 "$remap" spare remove disk 0 --lose
    assert_equal "" "$(of_spare 0 state)" "a first spare that was given up"
    kill_remap "$background_pid"
    start_remap disk more.img --spare e.spare
    assert_equal 1 "$(table_on)" "the table on the spare that is left"
    assert_eio qemu-io -r -f raw -c 'read 0 4k' "$uri"
    stop_remap
    echo "suite: spares: a dead first one given up; the others start with no option, and it is refused"
}

# further_of KEY ARGUMENT…: what a check says of the further spares.
further_of() {
    local key=$1
    shift
    "$remap" check --json "$@" > check.json || [ $? = "$NOT_SO" ] || fail "the check fails"
    python3 -c 'import json, sys
for spare in json.load(open("check.json"))["checks"][0]["further"]:
    print(spare[sys.argv[1]])' "$key"
}

test_check_dump_and_repair() {
    small_pair
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk b.spare --create 16M
    filled
    local used
    used=$(of_spare 1 usedSlots)
    assert_status 0 "$remap" check --online disk --level full
    assert_contains "$output" "b.spare"
    assert_contains "$output" "$((24576)) sectors were read"
    stop_remap
    cp --sparse=always b.spare older.spare
    start_remap disk disk.img --spare a.spare
    stop_remap
    remember ./*.img ./*.spare
    local level
    for level in quick standard full; do
        assert_equal present "$(further_of state a.spare --level "$level")" "a further spare, $level"
    done
    assert_equal "$used" "$(further_of usedUnits a.spare)" "units on it"
    assert_status 0 "$remap" check a.spare --main disk.img --level full
    assert_contains "$output" "24576 sectors were read"
    local parts
    parts=$(sed -n 's/.* \([0-9]*\) of \1 whole.*/\1/p' <<< "$output" | head -n 1)
    [ "${parts:-0}" -gt 6 ] || fail "superblocks, stamps and the table of the other spare are not all whole: $output"
    # From the other one as from the first.
    assert_status 0 "$remap" check b.spare --main disk.img --level full
    assert_contains "$output" "this is spare 1 of its pair"
    assert_contains "$output" "24576 sectors were read"
    for level in quick standard full; do
        assert_equal present "$(further_of state b.spare --level "$level")" "the first spare from the other one, $level"
    done
    assert_contains "$("$remap" dump a.spare)" "spare 1, id"
    "$remap" dump a.spare --json | python3 -c 'import json, sys
assert [member["spare"] for member in json.load(sys.stdin)["members"]] == [0, 1]' || fail "dump shows other members"
    assert_contains "$("$remap" dump b.spare)" "stamp"
    mv b.spare moved.spare
    assert_equal missing "$(further_of state a.spare --level quick)" "one that is missing"
    assert_status "$NOT_SO" "$remap" check a.spare --level full
    assert_contains "$output" "error: spare 1 is not there"
    assert_contains "$output" "$used units of 4096 bytes stand on it"
    assert_equal present "$(further_of state a.spare --spare moved.spare)" "one that was moved"
    assert_equal older "$(further_of state a.spare --spare older.spare)" "an older copy"
    refused "$WRONG_DEVICE" "no other spare of this pair" "$remap" check a.spare --spare disk.img
    mv moved.spare b.spare
    rm -f check.json
    assert_untouched
    # A superblock and a stamp are damaged; the first spare is not.
    dd if=/dev/zero of=b.spare bs=4096 count=1 conv=notrunc status=none
    dd if=/dev/zero of=b.spare bs=4096 seek=16 count=1 conv=notrunc status=none
    assert_status "$NOT_SO" "$remap" check a.spare
    assert_contains "$output" "spare 1: superblock 0"
    assert_contains "$output" "$((parts - 2)) of $parts whole"
    assert_status "$NOT_SO" "$remap" repair b.spare
    assert_contains "$output" "would be written anew, from what is whole: the superblocks and stamps"
    assert_status 0 "$remap" repair b.spare --apply
    assert_status 0 "$remap" check a.spare --level full
    # A copy of the table on it.
    local at
    at=$("$remap" check b.spare --json | python3 -c 'import json, sys
print(*[part["offsetBytes"] for part in json.load(sys.stdin)["checks"][0]["report"]["parts"]
    if part["inForce"] and part["name"].endswith("header")][:1])')
    dd if=/dev/zero of=b.spare bs=4096 "seek=$((at / 4096))" count=1 conv=notrunc status=none
    assert_status "$NOT_SO" "$remap" check a.spare
    assert_contains "$output" "spare 1: arena"
    assert_status "$NOT_SO" "$remap" repair b.spare
    assert_contains "$output" "and the present table, as a new generation in both arenas"
    assert_status 0 "$remap" repair b.spare --apply
    assert_status 0 "$remap" check a.spare --level full
    start_remap disk disk.img --spare a.spare
    on_spares 24576
    same_content
    # Served, both are read: a header of the other one, and one of the first.
    local spare
    for spare in b.spare a.spare; do
        at=$("$remap" check --online disk --json | python3 -c 'import json, sys
of_copy = sys.argv[1] == "b.spare"
print(*[part["offsetBytes"] for part in json.load(sys.stdin)["checks"][0]["report"]["parts"]
    if part["inForce"] and part["name"].endswith("header") and part["name"].startswith("spare 1: ") == of_copy][:1])' $spare)
        dd if=/dev/zero of=$spare bs=4096 "seek=$((at / 4096))" count=1 conv=notrunc status=none
        assert_status "$NOT_SO" "$remap" check --online disk
        assert_status 0 "$remap" metadata sync disk
        assert_contains "$("$remap" metadata status disk)" "4 of 4 copies valid, 8 of 8 superblocks"
        assert_status 0 "$remap" check --online disk
    done
    stop_remap
    start_remap disk disk.img --spare b.spare
    on_spares 24576
    same_content
    stop_remap
    echo "suite: spares: checked offline and served, quick to full, 24576 sectors on two spares; missing, moved and older told"
}

# lose_table SPARE: damages the table in force in both copies.
lose_table() {
    local at
    for at in $("$remap" check "$1" --json | python3 -c 'import json, sys
print(*[part["offsetBytes"] for part in json.load(sys.stdin)["checks"][0]["report"]["parts"]
    if part["inForce"] and part["name"].endswith("table")])'); do
        dd if=/dev/urandom of="$1" bs=4096 "seek=$((at / 4096))" count=1 conv=notrunc status=none
    done
}

# A table that is lost or in doubt is told of, whichever spare is asked, and nothing is given up that another spare has.
test_lost_tables_are_told() {
    small_pair
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk b.spare --create 16M
    moved 64
    stop_remap
    start_remap disk disk.img --spare a.spare
    stop_remap
    lose_table b.spare
    assert_status "$NOT_SO" "$remap" check a.spare
    assert_contains "$output" "is stated to have a copy of the table, and none can be loaded from it"
    start_remap disk disk.img --spare a.spare
    on_spares 64
    stop_remap
    assert_status 0 "$remap" check a.spare
    lose_table a.spare
    assert_status "$DAMAGED" "$remap" check a.spare --spare b.spare
    assert_contains "$output" "b.spare (spare 1) has a table"
    assert_contains "$output" "only if none has: 'remap forget MAIN'"
    refused "$DAMAGED" "name the other spares" "$remap" serve disk.img --spare a.spare --name disk
    start_remap disk disk.img --spare a.spare --spare b.spare --adopt
    on_spares 64
    same_content
    assert_status 0 "$remap" spare evacuate disk 0
    assert_status 0 "$remap" spare remove disk 0
    stop_remap
    start_remap disk disk.img --spare b.spare
    same_content
    stop_remap
    assert_status 0 "$remap" check b.spare
    # There is no other one.
    lose_table b.spare
    assert_status "$DAMAGED" "$remap" check b.spare
    assert_contains "$output" "may have been its only table"
    refused "$DAMAGED" "is not repaired" "$remap" repair b.spare --apply
    refused "$DAMAGED" "name the other spares" "$remap" serve disk.img --spare b.spare --name disk
    "$remap" dump b.spare > dump.txt && fail "a dump without the table is no success"
    assert_contains "$(cat dump.txt)" "damaged in both copies"
    echo "suite: spares: lost tables told of from each side; the pair went on from the copy"
}

# Nothing tells how new it is then: not said to be mended, and taken by the word of its owner alone.
test_both_stamps_damaged() {
    small_pair
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk b.spare --create 16M
    filled
    stop_remap
    dd if=/dev/urandom of=b.spare bs=4096 seek=16 count=2 conv=notrunc status=none
    assert_status "$DAMAGED" "$remap" check b.spare
    assert_contains "$output" "both stamps are damaged"
    assert_contains "$output" "--adopt"
    refused "$DAMAGED" "both stamps are damaged" "$remap" repair b.spare
    refused "$WRONG_DEVICE" "both its stamps are damaged" "$remap" serve disk.img --spare a.spare --spare b.spare --name disk
    refused "$WRONG_DEVICE" "both its stamps are damaged" "$remap" serve disk.img --spare a.spare --adopt --name disk
    start_remap disk disk.img --spare a.spare --spare b.spare --adopt
    on_spares 24576
    same_content
    stop_remap
    assert_status 0 "$remap" check a.spare --level full
    start_remap disk disk.img --spare a.spare
    same_content
    stop_remap
    echo "suite: spares: both stamps of one damaged, told so by check and repair, taken by --adopt with all sectors"
}

test_priority_and_standby() {
    small_pair
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk b.spare --create 16M --priority 10
    assert_status 0 "$remap" map add disk 0+64
    assert_equal 8 "$(of_spare 1 usedSlots)" "the higher priority comes first"
    assert_status 0 "$remap" spare set disk 0 --priority 20
    assert_status 0 "$remap" map add disk 64+64
    assert_equal 8 "$(of_spare 0 usedSlots)" "the priority was changed"
    refused "$USAGE" "0 to 100" "$remap" spare set disk 0 --priority 101
    refused "$USAGE" "nothing to set" "$remap" spare set disk 0
    assert_status 0 "$remap" spare add disk c.spare --create 16M --standby
    assert_equal standby "$(of_spare 2 state)" "one that stands by"
    stop_remap
    assert_contains "$("$remap" dump a.spare)" "state standby"
    start_remap disk disk.img --spare a.spare
    assert_equal "20 10 standby" "$(of_spare 0 priority) $(of_spare 1 priority) $(of_spare 2 state)" "kept over a restart"
    local room=$(($(of_spare 0 freeSlots) + $(of_spare 1 freeSlots)))
    assert_status 0 "$remap" map add disk "128+$((8 * room))"
    assert_equal "standby 0" "$(of_spare 2 state) $(of_spare 2 usedSlots)" "one that stands by while there is room"
    assert_status 0 "$remap" map add disk "$((128 + 8 * room))+64"
    assert_equal "active 8" "$(of_spare 2 state) $(of_spare 2 usedSlots)" "one that took over"
    assert_contains "$("$remap" events disk)" "spare 2: spare 0 is full, spare 1 is full"
    overwritten $((128 + 8 * room + 64))
    same_content
    kill_remap "$background_pid"
    # Of equal ones as they are named.
    start_remap disk disk.img --spare a.spare --spare c.spare --spare b.spare
    assert_equal active "$(of_spare 2 state)" "who took over does so for good"
    assert_status 0 "$remap" spare set disk 1 --priority 0
    assert_status 0 "$remap" map remove disk 0+128
    assert_status 0 "$remap" spare set disk 0 --priority 0
    assert_status 0 "$remap" spare set disk 0 --standby
    assert_status 0 "$remap" map add disk 0+64
    assert_equal 16 "$(of_spare 2 usedSlots)" "of equal ones as --spare names them"
    same_content
    stop_remap
    echo "suite: spares: priorities, the order of --spare, and one that stood by and took over when $room slots were used"
}

test_grow() {
    small_pair
    start_remap disk disk.img --spare a.spare
    assert_status 0 "$remap" spare add disk b.spare --create 8M
    moved 8192
    local first further
    first=$(of_spare 0 slots) further=$(of_spare 1 slots)
    refused "$BUSY" "is served" "$remap" spare grow a.spare
    stop_remap
    assert_status "$NOT_SO" "$remap" spare grow a.spare
    assert_contains "$output" "no more room than it uses"
    # By less than a half, and by more than twice.
    truncate -s 11M a.spare
    truncate -s 40M b.spare
    assert_status 0 "$remap" spare grow a.spare
    assert_status 0 "$remap" spare grow b.spare
    assert_contains "$output" "the next 'remap serve' uses it"
    assert_status 0 "$remap" check a.spare --level full
    start_remap disk disk.img --spare a.spare
    assert_equal "$((first + 768)) $((further + 8192))" "$(of_spare 0 slots) $(of_spare 1 slots)" "slots"
    same_content
    moved $((8 * 8000))
    kill_remap "$background_pid"
    start_remap disk disk.img --spare a.spare
    on_spares $((8 * 8000))
    same_content
    [ "$(of_spare 1 usedSlots)" -gt "$further" ] || fail "the new room is not used"
    stop_remap
    assert_status 0 "$remap" check a.spare --level full
    truncate -s 30M b.spare
    refused "$WRONG_DEVICE" "truncated" "$remap" serve disk.img --spare a.spare --name disk
    echo "suite: spares: two grown, first and further, $((768 + 8192)) more slots in use, content as written"
}

run_tests
