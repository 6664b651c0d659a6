/** A box in memory whose power can fail at any write, and an aggregator that it enrols at. */
import {
  type BoxConditions,
  type BoxFiles,
  type BoxNode,
  type EnrolmentOutcome,
  MEDIUM,
  type ProvisionDocument,
  Provisioner,
  type PublicKeys,
} from "../../../../appliance/provisioning/index.ts";
import { silentLog } from "../../../../src/kernel/index.ts";
import { ManualTime } from "../../events/event-fixture.ts";

/** The power failed: nothing of this process goes on. */
export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

/** At which write the power fails, counted from 1, and how much of it is done by then. */
export type Cut = { readonly at: number; readonly done: "nothing" | "half" | "all" };

/** Hash of the genesis that fake boxes belong to. */
export const GENESIS = "ab".repeat(32);
/** The token of the fake aggregator. */
export const TOKEN = "bzct_secret-token-of-the-aggregator-0001";

/** A plan with everything, as a person writes it. */
export function planText(change: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify(
    {
      schema: 1,
      hostname: "mill-7",
      network: { method: "static", address: "192.168.1.20/24", gateway: "192.168.1.1", dns: ["192.168.1.1"] },
      ntp: ["time.example"],
      aggregator: { url: "https://fleet.example:8700", caPin: "cd".repeat(32) },
      token: TOKEN,
      chain: { genesis: GENESIS, role: "validator" },
      ssh: { keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAUDIRHo7MkCXmQ2eyzfwZLC7Psf2zhbbVy0ZSNNgNnI operator"] },
      update: { channel: "stable", window: "02:00-05:00" },
      ...change,
    },
    null,
    2,
  );
}

/** A disk in memory: every write happens or does not, but for overwriting in place, which may be cut in its middle. */
export class MemoryDisk implements BoxFiles {
  readonly files = new Map<string, string>();
  readonly folders = new Set(["/medium"]);
  writes = 0;
  /** Power cuts to come, by the count of the write. */
  cuts: readonly Cut[] = [];
  cutsDone = 0;
  isDead = false;
  /** Called after every write, with what was written. */
  onWrite: (path: string) => void = () => {};

  hasFolder(path: string): boolean {
    this.#live();
    return this.folders.has(path);
  }

  read(path: string, bytesMax: number): Uint8Array | undefined {
    this.#live();
    const text = this.files.get(path);
    return text === undefined ? undefined : new TextEncoder().encode(text).subarray(0, bytesMax + 1);
  }

  replace(path: string, text: string): void {
    this.#write(path, () => this.files.set(path, text));
  }

  rename(path: string, other: string): void {
    this.#write(path, () => {
      this.files.set(other, this.files.get(path) ?? "");
      this.files.delete(path);
    });
  }

  blank(path: string): void {
    if (!this.files.has(path)) return;
    const text = this.files.get(path) ?? "";
    const half = Math.floor(text.length / 2);
    this.#write(
      path,
      () => this.files.set(path, " ".repeat(text.length)),
      () => this.files.set(path, " ".repeat(half) + text.slice(half)),
    );
  }

  remove(path: string): void {
    if (this.files.has(path)) this.#write(path, () => this.files.delete(path));
  }

  #write(path: string, whole: () => void, half: () => void = () => {}): void {
    this.#live();
    this.writes++;
    const cut = this.cuts.find(({ at }) => at === this.writes);
    if (!cut || cut.done === "all") whole();
    else if (cut.done === "half") half();
    this.onWrite(path);
    if (!cut) return;
    this.isDead = true;
    this.cutsDone++;
    throw new PowerCut(`at write ${this.writes}, of ${path}`);
  }

  #live(): void {
    if (this.isDead) throw new PowerCut("there is no power");
  }
}

/** An aggregator with one claim: its token is used once, and the request that used it gets the same answer again. */
export class FakeAggregator {
  token = TOKEN;
  usedBy: string | undefined;
  isReachable = true;

  ask(token: string | undefined, request: string): EnrolmentOutcome {
    if (token !== this.token) return { kind: "refused", sentence: "unknownToken: the token is not known." };
    if (this.usedBy !== undefined && this.usedBy !== request) return { kind: "refused", sentence: "usedToken: the token was used before." };
    this.usedBy = request;
    return { kind: "done" };
  }
}

/** A node whose home is on the disk. */
export class FakeNode implements BoxNode {
  readonly #disk: MemoryDisk;
  readonly #aggregator: FakeAggregator;
  requests = 0;
  password = false;

