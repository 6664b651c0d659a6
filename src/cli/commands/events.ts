import { nativeSuite } from "../../crypto/index.ts";
import { examineLane, LANES, type Lane, type LaneExamination, openRecords, type RecordJson, recordToJson } from "../../events/index.ts";
import { findRunningNode, openHomeLanes, StartRefused, systemClock, systemTimers } from "../../node/index.ts";
import { isJson, type Json, NodeClient } from "../client.ts";
import { type Command, CommandFailure, type CommandInput, type FlagSpec, parseCount, required, UsageError } from "../command.ts";
import { parseDuration } from "../duration.ts";
import { untilSignal } from "../signals.ts";
import type { Terminal } from "../terminal.ts";

const FILTER_FLAGS: Readonly<Record<string, FlagSpec>> = {
  lane: { kind: "text", value: "LANE", doc: `${LANES.join(", ")} (default crit).` },
  type: { kind: "text", value: "TYPE", isRepeatable: true, doc: "Only events of this type, e.g. alert.raised, or of a family: alert." },
  since: { kind: "text", value: "TIME", doc: "Only events from a time on: 2027-01-31T00:00:00Z, or so long ago: 30m, 24h, 7d." },
  after: { kind: "text", value: "EPOCH.SEQUENCE", doc: "Begins after this record." },
};

const SOURCE_FLAGS: Readonly<Record<string, FlagSpec>> = {
  home: { kind: "text", value: "DIR", doc: "Home of a node, running or stopped." },
  url: { kind: "text", value: "URL", doc: "Instead of --home: address of a running node." },
};

const PAGE = 1_000;
const TAIL_MS = 1_000;
const YEARS_MS = 10 * 365 * 86_400_000;

/** An event as the command prints it; that of a running node comes as its interface gives it. */
type Shown = Json | RecordJson;

/** Gives the records of a lane after a place, and the place of the last; nothing more when it is the same. */
type ReadPage = (after: string) => Promise<{ readonly events: readonly Shown[]; readonly next: string }>;

/** `bizra events list`: what a lane says, from a running node or a stopped node's home. */
export const eventsList: Command = {
  name: "events list",
  summary: "Prints the events of a lane, oldest first, from a running node or from the home of a stopped one.",
  flags: {
    ...SOURCE_FLAGS,
    ...FILTER_FLAGS,
    limit: { kind: "text", value: "N", doc: "Events at most (default 1000)." },
  },
  async run(input, terminal) {
    const wanted = filterOf(input);
    let left = parseCount(input.flag("limit") ?? "1000", "--limit", 1, 1_000_000_000);
    return await withSource(input, async (read) => {
      for (let after = input.flag("after") ?? "0.0"; left > 0; ) {
        const { events, next } = await read(after);
        for (const item of events.filter(wanted).slice(0, left)) {
          show(item, terminal);
          left--;
        }
        if (next === after || events.length === 0) break;
        after = next;
      }
      return 0;
    });
  },
};

/** `bizra events tail`: what a running node's lane says from now on. */
export const eventsTail: Command = {
  name: "events tail",
  summary: "Prints the events of a running node's lane as they come, until it is interrupted.",
  flags: { ...SOURCE_FLAGS, ...FILTER_FLAGS },
  async run(input, terminal) {
    const wanted = filterOf(input);
    const client = NodeClient.of(input);
    const lane = laneOf(input);
    let isEnded = false;
    const ended = untilSignal().then(() => {
      isEnded = true;
    });
    const isFromNow = input.flag("after") === undefined && input.flag("since") === undefined;
    let after = input.flag("after") ?? (isFromNow ? String((await client.get(`/api/v2/events?lane=${lane}&limit=1`))["head"]) : "1.0");
    while (!isEnded) {
      const { events, next } = await readOver(client, lane)(after);
      for (const item of events.filter(wanted)) show(item, terminal);
      after = next;
      if (events.length === 0) await Promise.race([ended, new Promise<void>((resolve) => systemTimers.after(TAIL_MS, resolve))]);
    }
    return 0;
  },
};

/** `bizra events verify`: whether the lanes of a stopped node's home are what was written and signed. */
export const eventsVerify: Command = {
  name: "events verify",
  summary: "Checks every record of a stopped node's lanes: hashes, links, and the signed checkpoints. Needs no passphrase and no network.",
  flags: {
    home: { kind: "text", value: "DIR", doc: "Home of the node." },
    lane: { kind: "text", value: "LANE", doc: "Only this lane." },
  },
  async run(input, terminal) {
    const home = required(input, "home");
    const only = input.flag("lane") === undefined ? undefined : laneOf(input);
    const lanes = asFailure(() => openHomeLanes(home));
    try {
      const found = LANES.filter((lane) => only === undefined || lane === only).map((lane) =>
        examineLane(lane, lanes.readers[lane], lanes.checkpoint(lane), lanes.identityKey, nativeSuite.verify),
      );
      const ok = found.every(isSound);
      terminal.result({ ok, lanes: found.map((lane) => ({ ok: isSound(lane), ...lane })) }, () => found.map(describe).join("\n"));
      return ok ? 0 : 1;
    } finally {
      lanes.close();
    }
  },
};

