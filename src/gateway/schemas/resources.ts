import { z } from "@hono/zod-openapi";
import { REJECTION_CODES } from "../../protocol/index.ts";
import { archiveSchema, prunedSchema } from "./archive.ts";
import { receiptSchema } from "./chain.ts";
import { bondSchema } from "./staking.ts";
import { addressSchema, countSchema, cursorSchema, hash32Schema, hexSchema, timeSchema, u64Schema } from "./values.ts";

/** Where a transaction stands. */
export const transactionSchema = z
  .object({
    id: hash32Schema,
    status: z.enum(["accepted", "final", "expired", "superseded", "unknown"]),
    height: countSchema.optional(),
    index: countSchema.optional(),
    receipt: receiptSchema.optional(),
    isPruned: z
      .literal(true)
      .optional()
      .openapi({ description: "It is final, and its block was let go of here: archives have the receipt" }),
  })
  .openapi("Transaction");

/** What became of each submitted transaction, in the order submitted; a `duplicate` tells where the executed one stands. */
export const outcomesSchema = z
  .array(
    z.union([
      z.object({ id: hash32Schema, status: z.literal("accepted") }),
      z.object({
        id: hash32Schema.optional(),
        status: z.literal("rejected"),
        code: z.enum(REJECTION_CODES),
        detail: z.string(),
        transaction: transactionSchema.optional(),
      }),
    ]),
  )
  .openapi("Outcomes");

/** Answer to a submission of which at least one was accepted. */
export const submissionSchema = z
  .object({ transactions: outcomesSchema, ack: z.enum(["local", "replicated"]).openapi({ description: "Level of durability reached" }) })
  .openapi("Submission");

/** An account at a final height. */
export const accountSchema = z
  .object({
    address: addressSchema,
    publicKey: hash32Schema,
    height: countSchema,
    exists: z.boolean(),
    nonce: u64Schema.openapi({ description: "Next nonce that executes" }),
    pendingNonce: u64Schema.openapi({ description: "Next nonce that no pending transaction uses" }),
    balance: u64Schema,
    stake: u64Schema.openapi({ description: "What is bonded, by its present worth" }),
    bonds: z
      .array(bondSchema)
      .optional()
      .openapi({ description: "With each validator of the list in the state, which names all that have stake (512 at most)" }),
    device: z
      .object({
        owner: addressSchema,
        label: z.string(),
        transactionsPerHour: u64Schema,
        bytesPerHour: u64Schema,
        usedTransactions: u64Schema,
        usedBytes: u64Schema,
        hour: countSchema.openapi({ description: "Hour of header time since the Unix epoch that the use counts for" }),
      })
      .optional(),
  })
  .openapi("Account");

/** Totals of all units. */
export const supplySchema = z
  .object({
    height: countSchema,
    issued: u64Schema.openapi({ description: "By genesis: balances and stakes" }),
    burned: u64Schema.openapi({ description: "Destroyed since: fees by policy, and what convicted validators lost" }),
    feePot: u64Schema.openapi({ description: "Fees that are shared among the validators when the epoch ends" }),
  })
  .openapi("Supply");

/** Whom the node is connected to. */
export const peersSchema = z
  .object({
    addresses: z.array(z.string()).openapi({ description: "Multiaddrs that it listens on; empty without a network" }),
    connected: z.array(
      z.object({
        peer: hash32Schema.openapi({ description: "Key that it proved: a validator's signing key, or an observer's" }),
        isValidator: z.boolean(),
        direction: z.enum(["inbound", "outbound"]),
        address: z.string(),
        software: z.string(),
        connectedSeconds: countSchema,
        silentSeconds: countSchema,
        rttMs: z.number().min(0).optional(),
        height: countSchema.optional().openapi({ description: "Highest block that it has proven final" }),
        behind: countSchema.optional().openapi({ description: "Blocks that it has not proven and this node has" }),
        lowest: countSchema.optional().openapi({ description: "Lowest block that it says it can serve" }),
        isArchive: z.boolean().openapi({ description: "Whether it says that it keeps every block" }),
        queuedBytes: countSchema,
      }),
    ),
    absent: z.array(
      z.object({
        address: z.string(),
        peer: hash32Schema.optional(),
        failures: countSchema,
        reason: z.string().optional(),
        nextTrySeconds: countSchema.optional(),
      }),
    ),
    missingValidators: z.array(hash32Schema).openapi({ description: "Members of the epoch's set that are not connected" }),
    isArchive: z.boolean().openapi({ description: "Whether this node keeps every block" }),
    lowest: countSchema.openapi({ description: "Lowest block that is here" }),
    archives: z.array(archiveSchema).openapi({ description: "Other nodes that say that they keep every block" }),
    sharedKey: z
      .object({ address: z.string().optional(), sinceSeconds: countSchema, heardSeconds: countSchema })
      .optional()
      .openapi({ description: "Another box that runs this node's key: where it was met, and since when" }),
  })
  .openapi("Peers");

