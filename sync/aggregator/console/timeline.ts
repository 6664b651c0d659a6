import { decodeBody, findEventSchema, LANES, type Lane, recordToJson } from "../../../src/events/portable.ts";
import { parseHex } from "../../../src/kernel/index.ts";
import { type Content, fill, make, momentText } from "../../../src/page/browser.ts";
import type { EventRow, EventsAnswer, NodeAnswer, ProofAnswer } from "./api.ts";
import { verifyChain, verifyCheckpoint } from "./verify.ts";
import { hexContent, type ViewParts } from "./view.ts";

const PAGE = 50;

/** A node's events, lane by lane, newest first, with a button that proves what is shown. */
export class Timeline {
  readonly element: HTMLElement;
  readonly #parts: ViewParts;
  readonly #path: string;
  readonly #nodeOf: () => NodeAnswer | undefined;
  readonly #tabs: readonly HTMLButtonElement[];
  readonly #list = make("ol", { class: "events", id: "events" });
  readonly #older = make("button", { type: "button", id: "older", class: "quiet-button", onclick: () => void this.#load(false) }, "Older");
  readonly #verify = make("button", { type: "button", id: "verify", onclick: () => void this.#prove() }, "Verify");
  readonly #verdict = make("p", { id: "verify-verdict", class: "verdict", role: "status", hidden: true });
  #lane: Lane = "chain";
  #events: readonly EventRow[] = [];
  #next: string | undefined;

  /** @param path of the node below the API's base */
  constructor(parts: ViewParts, path: string, nodeOf: () => NodeAnswer | undefined) {
    this.#parts = parts;
    this.#path = path;
    this.#nodeOf = nodeOf;
    this.#tabs = LANES.map((lane) =>
      make("button", { type: "button", class: "chip", id: `lane-${lane}`, onclick: () => void this.#choose(lane) }, lane),
    );
    this.element = make(
      "section",
      { class: "card", "aria-labelledby": "events-title" },
      make("h2", { id: "events-title" }, "Events"),
      make(
        "p",
        { class: "quiet" },
        "Each record is decoded here from the bytes that its hash covers. Verify computes the hash chain of the records shown and the root of the node's signed checkpoint again, in this browser.",
      ),
      make("div", { class: "bar" }, make("div", { class: "chips", role: "group", "aria-label": "Lane" }, this.#tabs), this.#verify),
      this.#verdict,
      this.#list,
      this.#older,
    );
  }

  /** Reads the newest records of the lane. */
  start(): Promise<void> {
    return this.#choose(this.#lane);
  }

  async #choose(lane: Lane): Promise<void> {
    this.#lane = lane;
    for (const [i, tab] of this.#tabs.entries()) tab.setAttribute("aria-pressed", String(LANES[i] === lane));
    this.#events = []; // what is shown and what is verified are of one lane
    this.#next = undefined;
    this.#older.hidden = true;
    this.#verdict.hidden = true;
    fill(this.#list, make("li", { class: "quiet" }, "Reading\u2026"));
    await this.#load(true);
  }

  async #load(isNew: boolean): Promise<void> {
    const lane = this.#lane;
    const answer = await this.#parts.api.get<EventsAnswer>(`${this.#path}/events`, {
      lane,
      limit: PAGE,
      before: isNew ? undefined : this.#next,
    });
    this.#parts.onAnswer(answer.ok ? undefined : answer.error);
    if (!answer.ok || lane !== this.#lane) return;
    this.#events = isNew ? answer.value.events : [...this.#events, ...answer.value.events];
    this.#next = answer.value.next;
    this.#older.hidden = this.#next === undefined;
    this.#verdict.hidden = true;
    this.#render(undefined);
  }

  #render(wrong: { readonly epoch: number; readonly sequence: number } | undefined, proven = 0): void {
    const count = this.#events.length;
    const items = this.#events.map((event, i) => {
      const isWrong = event.epoch === wrong?.epoch && event.sequence === wrong.sequence;
      const mark = isWrong ? "\u2717" : count - i <= proven ? "\u2713" : "";
      return eventItem(event, isWrong ? "wrong" : mark === "" ? "" : "proven", mark);
    });
    fill(this.#list, items.length === 0 ? make("li", { class: "quiet" }, "Nothing of this lane is here.") : items);
  }

