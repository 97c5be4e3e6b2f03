#!/bin/bash
# Modules come and go by the module path alone: a module of somebody else is found, a feature that fails to start is named
# in the status while the disk serves on, and what cannot be done without (mappings that may exist) is refused.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools javac nbdinfo nbdcopy

"$remap" --version > /dev/null
lib=$(readlink -f "$project/target/remap/current/lib")
SIZE_BYTES=$((8 * 1024 * 1024))

# example_module PROVIDER: a module `example` on the module path $PWD/plugins that fills the role with a class whose body
# stands on standard input.
example_module() {
    local body
    body=$(cat)
    mkdir -p source/example plugins
    cat > source/module-info.java << JAVA
module example {
    requires io.remap.api;
    provides io.remap.api.spi.$1 with example.Example;
}
JAVA
    cat > source/example/Example.java << JAVA
package example;

import io.remap.api.*;
import io.remap.api.spi.*;
import java.util.List;

public class Example implements $1 {
    public String name() { return "example"; }
    public String description() { return "an example"; }
$body
}
JAVA
    javac -Xlint:-options --release 17 --module-path "$lib" -d plugins/example \
        source/module-info.java source/example/Example.java
    export REMAP_JAVA_OPTS="--module-path $lib:$PWD/plugins --add-modules example"
}

# health_module: its open() does what stands on standard input.
health_module() {
    example_module HealthProvider << JAVA
    public Feature open(WatchedDisk disk, Environment environment, Settings settings) throws Refusal {
        $(cat)
    }
JAVA
}

