import {
  freshUpdateState,
  onUpdateInput,
  type RunningRelease,
  type UpdateEffect,
  type UpdateInput,
  type UpdateState,
} from "../../../../appliance/ota/index.ts";

/** A slot as the boot loader sees it. */
type Slot = { version: string; isBootable: boolean; isGood: boolean; wasTried: boolean };

/** How the new release behaves. */
export type Release = { readonly version: string; readonly boots: boolean; readonly passesGate: boolean };

/** What goes: the power of the machine, or the main process alone. */
export type Loss = "power" | "process";

/** Something went. */
class Lost extends Error {
  readonly loss: Loss;

  constructor(loss: Loss) {
    super(loss);
    this.loss = loss;
  }
}

/** The most that one run of the machine may do before it comes to rest. */
const STEPS_MAX = 200;

/**
 * A box of two slots whose power is cut after chosen steps: what is durable stays, everything else is forgotten. The boot
 * loader starts the slot that comes next, one that was never marked good only once, and the other one when that fails.
 */
export class BoxUnderCuts {
  readonly slots: [Slot, Slot] = [
    { version: "1.0.0", isBootable: true, isGood: true, wasTried: false },
    { version: "0.9.0", isBootable: true, isGood: true, wasTried: false },
  ];
  /** What the operator sees of the steps, for messages. */
  readonly trace: string[] = [];
  booted = 0;
  boots = 0;
  steps = 0;
  readonly #release: Release;
  readonly #cutAfter: ReadonlySet<number>;
  readonly #loss: Loss;
  #next = 0;
  #record: UpdateState | undefined;

  /** @param cutAfter numbers of steps, counted from 1, after which the power goes, or the process */
  constructor(release: Release, cutAfter: readonly number[], loss: Loss = "power") {
    this.#release = release;
    this.#loss = loss;
    this.#cutAfter = new Set(cutAfter);
  }

  get record(): UpdateState | undefined {
    return this.#record;
  }

  get runningVersion(): string {
    return this.#slot(this.booted).version;
  }

  /** Orders the release on a box that runs well, and lets it do what it does until it rests; however often the power goes. */
  run(): void {
    this.#bootLoader();
    let inputs: UpdateInput[] = [
      { kind: "started" },
      { kind: "ordered", order: { source: { kind: "file", path: "/usb/new" }, isUnattended: false } },
    ];
    for (;;) {
      try {
        this.#live(inputs);
        return;
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        if (error.loss === "power") this.#bootLoader();
        inputs = [{ kind: "started" }];
      }
    }
  }

  /** One run of the machine, to its rest. */
  #live(first: readonly UpdateInput[]): void {
    const running = this.#running();
    let state = this.#record ?? freshUpdateState(running);
    const queue = [...first];
    for (let count = 0; queue.length > 0; count++) {
      if (count > STEPS_MAX) throw new Error(`the box does not come to rest: ${this.trace.join(" ")}`);
      const input = queue.shift();
      if (input === undefined) return;
      const step = onUpdateInput(state, input, running);
      state = step.state;
      for (const effect of step.effects) {
        const brought = this.#do(effect, state);
        if (brought !== undefined) queue.push(brought);
      }
    }
  }

  #do(effect: UpdateEffect, state: UpdateState): UpdateInput | undefined {
    this.trace.push(effect.kind);
    switch (effect.kind) {
      case "keep":
        this.#record = structuredClone(state);
        return this.#passed();
      case "fetch":
        return this.#passed({ kind: "downloaded", path: "/data/new" });
      case "check":
        return this.#passed({ kind: "verified", bundle: { version: this.#release.version, compatible: "board" } });
      case "install":
        return this.#install();
      case "discard":
        return this.#passed();
      case "askNode":
        return this.#passed({ kind: "mayMove", hadAggregator: true });
      case "reboot":
        this.#passed();
        throw new Lost("power");
      case "watchGate": {
        const passes = this.runningVersion !== this.#release.version || this.#release.passesGate;
        return this.#passed(passes ? { kind: "gatePassed" } : { kind: "gateFailed", trouble: { code: "gateFailed", detail: "" } });
      }
      case "commit":
        this.#slot(this.booted).isGood = true;
        return this.#passed({ kind: "committed" });
      case "turnBack":
        this.#slot(this.booted).isBootable = false;
        this.#next = 1 - this.booted;
        return this.#passed();
      case "stay":
        this.#next = this.booted;
        return this.#passed({ kind: "stayed" });
    }
  }

  /** As the updater does it: the target is no place to start from, then it is written, then it comes next. */
  #install(): UpdateInput | undefined {
    const target = this.#slot(1 - this.booted);
    target.isBootable = false;
    target.isGood = false;
    target.wasTried = false;
    this.#passed();
    target.version = "half written";
    this.#passed();
    target.version = this.#release.version;
    this.#passed();
    target.isBootable = true;
    this.#next = 1 - this.booted;
    return this.#passed({ kind: "installed" });
  }

  /** A step is over; the power may go before anybody hears what it brought. */
  #passed(brought?: UpdateInput): UpdateInput | undefined {
    this.steps++;
    if (this.#cutAfter.has(this.steps)) {
      this.trace.push("CUT");
      throw new Lost(this.#loss);
    }
    return brought;
  }

  #bootLoader(): void {
    this.boots++;
    if (this.boots > 40) throw new Error(`the box starts again and again: ${this.trace.join(" ")}`);
    for (const index of [this.#next, 1 - this.#next]) {
      const slot = this.#slot(index);
      if (!slot.isBootable || (slot.wasTried && !slot.isGood)) continue; // a slot that was never good has one try
      if (slot.version === "half written") throw new Error(`a slot is started that is half written: ${this.trace.join(" ")}`);
      slot.wasTried = true;
      if (slot.version === this.#release.version && !this.#release.boots) continue;
      this.booted = index;
      return;
    }
    throw new Error(`no slot can be started: ${this.trace.join(" ")}`);
  }

  #running(): RunningRelease {
    const { version } = this.#slot(this.booted);
    const other = this.#slot(1 - this.booted);
    return { version, bootId: `boot-${this.boots}`, canGoBack: other.isBootable && other.isGood };
  }

  #slot(index: number): Slot {
    const slot = this.slots[index];
    if (slot === undefined) throw new Error("a box has two slots");
    return slot;
  }
}
