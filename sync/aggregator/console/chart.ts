import { draw, figureName, figureText, make, momentText } from "../../../src/page/browser.ts";
import type { HistoryAnswer } from "./api.ts";

type Points = HistoryAnswer["series"][string];

const BOX = { width: 320, height: 96, left: 4, right: 4, top: 8, bottom: 8 } as const;

/**
 * A figure over time as a line of means in a band from the least to the greatest value. Where nothing was heard for
 * longer than `gapMs` the line is broken.
 */
export function chart(name: string, points: Points, fromMs: number, toMs: number, gapMs: number): HTMLElement {
  const min = Math.min(...points.map((point) => point.min));
  const max = Math.max(...points.map((point) => point.max));
  const [low, high] = min === max ? [min - 1, max + 1] : [min, max];
  const x = (ms: number): number => BOX.left + ((ms - fromMs) / Math.max(1, toMs - fromMs)) * (BOX.width - BOX.left - BOX.right);
  const y = (value: number): number => BOX.height - BOX.bottom - ((value - low) / (high - low)) * (BOX.height - BOX.top - BOX.bottom);
  const last = points.at(-1);
  const runs = splitRuns(points, gapMs);
  const lines = runs.map((run) => {
    const at = run.map(({ at }) => x(Date.parse(at)));
    const up = run.map(({ max }, i) => `${(at[i] ?? 0).toFixed(1)},${y(max).toFixed(1)}`);
    const down = run.map(({ min }, i) => `${(at[i] ?? 0).toFixed(1)},${y(min).toFixed(1)}`).reverse();
    const line = run.map(({ mean }, i) => `${(at[i] ?? 0).toFixed(1)},${y(mean).toFixed(1)}`);
    const dot = run.length === 1 ? draw("circle", { cx: at[0] ?? 0, cy: y(run[0]?.mean ?? 0), r: 2, class: "dot" }) : undefined;
    return [
      draw("polygon", { points: [...up, ...down].join(" "), class: "band" }),
      draw("polyline", { points: line.join(" "), class: "line" }),
      dot,
    ];
  });
  const words = `${figureName(name)}: ${last ? figureText(name, last.mean) : "nothing"} at ${last ? momentText(last.at) : ""}, from ${figureText(name, min)} to ${figureText(name, max)}`;
  return make(
    "figure",
    { class: "chart" },
    make("figcaption", {}, make("span", {}, figureName(name)), make("strong", {}, last ? figureText(name, last.mean) : "\u2013")),
    draw("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": words, preserveAspectRatio: "none" }, lines),
    make(
      "div",
      { class: "scale", "aria-hidden": "true" },
      make("span", {}, figureText(name, min)),
      make("span", {}, figureText(name, max)),
    ),
  );
}

function splitRuns(points: Points, gapMs: number): readonly Points[] {
  const runs: Points[] = [];
  for (const point of points) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run && before && Date.parse(point.at) - Date.parse(before.at) <= gapMs) run.push(point);
    else runs.push([point]);
  }
  return runs;
}
