/**
 * Many MQTT clients in a process of their own, so that what they cost is not counted with the broker. Reads one job as JSON
 * from standard input, prints one result as JSON, and in `idle` mode stays until its input closes.
 */
import { readFileSync } from "node:fs";

/** What the clients do. */
export type CrowdJob = {
  readonly port: number;
  readonly connections: number;
  /** Number of the first client. */
  readonly first: number;
  readonly mode: "publish" | "idle";
  /** Topic of client number n: `{before}{n}{after}`. */
  readonly topic: readonly [before: string, after: string];
  /** File of payloads, each behind its length in four bytes; client n has every payload whose place leaves n. */
  readonly payloads: string;
  /** Publications that wait for their acknowledgement, of one client. */
  readonly window: number;
  /** Publications a second of all clients; 0: as fast as they are acknowledged. */
  readonly ratePerSecond: number;
};

/** What came of it. */
export type CrowdResult = {
  readonly connected: number;
  readonly acknowledged: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
};

const text = new TextEncoder();

function field(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? text.encode(value) : value;
  return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes]);
}

function packet(first: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  const head = [first];
  for (let rest = body.length; ; rest >>= 7) {
    head.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Uint8Array.from(head), body]);
}

const CONNECT_HEAD = Buffer.concat([field("MQTT"), Uint8Array.of(5, 2, 0, 0, 0)]); // clean start, no keep alive, no properties

/** One client: says who it is, publishes what is its own, counts what comes back. */
class Client {
  readonly #number: number;
  readonly #own: Uint8Array[] = [];
  readonly #sentMs = new Map<number, number>();
  #socket: Bun.Socket | undefined;
  #rest = new Uint8Array(0);
  #unsent: Uint8Array[] = [];
  #next = 0;

  constructor(number: number) {
    this.#number = number;
  }

  get isDone(): boolean {
    return this.#next >= this.#own.length && this.#sentMs.size === 0;
  }

  give(payload: Uint8Array): void {
    this.#own.push(payload);
  }

  async connect(port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => {
          this.#socket = socket;
          this.#write(packet(0x10, CONNECT_HEAD, field(`d${this.#number}`)));
        },
        data: (_socket, chunk) => this.#onBytes(chunk, resolve, reject),
        drain: () => this.#write(),
        close: () => reject(new Error("closed by the broker")),
        error: (_socket, error) => reject(error),
      },
    });
    await promise;
  }

  /** Publishes the next, if one is left and the window allows. */
  publishNext(): boolean {
    const payload = this.#own[this.#next];
    if (payload === undefined || this.#sentMs.size >= job.window) return false;
    const id = (this.#next % 65_535) + 1;
    this.#next += 1;
    this.#sentMs.set(id, performance.now());
    const topic = `${job.topic[0]}${this.#number}${job.topic[1]}`;
    this.#write(packet(0x32, field(topic), Uint8Array.of(id >> 8, id & 255, 0), payload));
    return true;
  }

  #write(bytes?: Uint8Array): void {
    if (bytes) this.#unsent.push(bytes);
    for (let next = this.#unsent.shift(); next; next = this.#unsent.shift()) {
      const taken = Math.max(0, this.#socket?.write(next) ?? 0);
      if (taken === next.length) continue;
      this.#unsent.unshift(next.subarray(taken));
      return;
    }
  }

  #onBytes(chunk: Uint8Array, connected: () => void, failed: (error: Error) => void): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    while (at + 2 <= bytes.length) {
      const [kind = 0, length = 0] = [bytes[at], bytes[at + 1]];
      let [end, size] = [at + 2, length];
      if (length > 127) [end, size] = [at + 3, (length & 127) | ((bytes[at + 2] ?? 0) << 7)];
      if (end + size > bytes.length) break;
      const body = bytes.subarray(end, end + size);
      if (kind === 0x20) body[1] === 0 ? connected() : failed(new Error(`refused with ${body[1]}`));
      else if (kind === 0x40) this.#onAcknowledged(((body[0] ?? 0) << 8) | (body[1] ?? 0), body[2] ?? 0);
      at = end + size;
    }
    this.#rest = Uint8Array.from(bytes.subarray(at));
  }

  #onAcknowledged(id: number, reason: number): void {
    latencies.push(performance.now() - (this.#sentMs.get(id) ?? 0));
    this.#sentMs.delete(id);
    if (reason >= 0x80) refused[reason] = (refused[reason] ?? 0) + 1;
    else acknowledged += 1;
    if (job.ratePerSecond === 0) this.publishNext();
  }
}

const lines = console[Symbol.asyncIterator]();
const job = JSON.parse(String((await lines.next()).value)) as CrowdJob;
const latencies: number[] = [];
const refused: Record<string, number> = {};
let acknowledged = 0;
const clients = Array.from({ length: job.connections }, (_, i) => new Client(job.first + i));

if (job.mode === "publish") {
  const file = readFileSync(job.payloads);
  for (let at = 0, place = 0; at < file.length; place++) {
    const length = file.readUInt32BE(at);
    clients[place % clients.length]?.give(file.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
}
const open = [...clients];
await Promise.all(
  Array.from({ length: 64 }, async () => {
    for (let next = open.shift(); next; next = open.shift()) await next.connect(job.port);
  }),
);
const startMs = performance.now();
if (job.mode === "publish") {
  if (job.ratePerSecond === 0) for (let i = 0; i < job.window; i++) for (const client of clients) client.publishNext();
  let [turn, published] = [0, 0];
  while (!clients.every((client) => client.isDone)) {
    const due = job.ratePerSecond === 0 ? 0 : ((performance.now() - startMs) / 1_000) * job.ratePerSecond;
    for (let tries = 0; published < due && tries < clients.length; tries++)
      if (clients[turn++ % clients.length]?.publishNext()) published += 1;
    await Bun.sleep(2);
  }
}
const sorted = latencies.sort((a, b) => a - b);
const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
const result: CrowdResult = {
  connected: clients.length,
  acknowledged,
  refused,
  seconds: (performance.now() - startMs) / 1_000,
  p50Ms: at(0.5),
  p99Ms: at(0.99),
};
console.log(JSON.stringify(result));
if (job.mode === "idle") await lines.next();
process.exit(0);
