import type {
  BlockHeader,
  Certificate,
  DeviceEntry,
  PendingParameter,
  ProofBundle,
  ProposalEntry,
  Receipt,
  Rejection,
  ValidatorEntry,
} from "../protocol/index.ts";

/** A value now or soon: the context behind a port may live in this thread or in another. */
export type Eventually<T> = T | Promise<T>;

/** Ends a subscription; harmless when it has ended. */
export type Unsubscribe = () => void;

/** When a submission is answered: durable on this box, or held durably by more than the tolerated faulty weight. */
export type Acknowledgement = "local" | "replicated";

/** What became of one submitted item, in its place of the submission. Ids have 32 bytes. */
export type SubmissionOutcome =
  | { readonly status: "accepted"; readonly id: Uint8Array }
  | (Rejection & { readonly status: "rejected"; readonly id?: Uint8Array; readonly retryAfterMs?: number });

/** The outcome of a submission: the level reached (below the one asked for only when waiting for it ran out) and one outcome for each item. */
export type Submission = { readonly acknowledgement: Acknowledgement; readonly outcomes: readonly SubmissionOutcome[] };

/** The one command: takes transactions in. */
export interface SubmissionPort {
  /**
   * Judges each item; `accepted` is durable before the promise resolves. A pending repeat is accepted again, an executed
   * one is rejected as `duplicate`. Total on any bytes.
   *
   * @param items COSE bytes as received, undecoded; not changed afterwards
   * @param request the level asked for, undefined for the node's own; who sent it, for quotas
   */
  submit(
    items: readonly Uint8Array[],
    request: { readonly acknowledgement?: Acknowledgement; readonly source: string },
  ): Promise<Submission>;
}

/** Where a transaction stands. `unknown`: never seen here, or forgotten after its end. */
export type TransactionStatus =
  | {
      readonly status: "accepted" | "expired" | "superseded" | "unknown";
      /** Where it was executed, when its block was let go of here: it is final, and others have its receipt. */
      readonly prunedAt?: { readonly height: number; readonly index: number };
    }
  | { readonly status: "final"; readonly receipt: Receipt };

/** What is known of transactions. */
export interface TransactionQueries {
  find(id: Uint8Array): Eventually<TransactionStatus>;
  /** Proof of the receipt of a final transaction; undefined unless it is final. */
  findProof(id: Uint8Array): Eventually<ProofBundle | undefined>;
  /**
   * Tells the ids that reached an end (final, expired or superseded), once the end can be queried. Called outside any
   * database transaction; the listener returns at once and does not throw.
   */
  subscribeSettled(listener: (ids: readonly Uint8Array[]) => void): Unsubscribe;
}

/** What an account has bonded to a validator, by its present worth in base units. */
export type BondView = {
  /** Id of the validator. */
  readonly validator: Uint8Array;
  readonly stake: bigint;
  readonly unbonding: readonly {
    readonly amount: bigint;
    readonly releaseEpoch: number;
    readonly releaseTimeMs: number;
    readonly isReleased: boolean;
  }[];
};

/** An account at a final height; all zero when it does not exist. */
export type AccountView = {
  readonly height: number;
  readonly doesExist: boolean;
  /** Next nonce that executes. */
  readonly nonce: bigint;
  /** Next nonce that no pending transaction uses. */
  readonly pendingNonce: bigint;
  readonly balance: bigint;
  /** What it has bonded to each validator of the list in the state, and to those of genesis. */
  readonly bonds: readonly BondView[];
  /** Sponsorship, when the key is a registered device's. */
  readonly device?: DeviceEntry;
};

/** Totals at a final height: balances + stake + unbonding + `feePot` + `burned` = `issued`. */
export type SupplyView = { readonly height: number; readonly issued: bigint; readonly burned: bigint; readonly feePot: bigint };

/** What is known of accounts, by 32-byte public key. */
export interface AccountQueries {
  supply(): Eventually<SupplyView>;
  find(publicKey: Uint8Array): Eventually<AccountView>;
  /** Proof of the account's entry, or of its absence, in the state after a final block; undefined before the first block. */
  findProof(publicKey: Uint8Array): Eventually<ProofBundle | undefined>;
}

/** A batch as a block lists it. */
export type BatchView = {
  readonly digest: Uint8Array;
  readonly author: Uint8Array;
  readonly sequence: number;
  readonly transactionCount: number;
  readonly sizeBytes: number;
};

