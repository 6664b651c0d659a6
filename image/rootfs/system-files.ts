import { COUNTERS_BACKEND_PATH } from "../boot/counters-backend.ts";
import { PARTITION_FOLDER } from "../boot/initrd-script.ts";
import { type AddedFile, linkFile, textFile } from "./file.ts";
import { compatibleOf, type ImageIdentity } from "./identity.ts";
import { NODE_USER } from "./node-files.ts";
import { rootSandbox } from "./root-sandbox.ts";

/** Folders that must exist in a root that is never written, for what is mounted over them. */
export const MOUNT_POINTS = ["data", "bootstate", "provision", "signstate", "proc", "sys", "dev", "run", "tmp", "var", "root"] as const;

/** A box starts without any of these; a slow or busy machine finds its partitions late. */
const MOUNT_OPTIONS = "noatime,nodev,nosuid,noexec,nofail,x-systemd.device-timeout=180s";

/** Where a box keeps what outlives updates; the rest of the root is read-only. The first program mounts data and signstate. */
const FSTAB = `${PARTITION_FOLDER}/bootstate /bootstate ext2 sync,${MOUNT_OPTIONS} 0 0
${PARTITION_FOLDER}/PROVISION /provision vfat umask=0077,uid=${NODE_USER.id},gid=${NODE_USER.id},${MOUNT_OPTIONS} 0 0
tmpfs /tmp tmpfs size=25%,mode=1777,nosuid,nodev 0 0
`;

const NETWORK = `[Match]
Type=ether wlan

[Network]
DHCP=yes
MulticastDNS=yes

[DHCPv4]
ClientIdentifier=mac
`;

/** Bounded, and synced seldom: a card that takes every log line at once is worn out within months. */
const JOURNAL = `[Journal]
Storage=persistent
SystemMaxUse=64M
SystemMaxFileSize=8M
RuntimeMaxUse=16M
SyncIntervalSec=5min
Compress=yes
RateLimitIntervalSec=30s
RateLimitBurst=2000
`;

/** A kernel or systemd that hangs is reset by hardware. A Raspberry Pi's counts to 15 seconds and takes no more. */
const watchdog = ({ board }: ImageIdentity): string => `[Manager]
RuntimeWatchdogSec=${board === "raspberry-pi" ? "14s" : "30s"}
RebootWatchdogSec=${board === "raspberry-pi" ? "14s" : "2min"}
DefaultTimeoutStopSec=20s
DefaultTimeoutStartSec=120s
`;

const GROW_DATA = `[Partition]
Type=linux-generic
Label=data
`;

const GROW_DATA_SERVICE = `[Unit]
Description=Grow the data file system over the rest of the disk
DefaultDependencies=no
After=systemd-repart.service
Before=basic.target
ConditionPathIsMountPoint=/data

[Service]
Type=oneshot
ExecStart=/usr/lib/systemd/systemd-growfs /data
ReadWritePaths=/data
${rootSandbox({ capabilities: "CAP_SYS_RESOURCE", settings: ["PrivateDevices=no", "DevicePolicy=closed", "DeviceAllow=block-* r"] })}
`;

/** Where the updater keeps what it knows of the slots, on the data partition. */
const UPDATER_STATE = "/data/rauc";

/** The updater's configuration: two pairs of slots, signed verity bundles only, and boot counters that GRUB reads too. */
function updaterConfiguration(identity: ImageIdentity): string {
  const pair = (slot: string, index: number): string => `
[slot.rootfs.${index}]
device=${PARTITION_FOLDER}/root-${slot}
type=raw
bootname=${slot}

[slot.boot.${index}]
device=${PARTITION_FOLDER}/boot-${slot}
type=raw
parent=rootfs.${index}
`;
  return `[system]
compatible=${compatibleOf(identity)}
bootloader=custom
data-directory=${UPDATER_STATE}
mountprefix=/run/rauc
bundle-formats=verity

[handlers]
bootloader-custom-backend=/${COUNTERS_BACKEND_PATH}

[keyring]
path=/etc/rauc/keyring.pem
${pair("A", 0)}${pair("B", 1)}`;
}

/** Units of Debian's that a box has no use for, or that would write to its read-only root. */
const MASKED_UNITS = [
  "apt-daily-upgrade.timer",
  "apt-daily.timer",
  "console-getty.service",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "fstrim.timer",
  "getty-static.service",
  "getty@tty1.service",
  "ldconfig.service",
  "rauc-mark-good.service",
  "serial-getty@hvc0.service",
  "serial-getty@ttyAMA0.service",
  "serial-getty@ttyS0.service",
  "serial-getty@ttyS1.service",
  "systemd-binfmt.service",
  "systemd-hwdb-update.service",
  "systemd-journal-catalog-update.service",
  "systemd-logind.service",
  "systemd-networkd-wait-online.service",
  "systemd-pstore.service",
  "systemd-remount-fs.service",
  "systemd-sysusers.service",
  "systemd-update-done.service",
  "systemd-user-sessions.service",
] as const;

/** Units of Debian's that run, with the target that wants each. */
const WANTED_UNITS = [
  ["systemd-networkd.service", "multi-user.target"],
  ["systemd-resolved.service", "sysinit.target"],
  ["systemd-timesyncd.service", "sysinit.target"],
] as const;

/** The files of the system around the node: identity, mounts, network, logs, watchdog, updater. */
export function systemFiles(identity: ImageIdentity): readonly AddedFile[] {
  const release = [
    'NAME="BIZRA Node"',
    "ID=bizra",
    "ID_LIKE=debian",
    `VERSION_ID=${identity.version}`,
    `IMAGE_ID=${compatibleOf(identity)}`,
    `IMAGE_VERSION=${identity.version}`,
    `VARIANT_ID=${identity.variant}`,
    `PRETTY_NAME="BIZRA Node ${identity.version} (${identity.variant})"`,
  ];
  return [
    textFile("etc/os-release", `${release.join("\n")}\n`),
    textFile("etc/hostname", "bizra\n"),
    textFile("etc/hosts", "127.0.0.1 localhost bizra\n::1 localhost bizra\n"),
    textFile("etc/machine-id", ""),
    textFile("etc/fstab", FSTAB),
    linkFile("etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf"),
    linkFile("etc/mtab", "../proc/self/mounts"),
    linkFile("etc/localtime", "/usr/share/zoneinfo/UTC"),
    textFile("etc/systemd/network/80-wired.network", NETWORK),
    textFile("etc/systemd/journald.conf.d/10-flash.conf", JOURNAL),
    textFile("etc/systemd/system.conf.d/10-watchdog.conf", watchdog(identity)),
    textFile("usr/lib/repart.d/90-data.conf", GROW_DATA),
    textFile("etc/systemd/system/data-grow.service", GROW_DATA_SERVICE),
    linkFile("etc/systemd/system/sysinit.target.wants/data-grow.service", "../data-grow.service"),
    textFile("etc/rauc/system.conf", updaterConfiguration(identity)),
    textFile("usr/lib/tmpfiles.d/bizra-updater.conf", `d ${UPDATER_STATE} 0700 root root -\n`),
    linkFile("etc/systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target"),
    ...WANTED_UNITS.map(([unit, target]) => linkFile(`etc/systemd/system/${target}.wants/${unit}`, `/usr/lib/systemd/system/${unit}`)),
    ...MASKED_UNITS.map((unit) => linkFile(`etc/systemd/system/${unit}`, "/dev/null")),
  ];
}
