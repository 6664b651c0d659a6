import { type Content, countText, draw, durationText, fill, make, shortHex } from "../../../src/page/browser.ts";
import type { NetworksAnswer } from "./api.ts";
import { statusContent } from "./status-view.ts";
import { hexContent, nodeHref, type View, type ViewParts } from "./view.ts";

type Network = NetworksAnswer["networks"][number];

/** The networks: how each finalizes, and who its validators are. */
export function networkView({ api, time, onAnswer }: ViewParts): View {
  const list = make("div", { id: "networks" }, make("p", { class: "quiet" }, "Reading\u2026"));
  let ticking: ((nowMs: number) => void)[] = [];
  return {
    element: make("section", { class: "network-view" }, make("h1", {}, "Networks"), list),
    title: "Networks",
    everyMs: 5_000,
    refresh: async () => {
      const answer = await api.get<NetworksAnswer>("/networks");
      onAnswer(answer.ok ? undefined : answer.error);
      if (!answer.ok) return;
      ticking = [];
      const nowMs = time.nowMs() ?? 0;
      const { networks } = answer.value;
      fill(
        list,
        networks.length === 0
          ? make("p", { class: "quiet" }, "No node has come yet.")
          : networks.map((network) => card(network, nowMs, ticking)),
      );
    },
    tick: (nowMs) => {
      for (const tick of ticking) tick(nowMs);
    },
  };
}

function card(network: Network, nowMs: number, ticking: ((nowMs: number) => void)[]): HTMLElement {
  const { pace, lastBlock, nodes, validators, blocks = [] } = network;
  const live = (content: (nowMs: number) => Content): HTMLElement => {
    const place = make("span", {}, content(nowMs));
    ticking.push((now) => fill(place, content(now)));
    return place;
  };
  const facts: [string, Content][] = [
    ["Genesis hash", hexContent(network.network)],
    ["Height", network.height === undefined ? "\u2013" : countText(network.height)],
    [
      "Last final block",
      lastBlock
        ? live((now) => `${countText(lastBlock.height)}, ${durationText(Math.max(0, now - Date.parse(lastBlock.time)))} old`)
        : "\u2013",
    ],
    ["Block interval", pace?.intervalMs === undefined ? "\u2013" : `${durationText(pace.intervalMs)} over ${pace.blocks} blocks`],
    ["Views without a block", pace ? `${countText(pace.missedViews)} in ${pace.blocks} blocks` : "\u2013"],
    ["Epoch", network.epoch === undefined ? "\u2013" : countText(network.epoch)],
    ["Nodes", `${nodes.online} online, ${nodes.degraded} degraded, ${nodes.unknown} unknown`],
    ["Validators", `${validators.length}, weight ${network.totalWeight ?? "\u2013"}`],
  ];
  return make(
    "section",
    { class: "card", "data-network": network.network },
    make("h2", {}, `Network ${shortHex(network.network)}`),
    make(
      "dl",
      { class: "facts" },
      facts.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value))),
    ),
    blocks.length > 1 ? intervals(blocks) : undefined,
    make("h3", {}, "Validators"),
    make(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Validators" },
      make(
        "table",
        { class: "validators" },
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            ["Signing key", "Weight", "Node", "Status", "In certificates", "Turns missed"].map((title) =>
              make("th", { scope: "col" }, title),
            ),
          ),
        ),
        make(
          "tbody",
          {},
          validators.map((validator) => validatorRow(network.network, validator, live)),
        ),
      ),
    ),
    make(
      "p",
      { class: "quiet" },
      network.source === undefined
        ? "No chain lane is held whole, so validators and blocks are not known."
        : `Blocks and validators by the chain lane of ${network.source}${network.isWhole ? "" : ", which is still being read"}. A certificate holds the first votes that reach the quorum, not all; a turn is missed when a validator's view ended without its block. Both are its node's own count of the running epoch.`,
    ),
  );
}

function validatorRow(
  network: string,
  { publicKey, weight, claimedBy, jailedUntilEpoch }: Network["validators"][number],
  live: (content: (nowMs: number) => Content) => HTMLElement,
): HTMLElement {
  const cell = (...content: readonly Content[]) => make("td", {}, content);
  const none = "\u2013";
  return make(
    "tr",
    {},
    cell(
      hexContent(publicKey),
      jailedUntilEpoch === undefined ? undefined : make("span", { class: "tag" }, `jailed until epoch ${jailedUntilEpoch}`),
    ),
    cell(weight),
    cell(
      claimedBy.length === 0
        ? make("span", { class: "quiet" }, "no node claims it")
        : claimedBy.map(({ node }) => make("a", { href: nodeHref({ network, node }) }, node)),
      claimedBy.length > 1 ? make("strong", { class: "bad" }, " claimed twice") : undefined,
    ),
    cell(claimedBy.map(({ status }) => live((nowMs) => statusContent(status, nowMs)))),
    cell(
      claimedBy.map(({ attendance }) => (attendance ? `${countText(attendance.votes)} of ${countText(attendance.certificates)}` : none)),
    ),
    cell(
      claimedBy.map(({ attendance }) =>
        attendance ? `${countText(attendance.missedTurns)} of ${countText(attendance.missedTurns + attendance.proposed)}` : none,
      ),
    ),
  );
}

/** Time between the last blocks as bars; one after views without a block is marked. */
function intervals(blocks: NonNullable<Network["blocks"]>): HTMLElement {
  const bars = blocks.slice(1).map((block, i) => {
    const before = blocks[i] ?? block;
    return {
      height: block.height,
      ms: Math.max(0, block.timeMs - before.timeMs),
      skipped: block.epoch === before.epoch ? block.view - before.view - 1 : 0,
    };
  });
  const max = Math.max(1, ...bars.map(({ ms }) => ms));
  const width = 400 / bars.length;
  const drawn = bars.map(({ ms, skipped, height }, i) => {
    const size = Math.max(1, (ms / max) * 56);
    return draw(
      "rect",
      {
        x: (i * width).toFixed(2),
        y: (60 - size).toFixed(2),
        width: Math.max(0.5, width - 0.6).toFixed(2),
        height: size.toFixed(2),
        class: skipped > 0 ? "bar missed" : "bar",
      },
      draw("title", {}, `block ${height}: ${durationText(ms)}${skipped > 0 ? `, ${skipped} views without a block before it` : ""}`),
    );
  });
  return make(
    "figure",
    { class: "chart wide" },
    make(
      "figcaption",
      {},
      make("span", {}, `Time between the last ${bars.length} blocks`),
      make("strong", {}, `up to ${durationText(max)}`),
    ),
    draw(
      "svg",
      {
        viewBox: "0 0 400 60",
        role: "img",
        "aria-label": `Time between the last ${bars.length} blocks, up to ${durationText(max)}`,
        preserveAspectRatio: "none",
      },
      drawn,
    ),
  );
}
