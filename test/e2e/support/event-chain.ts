/** Reads the event streams of a node and recomputes the hash chain of a lane by hand. */
import { createHash } from "node:crypto";
import { type Cbor, cbor } from "./independent-client.ts";
import type { Endable } from "./workplace.ts";

/** An event as the streams tell it. */
export type Event = {
  readonly lane: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly cursor: string;
  readonly previousHash: string;
  readonly time: string;
  readonly type: string;
  readonly payload: Readonly<Record<string, string | number | boolean>>;
  readonly hash: string;
};

/** Numbers of the lanes in what is hashed (docs/events.cddl). */
const LANE_NUMBERS: Readonly<Record<string, number>> = { crit: 1, chain: 2, ops: 3 };

/** Fields of the chain lane's payloads in the order of their keys, and how each is written in JSON (docs/events.cddl). */
const CHAIN_FIELDS: Readonly<Record<string, readonly (readonly [string, "uint" | "decimal" | "hex"])[]>> = {
  "block.finalized": [
    ["height", "uint"],
    ["hash", "hex"],
    ["epoch", "uint"],
    ["view", "uint"],
    ["executed", "uint"],
    ["failed", "uint"],
    ["skipped", "uint"],
    ["fees", "decimal"],
  ],
  "validator.registered": [
    ["publicKey", "hex"],
    ["owner", "hex"],
    ["weight", "decimal"],
    ["epoch", "uint"],
  ],
};

/** SHA-256("bizra/event/1" | lane u8 | epoch u64 | sequence u64 | previous hash | CBOR of [time in ms, type, payload]). */
function eventHash(event: Event): string {
  const fields = CHAIN_FIELDS[event.type];
  if (fields === undefined) throw new Error(`the chain lane has no events of type ${event.type}`);
  const payload = new Map(fields.map(([name, kind], at): [number, Cbor] => [at + 1, fieldOf(event.payload[name], kind)]));
  const place = Buffer.alloc(17);
  place[0] = LANE_NUMBERS[event.lane] ?? 0;
  place.writeBigUInt64BE(BigInt(event.epoch), 1);
  place.writeBigUInt64BE(BigInt(event.sequence), 9);
  const hash = createHash("sha256").update("bizra/event/1").update(place).update(Buffer.from(event.previousHash, "hex"));
  return hash.update(cbor([Date.parse(event.time), event.type, payload])).digest("hex");
}

function fieldOf(value: string | number | boolean | undefined, kind: "uint" | "decimal" | "hex"): Cbor {
  if (kind === "hex") return Buffer.from(String(value), "hex");
  return BigInt(String(value));
}

/** What is wrong with a run of events that begins with the lane's first; empty when nothing is. */
export function findChainFaults(events: readonly Event[]): string[] {
  const faults: string[] = [];
  let previous = "00".repeat(32);
  for (const [at, event] of events.entries()) {
    if (event.sequence !== at + 1) faults.push(`event ${at + 1} has sequence ${event.sequence}`);
    if (event.previousHash !== previous) faults.push(`event ${at + 1} does not link to the one before`);
    if (eventHash(event) !== event.hash) faults.push(`event ${at + 1} (${event.type}) does not hash to ${event.hash}`);
    previous = event.hash;
  }
  return faults;
}

/** A stream of events that is read as it comes. */
export type EventStream = Endable & { readonly events: readonly Event[]; readonly isClosed: boolean; readonly closeReason: string };

/** Opens a lane as server-sent events after a cursor, given in the query or as Last-Event-ID; without one, from now on. */
export async function openServerSent(http: string, lane: string, after?: string, how: "query" | "header" = "query"): Promise<EventStream> {
  const abort = new AbortController();
  const query = how === "query" && after !== undefined ? `&after=${after}` : "";
  const headers: Record<string, string> = how === "header" ? { "last-event-id": `${lane}.${after}` } : {};
  const response = await fetch(`${http}/api/v2/events/stream?lane=${lane}${query}`, { headers, signal: abort.signal });
  if (!response.ok || response.body === null) throw new Error(`the stream answers ${response.status}`);
  if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) throw new Error("no text/event-stream");
  const stream = { events: [] as Event[], isClosed: false, closeReason: "", kill: () => abort.abort() };
  void readServerSent(response.body, stream);
  return stream;
}

async function readServerSent(
  body: ReadableStream<Uint8Array>,
  stream: { events: Event[]; isClosed: boolean; closeReason: string },
): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      const messages = text.split("\n\n");
      text = messages.pop() ?? "";
      for (const message of messages) takeMessage(message, stream);
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error; // the connection was cut, by us or by the node's end
  }
  stream.isClosed = true;
}

function takeMessage(message: string, stream: { events: Event[]; closeReason: string }): void {
  const fields = new Map(
    message.split("\n").map((line): [string, string] => [line.split(": ")[0] ?? "", line.slice(line.indexOf(": ") + 2)]),
  );
  const content = fields.get("data");
  if (content === undefined) return;
  if (fields.get("event") === "close") stream.closeReason = content;
  else if (fields.has("event")) throw new Error(`the stream tells of ${fields.get("event")}: ${content}`);
  else {
    const event = JSON.parse(content) as Event;
    if (fields.get("id") !== `${event.lane}.${event.cursor}`) throw new Error(`the message of ${event.cursor} has id ${fields.get("id")}`);
    stream.events.push(event);
  }
}

/** Opens a lane over WebSocket after a cursor. */
export async function openSocket(http: string, lane: string, after: string): Promise<EventStream> {
  const socket = new WebSocket(`${http.replace("http", "ws")}/api/v2/stream?lane=${lane}&after=${after}`);
  const stream = { events: [] as Event[], isClosed: false, closeReason: "", kill: () => socket.close() };
  socket.addEventListener("message", ({ data }) => stream.events.push(JSON.parse(String(data)) as Event));
  socket.addEventListener("close", ({ code }) => {
    stream.isClosed = true;
    stream.closeReason = String(code);
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("the socket does not open")));
  });
  return stream;
}

/** Resolves when a stream has told this much; throws when it does not in time. */
export async function told(stream: EventStream, isEnough: (events: readonly Event[]) => boolean, limitMs = 90_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!isEnough(stream.events)) {
    if (performance.now() > deadline)
      throw new Error(
        `after ${limitMs} ms the stream told ${stream.events.length} events, the last ${JSON.stringify(stream.events.at(-1))}`,
      );
    await Bun.sleep(5);
  }
}
