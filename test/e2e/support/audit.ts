/** The books of a node after a trial, kept by hand from what was signed and compared with what the node says. */
import { readFileSync } from "node:fs";
import { findChainFaults, readBlocks } from "./chain-walk.ts";
import { addressOf } from "./independent-client.ts";
import type { Lane, Load } from "./load.ts";
import type { NodeProcess } from "./node-process.ts";

/** Questions to the node at a time. */
const PARALLEL = 24;
/** How long what is pending may take to become final. */
const PENDING_LIMIT_MS = 90_000;

/** What the accounts of a trial held before it began, by hex key. */
export type Opening = ReadonlyMap<string, bigint>;

/** What was found. */
export type Audit = {
  readonly faults: readonly string[];
  readonly final: number;
  readonly height: number;
  readonly stateRoot: string;
  readonly hashes: readonly string[];
};

type Receipt = {
  readonly transactionId: string;
  readonly height: number;
  readonly index: number;
  readonly code: string;
  readonly fee: string;
};

type Ended = {
  readonly id: string;
  readonly status: string;
  readonly height?: number;
  readonly index?: number;
  readonly receipt?: Receipt;
};

/** Compares everything; waits until what is pending has ended. */
export async function auditNode(
  node: NodeProcess,
  load: Load,
  opening: Opening,
  genesisFile: string,
  limitMs = PENDING_LIMIT_MS,
): Promise<Audit> {
  const ends = await readEnds(node, load, limitMs);
  const blocks = await readBlocks(node);
  const status = await node.get("/api/v2/status");
  const genesisHash = String(status["genesisHash"]);
  const faults = [
    ...findEndFaults(load, ends),
    ...(await findAccountFaults(node, load, opening)),
    ...(await findSupplyFaults(node, genesisFile)),
    ...findChainFaults(blocks, genesisHash, readGenesisKeys(genesisFile)),
    ...findCountFaults(
      blocks.map((block) => block.transactionCount),
      ends.size,
    ),
  ];
  const hashes = blocks.map(({ hash }) => hash);
  return { faults, final: ends.size, height: blocks.length, stateRoot: blocks.at(-1)?.header.stateRoot ?? "", hashes };
}

/** Keys of the validators that a genesis names, in hex. */
export function readGenesisKeys(genesisFile: string): string[] {
  const genesis = JSON.parse(readFileSync(genesisFile, "utf8")) as { validators: { publicKey: string }[] };
  return genesis.validators.map(({ publicKey }) => publicKey);
}

/** Asks for the end of every transaction that was ever signed, once nothing is pending or nothing more becomes final. */
async function readEnds(node: NodeProcess, load: Load, limitMs: number): Promise<Map<string, Ended>> {
  const deadline = performance.now() + limitMs;
  while (performance.now() < deadline && ((await node.get("/api/v2/status"))["pending"] as { transactions: number }).transactions > 0) {
    await Bun.sleep(20);
  }
  const ids = load.lanes.flatMap((lane) => lane.signed.map(({ id }) => id));
  const ends = new Map<string, Ended>();
  await inParallel(ids, async (id) => {
    ends.set(id, (await node.get(`/api/v2/transactions/${id}`)) as Ended);
  });
  return ends;
}

/** Calls an action for each item, several at a time. */
export async function inParallel<T>(items: readonly T[], action: (item: T) => Promise<void>, width = PARALLEL): Promise<void> {
  const iterator = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of iterator) await action(item);
    }),
  );
}

