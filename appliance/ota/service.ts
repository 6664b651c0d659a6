import { assert, type CancelTimer, type Clock, err, type Log, ok, type Result, type Timers } from "../../src/kernel/index.ts";
import { isStorageError } from "../../src/storage/index.ts";
import { fetchByBlocks } from "./block-download.ts";
import { checkBundle, checkWord } from "./check.ts";
import { discardDownload, download, type Fetched } from "./download.ts";
import { findGateLacks, findReasonToStay, type GateFacts, type MoveFacts, type OfflinePolicy } from "./gate.ts";
import { type Installer, InstallerFailed } from "./installer.ts";
import type { BoxStamp } from "./judge.ts";
import type { AskServer } from "./ranges.ts";
import type { UpdateRecord } from "./record.ts";
import { canOrder, freshUpdateState, onUpdateInput } from "./transitions.ts";
import type { RunningRelease, UpdateEffect, UpdateInput, UpdateOrder, UpdateState, UpdateTrouble } from "./types.ts";

/** What the node and its supervision tell an update. Never rejects. */
export interface UpdateNode {
  gate(): Promise<GateFacts>;
  move(): Promise<MoveFacts>;
  /** Why supervision gave the node up, when it has. */
  failure(): string | undefined;
}

/** What an updater stands on. */
export type UpdaterParts = {
  readonly stamp: BoxStamp;
  /** This run of the machine. */
  readonly bootId: string;
  readonly installer: Installer;
  readonly record: UpdateRecord;
  /** Where downloads go. */
  readonly folder: string;
  /** Devices of the slots, whose blocks need not be fetched. */
  readonly slots: readonly string[];
  readonly ask: AskServer;
  readonly node: UpdateNode;
  readonly offlinePolicy: OfflinePolicy;
  /** Why nothing is restarted now that no person ordered, as a sentence part. */
  readonly findReasonToWait: () => string | undefined;
  /** How long a new release may take to pass the gate. */
  readonly probationMs: number;
  /** Restarts the machine; rejects with InstallerFailed when that is refused. */
  readonly reboot: () => Promise<void>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Told of a defect of this program. */
  readonly onDefect: (error: unknown) => void;
};

/** Between two looks at the gate, and two questions whether the node can be left. */
const LOOK_MS = { gate: 2_000, move: 5_000, reboot: 60_000 } as const;

/** Where an update stands. */
export type UpdateStatus = {
  readonly version: string;
  readonly compatible: string;
  readonly row: UpdateState["row"];
  readonly floor: string;
  readonly failed: readonly string[];
  /** What it waits for, as sentence parts. */
  readonly waitsFor: readonly string[];
  readonly progress: { readonly bytes: number; readonly of: number | undefined } | undefined;
  /** Bytes that the last bundle took to fetch, and its own; since this process was started. */
  readonly fetched: Pick<Fetched, "bytes" | "of"> | undefined;
};

/** Brings releases onto a box and keeps or leaves them: asks the state table and runs what it wants, one effect after the other. */
export class Updater {
  readonly #parts: UpdaterParts;
  #state: UpdateState;
  #canGoBack = false;
  /** What takes long goes beside what marks slots. */
  readonly #turns = { work: Promise.resolve(), rest: Promise.resolve() };
  #waitsFor: readonly string[] = [];
  #progress: UpdateStatus["progress"];
  #fetched: UpdateStatus["fetched"];
  #cancelWatch: CancelTimer = () => {};
  #cancelAsk: CancelTimer = () => {};
  #isStopped = false;

  /** Reads how far the last update came. @throws StorageError */
  constructor(parts: UpdaterParts) {
    this.#parts = parts;
    const kept = parts.record.load();
    if (kept === "damaged") parts.log.error("update.recordDamaged", {});
    this.#state = typeof kept === "string" ? freshUpdateState(this.#running()) : kept;
  }

  /** Goes on where the last run ended. */
  async start(): Promise<void> {
    await this.#lookAtSlots();
    this.#take({ kind: "started" });
  }

