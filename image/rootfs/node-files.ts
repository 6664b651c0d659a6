import { COUNTERS_BACKEND, COUNTERS_BACKEND_PATH } from "../boot/counters-backend.ts";
import { SLOT_WORD } from "../boot/initrd-script.ts";
import { type AddedFile, linkFile, scriptFile, textFile } from "./file.ts";
import { rootSandbox } from "./root-sandbox.ts";
import { SYSTEM_SETTINGS, systemSettingsFiles } from "./system-settings.ts";

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

/** What binds the node's keys and how far they have signed, apart from the data partition. */
const SIGNSTATE = "/signstate/bizra";

/** The page of a box, for phones beside it; the node's own interface is on 8645, peers on 8646. */
const PAGE_PORT = 8080;

/** A file by whose appearance the node's user has the machine restarted; it has no other right over it. */
const RESTART_REQUEST = "/run/bizra-node/restart";

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

/**
 * The main process reads what the slots hold, so that it fetches only what they lack: disks open for reading by the unit, of which
 * the rule below lets its user open the box's own slots and nothing else.
 */
const SLOTS_READABLE = `PrivateDevices=no
DevicePolicy=closed
DeviceAllow=block-blkext r
DeviceAllow=block-mmc r
DeviceAllow=block-sd r
DeviceAllow=block-virtblk r`;

const SLOT_RULE = `SUBSYSTEM=="block", ENV{DEVTYPE}=="partition", ENV{PARTNAME}=="root-[AB]|boot-[AB]", GROUP="${NODE_USER.name}", MODE="0640"
`;

const NODE_SERVICE = `[Unit]
Description=BIZRA node, supervised
After=network.target systemd-resolved.service time-set.target
StartLimitIntervalSec=300
StartLimitBurst=5
StartLimitAction=reboot

[Service]
Type=notify
NotifyAccess=main
ExecStart=/${PROGRAM_PATH} box run --home ${NODE_HOME} --signstate ${SIGNSTATE} --reboot-command "/usr/bin/touch ${RESTART_REQUEST}"
RuntimeDirectory=bizra-node
ReadWritePaths=-/signstate -${SYSTEM_SETTINGS}
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
${SLOTS_READABLE}

[Install]
WantedBy=multi-user.target
`;

/**
 * Provisioning and the box's page: a process of its own, since it listens to phones and needs nothing that the main process
 * has but its socket. Should it end, the node goes on.
 */
const PAGE_SERVICE = `[Unit]
Description=BIZRA provisioning and the page of this box
After=network.target provision.mount
Wants=provision.mount

[Service]
Type=exec
ExecStart=/${PROGRAM_PATH} box console --home ${NODE_HOME} --medium /provision --system ${SYSTEM_SETTINGS} --signstate ${SIGNSTATE} --listen 0.0.0.0:${PAGE_PORT}
ReadWritePaths=-/provision -/signstate ${SYSTEM_SETTINGS}
Restart=always
RestartSec=5s
MemoryMax=256M
TasksMax=64
${SANDBOX}

[Install]
WantedBy=multi-user.target
`;

/**
 * A fresh slot whose main process never comes to judge it is left again. This judges nothing: it only asks whether the slot was
 * committed, long after the main process would have decided, and a restart is all it does, since a fresh slot has one try.
 */
const UNCOMMITTED_TIMER = `[Unit]
Description=Look whether this slot was committed

[Timer]
OnBootSec=10min
AccuracySec=10s

[Install]
WantedBy=multi-user.target
`;

const UNCOMMITTED_SERVICE = `[Unit]
Description=Restart a slot that nobody committed
ConditionKernelCommandLine=${SLOT_WORD}
RequiresMountsFor=/bootstate

[Service]
Type=oneshot
ExecCondition=/${COUNTERS_BACKEND_PATH} is-uncommitted
ExecStart=/bin/systemctl --no-block reboot
${rootSandbox()}
`;

const RESTART_PATH = `[Unit]
Description=Watch for the node's wish to restart the machine

[Path]
PathExists=${RESTART_REQUEST}
Unit=bizra-restart.service

[Install]
WantedBy=multi-user.target
`;

/** It stays active, so that the file does not ask again while the machine goes down. */
const RESTART_SERVICE = `[Unit]
Description=Restart the machine for the node

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/systemctl --no-block reboot
${rootSandbox()}
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
ExecStop=/${COUNTERS_BACKEND_PATH} forget-attempt
ReadWritePaths=-/bootstate
${rootSandbox()}

[Install]
WantedBy=multi-user.target
`;

/** The node, its provisioning and page, the system's settings, and what restarts the machine for them. */
export function nodeFiles(): readonly AddedFile[] {
  const units = {
    "bizra-node.service": NODE_SERVICE,
    "bizra-page.service": PAGE_SERVICE,
    "bizra-uncommitted.timer": UNCOMMITTED_TIMER,
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
    textFile("etc/systemd/system/bizra-uncommitted.service", UNCOMMITTED_SERVICE),
    textFile("usr/share/dbus-1/system.d/bizra-updater.conf", UPDATER_POLICY),
    textFile("etc/udev/rules.d/91-bizra-slots.rules", SLOT_RULE),
    scriptFile(COUNTERS_BACKEND_PATH, COUNTERS_BACKEND),
    ...systemSettingsFiles(),
    textFile("usr/lib/sysusers.d/bizra.conf", `u ${owner} ${NODE_USER.id} "BIZRA node" /var/lib/bizra /usr/sbin/nologin\n`),
    textFile("usr/lib/tmpfiles.d/bizra.conf", `d ${SYSTEM_SETTINGS} 0755 ${owner} ${owner} -\nd ${SIGNSTATE} 0700 ${owner} ${owner} -\n`),
  ];
}
