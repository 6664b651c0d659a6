import type { LinkProfile } from "../protocol/index.ts";

/** Whom an aggregator speaks of: a node's name within a network (hex of the genesis hash). */
export type NodeRef = { readonly network: string; readonly node: string };

/** What differs for one node from the quota of all, in bytes; undefined: nothing. */
export type NodeQuota = { readonly eventBytes?: number; readonly objectBytes?: number };

/** A node that was admitted. Times in ms since the Unix epoch. */
export type EnrolledNode = NodeRef & {
  /** Public key of its identity, 32 bytes: signs hellos, heartbeats and checkpoints. */
  readonly identityKey: Uint8Array;
  /** From its last hello; absent on an observer. 32 bytes. */
  readonly validatorKey?: Uint8Array;
  readonly software: string;
  readonly profile: LinkProfile;
  readonly site: string;
  readonly status: "enrolled" | "revoked";
  readonly enrolledAtMs: number;
  readonly lastHelloAtMs: number;
  /** Bytes that an administrator allows it in place of the aggregator's own quota; set by `setQuota` alone. */
  readonly quota?: NodeQuota;
};