/** A final block. */
export type BlockView = {
  readonly hash: Uint8Array;
  readonly header: BlockHeader;
  readonly batches: readonly BatchView[];
  /** Executed transactions, which have receipts. */
  readonly transactionCount: number;
  /** Finalization of this block or of the descendant that made it final. */
  readonly finalization: Certificate;
};

/** What is known of final blocks; heights start at 1, genesis is no block. */
export interface BlockQueries {
  /** Highest final height, 0 when there is only genesis. */
  latestHeight(): Eventually<number>;
  /** Lowest height whose block is kept here: 1, or the one after a snapshot that the chain here began at, or after what was pruned. */
  lowestHeight(): Eventually<number>;
  /** Nodes that say that they keep every block: whom to ask for those that are not here. */
  archives(): Eventually<readonly ArchiveView[]>;
  find(height: number): Eventually<BlockView | undefined>;
  /** Up to `limit` blocks from this height upward; fewer at the tip or where pruning left gaps. */
  list(from: number, limit: number): Eventually<readonly BlockView[]>;
}

/** A validator: its entry in the state, how it stands, and its seat in the epoch's set when it has one. */
export type ValidatorView = {
  /** Its first signing key, 32 bytes. */
  readonly id: Uint8Array;
  readonly entry: ValidatorEntry;
  /** Name in genesis. */
  readonly name?: string;
  readonly status: "active" | "waiting" | "exiting" | "jailed";
  readonly seat?: {
    readonly index: number;
    readonly weight: bigint;
    /** Whether it leads the current view. */
    readonly isLeader: boolean;
  };
};

/** The validator set in force. */
export type ValidatorSetView = {
  readonly height: number;
  readonly epoch: number;
  readonly hash: Uint8Array;
  readonly totalWeight: bigint;
  readonly quorumWeight: bigint;
  readonly validators: readonly ValidatorView[];
};

/** What is known of validators. */
export interface ValidatorQueries {
  current(): Eventually<ValidatorSetView>;
  /** The validator that has this id, or has or had this signing key. */
  find(key: Uint8Array): Eventually<{ readonly height: number; readonly epoch: number; readonly validator: ValidatorView } | undefined>;
  /** Proof of the entry of a validator's id, or of its absence, after a final block; undefined before the first block. */
  findProof(id: Uint8Array): Eventually<ProofBundle | undefined>;
}

/** What votes decide, at a final height. Amounts and counts alike are given as unsigned 64-bit integers. */
export type ParametersView = {
  readonly height: number;
  readonly epoch: number;
  readonly feePolicy: "burn" | "validators";
  readonly parameters: readonly { readonly name: string; readonly value: bigint; readonly genesis: bigint }[];
  readonly features: readonly string[];
  readonly approved: readonly PendingParameter[];
  readonly proposals: readonly { readonly id: Uint8Array; readonly entry: ProposalEntry }[];
};

/** What is known of parameters. */
export interface ParameterQueries {
  current(): Eventually<ParametersView>;
}

/** How the node stands to the chain: level with it, behind, without its votes (RECOVERING), or of too old a release for what follows. */
export type SyncState = "synced" | "catchingUp" | "recovering" | "outdated";

/** What is true of the node now. */
export type StatusView = {
  /** Genesis hash, 32 bytes. */
  readonly chainId: Uint8Array;
  readonly chainName: string;
  /** The `{node}` of topics: 1-64 of `A-Za-z0-9_-`. */
  readonly nodeId: string;
  readonly role: "validator" | "observer";
  /** Validator key of this node, when it has one. */
  readonly validator?: Uint8Array;
  readonly height: number;
  readonly blockHash: Uint8Array;
  readonly blockTimeMs: number;
  readonly epoch: number;
  readonly view: number;
  /** Peers connected. */
  readonly peers: number;
  readonly syncState: SyncState;
  /** What its operator should know and do, in a sentence. */
  readonly notice?: string;
  /** Height being caught up to, when known. */
  readonly targetHeight?: number;
  readonly uptimeMs: number;
  readonly minimumFee: bigint;
  readonly maxValidity: bigint;
  readonly pendingTransactions: number;
  readonly pendingBytes: number;
  /** Where its device broker is, by door; absent or empty without one. */
  readonly mqtt?: { readonly tcp?: string; readonly tls?: string; readonly webSocket?: string };
};

