import { inclusionPath, leafHash, localSigner, type Signer, sha256, verifyEd25519 } from "../../../src/crypto/index.ts";
import type * as ports from "../../../src/gateway/index.ts";
import { toHex, utf8 } from "../../../src/kernel/index.ts";
import * as protocol from "../../../src/protocol/index.ts";
import { SparseState } from "./sparse-state.ts";

type Account = { nonce: bigint; balance: bigint };
type Block = ports.BlockView & { readonly receipts: readonly protocol.Receipt[]; readonly state: SparseState };

/** A key by name, so that anyone can make it again. */
export function signerOf(name: string): Signer {
  return localSigner(sha256(utf8(name)));
}

const MINIMUM_FEE = 10n;
const validator = signerOf("validator");
const document: protocol.GenesisDocument = {
  format: "bizra-genesis/1",
  chainName: "gateway-test",
  time: "2026-11-22T00:00:00Z",
  parameters: {
    minimumFee: String(MINIMUM_FEE),
    maxValidity: "1000",
    feePolicy: "burn",
    blockBytesMax: 1_048_576,
    blockTransactionsMax: 4_096,
    epochBlocks: 1_000,
    epochMs: 3_600_000,
  },
  accounts: [{ address: protocol.formatAddress(signerOf("alice").publicKey), balance: "18446744073709551615" }],
  validators: [
    {
      name: "one",
      publicKey: toHex(validator.publicKey),
      owner: protocol.formatAddress(signerOf("owner").publicKey),
      stake: "5000000000000",
      proofOfPossession: "00".repeat(64),
    },
  ],
  signatures: [],
};

/**
 * A node of one validator in memory, behind the gateway's ports: real transactions, real blocks with a real certificate,
 * proofs that verify. Blocks become final when the test says so, and everything is told through the same subscriptions
 * as in a node.
 */
export class MemoryNode {
  readonly chainId = protocol.genesisHashOf(document);
  readonly aad = protocol.transactionAad(this.chainId);
  readonly set: protocol.ValidatorSet;
  readonly ports: ports.GatewayPorts;
  readonly submitted: { readonly count: number; readonly acknowledgement?: ports.Acknowledgement; readonly source: string }[] = [];
  /** What the next submission is refused with, whatever it holds. */
  nextRefusal: (protocol.Rejection & { readonly retryAfterMs?: number }) | undefined;
  /** Thrown by the next status query. */
  nextFailure: Error | undefined;
  /** Thrown by the next reading of events. */
  nextReadFailure: Error | undefined;
  /** Holds submissions back until it resolves. */
  gate: Promise<void> | undefined;
  health: Record<"live" | "ready" | "startup", string | undefined> = { live: undefined, ready: undefined, startup: undefined };
  readonly #accounts = new Map<string, Account>();
  readonly #pending: protocol.Transaction[] = [];
  readonly #ended = new Map<string, ports.TransactionStatus>();
  readonly #blocks: Block[] = [];
  readonly #events: Record<ports.EventLane, ports.EventRecord[]> = { crit: [], chain: [], ops: [] };
  readonly #settled = new Set<(ids: readonly Uint8Array[]) => void>();
  readonly #grown = new Set<(lane: ports.EventLane) => void>();

