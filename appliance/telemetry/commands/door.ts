import type { CryptoSuite } from "../../../src/crypto/index.ts";
import { type EventLog, event } from "../../../src/events/index.ts";
import { type Clock, err, type Log, type Result, toHex, utf8 } from "../../../src/kernel/index.ts";
import { isStorageError } from "../../../src/storage/index.ts";
import type { Json } from "../native-view.ts";
import type { Outlet, OutletMessage, ReceivedMessage } from "../outlet.ts";
import type { TelemetryStore } from "../store.ts";
import { type NodeName, nodeTopic } from "../topics.ts";
import { Allowance } from "./allowance.ts";
import { type Command, isSigned, type ReadCommand, type Role, readCommand, type Verb } from "./command.ts";
import { type CommandRefusal, checkPlace, checkRole, endOf, type FleetKeys, isAnswerTopic } from "./verdict.ts";

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
  /** Where no answer goes; empty: none. */
  readonly homeAssistantPrefix: string;
  readonly suite: Pick<CryptoSuite, "verify" | "sha256">;
  readonly store: TelemetryStore;
  readonly events: Pick<EventLog, "appendCrit">;
  readonly actions: CommandActions;
  readonly clock: Clock;
  readonly log: Log;
};

/** Signatures checked in a second that name one key of the fleet; more are dropped unheard, and other keys' are not. */
const CHECKED_PER_SECOND = 100;
/** Commands of one key carried out in a minute; more are `busy`. */
const COMMANDS_PER_MINUTE = 60;
/** Refusals answered in a second to who has shown no signature of the fleet's. */
const ANSWERED_REFUSALS_PER_SECOND = 10;
/** Refusals written to the vital lane in a minute, of one key and of all who have proven none. Nothing ever leaves that lane. */
const AUDITED_REFUSALS_PER_MINUTE = 10;
/** Ids remembered, of validly signed commands whose time is not over: what 64 keys may have carried out until then. */
const IDS_MAX = 25_000;
const STARTED = "commandsSince";

/** What one key of the fleet may still have done. */
class KeyAllowance {
  readonly checks = new Allowance(CHECKED_PER_SECOND, 1_000);
  readonly commands = new Allowance(COMMANDS_PER_MINUTE, 60_000);
  readonly refusals = new Allowance(AUDITED_REFUSALS_PER_MINUTE, 60_000);
}

/**
 * How a command ended, and what its sender has shown: nothing, a signature of the fleet's, which anybody can repeat, or one that
 * was new.
 */
type Ending = { readonly outcome: CommandOutcome; readonly sender: "stranger" | "signed" | "proven" };

/** Whose refusal it is, and how many of theirs are audited. */
type Refused = { readonly actor: string; readonly audited: Allowance; readonly sender: Ending["sender"] };

/**
 * Signed commands of the fleet on `cmd/{verb}`: refused unless a known key signed them, for this node, now, and within its
 * role; each is audited in the vital lane before it is carried out, and answered on its Response Topic.
 *
 * Everything cheap comes before a signature is checked, and each key has allowances of its own, so that no flood but one in
 * its own name keeps a key from being heard.
 */
