import type { CryptoSuite } from "../../../src/crypto/index.ts";
import { type EventLog, event } from "../../../src/events/index.ts";
import { type Clock, err, type Log, type Result, toHex, utf8 } from "../../../src/kernel/index.ts";
import { isStorageError } from "../../../src/storage/index.ts";
import type { Json } from "../native-view.ts";
import type { Outlet, OutletMessage, ReceivedMessage } from "../outlet.ts";
import type { TelemetryStore } from "../store.ts";
import { type NodeName, nodeTopic } from "../topics.ts";
import { type Command, openCommand, type Verb } from "./command.ts";
import { type CommandRefusal, endOf, type FleetKeys, isAnswerTopic, judgeCommand } from "./verdict.ts";

/** What carrying a command out gives: something to answer with, or why it cannot be. */
export type CommandOutcome = Result<{ readonly [name: string]: Json | undefined }, CommandRefusal>;

/** What carries commands out, by verb. Called after the command was audited. */
export type CommandActions = Readonly<Record<Verb, (args: Readonly<Record<string, string>>) => CommandOutcome>>;

/** What the door for signed commands stands on. */
export type CommandDoorParts = {
  readonly name: NodeName;
  /** Hash of the genesis document. */
  readonly chainId: Uint8Array;
  readonly keys: FleetKeys;
  readonly suite: Pick<CryptoSuite, "verify" | "sha256">;
  readonly store: TelemetryStore;
  readonly events: Pick<EventLog, "appendCrit">;
  readonly actions: CommandActions;
  readonly clock: Clock;
  readonly log: Log;
};

/** Signatures checked in a second; more are dropped unheard. */
const JUDGED_PER_SECOND = 100;
/** Refusals written to the vital lane in a minute; the others are in the structured log alone. */
const AUDITED_REFUSALS_PER_MINUTE = 60;
/** Ids remembered, of validly signed commands whose time is not over. */
const IDS_MAX = 10_000;
const STARTED = "commandsSince";

/**
 * Signed commands of the fleet on `cmd/{verb}`: refused unless a known key signed them, for this node, now, and within its
 * role; each is audited in the vital lane before it is carried out, and answered on its Response Topic.
 */
export class CommandDoor {
  readonly #parts: CommandDoorParts;
  readonly #notBeforeMs: number;
  readonly #judged = new Allowance(JUDGED_PER_SECOND, 1_000);
  readonly #auditedRefusals = new Allowance(AUDITED_REFUSALS_PER_MINUTE, 60_000);

  constructor(parts: CommandDoorParts) {
    this.#parts = parts;
    const since = parts.store.number(STARTED);
    this.#notBeforeMs = since ?? parts.clock.nowMs();
    if (since === undefined) parts.store.putNumber(STARTED, this.#notBeforeMs);
  }

  /** Hears commands on a session that is not open yet. */
  attach(outlet: Outlet): void {
    outlet.subscribe(nodeTopic(this.#parts.name, "cmd/+"), 1, (message) => this.#onMessage(outlet, message));
  }

  #onMessage(outlet: Outlet, message: ReceivedMessage): void {
    if (!this.#judged.take(this.#parts.clock.monotonicMs())) return;
    const verb = message.topic.split("/").at(-1) ?? "";
    const opened = openCommand(message.payload, this.#parts.suite);
    const outcome = this.#carryOut(verb, opened);
    const status = outcome.ok ? { status: "done", ...outcome.value } : { status: "refused", code: outcome.error };
    const id = opened.ok ? { id: toHex(opened.value.id) } : {};
    this.#answer(outlet, message, { ...id, verb, ...status });
  }

  #carryOut(topicVerb: string, opened: Result<Command, "malformed" | "badSignature">): CommandOutcome {
    const { keys, chainId, name, clock, store, actions } = this.#parts;
    const nowMs = clock.nowMs();
    if (!opened.ok) return this.#refuse("nobody", topicVerb, opened.error);
    const command = opened.value;
    const actor = toHex(command.key);
    const judged = judgeCommand(command, keys, { chainId, node: name.node, topicVerb, nowMs, notBeforeMs: this.#notBeforeMs });
    if (!judged.ok) return this.#refuse(actor, command.verb, judged.error);
    try {
      const memory = store.rememberCommand(command.id, endOf(command), nowMs, IDS_MAX);
      if (memory !== "new") return this.#refuse(actor, command.verb, memory === "known" ? "replayed" : "busy");
      this.#audit(actor, command.verb, "allowed", describe(command));
    } catch (error) {
      // What cannot be remembered and audited is not done; a full disk is told to the sender, who may try again.
      if (!isStorageError(error) || error.code !== "diskFull") throw error;
      return err("busy");
    }
    const outcome = actions[judged.value.verb](command.args);
    this.#parts.log.info("command.carriedOut", { verb: command.verb, actor, isDone: outcome.ok });
    return outcome;
  }

  #refuse(actor: string, verb: string, code: CommandRefusal): CommandOutcome {
    try {
      if (this.#auditedRefusals.take(this.#parts.clock.monotonicMs())) this.#audit(actor, verb, "refused", code);
    } catch (error) {
      if (!isStorageError(error) || error.code !== "diskFull") throw error;
    }
    this.#parts.log.warn("command.refused", { verb, actor, code });
    return err(code);
  }

  #audit(actor: string, verb: string, outcome: string, detail: string): void {
    const action = `command.${verb.slice(0, 32)}`;
    this.#parts.events.appendCrit(event("audit.recorded", { actor, action, target: this.#parts.name.node, outcome, detail }));
  }

  #answer(
    outlet: Outlet,
    { responseTopic, correlationData }: ReceivedMessage,
    content: { readonly [name: string]: Json | undefined },
  ): void {
    if (responseTopic === undefined || !isAnswerTopic(responseTopic)) return;
    const answer: OutletMessage = {
      topic: responseTopic,
      payload: utf8(JSON.stringify({ ...content, node: this.#parts.name.node, time: new Date(this.#parts.clock.nowMs()).toISOString() })),
      qos: 1,
      isRetained: false,
      contentType: "application/json",
      ...(correlationData !== undefined && { correlationData }),
    };
    void outlet.publish(answer);
  }
}

/** So many in a window of time: somebody who floods the topic must not take the processor, nor fill the vital lane. */
class Allowance {
  readonly #countMax: number;
  readonly #windowMs: number;
  #window = -1;
  #taken = 0;

  constructor(countMax: number, windowMs: number) {
    this.#countMax = countMax;
    this.#windowMs = windowMs;
  }

  /** Takes one of now, if any is left. */
  take(nowMs: number): boolean {
    const window = Math.floor(nowMs / this.#windowMs);
    if (window !== this.#window) this.#taken = 0;
    this.#window = window;
    return ++this.#taken <= this.#countMax;
  }
}

function describe({ args, id }: Command): string {
  return JSON.stringify({ id: toHex(id), args }).slice(0, 512);
}
