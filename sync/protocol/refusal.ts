import { type CborReader, CborWriter, type Result } from "../../src/kernel/index.ts";
import { readCursor, readMessage, writeCursor } from "./fields.ts";
import { SYNC_LIMITS } from "./limits.ts";
import { SYNC_REFUSALS, type SyncRefusal, type SyncRefusalCode } from "./types.ts";

/** Encodes a refusal: [code, detail, retryAfterMs or 0, [cursor] or []]. */
export function encodeRefusal(refusal: SyncRefusal): Uint8Array {
  const w = new CborWriter(128)
    .array(4)
    .text(refusal.code)
    .text(refusal.detail.slice(0, SYNC_LIMITS.detailBytesMax / 4));
  w.uint(refusal.retryAfterMs ?? 0).array(refusal.cursor ? 1 : 0);
  if (refusal.cursor) writeCursor(w, refusal.cursor);
  return w.finish();
}

/** Reads what `encodeRefusal` writes; a code that this release does not know reads as `unavailable`, which is tried again. */
export function decodeRefusal(bytes: Uint8Array): Result<SyncRefusal, "malformed"> {
  return readMessage(bytes, (r): SyncRefusal => {
    if (r.array(4) !== 4) r.reject();
    const code = readCode(r);
    const detail = r.text(0, SYNC_LIMITS.detailBytesMax);
    const retryAfterMs = r.uint();
    const cursor = r.array(1) === 1 ? readCursor(r) : undefined;
    return { code, detail, ...(retryAfterMs > 0 && { retryAfterMs }), ...(cursor && { cursor }) };
  });
}

function readCode(r: CborReader): SyncRefusalCode {
  const text = r.text(1, SYNC_LIMITS.nameBytesMax);
  return isRefusalCode(text) ? text : "unavailable";
}

function isRefusalCode(text: string): text is SyncRefusalCode {
  return Object.hasOwn(SYNC_REFUSALS, text);
}