  constructor(disk: MemoryDisk, aggregator: FakeAggregator) {
    this.#disk = disk;
    this.#aggregator = aggregator;
  }

  async makeKeys(): Promise<PublicKeys> {
    const made = this.publicKeys();
    if (made) return made;
    this.#disk.replace("/home/identity", `${this.#disk.writes}`);
    this.#disk.replace("/home/validator", `${this.#disk.writes}`); // the last one: with it there are keys
    return this.publicKeys() as PublicKeys;
  }

  publicKeys(): PublicKeys | undefined {
    const [validator, identity] = ["/home/validator", "/home/identity"].map((path) => this.#disk.files.get(path));
    if (validator === undefined || identity === undefined) return undefined;
    return { validator: validator.padStart(64, "0"), identity: identity.padStart(64, "0"), node: identity.padStart(16, "0") };
  }

  checkChain({ chain }: ProvisionDocument): readonly string[] {
    return chain.genesis === GENESIS ? [] : [`chain.genesis: expected ${GENESIS}, got ${chain.genesis}.`];
  }

  apply({ hostname }: ProvisionDocument): void {
    this.#disk.replace("/home/genesis", GENESIS);
    this.#disk.replace("/home/settings", hostname);
  }

  async enrol(plan: ProvisionDocument, signal: AbortSignal, onRemark: (sentence: string) => void): Promise<EnrolmentOutcome> {
    try {
      const { files } = this.#disk;
      const url = plan.aggregator?.url ?? "";
      if (files.get("/home/enrolled") === url) {
        this.#disk.remove("/home/request"); // left by a cut right after the certificate
        return { kind: "done" };
      }
      if (!files.has("/home/request")) this.#disk.replace("/home/request", `request ${++this.requests} of ${this.#disk.writes}`);
      if (!this.#aggregator.isReachable) {
        onRemark("nobody answers.");
        return await new Promise(() => {});
      }
      await Promise.resolve();
      if (signal.aborted) return await new Promise(() => {});
      const outcome = this.#aggregator.ask(plan.token, files.get("/home/request") ?? "");
      if (outcome.kind === "done") this.#disk.replace("/home/enrolled", url);
      this.#disk.remove("/home/request");
      return outcome;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      return await new Promise(() => {}); // a process without power says nothing
    }
  }

  enrolledAt(): string | undefined {
    return this.#disk.files.get("/home/enrolled");
  }

  hasPassword(): boolean {
    return this.password;
  }
}

/** A box, its medium and its aggregator; what a power cut takes is only the process. */
export class FakeBox {
  readonly disk = new MemoryDisk();
  readonly aggregator = new FakeAggregator();
  readonly node = new FakeNode(this.disk, this.aggregator);
  readonly time = new ManualTime();
  conditions: BoxConditions = { isBeingReset: false, notes: [], hasSshServer: true };
  forgotten = 0;
  provisioner = this.#boot();
  #drawn = 0;

  #boot(): Provisioner {
    return new Provisioner({
      files: this.disk,
      node: this.node,
      paths: { medium: "/medium", system: "/system", record: "/record" },
      consoleUrls: () => ["http://192.168.1.20:8080"],
      conditions: () => this.conditions,
      onForgotten: () => this.forgotten++,
      clock: this.time,
      timers: this.time,
      entropy: { bytes: (count) => new Uint8Array(count).map((_, at) => (at * 7 + this.#drawn++ * 31) % 256) },
      log: silentLog,
    });
  }

  /** Gives the box power again, and a new process. */
  reboot(): void {
    this.disk.isDead = false;
    this.provisioner = this.#boot();
  }

  /** Looks until nothing changes, also when an answer comes in between. A power cut leads to a new start. */
  async rest(): Promise<void> {
    for (let quiet = 0; quiet < 2; ) {
      const before = this.disk.writes;
      try {
        await this.provisioner.look();
        for (let turn = 0; turn < 8; turn++) await Promise.resolve();
        await this.provisioner.look();
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
      }
      if (this.disk.isDead) this.reboot();
      else if (this.disk.writes === before) quiet++;
    }
  }

  /** What an operator does with a card reader. */
  put(name: string, text: string): void {
    this.disk.files.set(`/medium/${name}`, text);
  }

  /** A file of the medium. */
  medium(name: string): string | undefined {
    return this.disk.files.get(`/medium/${name}`);
  }

  /** The text of status.txt. */
  get statusText(): string {
    return this.medium(MEDIUM.status) ?? "";
  }
}
