import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { FileServer } from "../../e2e/image/file-server.ts";
import { Machine } from "../../e2e/image/machine.ts";
import { type MachineDisk, overlayDisk } from "../../e2e/image/machine-disk.ts";
import type { MachineOrder } from "../../e2e/image/machine-words.ts";
import { buildTrialImage, makeHome, type TrialImage, type TrialOrder } from "../../e2e/image/trial-image.ts";
import { bizraJson } from "../../e2e/support/bizra.ts";
import { Chance } from "../../e2e/support/chance.ts";
import type { Workplace } from "../../e2e/support/workplace.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Timetable } from "./timetable.ts";

/** A machine at rest: its disk and its firmware's variables, which starts of copies leave as they are. */
export type Resting = { readonly disk: MachineDisk; readonly vars: string };

/** What a machine of the trials may differ in. */
export type StartOptions = Partial<Pick<MachineOrder, "ports" | "hostPorts" | "from" | "network" | "memoryMib" | "words">>;

/** Under this name a box is kept as it runs. */
const RUNNING = "ready";

/** The hardware watchdog that virtual machines have. */
const WATCHDOG_WORDS = ["-device", "i6300esb", "-action", "watchdog=reset"] as const;

/**
 * What scenarios share, made when the first asks for it: images by version, bundles, a server for them, and a box that was
 * started once and has committed its slot. All of amd64 with the kernel of virtual machines and a root shell.
 */
export class ImageWorld {
  readonly place: Workplace;
  readonly table: Timetable;
  readonly chance: Chance;
  /** How many power cuts are tried. */
  readonly cuts: number;
  /** Folder of everything the trials make. */
  readonly folder: string;
  readonly #images = new Map<string, Promise<TrialImage>>();
  readonly #bundles = new Map<string, Promise<string>>();
  #server: FileServer | undefined;
  #home: Promise<string> | undefined;
  #committed: Promise<Resting> | undefined;
  #machines: Machine[] = [];

  constructor(place: Workplace, { table, seed, cuts }: { readonly table: Timetable; readonly seed: number; readonly cuts: number }) {
    this.place = place;
    this.table = table;
    this.chance = new Chance(seed);
    this.cuts = cuts;
    this.folder = place.at("image");
    mkdirSync(this.folder);
  }

  /** The server of bundles. */
  get server(): FileServer {
    this.#server ??= this.place.keep(new FileServer());
    return this.#server;
  }

  /** The home of a network of one, with which images begin. */
  home(): Promise<string> {
    this.#home ??= makeHome(this.folder);
    return this.#home;
  }

  /** An image of a version, built once. A program is named once, with the first call for its version. */
  image(version: string, order: Partial<Pick<TrialOrder, "program" | "home">> = {}): Promise<TrialImage> {
    const found = this.#images.get(version);
    if (found) return found;
    const built = this.#build(version, order);
    this.#images.set(version, built);
    return built;
  }

