import type { Signer } from "../../src/crypto/index.ts";
import { assert, Prng, present, toHex } from "../../src/kernel/index.ts";
import type { SubmitOutcome } from "../../src/mempool/index.ts";
import type { RejectionCode, TransactionBody } from "../../src/protocol/index.ts";
import { decodeTransaction, signTransaction, transactionAad } from "../../src/protocol/index.ts";
import type { Schedule } from "./schedule.ts";

/** A door to a running node's admission; undefined while it is down. */
export type Door = (transactions: readonly Uint8Array[]) => Promise<readonly SubmitOutcome[]> | undefined;

/** What a load is made from. */
export type LoadParts = {
  readonly schedule: Schedule;
  readonly seed: number;
  readonly chainId: Uint8Array;
  /** Who sends the everyday transactions. */
  readonly accounts: readonly Signer[];
  /** Who sends others, with bodies that the caller gives. */
  readonly others: readonly Signer[];
  /** The doors of the boxes, by index. */
  readonly doors: readonly Door[];
  /** Whether devices leave what a box has accepted to that box, and only ask what became of it. */
  readonly mayTrust: (box: number) => boolean;
  /** What the status of a transaction says, by id in hexadecimal: whether some box that runs has executed it. */
  readonly isFinal: (id: string) => boolean;
};

/** A transaction that its sender has not seen final. */
type Pending = { readonly id: string; readonly nonce: bigint; readonly encoded: Uint8Array };

type Account = { readonly signer: Signer; nextNonce: bigint; pending: Pending[] };

/** Refusals of what can never execute: its sender signs something else with the same nonce. */
const FUTILE: ReadonlySet<RejectionCode> = new Set(["notAuthorized"]);

/** How often a device asks again about what is not final, in milliseconds. */
const PATIENCE_MS = 700;
/** A box that says that it cannot take anything is left for another one sooner. */
const TURNED_AWAY_MS = 100;
const VALID_UNTIL = 1_000_000n;

/**
 * People and devices outside the network: they sign real transactions, hand each to one box and, as long as it is not
 * final, the same bytes to another, as a device that lost the answer does.
 */
export class Load {
  /** Transactions handed in, and those of them seen final. */
  submittedCount = 0;
  finalCount = 0;
  /** Boxes that have answered as accepted, by id: from then on durable there. */
  readonly accepted = new Map<string, number>();
  /** Refusals heard, by code. */
  readonly refusals = new Map<RejectionCode, number>();
  readonly #parts: LoadParts;
  readonly #prng: Prng;
  readonly #aad: Uint8Array;
  readonly #accounts: readonly Account[];
  readonly #everydayCount: number;
  #isAsking = false;
  #isOnItsWay = false;

  constructor(parts: LoadParts) {
    this.#parts = parts;
    this.#prng = new Prng(parts.seed);
    this.#aad = transactionAad(parts.chainId);
    this.#accounts = [...parts.accounts, ...parts.others].map((signer) => ({ signer, nextNonce: 0n, pending: [] }));
    this.#everydayCount = parts.accounts.length;
  }

  /** Transactions that are not final. */
  get pendingCount(): number {
    return this.#accounts.reduce((sum, { pending }) => sum + pending.length, 0);
  }