/** What is true of the node now. */
export const statusSchema = z
  .object({
    chainId: hash32Schema,
    genesisHash: hash32Schema,
    chainName: z.string(),
    network: z
      .string()
      .regex(/^[0-9a-f]{8}$/)
      .openapi({ description: "The {net} of topics: the first 8 hex digits of the genesis hash" }),
    id: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/)
      .openapi({ description: "The {node} of topics" }),
    role: z.enum(["validator", "observer"]),
    validator: hash32Schema.optional().openapi({ description: "Public key of this node's validator" }),
    height: countSchema,
    blockHash: hash32Schema,
    blockTime: timeSchema,
    epoch: countSchema,
    view: countSchema,
    peers: countSchema,
    syncState: z.enum(["synced", "catchingUp", "recovering", "outdated"]),
    notice: z.string().optional().openapi({ description: "What the operator should know and do, in a sentence" }),
    targetHeight: countSchema.optional(),
    version: z.string(),
    uptimeSeconds: countSchema,
    time: timeSchema.openapi({ description: "When this was true, by the node's clock" }),
    minimumFee: u64Schema,
    pending: z.object({ transactions: countSchema, bytes: countSchema }),
    mqtt: z
      .object({ tcp: z.string().optional(), tls: z.string().optional(), webSocket: z.string().optional() })
      .optional()
      .openapi({ description: "Addresses of the device broker, by door" }),
    limits: z.object({
      transactionBytesMax: countSchema,
      bodyBytesMax: countSchema,
      transactionsPerRequestMax: countSchema,
      nonceGapMax: u64Schema,
      maxValidity: u64Schema,
      anchorBytesMax: countSchema,
      streamBytesMax: countSchema,
      memoBytesMax: countSchema,
      waitMsMax: countSchema,
    }),
  })
  .openapi("Status");

/** A lane of the event log. */
export const laneSchema = z.enum(["crit", "chain", "ops"]).openapi("Lane");

/** A record of the event log. */
export const eventSchema = z
  .object({
    lane: laneSchema,
    epoch: countSchema,
    sequence: countSchema,
    cursor: cursorSchema,
    previousHash: hash32Schema,
    time: z.string(),
    type: z.string(),
    payload: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
    payloadHex: hexSchema.optional().openapi({ description: "Stands in for `payload` when this release does not know the type" }),
    hash: hash32Schema,
  })
  .openapi("Event");

/** A page of a lane, oldest first. */
export const eventPageSchema = z
  .object({
    lane: laneSchema,
    events: z.array(eventSchema),
    next: cursorSchema.openapi({ description: "`after` of the following page; the place of the last event told so far" }),
    head: cursorSchema.openapi({ description: "Place of the lane's last record" }),
    pruned: prunedSchema.optional(),
  })
  .openapi("EventPage");

/** The answer of an open health gate. */
export const healthSchema = z
  .object({
    status: z.literal("ok"),
    checks: z.array(z.object({ name: z.string(), isOk: z.boolean(), reason: z.string().optional() })),
  })
  .openapi("Health");

/** What program answers. */
export const versionSchema = z
  .object({ name: z.string(), version: z.string(), runtime: z.string(), commit: z.string().optional() })
  .openapi("Version");
