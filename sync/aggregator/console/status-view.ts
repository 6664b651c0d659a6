import { type Content, durationText, make, momentText } from "../../../src/page/browser.ts";
import { type NodeState, type StatusReason, stateOf } from "../fleet/status.ts";
import type { NodeRow } from "./api.ts";

/** A status as the API gives it. */
export type GivenStatus = NodeRow["status"];

/** The state of a node now: by the aggregator's rule, with the age that its last word has by now. */
export function stateNow(
  { heardAt, lateMs, silentMs, reasons }: GivenStatus,
  nowMs: number,
): { readonly state: NodeState; readonly ageMs: number | undefined; readonly reasons: readonly StatusReason[] } {
  const ageMs = heardAt === undefined ? undefined : Math.max(0, nowMs - Date.parse(heardAt));
  const complaints = reasons.filter((reason) => reason !== "late");
  const isLate = ageMs !== undefined && ageMs >= lateMs;
  return { state: stateOf(ageMs, { lateMs, silentMs }, complaints), ageMs, reasons: isLate ? ["late", ...complaints] : complaints };
}

/** What each reason says, for people. */
export const REASONS = {
  late: "heartbeat is late",
  notReady: "not ready",
  catchingUp: "catching up",
  alerts: "has alerts",
  diskLow: "disk nearly full",
  storageWorn: "storage worn",
  hot: "hot",
  throttled: "throttled",
  clockUnsynchronized: "clock not synchronized",
} as const satisfies Record<StatusReason, string>;

/** A status in words with its age; the shape of the mark says it without colours. */
export function statusContent(status: GivenStatus, nowMs: number): Content {
  const { state, ageMs, reasons } = stateNow(status, nowMs);
  const mark = make("span", { class: `mark ${state}`, "aria-hidden": "true" }, MARKS[state]);
  const words = state === "unknown" ? (status.heardAt === undefined ? "never heard" : "unknown") : state;
  const age = ageMs === undefined ? "" : state === "unknown" ? ` for ${durationText(ageMs)}` : ` ${durationText(ageMs)} ago`;
  const complaints = state === "degraded" ? `: ${reasons.map((reason) => REASONS[reason]).join(", ")}` : "";
  const why = state === "unknown" && status.heardAt !== undefined ? `, since ${momentText(status.heardAt)}` : complaints;
  return [mark, make("span", { class: `state ${state}` }, words), make("span", { class: "age" }, age), make("span", { class: "why" }, why)];
}

/** A mark for each state. */
export const MARKS = { online: "\u25cf", degraded: "\u25b2", unknown: "\u25cb" } as const satisfies Record<NodeState, string>;