function isSound({ fault, checkpoint }: LaneExamination): boolean {
  return fault === undefined && checkpoint.verdict !== "wrong" && checkpoint.verdict !== "beyond";
}

const VERDICTS = {
  covers: "signed up to record",
  none: "no checkpoint was signed yet",
  beyond: "a signed checkpoint covers records that are missing, up to",
  unproven: "its beginning was let go, so the tree of its checkpoint cannot be made again; signed up to record",
  wrong: "ITS CHECKPOINT IS NOT THIS IDENTITY'S WORD ON THESE RECORDS, up to",
} as const;

function describe(found: LaneExamination): string {
  const { lane, records, first, last, fault, checkpoint } = found;
  const places = first && last ? `${first.epoch}.${first.sequence} to ${last.epoch}.${last.sequence}` : "empty";
  const place = checkpoint.size === undefined ? "" : ` ${checkpoint.epoch}.${checkpoint.size}`;
  const trouble = fault ? `\n  DAMAGED at ${fault.epoch}.${fault.sequence}: ${fault.detail} (${fault.kind})` : "";
  return `${lane}: ${records} records, ${places}; ${VERDICTS[checkpoint.verdict]}${place}${trouble}`;
}

function laneOf(input: CommandInput): Lane {
  const text = input.flag("lane") ?? "crit";
  const lane = LANES.find((name) => name === text);
  if (lane === undefined) throw new UsageError(`expected --lane as ${LANES.join(", ")}, got ${JSON.stringify(text)}`);
  return lane;
}

function filterOf(input: CommandInput): (item: Shown) => boolean {
  const types = input.flags("type");
  const since = input.flag("since");
  const sinceMs = since === undefined ? -Infinity : timeOf(since);
  const isOf = (type: string): boolean => types.some((wanted) => type === wanted || type.startsWith(`${wanted.replace(/\.$/, "")}.`));
  return (item) => Date.parse(String(item["time"])) >= sinceMs && (types.length === 0 || isOf(String(item["type"])));
}

function timeOf(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : systemClock.nowMs() - parseDuration(text, "--since", 1_000, YEARS_MS);
  if (Number.isNaN(ms)) throw new UsageError(`expected --since as a time such as 2027-01-31T00:00:00Z or 24h, got ${JSON.stringify(text)}`);
  return ms;
}

/** Over HTTP where a node runs; from the files of its home where it does not. */
async function withSource(input: CommandInput, use: (read: ReadPage) => Promise<number>): Promise<number> {
  const lane = laneOf(input);
  const home = input.flag("home");
  if (home === undefined || input.flag("url") !== undefined || findRunningNode(home))
    return await use(readOver(NodeClient.of(input), lane));
  const lanes = asFailure(() => openHomeLanes(home));
  try {
    return await use(async (after) => {
      const page = lanes.readers[lane].read(cursorOf(after), PAGE);
      const opened = openRecords(lane, page.previous, page.records);
      if (!opened.ok)
        throw new CommandFailure(`${lane} lane, record ${opened.error.epoch}.${opened.error.sequence}: ${opened.error.detail}`);
      const last = opened.value.at(-1);
      return { events: opened.value.map(recordToJson), next: last ? `${last.epoch}.${last.sequence}` : after };
    });
  } finally {
    lanes.close();
  }
}

function readOver(client: NodeClient, lane: Lane): ReadPage {
  return async (after) => {
    const { epoch, sequence } = cursorOf(after);
    const page = await client.get(`/api/v2/events?lane=${lane}&after=${Math.max(1, epoch)}.${sequence}&limit=${PAGE}`);
    const events = Array.isArray(page["events"]) ? page["events"].filter(isJson) : [];
    return { events, next: String(page["next"]) };
  };
}

function cursorOf(text: string): { readonly epoch: number; readonly sequence: number } {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(text);
  if (!match) throw new UsageError(`expected --after as EPOCH.SEQUENCE, such as 1.250, got ${JSON.stringify(text)}`);
  return { epoch: Number(match[1]), sequence: Number(match[2]) };
}

function show(item: Shown, terminal: Terminal): void {
  const { time, type, epoch, sequence, payload, payloadHex } = item;
  const said = isJson(payload) ? Object.entries(payload).map(([name, value]) => `${name}=${String(value)}`) : [String(payloadHex ?? "")];
  terminal.result(item, () => `${String(time)} ${String(epoch)}.${String(sequence)} ${String(type)} ${said.join(" ")}`);
}

function asFailure<T>(open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    throw new CommandFailure(error.message);
  }
}
