import { make, shortHex } from "../../../src/page/browser.ts";
import type { Api, ApiFault, NodeRow, SessionAnswer } from "./api.ts";
import type { ServerClock } from "./server-clock.ts";

/** What every view works with. */
export type ViewParts = {
  readonly api: Api;
  readonly time: ServerClock;
  readonly session: SessionAnswer;
  /** Told how each question ended, so that the page can say when the aggregator is silent. */
  readonly onAnswer: (fault: ApiFault | undefined) => void;
};

/** A part of the page. */
export type View = {
  readonly element: HTMLElement;
  readonly title: string;
  /** Asks again. */
  refresh(): Promise<void>;
  /** Milliseconds between two refreshes. */
  readonly everyMs: number;
  /** A second has gone by: ages grow. */
  tick(nowMs: number): void;
};

/** Where a node's page is. */
export function nodeHref({ network, node }: Pick<NodeRow, "network" | "node">): string {
  return `#/node/${network}/${node}`;
}

/** A key or hash that can be read as a whole where there is room: short in sight, whole for the pointer and for copying. */
export function hexContent(hex: string): HTMLElement {
  return make("code", { title: hex, class: "hex" }, shortHex(hex));
}
