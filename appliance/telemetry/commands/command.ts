import {
  type CoseSign1,
  type CryptoSuite,
  DOMAIN_TAGS,
  decodeCoseSign1,
  type Signer,
  signCoseSign1,
  verifyCoseSign1,
} from "../../../src/crypto/index.ts";
import { CborReader, CborWriter, err, ok, type Result } from "../../../src/kernel/index.ts";

/** What a fleet key may ask for; each role may do what the ones before it may. */
export const ROLES = ["viewer", "operator", "admin"] as const;

/** A role of a fleet key. */
export type Role = (typeof ROLES)[number];

/** Every verb, and the least role that may use it. */
export const VERB_ROLES = {
  ping: "viewer",
  report: "viewer",
  rebirth: "operator",
  logLevel: "operator",
  restart: "admin",
  stop: "admin",
} as const satisfies Readonly<Record<string, Role>>;

/** A verb that this release knows. */
export type Verb = keyof typeof VERB_ROLES;

/** What a fleet key signs: what is asked, of which node of which network, and for how long that holds. */
export type Command = {
  /** Hash of the network's genesis document, 32 bytes. */
  readonly chainId: Uint8Array;
  /** `{node}`. */
  readonly node: string;
  /** 1 to 32 of A-Z, a-z, 0-9. One that this release does not know is refused after the signature was checked. */
  readonly verb: string;
  /** By name in ascending order of their encodings; at most 16. */
  readonly args: Readonly<Record<string, string>>;
  /** Milliseconds since the Unix epoch, by the sender's clock. */
  readonly issuedAtMs: number;
  /** How long after that it may be taken, in milliseconds; at most `COMMAND_LIMITS.validityMsMax`. */
  readonly validityMs: number;
  /** 16 unpredictable bytes that no other command has. */
  readonly id: Uint8Array;
  /** 32 bytes of the key that signs: which of the fleet's keys to ask. */
  readonly key: Uint8Array;
};

/** Bounds of commands. */
export const COMMAND_LIMITS = {
  bytesMax: 4_096,
  argsMax: 16,
  argBytesMax: 256,
  validityMsMax: 300_000,
  /** How far the sender's clock may be ahead of this one, and how much longer than its validity a command is taken. */
  clockSkewMs: 30_000,
} as const;

/** The layout's number: the first item of the payload. */
const VERSION = 1;

/**
 * The payload that is signed: CBOR
 * `[1, chain id, node, verb, {name: value ...}, issued at, validity, id, key]`, canonical (RFC 8949 section 4.2.1).
 */
export function encodeCommand({ chainId, node, verb, args, issuedAtMs, validityMs, id, key }: Command): Uint8Array {
  const w = new CborWriter().array(9).uint(VERSION).bytes(chainId).text(node).text(verb);
  const names = Object.keys(args).sort(compareKeys);
  w.map(names.length);
  for (const name of names) w.text(name).text(args[name] ?? "");
  return w.uint(issuedAtMs).uint(validityMs).bytes(id).bytes(key).finish();
}

/** Reads such a payload; anything but the one encoding is malformed. */
export function decodeCommand(payload: Uint8Array): Result<Command, "malformed"> {
  const r = new CborReader(payload);
  if (r.array(9) !== 9 || r.uint() !== VERSION) return err("malformed");
  const chainId = r.bytes(32);
  const node = r.text(1, 64);
  const verb = r.text(1, 32);
  const count = r.map(COMMAND_LIMITS.argsMax);
  const args: Record<string, string> = {};
  let before: string | undefined;
  for (let i = 0; i < count && !r.isBroken; i++) {
    const name = r.text(1, 32);
    if (!/^[A-Za-z][A-Za-z0-9]*$/.test(name) || (before !== undefined && compareKeys(before, name) >= 0)) return err("malformed");
    args[name] = r.text(0, COMMAND_LIMITS.argBytesMax);
    before = name;
  }
  const [issuedAtMs, validityMs, id, key] = [r.uint(), r.uint(COMMAND_LIMITS.validityMsMax), r.bytes(16), r.bytes(32)];
  if (!r.isComplete || !/^[A-Za-z0-9]+$/.test(verb)) return err("malformed");
  return ok({ chainId, node, verb, args, issuedAtMs, validityMs, id, key });
}

/** Signs a command and gives the COSE_Sign1 that is published. The signature covers a tag of its own. */
export function signCommand(signer: Signer, command: Omit<Command, "key">): Uint8Array {
  return signCoseSign1(signer, DOMAIN_TAGS.fleetCommand, encodeCommand({ ...command, key: signer.publicKey }));
}

/** A command and the message that it came in, whose signature nobody has checked. */
export type ReadCommand = { readonly command: Command; readonly message: CoseSign1 };

/** Takes a signed command apart; says nothing about its signature, nor about what its key may do. */
export function readCommand(bytes: Uint8Array): Result<ReadCommand, "malformed"> {
  if (bytes.length > COMMAND_LIMITS.bytesMax) return err("malformed");
  const message = decodeCoseSign1(bytes);
  const command = message.ok ? decodeCommand(message.value.payload) : message;
  return message.ok && command.ok ? ok({ command: command.value, message: message.value }) : err("malformed");
}

/** Whether the key that a command names has signed it. */
export function isSigned({ command, message }: ReadCommand, suite: Pick<CryptoSuite, "verify" | "sha256">): boolean {
  return verifyCoseSign1(suite, command.key, DOMAIN_TAGS.fleetCommand, message);
}

/** Reads a command and checks its signature; says nothing about what its key may do. */
export function openCommand(
  bytes: Uint8Array,
  suite: Pick<CryptoSuite, "verify" | "sha256">,
): Result<Command, "malformed" | "badSignature"> {
  const read = readCommand(bytes);
  if (!read.ok) return read;
  return isSigned(read.value, suite) ? ok(read.value.command) : err("badSignature");
}

/** The order of short text keys in canonical CBOR: by length, then by bytes. Names are ASCII. */
function compareKeys(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
