import { bytesEqual, type Prng, present, toHex } from "../../src/kernel/index.ts";
import {
  type BlockHeader,
  blockHashOf,
  type Certificate,
  decodeBlockHeader,
  decodeCertificate,
  type EpochHop,
  encodeBlockHeader,
  encodeCertificate,
  type FinalHeaders,
  makeBitmap,
  makeValidatorSet,
  parseBitmap,
  statementOf,
  type ValidatorSet,
  VOTE_KIND,
  type VoteStatement,
  voteSignBytes,
} from "../../src/protocol/index.ts";
import type { LightClientMaterial } from "./light-client-material.ts";

/** What someone answers to "is this block final": steps into its epoch and its headers. */
export type Answer = { readonly hops: readonly EpochHop[]; readonly final: FinalHeaders };

/** Makes a lie about a final block from what a run brought forth; undefined when there is nothing to make it of. */
export type Liar = (truth: Answer, material: LightClientMaterial, prng: Prng) => Answer | undefined;

/** Every kind of lie by its name. Bytes that do not even decode never reach a client and are no lies. */
export const LIARS = {
  subQuorum: (truth, material) => {
    const { finalization } = truth.final;
    const set = material.rules.setOf(finalization.epoch);
    return set.validators.length === 1 ? undefined : withFinalization(truth, fewerSigners(finalization, set));
  },
  duplicateSigners: (truth, material) => {
    const { finalization } = truth.final;
    const count = material.rules.setOf(finalization.epoch).validators.length;
    const [first] = finalization.signatures;
    if (!first || count === 1) return undefined;
    return withFinalization(truth, {
      ...finalization,
      bitmap: makeBitmap([...range(count)], count),
      signatures: range(count).map(() => first),
    });
  },
  repeatedSignature: (truth, material) => {
    const { finalization } = truth.final;
    const count = material.rules.setOf(finalization.epoch).validators.length;
    const [first] = finalization.signatures;
    const [signer] = parseBitmap(finalization.bitmap, count) ?? [];
    if (!first || signer === undefined || count === 1) return undefined;
    return withFinalization(truth, {
      ...finalization,
      bitmap: makeBitmap([signer], count),
      signatures: finalization.signatures.map(() => first),
    });
  },
  wrongEpochOfCertificate: (truth) => {
    const { finalization } = truth.final;
    const epoch = finalization.epoch + 1;
    const { proposal } = finalization;
    return proposal && withFinalization(truth, { ...finalization, epoch, proposal: { ...proposal, epoch } });
  },
  wrongEpochOfHeader: (truth) => changeHeader(truth, (header) => ({ ...header, epoch: header.epoch + 1 })),
  hopSkipped: (truth, _material, prng) => {
    const skipped = prng.below(Math.max(1, truth.hops.length));
    return truth.hops.length === 0 ? undefined : { ...truth, hops: truth.hops.filter((_, i) => i !== skipped) };
  },
  hopRepeated: (truth) => (truth.hops[0] ? { ...truth, hops: [truth.hops[0], ...truth.hops] } : undefined),
  otherNextSet: (truth, material) => changeLastHop(truth, (hop) => ({ ...hop, nextSet: takenOver(hop.nextSet, material) })),
  otherNextSetCommitted: (truth, material) =>
    changeLastHop(truth, (hop) => {
      const nextSet = takenOver(hop.nextSet, material);
      const headers = hop.headers.map((each, i) => (i === hop.headers.length - 1 ? { ...each, nextValidatorSetHash: nextSet.hash } : each));
      return { ...hop, headers, nextSet, finalization: renamed(hop.finalization, headers[0]) };
    }),
  hopOverCommonBlock: (truth, material) => {
    const { headers, finalization } = truth.final;
    if (headers.at(-1)?.nextValidatorSetHash !== undefined) return undefined;
    const next = material.rules.setOf(finalization.epoch);
    return { hops: [...truth.hops, { headers, finalization, nextSet: next }], final: truth.final };
  },
  swappedHeader: (truth, material, prng) => {
    const other = material.at(1 + prng.below(material.finals.length)).block.header;
    return { ...truth, final: { ...truth.final, headers: [other] } };
  },
  swappedFinalization: (truth, material, prng) => withFinalization(truth, material.at(1 + prng.below(material.finals.length)).finalization),
  otherStateRoot: (truth, _material, prng) => changeHeader(truth, (header) => ({ ...header, stateRoot: prng.bytes(32) })),
  otherReceiptRoot: (truth, _material, prng) => changeHeader(truth, (header) => ({ ...header, receiptRoot: prng.bytes(32) })),
  otherChain: (truth, _material, prng) => changeHeader(truth, (header) => ({ ...header, chainId: prng.bytes(32) })),
  childInvented: (truth, _material, prng) => {
    const [first] = truth.final.headers;
    const child = { ...present(first, "a header"), height: (first?.height ?? 0) + 1, parentHash: prng.bytes(32) };
    return { ...truth, final: { ...truth.final, headers: [child, ...truth.final.headers] } };
  },
  ancestorInvented: (truth, _material, prng) => {
    const last = present(truth.final.headers.at(-1), "a header");
    const invented = { ...last, height: last.height - 1, stateRoot: prng.bytes(32) };
    return { ...truth, final: { ...truth.final, headers: [...truth.final.headers, invented] } };
  },
  nullificationInstead: (truth, material) => {
    const { finalization } = truth.final;
    const held = material.overheard("nullify", finalization.epoch);
    const { proposal: _proposal, ...bare } = finalization;
    return withFinalization(truth, held ?? { ...bare, kind: VOTE_KIND.nullify });
  },
  nullificationNamed: (truth, material) => {
    const { proposal, epoch } = truth.final.finalization;
    const held = material.overheard("nullify", epoch);
    return held && proposal && withFinalization(truth, { ...held, kind: VOTE_KIND.finalize, proposal: { ...proposal, view: held.view } });
  },
  notarizationInstead: (truth, material) => notarized(truth, material, (certificate) => certificate),
  notarizationRelabelled: (truth, material) => notarized(truth, material, (certificate) => ({ ...certificate, kind: VOTE_KIND.finalize })),
  abandonedBlock: (truth, material) => {
    const { finalization } = truth.final;
    const header = material.proposed.find((block) => !material.isFinal(block.header) && block.header.epoch === finalization.epoch)?.header;
    return header && { ...truth, final: { headers: [header], finalization: renamed(finalization, header) } };
  },
  traitorsAlone: (truth, material) => {
    const { finalization } = truth.final;
    const forged = forgedHeader(truth);
    return { ...truth, final: { headers: [forged], finalization: signedByTraitors(renamed(finalization, forged), material, false) } };
  },
  traitorsAndOldSignatures: (truth, material) => {
    const { finalization } = truth.final;
    const forged = forgedHeader(truth);
    return { ...truth, final: { headers: [forged], finalization: signedByTraitors(renamed(finalization, forged), material, true) } };
  },
  bitFlippedCertificate: (truth, _material, prng) => {
    const decoded = decodeCertificate(flipped(encodeCertificate(truth.final.finalization), prng));
    return decoded.ok ? withFinalization(truth, decoded.value) : undefined;
  },
  bitFlippedHeader: (truth, _material, prng) =>
    changeHeader(truth, (header) => {
      const decoded = decodeBlockHeader(flipped(encodeBlockHeader(header), prng));
      return decoded.ok ? decoded.value : undefined;
    }),
} as const satisfies Record<string, Liar>;

