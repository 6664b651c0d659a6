/**
 * The ledger once more, as plainly as it can be said and sharing no code with src/ledger: the whole state is copied for
 * every transaction, entries are looked up in maps by hexadecimal keys, effects are encoded by a few lines of CBOR, and
 * digests come from node:crypto. Slow, and meant to be obviously right.
 */
import { createHash } from "node:crypto";
import type { Transaction } from "../../../src/protocol/index.ts";

type Account = { nonce: bigint; balance: bigint };
type Device = { owner: string; label: string; perHour: bigint; bytesPerHour: bigint; hour: number; used: bigint; usedBytes: bigint };

/** The state: keys in hexadecimal; `proposed` counts blocks by leader and is empty before the first. */
export type ModelState = {
  accounts: Map<string, Account>;
  devices: Map<string, Device>;
  issued: bigint;
  burned: bigint;
  pot: bigint;
  proposed: number[];
};

/** What the model knows of a block's surroundings. */
export type ModelContext = {
  height: number;
  timeMs: number;
  minimumFee: bigint;
  maxValidity: bigint;
  feePolicy: "burn" | "validators";
  members: number;
  leader: number;
  /** Whether a proof is the device's consent to this owner. */
  isConsent: (device: Uint8Array, owner: Uint8Array, proof: Uint8Array) => boolean;
};

