/** Logs under crashes: whatever the disk does to un-synced writes, what was durable comes back and nothing is called damaged. */
import { expect, test } from "bun:test";
import { type Entropy, Prng } from "../../src/kernel/index.ts";
import {
  createRecordLog,
  isStorageError,
  MemoryFileSystem,
  type OpenLogOptions,
  openRecordLog,
  type RecordLog,
} from "../../src/storage/index.ts";

const FOLDER = "/log";

/** Thrown by the disk to stop the process just before an effect. */
class PowerCut extends Error {}

/** One life after another of a log, with a model of what must be there. */
class Trial {
  readonly #prng: Prng;
  readonly #fs: MemoryFileSystem;
  readonly #options: OpenLogOptions;
  /** Bodies by index; undefined where dropped. */
  #appended: Uint8Array[] = [];
  #durable = 0;
  #effectsLeft = 0;
  #hasFailingSync = false;
  lostRecords = 0;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    const diskPrng = new Prng(seed + 1e6);
    this.#fs = new MemoryFileSystem({
      prng: diskPrng,
      hasGarbledSectors: seed % 2 === 0,
      afterSyncTime: (complete) => queueMicrotask(complete),
      onEffect: () => {
        if (this.#effectsLeft-- <= 0) throw new PowerCut("power cut");
      },
    });
    this.#options = { name: "trial", segmentBytesMax: 4096, ...(seed % 3 === 0 ? { preallocateBytes: 2048 } : {}) };
  }

  async run(lives: number): Promise<void> {
    this.#effectsLeft = Number.POSITIVE_INFINITY;
    const entropy: Entropy = { bytes: (count) => this.#prng.bytes(count) };
    let log = createRecordLog(this.#fs, FOLDER, { ...this.#options, entropy });
    for (let life = 0; life < lives; life++) {
      this.#effectsLeft = this.#prng.below(40);
      try {
        await this.#live(log);
      } catch (error) {
        if (!(error instanceof PowerCut) && !isStorageError(error)) throw error; // the end of a life
      }
      // Killed between a failed sync and the truncation that answers it, the page cache lies to the next life: see docs/storage.md.
      const mayLie = this.#hasFailingSync && this.#fs.failingSyncCount === 0 && this.#effectsLeft < 0;
      this.#hasFailingSync = false;
      this.#fs.failingSyncCount = 0;
      this.#fs.capacityBytes = Number.POSITIVE_INFINITY;
      if (!mayLie && this.#prng.chance(0.25)) this.#fs.kill();
      else this.#fs.crash();
      log = this.#reopen();
    }
  }

  async #live(log: RecordLog): Promise<void> {
    for (let step = 0; step < 60; step++) {
      const choice = this.#prng.below(16);
      if (choice < 8) this.#append(log);
      else if (choice < 11) this.#sync(log);
      else if (choice < 14) await this.#syncInTurn(log);
      else if (choice === 14 && this.#prng.chance(0.2)) log.dropBefore(this.#prng.below(this.#durable + 1));
      else if (choice === 15) this.#trouble();
    }
    if (this.#prng.chance(0.3)) {
      log.close();
      this.#durable = this.#appended.length;
    }
  }

  #append(log: RecordLog): void {
    const body = this.#prng.bytes(this.#prng.below(this.#prng.chance(0.1) ? 1500 : 150));
    if (this.#effectsLeft < 0) throw new PowerCut("the dead append nothing");
    const { index } = log.append(body);
    this.#appended[index] = body;
    this.#appended.length = index + 1;
  }

  #sync(log: RecordLog): void {
    log.sync();
    this.#durable = this.#appended.length;
  }

  async #syncInTurn(log: RecordLog): Promise<void> {
    const reached = this.#appended.length;
    const failure = log.syncAsync().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (this.#prng.chance(0.5)) this.#append(log);
    const error = await failure;
    if (error instanceof Error) throw error; // the end of a life
    this.#durable = Math.max(this.#durable, reached);
  }

  #trouble(): void {
    if (this.#prng.chance(0.1)) {
      this.#fs.failingSyncCount = 1;
      this.#hasFailingSync = true;
    }
    if (this.#prng.chance(0.2))
      this.#fs.capacityBytes = this.#fs.files().reduce((sum, path) => sum + this.#fs.readFile(path).length, this.#prng.below(500));
    else this.#fs.capacityBytes = Number.POSITIVE_INFINITY;
  }

  #reopen(): RecordLog {
    this.#effectsLeft = this.#prng.chance(0.2) ? this.#prng.below(6) : Number.POSITIVE_INFINITY;
    for (;;) {
      try {
        const opened = openRecordLog(this.#fs, FOLDER, { ...this.#options, expectAtLeast: this.#durable });
        if (!opened.ok) throw new Error(`${opened.error.kind} in ${opened.error.file} at ${opened.error.offset}: ${opened.error.detail}`);
        this.#check(opened.value);
        return opened.value;
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error; // a power cut while opening: try again
        this.#effectsLeft = Number.POSITIVE_INFINITY;
        this.#fs.crash();
      }
    }
  }

  #check(log: RecordLog): void {
    expect(log.nextIndex).toBeGreaterThanOrEqual(this.#durable);
    expect(log.nextIndex).toBeLessThanOrEqual(this.#appended.length);
    const read = log.forEach(0, (body, location) => expect(body).toEqual(this.#appended[location.index] as Uint8Array));
    expect(read.ok).toBe(true);
    this.lostRecords += this.#appended.length - log.nextIndex;
    this.#appended.length = log.nextIndex;
    this.#durable = log.nextIndex;
  }
}

test("record log under crashes: any seed, what was durable is there, in order, and nothing is called damaged", async () => {
  let lostRecords = 0;
  const seeds = Number(Bun.argv.find((argument) => argument.startsWith("--seeds="))?.slice(8) ?? 250);
  for (let seed = 1; seed <= seeds; seed++) {
    const trial = new Trial(seed);
    try {
      await trial.run(8);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error }); // says which seed to replay
    }
    lostRecords += trial.lostRecords;
  }
  expect(lostRecords).toBeGreaterThan(seeds); // else the disk was not rough enough to prove anything
});
