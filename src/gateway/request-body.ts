import { assert, concatBytes, err, ok, type Result } from "../kernel/index.ts";

/** Why a body could not be had: longer than the bound, no room for it among the others, or its sender went away. */
export type BodyFault = "tooLarge" | "noRoom" | "aborted";

/** Bodies up to this declared length are taken in one piece. */
const SMALL_BYTES = 64 * 1024;

/** Memory that all bodies together may hold, so that many slow senders cannot fill it. */
export class BodyBudget {
  readonly #bytesMax: number;
  #used = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes held now. */
  get used(): number {
    return this.#used;
  }

  /** A request's part of the budget. */
  share(): BodyShare {
    let held = 0;
    return {
      take: (bytes) => {
        if (this.#used + bytes > this.#bytesMax) return false;
        this.#used += bytes;
        held += bytes;
        return true;
      },
      release: () => {
        this.#used -= held;
        held = 0;
        assert(this.#used >= 0, "no more is given back than was taken");
      },
    };
  }
}

/** What one request holds of the budget; `release` gives all of it back, when the body is no longer needed. */
export type BodyShare = { readonly take: (bytes: number) => boolean; readonly release: () => void };

/**
 * Reads a request's body. A declared length beyond the bound is refused before a byte is read; a long or undeclared one
 * is counted as it arrives, so a request holds what it sent and not what it announced.
 */
export async function readBody(request: Request, bytesMax: number, share: BodyShare): Promise<Result<Uint8Array, BodyFault>> {
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > bytesMax) return err("tooLarge");
  if (!request.body) return ok(new Uint8Array(0));
  try {
    if (declared === null || Number(declared) > SMALL_BYTES) return await readChunks(request.body, bytesMax, share);
    if (!share.take(Number(declared))) return err("noRoom");
    return ok(new Uint8Array(await request.arrayBuffer()));
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") return err("aborted"); // how the runtime reports a closed connection
    throw error;
  }
}

async function readChunks(body: ReadableStream<Uint8Array>, bytesMax: number, share: BodyShare): Promise<Result<Uint8Array, BodyFault>> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return ok(concatBytes(...chunks));
    size += value.length;
    const fault = size > bytesMax ? "tooLarge" : share.take(value.length) ? undefined : "noRoom";
    if (fault) {
      await reader.cancel();
      return err(fault);
    }
    chunks.push(value);
  }
}

/** The media type of a Content-Type header, without parameters, in lower case; empty when there is none. */
export function mediaTypeOf(contentType: string | null | undefined): string {
  return (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}
