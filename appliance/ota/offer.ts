import { z } from "zod";
import { err, ok, type Result, type Timers } from "../../src/kernel/index.ts";
import { type BundleBar, judgeBundle } from "./judge.ts";
import type { AskServer } from "./ranges.ts";
import type { UpdateTrouble } from "./types.ts";

/** The newest release of a channel for one kind of box. Nobody signs it: what it names is checked as if it had been found. */
export type UpdateOffer = {
  readonly version: string;
  readonly compatible: string;
  /** Where the bundle is, whole. */
  readonly url: string;
  readonly sha256: string;
};

/** Longest offer. */
const OFFER_BYTES_MAX = 65_536;
/** So long an answer may take. */
const ANSWER_LIMIT_MS = 30_000;

const schema = z.object({
  version: z.string().max(100),
  compatible: z.string().max(200),
  file: z.string().min(1).max(1_000),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/**
 * Asks a channel for its newest release: `CHANNEL/COMPATIBLE.json`, as any web server or object store serves it.
 *
 * @param channel URL of a folder
 * @returns the offer, when it is one that this box may install
 */
export async function findOffer(
  channel: string,
  bar: BundleBar,
  timers: Timers,
  ask: AskServer,
): Promise<Result<UpdateOffer, UpdateTrouble>> {
  const place = URL.parse(`${bar.stamp.compatible}.json`, channel.endsWith("/") ? channel : `${channel}/`);
  if (place === null || !/^https?:$/.test(place.protocol))
    return err({ code: "malformed", detail: `expected a channel as an http or https URL, got ${JSON.stringify(channel)}` });
  const text = await readOffer(place.href, timers, ask);
  if (!text.ok) return text;
  const offer = schema.safeParse(jsonOf(text.value));
  const url = offer.success ? URL.parse(offer.data.file, place.href) : null;
  if (!offer.success || url === null)
    return err({ code: "malformed", detail: `${place.href} is no offer: expected version, compatible, file and sha256` });
  const { version, compatible, sha256 } = offer.data;
  const judged = judgeBundle({ version, compatible }, bar);
  return judged.ok ? ok({ version, compatible, sha256, url: url.href }) : judged;
}

async function readOffer(url: string, timers: Timers, ask: AskServer): Promise<Result<string, UpdateTrouble>> {
  const ended = new AbortController();
  const cancel = timers.after(ANSWER_LIMIT_MS, () => ended.abort());
  try {
    const response = await ask(url, { headers: {}, signal: ended.signal });
    if (response.status === 404)
      return err({ code: "notFound", detail: `${url} answers 404: the channel has nothing for this kind of box` });
    if (!response.ok) return err({ code: "sourceUnreachable", detail: `${url} answers ${response.status}` });
    const text = await response.text();
    return text.length <= OFFER_BYTES_MAX ? ok(text) : err({ code: "malformed", detail: `${url} is longer than an offer` });
  } catch (error) {
    if (!(error instanceof Error)) throw error; // refused, cut off, too late
    return err({ code: "sourceUnreachable", detail: `${url}: ${error.message}` });
  } finally {
    cancel();
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