function withFinalization(truth: Answer, finalization: Certificate): Answer {
  return { ...truth, final: { ...truth.final, finalization } };
}

/** Changes the header that is asked for, and lets the certificate name the change where it names that header. */
function changeHeader(truth: Answer, change: (header: BlockHeader) => BlockHeader | undefined): Answer | undefined {
  const { headers, finalization } = truth.final;
  const changed = change(present(headers.at(-1), "a header"));
  if (!changed) return undefined;
  const all = [...headers.slice(0, -1), changed];
  return { ...truth, final: { headers: all, finalization: headers.length === 1 ? renamed(finalization, changed) : finalization } };
}

function changeLastHop(truth: Answer, change: (hop: EpochHop) => EpochHop): Answer | undefined {
  const last = truth.hops.at(-1);
  return last && { ...truth, hops: [...truth.hops.slice(0, -1), change(last)] };
}

/** The certificate's signatures over the name of another block. */
function renamed(certificate: Certificate, header: BlockHeader | undefined): Certificate {
  const { proposal } = certificate;
  return header && proposal ? { ...certificate, proposal: { ...proposal, blockHash: blockHashOf(header) } } : certificate;
}

/** As many signers as stay below weight Q. */
function fewerSigners(certificate: Certificate, set: ValidatorSet): Certificate {
  const signers = parseBitmap(certificate.bitmap, set.validators.length) ?? [];
  let weight = 0n;
  const kept = signers.filter((signer) => {
    const more = weight + (set.validators[signer]?.weight ?? 0n);
    if (more >= set.quorumWeight) return false;
    weight = more;
    return true;
  });
  const signatures = kept.map((signer) => present(certificate.signatures[signers.indexOf(signer)], "a signature for each signer"));
  return { ...certificate, bitmap: makeBitmap(kept, set.validators.length), signatures };
}

