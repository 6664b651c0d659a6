import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FIRST_COUNTERS, grubConfig, refusalOf } from "../../../image/boot/grub-config.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bizra-grub-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** GRUB's commands, as functions of a shell with the same grammar; what they are told is written down, word by word. */
const COMMANDS = `
note() { printf '%s' "$1" >>"$NOTES"; shift; printf '\\t%s' "$@" >>"$NOTES"; printf '\\n' >>"$NOTES"; }
set() { builtin printf -v "\${1%%=*}" %s "\${1#*=}"; }
export() { :; }
serial() { :; }; terminal_output() { :; }; sleep() { :; }
regexp() { disk=hd0; }
search() { :; }
load_env() { while IFS= read -r line; do case " $* " in *" \${line%%=*} "*) printf -v "\${line%%=*}" %s "\${line#*=}" ;; esac; done <"$COUNTERS"; }
save_env() { note save "$ORDER" "$A_OK" "$A_TRY" "$B_OK" "$B_TRY" "$GOOD"; }
refuses() { case " $REFUSED " in *" $1 "*) return 0 ;; esac; return 1; }
source() { refuses "$1" || verity=1:aa:bb; } # as GRUB: no error for what it does not read
linux() { note linux "$@"; ! refuses "$1"; }
initrd() { note initrd "$@"; ! refuses "$1"; }
boot() { note boot; exit 0; }
echo() { note echo "$@"; }
reboot() { note reboot; exit 0; }
`;

/** What a start came to. */
type Start = {
  /** What each command was told, in order. */
  readonly notes: readonly (readonly string[])[];
  /** The kernel's words of the slot that started. */
  readonly kernel: readonly string[] | undefined;
  /** The counters as they were left: order, OK and attempts of A and of B, and the committed slot. */
  readonly saved: readonly string[] | undefined;
};

