import { type AddedFile, linkFile, scriptFile, textFile } from "./file.ts";

/** Where the node's program is in an image. */
export const PROGRAM_PATH = "usr/bin/bizra";

/** The node's home; its folder outlives updates. */
const NODE_HOME = "/var/lib/bizra/home";
/** The same home from the data partition's root. */
export const NODE_HOME_ON_DATA = "var/lib/bizra/home";

/**
 * The user that node and provisioning run as. A fixed one, not one that systemd makes up at each start, since both keep the
 * same home and the provisioning partition, whose files can belong to one user only.
 */
export const NODE_USER = { name: "bizra", id: 900 } as const;

/** Settings of the system that provisioning writes and a unit of root's applies, on the data partition. */
const SYSTEM_SETTINGS = "/data/system";

/** A file by whose appearance the node's user has the machine restarted; it has no other right over it. */
const RESTART_REQUEST = "/run/bizra-node/restart";

/** Where the gate asks whether the node is ready. */
const READY_PORT = 8645;

/**
 * What bounds node and provisioning: no privileges, no devices, no writes but to their own state. No
 * MemoryDenyWriteExecute: the runtime compiles as it goes. The temporary folder is their own and allows execution, since a
 * native addon is unpacked there.
 */
const SANDBOX = `User=${NODE_USER.name}
Group=${NODE_USER.name}
StateDirectory=bizra
StateDirectoryMode=0700
Environment=BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN
UMask=0077
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
PrivateIPC=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
RemoveIPC=yes`;

const NODE_SERVICE = `[Unit]
Description=BIZRA node, supervised
After=network.target systemd-resolved.service time-set.target
StartLimitIntervalSec=300
StartLimitBurst=5
StartLimitAction=reboot

[Service]
Type=notify
NotifyAccess=main
ExecStart=/${PROGRAM_PATH} box run --home ${NODE_HOME} --reboot-command "/usr/bin/touch ${RESTART_REQUEST}"
RuntimeDirectory=bizra-node
ReadWritePaths=-${SYSTEM_SETTINGS}
WatchdogSec=30s
WatchdogSignal=SIGKILL
TimeoutStartSec=infinity
Restart=always
RestartSec=2s
MemoryHigh=400M
MemoryMax=512M
OOMPolicy=continue
TasksMax=256
LimitNOFILE=16384
${SANDBOX}

[Install]
WantedBy=multi-user.target
`;

const PROVISION_SERVICE = `[Unit]
Description=BIZRA provisioning
After=network.target provision.mount
Wants=provision.mount

[Service]
Type=exec
ExecStart=/${PROGRAM_PATH} provision run --home ${NODE_HOME} --medium /provision --system ${SYSTEM_SETTINGS}
ReadWritePaths=-/provision ${SYSTEM_SETTINGS}
Restart=always
RestartSec=5s
MemoryMax=256M
TasksMax=64
${SANDBOX}

[Install]
WantedBy=multi-user.target
`;

const SYSTEM_SERVICE = `[Unit]
Description=Apply host name, network and time servers of the provisioning
DefaultDependencies=no
Before=systemd-networkd.service

[Service]
Type=oneshot
ExecStart=/usr/lib/bizra/apply-system

[Install]
WantedBy=multi-user.target
`;

/** Provisioning writes the host name last of what it always writes, so its change says that there is something to apply. */
const SYSTEM_PATH = `[Unit]
Description=Watch for settings of the provisioning

[Path]
PathChanged=${SYSTEM_SETTINGS}/hostname
Unit=bizra-system.service

[Install]
WantedBy=multi-user.target
`;

/**
 * Takes the settings that provisioning wrote, and no others: plain files of these names, never a link, since the writer has
 * fewer rights than the reader.
 */
const APPLY_SYSTEM = `#!/bin/bash
set -u
from=${SYSTEM_SETTINGS}
take() {
  if [ -f "$from/$1" ] && [ ! -L "$from/$1" ]; then install -D -m 0644 "$from/$1" "/run/$1"; else rm -f "/run/$1"; fi
}
take systemd/network/10-bizra.network
take systemd/timesyncd.conf.d/10-bizra.conf
if [ -f "$from/hostname" ] && [ ! -L "$from/hostname" ]; then
  name=$(head -c 64 "$from/hostname" | head -n 1)
  [[ $name =~ ^[a-z0-9-]{1,63}$ ]] && hostname "$name"
fi
systemctl is-active -q systemd-networkd.service && networkctl reload
systemctl try-restart --no-block systemd-timesyncd.service
exit 0
`;

/** Asks the node whether it is ready, with what a root without curl has. */
const PROBE = `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/${READY_PORT} || exit 1
printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3
read -r -t 3 -u 3 line || exit 1
case $line in *" 200 "*) exit 0 ;; esac
exit 1
`;

