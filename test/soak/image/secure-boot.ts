import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FIRST_COUNTERS, refusalOf } from "../../../image/boot/grub-config.ts";
import { openBootKeys } from "../../../image/signing/boot-keys.ts";
import { enrolledVariables } from "../../e2e/image/firmware-variables.ts";
import { Machine } from "../../e2e/image/machine.ts";
import { overlayDisk } from "../../e2e/image/machine-disk.ts";
import type { FirmwareStart } from "../../e2e/image/machine-words.ts";
import type { TrialImage } from "../../e2e/image/trial-image.ts";
import type { ImageWorld } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Scenario } from "./scenario.ts";
import { type Tampering, tamperedCopy } from "./tampering.ts";

/** Variables of a firmware that nobody enrolled anything in. */
const BLANK = "/usr/share/OVMF/OVMF_VARS_4M.fd";
/** What the firmware says of a program that it does not start. */
const DENIED = "Access Denied";
/** Both slots hold the release, and the first is committed. */
const BOTH = { ...FIRST_COUNTERS, B_OK: "1" };
/** Keys that would lead into a menu, an editor or a shell, if there were one. */
const KEYS = ["esc", "c", "e", "ret", "f4", "tab"] as const;

/**
 * The chain from the firmware to the root, with keys enrolled as on a board: what is signed starts, and each thing that was
 * tampered with is refused by whoever comes before it, with the other slot or a restart as the outcome.
 */
export const secureBoot: Scenario = {
  name: "secure-boot",
  summary: "starts with Secure Boot; tampered kernel, initrd, slot.cfg, counters, loader and others' keys are refused",
  async run(world) {
    const trial = await Trial.of(world);
    return [
      ...(await trial.startsEnrolled()),
      ...(await trial.goesOn("a tampered kernel", { tamper: "vmlinuz" }, "vmlinuz")),
      ...(await trial.isDenied("an unsigned loader", { tamper: "unsigned-loader" })),
      ...(await trial.isDenied("a tampered loader", { tamper: "loader" })),
      ...(await trial.isDenied("an image of other keys", {}, await trial.variablesOf("others"))),
      ...(await trial.restartsForEver()),
      ...(await trial.takesNoWordsFromCounters()),
      ...(await trial.goesOn("a tampered slot.cfg", { tamper: "slot.cfg" }, "slot.cfg")),
      ...(await trial.goesOn("a slot of others' keys", { tamper: "other-keys" }, "slot.cfg")),
      ...(await trial.startsWithout()),
    ];
  },
};

/** What the trials share: the image, and the firmware's variables with its keys. */
class Trial {
  readonly #world: ImageWorld;
  readonly #image: TrialImage;
  readonly #vars: string;
  #starts = 0;

  private constructor(world: ImageWorld, image: TrialImage, vars: string) {
    this.#world = world;
    this.#image = image;
    this.#vars = vars;
  }

  static async of(world: ImageWorld): Promise<Trial> {
    mkdirSync(join(world.folder, "secure-boot"), { recursive: true });
    const image = await world.image("1.0.0");
    return new Trial(world, image, await variables(world, image.keys, "own"));
  }

