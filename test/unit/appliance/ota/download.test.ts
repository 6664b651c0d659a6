import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BundleBar, discardDownload, download, findOffer } from "../../../../appliance/ota/index.ts";
import type { Timers } from "../../../../src/kernel/index.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-download-"));
const servers: Server[] = [];
const open = new Set<Socket>();
afterEach(() => {
  discardDownload(folder);
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Waits between tries are over at once; the limit on silence never comes. */
const quick: Timers = {
  after: (delayMs, action) => {
    if (delayMs < 30_000) setImmediate(action);
    return () => {};
  },
};

const FILE = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 31) % 251));

/** What a server does with a request for bytes from a place on. */
type Answer = { readonly head: string; readonly body: Buffer };

/** A server of raw answers; notes which places it was asked for, and under which name of the file. */
async function serve(answer: (from: number, count: number) => Answer) {
  const asked: { readonly from: number; readonly ifRange: string | undefined }[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (bytes) => {
      const text = bytes.toString();
      const from = Number(/^range: bytes=(\d+)-/im.exec(text)?.[1] ?? 0);
      asked.push({ from, ifRange: /^if-range: (.*)$/im.exec(text)?.[1]?.trim() });
      const { head, body } = answer(from, asked.length);
      socket.write(`HTTP/1.1 ${head}\r\nConnection: close\r\n\r\n`);
      const isShort = body.length < Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (!isShort) socket.end(body);
      else {
        socket.write(body); // and cut off once the other side has it
        open.add(socket);
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}/file`, asked };
}

const whole = (etag: string, body = FILE): Answer => ({ head: `200 OK\r\nETag: "${etag}"\r\nContent-Length: ${FILE.length}`, body });
const rest = (from: number, etag = "one"): Answer => ({
  head: `206 Partial Content\r\nETag: "${etag}"\r\nContent-Range: bytes ${from}-${FILE.length - 1}/${FILE.length}\r\nContent-Length: ${FILE.length - from}`,
  body: FILE.subarray(from),
});

/** Cuts off what is not whole. */
function cut(): void {
  for (const socket of open) socket.destroy();
  open.clear();
}

const fetchFrom = (url: string) => download(url, { folder, timers: quick, ask: fetch, onProgress: cut });

/** The file that came of it. */
async function contentOf(url: string): Promise<Buffer> {
  const fetched = await fetchFrom(url);
  if (!fetched.ok) throw new Error(fetched.error.detail);
  return readFileSync(fetched.value.path);
}

describe("a download", () => {
  test("ota: cut off, gone on with where it ended, under the name that the server gave the file", async () => {
    const { url, asked } = await serve((from, count) => (count === 1 ? whole("one", FILE.subarray(0, 20_000)) : rest(from)));
    expect((await contentOf(url)).equals(FILE)).toBe(true);
    expect(asked[0]).toEqual({ from: 0, ifRange: undefined });
    expect(asked.at(-1)?.ifRange).toBe('"one"');
    expect(asked.at(-1)?.from).toBeGreaterThan(0);
  });

  test("ota: given up, ordered again later, gone on with where it ended", async () => {
    const { url, asked } = await serve((from, count) =>
      count === 1 ? whole("one", FILE.subarray(0, 20_000)) : count < 12 ? { head: "503 Busy", body: Buffer.alloc(0) } : rest(from),
    );
    expect(await fetchFrom(url)).toMatchObject({ ok: false, error: { code: "sourceUnreachable" } });
    expect((await contentOf(url)).equals(FILE)).toBe(true);
    expect(asked.at(-1)?.from).toBeGreaterThan(0);
  });

  test("ota: the file has changed meanwhile, begun anew, never two files in one", async () => {
    const other = Buffer.from(FILE.map((byte) => 255 - byte));
    const { url } = await serve((_from, count) =>
      count === 1
        ? whole("one", FILE.subarray(0, 20_000))
        : { head: `200 OK\r\nETag: "two"\r\nContent-Length: ${other.length}`, body: other },
    );
    expect((await contentOf(url)).equals(other)).toBe(true);
  });

  test("ota: a server without names for its files, begun anew each time", async () => {
    const { url, asked } = await serve((_from, count) => ({
      head: `200 OK\r\nContent-Length: ${FILE.length}`,
      body: count === 1 ? FILE.subarray(0, 20_000) : FILE,
    }));
    expect((await contentOf(url)).equals(FILE)).toBe(true);
    expect(asked.every(({ from }) => from === 0)).toBe(true);
  });

  test("ota: a range that was not asked for, not put where it does not belong", async () => {
    const { url } = await serve((from, count) =>
      count === 1 ? whole("one", FILE.subarray(0, 20_000)) : count === 2 ? rest(from + 1_000) : whole("one"),
    );
    expect((await contentOf(url)).equals(FILE)).toBe(true);
  });

  test("ota: another URL, the part of the first is not taken for its beginning", async () => {
    const first = await serve((_from, count) =>
      count === 1 ? whole("one", FILE.subarray(0, 20_000)) : { head: "404 Gone", body: Buffer.alloc(0) },
    );
    expect(await fetchFrom(first.url)).toMatchObject({ ok: false, error: { code: "notFound" } });
    const second = await serve(() => whole("one"));
    expect((await contentOf(second.url)).equals(FILE)).toBe(true);
    expect(second.asked).toEqual([{ from: 0, ifRange: undefined }]);
  });

  test("ota: nobody there, given up after its tries; no such file, at once", async () => {
    expect(await fetchFrom("http://127.0.0.1:1/file")).toMatchObject({ ok: false, error: { code: "sourceUnreachable" } });
    const { url, asked } = await serve(() => ({ head: "404 Not Found", body: Buffer.alloc(0) }));
    expect(await fetchFrom(url)).toMatchObject({ ok: false, error: { code: "notFound" } });
    expect(asked.length).toBe(1);
  });

  test("ota: discarded, nothing is left", async () => {
    const { url } = await serve(() => whole("one"));
    const fetched = await fetchFrom(url);
    discardDownload(folder);
    expect(fetched.ok && existsSync(fetched.value.path)).toBe(false);
  });
});

describe("an offer", () => {
  const bar: BundleBar = { stamp: { compatible: "board", version: "1.0.0" }, floor: "1.0.0", failed: [], isUnattended: false };
  const offering = (text: string) =>
    serve(() => ({ head: `200 OK\r\nContent-Length: ${Buffer.byteLength(text)}`, body: Buffer.from(text) }));
  const sha256 = "a".repeat(64);

  test("ota: a newer release, with the place of its bundle", async () => {
    const { url } = await offering(JSON.stringify({ version: "1.1.0", compatible: "board", file: "new.raucb", sha256 }));
    const found = await findOffer(url, bar, quick, fetch);
    expect(found).toEqual({ ok: true, value: { version: "1.1.0", compatible: "board", sha256, url: `${url}/new.raucb` } });
  });

  test.each([
    ["no JSON", "hello", "malformed"],
    ["no digest", '{"version":"1.1.0","compatible":"board","file":"x"}', "malformed"],
    ["an older release", JSON.stringify({ version: "0.9.0", compatible: "board", file: "x", sha256 }), "downgrade"],
    ["what runs", JSON.stringify({ version: "1.0.0", compatible: "board", file: "x", sha256 }), "sameVersion"],
    ["another board's", JSON.stringify({ version: "1.1.0", compatible: "other", file: "x", sha256 }), "wrongBoard"],
  ])("ota: %s, refused", async (_name, text, code) => {
    const { url } = await offering(text);
    expect(await findOffer(url, bar, quick, fetch)).toMatchObject({ ok: false, error: { code } });
  });

  test("ota: no channel, or nobody there, said", async () => {
    expect(await findOffer("ftp://x", bar, quick, fetch)).toMatchObject({ ok: false, error: { code: "malformed" } });
    expect(await findOffer("http://127.0.0.1:1/", bar, quick, fetch)).toMatchObject({ ok: false, error: { code: "sourceUnreachable" } });
  });
});
