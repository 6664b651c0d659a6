import { toHex } from "../../kernel/index.ts";
import type { ValidatorSet } from "../../protocol/index.ts";
import type { DisseminationState, Held, PeerId } from "./state.ts";

/** Counts by another set from now on, and judges again what is held. */
export function setMembers(state: DisseminationState, set: ValidatorSet): void {
  state.set = set;
  state.weights = new Map(set.validators.map(({ publicKey, weight }) => [toHex(publicKey), weight]));
  for (const held of state.held.values()) judgeLevel(state, held);
}

/** Notes that a peer holds a batch durably. That it disconnects later takes nothing from that. */
export function noteHolder(state: DisseminationState, held: Held, peer: PeerId): void {
  if (held.holders.has(peer)) return;
  if (!state.weights.has(peer) && !state.peers.has(peer)) return; // keeps the set as small as members and connections
  held.holders.add(peer);
  judgeLevel(state, held);
}

/**
 * Tells once when a batch is known to be held by weight above F, and once when by weight Q, ourselves counted.
 *
 * @see consensus R2
 */
export function judgeLevel(state: DisseminationState, held: Held): void {
  if (held.level === "quorum") return;
  let weight = state.weights.get(state.self) ?? 0n;
  for (const peer of held.holders) weight += state.weights.get(peer) ?? 0n;
  if (held.level === "none" && weight > state.set.faultyWeightMax) tell(state, held, "safe");
  if (weight >= state.set.quorumWeight) tell(state, held, "quorum");
}

function tell(state: DisseminationState, held: Held, level: "safe" | "quorum"): void {
  held.level = level;
  state.effects.push({ kind: "replicated", digest: held.digest, level });
}