function findEndFaults(load: Load, ends: ReadonlyMap<string, Ended>): string[] {
  const faults: string[] = [];
  const places = new Set<string>();
  for (const lane of load.lanes) {
    let previous = { height: 0, index: -1 };
    for (const [position, { id }] of lane.signed.entries()) {
      const end = ends.get(id);
      const wasAccepted = load.accepted.has(id) ? "accepted" : "signed";
      if (end?.status !== "final" || end.receipt === undefined) {
        faults.push(`the ${wasAccepted} transaction ${id} (position ${position}) is ${end?.status}`);
        continue;
      }
      const { receipt } = end;
      const place = `${receipt.height}/${receipt.index}`;
      if (places.has(place)) faults.push(`two transactions stand at ${place}`);
      places.add(place);
      if (receipt.transactionId !== id) faults.push(`the receipt of ${id} is that of ${receipt.transactionId}`);
      if (receipt.code !== "applied") faults.push(`${id} ended as ${receipt.code}`);
      if (BigInt(receipt.fee) !== BigInt(lane.orders[position]?.fee ?? -1)) faults.push(`${id} paid ${receipt.fee}`);
      if (receipt.height < previous.height || (receipt.height === previous.height && receipt.index <= previous.index)) {
        faults.push(`${id} executed before the one with the nonce below`);
      }
      previous = receipt;
    }
  }
  return faults;
}

async function findAccountFaults(node: NodeProcess, load: Load, opening: Opening): Promise<string[]> {
  const faults: string[] = [];
  for (const lane of load.lanes) {
    const key = lane.keys.publicKey.toString("hex");
    const account = await node.get(`/api/v2/accounts/${addressOf(lane.keys.publicKey)}`);
    const nonce = String(lane.firstNonce + BigInt(lane.signed.length));
    if (account["nonce"] !== nonce || account["pendingNonce"] !== nonce) {
      faults.push(`account ${key} has nonce ${String(account["nonce"])}, pending ${String(account["pendingNonce"])}, expected ${nonce}`);
    }
    const expected = (opening.get(key) ?? 0n) - spentBy(lane) + receivedBy(load, key);
    if (account["balance"] !== String(expected)) faults.push(`account ${key} has ${String(account["balance"])}, expected ${expected}`);
  }
  return faults;
}

function spentBy(lane: Lane): bigint {
  const fees = lane.orders.reduce((sum, order) => sum + BigInt(order.fee), 0n);
  return [...lane.sentTo.values()].reduce((sum, amount) => sum + amount, fees);
}

function receivedBy(load: Load, key: string): bigint {
  return load.lanes.reduce((sum, lane) => sum + (lane.sentTo.get(key) ?? 0n), 0n);
}

/**
 * Sums every account that genesis knows, the stake of its validators and the fees that wait in the epoch's pot: nothing was
 * made or lost (the demo's fees go to the validators' owners and stake).
 */
async function findSupplyFaults(node: NodeProcess, genesisFile: string): Promise<string[]> {
  const genesis = JSON.parse(readFileSync(genesisFile, "utf8")) as {
    accounts: { address: string; balance: string }[];
    validators: { owner: string; stake: string; publicKey: string }[];
  };
  const balances = genesis.accounts.reduce((sum, account) => sum + BigInt(account.balance), 0n);
  const issued = genesis.validators.reduce((sum, { stake }) => sum + BigInt(stake), balances);
  const supply = await node.get("/api/v2/supply");
  if (String(supply["issued"]) !== String(issued)) return [`the chain issued ${String(supply["issued"])}, genesis ${issued}`];
  const addresses = new Set([...genesis.accounts.map(({ address }) => address), ...genesis.validators.map(({ owner }) => owner)]);
  let held = BigInt(String(supply["feePot"])) + BigInt(String(supply["burned"]));
  for (const address of addresses) held += BigInt(String((await node.get(`/api/v2/accounts/${address}`))["balance"]));
  for (const { publicKey } of genesis.validators) {
    const { stake, unbonding } = await node.get(`/api/v2/validators/${publicKey}`);
    held += BigInt(String(stake)) + BigInt(String(unbonding));
  }
  return held === issued ? [] : [`accounts, validators and pot hold ${held}, genesis issued ${issued}`];
}

/** As many receipts as transactions: none executed twice, and nothing executed that nobody signed. */
function findCountFaults(counts: readonly number[], signed: number): string[] {
  const executed = counts.reduce((sum, count) => sum + count, 0);
  return executed === signed ? [] : [`the blocks hold ${executed} receipts, ${signed} transactions were signed`];
}
