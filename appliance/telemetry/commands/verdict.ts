import { bytesEqual, err, ok, type Result, toHex } from "../../../src/kernel/index.ts";
import { COMMAND_LIMITS, type Command, ROLES, type Role, VERB_ROLES, type Verb } from "./command.ts";

/** Why a command is not carried out. */
export type CommandRefusal =
  | "malformed"
  | "unknownKey"
  | "badSignature"
  | "wrongNode"
  | "wrongVerb"
  | "expired"
  | "notYetValid"
  | "notAuthorized"
  | "unknownVerb"
  | "replayed"
  | "busy"
  | "badArguments"
  | "notSupervised";

/** Keys of the fleet by their 64 hex digits. */
export type FleetKeys = ReadonlyMap<string, Role>;

/** Reads `role:key` words of the configuration, whose form the setting has checked; a key named twice has the last role. */
export function fleetKeysOf(words: readonly string[]): FleetKeys {
  return new Map(
    words.flatMap((word) => {
      const [name, key] = word.split(":");
      const role = ROLES.find((known) => known === name);
      return role === undefined || key === undefined ? [] : [[key.toLowerCase(), role] as const];
    }),
  );
}

/** Where and when a command is judged. */
export type CommandPlace = {
  readonly chainId: Uint8Array;
  readonly node: string;
  /** The verb in the topic it came on. */
  readonly topicVerb: string;
  readonly nowMs: number;
  /** Commands issued before are refused: what this node remembers of ids begins there. */
  readonly notBeforeMs: number;
};

/** Whether a command whose signature holds is meant for this node, fresh, and within the role of its key. */
export function judgeCommand(
  command: Command,
  keys: FleetKeys,
  place: CommandPlace,
): Result<{ readonly verb: Verb; readonly role: Role }, CommandRefusal> {
  const role = keys.get(toHex(command.key));
  if (role === undefined) return err("unknownKey");
  if (!bytesEqual(command.chainId, place.chainId) || command.node !== place.node) return err("wrongNode");
  if (command.verb !== place.topicVerb) return err("wrongVerb");
  if (place.nowMs > endOf(command) || command.issuedAtMs < place.notBeforeMs) return err("expired");
  if (command.issuedAtMs > place.nowMs + COMMAND_LIMITS.clockSkewMs) return err("notYetValid");
  if (!isVerb(command.verb)) return err("unknownVerb");
  if (ROLES.indexOf(role) < ROLES.indexOf(VERB_ROLES[command.verb])) return err("notAuthorized");
  return ok({ verb: command.verb, role });
}

/** The last moment at which a command is taken; its id is remembered until then. */
export function endOf({ issuedAtMs, validityMs }: Command): number {
  return issuedAtMs + validityMs + COMMAND_LIMITS.clockSkewMs;
}

function isVerb(text: string): text is Verb {
  return Object.hasOwn(VERB_ROLES, text);
}

/**
 * Whether an answer may go to a topic that a sender named: one topic, not a broker's own, and none that means something when
 * this node publishes there.
 */
export function isAnswerTopic(topic: string): boolean {
  if (topic.length === 0 || topic.length > 256 || /[+#\0]/.test(topic) || topic.startsWith("$")) return false;
  return !/^(spBv1\.0|homeassistant)\//.test(topic) && !/^bizra\/v1\/[^/]*\/(?:tx|events|node)\//.test(topic);
}
