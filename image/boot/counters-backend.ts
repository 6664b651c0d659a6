import { ATTEMPTS, FIRST_COUNTERS } from "./grub-config.ts";

/** Where a box has it, for the updater's configuration and the units of root's that call it. */
export const COUNTERS_BACKEND_PATH = "usr/lib/bizra/boot-counters";

/** What it says on the console when a slot is committed, before the slot's letter. */
export const COMMIT_WORDS = "bizra-gate: slot";

/**
 * The updater's custom boot backend for boxes that GRUB starts (RAUC's reference, "custom bootloader backend"): `get-primary`,
 * `set-primary SLOT`, `get-state SLOT`, `set-state SLOT good|bad`, `get-current`, over the one block of counters that GRUB
 * reads (grub-config.ts). The updater's own backend for GRUB does not know which slot was committed last, and its editor
 * truncates the file before it writes it. For units of root's: `is-uncommitted` (by its exit code) and `forget-attempt`.
 *
 * `GOOD` names the slot that was committed last: it becomes the running slot when that one is marked good, and nothing else
 * changes it. The block is written in place, only when something changes, and synced. A block that is torn, missing or foreign is
 * read as GRUB reads it: by the values that GRUB begins with. It starts as few programs as it can, since the updater asks it
 * several times for one answer.
 */
export const COUNTERS_BACKEND = `#!/bin/sh
set -eu
export LC_ALL=C
file=\${BIZRA_COUNTERS:-/bootstate/grubenv}
cmdline=\${BIZRA_CMDLINE:-/proc/cmdline}
console=\${BIZRA_CONSOLE:-/dev/kmsg}
fail() { echo "boot-counters: $*" >&2; exit 1; }
say() { { echo "<3>$*" >"$console"; } 2>/dev/null || true; } # loud enough for a quiet kernel's console
slot() { case \${1:-} in A) other=B ;; B) other=A ;; *) fail "expected slot A or B, got '\${1:-}'" ;; esac; }
current() {
  read -r words <"$cmdline" || [ -n "$words" ] || fail "there is no command line"
  for word in $words; do case $word in rauc.slot=[AB]) running=\${word#*=}; return ;; esac; done
  fail "the command line names no slot"
}
# One at a time: the updater and a restart may call at once.
if [ -f "$file" ]; then exec 9<"$file"; flock -w 30 9 || fail "somebody else holds the counters"; fi
ORDER="${FIRST_COUNTERS.ORDER}" A_OK=0 A_TRY=0 B_OK=0 B_TRY=0 GOOD=${FIRST_COUNTERS.GOOD} BOOT=
mark="# GRUB Environment Block"
isSound=no
if [ -f "$file" ]; then
  while IFS= read -r line; do
    if [ "$isSound" = no ]; then
      [ "$line" = "$mark" ] || break
      isSound=yes
    fi
    case $line in
    "ORDER=A B" | "ORDER=B A") ORDER=\${line#*=} ;;
    A_OK=[01]) A_OK=\${line#*=} ;;
    B_OK=[01]) B_OK=\${line#*=} ;;
    A_TRY=[0-9]) A_TRY=\${line#*=} ;;
    B_TRY=[0-9]) B_TRY=\${line#*=} ;;
    GOOD=[AB]) GOOD=\${line#*=} ;;
    BOOT=*[!0-9-]*) ;;
    BOOT=?*) BOOT=\${line#*=} ;; # GRUB's own mark of this start, kept
    esac
  done <"$file"
fi
compose() {
  block="$mark
ORDER=$ORDER
A_OK=$A_OK
A_TRY=$A_TRY
B_OK=$B_OK
B_TRY=$B_TRY
GOOD=$GOOD
\${BOOT:+BOOT=$BOOT
}"
}
compose
before=$block
save() {
  compose
  size=0
  [ ! -f "$file" ] || size=$(wc -c <"$file")
  [ "$isSound" = no ] || [ "$size" -ne 1024 ] || [ "$block" != "$before" ] || return 0
  fill=################################################################
  fill=$fill$fill$fill$fill
  printf '%s' "$block$fill$fill$fill$fill" | dd of="$file" bs=1024 count=1 iflag=fullblock conv=notrunc,fsync status=none
  [ "$size" -le 1024 ] || truncate -s 1024 "$file"
}
# As GRUB decides: marked as one that can be started, and with attempts left.
startable() {
  case $1 in A) ok=$A_OK tried=$A_TRY ;; B) ok=$B_OK tried=$B_TRY ;; esac
  if [ "$1" = "$GOOD" ]; then limit=${ATTEMPTS.committed}; else limit=${ATTEMPTS.fresh}; fi
  [ "$ok" = 1 ] && [ "$tried" -lt "$limit" ]
}
set_ok() { case $1 in A) A_OK=$2 A_TRY=0 ;; B) B_OK=$2 B_TRY=0 ;; esac; }
case \${1:-} in
get-current)
  current
  echo "$running" ;;
get-primary)
  for candidate in $ORDER; do if startable "$candidate"; then echo "$candidate"; exit 0; fi; done
  echo "$GOOD" ;;
set-primary)
  slot "\${2:-}"
  set_ok "$2" 1
  ORDER="$2 $other"
  save ;;
get-state)
  slot "\${2:-}"
  if startable "$2"; then echo good; else echo bad; fi ;;
set-state)
  slot "\${2:-}"
  current
  case \${3:-} in
  good)
    set_ok "$2" 1
    # Good is said of the slot that runs: it is committed now. Of the other it only takes the mark away.
    if [ "$2" = "$running" ]; then
      GOOD=$2
      # What has used up its tries comes last from now on; what was installed meanwhile and has not been tried stays first.
      startable "$other" || ORDER="$2 $other"
    fi
    save
    if [ "$2" = "$running" ]; then
      read -r up rest </proc/uptime
      say "${COMMIT_WORDS} $2 is good after $up s"
    fi ;;
  bad)
    [ "$2" != "$running" ] || startable "$other" || fail "the other slot cannot be started"
    set_ok "$2" 0
    save ;;
  *) fail "expected good or bad, got '\${3:-}'" ;;
  esac ;;
is-uncommitted)
  # Only when it is known: what cannot be told restarts nothing.
  current
  [ "$running" != "$GOOD" ] ;;
forget-attempt)
  # A restart that somebody asked for is no failed start.
  current
  if [ "$running" = "$GOOD" ]; then
    case $running in A) A_TRY=0 ;; B) B_TRY=0 ;; esac
    save
  fi ;;
*) fail "expected get-primary, set-primary, get-state, set-state, get-current, is-uncommitted or forget-attempt" ;;
esac
`;
