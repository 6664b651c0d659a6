import { toHex } from "../../../src/kernel/index.ts";
import { VOTE_KIND, type VoteStatement } from "../../../src/protocol/index.ts";

/** Every signature that was ever made, whoever saw it: no key may contradict itself (R11), however its box was recovered. */
export class Court {
  readonly findings: string[] = [];
  readonly #byRound = new Map<string, VoteStatement[]>();
  signatures = 0;

  /** Enters a signature. */
  onSigned(key: Uint8Array, statement: VoteStatement, who: string): void {
    this.signatures++;
    const round = `${toHex(key)} ${statement.epoch}:${statement.view}`;
    const earlier = this.#byRound.get(round) ?? [];
    for (const other of earlier) {
      if (contradicts(other, statement)) this.findings.push(`${who} signed ${describe(statement)} and ${describe(other)} with one key`);
    }
    this.#byRound.set(round, [...earlier, statement]);
  }
}

/** As R11 convicts; NOTARIZE with NULLIFY is legal. Written anew here, so that a fault of the guard is not one of the court. */
function contradicts(a: VoteStatement, b: VoteStatement): boolean {
  const isNullify = (vote: VoteStatement): boolean => vote.kind === VOTE_KIND.nullify;
  if (isNullify(a) && isNullify(b)) return false;
  if (isNullify(a) || isNullify(b)) return [a, b].some(({ kind }) => kind === VOTE_KIND.finalize);
  return toHex(a.proposalId ?? new Uint8Array()) !== toHex(b.proposalId ?? new Uint8Array());
}

function describe({ kind, epoch, view }: VoteStatement): string {
  return `kind ${kind} in epoch ${epoch}, view ${view}`;
}
