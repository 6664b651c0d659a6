import { assert, BoundedQueue } from "../kernel/index.ts";
import type { Message, PeerId } from "./messages.ts";
import type { Input } from "./steps.ts";

/** Messages of one peer that wait; those beyond are dropped, which the protocol tolerates. */
const PEER_MESSAGES_MAX = 1_024;
/** Of them, those that carry blocks, up to MESSAGE_BYTES_MAX each. */
const PEER_LARGE_MESSAGES_MAX = 8;
/** Evidence of other parts of the node that waits. */
const EVIDENCE_MAX = 64;

const LARGE: ReadonlySet<Message["kind"]> = new Set(["proposal", "block", "finalBlocks"]);

type Line = { readonly waiting: BoundedQueue<Message>; largeCount: number };

/**
 * Inputs that wait for the core while a sync is under way. Each peer has a line of its own and they are served in turns,
 * so a peer that floods makes only itself wait and lose messages. What the node itself says goes first and is never
 * dropped: a peer that is up must be known, and time must pass.
 */
export class InputQueue {
  /** Own inputs: who is up and down, ticks, batches, evidence. Ticks and batches wait once however often they are said. */
  #own: Input[] = [];
  #evidenceCount = 0;
  /** Lines of those who have something waiting, in the order of their turns. */
  readonly #lines = new Map<PeerId, Line>();
  #messageCount = 0;

  /** Inputs that wait. */
  get length(): number {
    return this.#own.length + this.#messageCount;
  }

  /** Takes an input of the node itself; false when it is evidence for which there is no room. */
  offerOwn(input: Exclude<Input, { kind: "message" }>): boolean {
    if (input.kind === "peerDown") this.#dropLine(input.peer);
    const isSaid = (input.kind === "tick" || input.kind === "batchesHeld") && this.#own.some(({ kind }) => kind === input.kind);
    if (isSaid) return true;
    if (input.kind === "evidence" && this.#evidenceCount === EVIDENCE_MAX) return false;
    if (input.kind === "evidence") this.#evidenceCount++;
    this.#own.push(input);
    return true;
  }

  /** Takes a peer's message; false when too many of that peer wait. */
  offerMessage(from: PeerId, message: Message): boolean {
    const line = this.#lines.get(from) ?? { waiting: new BoundedQueue<Message>(PEER_MESSAGES_MAX), largeCount: 0 };
    const isLarge = LARGE.has(message.kind);
    if (isLarge && line.largeCount === PEER_LARGE_MESSAGES_MAX) return false;
    if (!line.waiting.offer(message)) return false;
    if (isLarge) line.largeCount++;
    this.#lines.set(from, line);
    this.#messageCount++;
    return true;
  }

  /** The next input: the node's own, then one message of each peer in turn. */
  poll(): Input | undefined {
    const own = this.#own.shift();
    if (own) {
      if (own.kind === "evidence") this.#evidenceCount--;
      return own;
    }
    const [next] = this.#lines;
    if (!next) return undefined;
    const [from, line] = next;
    const message = line.waiting.poll();
    assert(message !== undefined, "a line has something waiting");
    this.#messageCount--;
    if (LARGE.has(message.kind)) line.largeCount--;
    this.#lines.delete(from);
    if (line.waiting.length > 0) this.#lines.set(from, line);
    return { kind: "message", from, message };
  }

  /** What a peer said before it went down is not worth more work: it may have been banned for it. */
  #dropLine(peer: PeerId): void {
    this.#messageCount -= this.#lines.get(peer)?.waiting.length ?? 0;
    this.#lines.delete(peer);
  }
}
