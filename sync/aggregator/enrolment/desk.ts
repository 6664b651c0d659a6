import { base64urlnopad } from "@scure/base";
import { type Clock, type Entropy, toHex } from "../../../src/kernel/index.ts";
import { hashToken } from "../../protocol/index.ts";
import type { AggregatorStore, NodeQuota, NodeRef } from "../types.ts";
import type { Claim, EnrolmentRequest } from "./types.ts";

/** What the desk stands on. */
export type DeskParts = {
  readonly store: AggregatorStore;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Told of each node that was revoked here, once that is durable. */
  readonly onRevoked: (ref: NodeRef) => void;
};

/** A claim to be made. */
export type ClaimPlan = Pick<Claim, "network" | "node" | "site" | "approval"> & { readonly lifeMs: number };

/** What opens a token, so that people and scanners of leaked secrets know it. */
const TOKEN_PREFIX = "bizra-claim-";
const PAGE = 1_000;

/**
 * What people decide about enrolment. Every call that changes something is written into the audit with who did it,
 * whether or not it found what it was for.
 */
export class EnrolmentDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** Makes a claim. The token is returned here and kept nowhere. */
  async makeClaim({ lifeMs, ...plan }: ClaimPlan, actor: string): Promise<{ readonly claim: Claim; readonly token: string }> {
    const { store, clock, entropy } = this.#parts;
    const token = `${TOKEN_PREFIX}${base64urlnopad.encode(entropy.bytes(32))}`;
    const tokenHash = hashToken(token);
    const madeAtMs = clock.nowMs();
    const id = toHex(tokenHash).slice(0, 16);
    const claim: Claim = { ...plan, id, tokenHash, madeBy: actor, madeAtMs, expiresAtMs: madeAtMs + lifeMs, status: "open" };
    await store.enrolment.putClaim(claim);
    const whom = plan.node ?? "any node";
    await this.#audit(
      actor,
      "claim.made",
      `${plan.network}/${plan.node ?? "*"}`,
      "ok",
      `claim ${id} for ${whom}, approval ${plan.approval}`,
    );
    return { claim, token };
  }

  /** Ends an open claim. */
  async revokeClaim(id: string, actor: string): Promise<boolean> {
    const isDone = await this.#parts.store.enrolment.revokeClaim(id);
    await this.#audit(actor, "claim.revoked", id, isDone ? "ok" : "notOpen", "");
    return isDone;
  }

  /** Claims, the newest first. */
  listClaims(limit: number): Promise<readonly Claim[]> {
    return this.#parts.store.enrolment.listClaims(limit);
  }

  /** Requests, the newest first. */
  listRequests(status: EnrolmentRequest["status"] | undefined, limit: number): Promise<readonly EnrolmentRequest[]> {
    return this.#parts.store.enrolment.listRequests(status, limit);
  }

  /**
   * Decides about the pending requests of a node, or about one by its id. The node fetches its certificate when it asks
   * again.
   *
   * @returns the requests that were decided
   */
  async decide(nodeOrId: string, status: "approved" | "refused", actor: string): Promise<readonly EnrolmentRequest[]> {
    const pending = await this.#parts.store.enrolment.listRequests("pending", PAGE);
    const meant = pending.filter(({ id, node }) => id === nodeOrId || node === nodeOrId);
    const decided: EnrolmentRequest[] = [];
    for (const request of meant) {
      if (await this.#parts.store.enrolment.decideRequest(request.id, status, actor)) decided.push(request);
    }
    for (const { network, node, id } of decided)
      await this.#audit(actor, `enrolment.${status}`, `${network}/${node}`, "ok", `request ${id}`);
    if (decided.length === 0) await this.#audit(actor, `enrolment.${status}`, nodeOrId, "notPending", "");
    return decided;
  }

  /**
   * Turns a node away from now on, in every network that has one of this name unless one network is meant.
   *
   * @returns the nodes that were revoked
   */
  async revokeNode(node: string, network: string | undefined, actor: string): Promise<readonly NodeRef[]> {
    const { store, clock, onRevoked } = this.#parts;
    const revoked: NodeRef[] = [];
    for (const ref of network === undefined ? await this.#findNodes(node) : [{ network, node }]) {
      if (!(await store.enrolment.revokeNode(ref, clock.nowMs()))) continue;
      revoked.push(ref);
      onRevoked(ref);
      await this.#audit(actor, "node.revoked", `${ref.network}/${ref.node}`, "ok", "");
    }
    if (revoked.length === 0) await this.#audit(actor, "node.revoked", `${network ?? "*"}/${node}`, "unknown", "");
    return revoked;
  }

  /**
   * Sets how much a node may store in place of what all may; null: as all. What is left out stays.
   *
   * @returns the nodes of this name with what differs for each now
   */
  async setQuota(
    node: string,
    network: string | undefined,
    change: { readonly eventBytes?: number | null | undefined; readonly objectBytes?: number | null | undefined },
    actor: string,
  ): Promise<readonly (NodeRef & { readonly quota: NodeQuota })[]> {
    const { store } = this.#parts;
    const set: (NodeRef & { readonly quota: NodeQuota })[] = [];
    for (const ref of network === undefined ? await this.#findNodes(node) : [{ network, node }]) {
      const known = await store.findNode(ref);
      const eventBytes = change.eventBytes === undefined ? known?.quota?.eventBytes : (change.eventBytes ?? undefined);
      const objectBytes = change.objectBytes === undefined ? known?.quota?.objectBytes : (change.objectBytes ?? undefined);
      const quota: NodeQuota = { ...(eventBytes !== undefined && { eventBytes }), ...(objectBytes !== undefined && { objectBytes }) };
      if (!(await store.setQuota(ref, quota))) continue;
      set.push({ ...ref, quota });
      await this.#audit(actor, "node.quota", `${ref.network}/${ref.node}`, "ok", JSON.stringify(quota));
    }
    if (set.length === 0) await this.#audit(actor, "node.quota", `${network ?? "*"}/${node}`, "unknown", "");
    return set;
  }

  async #findNodes(name: string): Promise<readonly NodeRef[]> {
    const found: NodeRef[] = [];
    for (let after: NodeRef | undefined; ; ) {
      const page = await this.#parts.store.listNodes(after, PAGE);
      for (const { network, node } of page) if (node === name) found.push({ network, node });
      after = page.at(-1);
      if (page.length < PAGE || !after) return found;
    }
  }

  async #audit(actor: string, action: string, target: string, outcome: string, detail: string): Promise<void> {
    await this.#parts.store.addAudit({ atMs: this.#parts.clock.nowMs(), actor, action, target, outcome, detail });
  }
}
