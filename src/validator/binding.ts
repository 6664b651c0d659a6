import { DOMAIN_TAGS, type Signer, sha256 } from "../crypto/index.ts";
import { assert, bytesEqual, CborReader, CborWriter, err, ok, type Result, toHex, utf8 } from "../kernel/index.ts";
import { HARDWARE_SOURCES, type Hardware, type HardwareKind, type HardwareSource, SOURCE_NAMES } from "./hardware.ts";

/** Verifies one Ed25519 signature by the project's rule. */
export type VerifyKeySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** The machine that a validator key belongs to, by digests that only this key's bindings share. */
export type KeyBinding = {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Wall clock, ms since the Unix epoch; for people. */
  readonly boundAtMs: number;
  /** SHA-256 of what each source said, 64 hex digits each. */
  readonly parts: Readonly<Partial<Record<HardwareSource, readonly string[]>>>;
};

/** How a machine compares with the one that a key is bound to. */
export type HardwareVerdict =
  /** The same, `changed` parts aside; `isStale` when the binding should be written anew with what is there now. */
  | { readonly kind: "same"; readonly changed: readonly HardwareKind[]; readonly isStale: boolean }
  /** Another one. */
  | { readonly kind: "other"; readonly differing: readonly HardwareKind[] };

const VALUES_MAX = 64;
const BINDING_BYTES_MAX = 64 * 1024;
const KINDS: readonly HardwareKind[] = ["system", "board", "disk", "network"];

/** Binds a key to a machine as it is now. What a machine does not say is not held against another. */
export function bindingOf(publicKey: Uint8Array, hardware: Hardware, nowMs: number): KeyBinding {
  assert(publicKey.length === 32, "a public key has 32 bytes");
  return { publicKey, boundAtMs: nowMs, parts: digestsOf(publicKey, hardware) };
}

/**
 * Whether a machine is the one of a binding. Kinds of which both say something are compared: at least as many must agree
 * as differ, and one of them be a real part (board, disk or card), unless the installation's id is all that there is. So one
 * exchanged part, or a new installation, is no other machine, and a copied disk image on another one is.
 *
 * @see cloud DR-3
 */
export function judgeHardware(binding: KeyBinding, hardware: Hardware): HardwareVerdict {
  const here = digestsOf(binding.publicKey, hardware);
  const verdicts = KINDS.map((kind) => ({ kind, verdict: compareKind(kind, binding.parts, here) }));
  const agreeing = verdicts.filter(({ verdict }) => verdict === "agrees").map(({ kind }) => kind);
  const differing = verdicts.filter(({ verdict }) => verdict === "differs").map(({ kind }) => kind);
  const isRealCompared = [...agreeing, ...differing].some((kind) => kind !== "system");
  const isAnchored = isRealCompared ? agreeing.some((kind) => kind !== "system") : agreeing.length > 0;
  const saysNothing = SOURCE_NAMES.every((source) => (binding.parts[source] ?? []).length === 0);
  if (!saysNothing && !(isAnchored && agreeing.length >= differing.length)) return { kind: "other", differing };
  const isStale = SOURCE_NAMES.some((source) => here[source] !== undefined && here[source]?.join() !== binding.parts[source]?.join());
  return { kind: "same", changed: differing, isStale };
}

/** The binding with what the machine says now; what it does not say at the moment stays as it was. */
export function renewedBinding(binding: KeyBinding, hardware: Hardware, nowMs: number): KeyBinding {
  assert(judgeHardware(binding, hardware).kind === "same", "only the machine that a key is bound to renews its binding");
  return { ...binding, boundAtMs: nowMs, parts: { ...binding.parts, ...digestsOf(binding.publicKey, hardware) } };
}

/** Encodes and signs with the bound key itself, so that who edits the file needs its passphrase: array [body, signature]. */
export function encodeBinding(binding: KeyBinding, key: Signer): Uint8Array {
  assert(bytesEqual(key.publicKey, binding.publicKey), "a binding is signed by the key that it binds");
  const named = SOURCE_NAMES.filter((source) => binding.parts[source] !== undefined);
  const w = new CborWriter(1024).array(4).uint(1).bytes(binding.publicKey).uint(binding.boundAtMs).array(named.length);
  for (const source of named) {
    const values = binding.parts[source] ?? [];
    w.array(2).text(source).array(values.length);
    for (const value of values) w.text(value);
  }
  const body = w.finish();
  return new CborWriter(body.length + 80)
    .array(2)
    .bytes(body)
    .bytes(key.sign(signBytes(body)))
    .finish();
}

/** Reads the binding of a key. Sources of a later release are passed over. */
export function decodeBinding(
  bytes: Uint8Array,
  publicKey: Uint8Array,
  verify: VerifyKeySignature,
): Result<KeyBinding, "malformed" | "otherKey" | "badSignature"> {
  const outer = new CborReader(bytes);
  if (outer.array(2) !== 2) outer.reject();
  const body = outer.bytes(1, BINDING_BYTES_MAX);
  const signature = outer.bytes(64);
  if (!outer.isComplete) return err("malformed");
  const r = new CborReader(body);
  if (r.array(4) !== 4 || r.uint() !== 1) r.reject();
  const head = { publicKey: r.bytes(32), boundAtMs: r.uint() };
  const parts: Partial<Record<HardwareSource, readonly string[]>> = {};
  for (let left = r.array(VALUES_MAX); left > 0 && !r.isBroken; left--) {
    if (r.array(2) !== 2) r.reject();
    const name = r.text(1, 32);
    const source = SOURCE_NAMES.find((known) => known === name);
    const values = Array.from({ length: r.array(VALUES_MAX) }, () => r.text(64, 64));
    if (source) parts[source] = values;
  }
  if (!r.isComplete) return err("malformed");
  if (!bytesEqual(head.publicKey, publicKey)) return err("otherKey");
  return verify(publicKey, signBytes(body), signature) ? ok({ ...head, parts }) : err("badSignature");
}

type Digests = KeyBinding["parts"];

/** Agrees when one value of one source is on both sides; differs when both say something and nothing is common. */
function compareKind(kind: HardwareKind, bound: Digests, here: Digests): "agrees" | "differs" | "unknown" {
  const common = SOURCE_NAMES.filter((s) => HARDWARE_SOURCES[s] === kind && bound[s]?.length && here[s]?.length);
  if (common.length === 0) return "unknown";
  return common.some((source) => bound[source]?.some((value) => here[source]?.includes(value))) ? "agrees" : "differs";
}

function digestsOf(publicKey: Uint8Array, hardware: Hardware): Digests {
  const digests: Partial<Record<HardwareSource, readonly string[]>> = {};
  for (const source of SOURCE_NAMES) {
    const values = hardware[source]?.slice(0, VALUES_MAX);
    if (values?.length) digests[source] = values.map((value) => toHex(digestOf(publicKey, source, value))).sort();
  }
  return digests;
}

function digestOf(publicKey: Uint8Array, source: HardwareSource, value: string): Uint8Array {
  return sha256(DOMAIN_TAGS.hardwarePart, publicKey, utf8(`${source}=${value}`));
}

function signBytes(body: Uint8Array): Uint8Array {
  return sha256(DOMAIN_TAGS.keyBinding, body);
}
