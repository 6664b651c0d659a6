import type { CryptoSuite } from "../../../src/crypto/index.ts";
import type { ChainRules } from "../chain-model.ts";

/** What every check is given: the chain's rules, and the suite by which signatures are judged. */
export type Rules = ChainRules & { readonly suite: CryptoSuite };

/** The safety properties of docs/consensus.md; S15 is the light client's. */
export const SAFETY = ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15", "S16"] as const;
/** A property whose breach is a finding: S1 to S16, or one of the liveness properties that are judged at every moment. */
export type Property = (typeof SAFETY)[number] | "timer" | "egress" | "idle";

/** Collects findings. One sentence each; after a few the rest says nothing new. */
export class Judge {
  readonly findings: string[] = [];

  /** Notes a breach; equal ones once. */
  find(property: Property, sentence: string): void {
    const finding = `${property}: ${sentence}`;
    if (this.findings.length < 20 && !this.findings.includes(finding)) this.findings.push(finding);
  }
}
