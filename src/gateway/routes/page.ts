import { gunzipSync } from "node:zlib";
import type { Call } from "../call.ts";
import { pageFiles } from "../page-files.ts";
import { problemResponse } from "../problem.ts";

/** Media types of the page's files by path. */
const MEDIA_TYPES = {
  "/try": "text/html; charset=utf-8",
  "/try/page.css": "text/css; charset=utf-8",
  "/try/page.js": "text/javascript; charset=utf-8",
} as const;

/** A path of the page for visitors. */
export type PagePath = keyof typeof MEDIA_TYPES;

/** Where the page for visitors is served: itself, its styles and its script. */
export const PAGE_PATHS: readonly PagePath[] = ["/try", "/try/page.css", "/try/page.js"];

/**
 * What the page may do: run the one script and the one style sheet that come from here, and ask this node. No inline
 * script, nothing from elsewhere, no markup made from text. WebRTC is outside of what a policy governs.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** A file of the page, compressed when the browser takes it so. A node that runs from source has no page and says so. */
export function pageAnswer(path: PagePath, { request }: Call): Response {
  const packed = pageFiles?.[path];
  if (packed === undefined) {
    return problemResponse({ code: "notFound", detail: "the page is part of the compiled binary, and this node runs without it" }, path);
  }
  const isPacked = /(^|,)\s*gzip\s*(,|$|;\s*q=(1|0\.[0-9]*[1-9]))/i.test(request.headers.get("accept-encoding") ?? "");
  const bytes = Uint8Array.from(Buffer.from(packed, "base64"));
  return new Response(isPacked ? bytes : Uint8Array.from(gunzipSync(bytes)), {
    headers: {
      "content-type": MEDIA_TYPES[path],
      "content-security-policy": PAGE_POLICY,
      "cache-control": "no-store",
      vary: "accept-encoding",
      ...(isPacked ? { "content-encoding": "gzip" } : {}),
    },
  });
}
