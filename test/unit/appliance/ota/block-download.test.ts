import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AskServer, checkPayload, discardDownload, fetchByBlocks, type UpdateTrouble } from "../../../../appliance/ota/index.ts";
import { err, ok, type Result, silentLog, type Timers } from "../../../../src/kernel/index.ts";
import { blocksOf, bundleOf } from "./fake-bundle.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-blocks-"));
const slot = join(folder, "slot");
beforeEach(() => {
  discardDownload(folder);
  writeFileSync(slot, "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Waits between tries are over at once; limits on silence never come. */
const quick: Timers = {
  after: (delayMs, action) => {
    if (delayMs < 30_000) setImmediate(action);
    return () => {};
  },
};

const OLD = blocksOf("old", 600);
const NEW = Buffer.concat([blocksOf("head", 1), OLD.subarray(0, 300 * 4096), blocksOf("app", 5), OLD.subarray(300 * 4096)]);
const BUNDLE = bundleOf(NEW);

/** A request for bytes as a server sees it. */
type Asked = { readonly from: number; readonly to: number; readonly count: number; readonly ifRange: string | null };

/** A server of ranges: what it answers may be changed for any request. */
function server(file: Buffer, change: (asked: Asked) => Response | undefined = () => undefined) {
  const asked: Asked[] = [];
  const ask: AskServer = async (_url, { headers, signal }) => {
    const { range = "", "if-range": ifRange = null } = headers;
    const [, from = "", to = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
    const begin = from === "" ? Math.max(0, file.length - Number(to)) : Number(from);
    const end = from === "" ? file.length : Number(to) + 1;
    const request = { from: begin, to: end, count: asked.length + 1, ifRange };
    asked.push(request);
    signal.throwIfAborted();
    return change(request) ?? part(file, begin, end);
  };
  return { ask, asked };
}

function part(file: Buffer, from: number, to: number, etag = '"one"', body = file.subarray(from, to)): Response {
  const headers = { "content-range": `bytes ${from}-${to - 1}/${file.length}`, etag };
  return new Response(new Uint8Array(body), { status: 206, headers });
}

/** A body that breaks off with an error, as a lost connection does. */
function cutAfter(file: Buffer, { from, to }: Asked, bytes: number): Response {
  const headers = { "content-range": `bytes ${from}-${to - 1}/${file.length}`, etag: '"one"' };
  let isSent = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (isSent) controller.error(new Error("connection lost"));
      else controller.enqueue(new Uint8Array(file.subarray(from, from + bytes)));
      isSent = true;
    },
  });
  return new Response(body, { status: 206, headers });
}

type Judge = (path: string) => Promise<Result<unknown, UpdateTrouble>>;

async function run(ask: AskServer, judge: Judge = async () => ok(undefined), slots: readonly string[] = [slot]) {
  const parts = { folder, timers: quick, ask, slots, judge, onProgress: () => {}, log: silentLog };
  return await fetchByBlocks("http://box/new.raucb", parts);
}

async function fetchedOf(ask: AskServer, file = BUNDLE.bytes): Promise<number> {
  const fetched = await run(ask);
  if (fetched === "noRanges" || !fetched.ok) throw new Error(fetched === "noRanges" ? fetched : fetched.error.detail);
  expect(readFileSync(fetched.value.path).equals(file)).toBe(true);
  expect(await checkPayload(fetched.value.path)).toEqual({ ok: true, value: undefined });
  return fetched.value.bytes;
}

async function codeOf(ask: AskServer, judge?: Judge): Promise<string> {
  const fetched = await run(ask, judge);
  return fetched === "noRanges" ? fetched : fetched.ok ? "ok" : fetched.error.code;
}

const END_BYTES = 65_536 + BUNDLE.treeBytes;

describe("a bundle of which a slot has most blocks", () => {
  test("ota: only what the slot lacks is fetched, and the whole bundle comes of it", async () => {
    writeFileSync(slot, OLD);
    const { ask, asked } = server(BUNDLE.bytes);
    const bytes = await fetchedOf(ask);
    expect(bytes).toBeLessThan(END_BYTES + 40 * 4096);
    expect(asked[0]?.ifRange).toBeNull();
    for (const { ifRange } of asked.slice(1)) expect(ifRange).toBe('"one"');
    expect(existsSync(join(folder, "bundle.blocks"))).toBe(false);
  });

  test("ota: with nothing in the slots, or slots that cannot be read, everything is fetched", async () => {
    const { ask } = server(BUNDLE.bytes);
    expect(await fetchedOf(ask)).toBeGreaterThanOrEqual(NEW.length);
    discardDownload(folder);
    const fetched = await run(ask, undefined, [join(folder, "absent"), folder]);
    expect(fetched).toMatchObject({ ok: true });
  });

  test("ota: blocks of zeros and blocks that are there twice, are found as well", async () => {
    const payload = Buffer.concat([Buffer.alloc(40 * 4096), OLD.subarray(0, 4096), OLD.subarray(0, 4096), Buffer.alloc(300 * 4096), OLD]);
    writeFileSync(slot, Buffer.concat([blocksOf("other", 3), OLD]));
    const bundle = bundleOf(payload);
    const { ask } = server(bundle.bytes);
    expect(await fetchedOf(ask, bundle.bytes)).toBeLessThanOrEqual(65_536 + bundle.treeBytes);
  });

  test("ota: judged by its end before anything else is fetched; what is refused then costs no more", async () => {
    const { ask, asked } = server(BUNDLE.bytes);
    let seen = 0;
    const judge: Judge = async (path) => {
      const file = readFileSync(path);
      seen = file.length;
      expect(file.subarray(-1_000).equals(BUNDLE.bytes.subarray(-1_000))).toBe(true);
      return err({ code: "downgrade", detail: "" });
    };
    expect(await codeOf(ask, judge)).toBe("downgrade");
    expect([seen, asked.length]).toEqual([BUNDLE.bytes.length, 1]);
  });

  test("ota: cut off again and again, gone on with; later, what came before is not fetched again", async () => {
    writeFileSync(slot, OLD.subarray(0, 4096));
    const first = server(BUNDLE.bytes, (asked) => (asked.count % 2 === 0 ? cutAfter(BUNDLE.bytes, asked, 70_000) : undefined));
    expect(await fetchedOf(first.ask)).toBeGreaterThan(NEW.length);
    discardDownload(folder);
    const dying = server(BUNDLE.bytes, (asked) => (asked.count < 4 ? undefined : new Response(null, { status: 503 })));
    expect(await codeOf(dying.ask)).toBe("sourceUnreachable");
    const second = server(BUNDLE.bytes);
    const again = await fetchedOf(second.ask);
    expect(again).toBeLessThan(NEW.length - 900_000);
    expect(second.asked.some(({ from }) => from === BUNDLE.payloadBytes)).toBe(false); // the tree neither
  });

  test("ota: a tampered block, refused as it arrives; a tampered tree, before any block is fetched", async () => {
    const wrong = Buffer.from(BUNDLE.bytes);
    wrong[500 * 4096 + 7] = 0;
    const payload = server(wrong);
    expect(await codeOf(payload.ask)).toBe("tampered");
    expect(payload.asked.at(-1)?.from).toBeLessThanOrEqual(500 * 4096);
    const tree = Buffer.from(BUNDLE.bytes);
    tree[BUNDLE.payloadBytes + 4096 + 3] = (tree[BUNDLE.payloadBytes + 4096 + 3] ?? 0) ^ 1;
    const trees = server(tree);
    expect(await codeOf(trees.ask)).toBe("tampered");
    for (const { from } of trees.asked) expect(from).toBeGreaterThanOrEqual(BUNDLE.bytes.length - 65_536);
  });

  test("ota: a file that ends early or is none, refused; by a server without parts, left to a whole download", async () => {
    expect(await codeOf(server(BUNDLE.bytes.subarray(0, 1_000_000)).ask)).toBe("truncated");
    expect(await codeOf(server(Buffer.alloc(200_000)).ask)).toBe("truncated");
    expect(await codeOf(server(BUNDLE.bytes, () => new Response("everything")).ask)).toBe("noRanges");
    expect(await codeOf(server(BUNDLE.bytes, () => new Response("", { status: 404 })).ask)).toBe("notFound");
    const huge = { "content-range": `bytes ${2 ** 40 - 65_536}-${2 ** 40 - 1}/${2 ** 40}` };
    const endless = server(BUNDLE.bytes, () => new Response(new Uint8Array(65_536), { status: 206, headers: huge }));
    expect(await codeOf(endless.ask)).toBe("truncated");
  });

  test("ota: another file under the name while it is fetched, begun anew; for ever, given up", async () => {
    const other = bundleOf(Buffer.concat([blocksOf("third", 4), NEW]));
    const { ask, asked } = server(other.bytes, (request) => {
      if (request.count === 1) return part(BUNDLE.bytes, BUNDLE.bytes.length - 65_536, BUNDLE.bytes.length);
      return request.count === 2 ? part(other.bytes, request.from, request.to, '"two"') : undefined;
    });
    await fetchedOf(ask, other.bytes);
    expect(asked[2]?.ifRange).toBeNull();
    discardDownload(folder);
    let name = 0;
    const restless = server(BUNDLE.bytes, ({ from, to }) => part(BUNDLE.bytes, from, to, `"${name++}"`));
    expect(await codeOf(restless.ask)).toBe("sourceUnreachable");
  });

  test("ota: hostile answers, bounded: other places, too much, nothing, a byte at a time", async () => {
    const elsewhere = server(BUNDLE.bytes, ({ from, to, count }) => (count === 1 ? undefined : part(BUNDLE.bytes, from + 4096, to + 4096)));
    expect(await codeOf(elsewhere.ask)).toBe("noRanges"); // a server that cannot count is asked for the whole

    const tooMuch = server(BUNDLE.bytes, ({ from, to, count }) =>
      count === 1
        ? undefined
        : part(BUNDLE.bytes, from, to, '"one"', Buffer.concat([BUNDLE.bytes.subarray(from, to), Buffer.alloc(9_000_000)])),
    );
    await fetchedOf(tooMuch.ask);
    discardDownload(folder);
    const empty = server(BUNDLE.bytes, ({ from, to, count }) =>
      count === 1 ? undefined : part(BUNDLE.bytes, from, to, '"one"', Buffer.alloc(0)),
    );
    expect(await codeOf(empty.ask)).toBe("sourceUnreachable");
    expect(empty.asked.length).toBeLessThan(20);
    const drops = server(BUNDLE.bytes, (asked) => (asked.count < 4 ? undefined : cutAfter(BUNDLE.bytes, asked, 1)));
    expect(await codeOf(drops.ask)).toBe("sourceUnreachable");
    expect(drops.asked.length).toBeLessThan(20);
  });
});
