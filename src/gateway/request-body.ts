import { concatBytes, err, ok, type Result } from "../kernel/index.ts";

/** Why a body could not be had: longer than the bound, or its sender went away. */
export type BodyFault = "tooLarge" | "aborted";

/**
 * Reads a request's body. A declared length beyond the bound is refused before a byte is read; a body without one is
 * counted as it arrives, so never more than the bound plus one chunk is held.
 */
export async function readBody(request: Request, bytesMax: number): Promise<Result<Uint8Array, BodyFault>> {
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > bytesMax) return err("tooLarge");
  if (!request.body) return ok(new Uint8Array(0));
  try {
    if (declared !== null) return ok(new Uint8Array(await request.arrayBuffer()));
    return await readChunks(request.body, bytesMax);
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") return err("aborted"); // how the runtime reports a closed connection
    throw error;
  }
}

async function readChunks(body: ReadableStream<Uint8Array>, bytesMax: number): Promise<Result<Uint8Array, BodyFault>> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return ok(concatBytes(...chunks));
    size += value.length;
    if (size > bytesMax) {
      await reader.cancel();
      return err("tooLarge");
    }
    chunks.push(value);
  }
}

/** The media type of a Content-Type header, without parameters, in lower case; empty when there is none. */
export function mediaTypeOf(contentType: string | null | undefined): string {
  return (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}
