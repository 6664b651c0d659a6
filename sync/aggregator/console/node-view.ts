import {
  bytesText,
  type Content,
  countText,
  durationText,
  figureName,
  figureText,
  fill,
  make,
  momentText,
} from "../../../src/page/browser.ts";
import type { EventsAnswer, HistoryAnswer, NodeAnswer } from "./api.ts";
import { chart } from "./chart.ts";
import { statusContent } from "./status-view.ts";
import { eventItem, Timeline } from "./timeline.ts";
import { hexContent, type View, type ViewParts } from "./view.ts";

/** Figures that are drawn first, in this order; the others follow by name. */
const FIRST_CHARTS = [
  "unacknowledgedMs",
  "blockAgeSeconds",
  "peers",
  "cpuPercent",
  "residentBytes",
  "diskFreeBytes",
  "temperatureCelsius",
  "eventLoopLagMs",
  "journalSyncMs",
  "clockOffsetMs",
];
/** Figures that only ever count up, or are said elsewhere: a line of them says nothing. */
const NOT_DRAWN = new Set([
  "epochCertificates",
  "epochMissedTurns",
  "epochProposed",
  "epochVotes",
  "height",
  "view",
  "epoch",
  "uptimeSeconds",
]);
const RANGES = [
  { minutes: 60, title: "1 hour" },
  { minutes: 360, title: "6 hours" },
  { minutes: 1_440, title: "1 day" },
  { minutes: 10_080, title: "7 days" },
] as const;
const LOG_LINES = 30;

/** One node: how it is, what it did, its figures over time. */
export function nodeView(parts: ViewParts, network: string, name: string): View {
  const { api, time, session, onAnswer } = parts;
  const path = `/nodes/${network}/${name}`;
  let node: NodeAnswer | undefined;
  let minutes: number = RANGES[0].minutes;
  let refreshes = 0;

  const status = make("p", { id: "node-status", class: "big-status" });
  const facts = make("dl", { id: "facts", class: "facts" });
  const lanes = make("tbody");
  const findings = make("ul", { id: "findings", class: "findings" });
  const charts = make("div", { id: "charts", class: "charts" });
  const log = make("ol", { id: "log", class: "events log", "aria-live": "off" });
  const problem = make("p", { id: "node-problem", class: "problem", role: "alert", hidden: true });
  const ranges = RANGES.map(({ title, minutes: length }) =>
    make(
      "button",
      { type: "button", class: "chip", "aria-pressed": String(length === minutes), onclick: () => void chooseRange(length) },
      title,
    ),
  );
  const timeline = new Timeline(parts, path, () => node);
  const element = make(
    "section",
    { class: "node-view" },
    make("p", {}, make("a", { href: "#/nodes" }, "\u2190 Nodes")),
    make("h1", {}, name),
    status,
    problem,
    make("section", { class: "card", "aria-label": "Facts" }, facts, session.role === "admin" ? [siteForm(), revokeButton()] : undefined),
    make("section", { class: "card", "aria-labelledby": "findings-title" }, make("h2", { id: "findings-title" }, "Findings"), findings),
    make(
      "section",
      { class: "card", "aria-labelledby": "charts-title" },
      make("h2", { id: "charts-title" }, "Over time"),
      make("div", { class: "chips", role: "group", "aria-label": "Range" }, ranges),
      charts,
    ),
    timeline.element,
    make(
      "section",
      { class: "card", "aria-labelledby": "log-title" },
      make("h2", { id: "log-title" }, "Log"),
      make("p", { class: "quiet" }, `The last ${LOG_LINES} records of the ops lane as they come, newest first.`),
      log,
    ),
    make(
      "section",
      { class: "card", "aria-labelledby": "lanes-title" },
      make("h2", { id: "lanes-title" }, "What is held of it"),
      make(
        "table",
        {},
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            ["Lane", "Incarnation", "Records", "Signed up to", "Whole"].map((title) => make("th", { scope: "col" }, title)),
          ),
        ),
        lanes,
      ),
    ),
  );

  function siteForm(): HTMLElement {
    const input = make("input", { id: "site", maxlength: 64, "aria-label": "Site" });
    const form = make(
      "form",
      { class: "bar site-form" },
      input,
      make("button", { type: "submit", id: "put-site", class: "quiet-button" }, "Set site"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void api.put(`${path}/site`, { site: input.value.trim() }).then(() => refreshNode());
    });
    return form;
  }
  function revokeButton(): HTMLElement {
    const button = make("button", { type: "button", id: "revoke-node", class: "quiet-button" }, "Revoke this node");
    let isSure = false;
    button.addEventListener("click", () => {
      if (isSure) void api.put(`${path}/enrolment`, { status: "revoked" }).then(() => refreshNode());
      button.textContent = isSure ? "Revoke this node" : "Turn it away with its certificates: sure?";
      isSure = !isSure;
    });
    return button;
  }
  const chooseRange = (length: number): Promise<void> => {
    minutes = length;
    for (const [i, button] of ranges.entries()) button.setAttribute("aria-pressed", String(RANGES[i]?.minutes === length));
    return refreshCharts();
  };
  const refreshNode = async (): Promise<void> => {
    const answer = await api.get<NodeAnswer>(path);
    onAnswer(answer.ok ? undefined : answer.error);
    problem.hidden = answer.ok || answer.error.code !== "notFound";
    if (!answer.ok) {
      problem.textContent = answer.error.detail;
      return;
    }
    node = answer.value;
    fill(status, statusContent(node.status, time.nowMs() ?? 0));
    fill(facts, factsOf(node));
    fill(findings, node.findings.length === 0 ? make("li", { class: "quiet" }, "Nothing was found.") : node.findings.map(findingItem));
    fill(
      lanes,
      node.holdings.map(({ lane, epoch, sequence, checkpointed, isWhole }) =>
        make(
          "tr",
          {},
          [
            lane,
            String(epoch),
            countText(sequence),
            countText(checkpointed),
            isWhole ? "yes" : "no: records were let go before they came",
          ].map((text) => make("td", {}, text)),
        ),
      ),
    );
  };
  const refreshCharts = async (): Promise<void> => {
    const asked = minutes;
    const answer = await api.get<HistoryAnswer>(`${path}/history`, { minutes, points: 200 });
    if (!answer.ok || asked !== minutes) return;
    const { from, to, series } = answer.value;
    const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
    const others = Object.keys(series)
      .filter((key) => !FIRST_CHARTS.includes(key) && !NOT_DRAWN.has(key) && !/^(is|has)[A-Z]/.test(key))
      .sort();
    const gapMs = Math.max(node?.status.silentMs ?? 90_000, (3 * (toMs - fromMs)) / 200);
    const drawn = [...FIRST_CHARTS, ...others].flatMap((key) => {
      const points = series[key];
      return points && points.length > 0 ? [chart(key, points, fromMs, toMs, gapMs)] : [];
    });
    fill(charts, drawn.length === 0 ? make("p", { class: "quiet" }, "No heartbeat is kept of this time.") : drawn);
  };
  const refreshLog = async (): Promise<void> => {
    const answer = await api.get<EventsAnswer>(`${path}/events`, { lane: "ops", limit: LOG_LINES });
    if (answer.ok)
      fill(
        log,
        answer.value.events.map((event) => eventItem(event)),
      );
  };
  return {
    element,
    title: name,
    everyMs: 3_000,
    refresh: async () => {
      await Promise.all([refreshNode(), refreshLog(), ...(refreshes === 0 ? [timeline.start()] : [])]);
      if (refreshes++ % 10 === 0) await refreshCharts();
    },
    tick: (now) => {
      if (node) fill(status, statusContent(node.status, now));
    },
  };
}

