#!/bin/bash
# Modules come and go by the module path alone: a module of somebody else is found, a feature that fails to start is named
# in the status while the disk serves on, and what cannot be done without (mappings that may exist) is refused.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_tools javac nbdinfo nbdcopy

"$remap" --version > /dev/null
lib=$(readlink -f "$project/target/remap/current/lib")
SIZE_BYTES=$((8 * 1024 * 1024))

# health_module: a module example.health on the module path $PWD/plugins whose open() does what stands on standard input.
health_module() {
    local body
    body=$(cat)
    mkdir -p source/example plugins
    cat > source/module-info.java << 'JAVA'
module example.health {
    requires io.remap.api;
    provides io.remap.api.spi.HealthProvider with example.Health;
}
JAVA
    cat > source/example/Health.java << JAVA
package example;

import io.remap.api.*;
import io.remap.api.spi.*;
import java.util.List;

public class Health implements HealthProvider {
    public String name() { return "example"; }
    public String description() { return "health of the example"; }
    public Feature open(WatchedDisk disk, Environment environment, Settings settings) throws Refusal { $body }
}
JAVA
    javac -Xlint:-options --release 17 --module-path "$lib" -d plugins/example.health \
        source/module-info.java source/example/Health.java
    export REMAP_JAVA_OPTS="--module-path $lib:$PWD/plugins --add-modules example.health"
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
    assert_contains "$("$remap" plugins list)" "example.health"
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
