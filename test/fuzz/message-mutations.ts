import { decodeMessage, encodeMessage, type Message } from "../../src/consensus/index.ts";
import type { Prng } from "../../src/kernel/index.ts";

const NUMBERS = [0, 1, 2, 3, 5, 17, 255, 256, 257, 65_535, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];

/**
 * The message with one to three of its parts changed, at any depth: numbers moved a little or to an end, bytes flipped or
 * zeroed, items of a list doubled, swapped or left out, parts of other messages put in the place of their like. Undefined
 * when what came of it has no encoding, so that no peer could send it.
 */
export function mutate(prng: Prng, message: Message, others: readonly Message[]): Message | undefined {
  const copy: Message = structuredClone(message);
  const donor = structuredClone(others[prng.below(others.length)] ?? message);
  for (let changes = 1 + prng.below(3); changes > 0; changes--) changeOne(prng, copy, donor);
  return sendable(copy);
}

/** What the other end decodes, or undefined when the message has no encoding or is refused. */
function sendable(message: Message): Message | undefined {
  try {
    const decoded = decodeMessage(encodeMessage(message));
    return decoded.ok ? decoded.value : undefined;
  } catch {
    return undefined; // the encoder asserts what only this test breaks
  }
}

type Place = { readonly holder: Record<string, unknown>; readonly key: string };

function changeOne(prng: Prng, message: Message, donor: Message): void {
  const places = placesOf(message);
  const place = places[prng.below(places.length)];
  if (!place) return;
  const { holder, key } = place;
  const before = holder[key];
  const likes = placesOf(donor).filter((other) => other.key === key && typeof other.holder[key] === typeof before);
  const like = likes[prng.below(Math.max(1, likes.length))];
  if (like && prng.chance(0.3)) holder[key] = like.holder[key];
  else if (typeof before === "number") holder[key] = changedNumber(prng, before);
  else if (typeof before === "boolean") holder[key] = !before;
  else if (before instanceof Uint8Array) holder[key] = changedBytes(prng, before);
  else if (Array.isArray(before)) holder[key] = changedList(prng, before);
  else if (before !== undefined && key !== "kind" && prng.chance(0.3)) delete holder[key];
}

/** Every number, truth, byte string, list and optional part of a message. */
function placesOf(value: unknown): Place[] {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => {
    const inner = holder[key];
    return [...(typeof inner === "string" ? [] : [{ holder, key }]), ...placesOf(inner)];
  });
}

function changedNumber(prng: Prng, before: number): number {
  if (prng.chance(0.5)) return Math.max(0, before + prng.below(5) - 2);
  return NUMBERS[prng.below(NUMBERS.length)] ?? 0;
}

function changedBytes(prng: Prng, before: Uint8Array): Uint8Array {
  if (prng.chance(0.2)) return new Uint8Array(before.length);
  if (prng.chance(0.1)) return before.slice(0, prng.below(before.length + 1));
  const after = before.slice();
  if (after.length > 0) after[prng.below(after.length)] = prng.below(256);
  return after;
}

function changedList(prng: Prng, before: readonly unknown[]): unknown[] {
  const after = [...before];
  const at = prng.below(after.length + 1);
  const how = prng.below(4);
  if (how === 0) after.splice(at, 1);
  else if (how === 1 && after.length > 0) after.splice(at, 0, structuredClone(after[prng.below(after.length)]));
  else if (how === 2) after.reverse();
  else after.length = 0;
  return after;
}
