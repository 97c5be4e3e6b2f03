#!/bin/bash
# What stands in README.md and in the help of the commands runs as it stands.
#
# Blocks of README.md that begin with ```sh are run in their order, in one empty directory that holds a link to ./remap.
# A line `<!-- run: needs WHAT... -->` before a block leaves it out where a file or a command is not there. A command
# `./remap serve` stays in the foreground, so it is started in the background and awaited, as a person does it with a
# second terminal. /dev/sdb and /dev/sdc1 are loop devices (without root: files).
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools nbdinfo nbdcopy qemu-img python3

COMMAND_SECONDS_MAX=180

# disks: sets $sdb and $sdc1.
disks() {
    truncate -s 256M sdb.img
    truncate -s 64M sdc1.img
    if [ "$(id -u)" = 0 ]; then
        sdb=$(losetup -f --show sdb.img)
        at_exit losetup -d "$sdb"
        sdc1=$(losetup -f --show sdc1.img)
        at_exit losetup -d "$sdc1"
    else
        sdb=$PWD/sdb.img
        sdc1=$PWD/sdc1.img
    fi
}

with_disks() {
    sed -e "s#/dev/sdb#$sdb#g" -e "s#/dev/sdc1#$sdc1#g"
}

# run_command TEXT: as somebody types it.
run_command() {
    echo "\$ $1"
    if [[ $1 == ./remap\ serve* || $1 == remap\ serve* ]]; then
        start_in_background "serve" bash -c "exec $1"
        work_output=$work/serve.out
        wait_until 60 server_is_ready || fail "not ready after 60 s: $(cat "$work/serve.out" "$work/serve.err")"
        is_running "$background_pid" || fail "it ended: $(cat "$work/serve.out" "$work/serve.err")"
        return 0
    fi
    timeout "$COMMAND_SECONDS_MAX" bash -euo pipefail -c "$1" < /dev/null || fail "exit status $? of: $1"
    # A person takes longer than that to type the next one.
    if [[ $1 == nbdfuse\ * ]]; then
        wait_until 10 mountpoint -q mnt/disk || fail "not mounted: $1"
    fi
}

server_is_ready() {
    grep -qx ready "$work_output" || is_gone "$background_pid"
}

# commands_of_readme: each command, NUL-terminated; here-documents are one command. "needs ..." lines before a block
# that has needs.
commands_of_readme() {
    python3 - "$project/README.md" << 'PYTHON'
import re, shutil, os, sys
text = open(sys.argv[1]).read()
for needs, block in re.findall(r"(?:<!-- run: needs ([^>]*) -->\n)?```sh\n(.*?)```", text, re.S):
    missing = [n for n in needs.split() if not (os.path.exists(n) if "/" in n else shutil.which(n))]
    if missing:
        print("suite: left out, as there is no %s: %s" % (", ".join(missing), block.splitlines()[0]), file=sys.stderr)
        continue
    lines = block.splitlines()
    while lines:
        command = [lines.pop(0)]
        here = re.search(r"<<'?(\w+)'?", command[0])
        while here and lines:
            command.append(lines.pop(0))
            if command[-1] == here.group(1):
                break
        while command[-1].endswith("\\") and lines:
            command.append(lines.pop(0))
        print("\n".join(command), end="\0")
PYTHON
}

test_the_readme() {
    disks
    ln -s "$remap" remap
    commands_of_readme 2> left-out > commands
    cat left-out
    local command count=0
    while IFS= read -r -d '' command; do
        run_command "$(with_disks <<< "$command")"
        count=$((count + 1))
    done < commands
    [ "$count" -gt 15 ] || fail "only $count commands were found in README.md"
    echo "suite: $count commands of README.md"
}

# The examples of the help, by the commands that have one: lines that begin with two blanks and "remap", or "Example:".
examples_of() {
    "$remap" "$@" --help | sed -n -e 's/^ *Examples\{0,1\}: \(remap .*\)$/\1/p' -e 's/^  \(remap .*\)$/\1/p'
}

test_the_examples_of_the_help() {
    local verb example examples found
    mkdir bin
    ln -s "$remap" bin/remap
    export PATH=$work/bin:$PATH
    found=0
    for verb in demo size create serve status "map list" "map add" "map remove" attributes stop forget "devices list" \
        "plugins list"; do
        # shellcheck disable=SC2086 # a verb of two words
        mapfile -t examples < <(examples_of $verb)
        [ "${#examples[@]}" -gt 0 ] || fail "the help of $verb shows no example"
        for example in "${examples[@]}"; do
            prepare_for "$verb"
            run_example "$example"
            found=$((found + 1))
            clean_up_after
        done
    done
    echo "suite: $found examples of the help"
}

# What the examples take for granted: a blank disk.img and old-disk, and for those of a running service one with that name.
prepare_for() {
    rm -f disk.img disk.img.spare disk.spare sdb.img sdc1.img
    truncate -s 64M disk.img
    disks
    case $1 in
        status | map* | attributes | stop) run_command "remap serve disk.img" ;;
        forget) remap create "$sdb" --spare "$sdc1" ;;
    esac
}

run_example() {
    local example
    example=$(with_disks <<< "$1")
    # The directory of the example is one of the user's own.
    example=${example//\/run\/me/$work}
    case $example in
        *--watch*)
            echo "\$ $example"
            local status=0
            timeout 5 bash -c "$example" || status=$?
            assert_equal 124 "$status" "exit status of $example, which runs until it is interrupted"
            ;;
        *) run_command "$example" ;;
    esac
}

clean_up_after() {
    run_exit_actions
    rm -rf "$REMAP_STATE_DIR"
}

run_tests
