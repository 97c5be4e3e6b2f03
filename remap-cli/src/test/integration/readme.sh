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
WATCH_SECONDS=5

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
    if [[ $1 == ./remap\ serve* || $1 == remap\ serve* || $1 == ./remap\ sim\ serve* ]]; then
        start_in_background "serve" bash -c "exec $1"
        work_output=$work/serve.out
        wait_until 60 server_is_ready || fail "not ready after 60 s: $(cat "$work/serve.out" "$work/serve.err")"
        is_running "$background_pid" || fail "it ended: $(cat "$work/serve.out" "$work/serve.err")"
        return 0
    fi
    if [[ $1 == *"remap demo"* ]]; then
        run_demo "$1"
        return 0
    fi
    timeout "$COMMAND_SECONDS_MAX" bash -euo pipefail -c "$1" < /dev/null || fail "exit status $? of: $1"
    # A person takes longer than that to type the next one.
    if [[ $1 == nbdfuse\ * ]]; then
        wait_until 10 mountpoint -q mnt/disk || fail "not mounted: $1"
    fi
}

# run_demo TEXT: what it shows is checked; it costs ten seconds, so the same one is not run twice.
run_demo() {
    local kept_before kept_after
    if grep -qsxF "${1#./}" "$suite_directory/demos"; then
        echo "it ran before"
        return 0
    fi
    echo "${1#./}" >> "$suite_directory/demos"
    kept_before=$(demo_directories)
    timeout "$COMMAND_SECONDS_MAX" bash -euo pipefail -c "$1" > demo.out < /dev/null || fail "exit status $? of $1: $(cat demo.out)"
    kept_after=$(demo_directories)
    assert_contains "$(cat demo.out)" "As promised"
    [[ $(cat demo.out) != *$'\e'* ]] || fail "colours although this is no terminal"
    if [[ $1 == *--keep* ]]; then
        assert_equal 1 "$(($(wc -l <<< "$kept_after") - $(wc -l <<< "$kept_before")))" "directories that $1 keeps"
    else
        assert_equal "$kept_before" "$kept_after" "directories after the demo"
    fi
}

# The list begins with a line that is no directory.
demo_directories() {
    echo demos
    find "$TMPDIR" -maxdepth 1 -name 'remap-demo*' | sort
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
        print("not run: there is no %s: %s" % (", ".join(missing), block.splitlines()[0]), file=sys.stderr)
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

test_the_sockets_in_the_docs_are_those_that_serve_makes() {
    local found
    found=$(grep -oh '/run/remap/[A-Za-z0-9._-]*' "$project"/README.md "$project"/docs/*.md)
    assert_contains "$found" "/run/remap/old-disk.nbd"
    ! grep -vE '/$|\.nbd$' <<< "$found" || fail "no 'remap serve' makes these"
}

test_the_readme() {
    disks
    ln -s "$remap" remap
    export TMPDIR=$work
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

# examples_of VERB: the lines of its help that begin with two blanks and "remap", or "Example:", in the array examples.
examples_of() {
    # shellcheck disable=SC2086 # a verb of two words
    "$remap" $1 --help > help.out 2> help.err
    [ ! -s help.err ] || fail "$1 --help printed to stderr: $(cat help.err)"
    grep -q "^Usage: remap $1" help.out || fail "$1 --help shows no usage"
    mapfile -t examples < <(sed -n -e 's/^ *Examples\{0,1\}: \(remap .*\)$/\1/p' -e 's/^  \(remap .*\)$/\1/p' help.out)
    [ "${#examples[@]}" -gt 0 ] || fail "the help of $1 shows no example"
}

# Each example of those commands that need no running service finds blank devices.
test_the_examples_of_the_help() {
    local verb example found=0
    commands_are_in_the_path
    for verb in demo size create serve forget repair dump "devices list" "plugins list"; do
        examples_of "$verb"
        for example in "${examples[@]}"; do
            rm -f disk.img disk.img.spare disk.spare sdb.img sdc1.img
            truncate -s 64M disk.img
            disks
            [ "$verb" != forget ] || remap create "$sdb" --spare "$sdc1"
            [[ $verb != repair && $verb != dump ]] || remap create disk.img --spare disk.img.spare --spare-size 16M
            run_example "$example"
            found=$((found + 1))
            run_exit_actions
            rm -rf "$REMAP_STATE_DIR"
        done
    done
    echo "suite: $found examples of the help"
}

# Those of a running service are run in the order in which a person does it, all with one.
test_the_examples_of_the_help_of_running_services() {
    local verb example found=0
    commands_are_in_the_path
    sdb='' sdc1=''
    truncate -s 64M disk.img
    run_command "remap serve disk.img"
    for verb in status "map list" "map add" "map remove" check "metadata status" "metadata sync" attributes stop; do
        examples_of "$verb"
        for example in "${examples[@]}"; do
            run_example "$example"
            found=$((found + 1))
        done
    done
    echo "suite: $found examples of the help, with a running service"
}

commands_are_in_the_path() {
    mkdir bin
    ln -s "$remap" bin/remap
    export PATH=$work/bin:$PATH TMPDIR=$work
}

run_example() {
    local example status=0
    example=$(with_disks <<< "$1")
    # The directory of the example is one of the user's own.
    example=${example//\/run\/me/$work}
    if [[ $example == *--watch* ]]; then
        echo "\$ $example"
        timeout "$WATCH_SECONDS" bash -c "exec $example" || status=$?
        assert_equal 124 "$status" "exit status of $example, which runs until it is interrupted"
    else
        run_command "$example"
    fi
}

run_tests