# without_module NAME: the module path of the product without one of its modules.
without_module() {
    mkdir lib
    ln -s "$lib"/*.jar lib/
    rm lib/"$1"-*.jar
    export REMAP_JAVA_OPTS="--module-path $PWD/lib"
}

make_image() {
    head -c "$SIZE_BYTES" /dev/urandom > disk.img
    cp disk.img original.img
}

test_a_feature_that_fails_to_start_is_named_and_the_disk_serves_on() {
    health_module <<< 'throw new Refusal(Refusal.Kind.ENVIRONMENT, "the example has no sensor");'
    make_image
    start_remap disk "$work/disk.img"
    refused "$ENVIRONMENT" "has no 'health' now" "$remap" health disk
    nbdcopy "$uri" out.img
    assert_same_content original.img out.img
    assert_status 0 "$remap" status disk
    assert_contains "$output" "failed: the example has no sensor"
    assert_contains "$("$remap" plugins list)" "example"
}

test_a_feature_that_breaks_is_named_and_the_disk_serves_on() {
    health_module <<< 'throw new IllegalStateException("bug of the example");'
    make_image
    start_remap disk "$work/disk.img"
    assert_equal "$SIZE_BYTES" "$(nbdinfo --size "$uri")" "size"
    assert_status 0 "$remap" status disk
    assert_contains "$output" "bug of the example"
}

test_attributes_of_a_foreign_module_appear_in_the_tree() {
    health_module << 'JAVA'
return new Feature() {
    public FeatureStatus status() { return FeatureStatus.of("health", FeatureState.STARTED, ""); }
    public List<Attribute> attributes() {
        return List.of(Attribute.readOnly("example.temperature-celsius", "celsius", "Of the example", () -> 41L));
    }
    public void close() {}
};
JAVA
    make_image
    start_remap disk "$work/disk.img"
    assert_contains "$("$remap" attributes disk 2>&1)" "example.temperature-celsius"
    assert_status 0 "$remap" status disk
    assert_contains "$output" "health"
}

# What decides is the module, and its own setting while it runs.
test_the_rules_for_errors_are_those_of_a_foreign_module_if_it_is_chosen() {
    example_module FaultPolicyProvider << 'JAVA'
    static final Setting REDIRECT = new Setting("example.redirect", "no", "Whether writes that main refuses are redirected.");

    public List<Setting> settings() { return List.of(REDIRECT); }

    public FaultPolicy open(Settings settings) throws Refusal {
        boolean redirect = settings.text(REDIRECT).equals("yes");
        return new FaultPolicy() {
            public Verdict readFailed(ErrorClass error, int attempts, boolean alive) {
                return attempts < 5 ? Verdict.RETRY : Verdict.BLAME_SECTORS;
            }
            public Verdict writeFailed(ErrorClass error, int attempts, boolean alive) { return Verdict.BLAME_SECTORS; }
            public boolean redirectsWrites() { return redirect; }
            public long retryDelayMillis(int attempts) { return 1; }
            public long holdOffMillis(int failures) { return 0; }
        };
    }
JAVA
    make_image
    truncate -s 16M spare.img
    # The one reads at the fifth attempt, which the standard rules do not make; the other takes no write.
    printf '%s\n' '1M 4096 transient 4' '2M 4096 write-bad' > faults
    start_remap disk "sim:$work/disk.img?faults=$work/faults" --spare "$work/spare.img" --set policy=example \
        --set scan.enabled=off
    nbdcopy "$uri" out.img
    assert_same_content original.img out.img
    assert_status 1 nbdsh -u "$uri" -c 'h.pwrite(bytes(4096), 2 << 20)'
    assert_contains "$output" "Input/output error"
    assert_equal 0 "$(status_number disk mappedSectors)" "mapped sectors"
    assert_status 0 "$remap" attributes disk set policy.example.redirect yes
    assert_status 0 nbdsh -u "$uri" -c 'h.pwrite(bytes(4096), 2 << 20)'
    assert_equal 8 "$(status_number disk mappedSectors)" "mapped sectors"
    assert_status 0 "$remap" stop disk
    # A choice that is none is refused, with the names of those that are.
    refused "$ENVIRONMENT" "example, standard" "$remap" serve "sim:$work/disk.img" --spare "$work/spare.img" --set policy=other
}

test_without_the_metadata_module_nothing_that_may_have_mappings_is_served() {
    make_image
    start_remap disk "$work/disk.img"
    assert_status 0 "$remap" stop disk
    without_module remap-metadata
    sha256sum disk.img disk.img.spare > before
    assert_status 3 "$remap" serve "$work/disk.img" --socket "$work/x.sock"
    assert_contains "$output" "remap-metadata"
    sha256sum --check --quiet before
}

test_without_the_metadata_module_a_disk_without_mappings_is_served() {
    without_module remap-metadata
    make_image
    start_remap disk "$work/disk.img" --no-spare
    nbdcopy "$uri" out.img
    assert_same_content original.img out.img
    assert_contains "$("$remap" status disk)" "absent"
}

test_without_the_nbd_module_serve_names_what_is_missing() {
    without_module remap-nbd
    make_image
    assert_status 3 "$remap" serve "$work/disk.img" --no-spare --socket "$work/x.sock"
    assert_contains "$output" "remap-nbd"
    [ ! -e x.sock ] || fail "a socket stays"
}

test_the_fast_path_serves_by_default_and_plain_serves_if_that_is_wanted() {
    make_image
    start_remap disk "$work/disk.img" --no-spare
    nbdcopy "$uri" out.img
    assert_same_content original.img out.img
    assert_contains "$(cat disk.out)" "transport fast"
    assert_status 0 "$remap" status disk
    assert_contains "$output" "I/O-opt: enabled"
    assert_contains "$output" "transport fast, I/O engine fast"
    assert_status 0 "$remap" stop disk
    start_remap disk "$work/disk.img" --no-spare --transport plain
    nbdcopy "$uri" out.img
    assert_same_content original.img out.img
    assert_status 0 "$remap" status disk
    assert_contains "$output" "I/O-opt: absent"
    assert_contains "$output" "transport plain, I/O engine inline"
}

test_an_engine_that_makes_event_loops_wait_is_refused_with_the_fast_transport() {
    make_image
    assert_status 2 "$remap" serve "$work/disk.img" --no-spare --socket "$work/x.sock" \
        --transport fast --set io-engine=inline
    assert_contains "$output" "--transport plain"
    start_remap disk "$work/disk.img" --no-spare --set io-engine=inline
    assert_status 0 "$remap" status disk
    assert_contains "$output" "transport plain, I/O engine inline"
}

test_without_the_module_of_the_fast_path_the_plain_transport_serves() {
    without_module remap-iopt
    make_image
    start_remap disk "$work/disk.img" --no-spare --transport fast
    nbdcopy "$uri" out.img
    assert_same_content original.img out.img
    assert_status 0 "$remap" status disk
    assert_contains "$output" "I/O-opt: failed: hot path 'fast': no module provides it; 'plain' serves instead"
}

run_tests
