#!/bin/bash
# The launcher itself: from any directory, through a symbolic link, on every JDK that is there, and where one is missing.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools nbdinfo

STARTS=5
START_SECONDS_MAX=20

# whole_run JAVA_HOME: a few commands and a served disk; nothing may stand on stderr.
whole_run() {
    local uri words
    export JAVA_HOME=$1
    for words in --version "plugins list" "devices list" "size $work/disk.img"; do
        # shellcheck disable=SC2086 # a command is several words
        "$remap" $words > out 2> err
        [ -s out ] || fail "remap $words printed nothing"
        [ ! -s err ] || fail "remap $words on $1 printed to stderr: $(cat err)"
    done
    start_remap disk "$work/disk.img"
    assert_equal 1048576 "$(nbdinfo --size "$uri")" "size"
    assert_status 0 "$remap" stop disk
    wait_until 15 is_gone "$background_pid" || fail "the server does not end"
    [ ! -s disk.err ] || fail "remap serve on $1 printed to stderr: $(cat disk.err)"
}

test_from_any_directory_and_through_a_symbolic_link() {
    mkdir "a b"
    ln -s "$remap" "a b/link"
    ln -s "a b/link" again
    assert_contains "$(./again --version)" "remap"
    cd /
    assert_contains "$("$work/a b/link" --version)" "remap"
}

test_nothing_foreign_on_stderr_on_any_jdk() {
    truncate -s 1M disk.img
    local jdk major tried=()
    for jdk in /usr/lib/jvm/*; do
        [ -x "$jdk/bin/java" ] && ! [ -L "$jdk" ] || continue
        major=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$jdk/release" 2> /dev/null)
        if [ "${major:-0}" -ge 17 ]; then
            whole_run "$jdk"
            tried+=("$major")
        fi
    done
    [ "${#tried[@]}" -gt 0 ] || fail "no JDK was found in /usr/lib/jvm"
    echo "suite: ran on JDK ${tried[*]}"
    [[ " ${tried[*]} " == *" 25 "* ]] || part_not_run "JDK 25 is not installed"
}

test_what_is_missing_is_said_with_the_command_that_installs_it() {
    # To hide the one that is there.
    require_root
    local hidden=/usr/lib/jvm maven
    maven=$(PATH=/usr/bin:/bin command -v mvn) && hidden="$hidden $(readlink -f "$maven")"
    mkdir checkout
    cp "$remap" "$project/pom.xml" checkout/
    chown -R nobody checkout
    status=0
    output=$(unshare --mount sh -c '
        for path in $2; do
            if [ -d "$path" ]; then mount -t tmpfs none "$path"; else mount --bind /dev/null "$path"; fi || exit
        done
        mount --bind "$1" /mnt &&
        exec setpriv --reuid=nobody --regid=nogroup --clear-groups env -u JAVA_HOME PATH=/usr/bin:/bin /mnt/remap --version
        ' sh "$work/checkout" "$hidden" 2>&1) || status=$?
    assert_equal 3 "$status" "exit status"
    assert_equal 1 "$(wc -l <<< "$output")" "lines of: $output"
    assert_contains "$output" "sudo apt-get install -y openjdk-17-jdk-headless maven"
}

test_a_failed_build_shows_the_error_of_maven() {
    mkdir checkout bin
    cp "$remap" "$project/pom.xml" checkout/
    printf '#!/bin/sh\necho "[ERROR] the reason -> [Help 1]"\necho "[ERROR] advice on Maven"\nexit 1\n' > bin/mvn
    chmod +x bin/mvn
    PATH=$work/bin:$PATH assert_status 3 checkout/remap --version
    assert_contains "$output" "[ERROR] the reason"
    assert_contains "$output" "the build failed; its log is"
    [[ $output != *Help* && $output != *advice* ]] || fail "advice on Maven: $output"
}

test_a_java_home_that_is_none_is_refused() {
    JAVA_HOME=$work assert_status 3 "$remap" --version
    assert_contains "$output" "JAVA_HOME"
}

test_time_from_start_to_the_first_reply() {
    truncate -s 64M disk.img
    /usr/bin/python3 - "$remap" "$work" "$STARTS" "$START_SECONDS_MAX" << 'PYTHON'
import os, socket, statistics, subprocess, sys, time
remap, work, starts, seconds_max = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
took = []
for number in range(starts):
    path = "%s/%d.sock" % (work, number)
    begun = time.monotonic()
    server = subprocess.Popen([remap, "serve", work + "/disk.img", "--socket", path], stdout=subprocess.DEVNULL)
    while True:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(path)
            if client.recv(8) == b"NBDMAGIC":
                break
        except OSError:
            pass
        client.close()
        if server.poll() is not None or time.monotonic() - begun > seconds_max:
            sys.exit("no reply after %d s" % seconds_max)
        time.sleep(0.002)
    took.append(time.monotonic() - begun)
    client.close()
    server.terminate()
    if server.wait(30) != 0:
        sys.exit("exit status %d on SIGTERM" % server.returncode)
# The goal is below 1 s on a quiet machine; a time decides no test.
print("suite: start to first NBD reply: %.2f s (median of %d; least %.2f s; load %.1f)"
      % (statistics.median(took), starts, min(took), os.getloadavg()[0]))
PYTHON
}

run_tests
