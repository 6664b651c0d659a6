import type { Lane } from "./types.ts";

/** What a payload field holds: `uint` up to 2^53 - 1, `u64` up to 2^64 - 1, `time` in ms since the Unix epoch, bytes, text, a claim. */
type FieldKinds = { uint: number; u64: bigint; time: number; bytes: Uint8Array; text: string; flag: boolean };

/** Name of a kind of payload field. */
export type FieldKind = keyof FieldKinds;

/** A field of a payload: its kind, with `?` when it may be absent. */
export type FieldSpec = FieldKind | `${FieldKind}?`;

/** A type of event: the lane it is written to (`any`: the log's own records) and its fields, numbered from 1 in this order. */
export type EventSchema = { readonly lane: Lane | "any"; readonly fields: Readonly<Record<string, FieldSpec>> };

/**
 * Every type of event that this release writes. A field's place is its key in the encoding: fields are only ever added
 * at the end, as optional ones, and a type is never given another meaning.
 *
 * @see docs/events.cddl, which a test compares with this table
 */
export const EVENT_SCHEMAS = {
  /** One batch of transactions was admitted and is durable here. */
  "transaction.submitted": { lane: "ops", fields: { batch: "bytes", transactions: "uint", sizeBytes: "uint" } },
  /** This node built a block as leader. */
  "block.created": { lane: "ops", fields: { height: "uint", epoch: "uint", view: "uint", hash: "bytes", transactions: "uint" } },
  /** This node judged a block: `verdict` is `valid` or the code of its fault. */
  "block.validated": { lane: "ops", fields: { height: "uint", epoch: "uint", view: "uint", hash: "bytes", verdict: "text" } },
  /** A certificate came about: `kind` is `notarization`, `nullification` or `finalization`. */
  "consensus.reached": { lane: "ops", fields: { kind: "text", epoch: "uint", view: "uint", hash: "bytes?" } },
  /** A block is final and committed here. */
  "block.finalized": {
    lane: "chain",
    fields: { height: "uint", hash: "bytes", epoch: "uint", view: "uint", executed: "uint", failed: "uint", skipped: "uint", fees: "u64" },
  },
  /** A validator belongs to the first set, given by genesis. */
  "validator.registered": { lane: "chain", fields: { publicKey: "bytes", owner: "bytes", weight: "u64", epoch: "uint" } },
  /** A validator's fault in `epoch` was proven: `slashed` base units of what was bonded to it are gone. */
  "validator.slashed": { lane: "chain", fields: { validator: "bytes", epoch: "uint", slashed: "u64", height: "uint" } },
  /** A convicted validator stays out of the set until an epoch. */
  "validator.jailed": { lane: "chain", fields: { validator: "bytes", untilEpoch: "uint", height: "uint" } },
  /** A signing key came into the set, left it, or counts otherwise in it: `weight` is 0 for one that left. */
  "set.changed": { lane: "chain", fields: { publicKey: "bytes", owner: "bytes", weightBefore: "u64", weight: "u64", epoch: "uint" } },
  /** An epoch begins after this block, with this set. */
  "epoch.opened": {
    lane: "chain",
    fields: { epoch: "uint", height: "uint", setHash: "bytes", validators: "uint", totalWeight: "u64" },
  },
  /** The node is up; `height` is its last committed block. */
  "service.started": { lane: "ops", fields: { service: "text", version: "text", height: "uint" } },
  /** The node goes down in good order. */
  "service.stopped": { lane: "ops", fields: { service: "text", reason: "text" } },
  /** A check of the node's own health failed. */
  "healthcheck.failed": { lane: "ops", fields: { check: "text", detail: "text" } },
  /** Stored bytes are not the ones that were written. */
  "storage.damaged": { lane: "crit", fields: { file: "text", place: "text", detail: "text" } },
  /** The signing high-water mark: nothing at or below this round is signed again. */
  "signing.marked": { lane: "crit", fields: { epoch: "uint", view: "uint" } },
  /** A version of the configuration took effect; `digest` is its SHA-256. */
  "configuration.changed": { lane: "crit", fields: { version: "uint", digest: "bytes", actor: "text" } },
  /** Somebody did, or was refused, something that is audited. */
  "audit.recorded": { lane: "crit", fields: { actor: "text", action: "text", target: "text", outcome: "text", detail: "text?" } },
  /** A condition that people must know of began. `severity` is `critical`, `warning` or `notice`. */
  "alert.raised": { lane: "crit", fields: { alert: "text", severity: "text", detail: "text" } },
  /** That condition ended. */
  "alert.cleared": { lane: "crit", fields: { alert: "text", detail: "text?" } },
  /** First record of an incarnation after the first: what it continues and why (`restore`, `clone`, `tamper`, `lostTail`). */
  "log.opened": { lane: "any", fields: { reason: "text", previousEpoch: "uint", previousSequence: "uint", previousHash: "bytes" } },
  /** `count` events never became records, because the disk did not take them. */
  "log.dropped": { lane: "any", fields: { count: "uint", reason: "text" } },
  /** Records `from`..`to` were let go because the lane is over its quota; `tipHash` is the hash of the last of them. */
  "log.gap": { lane: "any", fields: { epoch: "uint", from: "uint", to: "uint", tipHash: "bytes" } },
} as const satisfies Readonly<Record<string, EventSchema>>;

/** Name of an event that this release writes. */
export type EventType = keyof typeof EVENT_SCHEMAS;

type FieldsOf<T extends EventType> = (typeof EVENT_SCHEMAS)[T]["fields"];
type KindOf<S> = S extends `${infer K extends FieldKind}?` ? K : S extends FieldKind ? S : never;
type OptionalNames<F> = { [N in keyof F]: F[N] extends `${string}?` ? N : never }[keyof F];

/** The payload of a type of event. */
export type PayloadOf<T extends EventType> = {
  readonly [N in Exclude<keyof FieldsOf<T>, OptionalNames<FieldsOf<T>>>]: FieldKinds[KindOf<FieldsOf<T>[N]>];
} & { readonly [N in OptionalNames<FieldsOf<T>>]?: FieldKinds[KindOf<FieldsOf<T>[N]>] };

/** A value of any field. */
export type FieldValue = FieldKinds[FieldKind];

/** An event to be written: its type and payload. */
export type Event<T extends EventType = EventType> = { readonly [K in T]: { readonly type: K; readonly payload: PayloadOf<K> } }[T];

/** The event of this type. */
export function event<T extends EventType>(type: T, payload: PayloadOf<T>): { readonly type: T; readonly payload: PayloadOf<T> } {
  return { type, payload };
}

/** Types of events that go to one lane. */
export type EventTypeOf<L extends Lane> = { [T in EventType]: (typeof EVENT_SCHEMAS)[T]["lane"] extends L ? T : never }[EventType];

/** The schema of a type by name, or undefined for one that this release does not know. */
export function findEventSchema(type: string): EventSchema | undefined {
  return Object.hasOwn(EVENT_SCHEMAS, type) ? EVENT_SCHEMAS[type as EventType] : undefined;
}
