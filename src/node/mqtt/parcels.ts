import type { Ending, ItemOutcome, SubmissionGroup } from "../../../appliance/broker/index.ts";
import { assert, present } from "../../kernel/index.ts";
import type { RejectionCode } from "../../protocol/index.ts";

/*
 * What crosses between the broker's thread and the node's. A message between threads costs by the number of its objects
 * far more than by its bytes, so byte strings travel laid end to end in one array, which is handed over and not copied.
 */

/** Byte strings laid end to end. */
export type PackedBytes = { readonly bytes: Uint8Array<ArrayBuffer>; readonly lengths: Uint32Array<ArrayBuffer> };

/** Submission groups: the items of all of them, how many each has, and who sent each. */
export type GroupParcel = { readonly items: PackedBytes; readonly counts: readonly number[]; readonly sources: readonly string[] };

/** Outcomes of all items of a parcel, in order; an id of no bytes stands for none. */
export type OutcomeParcel = {
  readonly ids: PackedBytes;
  readonly refusals: readonly {
    readonly at: number;
    readonly code: RejectionCode;
    readonly detail: string;
    readonly retryAfterMs: number | undefined;
  }[];
};

/** Endings; a proof of no bytes stands for none. */
export type EndingParcel = {
  readonly ids: PackedBytes;
  readonly proofs: PackedBytes;
  readonly statuses: readonly Ending["status"][];
  readonly heights: Float64Array<ArrayBuffer>;
  readonly indexes: Float64Array<ArrayBuffer>;
  readonly codes: readonly string[];
};

/** Lays byte strings end to end, as a copy. */
export function packBytes(parts: readonly Uint8Array[]): PackedBytes {
  const lengths = Uint32Array.from(parts, (part) => part.length);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, lengths };
}

/** The byte strings again, as views. */
export function unpackBytes({ bytes, lengths }: PackedBytes): Uint8Array[] {
  let at = 0;
  const parts = Array.from(lengths, (length) => {
    at += length;
    return bytes.subarray(at - length, at);
  });
  assert(at === bytes.length, "the lengths of a parcel add up to its bytes");
  return parts;
}

/** The buffers that a parcel hands over. */
export function buffersOf(...packed: readonly PackedBytes[]): ArrayBuffer[] {
  return packed.flatMap(({ bytes, lengths }) => [bytes.buffer, lengths.buffer]);
}

/** Packs groups. */
export function packGroups(groups: readonly SubmissionGroup[]): GroupParcel {
  return {
    items: packBytes(groups.flatMap(({ items }) => items)),
    counts: groups.map(({ items }) => items.length),
    sources: groups.map(({ source }) => source),
  };
}

/** The groups again. */
export function unpackGroups({ items, counts, sources }: GroupParcel): SubmissionGroup[] {
  const parts = unpackBytes(items);
  let at = 0;
  return counts.map((count, place) => {
    at += count;
    return { items: parts.slice(at - count, at), source: present(sources[place], "each group has a source") };
  });
}

/** Packs the outcomes of all groups. */
export function packOutcomes(groups: readonly (readonly ItemOutcome[])[]): OutcomeParcel {
  const outcomes = groups.flat();
  return {
    ids: packBytes(outcomes.map(({ id }) => id ?? new Uint8Array(0))),
    refusals: outcomes.flatMap((outcome, at) => {
      if (outcome.status === "accepted") return [];
      const { code, detail, retryAfterMs } = outcome;
      return [{ at, code, detail, retryAfterMs }];
    }),
  };
}

/** The outcomes again, for groups of these sizes. */
export function unpackOutcomes({ ids, refusals }: OutcomeParcel, counts: readonly number[]): ItemOutcome[][] {
  const outcomes: ItemOutcome[] = unpackBytes(ids).map((id) => ({ status: "accepted", id }));
  for (const { at, code, detail, retryAfterMs } of refusals) {
    const { id } = present(outcomes[at], "a refusal is that of an item");
    outcomes[at] = {
      status: "rejected",
      code,
      detail,
      ...(id && id.length > 0 ? { id } : {}),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  }
  let at = 0;
  const groups = counts.map((count) => {
    at += count;
    return outcomes.slice(at - count, at);
  });
  assert(at === outcomes.length, "each item has one outcome");
  return groups;
}

/** Packs endings. */
export function packEndings(endings: readonly Ending[]): EndingParcel {
  return {
    ids: packBytes(endings.map(({ id }) => id)),
    proofs: packBytes(endings.map((ending) => (ending.status === "final" && ending.proof) || new Uint8Array(0))),
    statuses: endings.map(({ status }) => status),
    heights: Float64Array.from(endings, (ending) => (ending.status === "final" ? ending.height : 0)),
    indexes: Float64Array.from(endings, (ending) => (ending.status === "final" ? ending.index : 0)),
    codes: endings.map((ending) => (ending.status === "final" ? ending.code : "")),
  };
}

/** The endings again. */
export function unpackEndings({ ids, proofs, statuses, heights, indexes, codes }: EndingParcel): Ending[] {
  const proofOf = unpackBytes(proofs);
  return unpackBytes(ids).map((id, at) => {
    const status = present(statuses[at], "each ending has a status");
    if (status !== "final") return { id, status };
    const proof = proofOf[at];
    const [height = 0, index = 0] = [heights[at], indexes[at]];
    return { id, status, height, index, code: codes[at] ?? "", ...(proof && proof.length > 0 ? { proof } : {}) };
  });
}
