import { decodeBody, decodePayload, recordToJson } from "../../../src/events/index.ts";
import { bytesEqual, toHex } from "../../../src/kernel/index.ts";
import type { SyncLane } from "../../protocol/index.ts";
import type { AggregatorStore, EventPlace, NodeRef, StoredEvent } from "../types.ts";
import { timeText } from "./rows.ts";

/** After every record that there can be. */
const END: EventPlace = { epoch: Number.MAX_SAFE_INTEGER, sequence: Number.MAX_SAFE_INTEGER };
const ZERO = new Uint8Array(32);

/** Which page of a lane. */
export type PageQuestion = {
  readonly lane: SyncLane;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
};

/** A page of a lane's records, each with the bytes that its hash is computed from. */
export async function eventsPage(store: AggregatorStore, ref: NodeRef, { lane, after, before, limit }: PageQuestion) {
  const isForward = after !== undefined;
  const stored = isForward
    ? await store.readEvents(ref, lane, placeOf(after), limit)
    : await store.readEventsBefore(ref, lane, before === undefined ? END : placeOf(before), limit);
  const hashes = new Map(stored.map((event) => [keyOf(event), event.hash]));
  const events = [];
  for (const event of stored) events.push(rowOfEvent(event, await previousHash(store, ref, event, hashes)));
  const last = stored.at(-1);
  return { events, ...(last && stored.length === limit ? { next: keyOf(last) } : {}) };
}

/** The hash that a record links to: that of the record before it, or what the first of an incarnation says itself. */
async function previousHash(
  store: AggregatorStore,
  ref: NodeRef,
  event: StoredEvent,
  known: ReadonlyMap<string, Uint8Array>,
): Promise<Uint8Array | undefined> {
  const { epoch, sequence, type, lane, body } = event;
  if (sequence > 1) {
    const place = { epoch, sequence: sequence - 1 };
    return known.get(keyOf(place)) ?? (await store.findHash(ref, lane, place));
  }
  const decoded = decodeBody(body);
  const payload = type === "log.opened" && decoded.ok ? decodePayload(type, decoded.value.payload) : undefined;
  const linked = payload?.ok ? payload.value["previousHash"] : undefined;
  return linked instanceof Uint8Array && !bytesEqual(linked, ZERO) ? linked : ZERO;
}

function rowOfEvent(event: StoredEvent, previous: Uint8Array | undefined) {
  const { lane, epoch, sequence, body, hash, receivedAtMs, timeMs, type } = event;
  const decoded = decodeBody(body);
  const payload = decoded.ok ? decoded.value.payload : new Uint8Array(0);
  const { previousHash: _unknown, ...told } = recordToJson({
    lane,
    epoch,
    sequence,
    previousHash: previous ?? ZERO,
    timeMs,
    type,
    payload,
    body,
    hash,
  });
  return { ...told, body: toHex(body), ...(previous && { previousHash: toHex(previous) }), receivedAt: timeText(receivedAtMs) };
}

function placeOf(cursor: string): EventPlace {
  const [epoch, sequence] = cursor.split(".").map(Number);
  return { epoch: epoch ?? 0, sequence: sequence ?? 0 };
}

function keyOf({ epoch, sequence }: EventPlace): string {
  return `${epoch}.${sequence}`;
}
