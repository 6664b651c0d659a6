/**
 * What bounds the few services of ours that run as root: none has a right that its one task does not need, though each is a
 * few lines. `systemd-analyze security` says at most 1.5 of each (test/unit/image/units.test.ts).
 *
 * @param rights capabilities that it keeps, and settings for what it does need
 */
export function rootSandbox(rights: { readonly capabilities?: string; readonly settings?: readonly string[] } = {}): string {
  const { capabilities = "", settings = [] } = rights;
  return `CapabilityBoundingSet=${capabilities}
NoNewPrivileges=yes
UMask=0077
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateIPC=yes
PrivateMounts=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX
IPAddressDeny=any
LockPersonality=yes
MemoryDenyWriteExecute=yes
MemoryMax=64M
TasksMax=16
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@resources
SystemCallErrorNumber=EPERM
KeyringMode=private${settings.map((line) => `\n${line}`).join("")}`;
}