  /** Signs a transaction of some account, hands it to these boxes and follows it from then on; gives its id. */
  submit(to: readonly number[]): Uint8Array {
    const account = present(this.#accounts[this.#prng.below(this.#everydayCount)], "an index of the accounts");
    return this.submitBody(account.signer, this.#someBody(), to);
  }

  /** As `submit`, with a body of the caller's. */
  submitBody(signer: Signer, body: TransactionBody, to: readonly number[]): Uint8Array {
    const account = this.#accounts.find((each) => each.signer === signer);
    assert(account !== undefined, "the load knows its accounts");
    const { id, pending } = this.#sign(account, account.nextNonce++, body);
    account.pending.push(pending);
    this.submittedCount++;
    for (const index of to) this.#hand(index, [pending.encoded]);
    this.#askAgain();
    return id;
  }

  /** A box made these final. */
  onExecuted(ids: ReadonlySet<string>): void {
    for (const account of this.#accounts) {
      const left = account.pending.filter(({ id }) => !ids.has(id));
      this.finalCount += account.pending.length - left.length;
      account.pending = left;
    }
  }

  #sign({ signer }: Account, nonce: bigint, body: TransactionBody): { readonly id: Uint8Array; readonly pending: Pending } {
    const payload = { sender: signer.publicKey, nonce, fee: BigInt(1 + this.#prng.below(9)), validUntil: VALID_UNTIL, body };
    const encoded = signTransaction(signer, this.#aad, payload);
    const decoded = decodeTransaction(this.#aad, encoded);
    assert(decoded.ok, "what was just signed decodes");
    return { id: decoded.value.id, pending: { id: toHex(decoded.value.id), nonce, encoded } };
  }

  /** Something that can execute takes the place of what cannot, so that what follows is not held up. */
  #replace(id: string): void {
    for (const account of this.#accounts) {
      const at = account.pending.findIndex((each) => each.id === id);
      const futile = account.pending[at];
      if (futile) account.pending[at] = this.#sign(account, futile.nonce, this.#someBody()).pending;
    }
  }

  #someBody(): TransactionBody {
    if (this.#prng.chance(0.3)) return { type: 2, stream: `stream-${this.#prng.below(3)}`, content: { digest: this.#prng.bytes(32) } };
    const to = present(this.#accounts[this.#prng.below(this.#everydayCount)], "an index of the accounts").signer.publicKey;
    return { type: 1, to, amount: BigInt(this.#prng.below(1_000)) };
  }

  #askAgain(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#parts.schedule.after(PATIENCE_MS, () => {
      this.#isAsking = false;
      this.#askOnce();
      if (this.pendingCount > 0) this.#askAgain();
    });
  }

  #goElsewhere(): void {
    if (this.#isOnItsWay) return;
    this.#isOnItsWay = true;
    this.#parts.schedule.after(TURNED_AWAY_MS, () => {
      this.#isOnItsWay = false;
      this.#askOnce();
    });
  }

  /** Looks up what was accepted, and hands what no trusted box has accepted to some box. */
  #askOnce(): void {
    this.onExecuted(new Set([...this.accepted.keys()].filter((id) => this.#isPending(id) && this.#parts.isFinal(id))));
    for (const { pending } of this.#accounts) {
      const open = pending.filter(({ id }) => !this.#isPromised(id));
      const encoded = open.map((each) => each.encoded);
      if (encoded.length > 0) this.#hand(this.#prng.below(this.#parts.doors.length), encoded);
    }
  }

  #hand(index: number, transactions: readonly Uint8Array[]): void {
    const answer = this.#parts.doors[index]?.(transactions);
    answer?.then(
      (outcomes) => this.#hear(index, outcomes),
      () => {}, // the node died before it answered: asked again later
    );
  }

  #isPending(id: string): boolean {
    return this.#accounts.some(({ pending }) => pending.some((each) => each.id === id));
  }

  #isPromised(id: string): boolean {
    const box = this.accepted.get(id);
    return box !== undefined && this.#parts.mayTrust(box);
  }

  #hear(box: number, outcomes: readonly SubmitOutcome[]): void {
    const final = new Set<string>();
    let isTurnedAway = false;
    for (const outcome of outcomes) {
      if (outcome.status === "accepted") this.accepted.set(toHex(outcome.id), box);
      else if (outcome.executedAt && outcome.id) final.add(toHex(outcome.id));
      else {
        this.refusals.set(outcome.code, (this.refusals.get(outcome.code) ?? 0) + 1);
        if (outcome.id && FUTILE.has(outcome.code)) this.#replace(toHex(outcome.id));
        isTurnedAway ||= outcome.code === "syncing";
      }
    }
    if (final.size > 0) this.onExecuted(final);
    if (isTurnedAway) this.#goElsewhere();
  }
}
