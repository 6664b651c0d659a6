import { type AddedFile, linkFile, scriptFile, textFile } from "./file.ts";

/** Name of the virtio port on which a debug image answers; no real machine has such a port. */
export const DEBUG_PORT = "bizra.debug";

/**
 * Runs each line that comes in, "ID LIMIT COMMAND" with the command in base64, as root and beside the others, and answers it
 * with "ID CODE OUTPUT", the output in base64 too. "hello BOOT" comes first, so that whoever asks sees a restart;
 * an empty line asks for it again.
 */
const SHELL = `#!/bin/bash
port=/dev/virtio-ports/${DEBUG_PORT}
echo "<2>bizra: this image has a root shell for trials, never give it to anybody" >/dev/kmsg
until [ -e "$port" ]; do sleep 0.2; done
exec 3<>"$port"
work=$(mktemp -d /run/bizra-debug.XXXXXX)
say() { ( flock 9; printf '%s\\n' "$1" >&3 ) 9>>"$work/lock"; }
run() {
  base64 -d <<<"$3" >"$work/$1"
  timeout --kill-after=5 "$2" bash "$work/$1" </dev/null >"$work/$1.out" 2>&1 3>&-
  code=$?
  say "$1 $code $(tail -c 200000 "$work/$1.out" | base64 -w0)"
  rm -f "$work/$1" "$work/$1.out"
}
greet() { say "hello $(cat /proc/sys/kernel/random/boot_id)"; }
greet
while read -r id limit command <&3; do
  if [ -n "$command" ]; then run "$id" "$limit" "$command" & else greet; fi
done
`;

/** It begins early, so that it tells why the rest does not, and outlives the stop of other units. */
const SERVICE = `[Unit]
Description=Root shell for trials
DefaultDependencies=no
After=systemd-udev-trigger.service

[Service]
ExecStart=/usr/lib/bizra/debug-shell
Restart=always
RestartSec=1s
KillMode=process

[Install]
WantedBy=sysinit.target
`;

/**
 * A way in for trials under emulation: whoever holds the other end of the virtual machine's port is root. Only images that
 * are built for it have these files, and their name says so.
 */
export function debugShellFiles(): readonly AddedFile[] {
  const name = "bizra-debug-shell.service";
  return [
    textFile(`etc/systemd/system/${name}`, SERVICE),
    linkFile(`etc/systemd/system/sysinit.target.wants/${name}`, `../${name}`),
    scriptFile("usr/lib/bizra/debug-shell", SHELL),
  ];
}