  /** Looks and asks no more; what runs now ends by itself, and is gone on with at the next start. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelWatch();
    this.#cancelAsk();
  }

  /** Where it stands. */
  get status(): UpdateStatus {
    const { row, floor, failed } = this.#state;
    return { ...this.#parts.stamp, row, floor, failed, waitsFor: this.#waitsFor, progress: this.#progress, fetched: this.#fetched };
  }

  /** Takes an order, unless another one is under way. */
  order(order: UpdateOrder): Result<void, UpdateTrouble> {
    if (!canOrder(this.#state)) return err({ code: "busy", detail: `an update is under way (${this.#state.row.kind})` });
    this.#take({ kind: "ordered", order });
    const { row } = this.#state;
    return row.kind === "downloading" ? ok(undefined) : err({ code: "diskFull", detail: "the order could not be written down" });
  }

  /** Restarts into an installed release now, although the node would rather not be left. */
  moveNow(): Result<void, UpdateTrouble> {
    if (this.#state.row.kind !== "rebooting") return err({ code: "nothingBefore", detail: "no installed release waits for a restart" });
    this.#take({ kind: "mayMove", hadAggregator: false });
    return ok(undefined);
  }

  /** Goes back to the release before, or calls an installed one off. */
  async back(): Promise<Result<void, UpdateTrouble>> {
    await this.#lookAtSlots();
    const { kind } = this.#state.row;
    if (kind !== "rebooting" && kind !== "probation" && !canOrder(this.#state))
      return err({ code: "busy", detail: `an update is under way (${kind})` });
    if (kind !== "rebooting" && !this.#canGoBack)
      return err({ code: "nothingBefore", detail: "the other slot holds no release that can be started" });
    this.#take({ kind: "backAsked" });
    return ok(undefined);
  }

  #running(): RunningRelease {
    return { version: this.#parts.stamp.version, bootId: this.#parts.bootId, canGoBack: this.#canGoBack };
  }

  #take(input: UpdateInput): void {
    const before = this.#state;
    const step = onUpdateInput(before, input, this.#running());
    this.#state = step.state;
    this.#waitsFor = [];
    if (step.state.row.kind !== before.row.kind) {
      const trouble = "trouble" in step.state.row ? step.state.row.trouble : "last" in step.state.row ? step.state.row.last : undefined;
      this.#parts.log.info("update.row", { from: before.row.kind, to: step.state.row.kind, code: trouble?.code, detail: trouble?.detail });
    }
    for (const effect of step.effects) {
      if (effect.kind !== "keep") this.#queue(effect);
      else if (!this.#keep(before)) {
        if (input.kind === "committed") this.#watchGate(this.#parts.clock.monotonicMs()); // until there is room to say so
        return;
      }
    }
  }

  /** Makes the state durable; where that cannot be, it is as it was, and nothing that relies on it is done. */
  #keep(before: UpdateState): boolean {
    try {
      this.#parts.record.save(this.#state);
      return true;
    } catch (error) {
      if (!isStorageError(error)) throw error;
      this.#parts.log.error("update.notKept", { code: error.code, detail: error.message });
      this.#state = before;
      return false;
    }
  }

  #queue(effect: UpdateEffect): void {
    const turn = effect.kind === "fetch" || effect.kind === "check" || effect.kind === "install" ? "work" : "rest";
    this.#turns[turn] = this.#turns[turn].then(() => this.#run(effect)).catch(this.#parts.onDefect);
  }

  async #run(effect: UpdateEffect): Promise<void> {
    if (this.#isStopped) return;
    try {
      const brought = await this.#do(effect);
      if (brought !== undefined && !this.#isStopped) this.#take(brought);
    } catch (error) {
      if (!(error instanceof InstallerFailed)) throw error;
      this.#parts.log.error("update.installerFailed", { effect: effect.kind, detail: error.message });
      this.#onInstallerFailed(effect, error.message);
    }
  }

  async #do(effect: UpdateEffect): Promise<UpdateInput | undefined> {
    const { installer, stamp, reboot, folder } = this.#parts;
    switch (effect.kind) {
      case "fetch":
        return await this.#fetch(effect.order);
      case "check": {
        const { floor, failed } = this.#state;
        const checked = await checkBundle(effect.path, effect.order, { stamp, floor, failed }, installer);
        return checked.ok ? { kind: "verified", bundle: checked.value } : { kind: "refused", trouble: checked.error };
      }
      case "install": {
        const installed = await installer.install(effect.path);
        return installed.ok ? { kind: "installed" } : { kind: "refused", trouble: installed.error };
      }
      case "discard":
        discardDownload(folder);
        return undefined;
      case "askNode":
        this.#askNode();
        return undefined;
      case "reboot":
        this.#cancelAsk = this.#parts.timers.after(LOOK_MS.reboot, () => this.#queue(effect));
        await reboot();
        return undefined;
      case "watchGate":
        this.#watchGate(this.#parts.clock.monotonicMs());
        return undefined;
      case "commit":
        await installer.commit();
        return { kind: "committed" };
      case "turnBack":
        await installer.turnBack();
        return undefined;
      case "stay":
        await installer.stay();
        return { kind: "stayed" };
      case "keep":
        assert(false, "a state is kept in its turn, before the effects after it");
    }
  }

  async #fetch(order: UpdateOrder): Promise<UpdateInput> {
    const { source } = order;
    if (source.kind === "file") return { kind: "downloaded", path: source.path };
    const { folder, timers, ask, slots, stamp, installer, log } = this.#parts;
    const onProgress = (bytes: number, of: number | undefined): void => {
      this.#progress = { bytes, of };
    };
    const { floor, failed } = this.#state;
    const judge = (path: string) => checkWord(path, order, { stamp, floor, failed }, installer);
    const parts = { folder, timers, ask, onProgress };
    const byBlocks = await fetchByBlocks(source.url, { ...parts, slots, judge, log });
    const fetched = byBlocks === "noRanges" ? await download(source.url, parts) : byBlocks;
    this.#progress = undefined;
    if (!fetched.ok) return { kind: "refused", trouble: fetched.error };
    const { path, bytes, of } = fetched.value;
    this.#fetched = { bytes, of };
    log.info("update.fetched", { bytes, of });
    return { kind: "downloaded", path };
  }

  /** What needs the updater is tried again by the next look, or ends the order; the machine is restarted all the same. */
  #onInstallerFailed(effect: UpdateEffect, detail: string): void {
    const isWork = effect.kind === "fetch" || effect.kind === "check" || effect.kind === "install";
    if (isWork) this.#take({ kind: "refused", trouble: { code: "installFailed", detail } });
    if (effect.kind === "commit") this.#watchGate(this.#parts.clock.monotonicMs());
  }

  /** Looks at the gate until it is passed, or until a release on probation has used up its time. */
  #watchGate(sinceMs: number): void {
    const { timers, onDefect } = this.#parts;
    this.#cancelWatch();
    this.#cancelWatch = timers.after(LOOK_MS.gate, () => void this.#lookAtGate(sinceMs).catch(onDefect));
  }

  async #lookAtGate(sinceMs: number): Promise<void> {
    const { node, offlinePolicy, probationMs, clock } = this.#parts;
    const facts = await node.gate();
    if (this.#isStopped) return;
    const { row } = this.#state;
    const lacks = findGateLacks(facts, row.kind === "probation" && row.needsAggregator, offlinePolicy);
    if (lacks.length === 0) {
      this.#take({ kind: "gatePassed" });
      return;
    }
    const failure = row.kind === "probation" ? node.failure() : undefined;
    const isLate = row.kind === "probation" && clock.monotonicMs() - sinceMs >= probationMs;
    if (failure !== undefined || isLate) {
      await this.#lookAtSlots();
      const late = `within ${Math.round(probationMs / 1_000)} s: ${lacks.join("; ")}`;
      const trouble =
        failure === undefined ? ({ code: "gateFailed", detail: late } as const) : ({ code: "nodeFailed", detail: failure } as const);
      this.#take({ kind: "gateFailed", trouble });
      return;
    }
    if (row.kind === "probation") this.#waitsFor = lacks;
    this.#watchGate(sinceMs);
  }

  #askNode(): void {
    const { timers, onDefect } = this.#parts;
    this.#cancelAsk();
    this.#cancelAsk = timers.after(LOOK_MS.move, () => void this.#lookWhetherToMove().catch(onDefect));
  }

  async #lookWhetherToMove(): Promise<void> {
    const { node } = this.#parts;
    const [facts, gate] = await Promise.all([node.move(), node.gate()]);
    if (this.#isStopped || this.#state.row.kind !== "rebooting") return;
    const isAlone = this.#state.row.isUnattended === true;
    const reason = (isAlone ? this.#parts.findReasonToWait() : undefined) ?? findReasonToStay(facts);
    if (reason === undefined) {
      this.#take({ kind: "mayMove", hadAggregator: gate.isAggregatorUp === true });
      return;
    }
    this.#waitsFor = [reason];
    this.#askNode();
  }

  async #lookAtSlots(): Promise<void> {
    try {
      this.#canGoBack = (await this.#parts.installer.slots()).canGoBack;
    } catch (error) {
      if (!(error instanceof InstallerFailed)) throw error;
      this.#parts.log.warn("update.slotsUnknown", { detail: error.message });
    }
  }
}
