import { type CoreStatus, compareRounds, type Round } from "../../src/consensus/index.ts";
import type { CryptoSuite } from "../../src/crypto/index.ts";
import { bytesEqual, toHex } from "../../src/kernel/index.ts";
import { checkEvidence, decodeEvidence, epochOfEvidence } from "../../src/protocol/index.ts";
import type { SimNode } from "./sim-node.ts";

type Progress = { readonly life: number; readonly floor: Round; readonly view: Round; readonly height: number };

/**
 * Judges a run from outside, by what left the boxes and what they committed, never by asking the code under test whether
 * it is right. Each finding names the property of docs/consensus.md that broke.
 */
export class Oracle {
  readonly findings: string[] = [];
  /** Pieces of evidence against traitors. */
  convictedCount = 0;
  readonly #blockAt = new Map<number, string>();
  readonly #certified = new Map<string, string>();
  readonly #progress = new Map<SimNode, Progress>();
  readonly #checkedHeights = new Map<SimNode, number>();

  /** Looks at one node after an event. */
  observe(node: SimNode): void {
    if (node.tamper) return;
    this.#checkChain(node);
    this.#checkStatus(node);
  }

  /** Looks at all votes that left honest boxes; run at the end (votes only accumulate). */
  conclude(all: readonly SimNode[]): void {
    const nodes = all.filter((node) => !node.tamper);
    for (const node of nodes) if (!node.hasRolledBack) this.#checkVotes(node);
    for (const node of nodes) this.#checkAncestry(node);
    const roots = new Map<number, string>();
    for (const node of nodes) {
      const height = node.chain.committed.length;
      const root = toHex(node.chain.stateRoot);
      const known = roots.get(height) ?? root;
      if (known !== root) this.#find(node, `S8: another state root at height ${height}`);
      roots.set(height, known);
    }
  }

  /** S14: evidence that an honest box found convicts no honest box. */
  judgeEvidence(finder: SimNode, all: readonly SimNode[], encoded: Uint8Array, suite: CryptoSuite): void {
    const evidence = decodeEvidence(encoded);
    if (!evidence.ok) {
      this.#find(finder, "S14: evidence does not decode");
      return;
    }
    const { chainId, setOf } = finder.chain.rules;
    const set = setOf(epochOfEvidence(evidence.value));
    const verdict = checkEvidence(evidence.value, set, chainId, suite);
    const accused = verdict.ok ? set.validators[verdict.value.signer] : undefined;
    const node = accused && all.find((each) => bytesEqual(each.key.publicKey, accused.publicKey));
    if (!node) this.#find(finder, "S14: evidence convicts nobody");
    else if (node.tamper || node.hasRolledBack) this.convictedCount++;
    else this.#find(node, "S14: an honest box is convicted");
  }

  /** S1: one block per height on all honest nodes, across restarts. */
  #checkChain(node: SimNode): void {
    const { committed } = node.chain;
    for (let at = this.#checkedHeights.get(node) ?? 0; at < committed.length; at++) {
      const hash = toHex(committed[at]?.hash ?? new Uint8Array());
      const known = this.#blockAt.get(at + 1) ?? hash;
      if (known !== hash) this.#find(node, `S1: another block at height ${at + 1}`);
      this.#blockAt.set(at + 1, known);
    }
    this.#checkedHeights.set(node, committed.length);
  }

  /** S3, S4, S9 by what the node shows. */
  #checkStatus(node: SimNode): void {
    const status = node.status();
    if (!status) return;
    for (const certificate of status.certificates) {
      const id = certificate.proposal ? `${toHex(certificate.proposal.blockHash)}:${certificate.proposal.parentView}` : "";
      const key = `${certificate.kind}:${certificate.epoch}:${certificate.view}`;
      const known = this.#certified.get(key) ?? id;
      if (known !== id) this.#find(node, `S3: two certified proposals for ${key}`);
      this.#certified.set(key, known);
      const rival = certificate.kind === 2 ? 3 : certificate.kind === 3 ? 2 : 0;
      if (rival && this.#certified.has(`${rival}:${certificate.epoch}:${certificate.view}`))
        this.#find(node, `S4: view both nullified and finalized, ${key}`);
    }
    this.#checkProgress(node, status);
  }

  /**
   * S9: floor and view never move back in one life; over a restart nothing moves back that left a trace: the committed
   * height, and the view after the highest one voted in.
   */
  #checkProgress(node: SimNode, status: CoreStatus): void {
    const now: Progress = {
      life: node.startCount,
      floor: status.floor,
      view: { epoch: status.epoch, view: status.view },
      height: status.height,
    };
    const before = this.#progress.get(node);
    this.#progress.set(node, now);
    if (!before) return;
    if (now.height < before.height) this.#find(node, "S9: the height moved back");
    if (now.life === before.life && compareRounds(now.floor, before.floor) < 0) this.#find(node, "S9: the floor moved back");
    if (now.life === before.life && compareRounds(now.view, before.view) < 0) this.#find(node, "S9: the view moved back");
    if (now.life !== before.life && compareRounds(now.view, node.highestVoted) < 0) this.#find(node, "S9: the view is below one voted in");
  }

  /** S2: no two conflicting votes of an honest box left it, in any life. */
  #checkVotes(node: SimNode): void {
    for (const [key, ids] of node.votesSent) {
      if (ids.size > 1) this.#find(node, `S2: two different votes for ${key}`);
      const [kind, epoch, view] = key.split(":");
      if (kind !== "3") continue;
      if (node.votesSent.has(`2:${epoch}:${view}`)) this.#find(node, `S2: NULLIFY and FINALIZE in ${epoch}:${view}`);
      const notarized = node.votesSent.get(`1:${epoch}:${view}`);
      if (notarized && [...notarized][0] !== [...ids][0]) this.#find(node, `S2: NOTARIZE and FINALIZE differ in ${epoch}:${view}`);
    }
  }

  /** S6: each block extends the one before, and its parent certificate is for it. */
  #checkAncestry(node: SimNode): void {
    const { committed, rules } = node.chain;
    let parent = rules.chainId;
    for (const { block, hash } of committed) {
      if (!bytesEqual(block.header.parentHash, parent)) this.#find(node, `S6: block ${block.header.height} does not extend its parent`);
      const named = block.parentCertificate?.proposal?.blockHash;
      if (named && !bytesEqual(named, parent)) this.#find(node, `S6: block ${block.header.height} carries another parent's certificate`);
      parent = hash;
    }
  }

  #find(node: SimNode, finding: string): void {
    this.findings.push(`${node.name}: ${finding}`);
  }
}
