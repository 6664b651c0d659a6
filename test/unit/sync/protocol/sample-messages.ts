import { localSigner, sha256 } from "../../../../src/crypto/index.ts";
import { utf8 } from "../../../../src/kernel/index.ts";
import {
  type EscrowParcel,
  type Heartbeat,
  type Hello,
  joinBodies,
  packRecords,
  type SyncBatch,
  type SyncCursor,
  type Welcome,
} from "../../../../sync/protocol/index.ts";

/** Keys of a node's identity and of a witness. */
export const identity = localSigner(sha256(utf8("identity")));
export const witness = localSigner(sha256(utf8("witness")));
export const network = sha256(utf8("network"));

const session = sha256(utf8("session")).subarray(0, 16);
const bootId = sha256(utf8("boot")).subarray(0, 16);

export const hello: Hello = {
  node: "barn-7",
  network,
  identityKey: identity.publicKey,
  bootId,
  timeMs: 1_790_000_000_000,
  software: "0.1.0",
  validatorKey: sha256(utf8("validator")),
  profile: "metered",
  codecs: ["zstd", "plain"],
  lanes: [{ lane: "crit", epoch: 2, first: 3, last: 9, tipHash: sha256(utf8("tip")) }],
};

export const cursor: SyncCursor = { lane: "chain", epoch: 1, sequence: 77, hash: sha256(utf8("acked")) };

export const welcome: Welcome = {
  session,
  cursors: [cursor],
  creditBytes: 1_000_000,
  intervalMs: 250,
  timeMs: 1_790_000_000_123,
  witnessKey: witness.publicKey,
  configurationVersion: 4,
};

export const bodies = [utf8("one"), utf8("another"), new Uint8Array(16_384).fill(7)];
const plain = joinBodies(bodies);

export const parcel: EscrowParcel = {
  node: "barn-7",
  network,
  identityKey: identity.publicKey,
  epoch: 1,
  from: 10,
  to: 12,
  previousHash: sha256(utf8("before")),
  tipHash: sha256(utf8("after")),
  codec: "plain",
  plainBytes: 20,
  records: new Uint8Array(20).fill(3),
  checkpoint: "a note\n",
};

export const batch: SyncBatch = {
  session,
  lane: "ops",
  epoch: 1,
  from: 10,
  to: 12,
  previousHash: sha256(utf8("before")),
  tipHash: sha256(utf8("after")),
  codec: "zstd",
  plainBytes: plain.length,
  records: packRecords(plain, "zstd"),
  checkpoint: "a note\n",
};

export const heartbeat: Heartbeat = {
  session,
  node: "barn-7",
  bootId,
  sequence: 5,
  timeMs: 1_790_000_000_456,
  height: 1_000,
  epoch: 3,
  view: 40,
  state: "voting",
  isReady: false,
  reason: "the disk is nearly full",
  peers: 3,
  unacknowledgedMs: 1_200,
  metrics: [
    { name: "temperatureMilliCelsius", value: -5_250 },
    { name: "diskFreeBytes", value: 1_000_000 },
  ],
};
