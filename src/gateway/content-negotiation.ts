/**
 * The offered media type that an Accept header likes best, or undefined when it refuses them all. Offers come in the
 * server's order of preference, which decides between equals; an absent header accepts anything.
 *
 * @see RFC 9110 section 12.5.1
 */
export function chooseMediaType<const T extends string>(accept: string | null | undefined, offers: readonly T[]): T | undefined {
  if (accept === null || accept === undefined || accept.trim() === "") return offers[0];
  const ranges = accept.split(",").slice(0, 32).map(parseRange);
  let best: { readonly offer: T; readonly quality: number } | undefined;
  for (const offer of offers) {
    const quality = qualityOf(offer, ranges);
    if (quality > 0 && quality > (best?.quality ?? 0)) best = { offer, quality };
  }
  return best?.offer;
}

type MediaRange = { readonly type: string; readonly quality: number };

function parseRange(text: string): MediaRange {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const given = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1";
  const quality = /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(given) ? Number(given) : 0;
  return { type, quality };
}

/** Quality by the most specific range that matches: type/subtype, then type/*, then any. */
function qualityOf(offer: string, ranges: readonly MediaRange[]): number {
  const family = `${offer.split("/")[0]}/*`;
  for (const candidate of [offer, family, "*/*"]) {
    const range = ranges.find(({ type }) => type === candidate);
    if (range) return range.quality;
  }
  return 0;
}
