#!/bin/bash
# A disk that fails while many reads are in flight: exactly the requests that touch a bad sector fail, over both
# transports, through the page cache (also where replies are pages of it) and past it.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_root
require_tools losetup fusermount3 mountpoint /usr/bin/python3
/usr/bin/python3 -c 'import nbd' 2> /dev/null || skip "needs python3-libnbd"

SIZE_BYTES=$((64 * 1024 * 1024))
READS=${REMAP_READS:-1500}
SEED=${REMAP_SEED:-31}

# Clusters of bad sectors far enough apart that most large reads meet none or one.
make_failing_disk() {
    mkdir disk
    head -c "$SIZE_BYTES" /dev/urandom > disk/disk.img
    python3 -c 'import random, sys
choose = random.Random(int(sys.argv[2]))
for start in sorted(choose.sample(range(0, int(sys.argv[1]), 1 << 20), 24)):
    first = start + 512 * choose.randrange(1024)
    print(first, 512 * choose.choice((1, 1, 2, 9, 40)), "read-and-write-bad")
' "$SIZE_BYTES" "$SEED" > disk/bad.map
    cp disk/bad.map bad.map
    failing_device_up "$work/disk" "$SIZE_BYTES"
}

# served_by_pages: how many reads were answered with pages of the page cache.
served_by_pages() {
    attribute disk engine.reads-by-pages
}

# fails_exactly_its_own TRANSPORT DOOR [OPTION…]: two clients at once, over a Unix socket and TCP.
fails_exactly_its_own() {
    make_failing_disk
    truncate -s 32M spare.img
    start_remap disk "$device" --spare "$work/spare.img" --listen 127.0.0.1:0 --transport "$@"
    local clients=() seed=$SEED u
    for u in "$uri" "$(tcp_uri disk)"; do
        /usr/bin/python3 "$integration/reading_client.py" "$u" disk/disk.img bad.map "$READS" "$seed" > "$seed.log" 2>&1 &
        clients+=($!)
        seed=$((seed + 1))
    done
    local client status=0
    for client in "${clients[@]}"; do
        wait "$client" || status=1
    done
    [ "$status" = 0 ] || fail "$(cat ./*.log)"
    sed 's/^/suite: '"$*"': /' ./*.log
    if [[ $* == *pages-min-bytes=4096* ]]; then
        [ "$(served_by_pages)" -gt 0 ] || fail "no read was answered with pages of the page cache"
    fi
    assert_status 0 "$remap" stop disk
}

test_plain_buffered() {
    fails_exactly_its_own plain --buffered
}

test_plain_direct() {
    fails_exactly_its_own plain --direct
}

test_fast_buffered() {
    fails_exactly_its_own fast --buffered
}

test_fast_by_pages() {
    fails_exactly_its_own fast --buffered --set fast.pages-min-bytes=4096
}

test_fast_by_copies() {
    fails_exactly_its_own fast --buffered --set fast.pages-min-bytes=0
}

test_fast_direct() {
    fails_exactly_its_own fast --direct
}

run_tests
