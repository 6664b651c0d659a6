import { CborWriter, toHex, utf8 } from "../../../src/kernel/index.ts";
import type { Ending, ItemOutcome } from "./ports.ts";

/** What a device is told of one of its transactions. */
export type Receipt = { readonly id: Uint8Array; readonly status: "accepted" } | Exclude<ItemOutcome, { status: "accepted" }> | Ending;

/** How a receipt is written: as the submission's Content Type asked. */
export type ReceiptForm = "json" | "cbor";

/** Content Type of receipts by form. */
export const CONTENT_TYPES = { json: "application/json", cbor: "application/cbor" } as const;

/** Fields in the order of deterministic CBOR: shorter names first, then by their bytes (RFC 8949 section 4.2.1). */
type Fields = {
  readonly id?: Uint8Array;
  readonly code?: string;
  readonly index?: number;
  readonly proof?: Uint8Array;
  readonly detail?: string;
  readonly height?: number;
  readonly status: string;
  readonly position?: number;
  readonly retryAfterMs?: number;
};

/**
 * The bytes of a receipt: an object with `status` and what else is known. In JSON the id is hex and the proof base64; in CBOR
 * both are byte strings.
 *
 * @param position of the transaction in its submission, given when that held several
 */
export function encodeReceipt(receipt: Receipt, form: ReceiptForm, position?: number): Uint8Array {
  const fields: Fields = { ...fieldsOf(receipt), ...(position === undefined ? {} : { position }) };
  return form === "json" ? encodeJson(fields) : encodeCbor(fields);
}

function fieldsOf(receipt: Receipt): Fields {
  switch (receipt.status) {
    case "rejected": {
      const { id, code, detail, status, retryAfterMs } = receipt;
      return { ...(id ? { id } : {}), code, detail, status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    }
    case "final": {
      const { id, code, index, proof, height, status } = receipt;
      return { id, code, index, ...(proof ? { proof } : {}), height, status };
    }
    default:
      return { id: receipt.id, status: receipt.status };
  }
}

function encodeJson({ id, proof, status, ...others }: Fields): Uint8Array {
  const text = {
    ...(id ? { id: toHex(id) } : {}),
    status,
    ...others,
    ...(proof ? { proof: Buffer.from(proof.buffer, proof.byteOffset, proof.length).toString("base64") } : {}),
  };
  return utf8(JSON.stringify(text));
}

function encodeCbor({ id, code, index, proof, detail, height, status, position, retryAfterMs }: Fields): Uint8Array {
  const entries: readonly (readonly [string, string | number | Uint8Array | undefined])[] = [
    ["id", id],
    ["code", code],
    ["index", index],
    ["proof", proof],
    ["detail", detail],
    ["height", height],
    ["status", status],
    ["position", position],
    ["retryAfterMs", retryAfterMs],
  ];
  const present = entries.filter(([, value]) => value !== undefined);
  const writer = new CborWriter(256 + (proof?.length ?? 0)).map(present.length);
  for (const [name, value] of present) {
    writer.text(name);
    if (typeof value === "string") writer.text(value);
    else if (typeof value === "number") writer.uint(value);
    else if (value) writer.bytes(value);
  }
  return writer.finish();
}
