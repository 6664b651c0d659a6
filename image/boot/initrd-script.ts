/** Words of the kernel's command line by which boot loader and initrd agree; the updater reads the first as well. */
export const SLOT_WORD = "rauc.slot";
/** The running slot's verity table (encodeVerityWord). */
export const VERITY_WORD = "bizra.verity";
/** What the boot loader wrote beside its counters at this start (BOOT), by which its disk is known among several. */
export const DISK_WORD = "bizra.boot";

/** Where the running system has the partitions of the disk it was booted from, by their labels. */
export const PARTITION_FOLDER = "/dev/bizra";
/** Files here say what the first program found wrong; names are those of the partitions. */
export const FAULT_FOLDER = "/run/bizra";

/**
 * Kernel modules that lead to the root and to the data partition, on every kind of disk a box may have, in the order of
 * loading. Checksums and hashes come first: file systems ask for them by a name of which no list of needs knows, and a root
 * that is opened before its processor's own SHA-256 is there stays with the slow one.
 */
export const INITRD_MODULES = [
  "crc32c_generic",
  "crc32c-intel",
  "sha256-ssse3",
  "sha256-arm64",
  "sha2-ce",
  "virtio_pci",
  "virtio_mmio",
  "virtio_blk",
  "virtio_scsi",
  "virtio_rng",
  "ahci",
  "ata_piix",
  "nvme",
  "sd_mod",
  "fixed",
  "gpio-regulator",
  "reset-raspberrypi",
  "usb-storage",
  "uas",
  "xhci-pci",
  "ehci-pci",
  "sdhci-pci",
  "sdhci-acpi",
  "sdhci-iproc",
  "bcm2835",
  "mmc_block",
  "dm-mod",
  "dm-verity",
  "erofs",
  "ext4",
] as const;

/**
 * The first program: opens the verified root of the slot that the boot loader chose, checks and mounts what outlives updates,
 * and hands over to systemd. A root that cannot be opened restarts the machine, which counts as a failed attempt. The data
 * partition is repaired as far as e2fsck can, and never made anew: what cannot be repaired is left for a person to decide
 * about, and the box runs without it and says so.
 *
 * Every partition is taken from the disk that was booted: another disk with an image, such as a stick from which somebody is
 * about to install, has partitions of the same names, identities and even contents. udev is told which ones are meant.
 */
