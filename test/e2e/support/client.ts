import { addressOf, type Cbor, type Keys, type Order, type Signed, signOrder, transferBody } from "./independent-client.ts";
import type { Answer, NodeProcess } from "./node-process.ts";

/** Signs and submits on one node for one account at a time, asking the node what a client would ask. */
export class Client {
  readonly node: NodeProcess;
  readonly genesisHash: Buffer;

  constructor(node: NodeProcess, genesisHash: Buffer) {
    this.node = node;
    this.genesisHash = genesisHash;
  }

  /** What the node tells of an account. */
  account(key: Buffer): Promise<Record<string, unknown>> {
    return this.node.get(`/api/v2/accounts/${addressOf(key)}`);
  }

  /** The nonce that an account's next transaction has to have. */
  async nonceOf(keys: Keys): Promise<bigint> {
    return BigInt(String((await this.account(keys.publicKey))["pendingNonce"]));
  }

  /** Height of the last final block. */
  async height(): Promise<bigint> {
    return BigInt(String((await this.node.get("/api/v2/status"))["height"]));
  }

  /** An order that is in order, to be changed where a test wants it: nonce, fee and validity as the node asks for them. */
  async order(keys: Keys, type: number, body: Cbor, change: Partial<Order> = {}): Promise<Order> {
    const status = await this.node.get("/api/v2/status");
    const validUntil = BigInt(String(status["height"])) + 1_000n;
    return { type, nonce: await this.nonceOf(keys), fee: BigInt(String(status["minimumFee"])), validUntil, body, ...change };
  }

  /** Signs an order for this chain. */
  sign(keys: Keys, order: Order): Signed {
    return signOrder(keys, this.genesisHash, order);
  }

  /** Submits and waits until it is final; throws when it is refused or ends in another way. */
  async execute(keys: Keys, type: number, body: Cbor): Promise<Record<string, unknown>> {
    const { encoded, id } = this.sign(keys, await this.order(keys, type, body));
    const answer = await this.node.submit(encoded);
    if (answer.status !== 202) throw new Error(`refused with ${answer.status}: ${JSON.stringify(answer.json)}`);
    const ended = await this.node.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=20000`);
    if (ended["status"] !== "final") throw new Error(`${id} is ${String(ended["status"])}`);
    return ended;
  }

  /** Moves an amount and waits until that is final. */
  pay(from: Keys, to: Buffer, amount: bigint | number): Promise<Record<string, unknown>> {
    return this.execute(from, 1, transferBody(to, amount));
  }

  /** What must not change when something is refused: the accounts' books, the state root, what is pending. */
  async books(keys: readonly Buffer[]): Promise<string> {
    const accounts = await Promise.all(keys.map((key) => this.account(key)));
    const status = await this.node.get("/api/v2/status");
    const latest = (await this.node.get("/api/v2/blocks/latest"))["header"] as { stateRoot: string };
    const kept = accounts.map(({ nonce, pendingNonce, balance }) => [nonce, pendingNonce, balance]);
    return JSON.stringify([kept, latest.stateRoot, status["pending"]]);
  }
}

/** What is wrong with an answer that should be a problem of this status and code; empty when nothing is. */
export function findProblemFaults(answer: Answer, status: number, code: string): string[] {
  const { json, headers } = answer;
  const faults: string[] = [];
  if (answer.status !== status || json["code"] !== code)
    faults.push(`expected ${status} ${code}, got ${answer.status} ${JSON.stringify(json).slice(0, 300)}`);
  if (!(headers.get("content-type") ?? "").startsWith("application/problem+json")) faults.push(`media type ${headers.get("content-type")}`);
  if (json["status"] !== answer.status) faults.push(`the problem says status ${String(json["status"])}`);
  for (const member of ["type", "title", "detail"]) {
    if (typeof json[member] !== "string" || json[member] === "") faults.push(`no ${member}`);
  }
  if ((status === 429 || status === 503) && !/^[1-9]\d*$/.test(headers.get("retry-after") ?? "")) faults.push("no Retry-After");
  return faults;
}