/** A set in which traitors, or one member alone, decide. */
function takenOver(set: ValidatorSet, { traitors }: LightClientMaterial): ValidatorSet {
  const member = set.validators.find(({ publicKey }) => traitors.some((key) => bytesEqual(key.publicKey, publicKey))) ?? set.validators[0];
  const made = makeValidatorSet([{ ...present(member, "a set has members"), weight: 7n }]);
  if (!made.ok) throw new Error(`one member is a set: ${made.error}`);
  return made.value;
}

/** A true notarization of the epoch, best of a block that never became final, in the place of the finalization. */
function notarized(truth: Answer, material: LightClientMaterial, change: (certificate: Certificate) => Certificate): Answer | undefined {
  const { epoch } = truth.final.finalization;
  const known = material.certificates.filter((each) => each.kind === VOTE_KIND.notarize && each.epoch === epoch && each.proposal);
  const isAbandoned = (each: Certificate): boolean => !material.heightOf.has(toHex(each.proposal?.blockHash ?? new Uint8Array()));
  const certificate = known.find(isAbandoned) ?? known[0];
  const block = material.proposed.find(
    ({ header }) => certificate?.proposal && bytesEqual(blockHashOf(header), certificate.proposal.blockHash),
  );
  return certificate && block && { ...truth, final: { headers: [block.header], finalization: change(certificate) } };
}

function forgedHeader({ final }: Answer): BlockHeader {
  const last = present(final.headers.at(-1), "a header");
  return { ...last, timeMs: last.timeMs + 1 };
}

/** The traitors' true signatures on a statement, with those of honest members from what they really signed, or without. */
function signedByTraitors(certificate: Certificate, material: LightClientMaterial, keepsOthers: boolean): Certificate {
  const set = material.rules.setOf(certificate.epoch);
  const statement: VoteStatement = statementOf(certificate);
  const held = parseBitmap(certificate.bitmap, set.validators.length) ?? [];
  const signatures = new Map<number, Uint8Array>();
  if (keepsOthers)
    for (const [position, signer] of held.entries()) signatures.set(signer, present(certificate.signatures[position], "one each"));
  for (const key of material.traitors) {
    const signer = set.validators.findIndex(({ publicKey }) => bytesEqual(publicKey, key.publicKey));
    const signature = key.sign(voteSignBytes(material.rules.chainId, statement));
    if (signer >= 0 && !(signature instanceof Promise)) signatures.set(signer, signature);
  }
  const signers = [...signatures.keys()].sort((a, b) => a - b);
  const ordered = signers.map((signer) => present(signatures.get(signer), "one each"));
  return { ...certificate, bitmap: makeBitmap(signers, set.validators.length), signatures: ordered };
}

function flipped(bytes: Uint8Array, prng: Prng): Uint8Array {
  const changed = bytes.slice();
  const at = prng.below(bytes.length);
  changed[at] = present(changed[at], "within the bytes") ^ (1 << prng.below(8));
  return changed;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