export const INITRD_SCRIPT = `#!/bin/busybox sh
export PATH=/bin:/sbin
/bin/busybox mkdir -p /proc /sys /dev /run /sysroot /etc
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755,nosuid,nodev run /run
say() { echo "bizra-initrd: $*" >/dev/kmsg; }
give_up() { echo "<2>bizra-initrd: FATAL $*" >/dev/kmsg; sleep 2; reboot -f; }
say "start $(cut -d' ' -f1 /proc/uptime)"
slot= verity= mark=
for word in $(cat /proc/cmdline); do
  case $word in
  ${SLOT_WORD}=*) slot=\${word#*=} ;;
  ${VERITY_WORD}=*) verity=\${word#*=} ;;
  ${DISK_WORD}=*) mark=\${word#*=} ;;
  esac
done
for module in $(cat /modules.list); do insmod "/modules/$module" 2>/dev/null || true; done
# Partitions of a name, on any disk.
named() { grep -lx "PARTNAME=$1" /sys/block/*/*/uevent 2>/dev/null; }
# The partition of a name on the booted disk.
partition() {
  found=$(grep -lx "PARTNAME=$1" "/sys/block/$disk"/*/uevent 2>/dev/null | head -n1)
  [ -n "$found" ] || return 1
  found=\${found%/uevent}
  echo "/dev/\${found##*/}"
}
# The disk that the boot loader marked at this start; where it left no mark, the first with the slot.
find_disk() {
  for uevent in $(named "root-$slot"); do
    disk=\${uevent%/*/uevent}
    disk=\${disk##*/}
    [ -z "$mark" ] && return 0
    state=$(partition bootstate) && grep -q "^BOOT=$mark$" "$state" 2>/dev/null && return 0
  done
  return 1
}
for _ in $(seq 150); do find_disk && break; disk=; sleep 0.1; done
if [ -z "$disk" ]; then
  [ -n "$mark" ] && say "no disk has the mark $mark; the first with slot $slot is taken"
  mark=
  find_disk || give_up "there is no partition root-$slot"
fi
[ "$(named "root-$slot" | wc -l)" -gt 1 ] && say "several disks have an image; the one that was booted is $disk"
root=$(partition "root-$slot")
IFS=: read -r blocks hash salt <<END
$verity
END
[ -n "$salt" ] || give_up "the command line has no ${VERITY_WORD}"
# The kernel restarts the machine at the first block that is not what was signed.
dmsetup create root -r --table "0 $((blocks * 8)) verity 1 $root $root 4096 4096 $blocks $blocks sha256 $hash $salt 1 restart_on_corruption" || give_up "the root cannot be opened"
device=/dev/mapper/root
[ -e "$device" ] || device=/dev/dm-0
mount -t erofs -o ro "$device" /sysroot || give_up "the root cannot be mounted"
mkdir -p ${FAULT_FOLDER}
check() {
  e2fsck -p "$1" >/dev/kmsg 2>&1 && return 0
  [ $? -le 1 ] && return 0
  say "$1 needs repair"
  e2fsck -y "$1" >/dev/kmsg 2>&1
  [ $? -le 1 ]
}
# A partition comes a little after its disk.
for _ in $(seq 50); do partition data >/dev/null && break; sleep 0.1; done
if data=$(partition data) && check "$data" && mount -t ext4 -o noatime,commit=30,errors=remount-ro,nodev,nosuid "$data" /sysroot/data; then
  :
else
  say "the data partition cannot be used; it is left as it is"
  : >${FAULT_FOLDER}/data-failed
  mount -t tmpfs -o mode=755,size=25%,nodev,nosuid data /sysroot/data || give_up "there is no memory for a data partition"
fi
# Signs of what was signed: each write is durable before the next, and a fault makes it read-only rather than forgetful.
if state=$(partition signstate) && check "$state" && mount -t ext4 -o noatime,errors=remount-ro,nodev,nosuid,noexec "$state" /sysroot/signstate; then
  :
else
  say "the signing state cannot be used; a validator signs nothing without it"
  : >${FAULT_FOLDER}/signstate-failed
fi
mkdir -p /run/udev/rules.d
for uevent in "/sys/block/$disk"/*/uevent; do
  label=$(sed -n 's/^PARTNAME=//p' "$uevent")
  device=\${uevent%/uevent}
  case $label in "" | *[!A-Za-z-]*) continue ;; esac
  echo "SUBSYSTEM==\\"block\\", KERNEL==\\"\${device##*/}\\", SYMLINK+=\\"bizra/$label\\""
done >/run/udev/rules.d/10-bizra-disk.rules
mkdir -p /sysroot/data/var/log/journal /sysroot/data/var/lib /sysroot/data/var/tmp /sysroot/data/rauc
[ -s /sysroot/data/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/sysroot/data/machine-id
mount -o bind /sysroot/data/machine-id /sysroot/etc/machine-id
mount -o bind /sysroot/data/var /sysroot/var
say "slot $slot $(cut -d' ' -f1 /proc/uptime)"
for mounted in run dev sys proc; do mount -o move "/$mounted" "/sysroot/$mounted"; done
exec switch_root /sysroot /usr/lib/systemd/systemd
`;

/** The kernel's command line for a slot; the boot loader's configuration builds the same from the slot's own file. */
export function kernelCommandLine(slot: string, verityWord: string, consoles: readonly string[]): string {
  return [...consoles.map((name) => `console=${name}`), ...KERNEL_WORDS, `${SLOT_WORD}=${slot}`, `${VERITY_WORD}=${verityWord}`].join(" ");
}

/** A kernel that fails restarts, so that the next attempt is counted; it says little, since serial lines are slow. */
const KERNEL_WORDS = ["ro", "panic=5", "oops=panic", "quiet", "loglevel=4", "systemd.show_status=0"] as const;