export class CommandDoor {
  readonly #parts: CommandDoorParts;
  #notBeforeMs: number;
  readonly #keys: ReadonlyMap<string, KeyAllowance>;
  readonly #stranger: Refused = {
    actor: "nobody",
    audited: new Allowance(AUDITED_REFUSALS_PER_MINUTE, 60_000),
    sender: "stranger",
  };
  readonly #refusalsAnswered = new Allowance(ANSWERED_REFUSALS_PER_SECOND, 1_000);

  constructor(parts: CommandDoorParts) {
    this.#parts = parts;
    this.#keys = new Map([...parts.keys.keys()].map((key) => [key, new KeyAllowance()]));
    const since = parts.store.number(STARTED);
    this.#notBeforeMs = since ?? this.#begin(parts.clock.nowMs());
  }

  /** Hears commands on a session that is not open yet. */
  attach(outlet: Outlet): void {
    outlet.subscribe(nodeTopic(this.#parts.name, "cmd/+"), 1, (message) => this.#onMessage(outlet, message));
  }

  #onMessage(outlet: Outlet, message: ReceivedMessage): void {
    const topicVerb = message.topic.split("/").at(-1) ?? "";
    const read = readCommand(message.payload);
    const ending = read.ok ? this.#hear(topicVerb, read.value) : this.#refuse(topicVerb, read.error);
    if (ending === undefined) return;
    const { outcome, sender } = ending;
    const status = outcome.ok ? { status: "done", ...outcome.value } : { status: "refused", code: outcome.error };
    const id = read.ok ? { id: toHex(read.value.command.id) } : {};
    this.#answer(outlet, message, { ...id, verb: topicVerb.slice(0, 32), ...status }, sender);
  }

  /** Judges a command; undefined when too many in the name of its key are judged already. */
  #hear(topicVerb: string, read: ReadCommand): Ending | undefined {
    const { keys, chainId, name, clock, suite } = this.#parts;
    const { command } = read;
    const actor = toHex(command.key);
    const allowance = this.#keys.get(actor);
    const nowMs = clock.nowMs();
    const place = { chainId, node: name.node, topicVerb, nowMs, notBeforeMs: this.#memoryBegan(nowMs) };
    const role = checkPlace(command, keys, place);
    if (!role.ok || allowance === undefined) return this.#refuse(topicVerb, role.ok ? "unknownKey" : role.error);
    if (!allowance.checks.take(clock.monotonicMs())) return undefined;
    if (!isSigned(read, suite)) return this.#refuse(topicVerb, "badSignature");
    return this.#carryOut(command, role.value, actor, allowance);
  }

  #carryOut(command: Command, role: Role, actor: string, allowance: KeyAllowance): Ending {
    const { store, actions, clock } = this.#parts;
    const refused = { actor, audited: allowance.refusals, sender: "signed" } as const;
    const verb = checkRole(command.verb, role);
    if (!verb.ok) return this.#refuse(command.verb, verb.error, refused);
    if (!allowance.commands.isLeft(clock.monotonicMs())) return { outcome: err("busy"), sender: "signed" };
    try {
      const memory = store.rememberCommand(command.id, endOf(command), clock.nowMs(), IDS_MAX);
      if (memory !== "new") {
        return this.#refuse(command.verb, memory === "known" ? "replayed" : "busy", refused);
      }
      allowance.commands.take(clock.monotonicMs());
      this.#audit(actor, command.verb, "allowed", describe(command));
    } catch (error) {
      // What cannot be remembered and audited is not done; a full disk is told to the sender, who may try again.
      if (!isStorageError(error) || error.code !== "diskFull") throw error;
      return { outcome: err("busy"), sender: "signed" };
    }
    const outcome = actions[verb.value](command.args);
    this.#parts.log.info("command.carriedOut", { verb: command.verb, actor, isDone: outcome.ok });
    return { outcome, sender: "proven" };
  }

  #refuse(verb: string, code: CommandRefusal, { actor, audited, sender }: Refused = this.#stranger): Ending {
    if (audited.take(this.#parts.clock.monotonicMs())) {
      try {
        this.#audit(actor, verb, "refused", code);
      } catch (error) {
        if (!isStorageError(error) || error.code !== "diskFull") throw error;
      }
      this.#parts.log.warn("command.refused", { verb: verb.slice(0, 32), actor, code });
    }
    return { outcome: err(code), sender };
  }

  /** When this node's memory of ids began. A clock that is before that was ahead then: what it remembers begins now. */
  #memoryBegan(nowMs: number): number {
    if (nowMs < this.#notBeforeMs) this.#notBeforeMs = this.#begin(nowMs);
    return this.#notBeforeMs;
  }

  #begin(nowMs: number): number {
    this.#parts.store.putNumber(STARTED, nowMs);
    return nowMs;
  }

  #audit(actor: string, verb: string, outcome: string, detail: string): void {
    const action = `command.${verb.slice(0, 32)}`;
    this.#parts.events.appendCrit(event("audit.recorded", { actor, action, target: this.#parts.name.node, outcome, detail }));
  }

  #answer(
    outlet: Outlet,
    { responseTopic, correlationData }: ReceivedMessage,
    content: { readonly [name: string]: Json | undefined },
    sender: Ending["sender"],
  ): void {
    const { name, homeAssistantPrefix, clock } = this.#parts;
    if (
      responseTopic === undefined ||
      !isAnswerTopic(responseTopic, { network: name.network, homeAssistantPrefix, isProven: sender === "proven" })
    )
      return;
    if (sender === "stranger" && !this.#refusalsAnswered.take(clock.monotonicMs())) return;
    const answer: OutletMessage = {
      topic: responseTopic,
      payload: utf8(JSON.stringify({ ...content, node: name.node, time: new Date(clock.nowMs()).toISOString() })),
      qos: 1,
      isRetained: false,
      contentType: "application/json",
      ...(correlationData !== undefined && { correlationData }),
    };
    void outlet.publish(answer);
  }
}

function describe({ args, id }: Command): string {
  return JSON.stringify({ id: toHex(id), args }).slice(0, 512);
}