  async #build(version: string, order: Partial<TrialOrder>): Promise<TrialImage> {
    const home = await this.home();
    const base: TrialOrder = { folder: this.folder, architecture: "amd64", hasDebugShell: true, home, version };
    return await this.table.time("build", `image ${version}`, () => buildTrialImage({ ...base, ...order }));
  }

  /** The bundle of an image, as a path. */
  bundle(version: string): Promise<string> {
    const found = this.#bundles.get(version);
    if (found) return found;
    const made = this.#makeBundle(version);
    this.#bundles.set(version, made);
    return made;
  }

  async #makeBundle(version: string): Promise<string> {
    const { out, keys, manifest } = await this.image(version);
    const { path } = await this.table.time("build", `bundle ${version}`, () =>
      bizraJson("bundle", "build", out, manifest.name, "--keys", keys),
    );
    return String(path);
  }

  /** The address of a version's bundle for a guest. */
  async bundleUrl(version: string): Promise<string> {
    return this.server.serve(await this.bundle(version));
  }

  /** A box of version 1.0.0 that was started once, whose slot A is committed, and which was switched off in good order. */
  committed(): Promise<Resting> {
    this.#committed ??= this.#commit();
    return this.#committed;
  }

  async #commit(): Promise<Resting> {
    const image = await this.image("1.0.0");
    const fresh = {
      disk: await overlayDisk(image.image, join(this.folder, "committed.qcow2")),
      vars: join(this.folder, "committed-vars.qcow2"),
    };
    const machine = await this.start("committed", fresh);
    await this.table.time("start", "first start to ready node", () => machine.answers("/readyz", START_LIMIT_MS));
    await this.table.time("start", "from there to committed slot", () => this.slotIsGood(machine, "A"));
    await this.table.time("start", "kept as it runs", () => machine.keepAs(RUNNING));
    await this.switchOff(machine);
    return fresh;
  }

  /** A copy of a machine at rest, on which a trial may write. */
  async copyOf({ disk, vars }: Resting, name: string): Promise<Resting> {
    const copy = { disk: await overlayDisk(disk, join(this.folder, `${name}.qcow2`)), vars: join(this.folder, `${name}-vars.qcow2`) };
    copyFileSync(vars, copy.vars);
    return copy;
  }

  /** Starts a machine through its firmware; its disk is written. */
  async start(name: string, { disk, vars }: Resting, options: StartOptions = {}): Promise<Machine> {
    const folder = join(this.folder, `machine-${name}-${this.#machines.length}`);
    const order: MachineOrder = {
      architecture: "amd64",
      start: { by: "firmware", vars },
      disks: [disk],
      folder,
      words: WATCHDOG_WORDS,
      ...options,
    };
    const machine = this.place.keep(await Machine.start(order));
    this.#machines.push(machine);
    return machine;
  }

  /** Ends what a scenario that gave up left running. */
  endMachines(): void {
    for (const machine of this.#machines) machine.kill();
  }

  /** Goes on with a copy of the committed box at a moment when its node was ready, which spares a start. */
  async startCommitted(
    name: string,
    options: Pick<StartOptions, "ports" | "hostPorts"> = {},
  ): Promise<{ readonly machine: Machine; readonly at: Resting }> {
    const from = await this.committed();
    const at: Resting = {
      disk: { ...from.disk, path: join(this.folder, `${name}.qcow2`) },
      vars: join(this.folder, `${name}-vars.qcow2`),
    };
    copyFileSync(from.disk.path, at.disk.path);
    copyFileSync(from.vars, at.vars);
    const machine = await this.start(name, at, { ...options, from: RUNNING });
    await machine.shellIsThere();
    await this.table.time(name, "from the kept moment to ready node", () => machine.answers("/readyz", START_LIMIT_MS));
    return { machine, at };
  }

  /** Waits until a slot runs and is the committed one. */
  async slotIsGood(machine: Machine, slot: "A" | "B", limitMs = START_LIMIT_MS): Promise<void> {
    await machine.until(`commit slot ${slot}`, limitMs, async () => {
      const { running, good, tries } = await slotsOf(machine);
      return running === slot && good === slot && tries === 0 ? true : undefined; // GRUB counted this start until it was found good
    });
  }

  /** Asks the system to switch itself off, and waits until it has. */
  async switchOff(machine: Machine): Promise<void> {
    await machine.must("systemctl --no-block poweroff");
    await machine.ended(START_LIMIT_MS);
  }
}

/** What a box says of its slots; nothing while it does not answer. `tries`: starts of the running slot that were not found good. */
type SlotsFound = { readonly running?: string; readonly good?: string; readonly version?: string; readonly tries?: number };

/** Which slot a box runs, and which it has committed; undefined while it does not answer. */
export async function slotsOf(machine: Machine): Promise<SlotsFound> {
  try {
    const { out } = await machine.run("cat /proc/cmdline /bootstate/grubenv; echo; cat /etc/os-release", 120_000);
    const found = (pattern: RegExp): string | undefined => pattern.exec(out)?.[1];
    const [running, good, version] = [found(/rauc\.slot=(\S+)/), found(/^GOOD=(.*)$/m), found(/^IMAGE_VERSION=(.*)$/m)];
    const tries = found(new RegExp(`^${running}_TRY=(.*)$`, "m"));
    return { ...(running && { running }), ...(good && { good }), ...(version && { version }), ...(tries && { tries: Number(tries) }) };
  } catch (error) {
    if (error instanceof Error && /^(the machine restarted|no answer)/.test(error.message)) return {};
    throw error;
  }
}
