import { parseHex } from "../kernel/index.ts";
import {
  decodeTransaction,
  formatAddress,
  parseAddress,
  signTransaction,
  type TransactionBody,
  transactionAad,
} from "../protocol/index.ts";
import { isJson, type Json, NODE_FLAGS, NodeClient, textOf, wideOf } from "./client.ts";
import { CommandFailure, type CommandInput, type FlagSpec, parseAmount, required, UsageError } from "./command.ts";
import { openSigner, PASSPHRASE_FLAG } from "./signer.ts";
import type { Terminal } from "./terminal.ts";

/** The flag that waits for the end of a transaction. */
export const WAIT_FLAG: Readonly<Record<string, FlagSpec>> = {
  wait: { kind: "text", value: "final", doc: "Waits until the transaction is final, expired or superseded." },
};

/** Flags of every command that signs a transaction and submits it. */
export const SIGN_FLAGS: Readonly<Record<string, FlagSpec>> = {
  ...NODE_FLAGS,
  ...WAIT_FLAG,
  ...PASSPHRASE_FLAG,
  key: { kind: "text", value: "FILE", doc: "Key of the sender: a key file, or an Ed25519 PKCS#8 PEM." },
  fee: { kind: "text", value: "UNITS", doc: "Fee (default: the chain's minimum)." },
  nonce: { kind: "text", value: "N", doc: "Nonce (default: the sender's next free one)." },
  "valid-for": { kind: "text", value: "BLOCKS", doc: "Blocks from now in which it may execute (default 10000)." },
  out: { kind: "text", value: "FILE", doc: "Also keeps the signed bytes here." },
};

/** Where a transaction is made for: the chain's genesis hash, the epoch that runs, the sender's key, and the node to ask. */
export type SigningPlace = {
  readonly genesisHash: Uint8Array;
  readonly epoch: number;
  readonly sender: Uint8Array;
  readonly client: NodeClient;
};

/** Signs a transaction with the key that `--key` names, fills in nonce, fee and validity from the node, and submits it. */
export async function signAndSubmit(
  input: CommandInput,
  terminal: Terminal,
  bodyOf: (place: SigningPlace) => TransactionBody | Promise<TransactionBody>,
): Promise<number> {
  const client = NodeClient.of(input);
  const signer = await openSigner(required(input, "key"), "account", input, terminal);
  const status = await client.get("/api/v2/status");
  const genesisHash = parseHex(textOf(status, "genesisHash"));
  if (genesisHash?.length !== 32) throw new CommandFailure("expected a 32-byte genesisHash in the node's status");
  const address = formatAddress(signer.publicKey);
  const nonce = input.flag("nonce");
  const validFor = parseAmount(input.flag("valid-for") ?? "10000", "--valid-for");
  const validMost = maxValidityOf(status);
  if (validFor > validMost) throw new UsageError(`expected --valid-for of at most ${validMost} blocks on this chain, got ${validFor}`);
  const fee = input.flag("fee");
  const encoded = signTransaction(signer, transactionAad(genesisHash), {
    sender: signer.publicKey,
    nonce: nonce === undefined ? wideOf(await client.get(`/api/v2/accounts/${address}`), "pendingNonce") : parseAmount(nonce, "--nonce"),
    fee: fee === undefined ? wideOf(status, "minimumFee") : parseAmount(fee, "--fee"),
    validUntil: wideOf(status, "height") + validFor,
    body: await bodyOf({ genesisHash, epoch: Number(wideOf(status, "epoch")), sender: signer.publicKey, client }),
  });
  const out = input.flag("out");
  if (out !== undefined) await Bun.write(out, encoded);
  return await submitBytes(input, terminal, client, encoded);
}

/** How far ahead this chain lets a transaction be valid, in blocks. */
function maxValidityOf(status: Json): bigint {
  const limits = status["limits"];
  return isJson(limits) ? wideOf(limits, "maxValidity") : 10_000n;
}

/** Submits COSE bytes, one transaction or several in a row, prints what became of each and waits when asked to. */
export async function submitBytes(input: CommandInput, terminal: Terminal, client: NodeClient, bytes: Uint8Array): Promise<number> {
  const wait = input.flag("wait");
  if (wait !== undefined && wait !== "final") throw new UsageError(`expected --wait final, got --wait ${wait}`);
  const isSingle = decodeTransaction(transactionAad(new Uint8Array(32)), bytes).ok;
  const answer = await client.submit(bytes, isSingle ? "application/cose" : "application/cbor-seq");
  const list: unknown = answer.ok ? answer.value["transactions"] : answer.error.body["transactions"];
  const outcomes = Array.isArray(list) ? list.filter(isJson) : [];
  if (!answer.ok && outcomes.length === 0) throw new CommandFailure(`${answer.error.detail} (${answer.error.code})`);
  let failures = 0;
  for (const outcome of outcomes) {
    const final = wait === "final" && outcome["status"] === "accepted" ? await waitForEnd(client, textOf(outcome, "id")) : outcome;
    if (final["status"] !== "accepted" && final["status"] !== "final") failures++;
    terminal.result(final, () => describeOutcome(final));
  }
  return failures === 0 ? 0 : 1;
}

/** Asks until the transaction has ended; each question waits on the node for a while. */
async function waitForEnd(client: NodeClient, id: string): Promise<Json> {
  for (;;) {
    const status = await client.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=30000`);
    if (status["status"] !== "accepted") return status;
  }
}

function describeOutcome(outcome: Json): string {
  const id = typeof outcome["id"] === "string" ? outcome["id"] : "(no id)";
  const receipt = outcome["receipt"];
  const place = outcome["height"] === undefined ? "" : ` at height ${String(outcome["height"])}, index ${String(outcome["index"])}`;
  const result = isJson(receipt) ? `, ${String(receipt["code"])}` : "";
  const refusal = typeof outcome["code"] === "string" ? `: ${outcome["code"]} (${String(outcome["detail"])})` : "";
  return `${id} ${String(outcome["status"])}${place}${result}${refusal}`;
}

/** The 32-byte key of an address a person gave. */
export function keyOf(address: string, flag: string): Uint8Array {
  const key = parseAddress(address);
  if (!key.ok)
    throw new UsageError(
      `expected ${flag} as an address like ${formatAddress(new Uint8Array(32).fill(1))}, got ${JSON.stringify(address)}`,
    );
  return key.value;
}
