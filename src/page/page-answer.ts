import { gunzipSync } from "node:zlib";

/**
 * What a page may do: run the script and use the style sheet that come from where it does, and ask there. No inline script,
 * nothing from elsewhere, no markup made from text. WebRTC is outside of what a policy governs.
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

/** A file of a page as the build packs it: its media type, and its bytes by gzip in base64. */
export type PackedFile = { readonly mediaType: string; readonly packed: string };

/**
 * Answers with a file of a page, compressed when the browser takes it so.
 *
 * @param acceptEncoding the request's header
 */
export function packedAnswer({ mediaType, packed }: PackedFile, acceptEncoding: string | null | undefined): Response {
  const isPacked = /(^|,)\s*gzip\s*(,|$|;\s*q=(1|0\.[0-9]*[1-9]))/i.test(acceptEncoding ?? "");
  const bytes = Uint8Array.from(Buffer.from(packed, "base64"));
  return new Response(isPacked ? bytes : Uint8Array.from(gunzipSync(bytes)), {
    headers: {
      "content-type": mediaType,
      "content-security-policy": PAGE_POLICY,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      vary: "accept-encoding",
      ...(isPacked ? { "content-encoding": "gzip" } : {}),
    },
  });
}