  async #prove(): Promise<void> {
    const node = this.#nodeOf();
    if (!node || this.#events.length === 0) return;
    this.#say("", "Computing\u2026");
    const inOrder = [...this.#events].reverse();
    const chain = verifyChain(inOrder);
    if (!chain.ok) {
      const { epoch, sequence, detail } = chain.error;
      this.#render(chain.error);
      this.#list.querySelector(".wrong")?.scrollIntoView({ block: "center" });
      return this.#say("bad", `Record ${epoch}/${sequence} of the ${this.#lane} lane is wrong: ${detail}.`);
    }
    this.#render(undefined, inOrder.length);
    const words = `${inOrder.length} records link to one another without a gap`;
    const epoch = inOrder.at(-1)?.epoch ?? 1;
    const latest = chain.value.filter((record) => record.epoch === epoch);
    const [from, to] = [latest[0]?.sequence ?? 1, latest.at(-1)?.sequence ?? 1];
    const proof = await this.#parts.api.get<ProofAnswer>(`${this.#path}/proof`, { lane: this.#lane, epoch, from, to });
    if (!proof.ok)
      return this.#say(
        proof.error.code === "notFound" ? "half" : "bad",
        `Chain verified: ${words}. No signature over them: ${proof.error.detail}.`,
      );
    const networkId = node.network.slice(0, 8); // {net}: the first 8 hex digits of the genesis hash
    const signed = verifyCheckpoint(latest, proof.value, { networkId, node: node.node, identityKey: node.identityKey });
    if (!signed.ok) return this.#say("bad", `The chain holds, but ${signed.error}.`);
    const { covered, size } = signed.value;
    const rest = latest.length - covered;
    this.#say(
      "good",
      `Verified: ${words}, and ${covered} of them are in the tree of ${size} records that the node's identity signed${rest > 0 ? `; the newest ${rest} await the next checkpoint` : ""}.`,
    );
  }

  #say(kind: string, text: string): void {
    this.#verdict.className = `verdict ${kind}`;
    this.#verdict.textContent = text;
    this.#verdict.hidden = false;
  }
}

/** A record as a list item: what its bytes say, not what the aggregator says that they say. */
export function eventItem(event: EventRow, kind = "", mark = ""): HTMLLIElement {
  const { time, type, detail } = readEvent(event);
  return make(
    "li",
    { class: kind, "data-sequence": event.sequence },
    make("span", { class: "verified", "aria-label": kind === "wrong" ? "wrong" : kind === "proven" ? "verified" : undefined }, mark),
    make("span", { class: "place" }, `${event.epoch}/${event.sequence}`),
    make("time", {}, time),
    make("strong", { class: "type" }, type),
    make("span", { class: "detail" }, detail),
  );
}

function readEvent(event: EventRow): { readonly time: string; readonly type: string; readonly detail: Content } {
  const bytes = parseHex(event.body);
  const decoded = bytes && decodeBody(bytes);
  if (!bytes || !decoded?.ok) return { time: "", type: "?", detail: "its bytes are no record" };
  const { timeMs, type, payload } = decoded.value;
  const none = new Uint8Array(32);
  const { lane, epoch, sequence } = event;
  const shown = recordToJson({ lane, epoch, sequence, previousHash: none, hash: none, timeMs, type, payload, body: bytes });
  const fields = Object.entries(shown.payload ?? { payload: shown.payloadHex ?? "" });
  const schema = findEventSchema(type)?.fields;
  const detail = fields.map(([name, value]): Content => {
    const isBytes = schema?.[name]?.startsWith("bytes") ?? !shown.payload;
    return make("span", { class: "field" }, `${name} `, isBytes ? hexContent(String(value)) : make("b", {}, String(value)));
  });
  return { time: momentText(shown.time), type, detail };
}