/** Runs the configuration of an amd64 box with these counters; files that are not signed are refused. */
async function start(counters: Readonly<Record<string, string>>, refused: readonly string[] = []): Promise<Start> {
  const [script, notes, block] = [join(folder, "script"), join(folder, "notes"), join(folder, "counters")];
  // A name of a disk's partition is no word of the other shell's.
  const text = grubConfig("amd64").replaceAll(/\(\$disk,gpt([0-9])\)/g, "gpt$1");
  writeFileSync(script, `${COMMANDS}${text}`);
  writeFileSync(notes, "");
  writeFileSync(
    block,
    Object.entries(counters)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
  );
  const env = { PATH: "/usr/bin:/bin", NOTES: notes, COUNTERS: block, REFUSED: refused.join(" ") };
  const child = Bun.spawn({ cmd: ["bash", script], env, stdout: "ignore", stderr: "pipe", cwd: folder });
  const said = await new Response(child.stderr).text();
  expect([await child.exited, said]).toEqual([0, ""]);
  const lines = readFileSync(notes, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"));
  const last = (name: string): readonly string[] | undefined => lines.findLast(([word]) => word === name)?.slice(1);
  return { notes: lines, kernel: lines.at(-1)?.[0] === "boot" ? last("linux") : undefined, saved: last("save") };
}

const slotOf = ({ kernel }: Start): string | undefined => kernel?.find((word) => word.startsWith("rauc.slot="))?.slice(10);
const refusals = ({ notes }: Start): readonly string[] =>
  notes.flatMap(([name, text = ""]) => (name === "echo" && text.includes(" is refused: ") ? [text] : []));

describe("boot loader's configuration", () => {
  test("image: a new box, starts its first slot and counts the attempt before", async () => {
    const first = await start(FIRST_COUNTERS);
    expect(slotOf(first)).toBe("A");
    expect(first.saved).toEqual(["A B", "1", "1", "0", "0", "A"]);
    expect(first.notes.map(([name]) => name)).toEqual(["save", "echo", "linux", "initrd", "boot"]);
    expect(first.kernel?.[0]).toBe("gpt3/vmlinuz");
  });

  test("image: a fresh slot, is tried once, a committed one three times, then all begins again with the committed one", async () => {
    const updated = { ORDER: "B A", A_OK: "1", A_TRY: "0", B_OK: "1", B_TRY: "0", GOOD: "A" };
    const slots: (string | undefined)[] = [];
    let counters: Record<string, string> = updated;
    for (let i = 0; i < 6; i++) {
      const { saved = [], ...started } = await start(counters);
      slots.push(slotOf({ saved, ...started }));
      const [ORDER = "", A_OK = "", A_TRY = "", B_OK = "", B_TRY = "", GOOD = ""] = saved;
      counters = { ORDER, A_OK, A_TRY, B_OK, B_TRY, GOOD };
    }
    expect(slots).toEqual(["B", "A", "A", "A", "A", "B"]);
  });

  test.each(["slot.cfg", "vmlinuz", "initrd.zst"])("image: a %s that is not signed, the other slot follows at once", async (name) => {
    const both = { ...FIRST_COUNTERS, B_OK: "1" };
    const started = await start(both, [`gpt3/${name}`]);
    expect(slotOf(started)).toBe("B");
    expect(refusals(started)).toEqual([refusalOf("A", name)]);
    expect(started.saved).toEqual(["A B", "1", "1", "1", "1", "A"]);
  });

  test("image: no slot that is signed, is a restart with a sentence for each attempt, and never a shell", async () => {
    const started = await start({ ...FIRST_COUNTERS, B_OK: "1" }, ["gpt3/vmlinuz", "gpt5/slot.cfg"]);
    expect(started.kernel).toBeUndefined();
    expect(started.notes.at(-1)).toEqual(["reboot"]);
    expect(refusals(started)).toEqual([refusalOf("A", "vmlinuz"), refusalOf("B", "slot.cfg"), refusalOf("A", "vmlinuz")]);
  });

  test("image: hostile counters, choose a slot at most, and none of their text gets anywhere", async () => {
    const { kernel: honest = [] } = await start(FIRST_COUNTERS);
    const names = Object.keys(FIRST_COUNTERS);
    const hostile = [
      "A init=/bin/sh",
      'A"; reboot; "',
      "$(reboot)",
      "`reboot`",
      "(",
      ")",
      "!",
      "-e",
      "1 -o 1 -eq 1",
      "]",
      "",
      "9".repeat(40),
      "*",
      "../B",
      "A\\",
      "$prefix",
    ];
    for (const value of hostile) {
      for (const counters of [Object.fromEntries(names.map((name) => [name, value])), { ...FIRST_COUNTERS, GOOD: value }]) {
        const started = await start(counters);
        expect(slotOf(started)).toMatch(/^[AB]$/);
        const words = started.kernel?.map((word) => word.replace("gpt5/", "gpt3/").replace("slot=B", "slot=A"));
        expect(words).toEqual([...honest]);
        expect(started.saved?.every((saved) => /^([AB]( [AB])?|[0-3])$/.test(saved))).toBe(true);
      }
    }
    // Names that are no counters are not taken in: neither the loader's settings, nor the kernel's words.
    const foreign = { check_signatures: "no", superusers: "", verity: "1:cc:dd", disk: "hd9", BOOT: "x", slot: "B", ...FIRST_COUNTERS };
    expect((await start(foreign)).kernel).toEqual(honest);
  }, 60_000);

  test("image: signatures and the lock of the shell, are demanded before anything is read", () => {
    for (const architecture of ["amd64", "arm64"] as const) {
      const lines = grubConfig(architecture).split("\n");
      expect(lines.slice(0, 4)).toEqual([
        "set check_signatures=enforce",
        "export check_signatures",
        "set superusers=nobody",
        "export superusers",
      ]);
      expect(lines.filter((line) => line.includes("--skip-sig")).every((line) => line.startsWith("load_env --skip-sig -f "))).toBe(true);
      expect(lines.join("\n")).not.toMatch(/menuentry|normal|configfile|terminal_input|interruptible/);
      expect(lines.filter(Boolean).at(-1)).toBe("reboot");
    }
  });
});
