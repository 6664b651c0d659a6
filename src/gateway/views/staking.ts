import type { z } from "@hono/zod-openapi";
import { toHex } from "../../kernel/index.ts";
import { formatAddress } from "../../protocol/index.ts";
import type { BondView, ParametersView, ValidatorSetView, ValidatorView } from "../ports.ts";
import type { bondSchema, parametersSchema, validatorSchema, validatorSetSchema } from "../schemas/staking.ts";
import { renderTime } from "./render.ts";

/** A bond in JSON. */
export function renderBond({ validator, stake, unbonding }: BondView): z.input<typeof bondSchema> {
  const withdrawable = unbonding.reduce((sum, { amount, isReleased }) => (isReleased ? sum + amount : sum), 0n);
  return {
    validator: toHex(validator),
    stake: String(stake),
    unbonding: unbonding.map(({ amount, releaseEpoch, releaseTimeMs, isReleased }) => ({
      amount: String(amount),
      releaseEpoch,
      releaseTime: renderTime(releaseTimeMs),
      isReleased,
    })),
    withdrawable: String(withdrawable),
  };
}

/** A validator in JSON. */
export function renderValidator(validator: ValidatorView): z.input<typeof validatorSchema> {
  const { id, entry, name, status, seat } = validator;
  const { signingKey, term, next, owner, jailedUntilEpoch, stake, unbondingStake, commission, endpoint, metadata, reputation } = entry;
  return {
    id: toHex(id),
    ...(seat ? { index: seat.index } : {}),
    publicKey: toHex(signingKey),
    term,
    ...(next ? { next: { publicKey: toHex(next.signingKey), term: next.term, effectiveEpoch: next.effectiveEpoch } } : {}),
    owner: formatAddress(owner),
    ...(name === undefined ? {} : { name }),
    status,
    ...(jailedUntilEpoch > 0 ? { jailedUntilEpoch } : {}),
    weight: String(seat?.weight ?? 0n),
    stake: String(stake),
    unbonding: String(unbondingStake),
    commission,
    endpoint,
    metadata,
    reputation,
    duties: seat ? (seat.isLeader ? ["vote", "propose"] : ["vote"]) : [],
  };
}

/** The validator set in JSON. */
export function renderValidatorSet(set: ValidatorSetView): z.input<typeof validatorSetSchema> {
  const { height, epoch, hash, totalWeight, quorumWeight, validators } = set;
  return {
    height,
    epoch,
    hash: toHex(hash),
    totalWeight: String(totalWeight),
    quorumWeight: String(quorumWeight),
    validators: validators.map(renderValidator),
  };
}

/** Parameters and proposals in JSON. */
export function renderParameters(view: ParametersView): z.input<typeof parametersSchema> {
  const { height, epoch, feePolicy, parameters, features, approved, proposals } = view;
  return {
    height,
    epoch,
    feePolicy,
    parameters: parameters.map(({ name, value, genesis }) => ({ name, value: String(value), genesis: String(genesis) })),
    features: [...features],
    approved: approved.map(({ name, value, activationEpoch }) => ({ name, value: String(value), activationEpoch })),
    proposals: proposals.map(({ id, entry }) => ({
      id: toHex(id),
      name: entry.name,
      value: String(entry.value),
      activationEpoch: entry.activationEpoch,
      proposer: toHex(entry.proposer),
      approvals: entry.approvals.map(toHex),
      rejections: entry.rejections.map(toHex),
    })),
  };
}
