import { z } from "@hono/zod-openapi";
import { SYNC_LANES } from "../../protocol/index.ts";
import { QUOTA_BYTES } from "../quota.ts";
import { SORT_KEYS } from "./listing.ts";
import { SERIES_POINTS_MAX } from "./series.ts";
import { NODE_STATES, STATUS_REASONS } from "./status.ts";
import { FLEET_ROLES } from "./users.ts";

const count = z.int().min(0);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const hex = z.string().regex(/^([0-9a-f]{2})*$/);
const time = z.iso.datetime();
const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

/** A whole number in a query. */
function integer(min: number, max: number, fallback: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/, `expected a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `expected a whole number from ${min} to ${max}`)
    .default(fallback)
    .openapi({ type: "integer", minimum: min, maximum: max, default: fallback });
}

const cursor = z
  .string()
  .regex(/^\d{1,15}\.\d{1,15}$/, "expected a cursor as epoch.sequence")
  .openapi({ description: "epoch.sequence of a record", example: "1.42" });

const lane = z.enum(SYNC_LANES);

/** Which node a path names. */
export const nodeParams = z.object({ network: hash, node: name });

/** What /nodes takes. */
export const nodesQuery = z.object({
  offset: integer(0, 1_000_000, 0),
  limit: integer(1, 500, 100),
  sort: z.enum(SORT_KEYS).default("node"),
  order: z.enum(["ascending", "descending"]).default("ascending"),
  state: z.enum(NODE_STATES).optional(),
  network: hash.optional(),
  text: z.string().max(100).default(""),
});

/** What a node's events take. */
export const eventsQuery = z
  .object({ lane, after: cursor.optional(), before: cursor.optional(), limit: integer(1, 500, 100) })
  .openapi({ description: "after: the records that follow, oldest first; before, or neither: those that precede, newest first" });

/** What a proof takes. */
export const proofQuery = z.object({ lane, epoch: integer(1, 1e15, 1), from: integer(1, 1e15, 1), to: integer(1, 1e15, 1) });

/** What a node's history takes. */
export const historyQuery = z.object({
  minutes: integer(1, 43_200, 180),
  points: integer(1, SERIES_POINTS_MAX, 200),
});

/** What lists of findings and of the audit take. */
export const findingsQuery = z.object({ limit: integer(1, 500, 100), network: hash.optional(), node: name.optional() });
/** What the audit takes. */
export const auditQuery = z.object({ limit: integer(1, 500, 100), before: time.optional() });

/** A login. */
export const loginBody = z.object({ user: z.string().min(1).max(64), password: z.string().min(1).max(256) });
/** A node's site. */
export const siteBody = z.strictObject({ site: z.string().max(64) });

const quotaBytes = z.int().min(QUOTA_BYTES.min).max(QUOTA_BYTES.max);
/** What a node may store in place of what all may, in bytes. */
export const quotaBody = z.strictObject({ eventBytes: quotaBytes.optional(), objectBytes: quotaBytes.optional() });

const statusSchema = z.object({
  state: z.enum(NODE_STATES),
  reasons: z.array(z.enum(STATUS_REASONS)),
  heardAt: time.optional(),
  ageMs: z.number().min(0).optional(),
  lateMs: count,
  silentMs: count,
});

const rowSchema = z
  .object({
    network: hash,
    node: name,
    site: z.string(),
    software: z.string(),
    profile: z.string(),
    role: z.enum(["validator", "observer"]),
    enrolment: z.enum(["enrolled", "revoked"]),
    status: statusSchema,
    height: count.optional(),
    heightLag: count.optional(),
    epoch: count.optional(),
    view: count.optional(),
    duty: z.string().optional(),
    isReady: z.boolean().optional(),
    reason: z.string().optional(),
    peers: count.optional(),
    rpoMs: count.optional(),
    clockOffsetMs: z.int().optional(),
    figures: z.record(z.string(), z.number()).optional(),
  })
  .openapi("FleetNode");

const findingSchema = z.object({
  at: time,
  network: hash,
  node: z.string(),
  kind: z.string(),
  lane: lane.optional(),
  epoch: count.optional(),
  sequence: count.optional(),
  detail: z.string(),
});

/** Who is logged in. */
export const sessionAnswer = z
  .object({ user: z.string(), role: z.enum(FLEET_ROLES), csrf: z.string(), expires: time })
  .openapi("FleetSession");

/** A page of nodes. */
export const nodesAnswer = z.object({
  now: time,
  total: count,
  counts: z.object({ online: count, degraded: count, unknown: count }),
  nodes: z.array(rowSchema),
});

/** One node. */
export const nodeAnswer = rowSchema.extend({
  now: time,
  identityKey: hash,
  validatorKey: hash.optional(),
  enrolledAt: time,
  lastHelloAt: time,
  boot: z.object({ id: hex, heartbeat: count, time }).optional(),
  holdings: z.array(z.object({ lane, epoch: count, sequence: count, hash, checkpointed: count, isWhole: z.boolean() })),
  findings: z.array(findingSchema),
  storage: z.object({
    events: z.object({
      bytes: count,
      quotaBytes: count.openapi({ description: "Where ops is not taken any more" }),
      hardBytes: count.openapi({ description: "Where nothing is" }),
      lanes: z.record(z.string(), count),
      isSet: z.boolean().openapi({ description: "Whether the quota is this node's own" }),
    }),
    objects: z.object({
      bytes: count.openapi({ description: "At most: what was removed today may be in it" }),
      quotaBytes: count,
      isSet: z.boolean(),
    }),
  }),
});

/** A page of a lane. */
export const eventsAnswer = z.object({
  events: z.array(
    z.object({
      lane,
      epoch: count,
      sequence: count,
      time: z.string(),
      type: z.string(),
      payload: z.record(z.string(), z.unknown()).optional(),
      payloadHex: hex.optional(),
      body: hex,
      previousHash: hash.optional().openapi({ description: "Absent when the record before is not held" }),
      hash,
      receivedAt: time,
    }),
  ),
  next: cursor.optional().openapi({ description: "Where the next page goes on, in the same direction" }),
});

const subtree = z.object({ start: count, size: count, hash });

/** A checkpoint with what leads from some records to its root. */
export const proofAnswer = z.object({
  origin: z.string(),
  size: count,
  note: z.string(),
  to: count.openapi({ description: "Last of the asked records that the checkpoint covers" }),
  before: z.array(subtree),
  after: z.array(subtree),
});

/** A node's figures over time. */
export const historyAnswer = z.object({
  from: time,
  to: time,
  heartbeats: count,
  series: z.record(z.string(), z.array(z.object({ at: time, min: z.number(), mean: z.number(), max: z.number() }))),
});

/** Networks. */
export const networksAnswer = z.object({
  now: time,
  networks: z.array(
    z.object({
      network: hash,
      nodes: z.object({ online: count, degraded: count, unknown: count }),
      height: count.optional(),
      source: z.string().optional().openapi({ description: "Whose chain lane this was read from" }),
      isWhole: z.boolean().optional().openapi({ description: "Whether that lane has been read to its end" }),
      epoch: count.optional(),
      totalWeight: z.string().optional(),
      lastBlock: z.object({ height: count, time, ageMs: z.number(), view: count }).optional(),
      pace: z.object({ blocks: count, intervalMs: z.number().optional(), missedViews: count }).optional(),
      blocks: z.array(z.object({ height: count, timeMs: count, view: count, epoch: count })).optional(),
      validators: z.array(
        z.object({
          publicKey: hash,
          owner: hash,
          weight: z.string(),
          jailedUntilEpoch: count.optional(),
          claimedBy: z.array(
            z.object({
              node: z.string(),
              status: statusSchema,
              duty: z.string().optional(),
              attendance: z.object({ certificates: count, votes: count, proposed: count, missedTurns: count }).optional(),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** Findings. */
export const findingsAnswer = z.object({ findings: z.array(findingSchema) });
/** The audit. */
export const auditAnswer = z.object({
  entries: z.array(
    z.object({ at: time, actor: z.string(), action: z.string(), target: z.string(), outcome: z.string(), detail: z.string() }),
  ),
});
/** What a change answers. */
export const changedAnswer = z.object({ site: z.string() });

/** A refusal. */
export const problemSchema = z
  .object({ type: z.string(), title: z.string(), status: z.int(), detail: z.string(), instance: z.string(), code: z.string() })
  .openapi("FleetProblem");
