import { CborReader, CborWriter, err, ok, type Result } from "../../kernel/index.ts";
import { LIMITS } from "../../protocol/index.ts";

/** That a batch of so many bytes is durable at the sender. The size is a hint for budgets, checked by nobody. */
export type Announced = { readonly digest: Uint8Array; readonly sizeBytes: number };

/**
 * What validators say to each other of batches: which are durable here, which are wanted, a wanted one, and which of the
 * wanted ones are not here.
 */
export type DisseminationMessage =
  | { readonly kind: "announce"; readonly batches: readonly Announced[] }
  | { readonly kind: "want"; readonly digests: readonly Uint8Array[] }
  | { readonly kind: "batch"; readonly digest: Uint8Array; readonly encoded: Uint8Array }
  | { readonly kind: "absent"; readonly digests: readonly Uint8Array[] };

/** Digests in one announcement. */
export const ANNOUNCED_COUNT_MAX = 256;
/** Digests in one `want` or `absent`. */
export const WANTED_COUNT_MAX = 64;
/** Bytes of one encoded message: a full batch with its digest. */
export const DISSEMINATION_MESSAGE_BYTES_MAX = LIMITS.batchBytesMax + 64;

const TAGS = { announce: 1, want: 2, batch: 3, absent: 4 } as const satisfies Record<DisseminationMessage["kind"], number>;
const DIGEST_BYTES = 32;

/** Canonical CBOR: [1, [digest, size, ...]], [2, [digest...]], [3, digest, encoded batch] or [4, [digest...]]. */
export function encodeDisseminationMessage(message: DisseminationMessage): Uint8Array {
  switch (message.kind) {
    case "announce": {
      const w = new CborWriter(16 + 40 * message.batches.length)
        .array(2)
        .uint(TAGS.announce)
        .array(2 * message.batches.length);
      for (const { digest, sizeBytes } of message.batches) w.bytes(digest).uint(sizeBytes);
      return w.finish();
    }
    case "batch":
      return new CborWriter(48 + message.encoded.length).array(3).uint(TAGS.batch).bytes(message.digest).bytes(message.encoded).finish();
    case "want":
    case "absent": {
      const w = new CborWriter(16 + 34 * message.digests.length).array(2).uint(TAGS[message.kind]).array(message.digests.length);
      for (const digest of message.digests) w.bytes(digest);
      return w.finish();
    }
  }
}

/**
 * Reads what `encodeDisseminationMessage` writes: shape and bounds only; digests and batch are views into `bytes`.
 *
 * Errors: `tooLarge` beyond DISSEMINATION_MESSAGE_BYTES_MAX, `malformed`, an empty list included.
 */
export function decodeDisseminationMessage(bytes: Uint8Array): Result<DisseminationMessage, "malformed" | "tooLarge"> {
  if (bytes.length > DISSEMINATION_MESSAGE_BYTES_MAX) return err("tooLarge");
  const r = new CborReader(bytes);
  const fields = r.array(3);
  const tag = r.uint(TAGS.absent);
  if (fields !== (tag === TAGS.batch ? 3 : 2)) return err("malformed");
  const message = readMessage(r, tag);
  return message !== undefined && r.isComplete ? ok(message) : err("malformed");
}

function readMessage(r: CborReader, tag: number): DisseminationMessage | undefined {
  switch (tag) {
    case TAGS.announce: {
      const items = r.array(2 * ANNOUNCED_COUNT_MAX);
      if (items === 0 || items % 2 !== 0) return undefined;
      const batches: Announced[] = [];
      for (let i = 0; i < items && !r.isBroken; i += 2)
        batches.push({ digest: r.bytes(DIGEST_BYTES), sizeBytes: r.uint(LIMITS.batchBytesMax) });
      return { kind: "announce", batches };
    }
    case TAGS.batch:
      return { kind: "batch", digest: r.bytes(DIGEST_BYTES), encoded: r.bytes(1, LIMITS.batchBytesMax) };
    case TAGS.want:
    case TAGS.absent: {
      const count = r.array(WANTED_COUNT_MAX);
      const digests: Uint8Array[] = [];
      for (let i = 0; i < count && !r.isBroken; i++) digests.push(r.bytes(DIGEST_BYTES));
      return count === 0 ? undefined : { kind: tag === TAGS.want ? "want" : "absent", digests };
    }
    default:
      return undefined;
  }
}
