#!/bin/bash
# A kernel of its own, in an emulated machine (QEMU, without KVM): SCSI disks that fail and go away, the device mapper, and above the
# served disk the kernel's client of NBD, with dm-crypt, md and btrfs. What a host's own kernel does not let a test have.
# The guest sees the root of this host, read-only. A soak runs it (REMAP_KERNEL=1): minutes, as the processor is emulated.
# shellcheck disable=SC2317 # run_tests calls the tests

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_root

GUEST_SECONDS_MAX=1800
PACKAGE=linux-image-amd64
# What the guest needs before it has its root.
EARLY_MODULES=(virtio_pci 9pnet_virtio 9p)
machine=$suite_directory/machine

# Gets the kernel that Debian has now, beside that of the host: its image, its modules, and an initial file system.
get_kernel() {
    [ ! -e "$machine/initrd" ] || return 0
    local package version module path
    mkdir -p "$machine/early/bin" "$machine/early/proc" "$machine/early/sys" "$machine/early/dev" "$machine/early/root"
    cd "$machine"
    package=$(apt-cache depends "$PACKAGE" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$package" ] || fail "apt knows no $PACKAGE: apt-get update"
    apt-get download "$package" > apt.log 2>&1 || fail "$(cat apt.log)"
    dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x ./boot ./lib/modules
    version=$(basename lib/modules/*)
    depmod -b . "$version"
    for module in "${EARLY_MODULES[@]}"; do
        modprobe -d . -S "$version" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > early-modules
    while read -r path; do
        cp "$path" early/
        echo "/${path##*/}"
    done < early-modules > early/modules
    cp "$(command -v busybox)" early/bin/busybox
    install -m 755 "$integration/kernel/init" early/init
    (cd early && find . | busybox cpio -o -H newc 2> /dev/null) | gzip -1 > initrd
    cd "$work"
}

# in_guest SCRIPT QEMU-OPTION...: boots, runs kernel/SCRIPT.sh there, and fails as it does. A blank disk of 64 MiB is /dev/vda.
in_guest() {
    local script=$1 status=0
    shift
    [ -n "${REMAP_KERNEL:-}" ] || not_run "a soak boots a kernel"
    require_tools qemu-system-x86_64 busybox depmod nbd-client cryptsetup mdadm dmsetup smartctl dpkg-deb apt-get
    [ -x /lib/systemd/systemd-udevd ] || skip "needs systemd-udevd"
    get_kernel
    "$remap" --version > /dev/null
    truncate -s 64M spare.img
    timeout "$GUEST_SECONDS_MAX" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 2560 \
        -nodefaults -no-reboot -display none -serial stdio -kernel "$machine"/boot/vmlinuz-* -initrd "$machine/initrd" \
        -append "console=ttyS0 quiet panic=-1 mitigations=off project=$project guest=$integration/kernel/$script.sh" \
        -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
        -virtfs local,path="$project",mount_tag=project,security_model=none,readonly=on,multidevs=remap \
        -virtfs local,path="$machine",mount_tag=vm,security_model=none,multidevs=remap \
        -drive file=spare.img,format=raw,if=none,id=spare -device virtio-blk-pci,drive=spare,serial=SPARE \
        "$@" < /dev/null > console.log 2>&1 || status=$?
    cat console.log
    [ "$status" = 0 ] || fail "the machine ended with $status"
    [ "$(cat "$machine/status")" = 0 ] || fail "$script ended with $(cat "$machine/status")"
    rm "$machine/status"
}

test_a_scsi_disk_is_unplugged_under_a_mounted_file_system() {
    in_guest unplugged
}

test_luks_md_and_btrfs_of_the_kernel() {
    in_guest layers
}

test_smart_of_ata_nvme_and_scsi() {
    truncate -s 64M ata.img nvme.img
    in_guest smart \
        -drive file=ata.img,format=raw,if=none,id=ata -device ide-hd,drive=ata,serial=ATA1,model=QEMU-HD \
        -drive file=nvme.img,format=raw,if=none,id=nvme -device nvme,drive=nvme,serial=NVME1
}

run_tests