/**
 * Decides whether the running slot stays: three good looks in a row commit it, none within the limit sends a box whose slot
 * was never committed back to the other. A committed slot is left alone, since another one would not mend what ails it. A
 * box that belongs to no network yet has no node to ask; there, its provisioning must run.
 */
const GATE = `#!/bin/bash
set -u
slot=$(sed -n 's/.*rauc\\.slot=\\([AB]\\).*/\\1/p' /proc/cmdline)
say() { echo "<3>bizra-gate: $*" >/dev/kmsg; } # loud enough for a quiet kernel's console
good=0
look() {
  if [ -e /data/${NODE_HOME_ON_DATA}/genesis.json ]; then /usr/lib/bizra/probe 2>/dev/null; else systemctl is-active -q bizra-provision.service; fi
}
for _ in $(seq 150); do
  if look; then good=$((good + 1)); else good=0; fi
  if [ "$good" -ge 3 ]; then
    rauc status mark-good >/dev/null && grub-editenv /bootstate/grubenv set GOOD=$slot && say "slot $slot is good after $(cut -d' ' -f1 /proc/uptime) s" && exit 0
  fi
  sleep 1
done
if [ -e /run/bizra/data-failed ]; then say "the data partition cannot be used; no slot is to blame"; exit 1; fi
if grub-editenv /bootstate/grubenv list | grep -qx "GOOD=$slot"; then say "the node is not ready, slot $slot stays"; exit 1; fi
say "the node is not ready, back to the other slot"
grub-editenv /bootstate/grubenv set \${slot}_OK=0
systemctl reboot
`;

const GATE_SERVICE = `[Unit]
Description=Commit this slot once the node is ready, else go back to the other
After=bizra-provision.service dbus.service
RequiresMountsFor=/bootstate

[Service]
Type=exec
RemainAfterExit=yes
ExecStart=/usr/lib/bizra/gate

[Install]
WantedBy=multi-user.target
`;

const RESTART_PATH = `[Unit]
Description=Watch for the node's wish to restart the machine

[Path]
PathExists=${RESTART_REQUEST}
Unit=bizra-restart.service

[Install]
WantedBy=multi-user.target
`;

const RESTART_SERVICE = `[Unit]
Description=Restart the machine for the node

[Service]
Type=oneshot
ExecStart=/bin/rm -f ${RESTART_REQUEST}
ExecStart=/bin/systemctl --no-block reboot
`;

/** Lets the node's user call the updater, which only takes bundles whose signature it trusts. */
const UPDATER_POLICY = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy user="${NODE_USER.name}">
    <allow send_destination="de.pengutronix.rauc"/>
  </policy>
</busconfig>
`;

/** A reboot that somebody asked for is no failed start: it takes the attempt back that GRUB counted. */
const COUNT_SERVICE = `[Unit]
Description=Take back the counted attempt when a committed slot is restarted on purpose
RequiresMountsFor=/bootstate

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/usr/lib/bizra/forget-attempt

[Install]
WantedBy=multi-user.target
`;

const FORGET_ATTEMPT = `#!/bin/bash
slot=$(sed -n 's/.*rauc\\.slot=\\([AB]\\).*/\\1/p' /proc/cmdline)
grub-editenv /bootstate/grubenv list | grep -qx "GOOD=$slot" || exit 0
grub-editenv /bootstate/grubenv set \${slot}_TRY=0
`;

/** The node, its provisioning, and what decides by it whether an update stays. */
export function nodeFiles(): readonly AddedFile[] {
  const units = {
    "bizra-node.service": NODE_SERVICE,
    "bizra-provision.service": PROVISION_SERVICE,
    "bizra-system.service": SYSTEM_SERVICE,
    "bizra-system.path": SYSTEM_PATH,
    "bizra-gate.service": GATE_SERVICE,
    "bizra-boot-count.service": COUNT_SERVICE,
    "bizra-restart.path": RESTART_PATH,
  };
  const owner = NODE_USER.name;
  return [
    ...Object.entries(units).flatMap(([name, text]) => [
      textFile(`etc/systemd/system/${name}`, text),
      linkFile(`etc/systemd/system/multi-user.target.wants/${name}`, `../${name}`),
    ]),
    textFile("etc/systemd/system/bizra-restart.service", RESTART_SERVICE),
    textFile("usr/share/dbus-1/system.d/bizra-updater.conf", UPDATER_POLICY),
    scriptFile("usr/lib/bizra/probe", PROBE),
    scriptFile("usr/lib/bizra/gate", GATE),
    scriptFile("usr/lib/bizra/forget-attempt", FORGET_ATTEMPT),
    scriptFile("usr/lib/bizra/apply-system", APPLY_SYSTEM),
    textFile("usr/lib/sysusers.d/bizra.conf", `u ${owner} ${NODE_USER.id} "BIZRA node" /var/lib/bizra /usr/sbin/nologin\n`),
    textFile("usr/lib/tmpfiles.d/bizra.conf", `d ${SYSTEM_SETTINGS} 0755 ${owner} ${owner} -\n`),
  ];
}
