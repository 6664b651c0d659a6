/**
 * A client that shares no code with the project: node:crypto for Ed25519 and SHA-256, and CBOR, COSE and bech32m written
 * out by hand from RFC 8949, RFC 9052 and BIP 350. What it makes, the node must take; what it is told, it checks itself.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readFileSync } from "node:fs";

/** Bytes that stand where a value is expected, as they are: how forms that no encoder would write are made. */
export class Raw {
  readonly bytes: Buffer;

  /** @param hex the bytes in hex */
  constructor(hex: string | Buffer) {
    this.bytes = typeof hex === "string" ? Buffer.from(hex, "hex") : hex;
  }
}

/** A CBOR value as this client writes it: a number or bigint, a claim, bytes, text, a list, a map with integer keys, or raw bytes. */
export type Cbor = number | bigint | boolean | Buffer | string | Raw | readonly Cbor[] | ReadonlyMap<number, Cbor>;

/** The head of an item: major type and argument in its shortest form. */
export function head(major: number, argument: bigint): Buffer {
  const type = major << 5;
  if (argument < 24n) return Buffer.from([type | Number(argument)]);
  if (argument < 0x100n) return Buffer.from([type | 24, Number(argument)]);
  const widths = [
    { below: 0x1_0000n, info: 25, bytes: 2 },
    { below: 0x1_0000_0000n, info: 26, bytes: 4 },
    { below: 0x1_0000_0000_0000_0000n, info: 27, bytes: 8 },
  ];
  const width = widths.find((w) => argument < w.below);
  if (!width) throw new Error("beyond 64 bits");
  const out = Buffer.alloc(1 + width.bytes);
  out[0] = type | width.info;
  for (let i = 0; i < width.bytes; i++) out[width.bytes - i] = Number((argument >> BigInt(8 * i)) & 0xffn);
  return out;
}

/** Deterministic CBOR of a value; map entries in the order of the map. */
export function cbor(value: Cbor): Buffer {
  if (typeof value === "number" || typeof value === "bigint") return head(0, BigInt(value));
  if (typeof value === "boolean") return Buffer.from([value ? 0xf5 : 0xf4]);
  if (value instanceof Raw) return value.bytes;
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, BigInt(value.length)), value]);
  if (typeof value === "string") {
    const text = Buffer.from(value, "utf8");
    return Buffer.concat([head(3, BigInt(text.length)), text]);
  }
  if (value instanceof Map) {
    const entries = [...value.entries()] as [number, Cbor][];
    return Buffer.concat([head(5, BigInt(entries.length)), ...entries.flatMap(([k, v]) => [cbor(k), cbor(v)])]);
  }
  const items = value as readonly Cbor[];
  return Buffer.concat([head(4, BigInt(items.length)), ...items.map(cbor)]);
}

/** A map with integer keys, in the order given. */
export function map(...entries: readonly (readonly [number, Cbor])[]): ReadonlyMap<number, Cbor> {
  return new Map(entries);
}

/** A key pair read from a PKCS#8 PEM file. */
export type Keys = { readonly privateKey: KeyObject; readonly publicKey: Buffer };

/** Reads an Ed25519 private key that any tool may have made. */
export function readKeys(path: string): Keys {
  return keysOf(createPrivateKey(readFileSync(path, "utf8")));
}

/** A key pair that nobody has used before. */
export function newKeys(): Keys {
  return keysOf(generateKeyPairSync("ed25519").privateKey);
}

function keysOf(privateKey: KeyObject): Keys {
  const jwk = createPublicKey(privateKey).export({ format: "jwk" });
  return { privateKey, publicKey: Buffer.from(jwk.x ?? "", "base64url") };
}

/** What a transaction says, apart from its sender. */
export type Order = {
  readonly type: number;
  readonly nonce: bigint | number;
  readonly fee: bigint | number;
  readonly validUntil: bigint | number;
  readonly body: Cbor;
};

/** A signed transaction: its COSE_Sign1 bytes and its id in hex. */
export type Signed = { readonly encoded: Buffer; readonly id: string };

/** The one protected header: { 1: -8 }. */
export const PROTECTED = Buffer.from("a10127", "hex");

/** external_aad of a chain: "bizra/tx/1" | genesis hash. */
export function aadOf(genesisHash: Buffer): Buffer {
  return Buffer.concat([Buffer.from("bizra/tx/1", "ascii"), genesisHash]);
}

/** The payload of an order. */
export function payloadOf(sender: Buffer, order: Order): Buffer {
  return cbor(map([1, order.type], [2, sender], [3, order.nonce], [4, order.fee], [5, order.validUntil], [6, order.body]));
}

/** The signature over a payload in its context (RFC 9052 section 4.4). */
export function signPayload(keys: Keys, aad: Buffer, payload: Buffer): Buffer {
  return sign(null, cbor(["Signature1", PROTECTED, aad, payload]), keys.privateKey);
}

/** COSE_Sign1 of its parts, tagged. */
export function coseOf(payload: Buffer, signature: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xd2]), cbor([PROTECTED, map(), payload, signature])]);
}

/** Id of a payload. */
function idOf(aad: Buffer, payload: Buffer): string {
  return createHash("sha256").update(aad).update(payload).digest("hex");
}

/** Signs an order for a chain: COSE_Sign1 with external_aad "bizra/tx/1" | genesis hash. */
export function signOrder(keys: Keys, genesisHash: Buffer, order: Order): Signed {
  const payload = payloadOf(keys.publicKey, order);
  const aad = aadOf(genesisHash);
  return { encoded: coseOf(payload, signPayload(keys, aad, payload)), id: idOf(aad, payload) };
}

/** Body of a transfer. */
export function transferBody(to: Buffer, amount: bigint | number): Cbor {
  return map([1, to], [2, amount]);
}

/** Body of an anchor of inline data. */
export function anchorBody(stream: string, data: Buffer): Cbor {
  return map([1, stream], [3, data]);
}

/** Body that makes the owner sponsor a device: `proof` is the device key's consent. */
export function deviceRegisterBody(device: Keys, owner: Buffer, genesisHash: Buffer, perHour: number, bytesPerHour: number): Cbor {
  const consent = Buffer.concat([Buffer.from("bizra/device-proof/1", "ascii"), genesisHash, device.publicKey, owner]);
  return map([1, device.publicKey], [2, "gauge"], [3, perHour], [4, bytesPerHour], [5, sign(null, consent, device.privateKey)]);
}

const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

function polymod(values: readonly number[]): number {
  const generators = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
  let check = 1;
  for (const value of values) {
    const top = check >>> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    for (const [i, generator] of generators.entries()) if ((top >>> i) & 1) check ^= generator;
  }
  return check;
}

/** bech32m address with prefix bz of a 32-byte key. */
export function addressOf(publicKey: Buffer): string {
  const words: number[] = [];
  let bits = 0;
  let held = 0;
  for (const byte of publicKey) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      words.push((held >> bits) & 31);
    }
    held &= (1 << bits) - 1;
  }
  if (bits > 0) words.push((held << (5 - bits)) & 31);
  const prefix = [..."bz"]
    .map((c) => c.charCodeAt(0) >> 5)
    .concat(
      0,
      [..."bz"].map((c) => c.charCodeAt(0) & 31),
    );
  const check = polymod([...prefix, ...words, 0, 0, 0, 0, 0, 0]) ^ 0x2bc830a3;
  const checksum = Array.from({ length: 6 }, (_, i) => (check >>> (5 * (5 - i))) & 31);
  return `bz1${[...words, ...checksum].map((w) => ALPHABET[w]).join("")}`;
}
