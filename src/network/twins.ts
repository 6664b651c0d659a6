import type { PeerId } from "../consensus/index.ts";
import { assert } from "../kernel/index.ts";

type Box = { readonly firstSeen: number; lastSeenMs: number };

/** Which of two boxes with one key is kept: the one that was here first. */
export type TwinVerdict = "fresh" | "standing";

/** Peers and boxes of one peer that are remembered, and for how long. */
const PEERS_MAX = 512;
const BOXES_MAX = 8;
const FORGET_MS = 600_000;

/**
 * Tells a peer that restarted from two boxes that run one key. Each process draws an instance when it starts and never draws
 * it again, so one that comes back after another of the same key took its place lives beside that one.
 */
export class Twins {
  readonly #boxes = new Map<PeerId, Map<string, Box>>();
  #count = 0;

  /**
   * A box of a peer greets while another of the same peer stands, each named by its instance. Undefined when that may be a restart, else which of the two is
   * kept, so that neither takes the place of the other for ever.
   */
  meet(peer: PeerId, fresh: string, standing: string, nowMs: number): TwinVerdict | undefined {
    assert(fresh !== standing, "two boxes are compared, not one with itself");
    const boxes = this.#boxesOf(peer);
    for (const [instance, { lastSeenMs }] of boxes) if (nowMs - lastSeenMs > FORGET_MS) boxes.delete(instance);
    const hasReturned = boxes.has(fresh);
    const kept = this.#note(boxes, standing, nowMs);
    const other = this.#note(boxes, fresh, nowMs);
    if (!hasReturned) return undefined;
    return kept.firstSeen < other.firstSeen ? "standing" : "fresh";
  }

  #boxesOf(peer: PeerId): Map<string, Box> {
    const boxes = this.#boxes.get(peer) ?? new Map<string, Box>();
    this.#boxes.delete(peer);
    this.#boxes.set(peer, boxes);
    const [oldest] = this.#boxes.keys();
    if (this.#boxes.size > PEERS_MAX && oldest !== undefined) this.#boxes.delete(oldest);
    return boxes;
  }

  #note(boxes: Map<string, Box>, instance: string, nowMs: number): Box {
    const box = boxes.get(instance) ?? { firstSeen: this.#count++, lastSeenMs: nowMs };
    box.lastSeenMs = nowMs;
    boxes.set(instance, box);
    const [oldest] = boxes.keys();
    if (boxes.size > BOXES_MAX && oldest !== undefined) boxes.delete(oldest);
    return box;
  }
}
