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
  return architecture === "arm64" ? ["tty0", "ttyAMA0,115200"] : ["tty0", "ttyS0,115200"];
}

/** The slot's own file, beside its kernel: the verity table of the root that belongs to it. */
export function slotConfig(verityWord: string): string {
  return `set verity=${verityWord}\n`;
}

/**
 * The boot loader's configuration, which lies inside the loader itself: whoever verified the loader has verified it too.
 *
 * It reads the counters, counts the attempt before it makes it, and starts the first slot in order that has attempts left.
 * The disk is the one that the loader itself came from, and it is marked with the time of this start: the kernel counts disks
 * in an order of its own, and another one may hold the same image. Whatever fails ends in a restart, never in a shell, so that
 * a box without a keyboard goes on to its other slot.
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
  const serial =
    architecture === "amd64"
      ? "if serial --unit=0 --speed=115200; then\n  terminal_output serial console\n  terminal_input serial console\nfi\n"
      : "";
  return `${serial}set timeout=0
set slot=none
set ORDER="A B"
set A_OK=0
set A_TRY=0
set B_OK=0
set B_TRY=0
set GOOD=A
set disk=none
regexp --set=1:disk '^[(]([^,)]+),' "$cmdpath"
if [ ! -e ${counters} ]; then
  search --no-floppy --fs-uuid --set=state ${state.id}
  regexp --set=1:disk '^([^,]+),' "$state"
fi
load_env --skip-sig -f ${counters} ORDER A_OK A_TRY B_OK B_TRY GOOD
if [ "$GOOD" != "B" ]; then set GOOD=A; fi
if [ "$ORDER" != "B A" ]; then set ORDER="A B"; fi
for candidate in $ORDER; do
  if [ "$candidate" = "A" ]; then set ok="$A_OK"; set tried="$A_TRY"; else set ok="$B_OK"; set tried="$B_TRY"; fi
  if [ "$candidate" = "$GOOD" ]; then set limit=${ATTEMPTS.committed}; else set limit=${ATTEMPTS.fresh}; fi
  if [ "$slot" = "none" -a "$ok" -eq 1 -a "$tried" -lt "$limit" ]; then
    set slot="$candidate"
    if [ "$tried" -eq 0 ]; then set next=1; elif [ "$tried" -eq 1 ]; then set next=2; else set next=3; fi
    if [ "$slot" = "A" ]; then set A_TRY=$next; else set B_TRY=$next; fi
  fi
done
if [ "$slot" = "none" ]; then
  # No attempts are left: begin again with the committed slot, which is the last that is known to have run.
  set slot="$GOOD"
  set A_TRY=0
  set B_TRY=0
fi
set BOOT=$YEAR-$MONTH-$DAY-$HOUR-$MINUTE-$SECOND
save_env -f ${counters} ORDER A_OK A_TRY B_OK B_TRY GOOD BOOT
if [ "$slot" = "A" ]; then set boot=($disk,gpt${numberOf("boot-A")}); else set boot=($disk,gpt${numberOf("boot-B")}); fi
echo "bizra-boot: slot $slot order=$ORDER A_OK=$A_OK A_TRY=$A_TRY B_OK=$B_OK B_TRY=$B_TRY GOOD=$GOOD"
if source $boot/${BOOT_FILES.slot}; then
  if linux $boot/${BOOT_FILES.kernel} ${kernelCommandLine("$slot", "$verity", consolesOf(architecture))} ${DISK_WORD}=$BOOT; then
    if initrd $boot/${BOOT_FILES.initrd}; then
      boot
    fi
  fi
fi
sleep 3
reboot
`;
}

/** A boot loader's block of variables: 1024 bytes, filled up with "#". */
export function encodeCounters(values: Readonly<Record<string, string>>): Uint8Array {
  const lines = Object.entries(values).map(([name, value]) => `${name}=${value}\n`);
  return new TextEncoder().encode(`# GRUB Environment Block\n${lines.join("")}`.padEnd(1024, "#"));
}