function factsOf(node: NodeAnswer): Content {
  const known: [string, Content][] = [
    ["Network", hexContent(node.network)],
    ["Role", `${node.role}${node.duty === undefined ? "" : `, ${node.duty}`}`],
    ["Version", node.software],
    ["Site", node.site || "\u2013"],
    ["Link", node.profile],
    ["Enrolment", node.enrolment],
  ];
  if (node.reason !== undefined) known.push(["Not ready", node.reason]);
  if (node.height !== undefined)
    known.push(["Height", `${countText(node.height)}, ${countText(node.heightLag ?? 0)} behind the best known`]);
  if (node.epoch !== undefined) known.push(["Epoch and view", `${countText(node.epoch)} / ${countText(node.view ?? 0)}`]);
  if (node.peers !== undefined) known.push(["Peers", countText(node.peers)]);
  if (node.rpoMs !== undefined) known.push(["Live RPO", durationText(node.rpoMs)]);
  if (node.clockOffsetMs !== undefined) known.push(["Clock offset", `${node.clockOffsetMs} ms`]);
  const { figures = {} } = node;
  for (const name of [
    "diskFreeBytes",
    "storageWearPercent",
    "temperatureCelsius",
    "uptimeSeconds",
    "residentBytes",
    "cpuPercent",
    "alerts",
  ]) {
    const value = figures[name];
    if (value !== undefined) known.push([capital(figureName(name)), figureText(name, value)]);
  }
  if (figures["syncBytes"] !== undefined) known.push(["Data used since start", bytesText(figures["syncBytes"])]);
  known.push(["Events stored", storedText(node.storage.events, "no ops any more")]);
  if (node.storage.objects.bytes > 0) known.push(["Objects stored, at most", storedText(node.storage.objects, "full")]);
  known.push(["Identity key", make("code", { id: "identity-key", class: "whole" }, node.identityKey)]);
  if (node.validatorKey !== undefined) known.push(["Validator key", make("code", { class: "whole" }, node.validatorKey)]);
  known.push(["Enrolled", momentText(node.enrolledAt)], ["Last session", momentText(node.lastHelloAt)]);
  return known.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)));
}

/** What is used of a quota, and that it is used up. */
function storedText({ bytes, quotaBytes }: { readonly bytes: number; readonly quotaBytes: number }, beyond: string): string {
  return `${bytesText(bytes)} of ${bytesText(quotaBytes)}${bytes >= quotaBytes ? `: ${beyond}` : ""}`;
}

function findingItem({ at, kind, lane, epoch, sequence, detail }: NodeAnswer["findings"][number]): HTMLLIElement {
  const place = lane === undefined ? "" : ` ${lane} ${epoch ?? ""}/${sequence ?? ""}`;
  return make("li", {}, make("strong", {}, kind), place, " ", make("time", {}, momentText(at)), ": ", detail);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
