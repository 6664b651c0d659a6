import { bytesEqual, CborReader, CborWriter, concatBytes, err, ok, type Result, utf8 } from "../kernel/index.ts";
import { type Binding, isBindingValid } from "./node-key.ts";

/** Versions of the protocol between nodes that one program speaks, the newest last. */
export type VersionRange = { readonly min: number; readonly max: number };

/**
 * What this release speaks. A release speaks the newest version and the one before it, so that a network can be upgraded
 * box by box; two nodes use the newest that both speak.
 */
export const PROTOCOL_VERSIONS: VersionRange = { min: 1, max: 2 };

/** Bytes of an encoded hello. */
export const HELLO_BYTES_MAX = 64 * 1024;
const TIP_BYTES_MAX = 48 * 1024;
const SOFTWARE_BYTES_MAX = 64;
const EXTENSION_BYTES_MAX = 1_024;
/** Layout of the hello itself, apart from the versions that it negotiates; it changes only where no node could answer. */
const HELLO_FORMAT = 1;

/** The first words of both ends of a connection. */
export type Hello = {
  readonly versions: VersionRange;
  /** Hash of the genesis document, 32 bytes, which is the chain id. */
  readonly chainId: Uint8Array;
  /** Eight random bytes, drawn when the process starts: a peer that restarted has another. */
  readonly instance: Uint8Array;
  /** Absent from an observer, which is known by its node key. */
  readonly binding?: Binding;
  /** Proof of the highest final block, as the node encodes it; a claimed height without one counts as nothing. */
  readonly tip?: Uint8Array;
  /** Name and version of the program, up to 64 bytes of UTF-8; shown, never trusted. */
  readonly software: string;
};

/**
 * Why two nodes do not talk. The words are stable: they travel in the goodbye, and status and logs show them.
 * `duplicate`: another connection of the pair is kept; `notAllowed`: neither a validator nor on the allow-list, and no
 * place for observers is left; `unexpectedKey`: not the key that the configuration names at this address; `twin`: another box
 * runs the same key and was here first.
 */
export type Refusal =
  | "otherChain"
  | "noCommonVersion"
  | "badBinding"
  | "ownKey"
  | "unexpectedKey"
  | "notAllowed"
  | "banned"
  | "duplicate"
  | "malformed"
  | "twin";

/** What a hello that is answered tells. */
export type Greeted = {
  /** The key the other end is known by: of the validator, or of the node for an observer. */
  readonly key: Uint8Array;
  readonly isBound: boolean;
  /** Version that both use from here on. */
  readonly version: number;
};

/** Canonical CBOR: array [format, version min, version max, chain id, instance, [binding key, signature] or [], [tip] or [], software, extension]. */
export function encodeHello({ versions, chainId, instance, binding, tip, software }: Hello): Uint8Array {
  const w = new CborWriter(256).array(9).uint(HELLO_FORMAT).uint(versions.min).uint(versions.max).bytes(chainId).bytes(instance);
  w.array(binding ? 2 : 0);
  if (binding) w.bytes(binding.validatorKey).bytes(binding.signature);
  w.array(tip ? 1 : 0);
  if (tip) w.bytes(tip);
  return w.text(software).bytes(new Uint8Array(0)).finish();
}

/** Reads a hello. What a later release says in the extension, this one ignores. */
export function decodeHello(bytes: Uint8Array): Result<Hello, "malformed"> {
  const r = new CborReader(bytes);
  if (r.array(9) !== 9) r.reject();
  r.key(HELLO_FORMAT);
  const versions = { min: r.uint(), max: r.uint() };
  const chainId = r.bytes(32);
  const instance = r.bytes(8);
  const isBound = r.array(2);
  if (isBound === 1) r.reject();
  const binding = isBound === 2 ? { validatorKey: r.bytes(32), signature: r.bytes(64) } : undefined;
  const tip = r.array(1) === 1 ? r.bytes(1, TIP_BYTES_MAX) : undefined;
  const software = r.text(0, SOFTWARE_BYTES_MAX);
  r.bytes(0, EXTENSION_BYTES_MAX);
  if (versions.min > versions.max) r.reject();
  if (!r.isComplete) return err("malformed");
  return ok({ versions, chainId, instance, ...(binding ? { binding } : {}), ...(tip ? { tip } : {}), software });
}

/** What a node holds against a hello: its own, and the node key that the connection has proven. */
export type Counterpart = { readonly own: Hello; readonly ownNodeKey: Uint8Array; readonly nodeKey: Uint8Array };

/**
 * Judges a hello: the same chain, a version in common, a binding that the validator key signed for the node key of this
 * very connection (R0), and not our own key at the other end.
 */
export function judgeHello(hello: Hello, { own, ownNodeKey, nodeKey }: Counterpart): Result<Greeted, Refusal> {
  if (!bytesEqual(hello.chainId, own.chainId)) return err("otherChain");
  const version = Math.min(hello.versions.max, own.versions.max);
  if (version < Math.max(hello.versions.min, own.versions.min)) return err("noCommonVersion");
  if (hello.binding && !isBindingValid(hello.binding, own.chainId, nodeKey)) return err("badBinding");
  const key = hello.binding?.validatorKey ?? nodeKey;
  if (bytesEqual(key, own.binding?.validatorKey ?? ownNodeKey)) return err("ownKey");
  return ok({ key, isBound: hello.binding !== undefined, version });
}

const REFUSALS = {
  otherChain: 1,
  noCommonVersion: 2,
  badBinding: 3,
  ownKey: 4,
  notAllowed: 5,
  banned: 6,
  duplicate: 7,
  malformed: 8,
  unexpectedKey: 9,
  twin: 10,
} as const satisfies Record<Refusal, number>;

/** One byte that names a refusal on the wire, and text after it: of `twin` where the other box is. */
export function encodeRefusal(refusal: Refusal, detail = ""): Uint8Array {
  return concatBytes(Uint8Array.of(REFUSALS[refusal]), utf8(detail));
}

/** The refusal that a goodbye names; undefined for one of a later release. */
export function decodeRefusal(payload: Uint8Array): Refusal | undefined {
  const [code] = payload;
  for (const [name, value] of Object.entries(REFUSALS)) if (value === code) return name as Refusal;
  return undefined;
}
