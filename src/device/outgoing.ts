import { assert, CborReader, CborWriter } from "../kernel/index.ts";
import { decodePayload, encodePayload, LIMITS, type TransactionBody } from "../protocol/index.ts";
import { readSigned, type SignedTransaction } from "./transactions.ts";

/** Ids under which a transaction went out before it was signed anew; more than that and it is given up. */
export const EARLIER_MAX = 16;
const RECORD_VERSION = 1;

/**
 * A transaction on its way: what it is to do and, once it was signed, the bytes that are sent again and again. It is
 * signed anew only when the bytes before cannot execute any more or doing it twice does no harm; their ids stay known,
 * for they may have executed all the same.
 */
export class Outgoing {
  /** Order of the queue; also names its record. */
  readonly sequence: number;
  readonly body: TransactionBody;
  #signed: SignedTransaction | undefined;
  #earlier: readonly Uint8Array[] = [];
  /** Nonce that signing anew has to use, so that only one of the two can execute. */
  #keptNonce: bigint | undefined;
  /** Whether a node said that it holds the bytes. */
  isAccepted = false;

  constructor(sequence: number, body: TransactionBody) {
    this.sequence = sequence;
    this.body = body;
  }

  /** The bytes that are sent, once there are any. */
  get signed(): SignedTransaction | undefined {
    return this.#signed;
  }

  /** Every id under which it may execute, the newest first. */
  get ids(): readonly Uint8Array[] {
    return this.#signed ? [this.#signed.id, ...this.#earlier] : this.#earlier;
  }

  /** The nonce it holds or will be signed with again; undefined when it holds none. */
  get nonce(): bigint | undefined {
    return this.#signed?.nonce ?? this.#keptNonce;
  }

  /** Whether it may be signed once more. */
  get mayRenew(): boolean {
    return this.#earlier.length < EARLIER_MAX;
  }

  /** Takes the bytes that are sent from now on. */
  onSigned(signed: SignedTransaction): void {
    assert(this.#signed === undefined, "bytes are replaced only after they were given up");
    assert(this.#keptNonce === undefined || this.#keptNonce === signed.nonce, "a kept nonce is used again");
    this.#signed = signed;
    this.#keptNonce = undefined;
  }

  /** Gives the bytes up. @param keepsNonce whether the next ones have to exclude these */
  onGivenUp(keepsNonce: boolean): void {
    const signed = this.#signed;
    assert(signed !== undefined && this.mayRenew, "bytes are given up when there are any, and not without end");
    this.#earlier = [signed.id, ...this.#earlier];
    this.#keptNonce = keepsNonce ? signed.nonce : undefined;
    this.#signed = undefined;
    this.isAccepted = false;
  }

  /** The record: array [1, sequence, order as a payload, COSE bytes or none, earlier ids, kept nonce or none]. */
  encode(): Uint8Array {
    const order = encodePayload({ sender: new Uint8Array(32), nonce: 0n, fee: 0n, validUntil: 0n, body: this.body });
    const w = new CborWriter(512).array(6).uint(RECORD_VERSION).uint(this.sequence).bytes(order);
    w.bytes(this.#signed?.encoded ?? new Uint8Array(0)).array(this.#earlier.length);
    for (const id of this.#earlier) w.bytes(id);
    return (this.#keptNonce === undefined ? w.array(0) : w.array(1).uint(this.#keptNonce)).finish();
  }

  /** Reads a record; undefined when it is damaged or of another chain. It is not accepted until a node says so again. */
  static decode(record: Uint8Array, genesisHash: Uint8Array): Outgoing | undefined {
    const r = new CborReader(record);
    if (r.array(6) !== 6) r.reject();
    r.key(RECORD_VERSION);
    const sequence = r.uint();
    const order = decodePayload(r.bytes(1, LIMITS.transactionBytesMax));
    const encoded = r.bytes(0, LIMITS.transactionBytesMax);
    const earlier: Uint8Array[] = [];
    for (let left = r.array(EARLIER_MAX); left > 0 && !r.isBroken; left--) earlier.push(r.bytes(32).slice());
    const keptNonce = r.array(1) === 1 ? r.uint64() : undefined;
    if (!r.isComplete || !order.ok) return undefined;
    const signed = encoded.length === 0 ? undefined : readSigned(genesisHash, encoded.slice());
    if (encoded.length > 0 && !signed) return undefined;
    const outgoing = new Outgoing(sequence, order.value.body);
    outgoing.#signed = signed;
    outgoing.#earlier = earlier;
    outgoing.#keptNonce = keptNonce;
    return outgoing;
  }
}
