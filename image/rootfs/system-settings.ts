import { type AddedFile, linkFile, scriptFile, textFile } from "./file.ts";
import { rootSandbox } from "./root-sandbox.ts";

/** Settings of the system that provisioning writes and a unit of root's applies, on the data partition. */
export const SYSTEM_SETTINGS = "/data/system";

/** The program that applies them. */
export const APPLY_SYSTEM_PATH = "usr/lib/bizra/apply-system";

/**
 * Takes the settings that provisioning wrote. The node's user writes them and a network listens to him, so nothing of what he
 * wrote is copied: each file is read once, at most 4096 bytes of a plain file, each line must be one of a few forms, and
 * what is put in force is written anew from those lines. A file with any other line changes nothing and is told of.
 * What a plan can say fits into these forms (appliance/provisioning/system-files.ts), and whoever has the node's user can say
 * no more than a plan.
 */
export const APPLY_SYSTEM = `#!/bin/bash
set -u
export LC_ALL=C
from=\${BIZRA_SETTINGS:-${SYSTEM_SETTINGS}}
to=\${BIZRA_SYSTEM:-/run/systemd}
say() { echo "bizra-system: $*" >&2; }
v4='((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
v6='[0-9a-fA-F:]*:[0-9a-fA-F:]*(:'$v4')?'
host='[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
# The text of a plain file, in $text; 1: there is none, 2: what is there is no such file.
text=
read_file() {
  text=
  [ -L "$1" ] && return 2
  [ -e "$1" ] || return 1
  [ -f "$1" ] || return 2
  # A file that becomes another between look and opening can hold this up, but not for long.
  text=$(set -o pipefail; timeout 60 head -c 4097 -- "$1" 2>/dev/null | tr '\\0' '!' && echo .) || return 2
  text=\${text%.}
  [ \${#text} -le 4096 ] || return 2
}
# take FILE HEADS LINE... : FILE with these section heads in this order and lines of these forms, each as often as said before it.
take() {
  local name=$1 heads=$2 out= seen= line rule max form
  shift 2
  local -A used=()
  read_file "$from/$name"
  case $? in
  1) rm -f "$to/\${name#systemd/}"; return ;;
  2) say "$name is no plain file of at most 4096 bytes; it is not taken"; return ;;
  esac
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in "" | "#"*) continue ;; esac
    case $line in
    "["*) seen="$seen$line" ;;
    *)
      form=
      for rule in "$@"; do
        max=\${rule%% *}
        [[ $line =~ ^\${rule#* }$ ]] || continue
        form=$rule
        used[$rule]=$((\${used[$rule]:-0} + 1))
        [ "\${used[$rule]}" -le "$max" ] || form=
        break
      done
      if [ -z "$form" ]; then say "$name has a line that is none of a plan's; it is not taken"; return; fi
      ;;
    esac
    out="$out$line"$'\\n'
  done <<<"$text"
  if [ "$seen" != "$heads" ]; then say "$name has other sections than a plan's; it is not taken"; return; fi
  mkdir -p -m 0755 "$(dirname "$to/\${name#systemd/}")"
  printf '%s' "$out" >"$to/\${name#systemd/}.new" && chmod 0644 "$to/\${name#systemd/}.new" && mv -f "$to/\${name#systemd/}.new" "$to/\${name#systemd/}"
}
take systemd/network/10-bizra.network "[Match][Network]" \\
  "1 Type=ether" "1 Kind=!\\\\*" "1 Name=[A-Za-z0-9_.-]{1,15}" "1 DHCP=(yes|no)" "1 Address=($v4|$v6)/[0-9]{1,3}" \\
  "1 Gateway=($v4|$v6)" "4 DNS=($v4|$v6)" "1 MulticastDNS=yes" "1 IPv6PrivacyExtensions=no"
take systemd/timesyncd.conf.d/10-bizra.conf "[Time]" "1 NTP=($host|[0-9a-fA-F:.]+)((\\\\.| )($host|[0-9a-fA-F:.]+)){0,64}"
name=bizra
if read_file "$from/hostname"; then
  name=\${text%$'\\n'}
  if ! [[ $name =~ ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ && $name =~ [a-z] ]]; then say "hostname is no host name; it is not taken"; name=; fi
fi
[ -n "\${BIZRA_SYSTEM:-}" ] && { echo "$name"; exit 0; }
[ -n "$name" ] && [ "$name" != "$(hostname)" ] && hostname "$name"
# Not networkctl: it wants to be where the networks are, and this is where there are none.
systemctl is-active -q systemd-networkd.service &&
  busctl call org.freedesktop.network1 /org/freedesktop/network1 org.freedesktop.network1.Manager Reload
systemctl try-restart --no-block systemd-timesyncd.service
exit 0
`;

const SYSTEM_SERVICE = `[Unit]
Description=Apply host name, network and time servers of the provisioning
DefaultDependencies=no
After=systemd-tmpfiles-setup.service
Before=systemd-networkd.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
ExecStart=/${APPLY_SYSTEM_PATH}
ReadWritePaths=/run/systemd
${rootSandbox({ capabilities: "CAP_SYS_ADMIN CAP_DAC_READ_SEARCH", settings: ["ProtectHostname=no", "SystemCallFilter=sethostname"] })}

[Install]
WantedBy=multi-user.target
`;

/** Provisioning writes the host name with every plan, so its change says that there is something to apply. */
const SYSTEM_PATH = `[Unit]
Description=Watch for settings of the provisioning

[Path]
PathChanged=${SYSTEM_SETTINGS}/hostname
Unit=bizra-system.service

[Install]
WantedBy=multi-user.target
`;

/** What puts the system's settings of a plan in force. */
export function systemSettingsFiles(): readonly AddedFile[] {
  return [
    textFile("etc/systemd/system/bizra-system.service", SYSTEM_SERVICE),
    textFile("etc/systemd/system/bizra-system.path", SYSTEM_PATH),
    ...["bizra-system.service", "bizra-system.path"].map((name) =>
      linkFile(`etc/systemd/system/multi-user.target.wants/${name}`, `../${name}`),
    ),
    scriptFile(APPLY_SYSTEM_PATH, APPLY_SYSTEM),
  ];
}
