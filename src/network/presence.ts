import { DOMAIN_TAGS, signEd25519, verifyEd25519 } from "../crypto/index.ts";
import { assert, CborReader, CborWriter, concatBytes, err, ok, type Result } from "../kernel/index.ts";
import { type Binding, isBindingValid } from "./node-key.ts";

/** What a node does for others. */
export type Services = {
  /** It carries connections between nodes that cannot reach each other. */
  readonly isRelay: boolean;
  /** It keeps every block for ever: who misses old ones asks it. */
  readonly isArchive: boolean;
};

/** A node's own word on who it is and where it is reached; it travels from node to node, so it proves itself. */
export type Presence = {
  /** Key of its connections, 32 bytes. */
  readonly nodeKey: Uint8Array;
  /** Absent from an observer. */
  readonly binding?: Binding;
  /** Eight random bytes of the process that says it. */
  readonly instance: Uint8Array;
  /** Grows from word to word of one node; the wall clock in milliseconds, or one more than the last. */
  readonly sequence: number;
  readonly services: Services;
  /** Multiaddrs, the most direct first; none for a node that only dials. */
  readonly addresses: readonly string[];
};

/** Addresses in one presence, and bytes of one of them. */
export const ADDRESSES_MAX = 8;
const ADDRESS_BYTES_MAX = 300;
/** Bytes of an encoded presence. */
const PRESENCE_BYTES_MAX = 4_096;
const IS_RELAY = 1;
const IS_ARCHIVE = 2;

/** Canonical CBOR: array [body, signature (64)], the node key's over tag | chain id | body. */
export function signPresence(presence: Presence, chainId: Uint8Array, nodeSeed: Uint8Array): Uint8Array {
  assert(presence.addresses.length <= ADDRESSES_MAX, "a presence has a few addresses");
  const body = encodeBody(presence);
  const signature = signEd25519(nodeSeed, concatBytes(DOMAIN_TAGS.presence, chainId, body));
  return new CborWriter(body.length + 80).array(2).bytes(body).bytes(signature).finish();
}

/** An encoded presence as it was read: what it says, and what proves it. */
export type SignedPresence = { readonly presence: Presence; readonly body: Uint8Array; readonly signature: Uint8Array };

/** Reads a presence and proves nothing yet. What a later release says in other services, this one ignores. */
export function decodePresence(bytes: Uint8Array): Result<SignedPresence, "malformed"> {
  if (bytes.length > PRESENCE_BYTES_MAX) return err("malformed");
  const outer = new CborReader(bytes);
  if (outer.array(2) !== 2) outer.reject();
  const body = outer.bytes(1, PRESENCE_BYTES_MAX);
  const signature = outer.bytes(64);
  if (!outer.isComplete) return err("malformed");
  const r = new CborReader(body);
  if (r.array(6) !== 6) r.reject();
  const nodeKey = r.bytes(32);
  const isBound = r.array(2);
  if (isBound === 1) r.reject();
  const binding = isBound === 2 ? { validatorKey: r.bytes(32), signature: r.bytes(64) } : undefined;
  const instance = r.bytes(8);
  const sequence = r.uint();
  const services = r.uint();
  const addresses: string[] = [];
  for (let left = r.array(ADDRESSES_MAX); left > 0; left--) addresses.push(r.text(1, ADDRESS_BYTES_MAX));
  if (!r.isComplete) return err("malformed");
  const presence = {
    nodeKey,
    ...(binding ? { binding } : {}),
    instance,
    sequence,
    services: { isRelay: services % 2 === IS_RELAY, isArchive: Math.floor(services / IS_ARCHIVE) % 2 === 1 },
    addresses,
  };
  return ok({ presence, body, signature });
}

/** Whether the node key signed it, and the validator key named in it the node key. */
export function isPresenceProven({ presence, body, signature }: SignedPresence, chainId: Uint8Array): boolean {
  const { nodeKey, binding } = presence;
  if (!verifyEd25519(nodeKey, concatBytes(DOMAIN_TAGS.presence, chainId, body), signature)) return false;
  return binding === undefined || isBindingValid(binding, chainId, nodeKey);
}

function encodeBody({ nodeKey, binding, instance, sequence, services, addresses }: Presence): Uint8Array {
  const w = new CborWriter(512).array(6).bytes(nodeKey);
  w.array(binding ? 2 : 0);
  if (binding) w.bytes(binding.validatorKey).bytes(binding.signature);
  w.bytes(instance)
    .uint(sequence)
    .uint((services.isRelay ? IS_RELAY : 0) + (services.isArchive ? IS_ARCHIVE : 0))
    .array(addresses.length);
  for (const address of addresses) w.text(address);
  return w.finish();
}
