import { utf8 } from "../kernel/index.ts";

/**
 * Every domain tag of the project as text. A tag opens what is hashed or signed for one purpose, so that bytes made for
 * one purpose never pass for another. No two are equal and none is a prefix of another (tested); a changed layout behind
 * a tag takes the next number.
 *
 * @see ledger.md for the transaction's tag, which outside signers write too
 */
export const DOMAIN_TAG_TEXTS = {
  transaction: "bizra/tx/1",
  batch: "bizra/batch/1",
  batchSignature: "bizra/batch-signature/1",
  block: "bizra/block/1",
  blockRow: "bizra/block-row/1",
  proposal: "bizra/proposal/1",
  vote: "bizra/vote/1",
  proofOfPossession: "bizra/pop/1",
  deviceProof: "bizra/device-proof/1",
  validatorKey: "bizra/validator-key/1",
  evidence: "bizra/evidence/1",
  bond: "bizra/bond/1",
  conviction: "bizra/conviction/1",
  genesis: "bizra/genesis/1",
  validatorSet: "bizra/validator-set/1",
  receipt: "bizra/receipt/1",
  effects: "bizra/effects/1",
  stateBucket: "bizra/state-bucket/1",
  event: "bizra/event/1",
  checkpoint: "bizra/checkpoint/1",
  nodeKey: "bizra/node-key/1",
  nodeKeySeed: "bizra/node-key-seed/1",
  webRtcKey: "bizra/webrtc-key/1",
  fleetCommand: "bizra/fleet-command/1",
  presence: "bizra/presence/1",
  syncHello: "bizra/sync-hello/1",
  syncHeartbeat: "bizra/sync-heartbeat/1",
  syncWitness: "bizra/sync-witness/1",
  syncEnrol: "bizra/sync-enrol/1",
  syncEscrow: "bizra/sync-escrow/1",
  backupManifest: "bizra/backup-manifest/1",
  backupPart: "bizra/backup-part/1",
  keyBinding: "bizra/key-binding/1",
  hardwarePart: "bizra/hardware-part/1",
  signingHistory: "bizra/signing-history/1",
} as const satisfies Readonly<Record<string, string>>;

/** What a hash or signature is for. */
export type DomainTag = keyof typeof DOMAIN_TAG_TEXTS;

/** The ASCII bytes of every domain tag. Shared arrays: read, never written. */
export const DOMAIN_TAGS: Readonly<Record<DomainTag, Uint8Array>> = {
  transaction: utf8(DOMAIN_TAG_TEXTS.transaction),
  batch: utf8(DOMAIN_TAG_TEXTS.batch),
  batchSignature: utf8(DOMAIN_TAG_TEXTS.batchSignature),
  block: utf8(DOMAIN_TAG_TEXTS.block),
  blockRow: utf8(DOMAIN_TAG_TEXTS.blockRow),
  proposal: utf8(DOMAIN_TAG_TEXTS.proposal),
  vote: utf8(DOMAIN_TAG_TEXTS.vote),
  proofOfPossession: utf8(DOMAIN_TAG_TEXTS.proofOfPossession),
  deviceProof: utf8(DOMAIN_TAG_TEXTS.deviceProof),
  validatorKey: utf8(DOMAIN_TAG_TEXTS.validatorKey),
  evidence: utf8(DOMAIN_TAG_TEXTS.evidence),
  bond: utf8(DOMAIN_TAG_TEXTS.bond),
  conviction: utf8(DOMAIN_TAG_TEXTS.conviction),
  genesis: utf8(DOMAIN_TAG_TEXTS.genesis),
  validatorSet: utf8(DOMAIN_TAG_TEXTS.validatorSet),
  receipt: utf8(DOMAIN_TAG_TEXTS.receipt),
  effects: utf8(DOMAIN_TAG_TEXTS.effects),
  stateBucket: utf8(DOMAIN_TAG_TEXTS.stateBucket),
  event: utf8(DOMAIN_TAG_TEXTS.event),
  checkpoint: utf8(DOMAIN_TAG_TEXTS.checkpoint),
  nodeKey: utf8(DOMAIN_TAG_TEXTS.nodeKey),
  nodeKeySeed: utf8(DOMAIN_TAG_TEXTS.nodeKeySeed),
  webRtcKey: utf8(DOMAIN_TAG_TEXTS.webRtcKey),
  fleetCommand: utf8(DOMAIN_TAG_TEXTS.fleetCommand),
  presence: utf8(DOMAIN_TAG_TEXTS.presence),
  syncHello: utf8(DOMAIN_TAG_TEXTS.syncHello),
  syncHeartbeat: utf8(DOMAIN_TAG_TEXTS.syncHeartbeat),
  syncWitness: utf8(DOMAIN_TAG_TEXTS.syncWitness),
  syncEnrol: utf8(DOMAIN_TAG_TEXTS.syncEnrol),
  syncEscrow: utf8(DOMAIN_TAG_TEXTS.syncEscrow),
  backupManifest: utf8(DOMAIN_TAG_TEXTS.backupManifest),
  backupPart: utf8(DOMAIN_TAG_TEXTS.backupPart),
  keyBinding: utf8(DOMAIN_TAG_TEXTS.keyBinding),
  hardwarePart: utf8(DOMAIN_TAG_TEXTS.hardwarePart),
  signingHistory: utf8(DOMAIN_TAG_TEXTS.signingHistory),
};
