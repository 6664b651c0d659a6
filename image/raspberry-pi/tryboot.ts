/**
 * The updater's custom boot backend for Raspberry Pi, whose firmware starts boxes itself (RAUC's reference, "custom bootloader
 * backend"; Raspberry Pi documentation, "autoboot.txt" and "tryboot"). The firmware reads autoboot.txt of the first partition:
 * its [all] part names the boot partition of every start, its [tryboot] part that of one start, the next after
 * `reboot "0 tryboot"`. So a fresh slot is tried exactly once, and any failed start, watchdog reset or power cut leads back to
 * the committed one without anybody's help.
 */

/** Boot partitions' numbers, as the firmware counts them: those of the layout. */
export const BOOT_PARTITIONS = { A: 3, B: 5 } as const;

/** The firmware's file: which boot partition starts, and which is tried once. */
export function autobootText(committed: "A" | "B"): string {
  const other = committed === "A" ? "B" : "A";
  return `[all]\ntryboot_a_b=1\nboot_partition=${BOOT_PARTITIONS[committed]}\n[tryboot]\nboot_partition=${BOOT_PARTITIONS[other]}\n`;
}

/**
 * The backend as a program that the updater calls: `get-primary`, `set-primary SLOT`, `get-state SLOT`, `set-state SLOT
 * good|bad`, `get-current`. It needs nothing but a shell.
 *
 * What the firmware cannot keep, it keeps beside autoboot.txt: `bad-A` and `bad-B` mark slots that must not be started, and
 * `try` names the fresh slot that the next intended restart is to try. autoboot.txt itself only changes when a slot is
 * committed, by a rename, so that a power cut leaves the old or the new one.
 */
export const TRYBOOT_BACKEND = `#!/bin/sh
set -eu
dir=\${BIZRA_BOOT_DIR:-/bootfw}
cmdline=\${BIZRA_CMDLINE:-/proc/cmdline}
fail() { echo "tryboot: $*" >&2; exit 1; }
other() { case $1 in A) echo B ;; B) echo A ;; esac; }
slot() { case \${1:-} in A | B) ;; *) fail "expected slot A or B, got '\${1:-}'" ;; esac; }
number() { case $1 in A) echo ${BOOT_PARTITIONS.A} ;; B) echo ${BOOT_PARTITIONS.B} ;; esac; }
committed() {
  line=$(sed -n '/^\\[all\\]/,/^\\[tryboot\\]/s/^boot_partition=//p' "$dir/autoboot.txt")
  case $line in ${BOOT_PARTITIONS.A}) echo A ;; ${BOOT_PARTITIONS.B}) echo B ;; *) fail "autoboot.txt names no slot" ;; esac
}
current() {
  for word in $(cat "$cmdline"); do case $word in rauc.slot=A) echo A; return ;; rauc.slot=B) echo B; return ;; esac; done
  fail "the command line names no slot"
}
commit() {
  printf '[all]\\ntryboot_a_b=1\\nboot_partition=%s\\n[tryboot]\\nboot_partition=%s\\n' "$(number "$1")" "$(number "$(other "$1")")" >"$dir/autoboot.new"
  sync -f "$dir/autoboot.new" 2>/dev/null || sync
  mv "$dir/autoboot.new" "$dir/autoboot.txt"
  sync -f "$dir" 2>/dev/null || sync
}
[ -f "$dir/autoboot.txt" ] || fail "there is no $dir/autoboot.txt"
case \${1:-} in
get-current) current ;;
get-primary)
  if [ -f "$dir/try" ]; then cat "$dir/try"; else committed; fi ;;
set-primary)
  slot "\${2:-}"
  rm -f "$dir/bad-$2"
  if [ "$2" = "$(committed)" ]; then rm -f "$dir/try"; else echo "$2" >"$dir/try.new"; mv "$dir/try.new" "$dir/try"; fi ;;
get-state)
  slot "\${2:-}"
  if [ -f "$dir/bad-$2" ]; then echo bad; else echo good; fi ;;
set-state)
  slot "\${2:-}"
  case \${3:-} in
  good)
    rm -f "$dir/bad-$2"
    # Good is said of the slot that runs: it is committed now. Of the other it only takes the mark away.
    if [ "$2" = "$(current)" ]; then commit "$2"; [ "$(cat "$dir/try" 2>/dev/null)" != "$2" ] || rm -f "$dir/try"; fi ;;
  bad)
    [ "$2" != "$(committed)" ] || [ ! -f "$dir/bad-$(other "$2")" ] || fail "the other slot is bad already"
    : >"$dir/bad-$2"
    [ "$(cat "$dir/try" 2>/dev/null)" != "$2" ] || rm -f "$dir/try" ;;
  *) fail "expected good or bad, got '\${3:-}'" ;;
  esac ;;
restart-word)
  # What to give to reboot: a fresh slot is tried once.
  if [ -f "$dir/try" ]; then echo "0 tryboot"; fi ;;
*) fail "expected get-primary, set-primary, get-state, set-state, get-current or restart-word" ;;
esac
`;