  constructor() {
    const set = protocol.genesisValidatorSet(protocol.genesisOf(document));
    if (!set.ok) throw new Error(set.error);
    this.set = set.value;
    this.#accounts.set(toHex(signerOf("alice").publicKey), { nonce: 0n, balance: 2n ** 64n - 1n });
    this.ports = {
      submission: { submit: (items, request) => this.#submit(items, request) },
      transactions: {
        find: (id) => this.#find(id),
        findProof: (id) => this.#findReceiptProof(id),
        subscribeSettled: (listener) => subscribe(this.#settled, listener),
      },
      accounts: {
        supply: () => ({ height: this.#blocks.length, issued: 10n ** 19n, burned: 33n, feePot: 12n }),
        find: (key) => this.#findAccount(key),
        findProof: (key) => this.#findProof(protocol.accountKey(key)),
      },
      blocks: {
        latestHeight: () => this.#blocks.length,
        archives: () => [],
        lowestHeight: () => 1,
        find: (height) => this.#blocks[height - 1],
        list: (from, limit) => this.#blocks.slice(from - 1, from - 1 + limit),
      },
      validators: {
        current: () => this.#validatorSet(),
        find: (key) => {
          if (toHex(key) !== toHex(validator.publicKey)) return undefined;
          return { height: this.#blocks.length, epoch: 0, validator: this.#validator() };
        },
        findProof: (id) => this.#findProof(protocol.validatorKey(id)),
      },
      parameters: { current: () => this.#parameters() },
      node: {
        status: () => this.#status(),
        peers: () => ({
          addresses: [],
          connected: [],
          absent: [],
          missingValidators: [],
          isArchive: false,
          lowestHeight: 1,
          archives: [],
          height: 0,
        }),
      },
      events: {
        read: async (lane, after, limit) => this.#readEvents(lane, after, limit),
        head: (lane) => this.#head(lane),
        subscribe: (listener) => subscribe(this.#grown, listener),
      },
      genesis: { document: () => utf8(protocol.formatGenesis(document)) },
      health: { report: (gate) => this.#report(gate) },
    };
  }

  /** Subscriptions that nobody has ended. */
  get subscriptions(): number {
    return this.#settled.size + this.#grown.size;
  }

  /** A signed transfer of 1 unit from alice. */
  transfer(nonce: bigint, change: Partial<protocol.TransactionPayload> = {}): Uint8Array {
    const alice = signerOf("alice");
    const body = { type: 1, to: signerOf("bob").publicKey, amount: 1n } as const;
    return protocol.signTransaction(alice, this.aad, {
      sender: alice.publicKey,
      nonce,
      fee: MINIMUM_FEE,
      validUntil: 100n,
      body,
      ...change,
    });
  }

  /** Id of an encoded transaction. */
  idOf(encoded: Uint8Array): Uint8Array {
    const decoded = protocol.decodeTransaction(this.aad, encoded);
    if (!decoded.ok) throw new Error(decoded.error);
    return decoded.value.id;
  }

  /** Makes a block of everything pending final. */
  finalize(): void {
    const taken = this.#pending.splice(0);
    const height = this.#blocks.length + 1;
    const receipts = taken.map((transaction, index) => this.#execute(transaction, height, index));
    const entries = [...this.#accounts].map(([hex, account]) => {
      const key = protocol.accountKey(Uint8Array.fromHex(hex));
      return { key, value: protocol.encodeEntry({ kind: "account", ...account }) };
    });
    const state = new SparseState(entries);
    const batches =
      taken.length > 0
        ? [
            protocol.makeBatch(
              validator,
              this.chainId,
              height,
              taken.map(({ encoded }) => encoded),
            ),
          ]
        : [];
    const header: protocol.BlockHeader = {
      version: protocol.BLOCK_VERSION,
      chainId: this.chainId,
      height,
      epoch: 0,
      view: height,
      parentHash: this.#blocks.at(-1)?.hash ?? this.chainId,
      leader: 0,
      timeMs: Date.UTC(2026, 10, 22) + height * 100,
      batchRoot: protocol.batchRootOf(batches.map(({ digest }) => digest)),
      stateRoot: state.root,
      receiptRoot: protocol.receiptRootOf(receipts),
      validatorSetHash: this.set.hash,
      parentBitmap: height === 1 ? new Uint8Array(0) : Uint8Array.of(1),
    };
    const block: Block = {
      hash: protocol.blockHashOf(header),
      header,
      batches: batches.map((batch) => ({
        digest: batch.digest,
        author: batch.header.author,
        sequence: batch.header.sequence,
        transactionCount: batch.header.count,
        sizeBytes: protocol.encodeBatch(batch).length,
      })),
      transactionCount: receipts.length,
      finalization: this.#certify(header),
      receipts,
      state,
    };
    this.#blocks.push(block);
    for (const receipt of receipts) this.#ended.set(toHex(receipt.transactionId), { status: "final", receipt });
    this.append("chain", "block.finalized", { height, hash: toHex(block.hash), executed: receipts.length });
    for (const listener of this.#settled) listener(receipts.map(({ transactionId }) => transactionId));
  }

  /** Lets everything pending expire. */
  expire(): void {
    const ids = this.#pending.splice(0).map(({ id }) => id);
    for (const id of ids) this.#ended.set(toHex(id), { status: "expired" });
    for (const listener of this.#settled) listener(ids);
  }

  /** Adds an event to a lane. */
  append(lane: ports.EventLane, type: string, payload: ports.EventRecord["payload"] = {}): void {
    const log = this.#events[lane];
    const previousHash = log.at(-1)?.hash ?? "00".repeat(32);
    const sequence = (log.at(-1)?.sequence ?? 0) + 1;
    const hash = toHex(sha256(utf8(`${previousHash}${lane}${sequence}${type}`)));
    log.push({ lane, epoch: 1, sequence, previousHash, time: new Date(Date.UTC(2026, 10, 22)).toISOString(), type, payload, hash });
    for (const listener of this.#grown) listener(lane);
  }

  /** Lets the oldest events of a lane go. */
  release(lane: ports.EventLane, count: number): void {
    this.#events[lane].splice(0, count);
  }

  async #submit(
    items: readonly Uint8Array[],
    request: { readonly acknowledgement?: ports.Acknowledgement; readonly source: string },
  ): Promise<ports.Submission> {
    this.submitted.push({ count: items.length, ...request });
    await this.gate;
    const refusal = this.nextRefusal;
    this.nextRefusal = undefined;
    const outcomes = items.map((item) => (refusal ? ({ status: "rejected", ...refusal } as const) : this.#admit(item)));
    return { acknowledgement: request.acknowledgement ?? "local", outcomes };
  }

  #admit(item: Uint8Array): ports.SubmissionOutcome {
    const decoded = protocol.decodeTransaction(this.aad, item);
    if (!decoded.ok) return { status: "rejected", code: decoded.error, detail: `expected a transaction, got ${item.length} other bytes` };
    const transaction = decoded.value;
    const { id, sender, nonce, fee } = transaction;
    const reject = (code: protocol.RejectionCode, detail: string): ports.SubmissionOutcome => ({ status: "rejected", id, code, detail });
    if (this.#ended.get(toHex(id))?.status === "final") return reject("duplicate", "it was executed already");
    if (this.#pending.some((pending) => toHex(pending.id) === toHex(id))) return { status: "accepted", id };
    const account = this.#accounts.get(toHex(sender));
    if (!account) return reject("unknownSender", "the sender has no account");
    if (fee < MINIMUM_FEE) return reject("feeTooLow", `expected a fee of at least ${MINIMUM_FEE}, got ${fee}`);
    if (nonce < account.nonce) return reject("nonceTooLow", `expected nonce ${account.nonce}, got ${nonce}`);
    const signed = protocol.transactionSignBytes(this.aad, transaction.payload);
    if (!verifyEd25519(sender, signed, transaction.signature)) return reject("badSignature", "the signature does not verify");
    this.#pending.push({ ...transaction, id: id.slice(), encoded: item.slice() });
    return { status: "accepted", id };
  }

  #execute(transaction: protocol.Transaction, height: number, index: number): protocol.Receipt {
    const { id, sender, fee, body } = transaction;
    const from = this.#accounts.get(toHex(sender));
    if (from)
      this.#accounts.set(toHex(sender), { nonce: from.nonce + 1n, balance: from.balance - fee - (body.type === 1 ? body.amount : 0n) });
    if (body.type === 1) {
      const to = this.#accounts.get(toHex(body.to)) ?? { nonce: 0n, balance: 0n };
      this.#accounts.set(toHex(body.to), { ...to, balance: to.balance + body.amount });
    }
    return { transactionId: id, height, index, code: "applied", fee, effectsDigest: sha256(id) };
  }

  #certify(header: protocol.BlockHeader): protocol.Certificate {
    const { epoch, view } = header;
    const proposal = { epoch, view, parentView: view - 1, blockHash: protocol.blockHashOf(header) };
    const statement = { kind: protocol.VOTE_KIND.finalize, epoch, view, proposalId: protocol.proposalIdOf(proposal) };
    const signature = validator.sign(protocol.voteSignBytes(this.chainId, statement));
    return { kind: protocol.VOTE_KIND.finalize, epoch, view, proposal, bitmap: Uint8Array.of(1), signatures: [signature] };
  }

  #find(id: Uint8Array): ports.TransactionStatus {
    const ended = this.#ended.get(toHex(id));
    if (ended) return ended;
    return { status: this.#pending.some((pending) => toHex(pending.id) === toHex(id)) ? "accepted" : "unknown" };
  }

  #findReceiptProof(id: Uint8Array): protocol.ProofBundle | undefined {
    const found = this.#find(id);
    const block = found.status === "final" ? this.#blocks[found.receipt.height - 1] : undefined;
    if (found.status !== "final" || !block) return undefined;
    const leaves = block.receipts.map((receipt) => leafHash(protocol.encodeReceipt(receipt)));
    const content = { kind: "receipt", receipt: found.receipt, path: inclusionPath(leaves, found.receipt.index) } as const;
    return { hops: [], headers: [block.header], finalization: block.finalization, content };
  }

  #findAccount(key: Uint8Array): ports.AccountView {
    const account = this.#accounts.get(toHex(key));
    const pending = this.#pending.filter(({ sender }) => toHex(sender) === toHex(key)).length;
    const { nonce, balance } = account ?? { nonce: 0n, balance: 0n };
    const part = { releaseEpoch: 3, releaseTimeMs: Date.parse(document.time) + 1, isReleased: true };
    const unbonding = [
      { amount: 7n, ...part },
      { amount: 5n, ...part, isReleased: false },
    ];
    const bond = { validator: validator.publicKey, stake: 5_000_000_000_000n, unbonding };
    const bonds = toHex(key) === toHex(signerOf("owner").publicKey) ? [bond] : [];
    return { height: this.#blocks.length, doesExist: account !== undefined, nonce, pendingNonce: nonce + BigInt(pending), balance, bonds };
  }

  #findProof(stateKey: Uint8Array): protocol.ProofBundle | undefined {
    const block = this.#blocks.at(-1);
    if (!block) return undefined;
    const content = { kind: "state", proof: block.state.prove(stateKey) } as const;
    return { hops: [], headers: [block.header], finalization: block.finalization, content };
  }

  #validatorSet(): ports.ValidatorSetView {
    const { totalWeight, quorumWeight, hash } = this.set;
    return { height: this.#blocks.length, epoch: 0, hash, totalWeight, quorumWeight, validators: [this.#validator()] };
  }

  #validator(): ports.ValidatorView {
    const id = validator.publicKey;
    const key = { owner: signerOf("owner").publicKey, signingKey: id, term: 0 };
    const next = { signingKey: signerOf("next box").publicKey, term: 1, effectiveEpoch: 4 };
    const described = { commission: 500, endpoint: "one.example:4600", metadata: "one" };
    const standing = { isExiting: false, jailedUntilEpoch: 0, reputation: 10_000 };
    const stake = 5_000_000_000_000n;
    const pools = { stake, shares: stake, unbondingStake: 12n, unbondingShares: 12n };
    const entry = { kind: "validator", ...key, next, ...described, ...standing, ...pools } as const;
    return { id, entry, name: "one", status: "active", seat: { index: 0, weight: stake, isLeader: true } };
  }

  #parameters(): ports.ParametersView {
    const parameters = [{ name: "minimumFee", value: 10n, genesis: 10n }];
    const approved = [{ name: "epochBlocks", value: 1_000n, activationEpoch: 4 }];
    const ids = { proposer: validator.publicKey, approvals: [validator.publicKey], rejections: [] };
    const entry = { kind: "proposal", name: "feature.fast-sync", value: 1n, activationEpoch: 9, ...ids } as const;
    const proposals = [{ id: this.chainId, entry }];
    return { height: this.#blocks.length, epoch: 0, feePolicy: "burn", parameters, features: ["flag"], approved, proposals };
  }

  #status(): ports.StatusView {
    const failure = this.nextFailure;
    this.nextFailure = undefined;
    if (failure) throw failure;
    const tip = this.#blocks.at(-1);
    return {
      chainId: this.chainId,
      chainName: document.chainName,
      nodeId: "node-1",
      role: "validator",
      validator: validator.publicKey,
      height: this.#blocks.length,
      blockHash: tip?.hash ?? this.chainId,
      blockTimeMs: tip?.header.timeMs ?? Date.parse(document.time),
      epoch: 0,
      view: this.#blocks.length + 1,
      peers: 0,
      syncState: "synced",
      uptimeMs: 12_345,
      minimumFee: MINIMUM_FEE,
      maxValidity: 1_000n,
      pendingTransactions: this.#pending.length,
      pendingBytes: this.#pending.reduce((sum, { encoded }) => sum + encoded.length, 0),
    };
  }

  #readEvents(lane: ports.EventLane, after: ports.EventCursor, limit: number): ports.EventPage {
    const failure = this.nextReadFailure;
    this.nextReadFailure = undefined;
    if (failure) throw failure;
    const following = this.#events[lane].filter(
      ({ epoch, sequence }) => epoch > after.epoch || (epoch === after.epoch && sequence > after.sequence),
    );
    return { records: following.slice(0, limit), head: this.#head(lane) };
  }

  #head(lane: ports.EventLane): ports.EventCursor {
    const last = this.#events[lane].at(-1);
    return { epoch: last?.epoch ?? 1, sequence: last?.sequence ?? 0 };
  }

  #report(gate: "live" | "ready" | "startup"): ReturnType<ports.HealthPort["report"]> {
    const reason = this.health[gate];
    const check = reason === undefined ? { name: "storage", isOk: true } : { name: "storage", isOk: false, reason };
    return { isOk: check.isOk, checks: [check] };
  }
}

function subscribe<L>(listeners: Set<L>, listener: L): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
