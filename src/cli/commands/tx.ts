import { sha256 } from "../../crypto/index.ts";
import { parseHex, utf8 } from "../../kernel/index.ts";
import {
  decodeTransaction,
  deviceProofBytes,
  formatAddress,
  LIMITS,
  parseAddress,
  signTransaction,
  type TransactionBody,
  transactionAad,
} from "../../protocol/index.ts";
import { isJson, type Json, NODE_FLAGS, NodeClient, textOf, wideOf } from "../client.ts";
import { type Command, CommandFailure, type CommandInput, type FlagSpec, parseAmount, required, UsageError } from "../command.ts";
import { readBytes } from "../files.ts";
import { openSigner, PASSPHRASE_FLAG } from "../signer.ts";
import type { Terminal } from "../terminal.ts";

const WAIT_FLAG: Readonly<Record<string, FlagSpec>> = {
  wait: { kind: "text", value: "final", doc: "Waits until the transaction is final, expired or superseded." },
};
const SIGN_FLAGS: Readonly<Record<string, FlagSpec>> = {
  ...NODE_FLAGS,
  ...WAIT_FLAG,
  ...PASSPHRASE_FLAG,
  key: { kind: "text", value: "FILE", doc: "Key of the sender: a key file, or an Ed25519 PKCS#8 PEM." },
  fee: { kind: "text", value: "UNITS", doc: "Fee (default: the chain's minimum)." },
  nonce: { kind: "text", value: "N", doc: "Nonce (default: the sender's next free one)." },
  "valid-for": { kind: "text", value: "BLOCKS", doc: "Blocks from now in which it may execute (default 10000)." },
  out: { kind: "text", value: "FILE", doc: "Also keeps the signed bytes here." },
};

/** `bizra tx transfer`. */
export const txTransfer: Command = {
  name: "tx transfer",
  summary: "Moves an amount to another account.",
  flags: {
    ...SIGN_FLAGS,
    to: { kind: "text", value: "ADDRESS", doc: "Who receives." },
    amount: { kind: "text", value: "UNITS", doc: "How much, in base units." },
    memo: { kind: "text", value: "TEXT", doc: "Up to 64 bytes that the receiver sees." },
  },
  run(input, terminal) {
    const memo = input.flag("memo");
    if (memo !== undefined && utf8(memo).length > LIMITS.memoBytesMax)
      throw new UsageError(`expected --memo of at most ${LIMITS.memoBytesMax} bytes`);
    const to = keyOf(required(input, "to"), "--to");
    const body = { type: 1, to, amount: parseAmount(required(input, "amount"), "--amount") } as const;
    return signAndSubmit(input, terminal, () => (memo === undefined ? body : { ...body, memo: utf8(memo) }));
  },
};

/** `bizra tx anchor`. */
export const txAnchor: Command = {
  name: "tx anchor",
  summary: "Anchors readings of a stream: the SHA-256 of a file, a digest, or short data itself.",
  flags: {
    ...SIGN_FLAGS,
    stream: { kind: "text", value: "NAME", doc: "Stream, 1 to 64 bytes." },
    file: { kind: "text", value: "FILE", doc: "Anchors this file's SHA-256." },
    digest: { kind: "text", value: "HEX", doc: "Anchors this 32-byte digest." },
    data: { kind: "text", value: "TEXT", doc: "Anchors this text itself, up to 4,096 bytes." },
    count: { kind: "text", value: "N", doc: "How many readings it stands for." },
  },
  run(input, terminal) {
    const stream = required(input, "stream");
    if (utf8(stream).length < 1 || utf8(stream).length > LIMITS.streamBytesMax) throw new UsageError("expected --stream of 1 to 64 bytes");
    const content = anchorContent(input);
    const count = input.flag("count");
    const counted = count === undefined ? {} : { count: parseAmount(count, "--count") };
    return signAndSubmit(input, terminal, () => ({ type: 2, stream, content, ...counted }));
  },
};

