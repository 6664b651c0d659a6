import { present } from "../../src/kernel/index.ts";
import { type Architecture, layOut, type PlacedPartition, partitionsOf } from "../layout/partitions.ts";
import { DISK_WORD, kernelCommandLine } from "./initrd-script.ts";

/** Files of a boot partition. */
export const BOOT_FILES = { kernel: "vmlinuz", initrd: "initrd.zst", slot: "slot.cfg" } as const;

/** The counters as a new image has them: the first slot committed, the second empty. */
export const FIRST_COUNTERS = { ORDER: "A B", A_OK: "1", A_TRY: "0", B_OK: "0", B_TRY: "0", GOOD: "A" } as const;

/** Attempts of a slot that was committed once, and of one that was not. */
export const ATTEMPTS = { committed: 3, fresh: 1 } as const;

/** Where the kernel writes, last where it asks. */
export function consolesOf(architecture: Architecture): readonly string[] {
  // A Raspberry Pi's serial port comes before that of servers, which emulated machines have too; none need be there.
  return architecture === "arm64" ? ["tty0", "ttyS1,115200", "ttyAMA0,115200"] : ["tty0", "ttyS0,115200"];
}

/** The slot's own file, beside its kernel: the verity table of the root that belongs to it. */
export function slotConfig(verityWord: string): string {
  return `set verity=${verityWord}\n`;
}

/** What the boot loader says of a slot that it does not start, short enough for one line of any console. */
export function refusalOf(slot: string, file: string): string {
  return `bizra-boot: slot ${slot} is refused: ${file} is not what its maker signed`;
}

/** Values of the counters that count; whatever else stands there is the last of them. */
const COUNTER_VALUES = {
  ORDER: ["B A", "A B"],
  GOOD: ["B", "A"],
  A_OK: ["1", "0"],
  B_OK: ["1", "0"],
  A_TRY: ["3", "2", "1", "0"],
  B_TRY: ["3", "2", "1", "0"],
} as const;

/**
 * The boot loader's configuration, which lies inside the loader itself: whoever verified the loader has verified it too.
 *
 * It reads the counters, counts the attempt before it makes it, and starts the first slot in order that has attempts left and
 * whose files are signed; a slot that is refused is followed by the next at once. The disk is the one that the loader itself
 * came from, and it is marked with the time of this start: the kernel counts disks in an order of its own, and another one may
 * hold the same image.
 *
 * Nothing that anybody can write on the disk gets into a command: every file is verified before it is looked at, and the
 * counters, the only thing that is not signed, are compared with what they can be and never expanded. Whatever fails ends in a
 * restart; the shell, should anything lead there, asks for a user that has no password.
 */
export function grubConfig(architecture: Architecture): string {
  const partition = (label: string): PlacedPartition =>
    present(
      layOut(partitionsOf(architecture)).partitions.find((each) => each.label === label),
      "the layout has the partitions that booting needs",
    );
  const numberOf = (label: string): number => partition(label).number;
  const state = partition("bootstate"); // its file system bears the partition's own identity
  const counters = `($disk,gpt${numberOf("bootstate")})/grubenv`;
  const names = Object.keys(COUNTER_VALUES).join(" ");
  const serial = architecture === "amd64" ? "if serial --unit=0 --speed=115200; then terminal_output serial console; fi\n" : "";
  return `set check_signatures=enforce
export check_signatures
set superusers=nobody
export superusers
${serial}set timeout=0
set disk=none
for place in "$cmdpath" "$fw_path"; do
  regexp --set=1:disk '^[(]([^,)]+),' "$place"
done
if [ ! -e ${counters} ]; then
  search --no-floppy --fs-uuid --set=state ${state.id}
  regexp --set=1:disk '^([^,]+),' "$state"
fi
${Object.entries(COUNTER_VALUES)
  .map(([name, values]) => `set ${name}="${values.at(-1)}"\n`)
  .join("")}load_env --skip-sig -f ${counters} ${names}
${Object.entries(COUNTER_VALUES)
  .map(([name, values]) => onlyOneOf(name, values))
  .join("")}set BOOT=$YEAR-$MONTH-$DAY-$HOUR-$MINUTE-$SECOND
function attempt {
  save_env -f ${counters} ${names} BOOT
  echo "bizra-boot: slot $slot order=$ORDER A_OK=$A_OK A_TRY=$A_TRY B_OK=$B_OK B_TRY=$B_TRY GOOD=$GOOD"
  if [ "$slot" = "A" ]; then set boot=($disk,gpt${numberOf("boot-A")}); else set boot=($disk,gpt${numberOf("boot-B")}); fi
  set verity=
  set fault=${BOOT_FILES.slot}
  # It gives no error for a file that it cannot read or that is not signed.
  source $boot/${BOOT_FILES.slot}
  if [ "x$verity" != "x" ]; then
    set fault=${BOOT_FILES.kernel}
    if linux $boot/${BOOT_FILES.kernel} ${kernelCommandLine("$slot", "$verity", consolesOf(architecture))} ${DISK_WORD}=$BOOT; then
      set fault=${BOOT_FILES.initrd}
      if initrd $boot/${BOOT_FILES.initrd}; then
        set fault=${BOOT_FILES.kernel}
        boot
      fi
    fi
  fi
  echo "${refusalOf("$slot", "$fault")}"
}
for slot in $ORDER; do
  if [ "$slot" = "A" ]; then set ok=$A_OK; set tried=$A_TRY; else set ok=$B_OK; set tried=$B_TRY; fi
  if [ "$slot" = "$GOOD" ]; then set limit=${ATTEMPTS.committed}; else set limit=${ATTEMPTS.fresh}; fi
  if [ "$ok" -eq 1 -a "$tried" -lt "$limit" ]; then
    if [ "$tried" -eq 0 ]; then set next=1; elif [ "$tried" -eq 1 ]; then set next=2; else set next=3; fi
    if [ "$slot" = "A" ]; then set A_TRY=$next; else set B_TRY=$next; fi
    attempt
  fi
done
# No attempts are left: begin again with the committed slot, which is the last that is known to have run.
set slot=$GOOD
set A_TRY=0
set B_TRY=0
attempt
sleep 3
reboot
`;
}

/** Puts a literal in place of whatever a variable holds; the letter before keeps a value from being read as an operator. */
function onlyOneOf(name: string, values: readonly string[]): string {
  const cases = values.slice(0, -1).map((value) => `if [ "x$${name}" = "x${value}" ]; then set ${name}="${value}"; el`);
  return `${cases.join("")}se set ${name}="${values.at(-1)}"; fi\n`;
}

/** A boot loader's block of variables: 1024 bytes, filled up with "#". */
export function encodeCounters(values: Readonly<Record<string, string>>): Uint8Array {
  const lines = Object.entries(values).map(([name, value]) => `${name}=${value}\n`);
  return new TextEncoder().encode(`# GRUB Environment Block\n${lines.join("")}`.padEnd(1024, "#"));
}
