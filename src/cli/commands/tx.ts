import { sha256 } from "../../crypto/index.ts";
import { parseHex, utf8 } from "../../kernel/index.ts";
import { deviceProofBytes, LIMITS } from "../../protocol/index.ts";
import { NODE_FLAGS, NodeClient } from "../client.ts";
import { type Command, type CommandInput, parseAmount, required, UsageError } from "../command.ts";
import { readBytes } from "../files.ts";
import { openSigner } from "../signer.ts";
import { keyOf, SIGN_FLAGS, signAndSubmit, submitBytes, WAIT_FLAG } from "../submit.ts";

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
    return await signAndSubmit(input, terminal, ({ sender, genesisHash }) => {
      const proof = device.sign(deviceProofBytes(genesisHash, device.publicKey, sender));
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
