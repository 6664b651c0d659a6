import { assert, err, ok, type Result, type Timers } from "../../src/kernel/index.ts";

/** Asks a server; as `fetch`, with whatever proves who asks where that is needed. Rejects with an Error when there is no answer. */
export type AskServer = (
  url: string,
  init: { readonly headers: Record<string, string>; readonly signal: AbortSignal },
) => Promise<Response>;

/** Bytes of one request at most: what is lost when a connection ends, and what a slow one brings in minutes. */
const REQUEST_BYTES_MAX = 1024 * 1024;
/** A server that sends nothing for so long is given up. */
const STALL_MS = 60_000;
/** Slower than this, in bytes a millisecond, is as good as nothing. */
const PACE_MIN = 1;

/** Bytes of a file, the end excluded. */
export type ByteRange = { readonly from: number; readonly to: number };

/** How a request for a part of a file ended. */
export type RangeEnd =
  | { readonly kind: "whole" }
  /** The server does not give parts of files, or not of this one. */
  | { readonly kind: "noRanges" }
  /** It is another file by now. */
  | { readonly kind: "changed" }
  | { readonly kind: "notFound"; readonly status: number }
  /** Whoever took the bytes wanted no more. */
  | { readonly kind: "stopped" }
  /** It ended before its end. */
  | { readonly kind: "cut"; readonly detail: string };

/** Takes bytes of the file as they come, with their place; false: no more of them. */
export type TakeBytes = (chunk: Uint8Array, at: number) => boolean;

/** A file at a server, by what told it from other files under its name when it was first asked for. */
export class RemoteFile {
  readonly url: string;
  readonly #ask: AskServer;
  readonly #timers: Timers;
  #size: number | undefined;
  #validator: string | undefined;

  constructor(url: string, ask: AskServer, timers: Timers) {
    this.url = url;
    this.#ask = ask;
    this.#timers = timers;
  }

  /** Bytes of the whole file. @throws AssertionError before the end of it was read */
  get size(): number {
    assert(this.#size !== undefined, "a file's size is known once its end was read");
    return this.#size;
  }

  /** Reads the last bytes of the file, or all of a shorter one, and learns its size. */
  async readTail(bytesMax: number, take: TakeBytes): Promise<RangeEnd> {
    return await this.#request(
      `bytes=-${bytesMax}`,
      bytesMax,
      (response) => {
        const [, from, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.map(Number) ?? [];
        if (from === undefined || last === undefined || size === undefined || !Number.isSafeInteger(size)) return undefined;
        if (last !== size - 1 || from !== Math.max(0, size - bytesMax)) return undefined;
        const etag = response.headers.get("etag");
        this.#size = size;
        this.#validator = etag !== null && !etag.startsWith("W/") ? etag : (response.headers.get("last-modified") ?? undefined);
        return { from, to: size };
      },
      take,
    );
  }

  /** Reads a part of the file whose end was read before. */
  async read({ from, to }: ByteRange, take: TakeBytes): Promise<RangeEnd> {
    assert(
      to > from && to - from <= REQUEST_BYTES_MAX && to <= this.size,
      "a request asks for some bytes of the file, and not for too many",
    );
    return await this.#request(
      `bytes=${from}-${to - 1}`,
      to - from,
      (response) => {
        const isSame = response.headers.get("content-range") === `bytes ${from}-${to - 1}/${this.size}`;
        const etag = response.headers.get("etag");
        const isRenamed = etag !== null && this.#validator?.startsWith('"') === true && etag !== this.#validator;
        return isSame && !isRenamed ? { from, to } : undefined;
      },
      take,
    );
  }

  /** @param judge which bytes an answer brings; undefined: it is another file's, or none of an answer at all */
  async #request(
    range: string,
    bytesMax: number,
    judge: (response: Response) => ByteRange | undefined,
    take: TakeBytes,
  ): Promise<RangeEnd> {
    const ended = new AbortController();
    const cancelPace = this.#timers.after(STALL_MS + bytesMax / PACE_MIN, () => ended.abort());
    let cancelStall = this.#timers.after(STALL_MS, () => ended.abort());
    try {
      const isFirst = this.#size === undefined;
      const condition = this.#validator === undefined ? {} : { "if-range": this.#validator };
      const headers = { range, "accept-encoding": "identity", ...condition };
      const answer = await heard(this.#ask(this.url, { headers, signal: ended.signal }));
      if (!answer.ok) return { kind: "cut", detail: answer.error };
      const response = answer.value;
      const { status } = response;
      if (status === 403 || status === 404 || status === 410) return { kind: "notFound", status };
      if (status === 200 || status === 416) return { kind: isFirst ? "noRanges" : "changed" };
      if (status !== 206) return { kind: "cut", detail: `the server answers ${status}` };
      const part = response.headers.get("content-encoding") === null ? judge(response) : undefined;
      const reader = response.body?.getReader();
      if (part === undefined || reader === undefined) return { kind: isFirst ? "noRanges" : "changed" };
      for (let at = part.from; ; ) {
        const next = await heard(reader.read());
        if (!next.ok) return { kind: "cut", detail: next.error };
        if (next.value.done) return { kind: "cut", detail: `the connection ended ${part.to - at} bytes early` };
        cancelStall();
        cancelStall = this.#timers.after(STALL_MS, () => ended.abort());
        const chunk: Uint8Array = next.value.value;
        if (!take(chunk.subarray(0, part.to - at), at)) return { kind: "stopped" };
        at += chunk.length;
        if (at >= part.to) return { kind: "whole" }; // more than was asked for is not waited for
      }
    } finally {
      cancelStall();
      cancelPace();
      ended.abort(); // whatever is still to come is not wanted
    }
  }
}

/** What a server brings, or why it does not: refused, cut off, given up. */
async function heard<T>(answer: Promise<T>): Promise<Result<T, string>> {
  try {
    return ok(await answer);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return err(error.message);
  }
}

/** Gaps between wanted parts that are fetched with them, since another request costs about as much. */
const GAP_BYTES = 8 * 1024;
/** Requests for one file, about; wider gaps are fetched rather than more of them made. */
const REQUESTS_MAX = 1_024;

/**
 * Brings wanted parts of a file into requests: in order, near ones together, none too large, not too many of them.
 *
 * @param parts in order, none touching another
 */
export function planRequests(parts: readonly ByteRange[]): readonly ByteRange[] {
  let joined = parts;
  for (let gap = GAP_BYTES; ; gap *= 2) {
    joined = join(joined, gap);
    if (joined.length <= REQUESTS_MAX) break;
  }
  return joined.flatMap(({ from, to }) =>
    Array.from({ length: Math.ceil((to - from) / REQUEST_BYTES_MAX) }, (_, i) => ({
      from: from + i * REQUEST_BYTES_MAX,
      to: Math.min(to, from + (i + 1) * REQUEST_BYTES_MAX),
    })),
  );
}

function join(parts: readonly ByteRange[], gap: number): readonly ByteRange[] {
  const joined: ByteRange[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (last !== undefined && part.from - last.to <= gap) joined[joined.length - 1] = { from: last.from, to: part.to };
    else joined.push(part);
  }
  return joined;
}
