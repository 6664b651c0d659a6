import { sha256 } from "../../../src/crypto/index.ts";
import { bytesEqual, toHex } from "../../../src/kernel/index.ts";
import type { Certificate, VoteStatement } from "../../../src/protocol/index.ts";
import { decodeRecord } from "../../../src/validator/index.ts";
import { JOURNAL, type SimNode } from "../sim-node.ts";

const HEADER_BYTES = 144;
const HEAD_BYTES = 16;
const HASH_BYTES = 32;
const RECORD = 0x52;
const FRAMES: readonly number[] = [RECORD, 0x4d, 0x53, 0x50];

/** One name for one vote. */
export function voteKey({ kind, epoch, view, proposalId }: VoteStatement): string {
  return `${kind}:${epoch}:${view}:${proposalId ? toHex(proposalId) : ""}`;
}

/**
 * What the platters under one box's journal hold, read frame by frame from the durable bytes and not through the log that
 * wrote them: a record counts only when its hash, chained from the frame before, is right.
 */
export class DurableJournal {
  readonly votes = new Set<string>();
  /** Rounds of held certificates, `epoch:view`. */
  readonly certified = new Set<string>();
  /** Hashes of blocks held with their proposals, hex. */
  readonly blocks = new Set<string>();
  /** Highest floor record, as epoch and view. */
  floor = { epoch: 0, view: 0 };
  recovery: "intact" | "recovering" | "gated" = "intact";
  readonly #node: SimNode;
  /** How far each file was read, and the hash found there: what no sync had carried may be written over. */
  readonly #readTo = new Map<string, { readonly offset: number; readonly tail: string }>();
  readonly #onCertificate: (certificate: Certificate) => void;
  #losses = 0;
  #starts = 0;

  /** @param onCertificate hears every certificate found, so that it is judged like one on the wire */
  constructor(node: SimNode, onCertificate: (certificate: Certificate) => void) {
    this.#node = node;
    this.#onCertificate = onCertificate;
  }

  /** Reads what became durable since the last time. A new life or a lost journal is read from its beginning. */
  refresh(): void {
    if (this.#losses !== this.#node.journalLosses || this.#starts !== this.#node.startCount) this.#forget();
    const { disk } = this.#node;
    if (disk.stat(JOURNAL) === undefined) return;
    for (const name of disk.list(JOURNAL)) {
      const bytes = disk.durable(`${JOURNAL}/${name}`);
      if (!bytes) continue;
      const known = this.#readTo.get(name);
      if (known && known.tail !== tailOf(bytes, known.offset)) {
        this.#forget();
        this.refresh();
        return;
      }
      const offset = this.#read(bytes, known?.offset ?? HEADER_BYTES);
      if (offset !== known?.offset) this.#readTo.set(name, { offset, tail: tailOf(bytes, offset) });
    }
  }

  #forget(): void {
    this.#losses = this.#node.journalLosses;
    this.#starts = this.#node.startCount;
    for (const held of [this.votes, this.certified, this.blocks, this.#readTo]) held.clear();
    this.floor = { epoch: 0, view: 0 };
    this.recovery = "intact";
  }

  #read(bytes: Uint8Array, from: number): number {
    let at = from;
    while (FRAMES.includes(bytes[at] ?? 0)) {
      const length = ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
      const hashAt = at + HEAD_BYTES + length;
      if (hashAt + HASH_BYTES > bytes.length) break;
      if (!bytesEqual(sha256(bytes.subarray(at - HASH_BYTES, hashAt)), bytes.subarray(hashAt, hashAt + HASH_BYTES))) break;
      if (bytes[at] === RECORD) this.#take(bytes.slice(at + HEAD_BYTES, hashAt));
      at = hashAt + HASH_BYTES;
    }
    return at;
  }

  #take(body: Uint8Array): void {
    const decoded = decodeRecord(body);
    if (!decoded.ok) return;
    const record = decoded.value;
    if (record.kind === "vote") this.votes.add(voteKey(record.statement));
    else if (record.kind === "certificate") {
      this.certified.add(`${record.certificate.epoch}:${record.certificate.view}`);
      this.#onCertificate(record.certificate);
    } else if (record.kind === "proposal") this.blocks.add(toHex(record.proposal.blockHash));
    else if (record.kind === "recovery") this.recovery = record.status.kind;
    else if (record.kind === "floor") this.floor = record.round;
  }
}

function tailOf(bytes: Uint8Array, offset: number): string {
  return toHex(bytes.subarray(offset - HASH_BYTES, offset));
}