  /** Variables with keys that signed nothing here. */
  async variablesOf(name: string): Promise<string> {
    return await variables(this.#world, join(this.#world.folder, `${name}-keys`), name);
  }

  /** The image as it was built: a ready node, and everybody says that the start was verified. */
  async startsEnrolled(): Promise<readonly string[]> {
    const machine = await this.#start({});
    await this.#time("with Secure Boot: power on to ready node", () => machine.answers("/readyz", START_LIMIT_MS));
    const kernel = await machine.must("dmesg | grep -c 'Kernel is locked down from EFI Secure Boot'; cat /sys/kernel/security/lockdown");
    const said = JSON.parse((await machine.run("bizra box hardware --json")).out) as { readonly isSecureBoot?: boolean };
    await machine.cut();
    return [
      ...(/^1\n.*\[integrity\]/.test(kernel) ? [] : [`the kernel does not know that Secure Boot is on: ${kernel}`]),
      ...(said.isSecureBoot === true ? [] : ["the box does not say that Secure Boot is on"]),
    ];
  }

  /** The same image on a firmware that knows no keys. */
  async startsWithout(): Promise<readonly string[]> {
    const machine = await this.#start({}, { by: "firmware", vars: join(this.#world.folder, "secure-boot/blank.fd") });
    await this.#time("without Secure Boot: power on to ready node", () => machine.answers("/readyz", START_LIMIT_MS));
    await machine.cut();
    return [];
  }

  /** A slot A that must be refused for one of its files, beside a slot B that starts. */
  async goesOn(what: string, tampering: Omit<Tampering, "counters">, file: string): Promise<readonly string[]> {
    const machine = await this.#start({ ...tampering, counters: BOTH });
    await machine.says(refusalOf("A", file), START_LIMIT_MS);
    await this.#time(`${what}: power on to slot B`, () => machine.shellIsThere(START_LIMIT_MS));
    const line = await machine.must("cat /proc/cmdline");
    await machine.cut();
    return line.includes("rauc.slot=B ") ? [] : [`${what}: slot B did not start, but ${line}`];
  }

  /** No slot that can be taken: a sentence and a restart, each time anew, whatever is typed meanwhile. */
  async restartsForEver(): Promise<readonly string[]> {
    const machine = await this.#start({ tamper: "initrd.zst", counters: FIRST_COUNTERS });
    // Not earlier: the first of them leads into the firmware's own menu.
    await machine.says("bizra-boot: slot A", START_LIMIT_MS);
    for (let i = 0; i < 20; i++) await machine.type(KEYS);
    await this.#time("no slot left, keys typed: refusal to second restart", () => machine.restarts(2, START_LIMIT_MS));
    const said = machine.said();
    await machine.cut();
    return [
      ...(said.includes(refusalOf("A", "initrd.zst")) ? [] : ["it does not say why it restarts"]),
      ...(/grub>|Enter username|Linux version/.test(said) ? ["keys typed meanwhile led somewhere"] : []),
    ];
  }

  /** Counters that hold words for the kernel, commands and what looks like the loader's own settings. */
  async takesNoWordsFromCounters(): Promise<readonly string[]> {
    const evil = "A init=/bin/sh rauc.slot=B";
    const counters = { ...FIRST_COUNTERS, ORDER: evil, GOOD: evil, A_TRY: "`reboot`", B_OK: "$(reboot)" };
    const foreign = { check_signatures: "no", superusers: "", prefix: "(hd0,gpt7)", verity: "1:aa:bb", BOOT: evil };
    const machine = await this.#start({ counters: { ...counters, ...foreign } });
    await machine.shellIsThere(START_LIMIT_MS);
    const line = await machine.must("cat /proc/cmdline");
    const console = machine.said();
    await machine.cut();
    return [
      ...(/ rauc\.slot=A bizra\.verity=[0-9a-f:]+ bizra\.boot=[0-9-]+\s*$/.test(line)
        ? []
        : [`hostile counters changed the kernel's words: ${line}`]),
      ...(/init=|reboot`/.test(line + console) ? [`hostile counters got somewhere: ${line}`] : []),
    ];
  }

  /** Something that the firmware must not start at all. */
  async isDenied(what: string, tampering: Tampering, vars = this.#vars): Promise<readonly string[]> {
    const machine = await this.#start(tampering, { by: "firmware", vars, isSecure: true });
    await this.#time(`${what}: power on to refusal`, () => machine.says(DENIED, START_LIMIT_MS));
    const said = machine.said();
    await machine.cut();
    return said.includes("bizra-boot") ? [`${what} was started`] : [];
  }

  async #start(tampering: Tampering, start: FirmwareStart = { by: "firmware", vars: this.#vars, isSecure: true }): Promise<Machine> {
    const folder = join(this.#world.folder, "secure-boot", `start-${this.#starts++}`);
    mkdirSync(folder);
    const image = await tamperedCopy(this.#image, tampering, folder);
    const vars = join(folder, "vars.fd");
    writeFileSync(vars, readFileSync(start.vars === this.#vars || start.isSecure === true ? start.vars : BLANK));
    const disk = await overlayDisk(image, join(folder, "disk.qcow2"));
    return this.#world.place.keep(await Machine.start({ architecture: "amd64", start: { ...start, vars }, disks: [disk], folder }));
  }

  async #time<T>(what: string, action: () => Promise<T>): Promise<T> {
    return await this.#world.table.time("secure-boot", what, action);
  }
}

/** A file with a firmware's variables in which the keys of a folder are enrolled; they are made where there are none. */
async function variables(world: ImageWorld, keys: string, name: string): Promise<string> {
  const path = join(world.folder, "secure-boot", `${name}.fd`);
  mkdirSync(keys, { recursive: true });
  const { certificates } = await openBootKeys(keys, "development");
  writeFileSync(path, enrolledVariables(new Uint8Array(readFileSync(BLANK)), certificates));
  return path;
}