/** A node that is connected. Durations in milliseconds. */
export type PeerView = {
  /** Key that it proved, 32 bytes in hex: a validator's signing key, or an observer's. */
  readonly peer: string;
  readonly isValidator: boolean;
  readonly direction: "inbound" | "outbound";
  readonly address: string;
  readonly software: string;
  readonly connectedForMs: number;
  readonly silentForMs: number;
  readonly rttMs: number | undefined;
  /** Height of the highest block that it has proven final; undefined while it has proven none. */
  readonly height: number | undefined;
  /** Lowest block that it says it can serve; undefined from a release that does not say. */
  readonly lowestHeight: number | undefined;
  /** Whether it says that it keeps every block. */
  readonly isArchive: boolean;
  readonly queuedBytes: number;
};

/** A node that says that it keeps every block: its key in hex, and the multiaddrs at which it is reached. */
export type ArchiveView = { readonly peer: string; readonly addresses: readonly string[] };

/** A node that should be connected and is not. */
export type AbsentPeerView = {
  readonly address: string;
  readonly peer: string | undefined;
  readonly failures: number;
  readonly reason: string | undefined;
  readonly nextTryInMs: number | undefined;
};

/** Whom the node is connected to. */
export type PeersView = {
  /** Addresses that it listens on; none without a network. */
  readonly addresses: readonly string[];
  readonly connected: readonly PeerView[];
  readonly absent: readonly AbsentPeerView[];
  /** Keys, in hex, of members of the epoch's set that are not connected; this node is not among them. */
  readonly missingValidators: readonly string[];
  /** Another box that runs this node's key, where it was met, and how long ago it was first and last heard of. */
  readonly sharedKey?: { readonly address: string | undefined; readonly sinceMs: number; readonly heardMs: number };
  /** This node's own final height, which those of peers are compared with. */
  readonly height: number;
  /** Whether this node keeps every block, and the lowest that it has. */
  readonly isArchive: boolean;
  readonly lowestHeight: number;
  /** Other nodes that say so, connected or not. */
  readonly archives: readonly ArchiveView[];
};

/** The node's own state. */
export interface StatusQuery {
  status(): Eventually<StatusView>;
  peers(): Eventually<PeersView>;
}

/** A lane of the event log. */
export type EventLane = "crit" | "chain" | "ops";

/** A place in a lane: incarnation of the log, then position from 1; sequence 0 is before the first. */
export type EventCursor = { readonly epoch: number; readonly sequence: number };

/** A record of a lane in its JSON form; `payloadHex` stands in for a payload of an unknown type. */
export type EventRecord = EventCursor & {
  readonly lane: EventLane;
  readonly previousHash: string;
  readonly time: string;
  readonly type: string;
  readonly payload?: Readonly<Record<string, string | number | boolean>>;
  readonly payloadHex?: string;
  readonly hash: string;
};

/** Records after a place, oldest first, and the lane's last place. A first record that does not follow shows a gap. */
export type EventPage = { readonly records: readonly EventRecord[]; readonly head: EventCursor };

/** The event log. */
export interface EventQueries {
  read(lane: EventLane, after: EventCursor, limit: number): Eventually<EventPage>;
  /** The last place of a lane. */
  head(lane: EventLane): Eventually<EventCursor>;
  /** Tells that a lane has grown, once that can be read. The listener returns at once and does not throw. */
  subscribe(listener: (lane: EventLane) => void): Unsubscribe;
}

/** The genesis document of the chain. */
export interface GenesisQuery {
  /** JSON text in UTF-8. */
  document(): Eventually<Uint8Array>;
}

/** Answers of the health gates; monitoring's HealthModel is one. */
export interface HealthPort {
  report(gate: "live" | "ready" | "startup"): {
    readonly isOk: boolean;
    readonly checks: readonly { readonly name: string; readonly isOk: boolean; readonly reason?: string }[];
  };
}

/** Everything the gateway knows, and the one thing it commands. */
export type GatewayPorts = {
  readonly submission: SubmissionPort;
  readonly transactions: TransactionQueries;
  readonly accounts: AccountQueries;
  readonly blocks: BlockQueries;
  readonly validators: ValidatorQueries;
  readonly parameters: ParameterQueries;
  readonly node: StatusQuery;
  readonly events: EventQueries;
  readonly genesis: GenesisQuery;
  readonly health: HealthPort;
};