/** What becomes of a transaction. */
export type ModelOutcome =
  | { kind: "skipped"; reason: string }
  | { kind: "executed"; code: string; fee: bigint; effectsDigest: string; transactionId: string };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const sha256 = (...parts: Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();

type Item = bigint | number | string | boolean | Uint8Array | Item[];

/** Canonical CBOR of unsigned integers, text, bytes and arrays. */
function cbor(item: Item): Buffer {
  const head = (major: number, n: bigint): Buffer => {
    const type = major * 32;
    if (n < 24n) return Buffer.from([type + Number(n)]);
    const width = n < 256n ? 1 : n < 65_536n ? 2 : n < 4_294_967_296n ? 4 : 8;
    const argument = Buffer.from(n.toString(16).padStart(2 * width, "0"), "hex");
    return Buffer.concat([Buffer.from([type + 24 + [1, 2, 4, 8].indexOf(width)]), argument]);
  };
  if (typeof item === "bigint" || typeof item === "number") return head(0, BigInt(item));
  if (typeof item === "boolean") return Buffer.from([item ? 0xf5 : 0xf4]);
  if (typeof item === "string") return Buffer.concat([head(3, BigInt(Buffer.byteLength(item))), Buffer.from(item)]);
  if (item instanceof Uint8Array) return Buffer.concat([head(2, BigInt(item.length)), item]);
  return Buffer.concat([head(4, BigInt(item.length)), ...item.map(cbor)]);
}

function copyOf(state: ModelState): ModelState {
  return {
    accounts: new Map([...state.accounts].map(([key, account]) => [key, { ...account }])),
    devices: new Map([...state.devices].map(([key, device]) => [key, { ...device }])),
    issued: state.issued,
    burned: state.burned,
    pot: state.pot,
    proposed: [...state.proposed],
  };
}

/** Executes a block: the state after it, and what became of each transaction. */
export function modelBlock(before: ModelState, context: ModelContext, transactions: readonly Transaction[]): [ModelState, ModelOutcome[]] {
  let state = copyOf(before);
  const outcomes: ModelOutcome[] = [];
  let fees = 0n;
  for (const transaction of transactions) {
    const attempt = copyOf(state);
    const payer = pay(attempt, context, transaction);
    if ("skip" in payer) {
      outcomes.push({ kind: "skipped", reason: payer.skip });
      continue;
    }
    fees += transaction.fee;
    const done = copyOf(attempt);
    const paid: Item[] = [1, Buffer.from(payer.key, "hex"), transaction.fee];
    const result = apply(done, context, transaction);
    const isApplied = result.code === "applied";
    state = isApplied ? done : attempt;
    const effects = cbor(isApplied ? [paid, result.effect] : [paid]);
    const effectsDigest = hex(sha256(Buffer.from("bizra/effects/1"), effects));
    outcomes.push({ kind: "executed", code: result.code, fee: transaction.fee, effectsDigest, transactionId: hex(transaction.id) });
  }
  if (context.feePolicy === "burn") state.burned += fees;
  else state.pot += fees;
  if (state.proposed.length === 0) state.proposed = Array.from({ length: context.members }, () => 0);
  state.proposed[context.leader] = (state.proposed[context.leader] ?? 0) + 1;
  return [state, outcomes];
}

function pay(state: ModelState, context: ModelContext, t: Transaction): { key: string } | { skip: string } {
  if (t.validUntil < BigInt(context.height)) return { skip: "expired" };
  if (t.validUntil > BigInt(context.height - 1) + context.maxValidity) return { skip: "validityTooLong" };
  if (t.fee < context.minimumFee) return { skip: "feeTooLow" };
  const sender = state.accounts.get(hex(t.sender));
  if (!sender) return { skip: "unknownSender" };
  if (t.nonce < sender.nonce) return { skip: "nonceTooLow" };
  if (t.nonce > sender.nonce) return { skip: "nonceTooHigh" };
  const device = t.body.type === 2 ? state.devices.get(hex(t.sender)) : undefined;
  const key = device ? device.owner : hex(t.sender);
  if (device) {
    const hour = Math.floor(context.timeMs / 3_600_000);
    if (device.hour !== hour) Object.assign(device, { hour, used: 0n, usedBytes: 0n });
    device.used += 1n;
    device.usedBytes += BigInt(t.encoded.length);
    if (device.used > device.perHour || device.usedBytes > device.bytesPerHour) return { skip: "quotaExceeded" };
  }
  const payer = state.accounts.get(key);
  if (!payer || payer.balance < t.fee) return { skip: "insufficientFunds" };
  payer.balance -= t.fee;
  sender.nonce += 1n;
  return { key };
}

function apply(state: ModelState, context: ModelContext, t: Transaction): { code: string; effect: Item } {
  const failed = (code: string) => ({ code, effect: [] });
  const { body } = t;
  const from = hex(t.sender);
  if (body.type === 1) {
    const source = state.accounts.get(from);
    if (!source || source.balance < body.amount) return failed("insufficientFunds");
    source.balance -= body.amount;
    const to = hex(body.to);
    if (body.amount > 0n) {
      const target = state.accounts.get(to) ?? { nonce: 0n, balance: 0n };
      state.accounts.set(to, target);
      target.balance += body.amount;
    }
    return { code: "applied", effect: [2, t.sender, body.to, body.amount] };
  }
  if (body.type === 2) {
    const digest = "digest" in body.content ? body.content.digest : sha256(body.content.data);
    return { code: "applied", effect: [3, t.sender, body.stream, digest] };
  }
  if (body.type === 3) {
    const name = hex(body.device);
    if (state.devices.has(name)) return failed("alreadyRegistered");
    if (!context.isConsent(body.device, t.sender, body.proof)) return failed("badProof");
    const quota = { perHour: body.transactionsPerHour, bytesPerHour: body.bytesPerHour };
    const hour = Math.floor(context.timeMs / 3_600_000);
    state.devices.set(name, { owner: from, label: body.label, ...quota, hour, used: 0n, usedBytes: 0n });
    if (!state.accounts.has(name)) state.accounts.set(name, { nonce: 0n, balance: 0n });
    return { code: "applied", effect: [4, body.device, t.sender] };
  }
  if (body.type === 4) {
    const device = state.devices.get(hex(body.device));
    if (!device) return failed("notRegistered");
    if (device.owner !== from) return failed("notAuthorized");
    state.devices.delete(hex(body.device));
    return { code: "applied", effect: [5, body.device, t.sender] };
  }
  if (body.type >= 6 && body.type <= 11) return failed("notRegistered"); // the model knows no validators
  return failed("notAuthorized");
}

/** Every entry as [state key, value], both in hexadecimal and encoded as the state does. */
export function modelEntries(state: ModelState): [string, string][] {
  const entries: [string, string][] = [["00", hex(cbor([state.issued, state.burned]))]];
  for (const [key, { nonce, balance }] of state.accounts) entries.push([`01${key}`, hex(cbor([nonce, balance]))]);
  for (const [key, d] of state.devices) {
    const value = cbor([Buffer.from(d.owner, "hex"), d.label, d.perHour, d.bytesPerHour, d.hour, d.used, d.usedBytes]);
    entries.push([`02${key}`, hex(value)]);
  }
  if (state.proposed.length > 0) {
    const tallies = state.proposed.map((count) => [count, 0, 0]); // every block of the model stands on its epoch's opening
    entries.push(["07", hex(cbor([state.pot, false, 0, 0, tallies]))]);
  }
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}
