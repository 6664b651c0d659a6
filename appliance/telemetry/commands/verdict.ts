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

/**
 * Whether a command names a key of the fleet, is meant for this node, and is fresh: everything that costs little, so that
 * a signature is checked only for what would be worth forging.
 *
 * @returns the role of the key that it names
 */
export function checkPlace(command: Command, keys: FleetKeys, place: CommandPlace): Result<Role, CommandRefusal> {
  const role = keys.get(toHex(command.key));
  if (role === undefined) return err("unknownKey");
  if (!bytesEqual(command.chainId, place.chainId) || command.node !== place.node) return err("wrongNode");
  if (command.verb !== place.topicVerb) return err("wrongVerb");
  if (place.nowMs > endOf(command) || command.issuedAtMs < place.notBeforeMs) return err("expired");
  if (command.issuedAtMs > place.nowMs + COMMAND_LIMITS.clockSkewMs) return err("notYetValid");
  return ok(role);
}

/** Whether a verb is one of this release, and within a role. */
export function checkRole(verb: string, role: Role): Result<Verb, CommandRefusal> {
  if (!isVerb(verb)) return err("unknownVerb");
  return ROLES.indexOf(role) < ROLES.indexOf(VERB_ROLES[verb]) ? err("notAuthorized") : ok(verb);
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
 * this node publishes there. Who has not shown a new command of the fleet may name a topic of the fleet's alone: the Response
 * Topic is not signed, and a node must not become somebody's pen.
 */
export function isAnswerTopic(
  topic: string,
  {
    network,
    homeAssistantPrefix,
    isProven,
  }: { readonly network: string; readonly homeAssistantPrefix: string; readonly isProven: boolean },
): boolean {
  if (topic.length === 0 || topic.length > 256 || /[+#\0]/.test(topic) || topic.startsWith("$")) return false;
  if (topic.startsWith(`bizra/v1/${network}/fleet/`)) return true;
  const taken = ["spBv1.0/", "homeassistant/", "bizra/v1/", ...(homeAssistantPrefix === "" ? [] : [`${homeAssistantPrefix}/`])];
  return isProven && !taken.some((prefix) => topic.startsWith(prefix));
}