function anchorContent(input: CommandInput): { digest: Uint8Array } | { data: Uint8Array } {
  const given = ["file", "digest", "data"].filter((name) => input.flag(name) !== undefined);
  if (given.length !== 1) throw new UsageError(`expected exactly one of --file, --digest and --data, got ${given.length}`);
  const [file, digest, data] = [input.flag("file"), input.flag("digest"), input.flag("data")];
  if (file !== undefined) return { digest: sha256(readBytes(file)) };
  if (digest !== undefined) {
    const bytes = parseHex(digest);
    if (bytes?.length !== 32) throw new UsageError("expected --digest as 64 hex digits");
    return { digest: bytes };
  }
  const bytes = utf8(data ?? "");
  if (bytes.length < 1 || bytes.length > LIMITS.anchorBytesMax)
    throw new UsageError(`expected --data of 1 to ${LIMITS.anchorBytesMax} bytes, got ${bytes.length}`);
  return { data: bytes };
}

/** `bizra tx device-register`. */
export const txDeviceRegister: Command = {
  name: "tx device-register",
  summary: "Sponsors a device: its anchors are paid by the sender within an hourly quota.",
  flags: {
    ...SIGN_FLAGS,
    "device-key": { kind: "text", value: "FILE", doc: "The device's key, which consents by a signature." },
    label: { kind: "text", value: "TEXT", doc: "Name of the device, up to 64 bytes." },
    "transactions-per-hour": { kind: "text", value: "N", doc: "Sponsored transactions per hour (default 60)." },
    "bytes-per-hour": { kind: "text", value: "N", doc: "Sponsored transaction bytes per hour (default 65536)." },
  },
  async run(input, terminal) {
    const device = await openSigner(required(input, "device-key"), "account", input, terminal);
    const label = input.flag("label") ?? "";
    if (utf8(label).length > LIMITS.labelBytesMax) throw new UsageError("expected --label of at most 64 bytes");
    const transactionsPerHour = parseAmount(input.flag("transactions-per-hour") ?? "60", "--transactions-per-hour");
    const bytesPerHour = parseAmount(input.flag("bytes-per-hour") ?? "65536", "--bytes-per-hour");
    return await signAndSubmit(input, terminal, (owner, genesisHash) => {
      const proof = device.sign(deviceProofBytes(genesisHash, device.publicKey, owner));
      return { type: 3, device: device.publicKey, label, transactionsPerHour, bytesPerHour, proof };
    });
  },
};

/** `bizra tx device-revoke`. */
export const txDeviceRevoke: Command = {
  name: "tx device-revoke",
  summary: "Ends the sponsorship of a device.",
  flags: { ...SIGN_FLAGS, device: { kind: "text", value: "ADDRESS", doc: "The device." } },
  run(input, terminal) {
    const device = keyOf(required(input, "device"), "--device");
    return signAndSubmit(input, terminal, () => ({ type: 4, device }));
  },
};

/** `bizra tx send`: submits ready-made COSE bytes, one transaction or several in a row. */
export const txSend: Command = {
  name: "tx send",
  summary: "Submits ready-made COSE_Sign1 bytes from a file (- for standard input).",
  arguments: "FILE",
  positionalsMin: 1,
  flags: { ...NODE_FLAGS, ...WAIT_FLAG },
  run(input, terminal) {
    return submitBytes(input, terminal, NodeClient.of(input), readBytes(input.positionals[0] ?? "-"));
  },
};

async function signAndSubmit(
  input: CommandInput,
  terminal: Terminal,
  bodyOf: (sender: Uint8Array, genesisHash: Uint8Array) => TransactionBody,
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
    body: bodyOf(signer.publicKey, genesisHash),
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

async function submitBytes(input: CommandInput, terminal: Terminal, client: NodeClient, bytes: Uint8Array): Promise<number> {
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
function keyOf(address: string, flag: string): Uint8Array {
  const key = parseAddress(address);
  if (!key.ok)
    throw new UsageError(
      `expected ${flag} as an address like ${formatAddress(new Uint8Array(32).fill(1))}, got ${JSON.stringify(address)}`,
    );
  return key.value;
}
