import type { LinkProfile } from "../protocol/index.ts";

/** Whom an aggregator speaks of: a node's name within a network (hex of the genesis hash). */
export type NodeRef = { readonly network: string; readonly node: string };

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
};
